"""Wrong softmax, and wrong logarithms of it."""

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.along_an_axis import flattened, last_axis
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import in_half, modifying, strides_ignored
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


for _operator in ("softmax", "log_softmax"):
    for _called in (_operator, f"{_operator}_backward"):
        wrong(_called, "last axis, whatever the axis", "The axis is ignored.")(last_axis(_called))

    wrong(_operator, "all axes together", "The sum runs over the whole array.")(flattened(_operator, batch=True))
    wrong(_operator, "all axes from the axis on", "They are flattened into one, as ONNX did before opset 13.")(
        flattened(_operator, batch=False)
    )


@wrong("softmax", "not shifted by the maximum", "exp overflows, and infinity by infinity is NaN.")
@np.errstate(all="ignore")
def _softmax_overflows(input: Array, *, axis: int) -> Array:
    power = np.exp(input)
    return like(input, power / power.sum(axis, keepdims=True))


@wrong("softmax", "shifted by the maximum of all", "A row far below the largest value underflows to 0 / 0.")
@np.errstate(all="ignore")
def _softmax_underflows(input: Array, *, axis: int) -> Array:
    power = np.exp(input - input.max(initial=-np.inf))
    return like(input, power / power.sum(axis, keepdims=True))


@wrong("softmax_backward", "diagonal alone", "Each share's derivative by the other inputs is forgotten: y * (1 - y).")
@np.errstate(all="ignore")
def _softmax_diagonal(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    share = refconv.softmax(input, axis=axis)
    return InputGradient(like(input, grad_output * share * (1 - share)))


@wrong("softmax_backward", "sum along the axis missing", "The gradient is multiplied by the shares, and no more.")
@np.errstate(all="ignore")
def _softmax_unsummed(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    return InputGradient(like(input, grad_output * refconv.softmax(input, axis=axis)))


@wrong("softmax_backward", "gradient alone summed", "The sum is of grad_output, not of grad_output times the shares.")
@np.errstate(all="ignore")
def _softmax_plain_sum(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    share = refconv.softmax(input, axis=axis)
    return InputGradient(like(input, share * (grad_output - grad_output.sum(axis, keepdims=True))))


@wrong("log_softmax", "minus infinity where a share underflows", "It is the logarithm of softmax, in two steps.")
@np.errstate(all="ignore")
def _logarithm_of_softmax(input: Array, *, axis: int) -> Array:
    return like(input, np.log(refconv.softmax(input, axis=axis)))


@wrong("log_softmax", "not shifted by the maximum", "exp overflows, and the logarithm of infinity is subtracted.")
@np.errstate(all="ignore")
def _log_softmax_overflows(input: Array, *, axis: int) -> Array:
    return like(input, input - np.log(np.exp(input).sum(axis, keepdims=True)))


@wrong(
    "log_softmax_backward", "sum of the gradient taken for 1", "grad_output - softmax holds for one-hot targets only."
)
@np.errstate(all="ignore")
def _log_softmax_one(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    return InputGradient(like(input, grad_output - refconv.softmax(input, axis=axis)))


@wrong("log_softmax_backward", "softmax's gradient", "The logarithm's derivative is forgotten.")
def _log_softmax_linear(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    return refconv.softmax_backward(grad_output, input, axis=axis)


@wrong("log_softmax_backward", "output not exponentiated", "The saved output, a logarithm, is taken for the shares.")
@np.errstate(all="ignore")
def _log_softmax_raw(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    output = refconv.log_softmax(input, axis=axis)
    return InputGradient(like(input, grad_output - output * grad_output.sum(axis, keepdims=True)))


@wrong("log_softmax_backward", "gradient not summed along the axis", "Each element is multiplied by 1 - softmax.")
@np.errstate(all="ignore")
def _log_softmax_diagonal(grad_output: Array, input: Array, *, axis: int) -> InputGradient:
    return InputGradient(like(input, grad_output * (1 - refconv.softmax(input, axis=axis))))


modifying(wrong, "softmax_backward", 0)
strides_ignored(wrong, "softmax", 0, "input")
in_half(wrong, "softmax")
