"""Wrong losses, and what they are made of: softmax, its logarithm, and squash."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.pointwise import like
from oracle.diagnosis.variant import Catalogue
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()

_ALONG = ("softmax", "log_softmax", "squash")


def _last(called: str) -> Callable[..., Any]:
    def function(*arrays: Array, **_: Any) -> Any:
        return getattr(refconv, called)(*arrays, axis=-1)

    return function


for _operator in _ALONG:
    for _called in (_operator, f"{_operator}_backward"):
        wrong(_called, "last axis, whatever the axis", "The axis is ignored.")(_last(_called))


def _flattened(called: str, *, batch: bool) -> Callable[..., Any]:
    """Return the function `called` along several axes: all, or from `axis` on."""

    def function(*arrays: Array, axis: int) -> Any:
        shape = arrays[-1].shape
        first = 0 if batch else axis % len(shape)
        rows = int(np.prod(shape[:first]))
        if not arrays[-1].size:
            return getattr(refconv, called)(*arrays, axis=axis)
        result = getattr(refconv, called)(*(array.reshape(rows, -1) for array in arrays), axis=1)
        return result.reshape(shape) if len(arrays) == 1 else InputGradient(result.input.reshape(shape))

    return function


for _operator in _ALONG:
    wrong(_operator, "all axes together", "The sum runs over the whole array.")(_flattened(_operator, batch=True))
for _operator in ("softmax", "log_softmax"):
    wrong(_operator, "all axes from the axis on", "They are flattened into one, as ONNX did before opset 13.")(
        _flattened(_operator, batch=False)
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


_LOSSES = ("cross_entropy", "mse_loss")


def _rescaled(called: str, divisor: Callable[[Array, Array], float]) -> Callable[..., Any]:
    """Return a loss, or its backward, divided by another number than that of its terms."""

    @np.errstate(all="ignore")
    def function(*arrays: Array) -> Any:
        input, target = arrays[-2:]
        result = getattr(refconv, called)(*arrays)
        factor = np.divide(target.size, divisor(input, target))
        if isinstance(result, InputGradient):
            return InputGradient(like(input, result.input * factor))
        return like(input, result * factor)

    return function


for _called in [f"{_operator}{_suffix}" for _operator in _LOSSES for _suffix in ("", "_backward")]:
    wrong(_called, "summed, not averaged", "The sum over all terms isn't divided by their number.")(
        _rescaled(_called, lambda _, __: 1)
    )
    wrong(_called, "divided by the batch alone", "Positions are summed over, but not counted.")(
        _rescaled(_called, lambda scores, _: len(scores))
    )
for _called in ("cross_entropy", "cross_entropy_backward"):
    wrong(_called, "divided by the classes, too", "The mean is over all scores.")(
        _rescaled(_called, lambda scores, _: scores.size)
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
