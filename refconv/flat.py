"""The fast path of convolution: the three loops of `refconv.correlation` as one, over a flattened signal.

The flat form
-------------
Lay a signal out as one long row `x`. A tap of the kernel is then a constant offset, ``base``, into it, and a window a
position `l`: whatever the rank, and the dilation,

    y[o, l] += w[o, k] * x[base[k] + l]        o counts outputs, k pairs of channel and tap

A 2-D example: the input 1 to 9 in rows of three, a kernel of 2x2. With x = 1 2 3 4 5 6 7 8 9 and base = 0, 1, 3, 4,
the windows are l = 0, 1, 3 and 4. The sums for l = 2, a window that would begin at the end of a row, are junk: they are
computed, since a gap would cost more, and dropped.

A padded signal is laid out with its zeros. A stride splits it into phases, so that what neighbouring windows read are
neighbours: the input 1 2 3 4 with a padding of 1 and a stride of 2 is laid out as x = 0 2 4 | 1 3 0, and a kernel of
two taps has base = 0, 3. Where so much lies between the taps that more junk than signal would be laid out (a large
dilation), each tap gets a copy of its own.

Three uses
----------
- Forward, `correlate`: as above.
- The gradient of the input, `correlate_transposed`: the same with rotated taps and channels swapped, once for each
  phase of the input's positions. Position ``p = i * stride + phase`` gets tap k from the window
  ``(p + before - k * dilation) / stride``, if that is an integer, which depends on the phase alone: it is i plus a
  constant. So no zero between strided windows is ever multiplied. Where a phase has but few outputs (the three colours
  of an image), the phases are outputs of one sweep, whose missing taps have a weight of zero.
- The gradient of the weight, `correlate_signals`: the same loop summed over l, with g zero where l is junk,
  ``gw[o, k] += g[o, l] * x[base[k] + l]``.

How it gets fast
----------------
The windows are cut into boxes, of which a thread lays out one at a time, so that it stays in the cache; a copy of the
whole signal never exists. Vectors of windows times outputs make a tile of sums that stay in registers while k runs
(`refconv.tiles`): a tile of 8 x 3 vectors reads 11 values for 24 multiplications of a vector. For few outputs, as in
depthwise convolution, the tile is a row of 9 vectors. k is taken in blocks that fit the first-level cache, all tiles of
a box for each.

Every sum over k runs in the same order, whatever the boxes; sums over l depend on the boxes, and these on the shapes
alone. So the bits don't depend on the number of threads. What isn't finite is left to the definition: here, infinity
meets the zeros of the padding.

Layouts and phases are functions of sizes alone. They are remembered, since finding them takes as long as a small
correlation; of arrays, nothing is.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import config

from refconv import tiles
from refconv.arguments import Array
from refconv.geometry import Triple, Window, lifted
from refconv.kernels import helper, kernel, summing
from refconv.threads import share, workers_for
from refconv.tiles import add_outer, add_products, add_totals, clear, copy, copy_second, lanes, read, write, zeros

_ROWS, _COLUMNS = tiles.WIDE
_FEW_ROWS, _MANY_COLUMNS = tiles.NARROW
_FEW = 4  # outputs of a group: with fewer, the narrow tile is faster
_TOGETHER = 192  # pairs of channel and tap in a block: a tile's vectors of them fit the first-level cache
_SLOTS, _MANY_SLOTS = 512, 1024  # windows of a box, for wide tiles and narrow ones
_SUMS = 65_536  # sums that a thread holds: they fit the second-level cache
_ROW_BYTES = 4096  # of a row of windows that are summed: eight of them fit the first-level cache
_BUNCH = 8192  # sums of small groups in a unit
_PACKED = 4_194_304  # elements that a thread lays out at once, unless a few windows need more
_GRADIENTS = 512  # pairs of channel and tap, and
_OUTPUTS = 128  # outputs, whose gradients of the weight a thread takes at once


def correlate(signal: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]) -> tuple[Array, bool]:
    """Return the correlation of `signal` with `weight`, of spatial `size`, and whether it is all finite."""
    output = np.empty((signal.shape[0], weight.shape[0], *size), signal.dtype)
    taps = math.prod(window.kernel)
    weights = weight.reshape(groups, -1, weight.shape[1], taps)
    sweep = _Sweep(_forward(size, window), np.arange(taps), _filled(weights, 1), (weights[0, 0].size, taps))
    return output, _swept(output, signal, sweep, groups)


def correlate_transposed(
    grad: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]
) -> tuple[Array, bool]:
    """Return the gradient of `signal` in :func:`correlate`, of spatial `size`, and whether it is all finite."""
    taps = math.prod(window.kernel)
    weights = weight.reshape(groups, -1, weight.shape[1], taps)
    phases = _phases(window, size)
    reached = math.prod(map(len, phases)) == math.prod(map(min, size, window.stride))
    shape = grad.shape[0], weight.shape[1] * groups, *size
    signal = np.empty(shape, grad.dtype) if reached else np.zeros(shape, grad.dtype)
    if weight.shape[1] < _FEW and math.prod(map(len, phases)) > 1:
        return signal, _swept(signal, grad, _all_phases(weights, window, size), groups)
    weights = _filled(weights, 2)
    finite = True
    for phase in product(*phases):
        firsts, axes, chosen = zip(*phase, strict=True)
        sweep = _Sweep(axes, _numbers(chosen, window).ravel(), weights, (taps, weights[0, 0].size))
        finite &= _swept(signal, grad, sweep._replace(places=(firsts,), steps=_three(window.stride)), groups)
    return signal, finite


def correlate_signals(grad: Array, signal: Array, window: Window, groups: int) -> tuple[Array, bool]:
    """Return the gradient of `weight` in :func:`correlate`, and whether it is all finite."""
    weight = np.empty((grad.shape[1], signal.shape[1] // groups, *window.kernel), grad.dtype)
    grad, signal, axes = _merged(grad, signal, _forward(grad.shape[2:], window))
    outputs, channels, taps = len(weight) // groups, weight.shape[1], math.prod(window.kernel)
    wide = outputs >= _FEW
    counts = (len(grad), *(axis.windows for axis in axes))
    together = min(channels, max(1, _GRADIENTS // taps))
    layout = _layout(counts, tuple(axes), _ROW_BYTES // grad.itemsize, 1, together, grad.itemsize, _PACKED)
    steps = -(-channels // together)
    rows, columns = tiles.WIDE if wide else tiles.NARROW
    width = tiles.BYTES // grad.itemsize
    pitch = layout.starts.size * width
    part = min(_part(groups * steps, outputs, rows), _OUTPUTS)
    bunch = _bunch(groups, outputs * pitch) if not wide and steps == 1 and part >= outputs else 1
    units = -(-groups // bunch) * steps * -(-outputs // part)
    block = -(-max(1, _SUMS // layout.size) * taps // columns) * columns
    bases = np.zeros(-(-together * taps // columns) * columns, np.int64)
    bases[: together * taps] = _repeated(layout.bases, together, layout.size)
    room = bunch * together * layout.size + 2 * width
    workers = workers_for(units, _nanoseconds(grad.size * channels * taps, wide, grad, signal))
    held = bunch * -(-part // rows) * (rows * pitch + max(rows, width) * bases.size)
    task = _Products(
        counts,
        lifted(signal.shape),
        lifted(grad.shape),
        groups,
        bunch,
        outputs,
        channels,
        taps,
        together,
        part,
        block,
        wide,
        workers,
        room,
        bases,
    )
    flat = weight.reshape(-1), grad.reshape(-1), signal.reshape(-1)
    share(_sum_products, workers, workers, *flat, _scratch(workers, room + held, grad), task, layout)
    return weight, bool(np.isfinite(weight).all())


class _Axis(NamedTuple):
    """Windows along an axis: tap t of window o reads the signal at ``o * stride + offsets[t]``."""

    windows: int
    stride: int
    offsets: tuple[int, ...]


_Phase: TypeAlias = tuple[int, _Axis, list[int]]


class _Sweep(NamedTuple):
    """What is correlated: windows, taps and weights, and where the outputs go.

    The weight of output o, channel c and tap t of a group is element ``o * strides[0] + c * strides[1] + taps[t]`` of
    ``weights[group]``. Window i of output o goes to ``places[phase] + i * steps``; there are `outputs` of each phase.
    """

    axes: Sequence[_Axis]
    taps: Array
    weights: Array
    strides: tuple[int, int]
    places: Sequence[tuple[int, ...]] = ((0, 0, 0),)
    steps: Triple = (1, 1, 1)


class _Layout(NamedTuple):
    """How the signal is laid out for a box of windows, (batch, depth, height, width).

    A channel has a plane for each of ``firsts``, one after the other, of `lengths` positions for each image, and `size`
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


class _Sums(NamedTuple):
    """The work of `_sweep`: `outputs` and `channels` of a group; `part` outputs are a unit, `block` of them at once.

    Of small groups, a unit is a `bunch`, so that what is stored has left the processor's buffers when it is read.

    `room` is what is laid out, `panel` the weights that are copied, in elements of a worker's scratch.
    """

    counts: tuple[int, ...]
    shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    groups: int
    bunch: int
    outputs: int
    phase_channels: int
    channels: int
    group_size: int
    step: int
    channel_step: int
    together: int
    part: int
    block: int
    wide: bool
    workers: int
    room: int
    panel: int
    bases: Array
    weight_at: Array
    panel_at: Array


class _Products(NamedTuple):
    """The work of `_sum_products`; `part` outputs and `together` channels are a unit, `block` of k at once.

    If all of a group are, a unit is a `bunch` of groups.
    """

    counts: tuple[int, ...]
    shape: tuple[int, ...]
    grad_shape: tuple[int, ...]
    groups: int
    bunch: int
    outputs: int
    channels: int
    taps: int
    together: int
    part: int
    block: int
    wide: bool
    workers: int
    room: int
    bases: Array


def _three(entries: tuple[int, ...]) -> Triple:
    depth, height, width = lifted((1, 1, *entries))[2:]
    return depth, height, width


def _per_axis(size: tuple[int, ...], window: Window) -> Iterator[tuple[int, int, int, int, int]]:
    """Give size, kernel size, stride, padding before and dilation of each of three axes."""
    return zip(_three(size), _three(window.kernel), *window.loop_form(), strict=True)


def _forward(size: tuple[int, ...], window: Window) -> list[_Axis]:
    return [
        _Axis(count, stride, tuple(tap * dilation - before for tap in range(kernel)))
        for count, kernel, stride, before, dilation in _per_axis(size, window)
    ]


@lru_cache(256)
def _phases(window: Window, size: tuple[int, ...]) -> list[list[_Phase]]:
    """Return the phases of each axis."""
    return [list(_phases_of_axis(*axis)) for axis in _per_axis(size, window)]


def _phases_of_axis(size: int, kernel: int, stride: int, before: int, dilation: int) -> Iterator[_Phase]:
    """Give, for each phase of an axis that any tap reaches, its first position, its windows, and these taps."""
    for first in range(min(stride, size)):
        chosen = [tap for tap in range(kernel) if (first + before - tap * dilation) % stride == 0]
        offsets = tuple((first + before - tap * dilation) // stride for tap in chosen)
        if chosen:
            yield first, _Axis(-(-(size - first) // stride), 1, offsets), chosen


def _all_phases(weights: Array, window: Window, size: tuple[int, ...]) -> _Sweep:
    """Return the sweep whose outputs are the positions of all phases."""
    groups, C_out, _, _ = weights.shape
    axes, places, numbers = _united(window, size)
    extended = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=3)
    outputs = extended[..., numbers].transpose(0, 3, 2, 1, 4)
    count = numbers.shape[1]
    filled = _filled(outputs.reshape(groups, -1, C_out, count), 1)
    return _Sweep(axes, np.arange(count), filled, (C_out * count, count), places, _three(window.stride))


@lru_cache(256)
def _united(window: Window, size: tuple[int, ...]) -> tuple[list[_Axis], list[tuple[int, ...]], Array]:
    """Return windows that see the taps of all phases, where the phases begin, and the taps that each sees.

    For a tap that a phase lacks, the number is that of one more, which is zero.
    """
    found = _phases(window, size)
    axes = []
    for phases in found:
        offsets = {offset for _, axis, _ in phases for offset in axis.offsets}
        axes.append(_Axis(max(axis.windows for _, axis, _ in phases), 1, tuple(sorted(offsets))))
    places = list(product(*([first for first, _, _ in phases] for phases in found)))
    numbers = np.full((len(places), *(len(axis.offsets) for axis in axes)), math.prod(window.kernel))
    for index, phase in enumerate(product(*found)):
        where = [[axis.offsets.index(o) for o in own.offsets] for axis, (_, own, _) in zip(axes, phase, strict=True)]
        numbers[index][np.ix_(*where)] = _numbers([chosen for _, _, chosen in phase], window)
    return axes, places, numbers.reshape(len(places), -1)


def _numbers(chosen: Sequence[Sequence[int]], window: Window) -> Array:
    """Return the numbers of the taps that are chosen on each axis."""
    _, KH, KW = _three(window.kernel)
    d, h, w = (np.array(taps) for taps in chosen)
    numbers: Array = (d[:, None, None] * KH + h[:, None]) * KW + w
    return numbers


def _filled(weights: Array, axis: int) -> Array:
    """Return `weights`, (groups, ·, ·, taps), with zeros on `axis` up to a whole number of tiles."""
    short = -weights.shape[axis] % _ROWS
    if weights.shape[axis] < _FEW or not short:
        return weights
    more = [short if each == axis else length for each, length in enumerate(weights.shape)]
    return np.concatenate([weights, np.zeros(more, weights.dtype)], axis)


def _merged(target: Array, signal: Array, axes: Sequence[_Axis]) -> tuple[Array, Array, Sequence[_Axis]]:
    """Make one axis of three where the windows are the positions."""
    positions = [_Axis(length, 1, (0,)) for length in _three(signal.shape[2:])]
    if list(axes) != positions:
        return target, signal, axes
    target, signal = (array.reshape(*array.shape[:2], -1) for array in (target, signal))
    return target, signal, [_Axis(1, 1, (0,)), _Axis(1, 1, (0,)), _Axis(signal.shape[2], 1, (0,))]


def _swept(target: Array, signal: Array, sweep: _Sweep, groups: int) -> bool:
    """Fill `target`, or its positions that `sweep` reaches, and return whether all is finite."""
    axes = sweep.axes
    if sweep.steps == (1, 1, 1):
        target, signal, axes = _merged(target, signal, axes)
    phases = len(sweep.places)
    outputs, channels = target.shape[1] // groups * phases, signal.shape[1] // groups
    wide = outputs >= _FEW
    rows, columns = tiles.WIDE if wide else tiles.NARROW
    counts = (len(target), *(axis.windows for axis in axes))
    slots = _SLOTS if wide else _MANY_SLOTS
    layout = _layout(counts, tuple(axes), slots, 1 if wide else columns, channels, target.itemsize, _PACKED)
    bunch = 1 if wide else _bunch(groups, outputs * layout.starts.size * tiles.BYTES // target.itemsize)
    boxes = -(-groups // bunch) * math.prod(
        -(-count // length) for count, length in zip(counts, layout.box, strict=True)
    )
    part = _part(boxes, outputs, rows)
    units = boxes * -(-outputs // part)
    width = tiles.BYTES // target.itemsize
    pitch = layout.starts.size * width
    block = max(rows, min(part, _SUMS // pitch // rows * rows))
    together = -(-channels // -(-channels * len(sweep.taps) // _TOGETHER))
    bases, weight_at = _repeated(layout.bases, together, layout.size), _repeated(sweep.taps, together, sweep.strides[1])
    room = bunch * channels * layout.size + 2 * width
    panel = block * bases.size if wide and sweep.strides[0] == 1 else 0
    products = math.prod(counts) * groups * outputs * channels * len(sweep.taps)
    workers = workers_for(units, _nanoseconds(products, wide, target, signal))
    scratch = _scratch(workers, room + bunch * block * pitch + panel, target)
    task = _Sums(
        counts,
        lifted(signal.shape),
        lifted(target.shape),
        groups,
        bunch,
        outputs,
        outputs // phases,
        channels,
        sweep.weights[0].size,
        *sweep.strides,
        together,
        part,
        block,
        wide,
        workers,
        room,
        panel,
        bases,
        weight_at,
        np.arange(bases.size) * rows,
    )
    finite = np.empty(units, np.bool_)
    flat = target.reshape(-1), signal.reshape(-1), sweep.weights.reshape(-1)
    share(_sweep, workers, workers, *flat, finite, (np.array(sweep.places), sweep.steps), scratch, task, layout)
    return bool(finite.all())


def _nanoseconds(products: int, wide: bool, *arrays: Array) -> int:
    """Return about how long a thread takes: 40 products a nanosecond in float64, 80 in float32.

    Of small groups, most of it goes to laying out and storing rows.
    """
    if not wide:
        return products
    return products * arrays[0].itemsize // 320 + sum(array.size for array in arrays) // 2


def _bunch(groups: int, sums: int) -> int:
    """Return how many groups a unit has, of so many sums each: enough for every thread, and not many."""
    threads: int = config.NUMBA_NUM_THREADS
    return max(1, min(_BUNCH // sums, groups // (4 * threads)))


def _repeated(entries: Array, channels: int, step: int) -> Array:
    """Return `entries` for each of so many channels, `step` apart."""
    return (np.arange(channels)[:, None] * step + entries).ravel()


def _scratch(workers: int, elements: int, like: Array) -> Array:
    """Return that much room for each worker, which begins where no vector crosses a line of the cache."""
    width = tiles.BYTES // like.itemsize
    elements = -(-elements // width) * width
    room = np.empty(workers * elements + width, like.dtype)
    skipped = -(room.ctypes.data // like.itemsize) % width
    return room[skipped : skipped + workers * elements].reshape(workers, elements)


def _part(others: int, outputs: int, rows: int) -> int:
    """Return how many outputs a unit has, of which there are `others` times as many, so that all threads have some."""
    threads = config.NUMBA_NUM_THREADS
    most = -(-outputs // rows)
    parts = next((n for n in range(1, most) if others * n % threads == 0 or others * n >= 8 * threads), most)
    return -(-most // parts) * rows


@lru_cache(256)
def _layout(
    counts: tuple[int, ...], axes: tuple[_Axis, ...], slots: int, columns: int, channels: int, itemsize: int, most: int
) -> _Layout:
    """Return the layout of boxes of up to so many windows; their vectors are a multiple of `columns`."""
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
    width = tiles.BYTES // itemsize
    size = -(-math.prod(planes) * volume // width) * width
    if channels * size > most and slots > 1:
        return _layout(counts, axes, slots // 2, columns, channels, itemsize, most)
    starts, rows = _cut(box, (batch, D, H, W), width, columns)
    strides = tuple(axis.stride for axis in axes)
    return _Layout(tuple(box), lengths, strides, tuple(map(np.array, firsts)), np.array(bases), size, starts, rows)


def _cut(box: list[int], layout: tuple[int, int, int, int], width: int, columns: int) -> tuple[Array, Array]:
    """Cut a box into vectors, from rows, planes, volumes or all of it, with the junk between: as few as can be."""
    n, d, h, w = box
    _, D, H, W = layout
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


def _laid_out(axis: _Axis, windows: int) -> tuple[tuple[int, ...], int, list[tuple[int, int]]]:
    """Return what an axis is laid out as, for so many windows from the first on.

    That is: the first position of each plane, whose others follow by the stride; the length of the planes; and plane
    and index of each tap in the first window.
    """
    if len(axis.offsets) == 1:
        return axis.offsets, windows, [(0, 0)]
    least = min(axis.offsets)
    places = [divmod(offset - least, axis.stride)[::-1] for offset in axis.offsets]
    phases = sorted({phase for phase, _ in places})
    length = windows + max(shift for _, shift in places)
    if len(phases) * length <= len(places) * windows:
        firsts = tuple(least + phase for phase in phases)
        return firsts, length, [(phases.index(phase), shift) for phase, shift in places]
    return axis.offsets, windows, [(tap, 0) for tap in range(len(places))]


@helper
def _box_at(index, counts, box):
    """Return where box `index` begins."""
    _, D, H, W = counts
    BN, BD, BH, BW = box
    index, w = divmod(index, -(-W // BW))
    index, h = divmod(index, -(-H // BH))
    n, d = divmod(index, -(-D // BD))
    return n * BN, d * BD, h * BH, w * BW


@helper
def _pack(packed, signal, shape, channel, channels, box, layout):
    """Lay out channels of a signal for the windows from those of `box` on."""
    SD, SH, SW = layout.strides
    LD, LH, LW = layout.lengths
    firsts_d, firsts_h, firsts_w = layout.firsts
    size = layout.size
    n_0, d_0, h_0, w_0 = box
    last = n_0 + layout.box[0]
    N, C, D, H, W = shape
    plane = 0
    for first_d in firsts_d:
        for first_h in firsts_h:
            for first_w in firsts_w:
                w = w_0 * SW + first_w
                left = min(LW, max(0, -(w // SW)))  # before it, and from `right` on, is padding
                right = max(left, min(LW, (W - 1 - w) // SW + 1))
                for c in range(channels):
                    at = c * size + plane
                    for n in range(n_0, last):
                        for i in range(LD):
                            d = (d_0 + i) * SD + first_d
                            for j in range(LH):
                                h = (h_0 + j) * SH + first_h
                                inside = n < N and 0 <= d < D and 0 <= h < H
                                begin, end = (left, right) if inside else (LW, LW)
                                row = (((n * C + channel + c) * D + d) * H + h) * W + w + begin * SW
                                clear(packed, at, begin)
                                if SW == 1:
                                    copy(packed, at + begin, signal, row, end - begin)
                                elif SW == 2:
                                    copy_second(packed, at + begin, signal, row, end - begin)
                                else:
                                    for index in range(end - begin):
                                        packed[at + begin + index] = signal[row + index * SW]
                                clear(packed, at + end, LW - end)
                                at += LW
                plane += (last - n_0) * LD * LH * LW
    for c in range(channels):
        clear(packed, c * size + plane, size - plane)


@helper
def _panel(panel, w, first, rows, weight_at, count):
    """Copy the weights of a block so that those of a tile's rows follow one another for each k, and the k's."""
    for row in range(0, rows, _ROWS):
        for k in range(count):
            copy(panel, row * weight_at.size + k * _ROWS, w, first + row + weight_at[k], _ROWS)


def _adding(height: int, columns: int) -> Any:
    """Return the loop of a shape of tile, which is a constant when the loop is compiled."""

    @helper
    def add(sums, y, pitch, rows, first, last, signal, x, starts, bases, weights, w, row_step, step, weight_at, begin):
        """Add a block of products to sums: ``y[o, l] += w[o, k] * x[base[k] + l]``, the arrays from there on."""
        for vector in range(first, last, columns):
            for row in range(0, rows, height):
                at = y + row * pitch + vector * lanes(sums)
                tile = zeros(sums, height, columns)
                if not begin:
                    tile = read(sums, at, pitch, height, columns)
                where = w + row * row_step
                for k in range(bases.size):
                    tile = add_outer(tile, weights, where + weight_at[k], step, signal, x + bases[k], starts, vector)
                write(tile, sums, at, pitch)

    return add


_add_wide, _add_column, _add_narrow = _adding(*tiles.WIDE), _adding(_ROWS, 1), _adding(*tiles.NARROW)


@helper
def _store(target, first_group, groups, first, rows, sums, pitch, box, task, layout, places):
    """Write the sums of a box to where they belong."""
    firsts, (SD, SH, SW) = places
    n_0, d_0, h_0, w_0 = box
    N, OD, OH, OW = task.counts
    BN, BD, BH, BW = layout.box
    _, C, D, H, W = task.target_shape
    slots = layout.slots
    phase = first // task.phase_channels
    begin, end = first, min(first + rows, (phase + 1) * task.phase_channels)
    while begin < end:  # the outputs of a phase
        w = firsts[phase, 2] + w_0 * SW
        count = min(BW, OW - w_0, (W - 1 - w) // SW + 1)  # of several phases, some have a window more
        for index in range(groups * (end - begin)):
            group, output = divmod(index, end - begin)
            row = group * task.block + begin - first + output
            channel = (first_group + group - phase) * task.phase_channels + begin + output
            slot = 0
            for n in range(n_0, n_0 + BN):
                for i in range(d_0, d_0 + BD):
                    d = firsts[phase, 0] + i * SD
                    for j in range(h_0, h_0 + BH):
                        h = firsts[phase, 1] + j * SH
                        if n < N and i < OD and j < OH and d < D and h < H:
                            at = (((n * C + channel) * D + d) * H + h) * W + w
                            source = row * pitch + slots[slot]
                            if SW == 1:
                                copy(target, at, sums, source, count)
                            else:
                                for window in range(count):
                                    target[at + window * SW] = sums[source + window]
                        slot += 1
        phase += 1
        begin, end = end, min(first + rows, (phase + 1) * task.phase_channels)


@summing
def _all_finite(sums, count):
    zero = sums.dtype.type(0)
    rest = zero
    for i in range(count):
        rest += sums[i] * zero  # NaN if any isn't finite
    return rest == zero


@kernel
def _sweep(first, last, target, signal, weights, finite, places, scratch, task, layout):
    """Correlate, as one of several workers: a unit is a box of windows of one group, and a part of its outputs."""
    width = lanes(signal)
    pitch = layout.starts.size * width
    taps = layout.bases.size
    together = task.together * taps
    parts = -(-task.outputs // task.part)
    bunches = -(-task.groups // task.bunch)
    starts, bases, weight_at, panel_at = layout.starts, task.bases, task.weight_at, task.panel_at
    vectors = starts.size
    whole = vectors // _COLUMNS * _COLUMNS  # in tiles
    for worker in range(first, last):
        packed = scratch[worker, : task.room]
        sums = scratch[worker, task.room :]
        panel = scratch[worker, scratch.shape[1] - task.panel :]
        packed[task.bunch * task.channels * layout.size :] = 0
        for unit in range(finite.size * worker // task.workers, finite.size * (worker + 1) // task.workers):
            index, part = divmod(unit, parts)
            index, bunch = divmod(index, bunches)
            first_group = bunch * task.bunch
            groups = min(task.bunch, task.groups - first_group)
            begin = _box_at(index, task.counts, layout.box)
            _pack(packed, signal, task.shape, first_group * task.channels, groups * task.channels, begin, layout)
            finite[unit] = True
            end = min(task.outputs, (part + 1) * task.part)
            for output in range(part * task.part, end, task.block):
                rows = min(task.block, end - output)
                for g in range(groups):
                    group = first_group + g
                    for c in range(0, task.channels, task.together):
                        count = min(task.together, task.channels - c) * taps
                        y, x = g * task.block * pitch, (g * task.channels + c) * layout.size
                        w = group * task.group_size + output * task.step + c * task.channel_step
                        source, row_step, step, at = weights, task.step, task.step, weight_at
                        if task.panel > 0:
                            _panel(panel, weights, w, rows, weight_at, count)
                            source, w, row_step, step, at = panel, 0, together, 1, panel_at
                        factors = packed, x, starts, bases[:count], source, w, row_step, step, at, c == 0
                        if task.wide:
                            _add_wide(sums, y, pitch, rows, 0, whole, *factors)
                            _add_column(sums, y, pitch, rows, whole, vectors, *factors)
                        else:
                            _add_narrow(sums, y, pitch, rows, 0, vectors, *factors)
                    finite[unit] &= _all_finite(sums[g * task.block * pitch :], rows * pitch)
                _store(target, first_group, groups, output, rows, sums, pitch, begin, task, layout, places)


@helper
def _pack_grad(packed, pitch, grad, shape, channel, rows, layout, begin):
    """Lay out rows of g for a box of windows, 0 where l is junk."""
    n_0, d_0, h_0, w_0 = begin
    BN, BD, BH, BW = layout.box
    N, C, D, H, W = shape
    packed[:] = 0
    for row in range(rows):
        slot = 0
        for n in range(n_0, n_0 + BN):
            for d in range(d_0, d_0 + BD):
                for h in range(h_0, h_0 + BH):
                    if n < N and d < D and h < H:
                        at = (((n * C + channel + row) * D + d) * H + h) * W + w_0
                        copy(packed, row * pitch + layout.slots[slot], grad, at, min(BW, W - w_0))
                    slot += 1


def _adding_sums(height: int, columns: int) -> Any:
    """Return the loop of a shape of tile, which is a constant when the loop is compiled."""

    @helper
    def add(sums, rows, grad, pitch, packed, starts, bases, first, last):
        """Add the products of a box, summed over l, for some k's: ``gw[o, k] += g[o, l] * x[base[k] + l]``."""
        width = lanes(sums)
        for row in range(0, rows, height):
            for k in range(first, last, columns):
                tile = zeros(sums, height, columns)
                for vector in range(starts.size):
                    g, x = row * pitch + vector * width, starts[vector]
                    tile = add_products(tile, grad, g, pitch, packed, x, bases, k)
                add_totals(tile, sums, (row // height * bases.size + k) * max(height, width))

    return add


_add_sums_wide, _add_sums_narrow = _adding_sums(*tiles.WIDE), _adding_sums(*tiles.NARROW)


@helper
def _store_sums(weight, first, step, rows, count, sums, height, pitch, space):
    for row in range(rows):
        at = row // height * pitch * space + row % height
        gw = weight[first + row * step : first + row * step + count]
        for k in range(count):
            gw[k] = sums[at + k * space]


@kernel
def _sum_products(first, last, weight, grad, signal, scratch, task, layout):
    """Sum over all boxes, as one of several workers: a unit is parts of the outputs and channels of one group."""
    width = lanes(signal)
    height = _ROWS if task.wide else _FEW_ROWS
    space = max(height, width)
    pitch = layout.starts.size * width
    tall = -(-task.part // height)
    boxes = 1
    for axis in range(4):
        boxes *= -(-task.counts[axis] // layout.box[axis])
    parts, steps = -(-task.outputs // task.part), -(-task.channels // task.together)
    units = -(-task.groups // task.bunch) * parts * steps
    row_size = task.channels * task.taps
    for worker in range(first, last):
        packed = scratch[worker, : task.room]
        grads = scratch[worker, task.room : task.room + task.bunch * tall * height * pitch]
        sums = scratch[worker, task.room + grads.size :]
        packed[task.bunch * task.together * layout.size :] = 0
        for unit in range(units * worker // task.workers, units * (worker + 1) // task.workers):
            index, step = divmod(unit, steps)
            bunch, part = divmod(index, parts)
            group, c, output = bunch * task.bunch, step * task.together, part * task.part
            groups, rows = min(task.bunch, task.groups - group), min(task.part, task.outputs - output)
            channels = min(task.together, task.channels - c)
            sums[:] = 0
            for box in range(boxes):
                begin = _box_at(box, task.counts, layout.box)
                _pack(packed, signal, task.shape, group * task.channels + c, groups * channels, begin, layout)
                channel = group * task.outputs + output
                _pack_grad(grads, pitch, grad, task.grad_shape, channel, groups * rows, layout, begin)
                for g in range(groups):
                    x = packed[g * channels * layout.size :]
                    own, gw = grads[g * rows * pitch :], sums[g * tall * space * task.bases.size :]
                    for k in range(0, channels * task.taps, task.block):
                        end = min(channels * task.taps, k + task.block)
                        if task.wide:
                            _add_sums_wide(gw, rows, own, pitch, x, layout.starts, task.bases, k, end)
                        else:
                            _add_sums_narrow(gw, rows, own, pitch, x, layout.starts, task.bases, k, end)
            for g in range(groups):
                where = ((group + g) * task.outputs + output) * row_size + c * task.taps
                gw = sums[g * tall * space * task.bases.size :]
                _store_sums(weight, where, row_size, rows, channels * task.taps, gw, height, task.bases.size, space)
