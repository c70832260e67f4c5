"""Wrong linear layers, and wrong gradients of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.general import fitted, in_half, in_tf32, stale, symptom
from oracle.diagnosis.variants.kernels import with_zeros
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


stale(wrong, "linear", 1)


class _Unsteady:
    """Claims to be deterministic, and adds up in an order that changes from call to call."""

    deterministic = True

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, input: Array, weight: Array, bias: Array | None = None) -> Array:
        self.calls += 1
        half = input.shape[-1] // 2
        order = slice(None) if self.calls % 2 else slice(None, None, -1)
        parts = [(input[..., :half], weight[:, :half]), (input[..., half:], weight[:, half:])][order]
        output = np.zeros((*input.shape[:-1], len(weight)), input.dtype)
        for values, factors in parts:
            for place in range(values.shape[-1])[order]:
                output += values[..., place, None] * factors[:, place]
        return output if bias is None else output + bias


symptom(wrong, "linear", "not the same bits for the same input", "oneapi-src/oneDNN@6782adca7e")(_Unsteady)


in_tf32(wrong, "linear")
in_half(wrong, "linear")


@wrong("linear", "sums in float16", "The accumulator has the dtype of the factors, or a library's flag allows it to.")
def _sums_in_half(input: Array, weight: Array, bias: Array | None = None) -> Array:
    total = np.zeros((*input.shape[:-1], len(weight)), np.float16)
    with np.errstate(all="ignore"):
        for place in range(weight.shape[1]):
            total += (input[..., place, None] * weight[:, place]).astype(np.float16)
    output = total.astype(input.dtype)
    return output if bias is None else output + bias


@symptom(wrong, "linear", "must refuse")
def _linear_unchecked(input: Array, weight: Array, bias: Array | None = None) -> Array:
    weight = fitted(weight, (len(weight), input.shape[-1]))
    return refconv.linear(input, weight, bias if bias is None else fitted(bias, (len(weight),)))
