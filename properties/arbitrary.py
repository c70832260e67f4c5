"""Calls with arguments of every kind: whether they make sense isn't known before they are made.

Each begins as a case, of which some arguments are replaced, if any. Arrays are read-only, overlapping, reversed,
byte-swapped, unaligned, memory-mapped, of subclasses, giant by a stride of 0, or none at all.
"""

import enum
import fractions
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import hypothesis.strategies as st
import numpy as np
from numpy.lib.stride_tricks import as_strided

from properties.case import Case
from properties.strategies import cases
from refconv import Operator, operators
from refconv.arguments import LARGEST, Array


@dataclass(frozen=True, repr=False)
class ArbitraryCall:
    """A call of an operator's function in one direction."""

    operator: str
    direction: str
    arguments: tuple[Any, ...]
    attributes: Mapping[str, object]

    @property
    def row(self) -> Operator:
        """The operator's row in the table."""
        return operators[self.operator]

    def run(self) -> Any:
        """Make the call."""
        function = self.row.forward if self.direction == "forward" else self.row.backward
        return function(*self.arguments, **self.attributes)

    def plainly(self) -> "ArbitraryCall":
        """Return the same call with plain arrays: contiguous, aligned, writable copies in native byte order."""
        arguments = [_plain(value) if isinstance(value, np.ndarray) else value for value in self.arguments]
        return ArbitraryCall(self.operator, self.direction, tuple(arguments), self.attributes)

    def __repr__(self) -> str:
        """Show the call with shapes in place of the arrays."""
        shown = [
            f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else _shown(value)
            for value in self.arguments
        ]
        named = [f"{name}={_shown(value)}" for name, value in self.attributes.items()]
        return f"{self.operator} {self.direction}: {', '.join([*shown, *named])}"


def _shown(value: object) -> str:
    try:
        return repr(value)[:60]
    except Exception:
        return type(value).__name__


def _plain(array: Array) -> Array:
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", subok=False)


class _Subclass(np.ndarray[Any, Any]):
    """An array whose attributes are not to be trusted."""

    @property
    def nbytes(self) -> int:
        raise RuntimeError("nobody should ask")

    def __array_wrap__(self, *_: object) -> Any:
        raise RuntimeError("nobody should compute with this")


class _Rude:
    """Something that answers no question."""

    def __repr__(self) -> str:
        raise RuntimeError("no answer")

    __len__ = __iter__ = __int__ = __index__ = __bool__ = __eq__ = __repr__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class _Number(enum.IntEnum):
    TWO = 2


def _mapped(array: Array) -> Array:
    with tempfile.TemporaryFile() as file:
        file.write(array.tobytes() or b"\0")
        file.flush()
        return np.memmap(file, array.dtype, "r", shape=array.shape) if array.size else array


def _unaligned(array: Array) -> Array:
    room = bytearray(array.nbytes + 1)
    view = np.frombuffer(room, np.uint8, offset=1).view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def _read_only(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _overlapping(array: Array) -> Array:
    flat = np.resize(array.ravel(), max(sum(array.shape), 1))
    return as_strided(flat, array.shape, (array.itemsize,) * array.ndim)


_FORMS: dict[str, Any] = {
    "read-only": _read_only,
    "overlapping": _overlapping,
    "reversed": lambda array: np.flip(array),
    "byte-swapped": lambda array: array.astype(array.dtype.newbyteorder("S")),
    "unaligned": _unaligned,
    "memory-mapped": _mapped,
    "transposed": np.asfortranarray,
    "every other": lambda array: np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array,
    "a stride of 0": lambda array: np.broadcast_to(array[:1], array.shape) if array.ndim else array,
    "a subclass": lambda array: array.view(_Subclass),
    "masked": np.ma.masked_array,
    "special": lambda array: np.resize(np.array([np.inf, -np.inf, np.nan, -0.0], array.dtype), array.shape),
    "largest": lambda array: np.full_like(array, np.finfo(array.dtype).max) if array.dtype.kind in "fc" else array,
    "complex": lambda array: array.astype(np.complex128),
    "double": lambda array: array.astype(np.float64),
    "half": lambda array: array.astype(np.float16),
    "longdouble": lambda array: array.astype(np.longdouble),
    "integers": lambda array: np.nan_to_num(array).astype(np.int64),
    "objects": lambda array: array.astype(object),
    "structured": lambda array: np.zeros(array.shape, [("a", "f4")]),
    "one axis less": lambda array: array[0] if len(array) else array.sum(axis=0),
    "one axis more": lambda array: array[..., None] if array.ndim < 64 else array,
    "64 axes": lambda array: np.zeros((1,) * 64, array.dtype),
    "no axis": lambda array: np.array(1.0, array.dtype),
    "empty": lambda array: array[..., :0],
    "giant": lambda array: np.broadcast_to(np.zeros((), array.dtype), (2**21, 2**21, 1, 1, 1)[: array.ndim]),
    "list": lambda array: array.tolist(),
    "scalar": lambda array: array.dtype.type(1),
    "bytes": lambda array: array.tobytes(),
    "None": lambda _: None,
    "rude": lambda _: _Rude(),
}  # fmt: skip
_NUMBERS: tuple[Any, ...] = (
    0, 1, 2, 3, -1, 7, LARGEST, LARGEST + 1, 2**63, -(2**63), 10**400, 10**5000, True, 1.0, 2.5, float("nan"), 1j,
    np.int8(2), np.uint64(2**64 - 1), np.float32(1), np.array(2), np.array([1, 2]), _Number.TWO,
    fractions.Fraction(4, 2),
)  # fmt: skip
_OTHERS: tuple[Any, ...] = (
    None, "", "same", "valid", "zeros", "reflect", "circular", "replicate", "SAME", "\ud800", "x" * 10**4, b"same",
    (), [], {}, {1, 2}, range(2), slice(None), _Rude(), type, Ellipsis, NotImplemented, [[]], ((1,), (2,)),
    ("1", "2"), iter(()),
)  # fmt: skip


def arbitrary_calls(operator: str) -> st.SearchStrategy[ArbitraryCall]:
    """Draw calls of `operator`, forward and backward. They shrink towards a case with nothing replaced."""
    return _calls(operator)


@cache
def _calls(operator: str) -> st.SearchStrategy[ArbitraryCall]:
    number = st.integers(0, len(_NUMBERS) - 1).map(_NUMBERS.__getitem__) | st.integers() | st.integers(0, 9)
    other = st.integers(0, len(_OTHERS) - 1).map(_OTHERS.__getitem__)  # some have no repr, which sampled_from shows
    entry = number | st.tuples(number, number) | other
    attribute = entry | st.lists(entry, max_size=4) | st.lists(entry, max_size=4).map(tuple)
    names = tuple(operators[operator].attributes)
    inputs = ("grad_output", *operators[operator].inputs)
    replaced = st.lists(st.tuples(st.sampled_from(inputs), st.sampled_from(tuple(_FORMS))), max_size=3)
    changed = st.dictionaries(st.sampled_from(names), attribute, max_size=2) if names else st.just({})
    dtypes = st.sampled_from(("float32", "float64"))
    return st.builds(
        _call, dtypes.flatmap(lambda dtype: cases(operator, dtype=dtype)), st.booleans(), replaced, changed
    )


def _call(case: Case, backward: bool, replaced: list[tuple[str, str]], changed: dict[str, object]) -> ArbitraryCall:
    arrays: dict[str, Any] = dict(case.arrays)
    for name, form in replaced:
        if isinstance(arrays[name], np.ndarray) and not isinstance(arrays[name], np.ma.MaskedArray | _Subclass):
            arrays[name] = _formed(arrays[name], form)
    if not backward:
        del arrays["grad_output"]
    attributes = {**case.attributes, **changed}
    return ArbitraryCall(case.operator, "backward" if backward else "forward", tuple(arrays.values()), attributes)


def _formed(array: Array, form: str) -> Any:
    if array.ndim == 0 or array.dtype.kind not in "fc" or array.nbytes > 2**24:
        return array
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):  # a complex number cast to a real one
        return _FORMS[form](array)
