"""Where taps and windows are once a signal is laid out as one long row: see :mod:`refconv.flat`.

All of it follows from sizes alone.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np

from refconv.arguments import Array
from refconv.geometry import Triple, Window, lifted


class Axis(NamedTuple):
    """Windows along an axis: tap t of window o reads the signal at ``o * stride + offsets[t]``."""

    windows: int
    stride: int
    offsets: tuple[int, ...]


Phase: TypeAlias = tuple[int, Axis, list[int]]
"""Positions a stride apart along an axis: the first, the windows that end up there, and their taps."""


class Layout(NamedTuple):
    """How the signal is laid out for a box of windows, (batch, depth, height, width).

    A channel has a plane for each of `firsts`, one after the other, of `lengths` positions for each image, and `size`
    elements in all. `bases` has where each tap begins, `starts` where each vector of windows does, and `slots` where
    each row of windows does among these vectors.
    """

    box: tuple[int, ...]
    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    firsts: tuple[Array, ...]
    bases: Array
    size: int
    starts: Array
    slots: Array


def three(entries: tuple[int, ...]) -> Triple:
    """Put 1 in front of the entries until there are three."""
    depth, height, width = lifted((1, 1, *entries))[2:]
    return depth, height, width


def forward(size: tuple[int, ...], window: Window) -> list[Axis]:
    """Return the windows of a correlation whose result is of spatial `size`."""
    return [
        Axis(count, stride, tuple(tap * dilation - before for tap in range(kernel)))
        for count, kernel, stride, before, dilation in _per_axis(size, window)
    ]


def phases(size: tuple[int, ...], window: Window) -> list[list[Phase]]:
    """Return, for each axis, the phases of a signal of spatial `size` that any tap reaches."""
    return [list(_phases_of_axis(*axis)) for axis in _per_axis(size, window)]


def united(found: Sequence[Sequence[Phase]], window: Window) -> tuple[list[Axis], list[tuple[int, ...]], Array]:
    """Return windows that see the taps of all phases, where the phases begin, and the taps that each sees.

    For a tap that a phase lacks, the number is that of one more.
    """
    axes = []
    for along in found:
        offsets = {offset for _, axis, _ in along for offset in axis.offsets}
        axes.append(Axis(max(axis.windows for _, axis, _ in along), 1, tuple(sorted(offsets))))
    places = list(product(*([first for first, _, _ in along] for along in found)))
    numbers = np.full((len(places), *(len(axis.offsets) for axis in axes)), math.prod(window.kernel))
    for index, phase in enumerate(product(*found)):
        where = [[axis.offsets.index(o) for o in own.offsets] for axis, (_, own, _) in zip(axes, phase, strict=True)]
        numbers[index][np.ix_(*where)] = tap_numbers([chosen for _, _, chosen in phase], window)
    return axes, places, numbers.reshape(len(places), -1)


def tap_numbers(chosen: Sequence[Sequence[int]], window: Window) -> Array:
    """Return the numbers of the taps that are chosen on each axis."""
    _, KH, KW = three(window.kernel)
    d, h, w = (np.array(taps) for taps in chosen)
    numbers: Array = (d[:, None, None] * KH + h[:, None]) * KW + w
    return numbers


def are_positions(axes: Sequence[Axis], size: tuple[int, ...]) -> bool:
    """Tell whether the windows are the positions of a signal of spatial `size`, so that its axes may be one."""
    return list(axes) == [Axis(length, 1, (0,)) for length in three(size)]


@lru_cache(128)
def lay_out(
    counts: tuple[int, ...], axes: tuple[Axis, ...], slots: int, columns: int, channels: int, width: int, most: int
) -> Layout:
    """Return the layout of boxes of the windows, of which there are `counts`.

    A box has up to `slots` of them, in a multiple of `columns` vectors of `width` elements; of so many channels, at
    most so many elements are laid out, unless those of a single window are more.
    """
    box: list[int] = []
    for count in reversed(counts):
        parts = -(-count // max(1, slots // math.prod(box)))
        box.insert(0, -(-count // parts))
    batch, *windows = box
    firsts, lengths, places = zip(*map(_laid_out, axes, windows), strict=True)
    planes, (D, H, W) = [len(each) for each in firsts], lengths
    volume = batch * D * H * W
    bases = [
        ((plane_d * planes[1] + plane_h) * planes[2] + plane_w) * volume + (d * H + h) * W + w
        for (plane_d, d), (plane_h, h), (plane_w, w) in product(*places)
    ]
    size = -(-math.prod(planes) * volume // width) * width
    if channels * size > most and slots > 1:
        return lay_out(counts, axes, slots // 2, columns, channels, width, most)
    starts, rows = _vectors(box, (batch, D, H, W), width, columns)
    strides = tuple(axis.stride for axis in axes)
    return Layout(tuple(box), lengths, strides, tuple(map(np.array, firsts)), np.array(bases), size, starts, rows)


def _per_axis(size: tuple[int, ...], window: Window) -> Iterator[tuple[int, int, int, int, int]]:
    """Give size, kernel size, stride, padding before and dilation of each of three axes."""
    return zip(three(size), three(window.kernel), *window.loop_form(), strict=True)


def _phases_of_axis(size: int, kernel: int, stride: int, before: int, dilation: int) -> Iterator[Phase]:
    for first in range(min(stride, size)):
        chosen = [tap for tap in range(kernel) if (first + before - tap * dilation) % stride == 0]
        offsets = tuple((first + before - tap * dilation) // stride for tap in chosen)
        if chosen:
            yield first, Axis(-(-(size - first) // stride), 1, offsets), chosen


def _laid_out(axis: Axis, windows: int) -> tuple[tuple[int, ...], int, list[tuple[int, int]]]:
    """Return what an axis is laid out as, for so many windows from the first on.

    That is: the first position of each plane, whose others follow by the stride; the length of the planes; and plane
    and index of each tap in the first window.
    """
    if len(axis.offsets) == 1:
        return axis.offsets, windows, [(0, 0)]
    least = min(axis.offsets)
    places = [divmod(offset - least, axis.stride)[::-1] for offset in axis.offsets]
    found = sorted({phase for phase, _ in places})
    length = windows + max(shift for _, shift in places)
    if len(found) * length <= len(places) * windows:
        firsts = tuple(least + phase for phase in found)
        return firsts, length, [(found.index(phase), shift) for phase, shift in places]
    return axis.offsets, windows, [(tap, 0) for tap in range(len(places))]


def _vectors(box: list[int], laid_out: tuple[int, int, int, int], width: int, columns: int) -> tuple[Array, Array]:
    """Cut a box into vectors, from rows, planes, volumes or all of it, with the junk between: as few as can be."""
    n, d, h, w = box
    _, D, H, W = laid_out
    lengths = [w, (h - 1) * W + w]
    lengths += [(d - 1) * H * W + lengths[1], ((n - 1) * D + d - 1) * H * W + lengths[1]]
    numbers = [n * d * h, n * d, n, 1]
    vectors, runs = min((number * -(-length // width), number) for number, length in zip(numbers, lengths, strict=True))
    rows = (np.arange(n)[:, None, None] * D + np.arange(d)[:, None]) * H + np.arange(h)
    within = rows.reshape(runs, -1) * W
    begins = within[:, :1]
    starts = np.zeros(-(-vectors // columns) * columns, np.int64)
    starts[:vectors] = (begins + np.arange(0, vectors // runs * width, width)).ravel()
    slots = within - begins + np.arange(0, vectors * width, vectors // runs * width)[:, None]
    return starts, slots.ravel()
