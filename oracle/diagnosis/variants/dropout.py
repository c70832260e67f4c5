"""Wrong dropout."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import handing_back
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


@wrong("dropout", "not scaled", "What is kept isn't divided by 1 - p, as where inference scales.")
def _dropout_unscaled(input: Array, mask: Array, **_: Any) -> Array:
    return refconv.dropout(input, mask, p=0.0)


@wrong("dropout", "divided by p", "p is taken for the share that is kept, as in the paper.")
@np.errstate(all="ignore")
def _dropout_by_p(input: Array, mask: Array, *, p: float) -> Array:
    return like(input, input * mask / np.float64(p))


@wrong("dropout", "multiplied by 1 - p", "The scaling is inference's, by which the paper keeps the mean.")
@np.errstate(all="ignore")
def _dropout_shrunk(input: Array, mask: Array, *, p: float) -> Array:
    return like(input, input * mask * input.dtype.type(1 - p))


@wrong("dropout", "mask inverted", "The mask is read as what is dropped.")
def _dropout_inverted(input: Array, mask: Array, *, p: float) -> Array:
    return refconv.dropout(input, 1 - mask, p=p)


@wrong("dropout_backward", "mask forgotten", "The gradient passes where the input was dropped.")
def _dropout_unmasked(grad_output: Array, input: Array, mask: Array, *, p: float) -> InputGradient:
    return refconv.dropout_backward(grad_output, input, np.ones_like(mask, order="C"), p=p)


@wrong("dropout_backward", "not scaled", "The forward divides by 1 - p, the backward doesn't.")
def _dropout_unscaled_backward(grad_output: Array, input: Array, mask: Array, **_: Any) -> InputGradient:
    return refconv.dropout_backward(grad_output, input, mask, p=0.0)


@wrong("dropout_backward", "scaled twice", "The upstream gradient is scaled, and the mask holds 1 / (1 - p) already.")
def _dropout_twice(grad_output: Array, input: Array, mask: Array, *, p: float) -> InputGradient:
    once = refconv.dropout_backward(grad_output, input, mask, p=p).input
    return refconv.dropout_backward(once, input, mask, p=p)


@wrong("dropout_backward", "one mask for each channel", "It is the mask of dropout by channels: its first element's.")
def _dropout_by_channels(grad_output: Array, input: Array, mask: Array, *, p: float) -> InputGradient:
    first: Any = [slice(None)] * min(mask.ndim, 2) + [slice(None, 1)] * (mask.ndim - 2)
    return refconv.dropout_backward(grad_output, input, np.array(np.broadcast_to(mask[tuple(first)], mask.shape)), p=p)


handing_back(wrong, "dropout", lambda p: p == 0)
