"""What any norm may get wrong, backward."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue, Function
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.normalized import Axes, count, moments, per_channel, seen
from refconv import NormGradients
from refconv.arguments import Array


class Parts(NamedTuple):
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


def parts_of(
    operator: str, grad_output: Array, input: Array, weight: Array | None, attributes: dict[str, Any]
) -> Parts:
    """Return the parts of the gradient of a norm whose statistics are its own."""
    x, axes = seen(operator, input, attributes)
    mean, variance = moments(x, axes, None)
    reciprocal = 1 / np.sqrt(variance + attributes["eps"])
    ones = np.ones(input.shape)
    spread = (ones if weight is None else ones * per_channel(operator, weight, input.ndim)).reshape(x.shape)
    grad = grad_output.astype(np.float64).reshape(x.shape)
    return Parts(grad, grad * spread, spread, (x - mean) * reciprocal, reciprocal, axes)


def _input_by(operator: str, formula: Callable[[Parts], Any]) -> Function:
    """Return a backward with another gradient of the input, where its statistics are its own."""

    @np.errstate(all="ignore")
    def function(
        grad_output: Array, input: Array, weight: Array | None = None, *others: Array | None, **attributes: Any
    ) -> NormGradients:
        right = _backward(operator)(grad_output, input, weight, *others, **attributes)
        if not input.size or not attributes.get("training", True):
            return right
        grad = formula(parts_of(operator, grad_output, input, weight, attributes))
        return right._replace(input=like(input, grad.reshape(input.shape)))

    return function


def _backward(operator: str) -> Callable[..., NormGradients]:
    backward: Callable[..., NormGradients] = getattr(refconv, f"{operator}_backward")
    return backward


def _summed(p: Parts) -> Array:
    sums = count(p.h, p.axes)
    grad: Array = p.reciprocal * (p.h - sums * p.mean(p.h) - sums * p.through(p.h))
    return grad


_FORMULAS: tuple[tuple[str, str, Callable[[Parts], Any]], ...] = (
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


_WEIGHTED_LATE: tuple[str, str, Callable[[Parts], Any]] = (
    "weight multiplied by after the means",
    "The means must be those of grad_output * weight: the weight differs among what shares a mean.",
    lambda p: p.weight * p.reciprocal * (p.grad - p.mean(p.grad) - p.through(p.grad)),
)


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


_OTHERS: tuple[tuple[str, str, Callable[[str], Function]], ...] = (
    ("weight forgotten in the gradient of the input", "grad_output isn't multiplied by the weight.", _without_weight),
    ("eps forgotten", "The forward adds it to the variance, the backward doesn't.", _without_eps),
    (
        "gradient of the weight from the raw input",
        "It is multiplied by the input, not normalised first.",
        lambda operator: _changed(operator, _weight_from_the_input(operator)),
    ),
    (
        "gradient of the weight averaged",
        "The sum is divided by its number of terms.",
        lambda operator: _changed(operator, _averaged("weight")),
    ),
    (
        "gradient of the bias averaged",
        "The sum is divided by its number of terms.",
        lambda operator: _changed(operator, _averaged("bias")),
    ),
    (
        "gradient of the bias of the last image alone",
        "It is assigned for each image, not accumulated.",
        lambda operator: _changed(operator, _last_image(operator)),
    ),
)


def collect_gradients(wrong: Catalogue, operator: str) -> None:
    """Collect what any norm's backward may get wrong."""
    called = f"{operator}_backward"
    for name, cause, formula in _FORMULAS:
        wrong(called, name, cause)(_input_by(operator, formula))
    if operator in ("layer_norm", "group_norm"):  # elsewhere, those that share a mean share a weight
        name, cause, formula = _WEIGHTED_LATE
        wrong(called, name, cause)(_input_by(operator, formula))
    for name, cause, function in _OTHERS:
        wrong(called, name, cause)(function(operator))
