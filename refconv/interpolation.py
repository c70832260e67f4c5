"""Interpolation along an axis: where each output lies between the inputs, how much they weigh, and how far off that is.

position(o) = (o + 1/2) * ratio - 1/2      half-pixel centres; aligned corners: o * (inputs - 1) / (outputs - 1)
nearest     weight 1 for i = floor(o * ratio)
linear      1 - t and t for i = floor(position) and the next, t = position - floor(position)
cubic       keys(|position - i|) for the two i on either side
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.resampling import Map, Ranges, Taps, products_bound, resample, taps, transposed
from refconv.rounding import Rounded, exactly

MODES = ("nearest", "linear", "cubic")


class Axis(NamedTuple):
    """The sizes along an axis; positions are found by `scale`, where there is one, else by the ratio of the sizes."""

    inputs: int
    outputs: int
    scale: float | None
    align_corners: bool


def interpolation(mode: str, axis: Axis) -> Map:
    """Return the map along `axis`."""
    if mode == "nearest":
        o = np.arange(axis.outputs)
        index = o * axis.inputs // axis.outputs if axis.scale is None else np.floor(o * (1 / axis.scale)).astype(int)
        index = index.clip(0, axis.inputs - 1)
        return Ranges(axis.inputs, index, index + 1)
    return _taps(mode, axis)


def _taps(mode: str, axis: Axis) -> Taps:
    index, t = _positions(axis, clamped=mode == "linear")
    weights = np.stack(_KERNELS[mode](t), axis=1)
    before = weights.shape[1] // 2 - 1
    source = index[:, None] + np.arange(-before, weights.shape[1] - before)
    return taps(axis.inputs, source.clip(0, axis.inputs - 1), weights)


def _positions(axis: Axis, *, clamped: bool) -> tuple[Array, Array]:
    """Return the positions, rounded down, and how far they lie beyond; of a ratio of sizes, without rounding."""
    o = np.arange(axis.outputs)
    if axis.align_corners:
        index, rest = np.divmod(o * (axis.inputs - 1), max(axis.outputs - 1, 1))
        t = rest / max(axis.outputs - 1, 1)
    elif axis.scale is None:
        index, rest = np.divmod((2 * o + 1) * axis.inputs - axis.outputs, 2 * axis.outputs)
        t = rest / (2 * axis.outputs)
    else:
        position = (o + 0.5) * (1 / axis.scale) - 0.5
        index = np.floor(position).astype(int)
        t = position - index
    if clamped:
        t = np.where(index < 0, 0, t)
        index = index.clip(0)
    return index, t


# The kernels' formulas, on arrays and on `Rounded` ones.


def _linear(t: Any) -> list[Any]:
    return [1 - t, t]


def _cubic(t: Any) -> list[Any]:
    return [_keys_outer(t + 1), _keys_inner(t), _keys_inner(1 - t), _keys_outer(2 - t)]


_A = -0.75


def _keys_inner(d: Any) -> Any:
    return ((_A + 2) * d - (_A + 3)) * d * d + 1


def _keys_outer(d: Any) -> Any:
    return ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A


_KERNELS: dict[str, Callable[[Any], list[Any]]] = {"linear": _linear, "cubic": _cubic}


class _Weights(NamedTuple):
    """Along an axis, the magnitudes of weights and their errors, ``(outputs, taps)``, and where the taps lie."""

    inputs: int
    source: Array
    magnitude: Array
    error: Array

    def map(self, weight: Array) -> Taps:
        """Return a map of those that aren't 0."""
        taken = weight != 0
        begin = np.concatenate(([0], taken.sum(axis=1).cumsum()))
        return Taps(self.inputs, begin, self.source[taken], weight[taken])


def interpolation_bound(
    arithmetic: Arithmetic, value: Array, signal: Array, mode: str, axes: Sequence[Axis], *, backward: bool = False
) -> Bound:
    """Bound the rounding errors of ``value = resample(signal, maps)``, with the `axes`' maps, or the transposed ones.

    With w the magnitudes of weights along an axis and e their errors, products of weights are off by at most the
    product of all w + e less that of all w: the sum over the axes of e there, w + e along those before, w after.
    """

    def turned(maps: list[Taps]) -> Sequence[Taps]:
        return transposed(maps) if backward else maps

    sums = products_bound(arithmetic, value, signal, turned([_taps(mode, axis) for axis in axes]))
    weights = [_weights(arithmetic, mode, axis) for axis in axes]
    off = np.zeros(value.shape)
    for number in range(len(weights)):
        mixed = [
            w.map(w.magnitude + w.error if axis < number else w.error if axis == number else w.magnitude)
            for axis, w in enumerate(weights)
        ]
        off += resample(abs(signal), turned(mixed))
    return Bound(*(error + off for error in sums))


def _weights(arithmetic: Arithmetic, mode: str, axis: Axis) -> _Weights:
    """Return an axis's weights, and how far off they may be.

    They are computed from the position, and that from the ratio, in the arithmetic of the data. Where a position comes
    out on the other side of an integer, the taps move by one. The weights are continuous there; but one tap appears
    beyond those that there are, with the kernel's value there: for "linear" what the position is off, for "cubic" less
    than the square of it.
    """
    index, t = _positions(axis, clamped=mode == "linear")
    position = _rounded_position(arithmetic, axis)
    weights = _KERNELS[mode](Rounded(t, position.error, arithmetic))
    power = len(weights) // 2
    before, after = [np.maximum(position.error - room, 0) ** power for room in (t, 1 - t)]
    columns = range(-power, power + 2)
    source = index[:, None] + np.array(columns)
    magnitude = [np.zeros_like(t), *(abs(weight.value) for weight in weights), np.zeros_like(t)]
    error = [before, *(weight.error for weight in weights), after]
    exact = _exact(arithmetic, axis)
    return _Weights(
        axis.inputs,
        source.clip(0, axis.inputs - 1),
        np.stack(magnitude, axis=1),
        np.zeros(source.shape) if exact else np.stack(error, axis=1),
    )


def _rounded_position(arithmetic: Arithmetic, axis: Axis) -> Rounded:
    def number(value: float) -> Rounded:
        return exactly(np.asarray(value, np.float64), arithmetic)

    o = exactly(np.arange(axis.outputs, dtype=np.float64), arithmetic)
    if axis.align_corners:
        return o * (number(axis.inputs - 1) / max(axis.outputs - 1, 1))
    ratio = number(axis.inputs) / axis.outputs if axis.scale is None else 1 / (number(axis.scale) * 1.0)
    return (o + 0.5) * ratio - 0.5


def _exact(arithmetic: Arithmetic, axis: Axis) -> bool:
    """Whether the ratio has so few binary digits that positions and weights are computed without rounding.

    Positions have one digit more, cubic weights three times as many and two of Keys' a.
    """
    if axis.align_corners:
        ratio = Fraction(axis.inputs - 1, max(axis.outputs - 1, 1))
    elif axis.scale is None:
        ratio = Fraction(axis.inputs, axis.outputs)
    else:
        ratio = 1 / Fraction(axis.scale)
    digits = ratio.denominator.bit_length() - 1
    if ratio.denominator != 2**digits:
        return False
    return max(4 * 8.0 ** (digits + 1) * 8, (axis.inputs + 1) * 2.0 ** (digits + 1)) < 1 / arithmetic.accumulation
