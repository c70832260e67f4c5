"""Wrong concat."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import saturating
from refconv import ConcatGradients
from refconv.arguments import Array

wrong = Catalogue()


@wrong("concat", "order swapped", "The second array is written first.")
def _other_first(input: Array, other: Array, *, axis: int) -> Array:
    return refconv.concat(other, input, axis=axis)


@wrong("concat", "one buffer behind the other", "Both are copied whole, right only where no axis before has a size.")
def _buffers_joined(input: Array, other: Array, *, axis: int) -> Array:
    shape = refconv.concat(input, other, axis=axis).shape
    return like(input, np.concatenate([input.ravel(), other.ravel()]).reshape(shape))


@wrong("concat", "axis ignored", "Both are joined along the channels, whatever the axis, where their shapes allow it.")
def _along_channels(input: Array, other: Array, *, axis: int) -> Array:
    return refconv.concat(input, other, axis=1 if input.shape == other.shape else axis)


@wrong("concat", "negative axis off by one", "Counting from the end starts at 0: -1 is taken for the last but one.")
def _axis_miscounted(input: Array, other: Array, *, axis: int) -> Array:
    moved = axis < 0 and input.shape == other.shape
    return refconv.concat(input, other, axis=(axis - 1) % input.ndim if moved else axis)


@wrong("concat_backward", "gradients swapped", "The two parts of the gradient are returned in the wrong order.")
def _parts_swapped(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    grads = refconv.concat_backward(grad_output, input, other, axis=axis)
    return ConcatGradients(grads.other, grads.input)


@wrong("concat_backward", "offset of the second part forgotten", "Both parts are read from the start.")
def _offset_forgotten(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    grads = refconv.concat_backward(grad_output, input, other, axis=axis)
    first = grad_output.take(range(other.shape[axis]), axis)
    return grads._replace(other=like(other, first))


@wrong("concat_backward", "gradient cut in halves", "The sizes along the axis are taken to be alike.")
def _halved(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    del other
    first, second = np.array_split(grad_output, 2, axis)
    return ConcatGradients(like(input, first), like(input, second))


@wrong("concat_backward", "gradient cut as one buffer", "The buffer is split in two, as if no axis came before.")
def _buffer_cut(grad_output: Array, input: Array, other: Array, **_: Any) -> ConcatGradients:
    first, second = np.split(grad_output.ravel(), [input.size])
    return ConcatGradients(like(input, first.reshape(input.shape)), like(other, second.reshape(other.shape)))


saturating(wrong, "concat")


@wrong("concat", "sign of zero lost", "Elements are moved by adding them to a result of zeros.")
def _added_to_zero(input: Array, other: Array, *, axis: int) -> Array:
    output: Array = refconv.concat(input, other, axis=axis) + input.dtype.type(0)
    return output
