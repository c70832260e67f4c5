"""Which mistake explains all that was observed of an implementation, its failures and what it got right."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from oracle.contract import Results, arguments_of, results_of
from oracle.diagnosis.cancellation import one_pass
from oracle.diagnosis.catalogue import CATALOGUE
from oracle.diagnosis.conditions import Condition
from oracle.diagnosis.precision import kept_in, precision_of
from oracle.diagnosis.symptoms import NAMES
from oracle.diagnosis.variant import Variant
from oracle.judging.judge import Observation, Refused, verdict
from oracle.judging.specials import Freedom, accepted, freedom
from oracle.judging.values import MOVED, Expected
from oracle.running.calls import Outcome
from properties.case import all_finite, doubled
from refconv import Arithmetic, InvalidTypeError, InvalidValueError
from refconv.arguments import Array

OR = ", or "
"""Between the names of mistakes that fit alike."""
_ALIKE = 2  # that are named
_SEVERAL = 3  # failures that a mistake must reproduce if not all that passed agrees with it
_CLOSER = 0.5  # share of an error that a variant may leave unexplained
_CASTS: tuple[Callable[[Array | None], Array | None], ...] = (doubled, lambda array: array)
_ROUNDINGS = 64.0
"""Units in the last place of the largest element by which a variant may differ, beyond the case's bound."""


class Diagnosis(NamedTuple):
    """What is probably wrong."""

    name: str
    cause: str  # the usual one, in a sentence
    thread: str | None = None  # where a released library has had it


def diagnose(observations: Sequence[Observation], reason: str, condition: Condition | None = None) -> Diagnosis | None:
    """Name the mistake that explains `observations` of one operator in one direction, the first of which failed.

    Either the `reason` says it, or one of the catalogue's variants gives the same results, or all are right by a
    coarser arithmetic. None where nothing fits, both names where two fit alike.
    """
    failed = [observation for observation in observations if _failed(observation)]
    said = named(reason)
    if said is not None or not failed or failed[0] is not observations[0]:
        return said
    passed = [observation for observation in observations if not any(observation is other for other in failed)]
    variants = fitting(failed, passed, condition)[:_ALIKE]
    precision = one_pass(failed) or precision_of(observations) or kept_in(failed)
    if not variants:
        return precision and Diagnosis(*precision)
    names = dict.fromkeys(variant.name for variant in variants)
    causes = dict.fromkeys(variant.cause for variant in variants)
    found = [precision[1]] if precision else []
    return Diagnosis(OR.join(names), " ".join([*found, *causes]), variants[0].thread)


def named(reason: str) -> Diagnosis | None:
    """Return the mistake that a verdict's reason says by itself."""
    if reason.startswith("raised"):  # which quotes the implementation
        return None
    return next((Diagnosis(*known) for words, known in NAMES.items() if words in reason), None)


def fitting(
    failed: Sequence[Observation], passed: Sequence[Observation], condition: Condition | None = None
) -> list[Variant]:
    """Return the variants that explain what `failed`.

    A variant must be wrong in the first as the implementation is, and reproduce all others: those that fail, at least,
    if a `condition` says why the others pass. One that leaves elements open fits easily: it is for where no other does.
    """
    case, direction = failed[0][:2]
    wrong = [
        variant
        for variant in CATALOGUE
        if (variant.operator, variant.direction) == (case.operator, direction)
        and not variant.symptom
        and (_is_wrong_alike(variant, failed[0]) or _gives_up(variant, failed[0]))
        and all(_reproduces(variant, other) or _gives_up(variant, other) for other in failed[1:])
        and any(_is_evidence(variant, observation) for observation in failed)
    ]
    found = [variant for variant in wrong if all(_reproduces(variant, other) for other in passed)]
    if not found and condition is not None and condition.exact and len(failed) >= _SEVERAL:
        excepted = [observation for observation in passed if condition.holds(observation.case)]
        if len(excepted) < len(passed):
            found = [variant for variant in wrong if all(_reproduces(variant, other) for other in excepted)]
    certain = [variant for variant in found if not variant.unwritten]
    return certain or found


def _is_wrong_alike(variant: Variant, observation: Observation) -> bool:
    """Whether `variant` does what failed, and fails by it: what is right does it, too, but for roundings."""
    return _reproduces(variant, observation) and any(
        _failed(observation._replace(outcome=_outcome(variant, observation, cast))) for cast in _CASTS
    )


def _is_evidence(variant: Variant, observation: Observation) -> bool:
    """Whether a failure that `variant` reproduces speaks for it: not all that raises is of the same mistake."""
    if observation.outcome.status != "raised":
        return _is_wrong_alike(variant, observation)
    return _raised(variant, observation) not in {None, InvalidTypeError, InvalidValueError}


def _raised(variant: Variant, observation: Observation) -> type[Exception] | None:
    """Return what a variant raises, if it does."""
    try:
        _results(variant, observation, doubled)
    except Exception as error:
        return type(error)
    return None


def _results(variant: Variant, observation: Observation, cast: Callable[[Array | None], Array | None]) -> Results:
    """Return what a variant gives."""
    case, direction = observation.case, observation.direction
    with np.errstate(all="ignore"):
        arguments = map(cast, arguments_of(case, direction).values())
        return results_of(variant.implementation()(*arguments, **case.attributes), case, direction)


def _outcome(variant: Variant, observation: Observation, cast: Callable[[Array | None], Array | None]) -> Outcome:
    """Return what comes of a variant, in the case's own dtype; it may refuse what its mistake makes senseless."""
    dtype = observation.case.dtype
    try:
        results = _results(variant, observation, cast)
    except Exception:
        return Outcome("raised")
    with np.errstate(all="ignore"):
        stored = {
            name: value if value is None or value.dtype.kind == "i" else value.astype(dtype)
            for name, value in results.items()
        }
    return Outcome("returned", stored)


def _failed(observation: Observation) -> bool:
    return verdict(observation).unknown_failure


def _gives_up(variant: Variant, observation: Observation) -> bool:
    """Whether the implementation has raised where the mistake gives a result of another shape."""
    if observation.outcome.status != "raised" or isinstance(observation.expected, Refused):
        return False
    results = _results(variant, observation, doubled)
    expected = observation.expected
    return any(
        value is not None and item is not None and value.shape != item.value.shape
        for value, item in zip(results.values(), expected.values(), strict=True)
    )


def _reproduces(variant: Variant, observation: Observation) -> bool:
    """Whether `variant` does what the implementation did, in float64 or in the case's own dtype."""
    outcome = observation.outcome
    if outcome.status == "declined":
        return True
    for cast in _CASTS:
        try:
            results = _results(variant, observation, cast)
        except Exception:  # a variant may refuse what its mistake makes senseless
            return outcome.status == "raised"
        if outcome.status == "returned" and _alike(results, observation, variant):
            return True
    return False


def _alike(results: Results, observation: Observation, variant: Variant) -> bool:
    got = observation.outcome.results
    return all(_same(name, value, got[name], observation, variant) for name, value in results.items())


def _same(name: str, value: Array | None, got: Array | None, observation: Observation, variant: Variant) -> bool:
    if value is None or got is None:
        return value is None and got is None
    if value.shape != got.shape:
        return False
    value, got = value.astype(np.float64), got.astype(np.float64)
    item = _item(name, value.shape, observation)
    case, direction = observation.case, observation.direction
    with np.errstate(all="ignore"):
        beyond = abs(got - value)
        same = np.where(
            np.isfinite(value),
            beyond <= _margin(item, value, observation.arithmetic),
            (got == value) | (np.isnan(got) & np.isnan(value)),
        )
    if not same.all() and item is not None:  # algorithms differ, with the same mistake as well
        same |= accepted(name, got, value, case, direction, observation.arithmetic)
        if freedom(case.operator, direction) > Freedom.NONE and not all_finite(case.arrays.values()):
            same |= ~np.isfinite(got)  # where a mistake puts padding, only the variant knows
    if case.operator in MOVED[direction]:
        same &= (value != 0) | (np.signbit(got) == np.signbit(value))
    if item is not None:
        with np.errstate(all="ignore"):
            errors = abs(got - item.value)
            same &= ~((errors > item.bound.limit) & (beyond > _CLOSER * errors))
    if variant.unwritten:
        same |= np.isnan(value) & (True if item is None else ~np.isnan(item.value))
    return bool(same.all())


def _item(name: str, shape: tuple[int, ...], observation: Observation) -> Expected | None:
    """Return what a result should be, if it should have that shape."""
    expected = observation.expected
    item = None if isinstance(expected, Refused) else expected.get(name)
    return item if item is not None and item.value.shape == shape else None


def _margin(item: Expected | None, value: Array, arithmetic: Arithmetic) -> Array | float:
    """Return by how much a result may differ from the variant's: the case's bound, and a few roundings of its own."""
    own = _ROUNDINGS * _unit(arithmetic) * float(np.max(abs(value), initial=0.0, where=np.isfinite(value)))
    return own if item is None else np.nan_to_num(item.bound.limit, nan=0.0) + own


def _unit(arithmetic: Arithmetic) -> float:
    return max(arithmetic.product, arithmetic.accumulation, arithmetic.storage)
