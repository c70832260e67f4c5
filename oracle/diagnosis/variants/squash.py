"""Wrong squash."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.along_an_axis import flattened, last_axis
from oracle.diagnosis.variants.arrays import like
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


for _called in ("squash", "squash_backward"):
    wrong(_called, "last axis, whatever the axis", "The axis is ignored.")(last_axis(_called))


wrong("squash", "all axes together", "The sum runs over the whole array.")(flattened("squash", batch=True))


def _length(input: Array, axis: int) -> Array:
    length: Array = np.sqrt((input.astype(np.float64) ** 2).sum(axis, keepdims=True))
    return length


@wrong("squash", "length not squared", "|s| / (1 + |s|) in place of |s|^2 / (1 + |s|^2).")
@np.errstate(all="ignore")
def _squash_unsquared(input: Array, *, axis: int) -> Array:
    return like(input, input / (1 + _length(input, axis)))


@wrong("squash", "NaN at the vector 0", "0 is divided by its length, 0.")
@np.errstate(all="ignore")
def _squash_nan(input: Array, *, axis: int) -> Array:
    return like(input, np.where(_length(input, axis) == 0, np.nan, refconv.squash(input, axis=axis)))


@wrong("squash", "each element by itself", "The length is taken of one element, not of the vector.")
def _squash_elements(input: Array, **_: Any) -> Array:
    return refconv.squash(input[..., None], axis=-1)[..., 0].copy()


@wrong("squash", "direction not normalised", "|s|^2 / (1 + |s|^2) is multiplied by s, not by s / |s|.")
@np.errstate(all="ignore")
def _squash_long(input: Array, *, axis: int) -> Array:
    length = _length(input, axis)
    return like(input, input * (length**2 / (1 + length**2)))


@wrong("squash_backward", "NaN at the vector 0", "0 is divided by its length, 0.")
def _squash_nan_backward(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    right = refconv.squash_backward(grad_output, input, axis=axis).input
    return InputGradient(like(input, np.where(_length(input, axis) == 0, np.nan, right)))


@wrong("squash_backward", "length taken for a constant", "Nothing goes back through the factor |s| / (1 + |s|^2).")
@np.errstate(all="ignore")
def _squash_constant(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    length = _length(input, axis)
    return InputGradient(like(input, grad_output * (length / (1 + length**2))))


@wrong("squash_backward", "each element by itself", "The length is taken of one element, not of the vector.")
def _squash_elements_backward(grad_output: Array, input: Array, **_: Any) -> InputGradient:
    grads = refconv.squash_backward(grad_output[..., None], input[..., None], axis=-1)
    return InputGradient(grads.input[..., 0].copy())
