"""Wrong upsampling: other positions, other weights, other borders; axes and sizes that are mixed up."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_channel, first_of_batch
from oracle.diagnosis.variants.general import nan_lost
from oracle.judging.conventions.maps import (
    Mapped,
    asymmetric,
    at,
    by_sizes,
    cubic_half,
    nearest,
    nearest_half_pixel,
    one_at_zero,
    position,
    ratio,
)
from refconv.arguments import Array
from refconv.interpolation import Axis, interpolation
from refconv.resampling import Map, Taps, resample, taps

wrong = Catalogue()


def read_axes(input: Array, attributes: dict[str, Any]) -> tuple[str, list[Axis]]:
    """Return the mode and the axes of a call."""
    sizes = input.shape[2:]
    rank = len(sizes)
    size, scale = attributes["size"], attributes["scale_factor"]
    scales = [None] * rank if scale is None else list(scale) if isinstance(scale, tuple | list) else [scale] * rank
    if scale is not None:
        outputs = [int(length * factor) for length, factor in zip(sizes, scales, strict=True)]
    else:
        outputs = list(size) if isinstance(size, tuple | list) else [size] * rank
    axes = zip(sizes, outputs, scales, strict=True)
    return attributes["mode"], [Axis(*axis, attributes["align_corners"]) for axis in axes]


# What is done along an axis: each gets the mode and the axis.


def _aligned(mode: str, axis: Axis) -> Map:
    return interpolation(mode, axis._replace(align_corners=mode != "nearest"))


def _not_aligned(mode: str, axis: Axis) -> Map:
    return interpolation(mode, axis._replace(align_corners=False))


def _nearest_rounded(mode: str, axis: Axis) -> Map:
    if mode != "nearest":
        return interpolation(mode, axis)
    return nearest(axis, np.rint(np.arange(axis.outputs) * ratio(axis)))


def _nearest_aligned(mode: str, axis: Axis) -> Map:
    if mode != "nearest":
        return interpolation(mode, axis)
    return nearest(axis, np.rint(np.arange(axis.outputs) * ratio(axis._replace(align_corners=True))))


def _nearest_float32(mode: str, axis: Axis) -> Map:
    if mode != "nearest" or axis.scale is not None:
        return interpolation(mode, axis)
    single = np.float32(axis.inputs) / np.float32(axis.outputs)
    return nearest(axis, np.floor(np.arange(axis.outputs, dtype=np.float32) * single))


def _integer_ratio(mode: str, axis: Axis) -> Map:
    if mode != "nearest":
        return interpolation(mode, axis)
    return nearest(axis, np.arange(axis.outputs) // max(axis.outputs // axis.inputs, 1))


def _always_nearest(_: str, axis: Axis) -> Map:
    return interpolation("nearest", axis._replace(align_corners=False))


def _always_linear(mode: str, axis: Axis) -> Map:
    return interpolation("linear" if mode == "cubic" else mode, axis)


def _weights_exchanged(mode: str, axis: Axis) -> Map:
    found = interpolation(mode, axis)
    if mode != "linear" or not isinstance(found, Taps):
        return found
    return found._replace(weight=found.weight.reshape(-1, 2)[:, ::-1].ravel())


def _extrapolated(mode: str, axis: Axis) -> Map:
    if mode != "linear":
        return interpolation(mode, axis)
    where = position(axis)
    index = np.trunc(where).astype(np.int64)
    t = where - index
    source = np.stack([index, index + 1], axis=1).clip(0, axis.inputs - 1)
    return taps(axis.inputs, source, np.stack([1 - t, t], axis=1))


def _linear_zeros(mode: str, axis: Axis) -> Map:
    return at(mode, axis, position(axis), border="zero") if mode == "linear" else interpolation(mode, axis)


def _cubic_zeros(mode: str, axis: Axis) -> Map:
    return at(mode, axis, position(axis), border="zero") if mode == "cubic" else interpolation(mode, axis)


def _cubic_renormalised(mode: str, axis: Axis) -> Map:
    if mode != "cubic":
        return interpolation(mode, axis)
    return at(mode, axis, position(axis).clip(-1, axis.inputs), border="renormalised")


def _cubic_clamped(mode: str, axis: Axis) -> Map:
    if mode != "cubic":
        return interpolation(mode, axis)
    return at(mode, axis, position(axis).clip(0, axis.inputs - 1))


def _ratio_inverted(mode: str, axis: Axis) -> Map:
    if axis.align_corners:
        return interpolation(mode, axis)
    o, inverted = np.arange(axis.outputs), 1 / ratio(axis)
    if mode == "nearest":
        return nearest(axis, np.floor(o * inverted))
    return at(mode, axis, ((o + 0.5) * inverted - 0.5).clip(-1, axis.inputs))


def _divided_by_zero(mode: str, axis: Axis) -> Map:
    found = interpolation(mode, axis)
    if not axis.align_corners or axis.outputs > 1 or not isinstance(found, Taps):
        return found
    return found._replace(weight=np.full_like(found.weight, np.nan))


AXES: list[tuple[str, str, Mapped, str | None]] = [
    ("corners always aligned", "align_corners is taken for True, once the default.", _aligned, None),
    ("corners never aligned", "align_corners is never read.", _not_aligned, None),
    ("half a pixel missing", "Positions are o * ratio, as TensorFlow 1's.", asymmetric, None),
    ("the first position alone for a size of 1", "It is ONNX's pytorch_half_pixel.", one_at_zero, None),
    ("nearest to the pixel's centre", "It is nearest-exact, or ONNX's half_pixel.", nearest_half_pixel, None),
    ("nearest rounded in place of rounded down", "`round` stands in place of `floor`.", _nearest_rounded, None),
    ("nearest with aligned corners", "The ratio is (inputs - 1) / (outputs - 1), rounded.", _nearest_aligned, None),
    ("nearest with the ratio in float32", "o * ratio falls below an integer.", _nearest_float32, None),
    ("nearest with a ratio of integers", "The scale is outputs // inputs.", _integer_ratio, None),
    ("ratio of sizes though a scale is given", "It is computed anew.", by_sizes, "Tencent/ncnn#6836"),
    ("ratio inverted", "Positions are multiplied by the scale, not divided by it.", _ratio_inverted, None),
    ("nearest in every mode", "The mode is never read.", _always_nearest, None),
    ("linear in place of cubic", "The mode is one of two.", _always_linear, None),
    ("linear weights exchanged", "t and 1 - t are mixed up.", _weights_exchanged, None),
    ("negative positions not moved to 0", "The position is cut off to 0, its weight isn't.", _extrapolated, None),
    ("linear border of zeros", "Neighbours beyond the border count as 0.", _linear_zeros, None),
    ("cubic with a = -1/2", "The kernel is TensorFlow 2's, or PIL's.", cubic_half, None),
    ("cubic border of zeros", "Neighbours beyond the border count as 0.", _cubic_zeros, None),
    ("cubic weights renormalised at the border", "Neighbours beyond it are left out.", _cubic_renormalised, None),
    ("cubic position moved to 0", "Negative positions are clamped as for linear.", _cubic_clamped, None),
    (
        "aligned corners divide by zero where the output has size 1",
        "The ratio is (inputs - 1) / (outputs - 1) without a check.",
        _divided_by_zero,
        "ml-explore/mlx#3769",
    ),
]  # fmt: skip


def maps_of(input: Array, attributes: dict[str, Any], along: Mapped) -> list[Map]:
    """Return what `along` makes of each axis of a call."""
    mode, axes = read_axes(input, attributes)
    return [along(mode, axis) for axis in axes]


for _name, _cause, _along, _thread in AXES:

    @wrong("upsample", _name, _cause, thread=_thread)
    def _misplaced(input: Array, along: Any = _along, **attributes: Any) -> Array:
        return resample(np.ascontiguousarray(input), maps_of(input, attributes, along))


def _reversed(entries: Any) -> Any:
    return tuple(entries[::-1]) if isinstance(entries, tuple | list) else entries


@wrong("upsample", "size or scale swapped between axes", "They are read as (x, y).")
def _swapped(input: Array, **attributes: Any) -> Array:
    swapped = {name: _reversed(attributes[name]) for name in ("size", "scale_factor")}
    sizes, factors = input.shape[2:], swapped["scale_factor"]
    if isinstance(factors, tuple):  # none of them may leave nothing
        swapped["scale_factor"] = tuple(max(f, 1 / size) for f, size in zip(factors, sizes, strict=True))
    return refconv.upsample(input, **{**attributes, **swapped})


@wrong("upsample", "output size rounded in place of rounded down", "The size is round(size * scale_factor).")
def _rounded(input: Array, **attributes: Any) -> Array:
    mode, axes = read_axes(input, attributes)
    maps = [
        interpolation(mode, axis if axis.scale is None else axis._replace(outputs=int(axis.inputs * axis.scale + 0.5)))
        for axis in axes
    ]
    return resample(np.ascontiguousarray(input), maps)


def other_ratio(mode: str, axes: list[Axis]) -> list[Map]:
    """Return the maps where an axis has the scale of the one that mirrors it."""
    other = [axis.outputs / axis.inputs if axis.scale is None else axis.scale for axis in axes][::-1]
    return [interpolation(mode, axis._replace(scale=scale)) for axis, scale in zip(axes, other, strict=True)]


@wrong("upsample", "ratio swapped between axes, though not the output's size", "Two factors in the loop are mixed up.")
def _ratio_swapped(input: Array, **attributes: Any) -> Array:
    mode, axes = read_axes(input, attributes)
    if len(axes) == 1:
        return refconv.upsample(input, **attributes)
    return resample(np.ascontiguousarray(input), other_ratio(mode, axes))


@wrong("upsample", "resized along the last axis only", "The other axes take the nearest.")
def _last_axis(input: Array, **attributes: Any) -> Array:
    mode, axes = read_axes(input, attributes)
    maps = [interpolation("nearest", axis) for axis in axes[:-1]]
    return resample(np.ascontiguousarray(input), [*maps, interpolation(mode, axes[-1])])


@wrong("upsample", "every element of the batch gets the first one's result", "The batch's offset is missing.")
def _first_of_batch(input: Array, **attributes: Any) -> Array:
    return refconv.upsample(first_of_batch(input), **attributes)


@wrong("upsample", "every channel gets the first one's result", "The channel's offset is missing.")
def _first_channel(input: Array, **attributes: Any) -> Array:
    return refconv.upsample(first_channel(input), **attributes)


@wrong("upsample", "last column not written", "A loop over the output's last axis ends one too early.", unwritten=True)
def _last_unwritten(input: Array, **attributes: Any) -> Array:
    output = refconv.upsample(input, **attributes)
    output[..., -1] = np.nan
    return output


nan_lost(wrong, "upsample")
