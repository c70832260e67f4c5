"""A case: one call of an operator, with the gradient that its backward gets."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from properties.arrays import LAYOUTS, lay_out
from refconv import InvalidTypeError, InvalidValueError, Operator, operators
from refconv.arguments import Array

_SHOWN = 100
"""Elements of a case that is shown with what it holds."""


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One call: ``operator(*inputs, **attributes)``, and ``operator_backward(grad_output, *inputs, **attributes)``.

    Every attribute is given, those at their defaults, too.
    """

    operator: str
    inputs: tuple[Array | None, ...]
    attributes: Mapping[str, object]
    grad_output: Array

    @property
    def row(self) -> Operator:
        """The operator's row in the table."""
        return operators[self.operator]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype of the arrays, but for those that hold indices."""
        return self.grad_output.dtype

    @property
    def arrays(self) -> dict[str, Array | None]:
        """`grad_output` and the inputs by name, in the order in which the backward takes them."""
        return {"grad_output": self.grad_output, **dict(zip(self.row.inputs, self.inputs, strict=True))}

    @property
    def number(self) -> int:
        """A number that depends on the case alone."""
        return zlib.crc32(repr(self).encode() + self.grad_output.flat[:16].tobytes())

    def reference(self, direction: str) -> tuple[Any, ...]:
        """Return the reference's results in float64; raise what it raises."""
        grad_output, *inputs = map(doubled, self.arrays.values())
        with np.errstate(all="ignore"):  # what isn't finite is compared as it is
            if direction == "forward":
                returned = self.row.forward(*inputs, **self.attributes)
            else:
                returned = self.row.backward(grad_output, *inputs, **self.attributes)
        return returned if isinstance(returned, tuple) else (returned,)

    def refusal(self, direction: str) -> str | None:
        """Return what the reference says against the call in `direction`; None where it takes it."""
        try:
            self.reference(direction)
        except (InvalidTypeError, InvalidValueError) as error:
            return str(error)
        return None

    def __repr__(self) -> str:
        """Show the call with shapes in place of the arrays."""
        shapes = [
            f"{name}=None" if array is None else f"{name}{list(array.shape)}"
            for name, array in zip(self.row.inputs, self.inputs, strict=True)
        ]
        return f"{self.operator}({', '.join([*shapes, *self.spelled_attributes])})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # IPython and Hypothesis call it
        """Show Python that makes the case, if that is short; else the call."""
        few = sum(array.size for array in self.arrays.values() if array is not None) <= _SHOWN
        inputs = ", ".join(map(literal, self.inputs))
        made = f"Case({self.operator!r}, ({inputs},), {self.attributes!r}, {literal(self.grad_output)})"
        printer.text(made if few else repr(self))

    @property
    def spelled_attributes(self) -> list[str]:
        """The attributes that aren't at their defaults, as keyword arguments."""
        defaults = self.row.attributes
        return [f"{name}={value!r}" for name, value in self.attributes.items() if value != defaults[name]]


def but(case: Case, **changes: Any) -> Case:
    """Return `case` with other arrays or attributes, by name."""
    arrays: dict[str, Any] = {name: changes.pop(name, array) for name, array in case.arrays.items()}
    unknown = set(changes) - set(case.attributes)
    assert not unknown, unknown
    inputs = tuple(arrays[name] for name in case.row.inputs)
    return Case(case.operator, inputs, {**case.attributes, **changes}, arrays["grad_output"])


def array(case: Case, name: str) -> Array:
    """Return the array called `name`, which must be there."""
    found = case.arrays[name]
    assert found is not None
    return found


def doubled(array: Array | None) -> Array | None:
    """Return `array` in float64, which the reference takes; what holds indices stays as it is."""
    return array if array is None or array.dtype.kind == "i" else array.astype(np.float64)


def all_finite(arrays: Iterable[Array | None]) -> bool:
    """Whether nothing in `arrays` is an infinity or NaN."""
    return all(array is None or bool(np.isfinite(array).all()) for array in arrays)


_LAID_OUT = {
    "contiguous": "{text}",
    "channels_last": "np.moveaxis(np.moveaxis({text}, 1, -1).copy(), -1, 1)",
    "sliced": "np.pad({text}, {sides}{around})[:, 1:-1]",
    "transposed": "{text}.copy(order='F')",
    "reversed": "{text}[..., ::-1].copy()[..., ::-1]",
    "expanded": "np.lib.stride_tricks.as_strided({text}[:1], {shape}, {strides})",
    "constant": "np.lib.stride_tricks.as_strided({text}.ravel()[:1], {shape}, {strides})",
}
"""Python that lays out an array as :func:`properties.lay_out` does."""


def literal(array: Array | None) -> str:
    """Return Python that makes `array`, values and layout, with no more than ``np`` and ``ml_dtypes``."""
    if array is None:
        return "None"
    with np.printoptions(
        threshold=array.size + 1, floatmode="unique", linewidth=10**9, nanstr="np.nan", infstr="np.inf"
    ):
        values = " ".join(np.array2string(_spelled(array), separator=", ").split())
    dtype = f"{'ml_dtypes' if array.dtype.kind == 'V' else 'np'}.{array.dtype}"
    text = f"np.array({values}, dtype={dtype})" if array.size else f"np.zeros({array.shape}, dtype={dtype})"
    if array.size > _SHOWN and array.dtype.kind != "i" and _mostly_zero(array):
        text = f"{_sparse(array)}.reshape({array.shape}).astype({dtype})"
    layout = layout_of(array)
    sides = [(0, 0), (1, 1), *[(0, 0)] * (array.ndim - 2)]
    around = "" if array.dtype.kind == "i" else ", constant_values=np.nan"
    return _LAID_OUT[layout].format(text=text, sides=sides, around=around, shape=array.shape, strides=array.strides)


def _mostly_zero(array: Array) -> bool:
    values = array.astype(np.float64)
    return bool(np.count_nonzero(values) <= values.size // 4 and not np.signbit(values[values == 0]).any())


def _sparse(array: Array) -> str:
    """Return Python that makes a flat array, most of it 0, from the others and their places."""
    flat = array.astype(np.float64).ravel()
    places = np.flatnonzero(flat)
    values = ", ".join("np.nan" if np.isnan(value) else f"{value!r}" for value in flat[places].tolist())
    return f"np.bincount({places.tolist()}, [{values.replace('inf', 'np.inf')}], {flat.size})"


def _spelled(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "V" else array  # NumPy prints its own numbers alone


def layout_of(array: Array) -> str:
    """Return which of `LAYOUTS` has the strides of `array`; contiguous if none has."""
    values = array.copy(order="C")
    return next((name for name in LAYOUTS if lay_out(values, name).strides == array.strides), "contiguous")
