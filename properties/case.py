"""A case: one call of an operator, with the gradient that its backward gets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from properties.arrays import LAYOUTS, lay_out
from refconv import Operator, operators
from refconv.arguments import Array


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

    def __repr__(self) -> str:
        """Show the call with shapes in place of the arrays."""
        shapes = [
            f"{name}=None" if array is None else f"{name}{list(array.shape)}"
            for name, array in zip(self.row.inputs, self.inputs, strict=True)
        ]
        return f"{self.operator}({', '.join([*shapes, *self.spelled_attributes])})"

    @property
    def spelled_attributes(self) -> list[str]:
        """The attributes that aren't at their defaults, as keyword arguments."""
        defaults = self.row.attributes
        return [f"{name}={value!r}" for name, value in self.attributes.items() if value != defaults[name]]


def literal(array: Array | None) -> str:
    """Return Python that makes `array`, values and layout, out of ``np`` and :func:`properties.lay_out`."""
    if array is None:
        return "None"
    with np.printoptions(
        threshold=array.size + 1, floatmode="unique", linewidth=10**9, nanstr="np.nan", infstr="np.inf"
    ):
        values = " ".join(np.array2string(array, separator=", ").split())
    text = f"np.array({values}, dtype=np.{array.dtype})"
    if array.size == 0:
        text = f"np.zeros({array.shape}, dtype=np.{array.dtype})"
    layout = layout_of(array)
    return text if layout == "contiguous" else f"lay_out({text}, {layout!r})"


def layout_of(array: Array) -> str:
    """Return which of `LAYOUTS` has the strides of `array`; contiguous if none has."""
    values = array.copy(order="C")
    return next((name for name in LAYOUTS if lay_out(values, name).strides == array.strides), "contiguous")
