"""Maps along an axis by which others resample: where an output lies between the inputs, and how these weigh.

Each takes the mode and the axis, as :func:`refconv.interpolation.interpolation` does.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from refconv.arguments import Array
from refconv.interpolation import Axis, interpolation
from refconv.resampling import Map, Ranges, Taps, taps

Mapped: TypeAlias = Callable[[str, Axis], Map]


def ratio(axis: Axis) -> float:
    """Return how far apart outputs are, in the input's positions."""
    if axis.align_corners:
        return (axis.inputs - 1) / max(axis.outputs - 1, 1)
    return axis.inputs / axis.outputs if axis.scale is None else 1 / axis.scale


def position(axis: Axis) -> Array:
    """Return where outputs lie: by half-pixel centres, or with aligned corners."""
    o = np.arange(axis.outputs)
    return np.asarray(o * ratio(axis) if axis.align_corners else (o + 0.5) * ratio(axis) - 0.5)


def nearest(axis: Axis, index: Array) -> Map:
    """Return the map of copies of the inputs at `index`, or of the outermost."""
    found = index.clip(0, axis.inputs - 1).astype(np.int64)
    rising = bool((np.diff(found) >= 0).all())
    ones = np.ones((len(found), 1))
    return Ranges(axis.inputs, found, found + 1) if rising else taps(axis.inputs, found[:, None], ones)


def at(mode: str, axis: Axis, where: Array, a: float = -0.75, border: str = "repeat") -> Taps:
    """Return the map of "linear" or "cubic" (by Keys' `a`) around positions; the `border` is there by repetition."""
    reach = 1 if mode == "linear" else 2
    if mode == "linear" and border == "repeat":
        where = where.clip(0, axis.inputs - 1)
    source = np.floor(where).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    distance = abs(where[:, None] - source)
    weight = np.maximum(1 - distance, 0) if mode == "linear" else _keys(distance, a)
    inside = (source >= 0) & (source < axis.inputs)
    if border == "zero":
        weight = weight * inside
    if border == "renormalised":
        weight = weight * inside
        weight = weight / weight.sum(axis=1, keepdims=True)
    return taps(axis.inputs, source.clip(0, axis.inputs - 1), weight)


def _keys(d: Array, a: float) -> Array:
    inner, outer = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))


def asymmetric(mode: str, axis: Axis) -> Map:
    """Return linear or cubic interpolation at ``o * ratio``."""
    if mode == "nearest" or axis.align_corners:
        return interpolation(mode, axis)
    return at(mode, axis, np.arange(axis.outputs) * ratio(axis))


def one_at_zero(mode: str, axis: Axis) -> Map:
    """Return interpolation by half-pixel centres, but for an output of one, which lies at 0."""
    if mode == "nearest" or axis.align_corners or axis.outputs > 1:
        return interpolation(mode, axis)
    return at(mode, axis, np.zeros(1))


def nearest_half_pixel(mode: str, axis: Axis, *, down: bool = False) -> Map:
    """Return what is nearest to the position by half-pixel centres; of two, the upper, or the lower."""
    if mode != "nearest":
        return interpolation(mode, axis)
    return nearest(axis, np.ceil(position(axis) - 0.5) if down else np.floor(position(axis) + 0.5))


def cubic_half(mode: str, axis: Axis) -> Map:
    """Return cubic interpolation with Keys' a of -1/2."""
    return at(mode, axis, position(axis), a=-0.5) if mode == "cubic" else interpolation(mode, axis)


def by_sizes(mode: str, axis: Axis) -> Map:
    """Return interpolation by the ratio of the sizes, though a scale factor is given."""
    return interpolation(mode, axis._replace(scale=None))
