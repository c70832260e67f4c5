"""How the work of the fast path is cut: into boxes of windows, blocks of sums, and units that threads take.

All of it follows from sizes and the number of threads. It is remembered, since finding it takes as long as a small
correlation. Nothing here changes a bit of the result but the layout of windows that are summed, which is the same
whatever the number of threads.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np

from refconv import tiles
from refconv.arguments import Array
from refconv.geometry import Triple, Window, lifted
from refconv.layout import Axis, Layout, are_positions, forward, lay_out, phases, tap_numbers, three, united
from refconv.threads import workers_for

FEW = 4  # outputs of a group: with fewer, the narrow tile is faster
TOGETHER = 192  # pairs of channel and tap in a block: a tile's vectors of them fit the first-level cache
SLOTS, MANY_SLOTS = 512, 1024  # windows of a box, for wide tiles and narrow ones
SUMS = 65_536  # sums that a thread holds: they fit the second-level cache
ROW_BYTES = 4096  # of a row of windows that are summed: eight of them fit the first-level cache
BUNCH = 8192  # sums of small groups in a unit
LAID_OUT = 4_194_304  # elements that a thread lays out at once, unless those of a single window are more
COPIES = 3  # times the elements of both arrays that all threads lay out, unless those of a single window are more
GRADIENTS = 512  # pairs of channel and tap, and
OUTPUTS = 128  # outputs, whose gradients of the weight a thread takes at once

Shape: TypeAlias = tuple[int, ...]
_WHOLE = Axis(1, 1, (0,))


class Cut(NamedTuple):
    """What is computed, and how much of it at once.

    There are `counts` of windows, (batch, depth, height, width), of a signal of `signal_shape`; the array of
    `windows_shape` has an element for each of them. Of `groups`, each of `outputs` and `channels`, a unit is a `bunch`:
    more than one where they are small, so that what is stored has left the processor's buffers when it is read. Of each
    group, a unit is a `part` of the outputs.

    Sums over channels and taps are found for a `block` of outputs at once, `together` channels after another; sums over
    windows for `together` channels, a `block` of pairs of channel and tap after another.

    The first `room` elements of a thread's scratch are for what is laid out. `bases` has where pairs of channel and tap
    begin there; `wide` is the shape of the tiles.
    """

    counts: Shape
    signal_shape: Shape
    windows_shape: Shape
    groups: int
    bunch: int
    outputs: int
    channels: int
    together: int
    part: int
    block: int
    wide: bool
    room: int
    bases: Array


class Weights(NamedTuple):
    """Where weights are: of output o and the k-th pair of channel and tap of a block, at ``o * step + at[k]``.

    From one channel to the next it is `channel_step`, from a group to the next `group_size`. If `panel` isn't 0, those
    of a block are copied to so many elements, a tile's outputs side by side: pair k begins at ``in_panel[k]``.
    """

    group_size: int
    step: int
    channel_step: int
    at: Array
    panel: int = 0
    in_panel: Array = np.arange(0)


class Places(NamedTuple):
    """Where results go: of an output of a phase, window i goes to ``firsts[phase] + i * steps``.

    There are `outputs` of each phase, one phase after the other.
    """

    firsts: Array
    steps: Triple
    outputs: int


class Load(NamedTuple):
    """What the work takes: its units, the nanoseconds of a single thread, what each holds, and how many it is for."""

    units: int
    nanoseconds: int
    held: int
    workers: int


class Sums(NamedTuple):
    """A sweep that sums over channels and taps."""

    cut: Cut
    layout: Layout
    weights: Weights
    places: Places
    load: Load


class Transposed(NamedTuple):
    """The sweeps of a transposed correlation, and whether they reach all of its result.

    If `numbers` isn't None, the outputs of the one sweep are those of all phases, each with the taps of that number.
    """

    sweeps: list[Sums]
    complete: bool
    numbers: Array | None


class Products(NamedTuple):
    """A sweep that sums over windows."""

    cut: Cut
    layout: Layout
    load: Load


def workers(load: Load) -> int:
    """Return how many threads the work is given to."""
    return max(1, min(workers_for(load.units, load.nanoseconds), load.workers))


def filled(outputs: int) -> int:
    """Return how many outputs of a group there are with those that fill up a wide tile."""
    return outputs if outputs < FEW else _up(outputs, tiles.WIDE[0])


@lru_cache(128)
def correlation(
    signal: Shape, weight: Shape, window: Window, groups: int, size: Shape, itemsize: int, threads: int
) -> Sums:
    """Return the sweep of `signal` with `weight`, for a result of spatial `size`."""
    C_out, C, *kernel = weight
    taps = math.prod(kernel)
    group_size = filled(C_out // groups) * C * taps
    weights = Weights(group_size, C * taps, taps, np.arange(taps))
    places = Places(np.zeros((1, 3), np.int64), (1, 1, 1), C_out // groups)
    return _sums(signal, (signal[0], C_out, *size), forward(size, window), groups, weights, places, itemsize, threads)


@lru_cache(128)
def transposed(
    grad: Shape, weight: Shape, window: Window, groups: int, size: Shape, itemsize: int, threads: int
) -> Transposed:
    """Return the sweeps of `grad` with the rotated `weight`, for a result of spatial `size`."""
    C_out, C = weight[0] // groups, weight[1]
    taps = math.prod(window.kernel)
    target = (grad[0], C * groups, *size)
    found = phases(size, window)
    count = math.prod(map(len, found))
    complete = count == math.prod(map(min, size, window.stride))
    steps = three(window.stride)
    if C < FEW and count > 1:
        together, firsts, numbers = united(found, window)
        each = numbers.shape[1]
        weights = Weights(filled(C * count) * C_out * each, C_out * each, each, np.arange(each))
        places = Places(np.array(firsts), steps, C)
        sweep = _sums(grad, target, together, groups, weights, places, itemsize, threads)
        return Transposed([sweep], complete, numbers)
    sweeps = []
    for phase in product(*found):
        first, axes, chosen = zip(*phase, strict=True)
        row = filled(C) * taps
        weights = Weights(C_out * row, taps, row, tap_numbers(chosen, window).ravel())
        places = Places(np.array([first]), steps, C)
        sweeps.append(_sums(grad, target, axes, groups, weights, places, itemsize, threads))
    return Transposed(sweeps, complete, None)


@lru_cache(128)
def products(grad: Shape, signal: Shape, window: Window, groups: int, itemsize: int, threads: int) -> Products:
    """Return the sweep of `signal` with `grad`, whose result has the window's kernel size."""
    elements, width = _elements(grad, signal), tiles.BYTES // itemsize
    signal, grad, axes = _merged(signal, grad, forward(grad[2:], window))
    outputs, channels, taps = grad[1] // groups, signal[1] // groups, math.prod(window.kernel)
    wide = outputs >= FEW
    rows, columns = tiles.WIDE if wide else tiles.NARROW
    counts = (grad[0], *(axis.windows for axis in axes))
    together = min(channels, max(1, GRADIENTS // taps))
    most = min(LAID_OUT, COPIES * elements)
    layout = lay_out(counts, tuple(axes), ROW_BYTES // itemsize, 1, together, width, most)
    steps = -(-channels // together)
    pitch = layout.starts.size * width
    part = min(_part(groups * steps, outputs, rows, threads), OUTPUTS)
    many = not wide and steps == 1 and part >= outputs
    bunch = _bunch(groups, outputs * pitch, channels * layout.size, most, threads) if many else 1
    block = _up(max(1, SUMS // layout.size) * taps, columns)
    bases = np.zeros(_up(together * taps, columns), np.int64)
    bases[: together * taps] = _repeated(layout.bases, together, layout.size)
    room = bunch * together * layout.size + 2 * width
    held = room + bunch * -(-part // rows) * (rows * pitch + max(rows, width) * bases.size)
    units = -(-groups // bunch) * steps * -(-outputs // part)
    nanoseconds = _nanoseconds(math.prod(grad) * channels * taps, wide, elements, itemsize, groups)
    cut = Cut(
        counts=counts,
        signal_shape=signal,
        windows_shape=grad,
        groups=groups,
        bunch=bunch,
        outputs=outputs,
        channels=channels,
        together=together,
        part=part,
        block=block,
        wide=wide,
        room=room,
        bases=bases,
    )
    return Products(cut, layout, Load(units, nanoseconds, held, COPIES * elements // room))


def _sums(
    signal: Shape,
    target: Shape,
    axes: Sequence[Axis],
    groups: int,
    weights: Weights,
    places: Places,
    itemsize: int,
    threads: int,
) -> Sums:
    elements, width = _elements(signal, target), tiles.BYTES // itemsize
    merged = _merged(signal, target, axes)
    signal, target, axes = merged if places.steps == (1, 1, 1) else (lifted(signal), lifted(target), axes)
    outputs, channels, taps = places.outputs * len(places.firsts), signal[1] // groups, weights.at.size
    wide = outputs >= FEW
    rows, columns = tiles.WIDE if wide else tiles.NARROW
    counts = (signal[0], *(axis.windows for axis in axes))
    most = min(LAID_OUT, COPIES * elements)
    slots, columns = (SLOTS, 1) if wide else (MANY_SLOTS, columns)
    layout = lay_out(counts, tuple(axes), slots, columns, channels, width, most)
    pitch = layout.starts.size * width
    bunch = _bunch(groups, outputs * pitch, channels * layout.size, most, threads)
    boxes = math.prod(-(-count // length) for count, length in zip(counts, layout.box, strict=True))
    boxes *= -(-groups // bunch)
    part = _part(boxes, outputs, rows, threads)
    block = max(rows, min(part, SUMS // pitch // rows * rows))
    together = -(-channels // -(-channels * taps // TOGETHER))
    panel = block * together * taps if wide and weights.step == 1 else 0
    room = bunch * channels * layout.size + 2 * width
    nanoseconds = _nanoseconds(math.prod(counts) * groups * outputs * channels * taps, wide, elements, itemsize, groups)
    cut = Cut(
        counts=counts,
        signal_shape=signal,
        windows_shape=target,
        groups=groups,
        bunch=bunch,
        outputs=outputs,
        channels=channels,
        together=together,
        part=part,
        block=block,
        wide=wide,
        room=room,
        bases=_repeated(layout.bases, together, layout.size),
    )
    at = _repeated(weights.at, together, weights.channel_step)
    weights = weights._replace(at=at, panel=panel, in_panel=np.arange(at.size) * rows)
    load = Load(
        boxes * -(-outputs // part), nanoseconds, room + bunch * block * pitch + panel, COPIES * elements // room
    )
    return Sums(cut, layout, weights, places, load)


def _elements(*shapes: Shape) -> int:
    return sum(map(math.prod, shapes))


def _merged(signal: Shape, windows: Shape, axes: Sequence[Axis]) -> tuple[Shape, Shape, Sequence[Axis]]:
    """Lift the shapes to three spatial axes, or make one of them where the windows are the positions."""
    if not are_positions(axes, signal[2:]):
        return lifted(signal), lifted(windows), axes
    length = math.prod(signal[2:])
    return (*signal[:2], 1, 1, length), (*windows[:2], 1, 1, length), (_WHOLE, _WHOLE, Axis(length, 1, (0,)))


def _nanoseconds(number: int, wide: bool, elements: int, itemsize: int, groups: int) -> int:
    """Return about how long a thread takes for such a number of products, of arrays of so many elements.

    With wide tiles it adds 40 products in a nanosecond in float64, 80 in float32. A group counts for a microsecond
    more, with its many short rows.
    """
    return (number * itemsize // 320 if wide else number // 2) + elements // 2 + 1000 * groups


def _bunch(groups: int, sums: int, laid_out: int, most: int, threads: int) -> int:
    """Return how many groups a unit has, of so many sums each: enough for every thread, and not many.

    Nor is more laid out than is allowed, so much for each.
    """
    return max(1, min(BUNCH // sums, groups // (4 * threads), most // laid_out))


def _part(others: int, outputs: int, rows: int, threads: int) -> int:
    """Return how many outputs a unit has, of which there are `others` times as many, so that all threads have some."""
    most = -(-outputs // rows)
    parts = next((n for n in range(1, most) if others * n % threads == 0 or others * n >= 8 * threads), most)
    return -(-most // parts) * rows


def _repeated(entries: Array, channels: int, step: int) -> Array:
    """Return `entries` for each of so many channels, `step` apart."""
    return (np.arange(channels)[:, None] * step + entries).ravel()


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
