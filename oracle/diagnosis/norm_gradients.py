"""Wrong batch, layer, instance and group norms, backward."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.normalized import NORMS, Axes, count, moments, per_channel, seen
from oracle.diagnosis.pointwise import like
from oracle.diagnosis.variant import Catalogue, Function
from refconv import NormGradients
from refconv.arguments import Array

wrong = Catalogue()


class _Parts(NamedTuple):
    """What the gradient of the input is made of, in float64 and as the norm sees it."""

    grad: Array  # grad_output
    h: Array  # grad_output * weight
    weight: Any
    z: Array  # the input, brought to mean 0 and variance 1
    reciprocal: Array  # 1 / sqrt(variance + eps)
    axes: Axes  # over which the mean and the variance are

    def mean(self, array: Array) -> Array:
        """Return the mean of what shares one."""
        found: Array = array.mean(self.axes, keepdims=True)
        return found

    def through(self, array: Array) -> Array:
        """Return what goes back through the variance, to be subtracted."""
        through: Array = self.z * self.mean(array * self.z)
        return through


def _parts(operator: str, grad_output: Array, input: Array, weight: Array | None, attributes: dict[str, Any]) -> _Parts:
    x, axes = seen(operator, input, attributes)
    mean, variance = moments(x, axes, None)
    reciprocal = 1 / np.sqrt(variance + attributes["eps"])
    ones = np.ones(input.shape)
    spread = (ones if weight is None else ones * per_channel(operator, weight, input.ndim)).reshape(x.shape)
    grad = grad_output.astype(np.float64).reshape(x.shape)
    return _Parts(grad, grad * spread, spread, (x - mean) * reciprocal, reciprocal, axes)


def _input_by(operator: str, formula: Callable[[_Parts], Any]) -> Function:
    """Return a backward with another gradient of the input, where its statistics are its own."""

    @np.errstate(all="ignore")
    def function(
        grad_output: Array, input: Array, weight: Array | None = None, *others: Array | None, **attributes: Any
    ) -> NormGradients:
        right = _backward(operator)(grad_output, input, weight, *others, **attributes)
        if not input.size or not attributes.get("training", True):
            return right
        grad = formula(_parts(operator, grad_output, input, weight, attributes))
        return right._replace(input=like(input, grad.reshape(input.shape)))

    return function


def _backward(operator: str) -> Callable[..., NormGradients]:
    backward: Callable[..., NormGradients] = getattr(refconv, f"{operator}_backward")
    return backward


def _summed(p: _Parts) -> Array:
    sums = count(p.h, p.axes)
    grad: Array = p.reciprocal * (p.h - sums * p.mean(p.h) - sums * p.through(p.h))
    return grad


_FORMULAS: tuple[tuple[str, str, Callable[[_Parts], Any]], ...] = (
    (
        "statistics taken for constants",
        "Nothing goes back through the mean and the variance.",
        lambda p: p.reciprocal * p.h,
    ),
    (
        "gradient through the mean forgotten",
        "The mean of the gradients isn't subtracted.",
        lambda p: p.reciprocal * (p.h - p.through(p.h)),
    ),
    (
        "gradient through the variance forgotten",
        "Only the mean of the gradients is subtracted.",
        lambda p: p.reciprocal * (p.h - p.mean(p.h)),
    ),
    ("sums for means", "What is subtracted isn't divided by the count.", _summed),
    (
        "division by the standard deviation forgotten",
        "The factor 1 / sqrt(variance + eps) is missing.",
        lambda p: p.h - p.mean(p.h) - p.through(p.h),
    ),
)
for _operator in NORMS:
    for _name, _cause, _formula in _FORMULAS:
        wrong(f"{_operator}_backward", _name, _cause)(_input_by(_operator, _formula))

for _operator in ("layer_norm", "group_norm"):  # elsewhere, those that share a mean share a weight
    wrong(
        f"{_operator}_backward",
        "weight multiplied by after the means",
        "The means must be those of grad_output * weight: the weight differs among what shares a mean.",
    )(_input_by(_operator, lambda p: p.weight * p.reciprocal * (p.grad - p.mean(p.grad) - p.through(p.grad))))


def _changed(operator: str, change: Callable[[NormGradients, Array, Array], NormGradients]) -> Function:
    """Return a backward whose gradients are changed; `change` gets them, `grad_output` and the input."""

    @np.errstate(all="ignore")
    def function(grad_output: Array, input: Array, *others: Array | None, **attributes: Any) -> NormGradients:
        right = _backward(operator)(grad_output, input, *others, **attributes)
        return change(right, grad_output, input) if input.size else right

    return function


def _terms(grads: NormGradients, input: Array) -> float:
    """Return how many terms the gradients of the weight and the bias sum."""
    found = grads.weight if grads.weight is not None else grads.bias
    return 1 if found is None else input.size / found.size


def _averaged(name: str) -> Callable[[NormGradients, Array, Array], NormGradients]:
    def change(grads: NormGradients, _: Array, input: Array) -> NormGradients:
        sums = getattr(grads, name)
        return grads if sums is None else grads._replace(**{name: like(input, sums / _terms(grads, input))})

    return change


def _weight_from_the_input(operator: str) -> Callable[[NormGradients, Array, Array], NormGradients]:
    def change(grads: NormGradients, grad_output: Array, input: Array) -> NormGradients:
        if grads.weight is None:
            return grads
        products = grad_output.astype(np.float64) * input
        return grads._replace(weight=like(input, _total(operator, products, grads.weight)))

    return change


def _total(operator: str, array: Array, parameter: Array) -> Array:
    """Return the sums of `array` over what shares an entry of `parameter`, in its shape."""
    first = array.ndim - parameter.ndim
    axes = tuple(range(first)) if operator == "layer_norm" else (0, *range(2, array.ndim))
    total: Array = array.sum(axes)
    return total


def _last_image(operator: str) -> Callable[[NormGradients, Array, Array], NormGradients]:
    def change(grads: NormGradients, grad_output: Array, input: Array) -> NormGradients:
        if grads.bias is None or (operator == "layer_norm" and grads.bias.ndim == input.ndim):
            return grads
        last = grad_output[-1:].astype(np.float64)
        return grads._replace(bias=like(input, _total(operator, last, grads.bias)))

    return change


def _without_weight(operator: str) -> Function:
    def function(grad_output: Array, input: Array, weight: Any, *others: Any, **attributes: Any) -> NormGradients:
        right = _backward(operator)(grad_output, input, weight, *others, **attributes)
        return right._replace(input=_backward(operator)(grad_output, input, None, *others, **attributes).input)

    return function


def _without_eps(operator: str) -> Function:
    def function(*arrays: Array | None, **attributes: Any) -> NormGradients:
        return _backward(operator)(*arrays, **{**attributes, "eps": 0.0})

    return function


for _operator in NORMS:
    _called = f"{_operator}_backward"
    wrong(_called, "weight forgotten in the gradient of the input", "grad_output isn't multiplied by the weight.")(
        _without_weight(_operator)
    )
    wrong(_called, "eps forgotten", "The forward adds it to the variance, the backward doesn't.")(
        _without_eps(_operator)
    )
    wrong(_called, "gradient of the weight from the raw input", "It is multiplied by the input, not normalised first.")(
        _changed(_operator, _weight_from_the_input(_operator))
    )
    wrong(_called, "gradient of the weight averaged", "The sum is divided by its number of terms.")(
        _changed(_operator, _averaged("weight"))
    )
    wrong(_called, "gradient of the bias averaged", "The sum is divided by its number of terms.")(
        _changed(_operator, _averaged("bias"))
    )
    wrong(_called, "gradient of the bias of the last image alone", "It is assigned for each image, not accumulated.")(
        _changed(_operator, _last_image(_operator))
    )


@wrong("batch_norm_backward", "running statistics normalise in training", "The backward is that of inference.")
def _running_in_training(*arrays: Any, **attributes: Any) -> NormGradients:
    training = attributes["training"] and arrays[-1] is None
    return refconv.batch_norm_backward(*arrays, **{**attributes, "training": training})


@wrong("batch_norm_backward", "batch's statistics normalise in inference", "The backward is that of training.")
def _batch_in_inference(grad_output: Array, input: Array, *others: Any, **attributes: Any) -> NormGradients:
    training = attributes["training"] or input.size > input.shape[1]
    return refconv.batch_norm_backward(grad_output, input, *others, **{**attributes, "training": training})


@wrong("batch_norm_backward", "running statistics not held constant", "In inference, nothing goes back through them.")
@np.errstate(all="ignore")
def _running_differentiated(
    grad_output: Array, input: Array, weight: Any, bias: Any, *running: Any, **attributes: Any
) -> NormGradients:
    right = refconv.batch_norm_backward(grad_output, input, weight, bias, *running, **attributes)
    if attributes["training"] or not input.size:
        return right
    mean, variance = (per_channel("batch_norm", array, input.ndim).astype(np.float64) for array in running)
    reciprocal = 1 / np.sqrt(variance + attributes["eps"])
    parts = _parts("batch_norm", grad_output, input, weight, attributes)._replace(z=(input - mean) * reciprocal)
    return right._replace(input=like(input, reciprocal * (parts.h - parts.mean(parts.h) - parts.through(parts.h))))


@wrong(
    "group_norm_backward",
    "rows counted for images",
    "The size of a channel is read off the last axis: the sums are those of the first row.",
    thread="linkedin/Liger-Kernel#1376",
)
@np.errstate(all="ignore")
def _first_row(
    grad_output: Array, input: Array, weight: Any = None, bias: Any = None, **attributes: Any
) -> NormGradients:
    right = refconv.group_norm_backward(grad_output, input, weight, bias, **attributes)
    if input.ndim < 4 or not input.size:
        return right
    parts = _parts("group_norm", grad_output, input, weight, attributes)
    row: Any = (..., *[slice(1)] * (input.ndim - 3), slice(None))
    products, sums = ((parts.h * parts.z)[row], parts.h[row])
    means = [array.mean(parts.axes, keepdims=True) for array in (products, sums)]
    grad = parts.reciprocal * (parts.h - means[1] - parts.z * means[0])
    first = parts.grad.reshape(input.shape)[row]
    standard = parts.z.reshape(input.shape)[row]
    axes = (0, *range(2, input.ndim))
    return NormGradients(
        like(input, grad.reshape(input.shape)),
        None if weight is None else like(input, (first * standard).sum(axes)),
        None if bias is None else like(input, first.sum(axes)),
    )


@wrong("group_norm_backward", "groups and channels of a group swapped", "num_groups is read as the channels of each.")
def _groups_swapped(grad_output: Array, input: Array, *others: Any, num_groups: int, eps: float) -> NormGradients:
    channels = input.shape[1] // num_groups
    return refconv.group_norm_backward(grad_output, input, *others, num_groups=channels, eps=eps)
