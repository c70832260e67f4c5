"""Wrong functions of each element by itself."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import fitted, incomplete_key, modifying, saturating, symptom
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


@wrong("relu", "NaN made 0", "A comparison with 0 chooses the branch, and is false for NaN.")
def _relu_without_nan(input: Array) -> Array:
    return like(input, np.where(input > 0, input, 0))


@wrong("relu", "values above 6 cut off", "ReLU6 taken for ReLU.")
def _relu_six(input: Array) -> Array:
    return like(input, refconv.relu(input).clip(None, 6))


@wrong("relu", "negative values leak", "A leaky ReLU with its default slope of 0.01 taken for ReLU.")
def _relu_leaks(input: Array) -> Array:
    return refconv.leaky_relu(input, negative_slope=0.01)


@wrong("relu_backward", "gradient passes at 0", "The mask is input >= 0 in place of input > 0.")
def _relu_at_zero(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, np.where(input >= 0, grad_output, 0)))


@wrong("relu_backward", "mask forgotten", "The gradient is handed on, whatever the input's sign.")
def _relu_unmasked(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output))


@wrong("relu_backward", "gradient cut off by its own sign", "The mask is made from grad_output, not from the input.")
def _relu_by_gradient(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, refconv.relu(grad_output)))


@wrong("relu_backward", "negative gradients dropped as well", "Guided backpropagation, meant to make pictures.")
def _relu_guided(grad_output: Array, input: Array) -> InputGradient:
    return refconv.relu_backward(refconv.relu(grad_output), input)


@wrong("leaky_relu", "slope ignored", "The slope is 0.01 whatever is asked for.")
def _leaky_fixed(input: Array, **_: Any) -> Array:
    return refconv.leaky_relu(input, negative_slope=0.01)


@wrong("leaky_relu", "maximum of both branches", "max(x, slope * x) is right only for slopes from 0 to 1.")
@np.errstate(all="ignore")
def _leaky_maximum(input: Array, *, negative_slope: float) -> Array:
    return like(input, np.maximum(input, input * input.dtype.type(negative_slope)))


@wrong("leaky_relu", "slope on the positive side", "The branches are swapped.")
def _leaky_swapped(input: Array, *, negative_slope: float) -> Array:
    return like(input, -refconv.leaky_relu(-input, negative_slope=negative_slope))


@wrong("leaky_relu_backward", "slope forgotten", "The gradient is ReLU's: 0 where the input is negative.")
def _leaky_zero(grad_output: Array, input: Array, **_: Any) -> InputGradient:
    return refconv.relu_backward(grad_output, input)


@wrong("leaky_relu_backward", "slope ignored", "The slope is 0.01 whatever is asked for.")
def _leaky_fixed_backward(grad_output: Array, input: Array, **_: Any) -> InputGradient:
    return refconv.leaky_relu_backward(grad_output, input, negative_slope=0.01)


@wrong("leaky_relu_backward", "branch chosen by the output", "A negative slope turns the sign of the output.")
def _leaky_by_output(grad_output: Array, input: Array, *, negative_slope: float) -> InputGradient:
    output = refconv.leaky_relu(input, negative_slope=negative_slope)
    return refconv.leaky_relu_backward(grad_output, output, negative_slope=negative_slope)


@wrong("leaky_relu_backward", "slope on the positive side", "The branches are swapped.")
def _leaky_swapped_backward(grad_output: Array, input: Array, *, negative_slope: float) -> InputGradient:
    return refconv.leaky_relu_backward(grad_output, -input, negative_slope=negative_slope)


@wrong("sigmoid", "NaN where exp overflows", "exp(x) / (1 + exp(x)) is infinity by infinity for large x.")
@np.errstate(all="ignore")
def _sigmoid_overflows(input: Array) -> Array:
    power = np.exp(input)
    return like(input, power / (1 + power))


@wrong("sigmoid", "sign of the input turned", "1 / (1 + exp(x)) lacks the minus in the exponent.")
def _sigmoid_turned(input: Array) -> Array:
    return refconv.sigmoid(-input)


@wrong("sigmoid", "hard sigmoid", "A piecewise linear approximation, x / 6 + 1/2 cut off at 0 and 1.")
def _sigmoid_hard(input: Array) -> Array:
    return like(input, (input / 6 + 0.5).clip(0, 1))


@wrong("sigmoid_backward", "factor 1 - y missing", "The derivative is taken to be the output itself.")
@np.errstate(all="ignore")
def _sigmoid_half(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output * refconv.sigmoid(input)))


@wrong("sigmoid_backward", "input taken for the output", "y * (1 - y) is made of the input, not of its sigmoid.")
@np.errstate(all="ignore")
def _sigmoid_of_input(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output * input * (1 - input)))


@wrong("sigmoid_backward", "output taken for the input", "The sigmoid is applied again, to what has gone through it.")
def _sigmoid_twice(grad_output: Array, input: Array) -> InputGradient:
    return refconv.sigmoid_backward(grad_output, refconv.sigmoid(input))


@wrong("sigmoid_backward", "grad_output ignored", "The derivative is returned without the chain rule.")
def _sigmoid_unchained(grad_output: Array, input: Array) -> InputGradient:
    return refconv.sigmoid_backward(np.ones_like(grad_output, order="C"), input)


@wrong("tanh", "NaN where exp overflows", "(exp(x) - exp(-x)) / (exp(x) + exp(-x)) is infinity by infinity far from 0.")
@np.errstate(all="ignore")
def _tanh_overflows(input: Array) -> Array:
    power, inverse = np.exp(input), np.exp(-input)
    return like(input, (power - inverse) / (power + inverse))


@wrong("tanh", "argument halved", "2 * sigmoid(x) - 1 in place of 2 * sigmoid(2 * x) - 1.")
def _tanh_of_half(input: Array) -> Array:
    return refconv.tanh(input / 2)


@wrong("tanh_backward", "input taken for the output", "1 - y**2 is made of the input, not of its tanh.")
@np.errstate(all="ignore")
def _tanh_of_input(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output * (1 - input * input)))


@wrong("tanh_backward", "square missing", "1 - y in place of 1 - y**2.")
@np.errstate(all="ignore")
def _tanh_unsquared(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output * (1 - refconv.tanh(input))))


@wrong("tanh_backward", "output taken for the input", "The tanh is applied again, to what has gone through it.")
def _tanh_twice(grad_output: Array, input: Array) -> InputGradient:
    return refconv.tanh_backward(grad_output, refconv.tanh(input))


@wrong("tanh_backward", "grad_output ignored", "The derivative is returned without the chain rule.")
def _tanh_unchained(grad_output: Array, input: Array) -> InputGradient:
    return refconv.tanh_backward(np.ones_like(grad_output, order="C"), input)


modifying(wrong, "relu", 0)
incomplete_key(wrong, "leaky_relu", "negative_slope")
saturating(wrong, "relu")


@symptom(wrong, "relu_backward", "must refuse")
def _relu_backward_unchecked(grad_output: Array, input: Array) -> Any:
    return refconv.relu_backward(fitted(grad_output, input.shape), input)
