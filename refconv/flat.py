"""Convolution's fast path: the loops of `refconv.correlation` as one, over a flattened signal.

(derivation to come)
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numba import config

from refconv.arguments import Array
from refconv.geometry import Window, lifted
from refconv.kernels import kernel, summing
from refconv.threads import spread
from refconv.tiles import NARROW, WIDE, add_outer, add_products, add_totals, lanes, read, write, zeros
from refconv import tiles

_ROWS, _COLUMNS = WIDE
_FEW_ROWS, _MANY_COLUMNS = NARROW
_FEW = 4  # outputs of a group below which the narrow tile is faster
_TAPS = 128  # (channel, tap) pairs that a sweep takes at once: their vectors of a tile fit L1
_BLOCK = 65_536  # elements of the sums, or of what is packed, that a thread holds: they fit L2


class _Axis(NamedTuple):
    """Windows along an axis: tap t of window o reads the source at ``o * stride + offsets[t]``."""

    count: int
    stride: int
    offsets: tuple[int, ...]


class _Packing(NamedTuple):
    """How the source is laid out along an axis, for a box of so many windows.

    Plane p holds, at index i, the position ``(o + i) * stride + firsts[p]``, with o the box's first window; tap t of
    window o + i is in plane ``planes[t]`` at index ``i + shifts[t]``.
    """

    box: int
    length: int
    firsts: tuple[int, ...]
    planes: tuple[int, ...]
    shifts: tuple[int, ...]


class _Layout(NamedTuple):
    """What is packed for a box of windows: of each channel, `size` elements; `bases` has where each tap begins."""

    box: tuple[int, ...]
    lengths: tuple[int, ...]
    strides: tuple[int, ...]
    firsts: tuple[Array, ...]
    bases: Array
    size: int
    level: int
    vectors: int


def correlate(signal: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]) -> tuple[Array, bool]:
    """Return the correlation of `signal` with `weight`, of spatial `size`, and whether it is finite."""
    output = np.empty((signal.shape[0], weight.shape[0], *size), signal.dtype)
    axes = [
        _Axis(count, stride, tuple(tap * dilation - before for tap in range(kernel)))
        for count, kernel, stride, before, dilation in _axes(size, window)
    ]
    taps = np.arange(math.prod(window.kernel))
    channels = weight.shape[1]
    weights = _weights(weight.reshape(groups, -1, channels, len(taps)), 1)
    finite = _swept(output, signal, weights, (len(taps) * channels, len(taps)), axes, taps, groups, [(0, 1)] * 3)
    return output, finite


def correlate_transposed(
    grad: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]
) -> tuple[Array, bool]:
    """Return the gradient of `signal` in :func:`correlate`, of spatial `size`, and whether it is finite."""
    signal = np.zeros((grad.shape[0], weight.shape[1] * groups, *size), grad.dtype)
    taps = np.arange(math.prod(window.kernel)).reshape(lifted((1, 1, *window.kernel))[2:])
    weights = _weights(weight.reshape(groups, -1, weight.shape[1], taps.size), 2)
    finite = True
    for phase in product(*(_phases(*axis) for axis in _axes(size, window))):
        places = [place for place, _, _ in phase]
        axes = [axis for _, axis, _ in phase]
        seen = taps[np.ix_(*(chosen for _, _, chosen in phase))].ravel()
        strides = (taps.size, weights.shape[2] * taps.size)
        finite &= _swept(signal, grad, weights, strides, axes, seen, groups, places)
    return signal, finite


def correlate_signals(grad: Array, signal: Array, window: Window, groups: int) -> tuple[Array, bool]:
    """Return the gradient of `weight` in :func:`correlate`, and whether it is finite."""
    weight = np.zeros((grad.shape[1], signal.shape[1] // groups, *window.kernel), grad.dtype)
    axes = [
        _Axis(count, stride, tuple(tap * dilation - before for tap in range(kernel)))
        for count, kernel, stride, before, dilation in _axes(grad.shape[2:], window)
    ]
    if grad.size == 0:
        return weight, True
    grad, signal, axes = _merged(grad, signal, axes)
    taps = math.prod(window.kernel)
    outputs, channels = len(weight) // groups, weight.shape[1]
    wide = outputs >= _FEW
    rows, columns = WIDE if wide else NARROW
    counts = (len(grad), *(axis.count for axis in axes))
    layout = _layout(counts, axes, (4096 if wide else 16384) // grad.itemsize, 1, grad.itemsize)
    together = min(channels, max(1, 2048 // taps), max(1, 2 * _BLOCK // layout.size))
    part = min(_parts(groups * -(-channels // together), outputs, rows), 128)
    units = groups * -(-channels // together) * -(-outputs // part)
    work = grad.size * channels * taps
    spread(_sum_products, units, work // 16 + signal.size + 500 * units, weight.reshape(-1), _lift(grad), _lift(signal),
        (counts, (groups, outputs, channels, taps), (together, part), wide), layout)
    return weight, bool(np.isfinite(weight).all())


def _axes(size: Sequence[int], window: Window) -> Iterator[tuple[int, int, int, int, int]]:
    """Give windows, kernel size, stride, padding before and dilation of each of three axes."""
    strides, before, dilations = window.loop_form()
    shape = lifted((1, 1, *size))[2:]
    return zip(shape, lifted((1, 1, *window.kernel))[2:], strides, before, dilations, strict=True)


def _phases(
    size: int, kernel: int, stride: int, before: int, dilation: int
) -> Iterator[tuple[tuple[int, int], _Axis, list[int]]]:
    """Give, for each phase of positions that any tap reaches, first position and step, their windows, and the taps."""
    for first in range(min(stride, size)):
        chosen = [tap for tap in range(kernel) if (first + before - tap * dilation) % stride == 0]
        offsets = tuple((first + before - tap * dilation) // stride for tap in chosen)
        if chosen:
            yield (first, stride), _Axis(-(-(size - first) // stride), 1, offsets), chosen


def _lift(array: Array) -> Array:
    return array.reshape(lifted(array.shape))


def _weights(weight: Array, axis: int) -> Array:
    """Return `weight`, (groups, ·, ·, taps), with zeros on `axis` up to a whole number of tiles."""
    count = weight.shape[axis]
    short = -count % _ROWS if count >= _FEW else 0
    if not short:
        return weight
    return np.pad(weight, [(0, short if each == axis else 0) for each in range(4)])


def _merged(target: Array, source: Array, axes: list[_Axis]) -> tuple[Array, Array, list[_Axis]]:
    """Make one axis of three where the windows are the positions."""
    whole = all(
        axis == _Axis(size, 1, (0,)) for axis, size in zip(axes, lifted(source.shape)[2:], strict=True)
    )
    if not whole:
        return target, source, axes
    length = math.prod(source.shape[2:])
    trivial = _Axis(1, 1, (0,))
    return (
        target.reshape(*target.shape[:2], length),
        source.reshape(*source.shape[:2], length),
        [trivial, trivial, _Axis(length, 1, (0,))],
    )


def _parts(others: int, outputs: int, rows: int) -> int:
    """Return how many outputs a unit has, so that the threads have as much to do."""
    parts = 1
    limit = -(-outputs // rows)
    threads = config.NUMBA_NUM_THREADS
    while parts < limit and others * parts < 8 * threads and others * parts % threads:
        parts += 1
    return -(-outputs // parts // rows) * rows if rows > 1 else -(-outputs // parts)


def _swept(
    target: Array,
    source: Array,
    weights: Array,
    strides: tuple[int, int],
    axes: list[_Axis],
    seen: Array,
    groups: int,
    places: list[tuple[int, int]],
) -> bool:
    if target.size == 0:
        return True
    if places == [(0, 1)] * 3:
        target, source, axes = _merged(target, source, axes)
    outputs, channels = target.shape[1] // groups, source.shape[1] // groups
    wide = outputs >= _FEW
    rows, columns = WIDE if wide else NARROW
    counts = (len(target), *(axis.count for axis in axes))
    together = min(channels, max(1, _TAPS // len(seen)))
    slots = max(_BLOCK // 4 // together, 64)
    layout = _layout(counts, axes, min(slots, max(512, min(_BLOCK // outputs, 4096))), 1 if wide else columns, target.itemsize)
    boxes = _boxes(counts, layout.box)
    part = _parts(groups * boxes, outputs, rows)
    units = groups * boxes * -(-outputs // part)
    slots = layout.vectors * tiles._lanes_of(target)
    sub = max(rows, min(part, _BLOCK // slots // rows * rows))
    finite = np.empty(units, np.bool_)
    work = math.prod(counts) * target.shape[1] * channels * len(seen)
    places_ = tuple(first for first, _ in places), tuple(step for _, step in places)
    spread(_sweep, units, work // 16 + target.size + 500 * units, _lift(target), _lift(source), weights.reshape(-1), finite,
        (counts, (groups, outputs, channels, weights[0].size), strides, (together, part, sub), places_, wide), layout, seen)
    return bool(finite.all())


def _layout(counts: tuple[int, ...], axes: list[_Axis], slots: int, columns: int, itemsize: int) -> _Layout:
    """Return the layout of boxes of at most so many slots, more or less, which wastes the fewest."""
    return _layout_of(_shape(counts, slots), axes, columns, itemsize)


def _boxes(counts: tuple[int, ...], box: tuple[int, ...]) -> int:
    return math.prod(-(-count // each) for count, each in zip(counts, box, strict=True))


def _shape(counts: tuple[int, ...], slots: int) -> tuple[int, ...]:
    box: list[int] = []
    for count in counts[::-1]:
        parts = -(-count // max(1, slots // math.prod(box)))
        box.append(-(-count // parts))
    return tuple(box[::-1])


def _layout_of(box: tuple[int, ...], axes: list[_Axis], columns: int, itemsize: int) -> _Layout:
    n, d, h, w = box
    packings = [_packing(axis, each) for axis, each in zip(axes, (d, h, w), strict=True)]
    (PD, D), (PH, H), (PW, W) = [(len(packing.firsts), packing.length) for packing in packings]
    volume = n * D * H * W
    bases = [
        ((pd * PH + ph) * PW + pw) * volume + (sd * H + sh) * W + sw
        for (pd, sd), (ph, sh), (pw, sw) in product(*(zip(packing.planes, packing.shifts, strict=True) for packing in packings))
    ]
    width = tiles.BYTES // itemsize
    ends = [
        (n * d * h, w),
        (n * d, (h - 1) * W + w),
        (n, ((d - 1) * H + h - 1) * W + w),
        (1, (((n - 1) * D + d - 1) * H + h - 1) * W + w),
    ]
    vectors, level = min((runs * -(-length // width), level) for level, (runs, length) in enumerate(ends))
    return _Layout(
        box,
        (D, H, W),
        tuple(axis.stride for axis in axes),
        tuple(np.array(packing.firsts) for packing in packings),
        np.array(bases),
        -(-PD * PH * PW * volume // width) * width,
        level,
        -(-vectors // columns) * columns,
    )


def _packing(axis: _Axis, box: int) -> _Packing:
    least = min(axis.offsets)
    places = [divmod(offset - least, axis.stride) for offset in axis.offsets]
    phases = sorted({phase for _, phase in places})
    reach = max(shift for shift, _ in places)
    if len(phases) * (box + reach) <= len(places) * box:
        firsts = tuple(least + phase for phase in phases)
        return _Packing(
            box, box + reach, firsts, tuple(phases.index(phase) for _, phase in places), tuple(shift for shift, _ in places)
        )
    return _Packing(box, box, axis.offsets, tuple(range(len(places))), (0,) * len(places))


@kernel
def _place(starts, slots, sizes, lengths, level, width):
    """Cut a box's windows into vectors: where each begins, and in which slot each row does."""
    N, D, H, W = sizes
    _, LH, LW = lengths
    LD = lengths[0]
    runs, inner = N * D * H, W
    if level == 1:
        runs, inner = N * D, (H - 1) * LW + W
    elif level == 2:
        runs, inner = N, ((D - 1) * LH + H - 1) * LW + W
    elif level == 3:
        runs, inner = 1, (((N - 1) * LD + D - 1) * LH + H - 1) * LW + W
    vectors = -(-inner // width)
    row = 0
    for n in range(N):
        for d in range(D):
            for h in range(H):
                within = 0
                run = row
                if level == 1:
                    within, run = h * LW, n * D + d
                elif level == 2:
                    within, run = (d * LH + h) * LW, n
                elif level == 3:
                    within, run = ((n * LD + d) * LH + h) * LW, 0
                slots[row] = run * vectors * width + within
                if within == 0:
                    for vector in range(vectors):
                        starts[run * vectors + vector] = ((n * LD + d) * LH + h) * LW + vector * width
                row += 1
    count = runs * vectors
    for vector in range(count, starts.size):
        starts[vector] = starts[0]
    return count


@kernel
def _copy(target, source, stride):
    """Copy every stride-th element; of a constant stride, machine code is several times faster."""
    if stride == 1:
        for j in range(target.size):
            target[j] = source[j]
    elif stride == 2:
        for j in range(target.size):
            target[j] = source[j * 2]
    else:
        for j in range(target.size):
            target[j] = source[j * stride]


@kernel
def _pack(packed, input, channel, channels, box, sizes, layout):
    """Pack `channels` for the windows of a box, which begins at `box` and has `sizes`."""
    _, (LD, LH, LW), (SD, SH, SW), (firsts_d, firsts_h, firsts_w), _, size, _, _ = layout
    n_0, d_0, h_0, w_0 = box
    N, BD, BH, BW = sizes
    _, _, D, H, W = input.shape
    LN = layout[0][0]
    RD, RH, RW = BD + LD - layout[0][1], BH + LH - layout[0][2], BW + LW - layout[0][3]
    for c in range(channels):
        plane = c * size
        for first_d in firsts_d:
            for first_h in firsts_h:
                for first_w in firsts_w:
                    w = w_0 * SW + first_w
                    begin = min(RW, max(0, -(w // SW)))  # before it, and from `end` on, is padding
                    end = max(begin, min(RW, (W - 1 - w) // SW + 1))
                    for n in range(N):
                        for j_d in range(RD):
                            d = (d_0 + j_d) * SD + first_d
                            for j_h in range(RH):
                                h = (h_0 + j_h) * SH + first_h
                                at = plane + ((n * LD + j_d) * LH + j_h) * LW
                                row = packed[at : at + RW]
                                if 0 <= d < D and 0 <= h < H and begin < end:
                                    row[:begin] = 0
                                    row[end:] = 0
                                    _copy(row[begin:end], input[n_0 + n, channel + c, d, h, w + begin * SW :], SW)
                                else:
                                    row[:] = 0
                    plane += LN * LD * LH * LW


@kernel
def _multiply(sums, pitch, rows, packed, starts, vectors, bases, weight, first, row_step, step, places, taps, begin, wide):
    width = lanes(sums)
    whole = vectors // _COLUMNS * _COLUMNS
    if wide:
        for vector in range(0, whole, _COLUMNS):
            for row in range(0, rows, _ROWS):
                at = row * pitch + vector * width
                tile = zeros(sums, _ROWS, _COLUMNS)
                if not begin:
                    tile = read(sums, at, pitch, _ROWS, _COLUMNS)
                where = first + row * row_step
                for k in range(taps):
                    tile = add_outer(tile, weight, where + places[k], step, packed, bases[k], starts, vector)
                write(tile, sums, at, pitch)
        for vector in range(whole, vectors):
            for row in range(0, rows, _ROWS):
                at = row * pitch + vector * width
                column = zeros(sums, _ROWS, 1)
                if not begin:
                    column = read(sums, at, pitch, _ROWS, 1)
                where = first + row * row_step
                for k in range(taps):
                    column = add_outer(column, weight, where + places[k], step, packed, bases[k], starts, vector)
                write(column, sums, at, pitch)
    else:
        for vector in range(0, vectors, _MANY_COLUMNS):
            for row in range(0, rows, _FEW_ROWS):
                at = row * pitch + vector * width
                narrow = zeros(sums, _FEW_ROWS, _MANY_COLUMNS)
                if not begin:
                    narrow = read(sums, at, pitch, _FEW_ROWS, _MANY_COLUMNS)
                where = first + row * row_step
                for k in range(taps):
                    narrow = add_outer(narrow, weight, where + places[k], step, packed, bases[k], starts, vector)
                write(narrow, sums, at, pitch)


@summing
def _store(output, channel, rows, sums, pitch, slots, box, sizes, places):
    (first_d, first_h, first_w), (step_d, step_h, step_w) = places
    n_0, d_0, h_0, w_0 = box
    N, D, H, W = sizes
    rest = sums.dtype.type(0)
    zero = sums.dtype.type(0)
    for row in range(rows):
        line = 0
        for n in range(n_0, n_0 + N):
            for d in range(d_0, d_0 + D):
                for h in range(h_0, h_0 + H):
                    at = row * pitch + slots[line]
                    source = sums[at : at + W]
                    target = output[n, channel + row, first_d + d * step_d, first_h + h * step_h, first_w + w_0 * step_w :]
                    if step_w == 1:
                        for w in range(W):
                            target[w] = source[w]
                    else:
                        for w in range(W):
                            target[w * step_w] = source[w]
                    for w in range(W):
                        rest += source[w] * zero
                    line += 1
    return rest == zero


@kernel
def _box(index, counts, sizes):
    """Return where box `index` begins, and its sizes: those at the end are smaller."""
    N, D, H, W = counts
    BN, BD, BH, BW = sizes
    w = index % (-(-W // BW)) * BW
    index //= -(-W // BW)
    h = index % (-(-H // BH)) * BH
    index //= -(-H // BH)
    d = index % (-(-D // BD)) * BD
    n = index // (-(-D // BD)) * BN
    return (n, d, h, w), (min(BN, N - n), min(BD, D - d), min(BH, H - h), min(BW, W - w))


@kernel
def _aligned(array, width):
    return array[-(array.ctypes.data // array.itemsize) % width :]


@kernel
def _panel(panel, weight, first, rows, places, taps):
    for row in range(0, rows, _ROWS):
        for k in range(taps):
            target = panel[row * places.size + k * _ROWS :]
            source = weight[first + row + places[k] :]
            for i in range(_ROWS):
                target[i] = source[i]


@kernel
def _sweep(first, last, output, input, weight, finite, plan, layout, seen):
    counts, (groups, outputs, channels, group_size), (step, channel_step), (together, part, sub), places, wide = plan
    sizes, lengths, _, _, tap_bases, size, level, vectors = layout
    width = lanes(input)
    taps = seen.size
    pitch = vectors * width
    packed = _aligned(np.zeros(channels * size + 2 * width, input.dtype), width)
    sums = _aligned(np.empty(-(-sub // _ROWS) * _ROWS * pitch + width, input.dtype), width)
    starts = np.empty(vectors, np.int64)
    slots = np.empty(sizes[0] * sizes[1] * sizes[2], np.int64)
    bases = np.empty(together * taps, np.int64)
    weight_at = np.empty(together * taps, np.int64)
    for c in range(together):
        for tap in range(taps):
            bases[c * taps + tap] = c * size + tap_bases[tap]
            weight_at[c * taps + tap] = c * channel_step + seen[tap]
    panel = _aligned(np.empty((-(-sub // _ROWS) * _ROWS * together * taps if step == 1 and wide else 0) + width, input.dtype), width)
    panel_at = np.arange(together * taps) * _ROWS
    parts = -(-outputs // part)
    for unit in range(first, last):
        group, index = divmod(unit // parts, finite.size // parts // groups)
        begin = unit % parts * part
        end = min(begin + part, outputs)
        box, actual = _box(index, counts, sizes)
        count = _place(starts, slots, actual, lengths, level, width)
        _pack(packed, input, group * channels, channels, box, actual, layout)
        finite[unit] = True
        for o in range(begin, end, sub):
            rows = min(sub, end - o)
            for c in range(0, channels, together):
                some = min(together, channels - c) * taps
                where = group * group_size + o * step + c * channel_step
                if step == 1 and wide:
                    _panel(panel, weight, where, rows, weight_at, some)
                    _multiply(sums, pitch, rows, packed[c * size :], starts, count, bases, panel, 0, together * taps, 1, panel_at, some, c == 0, wide)
                else:
                    _multiply(sums, pitch, rows, packed[c * size :], starts, count, bases, weight, where, step, step, weight_at, some, c == 0, wide)
            finite[unit] &= _store(output, group * outputs + o, rows, sums, pitch, slots, box, actual, places)


@kernel
def _pack_grad(packed, pitch, grad, channel, rows, slots, box, sizes):
    n_0, d_0, h_0, w_0 = box
    N, D, H, W = sizes
    packed[:] = 0
    for row in range(rows):
        line = 0
        for n in range(n_0, n_0 + N):
            for d in range(d_0, d_0 + D):
                for h in range(h_0, h_0 + H):
                    at = row * pitch + slots[line]
                    source = grad[n, channel + row, d, h]
                    for w in range(W):
                        packed[at + w] = source[w_0 + w]
                    line += 1


@kernel
def _multiply_signals(sums, rows, grad, pitch, packed, starts, vectors, bases, taps, wide):
    width = lanes(grad)
    at = 0
    if wide:
        for row in range(0, rows, _ROWS):
            for k in range(0, taps, _COLUMNS):
                tile = zeros(grad, _ROWS, _COLUMNS)
                for vector in range(vectors):
                    tile = add_products(tile, grad, row * pitch + vector * width, pitch, packed, starts[vector], bases, k)
                add_totals(tile, sums, at)
                at += _COLUMNS * max(_ROWS, width)
    else:
        for row in range(0, rows, _FEW_ROWS):
            for k in range(0, taps, _MANY_COLUMNS):
                narrow = zeros(grad, _FEW_ROWS, _MANY_COLUMNS)
                for vector in range(vectors):
                    narrow = add_products(narrow, grad, row * pitch + vector * width, pitch, packed, starts[vector], bases, k)
                add_totals(narrow, sums, at)
                at += _MANY_COLUMNS * max(_FEW_ROWS, width)


@kernel
def _store_totals(weight, first, step, rows, taps, sums, height, columns, space):
    at = 0
    for row in range(0, rows, height):
        for k in range(0, taps, columns):
            for j in range(min(columns, taps - k)):
                for i in range(min(height, rows - row)):
                    weight[first + (row + i) * step + k + j] = sums[at + j * space + i]
            at += columns * space


@kernel
def _sum_products(first, last, weight, grad, input, plan, layout):
    counts, (groups, outputs, channels, taps), (together, part), wide = plan
    sizes, lengths, _, _, tap_bases, size, level, vectors = layout
    width = lanes(input)
    height, columns = (_ROWS, _COLUMNS) if wide else (_FEW_ROWS, _MANY_COLUMNS)
    pitch = vectors * width
    packed = _aligned(np.zeros(together * size + 2 * width, input.dtype), width)
    grads = _aligned(np.zeros(-(-part // height) * height * pitch + width, input.dtype), width)
    starts = np.empty(vectors, np.int64)
    slots = np.empty(sizes[0] * sizes[1] * sizes[2], np.int64)
    bases = np.zeros(-(-together * taps // columns) * columns, np.int64)
    space = max(height, width)
    sums = _aligned(np.empty(-(-part // height) * space * bases.size + width, input.dtype), width)
    for c in range(together):
        for tap in range(taps):
            bases[c * taps + tap] = c * size + tap_bases[tap]
    N, D, H, W = counts
    boxes = -(-N // sizes[0]) * -(-D // sizes[1]) * -(-H // sizes[2]) * -(-W // sizes[3])
    parts = -(-outputs // part)
    steps = -(-channels // together)
    for unit in range(first, last):
        group, index = divmod(unit, parts * steps)
        begin, c = index // steps * part, index % steps * together
        rows, some = min(part, outputs - begin), min(together, channels - c)
        sums[:] = 0
        for index in range(boxes):
            box, actual = _box(index, counts, sizes)
            count = _place(starts, slots, actual, lengths, level, width)
            _pack(packed, input, group * channels + c, some, box, actual, layout)
            _pack_grad(grads, pitch, grad, group * outputs + begin, rows, slots, box, actual)
            _multiply_signals(sums, rows, grads, pitch, packed, starts, count, bases, some * taps, wide)
        where = ((group * outputs + begin) * channels + c) * taps
        _store_totals(weight, where, channels * taps, rows, some * taps, sums, height, columns, space)
