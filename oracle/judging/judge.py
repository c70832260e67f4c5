"""One case: judge what the implementation returned by the reference's value and bound."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from oracle.contract import DIRECTIONS, Deviation
from oracle.judging.conventions import CONVENTIONS, Asked, Convention, Results
from oracle.judging.values import Expected, judged
from oracle.running.calls import Outcome
from oracle.running.runner import Caller, InProcess
from oracle.subjects import resolve
from properties import Case
from properties.case import all_finite, doubled
from refconv import ARITHMETICS, Arithmetic, Bound, InvalidTypeError, InvalidValueError
from refconv.arguments import Array
from refconv.bounds import hasty, over
from refconv.words import did_you_mean

_SEVERITY = ("absent", "passed", "declined", "failed")


@dataclass(frozen=True)
class Verdict:
    """What became of one case in one direction."""

    status: str  # "passed", "failed", "declined", or "absent" where the implementation lacks the function
    direction: str  # "forward" or "backward"
    reason: str | None = None
    exact: bool = False  # equality was demanded
    vacuous: bool = False  # a result is all zero, or no larger than its bound, though not empty: it proves little
    empty: bool = False  # there is nothing to compute with: little but shapes was judged
    worst: float = 0.0  # the largest error, in units of the statistical bound
    deviation: Deviation | None = None  # the known one that the case matches
    ended: bool = False  # its process, too
    details: str | None = None  # what was raised, as a whole
    takes: tuple[str, ...] = ()  # the conventions by which it is right, where it isn't by the definition

    @property
    def unknown_failure(self) -> bool:
        """Whether it failed, and no known deviation is the reason."""
        return self.status == "failed" and self.deviation is None

    @property
    def passed(self) -> bool:
        """Whether the case was run and is right."""
        return self.status == "passed"


class Refused(NamedTuple):
    """What is expected of a call that makes no sense: that it isn't answered."""

    rule: str  # which it breaks, in the reference's words


Expectation = dict[str, Expected | None] | Refused


class Observation(NamedTuple):
    """What an implementation did with a case, and what it should have done."""

    case: Case
    direction: str
    outcome: Outcome
    expected: Expectation
    arithmetic: Arithmetic


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
        The call. One that the reference refuses must be refused.
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
    verdicts = [judge(runner, case, direction, chosen, worst=0.0) for direction in directions]
    return max(verdicts, key=lambda verdict: _SEVERITY.index(verdict.status))


def read_arithmetic(name: str | None, dtype: str) -> Arithmetic:
    """Return the arithmetic called `name`, by default that of `dtype`."""
    least = ARITHMETICS[dtype].storage if dtype in ARITHMETICS else 0.0  # nothing is stored finer than the dtype
    fitting = [known for known in ARITHMETICS.values() if known.storage >= least]
    for known in fitting:
        if known.name == (name or dtype):
            return over(known, dtype)
    names = [known.name for known in fitting]
    hint = "" if name in ARITHMETICS else did_you_mean(name, names)  # it isn't misspelled, but finer than the dtype
    raise ValueError(f"arithmetic must be one of {', '.join(names)} where dtype is {dtype}, got {name!r}{hint}")


def judge(runner: Caller, case: Case, direction: str, arithmetic: Arithmetic, worst: float = math.inf) -> Verdict:
    """Run one case in one direction, and judge it: hastily, and with care where that leaves a doubt.

    Of an error that isn't beyond the `worst` that is known, in B, no more is told than that.
    """
    if not runner.offers(case.operator, direction):
        return Verdict("absent", direction)
    haste = hasty(arithmetic) if all_finite(case.arrays.values()) else arithmetic
    observation = observe(runner, case, direction, haste)
    found = verdict(observation)
    if haste is arithmetic or (found.passed and found.worst <= worst) or observation.outcome.status != "returned":
        return found
    expected = expectation(case, direction, arithmetic)
    return verdict(observation._replace(expected=expected, arithmetic=arithmetic))


def observe(runner: Caller, case: Case, direction: str, arithmetic: Arithmetic) -> Observation:
    """Run one case in one direction, which the implementation must offer, beside the reference."""
    outcome = runner.start(case, direction)
    expected = expectation(case, direction, arithmetic)  # while it runs, if it does so elsewhere
    return Observation(case, direction, outcome(), expected, arithmetic)


def verdict(observation: Observation) -> Verdict:
    """Judge what was observed: by the definition, or by a convention that stands in its place."""
    found = _by_definition(observation)
    if found.status != "failed" or observation.outcome.status != "returned" or observation.arithmetic.hasty:
        return found
    return _by_convention(observation, found)


def _by_definition(observation: Observation) -> Verdict:
    _, direction, (status, _, reason, deviation, _, details), expected, _ = observation
    ended = status == "ended"
    if isinstance(expected, Refused):
        reason = _answered(observation, expected)
        status = "passed" if reason is None else "failed"
        return Verdict(status, direction, reason=reason, deviation=deviation, ended=ended)
    if status == "declined":
        return Verdict("declined", direction, reason=reason, deviation=deviation)
    if status != "returned":
        return Verdict("failed", direction, reason=reason, deviation=deviation, ended=ended, details=details)
    return _compared(observation, expected)


def _compared(observation: Observation, expected: Results) -> Verdict:
    """Compare the results that were returned with those that are `expected`."""
    case, direction, (_, results, _, deviation, *_), _, arithmetic = observation
    every = [judged(name, results[name], item, case, direction, arithmetic) for name, item in expected.items()]
    reasons = [result.reason for result in every if result.reason is not None]
    empty = case.grad_output.size == 0 or any(array is not None and array.size == 0 for array in case.inputs)
    return Verdict(
        "failed" if reasons else "passed",
        direction,
        reason="; ".join(reasons) or None,
        exact=all(result.exact for result in every),
        vacuous=any(result.vacuous for result in every) and not empty,
        empty=empty,
        worst=max(result.worst for result in every),
        deviation=deviation,
    )


def _by_convention(observation: Observation, failed: Verdict) -> Verdict:
    """Return the verdict by a convention that the results follow, if there is one, else that they have `failed`."""
    case, direction, _, expected, arithmetic = observation
    others = []
    for convention, results in by_conventions(case, direction, arithmetic, expected):
        found = _compared(observation, results)
        if found.passed and convention.rule is None:
            return replace(found, takes=(convention.name,))
        others += [convention] if found.passed else []
    if not others:
        return failed
    names = " or ".join(convention.name for convention in others)
    return replace(failed, reason=f"{failed.reason}; follows {names}; the rule: {others[0].rule}")


def by_conventions(
    case: Case, direction: str, arithmetic: Arithmetic, expected: Expectation
) -> Iterator[tuple[Convention, Results]]:
    """Yield the conventions that say something else of a call than the definition, and what they expect of it."""

    def expect(other: Case) -> Results | None:
        found = expectation(other, direction, arithmetic)
        return None if isinstance(found, Refused) else found

    asked = Asked(case, direction, arithmetic, None if isinstance(expected, Refused) else expected, expect)
    for convention in CONVENTIONS:
        applies = (case.operator, direction) in convention.functions
        results = convention.results(asked) if applies else None
        if results is not None:
            yield convention, results


def _answered(observation: Observation, refused: Refused) -> str | None:
    """Return what is wrong with the answer to a call that makes no sense; None where it was refused."""
    status, reason = observation.outcome.status, observation.outcome.reason
    if status in {"raised", "declined"}:
        return None
    did = "returned a result" if status == "returned" else reason
    return f"must refuse a call that makes no sense ({refused.rule}): {did}"


def expectation(case: Case, direction: str, arithmetic: Arithmetic) -> Expectation:
    """Return the reference's results in float64 with their bounds, by name; None where an input was None."""
    arrays = [doubled(array) for array in case.arrays.values()]
    try:
        expected = _computed(case, direction, arithmetic, arrays)
    except (InvalidTypeError, InvalidValueError) as error:
        return Refused(str(error))
    if all_finite(arrays):
        return {name: _unbounded_where_unknown(item) for name, item in expected.items()}
    if all(map(_bounded, expected.values())):
        return expected
    finite = [array if array is None else np.where(np.isfinite(array), array, 0) for array in arrays]
    untouched = _computed(case, direction, arithmetic, finite)
    return {name: _bounded_as(item, untouched[name]) for name, item in expected.items()}


def _computed(
    case: Case, direction: str, arithmetic: Arithmetic, arrays: Iterable[Array | None]
) -> dict[str, Expected | None]:
    grad_output, *inputs = arrays
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


def _unbounded_where_unknown(item: Expected | None) -> Expected | None:
    """Return `item` without a bound where that is no number: it has left the range, as sums near its ends may."""
    if item is None:
        return None
    unknown = np.isnan(item.bound.rigorous) & np.isfinite(item.value)
    if not unknown.any():
        return item
    return item._replace(bound=item.bound._replace(rigorous=np.where(unknown, np.inf, item.bound.rigorous)))


def _bounded(item: Expected | None) -> bool:
    """Whether all that is finite has a finite bound, and what isn't finite has none that lets anything pass."""
    if item is None:
        return True
    limit = item.bound.limit
    return bool(np.where(np.isfinite(item.value), np.isfinite(limit), ~np.isposinf(limit)).all())


def _bounded_as(item: Expected | None, untouched: Expected | None) -> Expected | None:
    """Return `item` with the bound of `untouched` where what isn't finite has no part in the value.

    A bound that holds a sum over the whole array is no number where one of its elements isn't. What isn't finite with
    or without it, such as 0 / 0, keeps a bound that says so; what comes of it has none.
    """
    if item is None or untouched is None:
        return item
    finite = np.isfinite(item.value)
    apart = np.where(finite, item.value == untouched.value, ~np.isfinite(untouched.value))
    errors = [
        np.where(apart, without, np.where(finite, beside, 0))
        for without, beside in zip(untouched.bound, item.bound, strict=True)
    ]
    return item._replace(bound=Bound(*errors))
