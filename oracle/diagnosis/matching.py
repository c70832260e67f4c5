"""Which mistake explains all that was observed of an implementation, its failures and what it got right."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from oracle.contract import Results, arguments_of, results_of
from oracle.diagnosis.catalogue import CATALOGUE
from oracle.diagnosis.precision import precision_of
from oracle.diagnosis.symptoms import NAMES
from oracle.diagnosis.variant import Variant
from oracle.judging.judge import Observation, Refused, verdict
from oracle.judging.specials import Freedom, accepted, freedom
from oracle.judging.values import MOVED
from properties.case import all_finite, doubled
from refconv import Arithmetic
from refconv.arguments import Array

_ROUNDINGS = 64.0
"""Units in the last place of the largest element by which a variant may differ, beyond the case's bound."""


class Diagnosis(NamedTuple):
    """What is probably wrong."""

    name: str
    cause: str  # the usual one, in a sentence
    thread: str | None = None  # where a released library has had it


def diagnose(observations: Sequence[Observation], reason: str) -> Diagnosis | None:
    """Name the mistake that explains all `observations` of one operator in one direction, the first of which failed.

    Either the `reason` says it, or one of the catalogue's variants gives the same results on all of them, or all are
    right by a coarser arithmetic. None where nothing fits.
    """
    symptom = named(reason)
    if symptom is not None or not any(map(_failed, observations)):
        return symptom
    variant = next(fitting(observations), None)
    precision = precision_of(observations)
    if variant is None:
        return precision and Diagnosis(*precision)
    causes = [variant.cause] if precision is None else [precision[1], variant.cause]
    return Diagnosis(variant.name, " ".join(causes), variant.thread)


def named(reason: str) -> Diagnosis | None:
    """Return the mistake that a verdict's reason says by itself."""
    if reason.startswith("raised"):  # which quotes the implementation
        return None
    return next((Diagnosis(*known) for words, known in NAMES.items() if words in reason), None)


def fitting(observations: Sequence[Observation]) -> Iterator[Variant]:
    """Yield the variants that reproduce all `observations`; last those that leave elements open, which fit easily."""
    case, direction = observations[0][:2]
    for variant in sorted(CATALOGUE, key=lambda variant: variant.unwritten):
        here = (variant.operator, variant.direction) == (case.operator, direction) and not variant.symptom
        if here and _explains(variant, observations):
            yield variant


def _explains(variant: Variant, observations: Sequence[Observation]) -> bool:
    """Whether `variant` does the same in all `observations`, and in one that failed, not only as far as it goes."""
    seen = False
    for observation in observations:
        same = _reproduces(variant, observation)
        if not (same or _gives_up(variant, observation)):
            return False
        seen = seen or (same and _failed(observation))
    return seen


def _failed(observation: Observation) -> bool:
    return verdict(observation).unknown_failure


def _gives_up(variant: Variant, observation: Observation) -> bool:
    """Whether the implementation has raised where the mistake gives a result of another shape."""
    if observation.outcome.status != "raised" or isinstance(observation.expected, Refused):
        return False
    arguments = arguments_of(observation.case, observation.direction)
    with np.errstate(all="ignore"):
        returned = variant.implementation()(*map(doubled, arguments.values()), **observation.case.attributes)
    results = results_of(returned, observation.case, observation.direction)
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
    arguments = arguments_of(observation.case, observation.direction)
    for cast in (doubled, lambda array: array):
        try:
            with np.errstate(all="ignore"):
                returned = variant.implementation()(*map(cast, arguments.values()), **observation.case.attributes)
            results = results_of(returned, observation.case, observation.direction)
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
    finite = np.isfinite(value)
    with np.errstate(all="ignore"):
        near = abs(got - value) <= _margin(name, value, finite, observation)
        same = np.where(finite, near, (got == value) | (np.isnan(got) & np.isnan(value)))
    case, direction = observation.case, observation.direction
    if not same.all() and _shape(name, observation) == value.shape:  # algorithms differ, with the same mistake as well
        same |= accepted(name, got, value, case, direction, observation.arithmetic)
        if freedom(case.operator, direction) > Freedom.NONE and not all_finite(case.arrays.values()):
            same |= ~np.isfinite(got)  # where a mistake puts padding, only the variant knows
    if case.operator in MOVED[direction]:
        same &= (value != 0) | (np.signbit(got) == np.signbit(value))
    if variant.unwritten:
        same |= np.isnan(value) & ~_is_nan(name, observation)
    return bool(same.all())


def _shape(name: str, observation: Observation) -> tuple[int, ...] | None:
    """Return the shape that a result should have."""
    expected = observation.expected
    item = None if isinstance(expected, Refused) else expected.get(name)
    return None if item is None else item.value.shape


def _is_nan(name: str, observation: Observation) -> Array | bool:
    """Return where a result is NaN, and rightly so."""
    expected = observation.expected
    item = None if isinstance(expected, Refused) else expected.get(name)
    return item is not None and np.isnan(item.value)


def _margin(name: str, value: Array, finite: Array, observation: Observation) -> Array | float:
    """Return by how much a result may differ from the variant's: the case's bound, and a few roundings of its own."""
    expected, arithmetic = observation.expected, observation.arithmetic
    largest = float(np.max(abs(value), initial=0.0, where=finite))
    own = _ROUNDINGS * _unit(arithmetic) * largest
    item = None if isinstance(expected, Refused) else expected.get(name)
    if item is None or item.value.shape != value.shape:
        return own
    return np.nan_to_num(item.bound.limit, nan=0.0) + own


def _unit(arithmetic: Arithmetic) -> float:
    return max(arithmetic.product, arithmetic.accumulation, arithmetic.storage)
