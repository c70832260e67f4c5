"""One case: judge what the implementation returned by the reference's value and bound."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from oracle.deviations import Deviation
from oracle.running import DIRECTIONS, InProcess, Results, Runner
from oracle.subjects import resolve
from properties import Case
from refconv import ARITHMETICS, Arithmetic, Bound
from refconv.arguments import Array

_SEVERITY = ("absent", "passed", "declined", "failed")


@dataclass(frozen=True)
class Verdict:
    """What became of one case in one direction."""

    status: str  # "passed", "failed", "declined", or "absent" where the implementation lacks the function
    direction: str  # "forward" or "backward"
    reason: str | None = None
    exact: bool = False  # equality was demanded
    vacuous: bool = False  # a result is all zero, or no larger than its bound: it proves little
    worst: float = 0.0  # the largest error, in units of the statistical bound
    deviation: Deviation | None = None  # the known one that the case matches
    ended: bool = False  # its process, too

    @property
    def unknown_failure(self) -> bool:
        """Whether it failed, and no known deviation is the reason."""
        return self.status == "failed" and self.deviation is None

    @property
    def passed(self) -> bool:
        """Whether the case was run and is right."""
        return self.status == "passed"


class Expected(NamedTuple):
    """What a result should be, and how far from it it may lie."""

    value: Array
    bound: Bound


def compare(
    implementation: object,
    case: Case,
    *,
    directions: Iterable[str] = DIRECTIONS,
    arithmetic: str | None = None,
) -> Verdict:
    """Judge one case; of both directions, the graver verdict.

    Parameters
    ----------
    implementation : object
        Anything that offers functions named as the operators, or its name, as :func:`oracle.load` takes it.
    case : Case
        The call.
    directions : iterable of str
        "forward", "backward" or both.
    arithmetic : str, optional
        One of ``refconv.ARITHMETICS``; by default that of the case's dtype.

    Returns
    -------
    Verdict
        Failed before declined before passed before absent.

    Raises
    ------
    ValueError
        For directions or an arithmetic that make no sense.
    LoadError
        For a name that can't be loaded.
    """
    directions = list(directions)
    if not directions or not set(directions) <= set(DIRECTIONS):
        raise ValueError(f"directions must be of {', '.join(DIRECTIONS)}, got {directions}")
    runner = InProcess(resolve(implementation, arithmetic))
    chosen = read_arithmetic(arithmetic, str(case.dtype))
    verdicts = [judge(runner, case, direction, chosen) for direction in directions]
    return max(verdicts, key=lambda verdict: _SEVERITY.index(verdict.status))


def read_arithmetic(name: str | None, dtype: str) -> Arithmetic:
    """Return the arithmetic called `name`, by default that of `dtype`."""
    least = ARITHMETICS[dtype].storage if dtype in ARITHMETICS else 0.0  # nothing is stored finer than the dtype
    fitting = [known for known in ARITHMETICS.values() if known.storage >= least]
    for known in fitting:
        if known.name == (name or dtype):
            return known
    names = ", ".join(known.name for known in fitting)
    raise ValueError(f"arithmetic must be one of {names} where dtype is {dtype}, got {name!r}")


def judge(runner: Runner, case: Case, direction: str, arithmetic: Arithmetic) -> Verdict:
    """Run one case in one direction, and judge it."""
    if not runner.offers(case.operator, direction):
        return Verdict("absent", direction)
    outcome = runner.start(case, direction)
    expected = expectation(case, direction, arithmetic)  # while it runs, if it does so elsewhere
    status, results, reason, deviation = outcome()
    if status == "declined":
        return Verdict("declined", direction, reason=reason, deviation=deviation)
    if status != "returned":
        return Verdict("failed", direction, reason=reason, deviation=deviation, ended=status == "ended")
    return _verdict(results, expected, case, direction, arithmetic, deviation)


def expectation(case: Case, direction: str, arithmetic: Arithmetic) -> dict[str, Expected | None]:
    """Return the reference's results in float64 with their bounds, by name; None where an input was None."""
    grad_output, *inputs = map(_doubled, case.arrays.values())
    row = case.row
    with np.errstate(all="ignore"):  # what isn't finite is compared as it is
        if direction == "forward":
            returned = row.forward(*inputs, **case.attributes)
            bound = row.bound(arithmetic, returned, *inputs, **case.attributes)
            names = row.outputs(**case.attributes)
            values, bounds = ((returned,), (bound,)) if isinstance(bound, Bound) else (returned, bound)
        else:
            names = tuple(f"grad_{name}" for name in row.differentiable)
            values = row.backward(grad_output, *inputs, **case.attributes)
            bounds = row.backward_bound(arithmetic, values, grad_output, *inputs, **case.attributes)
    return {
        name: None if value is None else Expected(value, bound)
        for name, value, bound in zip(names, values, bounds, strict=True)
    }


def _doubled(array: Array | None) -> Array | None:
    """Return `array` in float64; what holds indices stays as it is."""
    return array if array is None or array.dtype.kind == "i" else array.astype(np.float64)


class _Judged(NamedTuple):
    """What became of one result."""

    reason: str | None  # what is wrong with it
    exact: bool = True
    vacuous: bool = False
    worst: float = 0.0


def _verdict(
    results: Results,
    expected: dict[str, Expected | None],
    case: Case,
    direction: str,
    arithmetic: Arithmetic,
    deviation: Deviation | None,
) -> Verdict:
    judged = [_judged(name, results[name], item, case.dtype, arithmetic) for name, item in expected.items()]
    reasons = [result.reason for result in judged if result.reason is not None]
    return Verdict(
        "failed" if reasons else "passed",
        direction,
        reason="; ".join(reasons) or None,
        exact=all(result.exact for result in judged),
        vacuous=any(result.vacuous for result in judged),
        worst=max(result.worst for result in judged),
        deviation=deviation,
    )


def _judged(
    name: str, got: Array | None, expected: Expected | None, dtype: np.dtype[Any], arithmetic: Arithmetic
) -> _Judged:
    if expected is None or got is None:
        same = got is None and expected is None
        return _Judged(None if same else f"{name} must be {_kind(expected)}, got {_kind(got)}")
    value, bound = expected
    limit = bound.limit
    exact, vacuous = not limit.any(), value.dtype.kind == "f" and bool((limit >= abs(value)).all())
    if got.shape != value.shape:
        return _Judged(f"{name} must have shape {value.shape}, got {got.shape}", exact, vacuous)
    stored = value.dtype if value.dtype.kind == "i" else dtype
    if got.dtype != stored:
        return _Judged(f"{name} must have dtype {stored}, got {got.dtype}", exact, vacuous)
    with np.errstate(all="ignore"):  # what isn't finite has no error, but must be the same
        errors = abs(got.astype(np.float64) - value)
        ratios = errors / bound.statistical
    right = (errors <= limit) | np.isposinf(limit)  # beyond the format's range, anything goes
    finite = np.isfinite(value)
    if not finite.all():
        right = np.where(finite, right, (got == value) | (np.isnan(got) & np.isnan(value)))
    if right.all():
        return _Judged(None, exact, vacuous, float(np.max(ratios, initial=0.0, where=np.isfinite(ratios))))
    return _Judged(_fault(name, got, expected, errors, ~right, arithmetic), exact, vacuous)


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
