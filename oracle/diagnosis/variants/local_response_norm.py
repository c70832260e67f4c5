"""Wrong local response norms."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


@wrong("local_response_norm", "alpha not divided by the size", "The paper and TensorFlow don't divide it.")
def _alpha_undivided(input: Array, *, size: int, alpha: float, **attributes: Any) -> Array:
    return refconv.local_response_norm(input, size=size, alpha=alpha * size, **attributes)


@wrong("local_response_norm", "window of an even size shifted by one", "The odd channel comes after, as in ONNX.")
def _window_shifted(input: Array, **attributes: Any) -> Array:
    return refconv.local_response_norm(input[:, ::-1], **attributes)[:, ::-1].copy()


@wrong("local_response_norm", "k ignored", "The constant is 1 whatever is asked for.")
def _k_ignored(input: Array, *, k: float, **attributes: Any) -> Array:
    del k
    return refconv.local_response_norm(input, k=1.0, **attributes)


@wrong("local_response_norm", "square root for the power", "beta is taken to be 1/2.")
def _beta_ignored(input: Array, *, beta: float, **attributes: Any) -> Array:
    del beta
    return refconv.local_response_norm(input, beta=0.5, **attributes)


@wrong("local_response_norm", "normalised along the last axis", "The window runs along the row, not over the channels.")
def _along_the_row(input: Array, **attributes: Any) -> Array:
    return refconv.local_response_norm(input.swapaxes(1, -1), **attributes).swapaxes(1, -1).copy()


def _window(channels: int, size: int) -> Array:
    """Return which channels, along the second axis, the window of each holds."""
    offset = np.arange(channels) - np.arange(channels)[:, None]
    window: Array = ((-(size // 2) <= offset) & (offset <= (size - 1) // 2)).astype(np.float64)
    return window


def _summed(array: Array, size: int) -> Array:
    """Return the sum over the window of each channel."""
    return np.moveaxis(np.tensordot(_window(array.shape[1], size), array, (1, 1)), 0, 1)


def _scale(x: Array, *, size: int, alpha: float, k: float, **_: Any) -> Array:
    scale: Array = k + alpha * _summed(x * x, size) / size
    return scale


@wrong("local_response_norm", "values not squared", "The plain values are summed.")
@np.errstate(all="ignore")
def _unsquared(input: Array, *, size: int, alpha: float, beta: float, k: float) -> Array:
    x = input.astype(np.float64)
    return like(input, x / (k + alpha * _summed(x, size) / size) ** beta)


@wrong("local_response_norm", "missing channels not counted", "alpha is divided by the channels that are there.")
@np.errstate(all="ignore")
def _counted(input: Array, *, size: int, alpha: float, beta: float, k: float) -> Array:
    x = input.astype(np.float64)
    there = _window(x.shape[1], size).sum(axis=1).reshape(-1, *[1] * (x.ndim - 2))
    return like(input, x / (k + alpha * _summed(x * x, size) / there) ** beta)


class _Parts(NamedTuple):
    """The two terms of the gradient, in float64."""

    direct: Array  # grad_output / scale**beta
    through: Array  # what goes through the scales, to be subtracted


def _parts(grad_output: Array, input: Array, **attributes: Any) -> _Parts:
    right = refconv.local_response_norm_backward(grad_output, input, **attributes).input
    direct = grad_output / _scale(input, **attributes) ** attributes["beta"]
    return _Parts(direct, direct - right)


def _gradient(change: Callable[[_Parts, int], Any]) -> Callable[..., InputGradient]:
    """Return a gradient made of other terms; `change` gets the right ones, and the size."""

    @np.errstate(all="ignore")
    def function(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
        parts = _parts(*(array.astype(np.float64) for array in (grad_output, input)), **attributes)
        return InputGradient(like(input, change(parts, attributes["size"])))

    return function


for _name, _cause, _change in (
    ("scales taken for constants", "Nothing goes back through the sums of squares.", lambda parts, _: parts.direct),
    ("factor 2 missing", "It is the square's derivative.", lambda parts, _: parts.direct - parts.through / 2),
    (
        "alpha not divided by the size",
        "The forward divides it, the backward doesn't.",
        lambda parts, size: parts.direct - parts.through * size,
    ),
    ("sign turned", "What goes through the scales is added.", lambda parts, _: parts.direct + parts.through),
):
    wrong("local_response_norm_backward", _name, _cause)(_gradient(_change))


@wrong("local_response_norm_backward", "neighbours' scales forgotten", "Only the own scale's derivative is taken.")
@np.errstate(all="ignore")
def _own_scale_alone(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    x, grad = input.astype(np.float64), grad_output.astype(np.float64)
    scale, beta = _scale(x, **attributes), attributes["beta"]
    through = 2 * attributes["alpha"] / attributes["size"] * beta * x * x * grad / scale ** (beta + 1)
    return InputGradient(like(input, grad / scale**beta - through))


@wrong(
    "local_response_norm_backward",
    "window not mirrored",
    "The scales that hold an element are those of its own window.",
)
@np.errstate(all="ignore")
def _unmirrored(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    x, grad = input.astype(np.float64), grad_output.astype(np.float64)
    scale, beta = _scale(x, **attributes), attributes["beta"]
    sums = _summed(grad * x / scale ** (beta + 1), attributes["size"])
    through = 2 * attributes["alpha"] / attributes["size"] * beta * x * sums
    return InputGradient(like(input, grad / scale**beta - through))
