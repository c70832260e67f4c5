"""Wrong add."""

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from refconv.arguments import Array
from refconv.layers.add import AddGradients

wrong = Catalogue()


@wrong("add", "other left out", "The shortcut is never added.")
def _other_left_out(input: Array, other: Array) -> Array:
    del other
    return like(input, input)


@wrong("add", "first image of other added to all", "The index into other lacks the batch, as where it broadcasts.")
def _other_broadcast(input: Array, other: Array) -> Array:
    return refconv.add(input, np.broadcast_to(other[:1], other.shape))


@wrong("add_backward", "gradient of other left out", "Only the first input's gradient is written.")
def _no_gradient_of_other(grad_output: Array, input: Array, other: Array) -> AddGradients:
    grads = refconv.add_backward(grad_output, input, other)
    return grads._replace(other=np.zeros_like(grads.other))


@wrong("add_backward", "gradient shared out", "Each input gets half of the gradient in place of all of it.")
@np.errstate(all="ignore")
def _gradient_shared(grad_output: Array, input: Array, other: Array) -> AddGradients:
    return refconv.add_backward(grad_output / 2, input, other)


@wrong("add_backward", "gradient counted twice", "Both inputs' gradients are accumulated into one buffer.")
@np.errstate(all="ignore")
def _gradient_doubled(grad_output: Array, input: Array, other: Array) -> AddGradients:
    return refconv.add_backward(grad_output * 2, input, other)
