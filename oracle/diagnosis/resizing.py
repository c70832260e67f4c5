"""More of wrong upsampling: axes and sizes that are mixed up, and gradients that go elsewhere."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.upsampling import read_axes
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.windows import first_channel, first_of_batch
from refconv import InputGradient
from refconv.arguments import Array
from refconv.interpolation import Axis, interpolation
from refconv.resampling import Map, Ranges, Taps, resample, transposed

wrong = Catalogue()


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


def _other_ratio(mode: str, axes: list[Axis]) -> list[Map]:
    """Return the maps where an axis has the scale of the one that mirrors it."""
    other = [axis.outputs / axis.inputs if axis.scale is None else axis.scale for axis in axes][::-1]
    return [interpolation(mode, axis._replace(scale=scale)) for axis, scale in zip(axes, other, strict=True)]


@wrong("upsample", "ratio swapped between axes, though not the output's size", "Two factors in the loop are mixed up.")
def _ratio_swapped(input: Array, **attributes: Any) -> Array:
    mode, axes = read_axes(input, attributes)
    if len(axes) == 1:
        return refconv.upsample(input, **attributes)
    return resample(np.ascontiguousarray(input), _other_ratio(mode, axes))


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


# Gradients.


def _wrong_pixel(mode: str, axis: Axis) -> Map:
    """Return the map of the gradient of "nearest" with its outputs' begin and end rounded down, not up."""
    if mode != "nearest":
        return interpolation(mode, axis).transposed()
    ratio = axis.outputs / axis.inputs if axis.scale is None else axis.scale
    edges = np.floor(np.arange(axis.inputs + 1) * ratio).astype(np.int64).clip(0, axis.outputs)
    return Ranges(axis.outputs, edges[:-1], edges[1:])


def _first_only(mode: str, axis: Axis) -> Map:
    """Return the map of the gradient of "nearest" that reads one output for each input."""
    if mode != "nearest":
        return interpolation(mode, axis).transposed()
    ratio = axis.outputs / axis.inputs if axis.scale is None else axis.scale
    index = np.floor(np.arange(axis.inputs) * ratio).astype(np.int64).clip(0, axis.outputs - 1)
    return Ranges(axis.outputs, index, index + 1)


def _assigned(mode: str, axis: Axis) -> Map:
    """Return the map of the gradient that keeps the last output of each input."""
    found = interpolation(mode, axis).transposed()
    if isinstance(found, Ranges):
        return found._replace(begin=np.maximum(found.end - 1, found.begin))
    counts = np.diff(found.begin)
    last = found.begin[1:][counts > 0] - 1
    begin = np.concatenate(([0], (counts > 0).cumsum()))
    return Taps(found.inputs, begin, found.source[last], found.weight[last])


def _averaged(mode: str, axis: Axis) -> Map:
    """Return the map of the gradient, divided by how many outputs an input has on average."""
    found = interpolation(mode, axis).transposed()
    if isinstance(found, Ranges):
        counts = found.end - found.begin
        begin = np.concatenate(([0], counts.cumsum()))
        source = np.arange(begin[-1]) - np.repeat(begin[:-1] - found.begin, counts)
        found = Taps(found.inputs, begin, source, np.ones(len(source)))
    return found._replace(weight=found.weight * (axis.inputs / axis.outputs))


def _resized_back(mode: str, axis: Axis) -> Map:
    """Return the map that resizes the gradient as if it were an image."""
    return interpolation(mode, Axis(axis.outputs, axis.inputs, None, axis.align_corners))


_GRADIENTS: list[tuple[str, str, Callable[[str, Axis], Map], str | None]] = [
    (
        "nearest gradient to the wrong pixel",
        "The range of outputs of a pixel is found by the scale rounded down, where it begins at the next.",
        _wrong_pixel,
        "pytorch/pytorch#38985",
    ),
    ("nearest gradient of one output for each input", "The gradient is subsampled, not summed.", _first_only, None),
    (
        "gradient assigned, not added",
        "`=` stands where `+=` should, so the last output that reads an element wins.",
        _assigned,
        None,
    ),
    ("gradient divided by the scale", "The outputs of an element are averaged, not summed.", _averaged, None),
    (
        "gradient resized like an image",
        "The backward is a call of the forward with the sizes exchanged.",
        _resized_back,
        None,
    ),
]

for _name, _cause, _back, _thread in _GRADIENTS:

    @wrong("upsample_backward", _name, _cause, thread=_thread)
    def _backward(grad_output: Array, input: Array, back: Any = _back, **attributes: Any) -> InputGradient:
        mode, axes = read_axes(input, attributes)
        return InputGradient(resample(np.ascontiguousarray(grad_output), [back(mode, axis) for axis in axes]))


@wrong("upsample_backward", "ratio swapped between axes", "Two factors in the loop are mixed up.")
def _ratio_swapped_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    mode, axes = read_axes(input, attributes)
    if len(axes) == 1:
        return refconv.upsample_backward(grad_output, input, **attributes)
    return InputGradient(resample(np.ascontiguousarray(grad_output), transposed(_other_ratio(mode, axes))))


@wrong(
    "upsample_backward", "every element of the batch gets the first one's gradient", "The batch's offset is missing."
)
def _first_of_batch_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.upsample_backward(first_of_batch(grad_output), input, **attributes)
