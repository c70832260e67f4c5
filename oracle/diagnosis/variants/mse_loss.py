"""Wrong mean squared error."""

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.reduction import rescaled
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


for _called in ("mse_loss", "mse_loss_backward"):
    wrong(_called, "summed, not averaged", "The sum over all terms isn't divided by their number.")(
        rescaled(_called, lambda _, __: 1)
    )
    wrong(_called, "divided by the batch alone", "Positions are summed over, but not counted.")(
        rescaled(_called, lambda scores, _: len(scores))
    )


@wrong("mse_loss", "halved", "Textbooks take half of the mean, so that the gradient has no factor.")
@np.errstate(all="ignore")
def _halved(input: Array, target: Array) -> Array:
    return like(input, refconv.mse_loss(input, target) / 2)


@wrong("mse_loss", "root of the mean", "The root mean squared error taken for the mean squared error.")
@np.errstate(all="ignore")
def _rooted(input: Array, target: Array) -> Array:
    return like(input, np.sqrt(refconv.mse_loss(input, target)))


@wrong("mse_loss", "absolute values for squares", "The mean absolute error taken for the mean squared error.")
@np.errstate(all="ignore")
def _absolute(input: Array, target: Array) -> Array:
    return like(input, abs(input.astype(np.float64) - target).sum() / np.float64(input.size))


@wrong("mse_loss_backward", "factor 2 missing", "The square's derivative is taken without its exponent.")
@np.errstate(all="ignore")
def _factor_missing(grad_output: Array, input: Array, target: Array) -> InputGradient:
    return refconv.mse_loss_backward(like(input, grad_output / 2), input, target)


@wrong("mse_loss_backward", "sign turned", "target - input in place of input - target.")
def _turned(grad_output: Array, input: Array, target: Array) -> InputGradient:
    return refconv.mse_loss_backward(grad_output, target, input)


@wrong("mse_loss_backward", "grad_output ignored", "The loss is taken for the end of the chain.")
def _squares_unchained(grad_output: Array, input: Array, target: Array) -> InputGradient:
    return refconv.mse_loss_backward(np.ones_like(grad_output), input, target)
