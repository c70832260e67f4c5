"""Which broken calls contradict themselves, so that no implementation can give a meaningful result.

What somebody may well accept isn't among them: another dtype or type, an array that broadcasts, an empty one, a
negative index, a word in another spelling, or a number beyond a limit that is the reference's own.
"""

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import INDICES, Breakage, rank
from refconv.arguments import Array

_LENIENT = {
    "momentum", "alpha", "beta", "k", "negative_slope", "p", "value", "norm_type", "align_corners", "training",
    "running_mean", "running_var", "shares", "output", "padded input", "eps",
}  # fmt: skip
"""Arguments that make sense beyond their range, to some, and what is too large."""

_LENIENT_RULES = (
    "be 1 where padding", "be at most the input's size", "be None where", "be 'nearest' or 'linear'",
    "be a real number", "be True or False", "be a NumPy array", "have the dtype of",
    "have more than one value", "leave at least 1 of the sizes",
)  # fmt: skip
_EMPTY = ("output_size", "size")  # 0 of them leave nothing, which some call a result
_REAL = ("scale_factor",)
_MOST = 1000  # of an int that goes wrong without taking all memory


def contradicts(case: Case, row: Breakage) -> bool:
    """Whether `row` makes a contradiction of `case`."""
    if row.argument in _LENIENT or row.rule.startswith(_LENIENT_RULES):
        return False
    changed = row.change(case)
    if row.argument not in changed or not _breaks(case, row, changed[row.argument]):
        return False
    return all(not isinstance(value, np.ndarray) or value.size for value in changed.values())


ANOTHER_GRADIENT = Breakage(
    "grad_output", "have shape", lambda case: {"grad_output": np.ones((2, 3, *case.grad_output.shape), case.dtype)}
)
"""A contradiction of every case, in the backward."""


def of_a_batch(case: Case) -> Case:
    """Return `case`, or one of zeros and a batch of one: whatever is asked of nothing, nothing may be the answer."""
    if all(array is None or array.size for array in case.arrays.values()):
        return case
    arrays = [array if array is None else _filled(array) for array in case.arrays.values()]
    grad_output, *inputs = arrays
    assert grad_output is not None
    return Case(case.operator, tuple(inputs), case.attributes, grad_output)


def _filled(array: Array) -> Array:
    return np.zeros([length or 1 for length in array.shape], array.dtype)


def _breaks(case: Case, row: Breakage, value: object) -> bool:
    """Whether `value`, of the type that the argument has, can't be meant."""
    name = row.argument
    if isinstance(value, np.ndarray):
        return _array_breaks(case.arrays[name], value, name)
    if name in case.arrays or isinstance(value, bool):
        return False
    if isinstance(value, str):
        return value in {"mirror", "full"}
    if name in {"mode", "padding_mode"} or value == () or (name == "divisor_override" and value != 0):
        return False
    if isinstance(value, tuple) and row.rule.startswith("be an int"):  # of too many entries
        return row.rule != "be an int" and rank(case) > 1 and set(value) == {1}
    if name in _EMPTY and 0 in np.ravel(np.asarray(value, object)).tolist():
        return False
    return _numbers(value, (int, float) if isinstance(case.attributes[name], float) or name in _REAL else (int,))


def _numbers(value: object, kinds: tuple[type, ...]) -> bool:
    """Whether `value` is a number of such a kind, or one for each axis, none of them large."""
    if isinstance(value, tuple):
        return all(_numbers(entry, kinds) for entry in value)
    return type(value) in kinds and abs(value) <= _MOST  # type: ignore[arg-type]  # a number now


def _array_breaks(array: Array | None, changed: Array, name: str) -> bool:
    if array is None or changed.dtype != array.dtype or not changed.size:
        return False
    if name in INDICES and changed.shape == array.shape:
        return bool(changed.min() >= 0)
    return changed.size != array.size and not _broadcasts(changed.shape, array.shape)


def _broadcasts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True
