"""What windows that move along axes are like: kernels, strides, dilations, paddings, and how many there are.

A value has an entry for each axis. Whether it is the same along all of them matters most, since whoever swaps two axes
is found by nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from numpy.random import Generator

from properties.case import Case
from properties.models.feature import (
    Choices,
    Class,
    Feature,
    Row,
    bounds_of,
    exactly,
    number_in,
    one_of,
    picked,
    uncounted,
)

DIFFERING = "differing"
"""The class of what isn't the same along all axes."""
RANK = one_of("rank", lambda case: rank_of(case), 2, 1, 3)
"""The number of spatial axes: two are the commonest."""
_LARGE = {1: (5, 7, 9, 11, 31), 2: (5, 5, 7, 9, 11), 3: (5, 5, 7)}
"""Kernels that are larger than the commonest."""
_MOST = {1: 6, 2: 5, 3: 3}  # that a kernel that differs by axis has


def rank_of(case: Case) -> int:
    """Return the number of spatial axes of the input."""
    first = case.inputs[0]
    assert first is not None
    return first.ndim - 2


def entries(case: Case, name: str) -> tuple[Any, ...]:
    """Return an attribute with an entry for each axis."""
    value = case.attributes[name]
    return tuple(value) if isinstance(value, tuple | list) else (value,) * rank_of(case)


def alike(name: str, *values: int, least: float | None = None) -> Class:
    """Return the class of the same number along each axis, one of `values`."""
    return Class(
        name,
        draw=lambda rng, chosen, row: (picked(rng, values),) * chosen["rank"],
        has=lambda given, chosen: len({*given}) == 1 and values[0] <= given[0] <= values[-1],
        least=values[0] if least is None else least,
        each_axis=True,
    )


def differing(least: int, most: Mapping[int, int], name: str = DIFFERING) -> Class:
    """Return the class of numbers that aren't all the same, up to `most` by rank."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        high = most[chosen["rank"]]
        drawn = [int(number) for number in rng.integers(least, high + 1, chosen["rank"])]
        if len({*drawn}) == 1:
            place = int(rng.integers(len(drawn)))
            drawn[place] = least if drawn[place] != least else least + 1
        return tuple(drawn)

    return Class(name, draw, lambda given, chosen: len({*given}) > 1, least=float(least + 1))


def kernel_feature(read: Callable[[Case], tuple[int, ...]], *, even: tuple[int, ...] = (2, 4)) -> Feature:
    """Return the feature of a kernel's sizes, the commonest first."""
    classes = (
        alike("3", 3),
        alike("1", 1),
        Class(
            "even",
            draw=lambda rng, chosen, row: (picked(rng, even),) * chosen["rank"],
            has=lambda given, chosen: len({*given}) == 1 and given[0] % 2 == 0,
            least=2,
            each_axis=True,
        ),
        Class(
            "5-",
            draw=lambda rng, chosen, row: (picked(rng, _LARGE[chosen["rank"]]),) * chosen["rank"],
            has=lambda given, chosen: len({*given}) == 1 and given[0] >= 5 and given[0] % 2 == 1,
            least=5,
            each_axis=True,
        ),
        differing(1, _MOST),
    )
    return Feature("kernel", classes, read)


def stride_feature(read: Callable[[Case], tuple[int, ...]]) -> Feature:
    """Return the feature of the strides."""
    large = alike("3-", 3, 4, 5, 6)
    large = replace(large, has=lambda given, chosen: len({*given}) == 1 and given[0] >= 3)
    return Feature("stride", (alike("1", 1), alike("2", 2), large, differing(1, {2: 4, 3: 3})), read)


def dilation_feature(read: Callable[[Case], tuple[int, ...]]) -> Feature:
    """Return the feature of the dilations, those of atrous pyramids (6, 12, 18) among them."""
    far = replace(
        alike("4-", 4),
        draw=lambda rng, chosen, row: (picked(rng, (4, 6, 12, 18)[: 5 - chosen["rank"]]),) * chosen["rank"],
        has=lambda given, chosen: len({*given}) == 1 and given[0] >= 4,
    )
    return Feature("dilation", (alike("1", 1), alike("2-3", 2, 3), far, differing(1, {2: 4, 3: 3})), read)


def extents(chosen: Choices) -> tuple[int, ...]:
    """Return the positions that a window spans along each axis."""
    kernel = chosen["kernel"]
    dilation = chosen.get("dilation") or (1,) * len(kernel)
    return tuple(apart * (taps - 1) + 1 for taps, apart in zip(kernel, dilation, strict=True))


def lengths(rng: Generator, total: int, rank: int, low: int = 1) -> tuple[int, ...]:
    """Return the lengths of `rank` axes with about `total` positions, from `low` to `total`, some longer."""
    for _ in range(20):
        left, drawn = total, []
        for axis in range(rank - 1, 0, -1):
            even = left ** (1 / (axis + 1))
            drawn.append(min(left, max(1, round(even * 2 ** rng.uniform(-0.7, 0.7)))))
            left = max(left // drawn[-1], 1)
        rest = prod(drawn)
        left = max(total // rest, 1)
        left += rest * left < low
        if low <= rest * left <= total:
            return (left, *reversed(drawn))
    return (*(1,) * (rank - 1), total)


def positions_feature(read: Callable[[Case], tuple[int, ...]], *ranges: str, name: str = "positions") -> Feature:
    """Return the feature of how many positions there are, all axes together; the value is the length of each."""
    return Feature(name, tuple(_plane(known, *bounds_of(known)) for known in ranges), read)


def _plane(name: str, low: int, high: int) -> Class:
    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        return lengths(rng, number_in(rng, low, high), chosen["rank"], low)

    return Class(
        name,
        draw,
        lambda given, chosen: low <= prod(given) <= high,
        least=low,
        up_to=lambda most: _plane(name, low, max(low + low // 4, min(high, most))),
    )


def slack_feature(read: Callable[[Case], tuple[int, ...]]) -> Feature:
    """Return the feature of the positions beyond the last window, fewer than a stride."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        return tuple(int(rng.integers(step)) for step in chosen["stride"])

    return uncounted("slack", draw, read)


IN_FULL = uncounted("in full", lambda rng, chosen, row: bool(rng.integers(2)), lambda case: _in_full(case))
"""Whether attributes have an entry for each axis, though one would do."""


def _in_full(case: Case) -> bool:
    names = ("stride", "kernel_size", "padding", "dilation", "output_size", "size", "scale_factor")
    return any(isinstance(case.attributes.get(name), tuple | list) for name in names)


NONE = exactly(None, "none")
