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
a box for each. All threads together lay out at most three times as many elements as both arrays have (`plans.COPIES`;
in the benchmarks' layers 2.1 times, by the median 0.1): where that is little, fewer of them work.

Every sum over k runs in the same order, whatever the boxes; sums over l depend on the boxes, and these on the shapes
alone. So the bits don't depend on the number of threads. What isn't finite is left to the definition: here, infinity
meets the zeros of the padding.

How the work is cut follows from sizes alone (`refconv.layout`, `refconv.plans`).
"""

from typing import Any

import numpy as np
from numba import config

from refconv import plans, tiles
from refconv.arguments import Array
from refconv.geometry import Window
from refconv.kernels import helper, kernel, summing
from refconv.threads import share
from refconv.tiles import add_outer, add_products, add_totals, clear, copy, copy_second, lanes, read, write, zeros

_ROWS, _COLUMNS = tiles.WIDE
_FEW_ROWS, _MANY_COLUMNS = tiles.NARROW


def correlate(signal: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]) -> tuple[Array, bool]:
    """Return the correlation of `signal` with `weight`, of spatial `size`, and whether it is all finite."""
    sizes = signal.shape, weight.shape, window, groups, size
    plan = plans.correlation(*sizes, signal.itemsize, config.NUMBA_NUM_THREADS)
    output = np.empty((len(signal), len(weight), *size), signal.dtype)
    return output, _swept(output, signal, _filled(_grouped(weight, groups), 1), plan)


def correlate_transposed(
    grad: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]
) -> tuple[Array, bool]:
    """Return the gradient of `signal` in :func:`correlate`, of spatial `size`, and whether it is all finite."""
    sizes = grad.shape, weight.shape, window, groups, size
    plan = plans.transposed(*sizes, grad.itemsize, config.NUMBA_NUM_THREADS)
    empty = np.empty if plan.complete else np.zeros
    signal = empty((len(grad), weight.shape[1] * groups, *size), grad.dtype)
    weights = _grouped(weight, groups)
    weights = _filled(weights, 2) if plan.numbers is None else _of_all_phases(weights, plan.numbers)
    finite = [_swept(signal, grad, weights, sweep) for sweep in plan.sweeps]
    return signal, all(finite)


def correlate_signals(grad: Array, signal: Array, window: Window, groups: int) -> tuple[Array, bool]:
    """Return the gradient of `weight` in :func:`correlate`, and whether it is all finite."""
    plan = plans.products(grad.shape, signal.shape, window, groups, grad.itemsize, config.NUMBA_NUM_THREADS)
    weight = np.empty((grad.shape[1], signal.shape[1] // groups, *window.kernel), grad.dtype)
    finite = np.empty(plan.load.units, np.bool_)
    scratch = _scratch(plan.load, grad)
    flat = weight.reshape(-1), grad.reshape(-1), signal.reshape(-1)
    share(_sum_products, len(scratch), len(scratch), *flat, finite, scratch, plan.cut, plan.layout)
    return weight, bool(finite.all())


def _swept(target: Array, signal: Array, weights: Array, plan: plans.Sums) -> bool:
    """Fill `target`, or its positions that the sweep reaches, and return whether all is finite."""
    finite = np.empty(plan.load.units, np.bool_)
    scratch = _scratch(plan.load, target)
    flat = target.reshape(-1), signal.reshape(-1), weights.reshape(-1)
    where = plan.cut, plan.layout, plan.weights, plan.places
    share(_sweep, len(scratch), len(scratch), *flat, finite, scratch, *where)
    return bool(finite.all())


def _grouped(weight: Array, groups: int) -> Array:
    """Return `weight` as (groups, outputs, channels, taps)."""
    return weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)


def _filled(weights: Array, axis: int) -> Array:
    """Return `weights` with zeros on `axis`, that of the outputs, up to a whole number of tiles."""
    short = plans.filled(weights.shape[axis]) - weights.shape[axis]
    if not short:
        return weights
    more = [short if each == axis else length for each, length in enumerate(weights.shape)]
    return np.concatenate([weights, np.zeros(more, weights.dtype)], axis)


def _of_all_phases(weights: Array, numbers: Array) -> Array:
    """Return the weights of a sweep whose outputs are those of all phases: zeros for the taps that a phase lacks."""
    groups, C_out, _, _ = weights.shape
    extended = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=3)
    outputs = extended[..., numbers].transpose(0, 3, 2, 1, 4)
    return _filled(outputs.reshape(groups, -1, C_out, numbers.shape[1]), 1)


def _scratch(load: plans.Load, like: Array) -> Array:
    """Return the room that each worker needs, which begins where no vector crosses a line of the cache."""
    workers = plans.workers(load)
    width = tiles.BYTES // like.itemsize
    elements = -(-load.held // width) * width
    room = np.empty(workers * elements + width, like.dtype)
    skipped = -(room.ctypes.data // like.itemsize) % width
    return room[skipped : skipped + workers * elements].reshape(workers, elements)


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
def _pack(packed, signal, shape, channel, channels, begin, layout):
    """Lay out channels of a signal for the box of windows that is at `begin`."""
    SD, SH, SW = layout.strides
    LD, LH, LW = layout.lengths
    firsts_d, firsts_h, firsts_w = layout.firsts
    size = layout.size
    n_0, d_0, h_0, w_0 = begin
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
                                start, end = (left, right) if inside else (LW, LW)
                                row = (((n * C + channel + c) * D + d) * H + h) * W + w + start * SW
                                clear(packed, at, start)
                                if SW == 1:
                                    copy(packed, at + start, signal, row, end - start)
                                elif SW == 2:
                                    copy_second(packed, at + start, signal, row, end - start)
                                else:
                                    for index in range(end - start):
                                        packed[at + start + index] = signal[row + index * SW]
                                clear(packed, at + end, LW - end)
                                at += LW
                plane += (last - n_0) * LD * LH * LW
    for c in range(channels):
        clear(packed, c * size + plane, size - plane)


@helper
def _fill_panel(panel, weight, first, rows, weight_at, count):
    """Copy the weights of a block so that those of a tile's rows follow one another for each k, and the k's."""
    for row in range(0, rows, _ROWS):
        for k in range(count):
            copy(panel, row * weight_at.size + k * _ROWS, weight, first + row + weight_at[k], _ROWS)


def _adding(height: int, columns: int) -> Any:
    """Return the loop of a shape of tile, which is a constant when the loop is compiled."""

    @helper
    def add(sums, pitch, rows, first, last, packed, x, starts, bases, weight, w, row_step, step, weight_at, begin):
        """Add a block of products to sums: ``y[o, l] += w[o, k] * x[base[k] + l]``, the arrays from there on."""
        for vector in range(first, last, columns):
            for row in range(0, rows, height):
                at = row * pitch + vector * lanes(sums)
                tile = zeros(sums, height, columns)
                if not begin:
                    tile = read(sums, at, pitch, height, columns)
                where = w + row * row_step
                for k in range(bases.size):
                    tile = add_outer(tile, weight, where + weight_at[k], step, packed, x + bases[k], starts, vector)
                write(tile, sums, at, pitch)

    return add


_add_wide, _add_column, _add_narrow = _adding(*tiles.WIDE), _adding(_ROWS, 1), _adding(*tiles.NARROW)


@helper
def _sum(sums, pitch, rows, packed, x, weight, w, panel, cut, layout, weights):
    """Sum the products of some outputs and a box of windows: weights and signal from `w` and `x` on."""
    vectors = layout.starts.size
    whole = vectors // _COLUMNS * _COLUMNS  # in tiles
    taps = layout.bases.size
    for c in range(0, cut.channels, cut.together):
        bases = cut.bases[: min(cut.together, cut.channels - c) * taps]
        first = w + c * weights.channel_step
        factors = weight, first, weights.step, weights.step, weights.at
        if weights.panel > 0:
            _fill_panel(panel, weight, first, rows, weights.at, bases.size)
            factors = panel, 0, cut.bases.size, 1, weights.in_panel
        signal = packed, x + c * layout.size, layout.starts, bases
        if cut.wide:
            _add_wide(sums, pitch, rows, 0, whole, *signal, *factors, c == 0)
            _add_column(sums, pitch, rows, whole, vectors, *signal, *factors, c == 0)
        else:
            _add_narrow(sums, pitch, rows, 0, vectors, *signal, *factors, c == 0)


@helper
def _store(target, group, groups, first, rows, sums, pitch, begin, cut, layout, places):
    """Write the sums of the outputs from `first` on, of some groups and a box of windows, to where they belong."""
    SD, SH, SW = places.steps
    n_0, d_0, h_0, w_0 = begin
    N, OD, OH, OW = cut.counts
    BN, BD, BH, BW = layout.box
    _, C, D, H, W = cut.windows_shape
    phase = first // places.outputs
    start, end = first, min(first + rows, (phase + 1) * places.outputs)
    while start < end:  # the outputs of a phase
        w = places.firsts[phase, 2] + w_0 * SW
        count = min(BW, OW - w_0, (W - 1 - w) // SW + 1)  # of several phases, some have a window more
        for index in range(groups * (end - start)):
            g, output = divmod(index, end - start)
            row = g * cut.block + start - first + output
            channel = (group + g - phase) * places.outputs + start + output
            slot = 0
            for n in range(n_0, n_0 + BN):
                for i in range(d_0, d_0 + BD):
                    d = places.firsts[phase, 0] + i * SD
                    for j in range(h_0, h_0 + BH):
                        h = places.firsts[phase, 1] + j * SH
                        if n < N and i < OD and j < OH and d < D and h < H:
                            at = (((n * C + channel) * D + d) * H + h) * W + w
                            source = row * pitch + layout.slots[slot]
                            if SW == 1:
                                copy(target, at, sums, source, count)
                            else:
                                for window in range(count):
                                    target[at + window * SW] = sums[source + window]
                        slot += 1
        phase += 1
        start, end = end, min(first + rows, (phase + 1) * places.outputs)


@summing
def _all_finite(sums, count):
    zero = sums.dtype.type(0)
    rest = zero
    for i in range(count):
        rest += sums[i] * zero  # NaN if any isn't finite
    return rest == zero


@kernel
def _sweep(first, last, target, signal, weight, finite, scratch, cut, layout, weights, places):
    """Correlate, as some of the workers: a unit is a part of the outputs of a bunch of groups, for a box of windows."""
    pitch = layout.starts.size * lanes(signal)
    parts, bunches = -(-cut.outputs // cut.part), -(-cut.groups // cut.bunch)
    workers = len(scratch)
    for worker in range(first, last):
        packed, sums = scratch[worker, : cut.room], scratch[worker, cut.room :]
        panel = sums[sums.size - weights.panel :]
        packed[cut.bunch * cut.channels * layout.size :] = 0
        for unit in range(finite.size * worker // workers, finite.size * (worker + 1) // workers):
            index, part = divmod(unit, parts)
            index, bunch = divmod(index, bunches)
            group = bunch * cut.bunch
            groups = min(cut.bunch, cut.groups - group)
            begin = _box_at(index, cut.counts, layout.box)
            _pack(packed, signal, cut.signal_shape, group * cut.channels, groups * cut.channels, begin, layout)
            known = True
            end = min(cut.outputs, (part + 1) * cut.part)
            for output in range(part * cut.part, end, cut.block):
                rows = min(cut.block, end - output)
                for g in range(groups):
                    own = sums[g * cut.block * pitch :]
                    x, w = g * cut.channels * layout.size, (group + g) * weights.group_size + output * weights.step
                    _sum(own, pitch, rows, packed, x, weight, w, panel, cut, layout, weights)
                    known &= _all_finite(own, rows * pitch)
                _store(target, group, groups, output, rows, sums, pitch, begin, cut, layout, places)
            finite[unit] = known  # once: other threads write beside it


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
def _sum_products(first, last, weight, grad, signal, finite, scratch, cut, layout):
    """Sum over all boxes, as some of the workers: a unit is some outputs and channels of a bunch of groups."""
    width = lanes(signal)
    height = _ROWS if cut.wide else _FEW_ROWS
    space = max(height, width)
    pitch = layout.starts.size * width
    tall = -(-cut.part // height)
    boxes = 1
    for axis in range(4):
        boxes *= -(-cut.counts[axis] // layout.box[axis])
    parts, steps = -(-cut.outputs // cut.part), -(-cut.channels // cut.together)
    taps = layout.bases.size
    workers = len(scratch)
    for worker in range(first, last):
        packed = scratch[worker, : cut.room]
        grads = scratch[worker, cut.room : cut.room + cut.bunch * tall * height * pitch]
        sums = scratch[worker, cut.room + grads.size :]
        packed[cut.bunch * cut.together * layout.size :] = 0
        for unit in range(finite.size * worker // workers, finite.size * (worker + 1) // workers):
            index, step = divmod(unit, steps)
            bunch, part = divmod(index, parts)
            group, c, output = bunch * cut.bunch, step * cut.together, part * cut.part
            groups, rows = min(cut.bunch, cut.groups - group), min(cut.part, cut.outputs - output)
            channels = min(cut.together, cut.channels - c)
            sums[:] = 0
            for box in range(boxes):
                begin = _box_at(box, cut.counts, layout.box)
                _pack(packed, signal, cut.signal_shape, group * cut.channels + c, groups * channels, begin, layout)
                channel = group * cut.outputs + output
                _pack_grad(grads, pitch, grad, cut.windows_shape, channel, groups * rows, layout, begin)
                for g in range(groups):
                    x = packed[g * channels * layout.size :]
                    own, gw = grads[g * rows * pitch :], sums[g * tall * space * cut.bases.size :]
                    for k in range(0, channels * taps, cut.block):
                        end = min(channels * taps, k + cut.block)
                        if cut.wide:
                            _add_sums_wide(gw, rows, own, pitch, x, layout.starts, cut.bases, k, end)
                        else:
                            _add_sums_narrow(gw, rows, own, pitch, x, layout.starts, cut.bases, k, end)
            finite[unit] = _all_finite(sums, sums.size)
            for g in range(groups):
                where = (((group + g) * cut.outputs + output) * cut.channels + c) * taps
                gw = sums[g * tall * space * cut.bases.size :]
                row_size = cut.channels * taps
                _store_sums(weight, where, row_size, rows, channels * taps, gw, height, cut.bases.size, space)
