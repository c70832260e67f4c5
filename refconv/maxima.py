"""Which element of a window is the largest: the loops under every maximum.

    choice[n, c, o] = the first position i, in row-major order, of the largest input[n, c, i] over the taps of o

A NaN is larger than anything, the first one chosen; a window without taps has no choice, -1. Along an axis, the taps of
window `o` are ``first[o] + k * step`` for `k` below ``taps[o]``, all of them inside the input.

The gradient goes back to where the maximum came from.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from refconv.arguments import Array
from refconv.geometry import Window, lifted
from refconv.kernels import helper, kernel
from refconv.threads import spread


class Taps(NamedTuple):
    """The windows along one axis of `length`: where each begins, how many taps it has, and how far these are apart."""

    first: Array
    taps: Array
    step: int
    length: int


def window_taps(size: tuple[int, ...], outputs: tuple[int, ...], window: Window) -> list[Taps]:
    """Return the taps of `window` that don't fall on padding, along each axis."""
    taps = []
    axes = zip(size, outputs, window.kernel, window.stride, window.padding, window.dilation, strict=True)
    for length, windows, kernel_size, stride, (before, _), step in axes:
        begin = np.arange(windows) * stride - before
        skipped = np.maximum(-(begin // step), 0)  # taps before the input
        reached = np.minimum(-((begin - length) // step), kernel_size)  # taps before the input's end
        taps.append(Taps(begin + skipped * step, np.maximum(reached - skipped, 0), step, length))
    return taps


def adaptive_taps(size: tuple[int, ...], outputs: tuple[int, ...]) -> list[Taps]:
    """Return the positions from ``floor(o * size / outputs)`` to before ``ceil((o + 1) * size / outputs)``."""
    taps = []
    for length, windows in zip(size, outputs, strict=True):
        first = np.arange(windows) * length // windows
        end = -(-(np.arange(windows) + 1) * length // windows)
        taps.append(Taps(first, end - first, 1, length))
    return taps


def maxima(signal: Array, taps: list[Taps]) -> Array:
    """Return the largest element of each window, -inf where it has none."""
    if signal.dtype.kind == "f":
        output = np.empty(_shape(signal, taps), signal.dtype)
        _spread_rows(_fill_largest, output, signal, taps, signal.dtype)
        return output
    chosen = choices(signal, taps)
    there = np.take_along_axis(flat_planes(signal), np.maximum(flat_planes(chosen), 0), axis=1)
    return np.where(chosen < 0, -np.inf, there.reshape(chosen.shape))


def choices(signal: Array, taps: list[Taps]) -> Array:
    """Return, for each window, the flat position of its largest element among a channel's, -1 where it has none."""
    chosen = np.empty(_shape(signal, taps), np.int64)
    real = np.ascontiguousarray(signal.real)
    _spread_rows(_fill_choices, chosen, real, taps, np.int64, real.dtype)
    return chosen


def _shape(signal: Array, taps: list[Taps]) -> tuple[int, ...]:
    return (*signal.shape[:2], *(len(axis.first) for axis in taps))


def _spread_rows(fill: Callable[..., Any], result: Array, signal: Array, taps: list[Taps], *kept: DTypeLike) -> None:
    """Run `fill` over all planes; of each, a row is kept in every dtype of `kept`."""
    planes = planes_of(signal)
    rows = [np.empty((len(planes), planes.shape[-1]), dtype) for dtype in kept]
    spread(fill, len(planes), reads_of(signal, taps), planes_of(result), *rows, planes, *lift_taps(taps))


def grad_chosen(grad: Array, chosen: Array, taps: list[Taps]) -> Array:
    """Return the gradient of the signal: each window's goes back to where its maximum came from."""
    signal = np.empty((*grad.shape[:2], *(axis.length for axis in taps)), grad.dtype)
    planes = [flat_planes(array) for array in (signal, grad, chosen)]
    spread(_fill_grad_input, len(planes[0]), signal.size + 2 * chosen.size, *planes)
    return signal


def reads_of(signal: Array, taps: list[Taps]) -> int:
    """Return how many elements all windows read."""
    reads: int = signal.shape[0] * signal.shape[1] * math.prod(int(axis.taps.sum()) for axis in taps)
    return reads


_UNIT = Taps(np.zeros(1, np.int64), np.ones(1, np.int64), 1, 1)


def lift_taps(taps: list[Taps]) -> list[tuple[Array, Array, int]]:
    """Return the taps of the three axes that the loops run over, the first ones of size 1."""
    return [(axis.first, axis.taps, axis.step) for axis in [_UNIT] * (3 - len(taps)) + taps]


def planes_of(array: Array) -> Array:
    """Return `array` with its batch and channels in one axis, and three spatial ones."""
    _, _, depth, height, width = lifted(array.shape)
    return array.reshape(array.shape[0] * array.shape[1], depth, height, width)


def flat_planes(array: Array) -> Array:
    """Return `array` with its batch and channels in one axis, and its spatial ones in another."""
    return array.reshape(array.shape[0] * array.shape[1], math.prod(array.shape[2:]))


# A row of windows is met in two steps, the first of which can be vectorised: the rows that it covers make one, of the
# largest of each column, and the columns of a window make the window's.


@helper
def _beats(value, largest):
    return (value > largest) | ((value != value) & (largest == largest))  # without a branch


@helper
def _fill_row(row, n, od, oh, input, depth, height):
    (first_d, count_d, step_d), (first_h, count_h, step_h) = depth, height
    row[:] = -np.inf
    for kd in range(count_d[od]):
        for kh in range(count_h[oh]):
            line = input[n, first_d[od] + kd * step_d, first_h[oh] + kh * step_h]
            for w in range(row.size):
                wins = _beats(line[w], row[w])
                row[w] = line[w] if wins else row[w]


@helper
def _largest_at(ow, row, width):
    first, count, step = width
    largest = row.dtype.type(-np.inf)
    for kw in range(count[ow]):
        value = row[first[ow] + kw * step]
        wins = _beats(value, largest)
        largest = value if wins else largest
    return largest


@kernel
def _fill_largest(first, last, output, rows, input, depth, height, width):
    _, OD, OH, OW = output.shape
    for n in range(first, last):
        for od in range(OD):
            for oh in range(OH):
                _fill_row(rows[n], n, od, oh, input, depth, height)
                for ow in range(OW):
                    output[n, od, oh, ow] = _largest_at(ow, rows[n], width)


@helper
def _fill_chosen_row(chosen, row, n, od, oh, input, depth, height):
    # The first of a column that is not beaten; -1 where there is none.
    (first_d, count_d, step_d), (first_h, count_h, step_h) = depth, height
    _, _, H, W = input.shape
    chosen[:] = -1
    row[:] = -np.inf
    for kd in range(count_d[od]):
        for kh in range(count_h[oh]):
            d, h = first_d[od] + kd * step_d, first_h[oh] + kh * step_h
            line, position = input[n, d, h], (d * H + h) * W
            for w in range(row.size):
                wins = chosen[w] < 0 or _beats(line[w], row[w])
                chosen[w] = position + w if wins else chosen[w]
                row[w] = line[w] if wins else row[w]


@helper
def _choice_at(ow, chosen, row, width):
    # Of columns whose largest are equal, or NaN, that counts whose largest comes first.
    first, count, step = width
    choice, largest = -1, row.dtype.type(-np.inf)
    for kw in range(count[ow]):
        w = first[ow] + kw * step
        wins = choice < 0 or _beats(row[w], largest) or (not _beats(largest, row[w]) and chosen[w] < choice)
        choice = chosen[w] if wins else choice
        largest = row[w] if wins else largest
    return choice


@kernel
def _fill_choices(first, last, choices, chosen, rows, input, depth, height, width):
    _, OD, OH, OW = choices.shape
    for n in range(first, last):
        for od in range(OD):
            for oh in range(OH):
                _fill_chosen_row(chosen[n], rows[n], n, od, oh, input, depth, height)
                for ow in range(OW):
                    choices[n, od, oh, ow] = _choice_at(ow, chosen[n], rows[n], width)


@kernel
def _fill_grad_input(first, last, grad_input, grad_output, chosen):
    # One thread has all of a plane, so that several windows may add to a position, in their order.
    _, positions = grad_input.shape
    _, windows = chosen.shape
    for n in range(first, last):
        for position in range(positions):
            grad_input[n, position] = 0
        for o in range(windows):
            if chosen[n, o] >= 0:
                grad_input[n, chosen[n, o]] += grad_output[n, o]
