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

from refconv.arguments import Array
from refconv.geometry import Window, lifted
from refconv.kernels import kernel
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
        return _largest(signal, taps)
    chosen = choices(signal, taps)
    there = np.take_along_axis(flat_planes(signal), np.maximum(flat_planes(chosen), 0), axis=1)
    return np.where(chosen < 0, -np.inf, there.reshape(chosen.shape))


def choices(signal: Array, taps: list[Taps]) -> Array:
    """Return, for each window, the flat position of its largest element among a channel's, -1 where it has none."""
    real = np.ascontiguousarray(signal.real)
    largest = _largest(real, taps)
    chosen = np.empty(largest.shape, np.int64)
    _spread_windows(_fill_choices, (chosen, largest), real, taps)
    return chosen


def _largest(signal: Array, taps: list[Taps]) -> Array:
    output = np.empty((*signal.shape[:2], *(len(axis.first) for axis in taps)), signal.dtype)
    _spread_windows(_fill_largest, (output,), signal, taps)
    return output


def _spread_windows(fill: Callable[..., Any], results: tuple[Array, ...], signal: Array, taps: list[Taps]) -> None:
    *_, height, width = lifted(signal.shape)
    planes = [planes_of(result) for result in results]
    arguments = (*planes, flat_planes(signal), (height, width), *lift_taps(taps))
    spread(fill, len(planes[0]), reads_of(signal, taps), *arguments)


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


@kernel
def _largest_at(n, od, oh, ow, input, size, depth, height, width):
    (first_d, count_d, step_d), (first_h, count_h, step_h), (first_w, count_w, step_w) = depth, height, width
    H, W = size
    rows, columns = count_h[oh], count_w[ow]
    largest = -np.inf
    holds_nan = False
    for kd in range(count_d[od]):
        for kh in range(rows):
            i = ((first_d[od] + kd * step_d) * H + first_h[oh] + kh * step_h) * W + first_w[ow]
            for _ in range(columns):
                value = input[n, i]
                largest = value if value > largest else largest
                holds_nan |= value != value
                i += step_w
    return np.nan if holds_nan else largest


@kernel
def _choice_at(n, od, oh, ow, largest, input, size, depth, height, width):
    (first_d, count_d, step_d), (first_h, count_h, step_h), (first_w, count_w, step_w) = depth, height, width
    H, W = size
    for kd in range(count_d[od]):
        for kh in range(count_h[oh]):
            i = ((first_d[od] + kd * step_d) * H + first_h[oh] + kh * step_h) * W + first_w[ow]
            for _ in range(count_w[ow]):
                if input[n, i] == largest or (largest != largest and input[n, i] != input[n, i]):
                    return i
                i += step_w
    return -1


@kernel
def _fill_largest(first, last, output, input, size, depth, height, width):
    _, OD, OH, OW = output.shape
    for n in range(first, last):
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    output[n, od, oh, ow] = _largest_at(n, od, oh, ow, input, size, depth, height, width)


@kernel
def _fill_choices(first, last, chosen, output, input, size, depth, height, width):
    _, OD, OH, OW = output.shape
    for n in range(first, last):
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    largest = output[n, od, oh, ow]
                    chosen[n, od, oh, ow] = _choice_at(n, od, oh, ow, largest, input, size, depth, height, width)


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
