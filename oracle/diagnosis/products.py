"""Wrong linear layers, and wrong gradients of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis import kernels
from oracle.diagnosis.kernels import with_zeros
from oracle.diagnosis.variant import Catalogue
from refconv import ConvGradients
from refconv.arguments import Array

wrong = Catalogue()


def _linear(**changes: Callable[[Array], Array]) -> Callable[..., Array]:
    """Return a linear layer of other arrays: `changes` take the right ones."""

    def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
        arrays = {"input": input, "weight": weight, "bias": bias}
        return refconv.linear(**{name: _changed(value, changes.get(name)) for name, value in arrays.items()})

    return linear


def _changed(value: Array | None, change: Callable[[Array], Array] | None) -> Any:
    return value if value is None or change is None else change(value)


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def _first_row_alone(array: Array) -> Array:
    rows = _rows(array)
    return with_zeros(rows, np.s_[1:]).reshape(array.shape)


def _first_row_for_all(array: Array) -> Array:
    rows = _rows(array)
    return rows[:1].repeat(len(rows), 0).reshape(array.shape)


def _last_row_alone(array: Array) -> Array:
    rows = _rows(array)
    return with_zeros(rows, np.s_[:-1]).reshape(array.shape)


wrong("linear", "weight reshaped, not transposed", "The memory of (out, in) is read as (in, out).")(
    _linear(weight=kernels.reshaped)
)
wrong("linear", "last partial tile of 8 input features dropped", "The sum ends with the last full tile.")(
    _linear(input=lambda features: with_zeros(features, np.s_[..., kernels.beyond_tiles(features.shape[-1])]))
)
wrong("linear", "only the last input feature counts", "The sum is assigned, not added to.")(
    _linear(input=lambda features: with_zeros(features, np.s_[..., :-1]))
)
wrong("linear", "bias missing", "The bias isn't added.")(_linear(bias=np.zeros_like))
wrong("linear", "first bias for all", "The bias isn't indexed by the output feature.")(
    _linear(bias=lambda bias: bias[:1].repeat(len(bias)))
)
wrong("linear", "the first row's output for all", "The row isn't part of the input's index.")(
    _linear(input=_first_row_for_all)
)


@wrong("linear", "bias added for each input feature", "The bias is added inside of the loop over features.")
def _bias_for_each_feature(input: Array, weight: Array, bias: Array | None = None) -> Array:
    return refconv.linear(input, weight, kernels.times(bias, weight.shape[1]))


@wrong("linear", "last partial tile of 8 output features left zero", "The loop ends with the last full tile.")
def _output_tile_dropped(input: Array, weight: Array, bias: Array | None = None) -> Array:
    return with_zeros(refconv.linear(input, weight, bias), np.s_[..., kernels.beyond_tiles(len(weight))])


def _linear_gradients(part: str, **changes: Callable[[Array], Array]) -> Callable[..., ConvGradients]:
    """Return gradients of which one is that of other arrays: `changes` take the right ones."""

    def linear_backward(grad_output: Array, input: Array, weight: Array, bias: Array | None = None) -> ConvGradients:
        arrays = {"grad_output": grad_output, "input": input, "weight": weight}
        changed = {name: change(arrays[name]) for name, change in changes.items()}
        other = refconv.linear_backward(**{**arrays, **changed}, bias=bias)
        return refconv.linear_backward(**arrays, bias=bias)._replace(**{part: getattr(other, part)})

    return linear_backward


wrong("linear_backward", "weight reshaped in the gradient of the input", "(out, in) is read as (in, out).")(
    _linear_gradients("input", weight=kernels.reshaped)
)
wrong("linear_backward", "only the last row in the gradient of the weight", "It is assigned, not added to.")(
    _linear_gradients("weight", grad_output=_last_row_alone)
)
wrong("linear_backward", "gradient of the bias from the first row alone", "The rows aren't summed.")(
    _linear_gradients("bias", grad_output=_first_row_alone)
)
wrong(
    "linear_backward",
    "last partial tile of 8 output features missing in the gradient of the input",
    "The sum ends with the last full tile.",
)(
    _linear_gradients(
        "input", grad_output=lambda grad: with_zeros(grad, np.s_[..., kernels.beyond_tiles(grad.shape[-1])])
    )
)


def _linear_but(change: Callable[[ConvGradients, Array], dict[str, Any]]) -> Callable[..., ConvGradients]:
    """Return gradients that are right but for those that `change` makes of them and grad_output."""

    def linear_backward(grad_output: Array, input: Array, weight: Array, bias: Array | None = None) -> ConvGradients:
        grads = refconv.linear_backward(grad_output, input, weight, bias)
        return grads._replace(**change(grads, grad_output))

    return linear_backward


wrong("linear_backward", "gradient of the weight written as (in, out)", "It is reshaped, not transposed.")(
    _linear_but(lambda grads, _: {"weight": np.ascontiguousarray(grads.weight.T).reshape(grads.weight.shape)})
)
wrong("linear_backward", "gradient of the weight averaged over the rows", "A mean is taken, not a sum.")(
    _linear_but(lambda grads, grad: {"weight": kernels.shared(grads.weight, len(_rows(grad)))})
)
wrong("linear_backward", "gradient of the bias averaged over the rows", "A mean is taken, not a sum.")(
    _linear_but(lambda grads, grad: {"bias": kernels.shared(grads.bias, len(_rows(grad)))})
)
wrong("linear_backward", "gradient of the bias averaged over the batch", "It is divided by the size of axis 0.")(
    _linear_but(lambda grads, grad: {"bias": kernels.shared(grads.bias, len(grad) if grad.ndim > 1 else 1)})
)


@wrong("linear_backward", "gradient of the bias summed over the first axis alone", "The input is taken to have 2 axes.")
def _bias_of_first_axis(grad_output: Array, input: Array, weight: Array, bias: Array | None = None) -> ConvGradients:
    grads = refconv.linear_backward(grad_output, input, weight, bias)
    with np.errstate(all="ignore"):
        summed = grad_output.sum(axis=0) if grad_output.ndim > 1 else grad_output.copy()
    return grads._replace(bias=None if bias is None else np.ascontiguousarray(summed))


@wrong("linear_backward", "grad_output taken for ones", "The gradient of the sum of the output is computed.")
def _ones(grad_output: Array, input: Array, weight: Array, bias: Array | None = None) -> ConvGradients:
    return refconv.linear_backward(np.ones(grad_output.shape, grad_output.dtype), input, weight, bias)
