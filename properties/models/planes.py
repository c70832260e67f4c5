"""What operators that resample have in common: an input of batch, channels and positions, and what it holds."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.case import Case, array
from properties.models import memory, windows
from properties.models.feature import ELEMENT, Class, Contents, Feature, Row, bounds_of, sizes
from refconv.arguments import Array

PLANES = ("17-256", "1", "2-16", "257-1024", "1025-70000")
FEWER_PLANES = ("17-256", "1", "2-16", "257-70000")
"""Classes of the number of positions, for `positions`."""
BATCH = sizes("batch", lambda case: len(array(case, "input")), "1", "2-8", "9-1024")
CHANNELS = sizes("channels", lambda case: array(case, "input").shape[1], "1", "2-8", "9-33", "34-2048")
ELEMENTS = (ELEMENT, ("batch", "channels", "positions"))
"""What each element of the input costs."""


def sizes_before(case: Case) -> tuple[int, ...]:
    """Return the sizes of the axes of the input."""
    return array(case, "input").shape[2:]


def is_axes(given: object) -> bool:
    """Whether a value has an entry for each axis, as those of features do: domains may ask for others."""
    return isinstance(given, tuple)


def positions(*ranges: str, least: Callable[[Row], tuple[int, int]] = lambda row: (1, 1)) -> Feature:
    """Return the feature of the input's sizes; each axis, and the longest, have so many positions at `least`."""
    plain = windows.positions_feature(sizes_before, *ranges)
    return replace(plain, classes=tuple(_roomy(known, bounds_of(known.name)[1], least) for known in plain.classes))


def _roomy(known: Class, most: int, least: Callable[[Row], tuple[int, int]]) -> Class:
    low, high = bounds_of(known.name)

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        shape: tuple[int, ...] = known.draw(rng, chosen, row)
        if low <= 49 <= most and rng.random() < 0.3:  # what most networks pool as a whole
            shape = {1: (49,), 2: (7, 7), 3: (1, 7, 7)}[chosen["rank"]]
        each, longest = least(row)
        *others, last = (max(length, each) for length in shape)
        last = last if max([*others, last]) >= longest else longest
        if prod(others) * last > high:
            others = [each] * len(others)
            last = max(each, longest, -(-low // prod(others)))
        return (*others, last)

    def up_to(fewer: int) -> Class:
        assert known.up_to is not None
        narrower = _roomy(known.up_to(fewer), fewer, least)
        return narrower if fewer < most else replace(narrower, up_to=None)  # there is no way to have fewer

    return replace(known, draw=draw, up_to=up_to)


def signal_of(contents: Contents, shape: tuple[int, ...], terms: int = 1) -> Array:
    """Return an input; where it is for maxima, each channel has a NaN, or the first one holds nothing but -inf."""
    rng, _, kind = contents
    if kind not in ("nan", "-inf"):
        return memory.filled(contents, shape, terms)
    signal = memory.filled(numbers_alone(contents), shape, terms)
    if kind == "-inf":
        signal[:, 0] = -np.inf
        return signal
    *others, width = shape[2:]
    tail = width % 8 if width > 8 and rng.random() < 0.5 else width  # beyond the last whole vector
    column = width - 1 - int(rng.integers(max(tail, 1)))
    place: Any = ..., *(int(rng.integers(length)) for length in others), column
    signal[place] = np.nan
    return signal


def numbers_alone(contents: Contents) -> Contents:
    """Return what other arrays are filled with beside special values: numbers."""
    return contents._replace(kind="normal") if contents.kind in ("nan", "-inf") else contents
