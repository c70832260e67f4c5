"""Wrong gradients of upsampling: those of a wrong forward, and those that go elsewhere."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_of_batch
from oracle.diagnosis.variants.upsample import AXES, maps_of, other_ratio, read_axes
from refconv import InputGradient
from refconv.arguments import Array
from refconv.interpolation import Axis, interpolation
from refconv.resampling import Map, Ranges, Taps, resample, transposed

wrong = Catalogue()

for _name, _cause, _along, _thread in AXES:

    @wrong("upsample_backward", _name, _cause, thread=_thread)
    def _misplaced(grad_output: Array, input: Array, along: Any = _along, **attributes: Any) -> InputGradient:
        maps = transposed(maps_of(input, attributes, along))
        return InputGradient(resample(np.ascontiguousarray(grad_output), maps))


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
    def _gone_elsewhere(grad_output: Array, input: Array, back: Any = _back, **attributes: Any) -> InputGradient:
        return InputGradient(resample(np.ascontiguousarray(grad_output), maps_of(input, attributes, back)))


@wrong("upsample_backward", "ratio swapped between axes", "Two factors in the loop are mixed up.")
def _ratio_swapped_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    mode, axes = read_axes(input, attributes)
    if len(axes) == 1:
        return refconv.upsample_backward(grad_output, input, **attributes)
    return InputGradient(resample(np.ascontiguousarray(grad_output), transposed(other_ratio(mode, axes))))


@wrong(
    "upsample_backward", "every element of the batch gets the first one's gradient", "The batch's offset is missing."
)
def _first_of_batch_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.upsample_backward(first_of_batch(grad_output), input, **attributes)
