"""Wrong cross entropy."""

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.reduction import rescaled
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


for _called in ("cross_entropy", "cross_entropy_backward"):
    wrong(_called, "summed, not averaged", "The sum over all terms isn't divided by their number.")(
        rescaled(_called, lambda _, __: 1)
    )
    wrong(_called, "divided by the batch alone", "Positions are summed over, but not counted.")(
        rescaled(_called, lambda scores, _: len(scores))
    )
    wrong(_called, "divided by the classes, too", "The mean is over all scores.")(
        rescaled(_called, lambda scores, _: scores.size)
    )


@wrong("cross_entropy", "not shifted by the maximum", "exp overflows, and the logarithm of infinity is the loss.")
@np.errstate(all="ignore")
def _loss_overflows(input: Array, target: Array) -> Array:
    chosen = np.take_along_axis(input, target[:, None], axis=1)
    return like(input, (np.log(np.exp(input).sum(axis=1, keepdims=True)) - chosen).sum() / np.float64(target.size))


@wrong("cross_entropy", "probabilities cut off at 1e-7", "They are clipped before the logarithm, as Keras does.")
@np.errstate(all="ignore")
def _clipped(input: Array, target: Array) -> Array:
    share = refconv.softmax(input).astype(np.float64).clip(1e-7, 1 - 1e-7)
    return like(input, -np.log(np.take_along_axis(share, target[:, None], axis=1)).sum() / np.float64(target.size))


@wrong("cross_entropy", "infinite where a share underflows", "It is the logarithm of softmax, in two steps.")
@np.errstate(all="ignore")
def _infinite(input: Array, target: Array) -> Array:
    share = np.take_along_axis(refconv.softmax(input), target[:, None], axis=1)
    return like(input, -np.log(share).sum() / np.float64(target.size))


@wrong("cross_entropy", "softmax applied twice", "The loss is given probabilities, and takes them for scores.")
def _twice(input: Array, target: Array) -> Array:
    return refconv.cross_entropy(refconv.softmax(input), target)


@wrong("cross_entropy_backward", "grad_output ignored", "The loss is taken for the end of the chain.")
def _loss_unchained(grad_output: Array, input: Array, target: Array) -> InputGradient:
    return refconv.cross_entropy_backward(np.ones_like(grad_output), input, target)


@wrong("cross_entropy_backward", "target's 1 not subtracted", "The gradient is softmax without the one-hot target.")
@np.errstate(all="ignore")
def _no_one_hot(grad_output: Array, input: Array, target: Array) -> InputGradient:
    return InputGradient(like(input, grad_output * refconv.softmax(input) / np.float64(target.size)))


@wrong("cross_entropy_backward", "softmax over the last axis", "The classes are taken to be last.")
@np.errstate(all="ignore")
def _classes_last(grad_output: Array, input: Array, target: Array) -> InputGradient:
    hit = target[:, None] == np.arange(input.shape[1]).reshape(-1, *[1] * (input.ndim - 2))
    difference = refconv.softmax(input, axis=-1) - hit
    return InputGradient(like(input, grad_output * difference / np.float64(target.size)))
