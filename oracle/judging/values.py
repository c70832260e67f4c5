"""One array that was returned, beside what it should be."""

from typing import Any, NamedTuple

import numpy as np

from oracle.judging.specials import accepted
from properties import Case
from refconv import Arithmetic, Bound
from refconv.arguments import Array

MOVED = {
    "forward": {"flatten", "concat", "pad", "channel_shuffle"},
    "backward": {"flatten", "concat", "channel_shuffle"},
}
"""What hands elements on as they are, so that a zero keeps its sign."""


class Expected(NamedTuple):
    """What a result should be, and how far from it it may lie."""

    value: Array
    bound: Bound


class Judged(NamedTuple):
    """What became of one result."""

    reason: str | None  # what is wrong with it
    exact: bool = True
    vacuous: bool = False
    worst: float = 0.0


def judged(
    name: str, got: Array | None, expected: Expected | None, case: Case, direction: str, arithmetic: Arithmetic
) -> Judged:
    """Judge the result called `name`."""
    if expected is None or got is None:
        same = got is None and expected is None
        return Judged(None if same else f"{name} must be {_kind(expected)}, got {_kind(got)}")
    value, bound = expected
    limit = bound.limit
    exact = not limit.any()
    vacuous = value.dtype.kind == "f" and bool((limit >= abs(value)).all())
    if got.shape != value.shape:
        return Judged(f"{name} must have shape {value.shape}, got {got.shape}", exact, vacuous)
    stored: np.dtype[Any] = value.dtype if value.dtype.kind == "i" else case.dtype
    if got.dtype != stored:
        return Judged(f"{name} must have dtype {stored}, got {got.dtype}", exact, vacuous)
    errors = _errors(got, value)
    with np.errstate(all="ignore"):
        ratios = errors / bound.statistical
    worst = float(np.max(ratios, initial=0.0, where=np.isfinite(ratios)))
    right = _right(name, got, expected, errors, limit, case, direction, arithmetic)
    if right.all():
        return Judged(None, exact, vacuous, worst)
    return Judged(_fault(name, got, expected, errors, ~right, arithmetic), exact, vacuous, worst)


def wrong(name: str, got: Array, expected: Expected, case: Case, direction: str, arithmetic: Arithmetic) -> Array:
    """Return which elements of the result called `name`, which has its shape, are wrong."""
    errors = _errors(got, expected.value)
    return ~_right(name, got, expected, errors, expected.bound.limit, case, direction, arithmetic)


def _errors(got: Array, value: Array) -> Array:
    with np.errstate(all="ignore"):  # what isn't finite has no error, but must be the same
        return np.abs(got.astype(np.float64) - value)


def _right(
    name: str,
    got: Array,
    expected: Expected,
    errors: Array,
    limit: Array,
    case: Case,
    direction: str,
    arithmetic: Arithmetic,
) -> Array:
    """Return which elements are right."""
    value = expected.value
    right: Array = (errors <= limit) | np.isposinf(limit)  # beyond the format's range, and of 0 / 0, anything goes
    finite = np.isfinite(value)
    if not finite.all():
        right |= (got == value) | (np.isnan(got) & np.isnan(value))
    if case.operator in MOVED[direction]:
        right &= (value != 0) | (np.signbit(got) == np.signbit(value))
    if not right.all() and value.dtype.kind == "f":
        right |= accepted(name, got.astype(np.float64), value, case, direction, arithmetic)
    return right


def right_elements(
    name: str, got: Array, expected: Expected, case: Case, direction: str, arithmetic: Arithmetic
) -> Array:
    """Return which elements of a result of the right shape are right."""
    with np.errstate(all="ignore"):
        errors = abs(got.astype(np.float64) - expected.value)
        return _right(name, got, expected, errors, expected.bound.limit, case, direction, arithmetic)


def _fault(name: str, got: Array, expected: Expected, errors: Array, wrong: Array, arithmetic: Arithmetic) -> str:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    limit = expected.bound.limit[index]
    margin = f"± {limit:.2g}" if limit else "exactly"
    where = f"{name}[{', '.join(map(str, index))}] = {got[index]!s}, expected {expected.value[index]:.9g} {margin}"
    inaccurate = bool((errors[wrong] <= expected.bound.rigorous[wrong]).all())
    fault = f"less accurate than {arithmetic.name}" if inaccurate else "wrong"
    return f"{where} ({np.count_nonzero(wrong)} of {wrong.size} {fault})"


def _kind(value: object) -> str:
    return "None" if value is None else "an array"
