"""In how many bits an implementation worked, read off its errors."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from oracle.judging.judge import Observation, Refused, expectation, verdict
from oracle.judging.values import Expected, right_elements
from refconv import ARITHMETICS, Arithmetic
from refconv.arguments import Array

PRODUCTS = {
    "conv",
    "conv_transpose",
    "locally_connected",
    "linear",
    "graph_conv",
    "non_local",
    "capsule_routing",
}
"""What computes products of two arrays, which may be rounded to a smaller format first."""
_NEAR = 3  # bits that errors may speak for, more or less than products were rounded to
_FORMATS = (("bfloat16", 6, 8), ("float16", 9, 11))
"""Formats, the fewest bits that tell of them, and those that they have."""
_SEVERAL = 3  # elements
_PLACES = {np.dtype(np.float32): (np.uint32, 24), np.dtype(np.float64): (np.uint64, 53)}
"""The integers in which the formats' bits can be read, and the bits of their significands."""


def worked_bits(observations: Sequence[Observation]) -> int:
    """Return in how many significand bits products were made, by the errors of the cases that aren't exact.

    An error is measured in units of what rounding each product and the result would leave, by the median of the cases:
    some are out of a smaller format's range.
    """
    arithmetic = observations[0].arithmetic
    unit = max(arithmetic.product, arithmetic.storage)
    rounded_once = arithmetic._replace(product=unit, accumulation=unit * 2.0**-20, storage=unit)
    worst = [judged.worst for judged in map(verdict, _by(rounded_once, observations)) if not judged.exact]
    return round(-math.log2(unit) - math.log2(max(statistics.median(worst), 2.0**-60))) if worst else 0


def _by(arithmetic: Arithmetic, observations: Iterable[Observation]) -> Iterator[Observation]:
    """Yield `observations` beside what `arithmetic` promises."""
    for observation in observations:
        expected = expectation(observation.case, observation.direction, arithmetic)
        yield observation._replace(expected=expected, arithmetic=arithmetic)


def stored_bits(arrays: Iterable[Array]) -> int:
    """Return how many significand bits the elements use: fewer than their dtype has, if they were stored in less."""
    used = 0
    for array in arrays:
        if array.dtype not in _PLACES:
            return 0
        unsigned, bits = _PLACES[array.dtype]
        finite = np.ascontiguousarray(array[np.isfinite(array) & (array != 0)])
        if finite.size:
            significand = finite.view(unsigned) & unsigned(2 ** (bits - 1) - 1) | unsigned(2 ** (bits - 1))
            lowest = significand & (~significand + unsigned(1))
            used = max(used, bits - int(np.log2(lowest.min().astype(np.float64))))
    return used


def kept_in(failed: Sequence[Observation]) -> tuple[str, str] | None:
    """Return the name and cause of sums or results that are kept in a smaller format, if that is what failed.

    All elements that are wrong have no more bits than that format, use them, and are as far off as its sums may be, or
    not finite where these may leave its range.
    """
    arithmetic = failed[0].arithmetic
    if any(isinstance(each.expected, Refused) or each.outcome.status != "returned" for each in failed):
        return None
    wrong = [list(_wrong_elements(observation)) for observation in failed]
    used = stored_bits(got[elements] for each in wrong for _, got, elements in each)
    known = next((known for known in _FORMATS if known[1] <= used <= known[2] < arithmetic.bits), None)
    if known is None or sum(int(elements.sum()) for each in wrong for *_, elements in each) < _SEVERAL:
        return None
    coarser = ARITHMETICS[f"{known[0]}-accumulated"]
    for observation, found in zip(failed, wrong, strict=True):
        expected = expectation(observation.case, observation.direction, coarser)
        assert not isinstance(expected, Refused)
        if not all(_is_off_by(coarser, expected[name], got, elements) for name, got, elements in found):
            return None
    return f"sums kept in {known[0]}", f"What is wrong has {used} bits: an accumulator or the result is {known[0]}."


def _wrong_elements(observation: Observation) -> Iterator[tuple[str, Array, Array]]:
    """Yield the results that are wrong, by name, and which of their elements are."""
    assert not isinstance(observation.expected, Refused)
    for name, item in observation.expected.items():
        got = observation.outcome.results.get(name)
        if item is not None and got is not None and got.shape == item.value.shape and got.dtype in _PLACES:
            yield name, got, ~right_elements(name, got, item, *observation[:2], observation.arithmetic)


def _is_off_by(coarser: Arithmetic, item: Expected | None, got: Array, elements: Array) -> bool:
    """Whether elements are off by no more than sums in a coarser arithmetic, whose range they may leave."""
    if item is None:
        return False
    with np.errstate(all="ignore"):
        errors, most = abs(got - item.value)[elements], 2 * item.bound.rigorous[elements]
        reached = most / coarser.accumulation  # by sums, at most
    return bool(((errors <= most) | (~np.isfinite(got[elements]) & ~(reached <= coarser.largest))).all())


def precision_of(observations: Sequence[Observation]) -> tuple[str, str] | None:
    """Return the name and cause of a lack of precision, if that is all that is wrong with what was observed.

    That is so if there is a coarser arithmetic by which every observation is right, those on integers, which are exact
    in it, too. Products in 11 bits whose sums aren't rounded so are TF32's; rounded, they are float16's.
    """
    arithmetic = observations[0].arithmetic
    if observations[0].case.operator not in PRODUCTS:
        return None
    if any(isinstance(observation.expected, Refused) for observation in observations):
        return None
    coarser = next((known for known in _coarser_than(arithmetic) if _right_by(known, observations)), None)
    if coarser is None:
        return None
    worked = worked_bits(observations)
    failed = (observation for observation in observations if verdict(observation).unknown_failure)
    stored = stored_bits(got[elements] for each in failed for _, got, elements in _wrong_elements(each))
    format_ = _format(coarser, worked, stored)
    bits = 8 if format_.startswith("bfloat16") else 11
    if not bits - _NEAR <= worked <= min(bits + _NEAR, arithmetic.bits - 1):
        return None
    found = f"{observations[0].case.dtype}, but {worked} bits: {format_}?"
    return f"computed in {format_}", f"{found} Products are right to about that, and results use {stored} bits."


def _format(coarser: Arithmetic, worked: int, stored: int) -> str:
    """Return what works in so many bits, and stores so many."""
    if not 0 < stored <= 11:
        return "TF32" if worked >= 10 else "bfloat16 with results in float32"
    sums = " with sums in the same" if coarser.accumulation >= coarser.storage else ""
    return f"{'bfloat16' if stored <= 8 else 'float16'}{sums}"


def _coarser_than(arithmetic: Arithmetic) -> list[Arithmetic]:
    """Return the named arithmetics that are less accurate than `arithmetic`, the most accurate first."""
    formats = [known for known in ARITHMETICS.values() if not (known.normwise or known.split or known.truncates)]
    return sorted((known for known in formats if _coarseness(known) > _coarseness(arithmetic)), key=_coarseness)


def _coarseness(arithmetic: Arithmetic) -> tuple[float, float, float]:
    return max(arithmetic.product, arithmetic.storage), arithmetic.accumulation, arithmetic.storage


def _right_by(arithmetic: Arithmetic, observations: Iterable[Observation]) -> bool:
    return not any(verdict(observation).status == "failed" for observation in _by(arithmetic, observations))
