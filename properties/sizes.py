"""Sizes at which implementations change their ways, and how often cases have them.

Vectors and tiles end at multiples of 8, 16 and 32: what is one shorter or longer goes through code of its own. Indices
of 16 bits end at 65,536. A case has at most one such size, and is small otherwise.
"""

from typing import NamedTuple

import hypothesis.strategies as st

from properties.tables import picked

BATCHES = (1, 2, 3) * 3 + (0,) + (1, 2, 3) * 2  # the ends of a range are drawn more often
TILES = (7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33)
DEPTHS = (24, 23, 24, 25, 24, 24)  # of a depthwise convolution: there is a bug at 24 alone
MANY = 2**16 + 1  # in a batch of single elements

_SIZES = {"depthwise": DEPTHS, "batch": (MANY,)}


class Focus(NamedTuple):
    """Which size of a case is out of the ordinary, and what it is; nothing if `what` is empty."""

    what: str = ""
    size: int = 0


NO_FOCUS = Focus()


def focuses(**percent: int) -> st.SearchStrategy[Focus]:
    """Draw a focus by name, each in so many percent of cases; it shrinks towards none."""
    rest = 100 - sum(percent.values())
    drawn = [
        Focus(what, size) for what, share in percent.items() for size in _spread(_SIZES.get(what, TILES), 12 * share)
    ]
    table = (*[NO_FOCUS] * (6 * rest), *drawn, *[NO_FOCUS] * (6 * rest))
    return picked(table)


def focused(shape: tuple[int, ...], focus: Focus) -> tuple[int, ...]:
    """Return a shape (batch, channels, *spatial) with the size in focus, and small otherwise."""
    what, size = focus
    batch, *others = shape
    if what == "batch":
        return (size, *(1 for _ in others[:2]))
    if what == "channels" and others:
        return (min(batch, 1), size, *others[-1:][: len(others) - 1])
    if what == "columns" and others:
        return (min(batch, 1), *(min(length, 2) for length in others[:-1]), size)
    return shape


def _spread(sizes: tuple[int, ...], count: int) -> list[int]:
    return [sizes[number % len(sizes)] for number in range(count)]
