"""The linear layer: a weighted sum of all features for each output.

    output[n, o] = bias[o] + sum of input[n, i] * weight[o, i] over i

`n` counts the rows of features, whatever the axes that they are spread over. The output and both gradients are products
of two matrices: correlations of one signal, whose channels are rows and whose positions are columns, by a kernel of one
tap.
"""

import math
from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.dispatch import correlate, correlate_signals
from refconv.geometry import Window
from refconv.layers.conv import ConvGradients

_WINDOW = Window(kernel=(1,), stride=(1,), padding=((0, 0),), dilation=(1,))


@np.errstate(all="ignore")  # the loops don't warn of what overflows, either
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return the weighted sums of the features along the last axis of `input`.

    ::

        output[n, o] = bias[o] + sum of input[n, i] * weight[o, i] over i

    Parameters
    ----------
    input : array, shape (..., in_features)
        float32, float64 or complex128, in any memory layout, with any number of axes before the last. They may be
        empty.
    weight : array, shape (out_features, in_features)
        Of the dtype of `input`.
    bias : array, shape (out_features,), optional
        Of the dtype of `input`.

    Returns
    -------
    array, shape (..., out_features)
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: shapes that don't match, or no features.

    Notes
    -----
    PyTorch has the same weight; Keras (Dense), JAX's libraries and textbooks' ``x W`` its transpose, (in_features,
    out_features). ONNX Gemm takes either, by its attribute `transB`. On an input with more than two axes, all of them
    sum over the last one; Caffe's InnerProduct flattens all axes after the first.

    References
    ----------
    ``torch.nn.functional.linear``; ONNX Gemm and MatMul.
    """
    call = _read(input, weight, bias)
    output = correlate_signals(call.rows[None], call.weight[None], _WINDOW, 1)[..., 0]
    if call.bias is not None:
        output += call.bias
    return output.reshape(call.shape)


@np.errstate(all="ignore")
def linear_backward(grad_output: Array, input: Array, weight: Array, bias: Array | None = None) -> ConvGradients:
    """Return the gradients of ``sum(linear(input, weight, bias) * grad_output)``.

    ::

        grad_input[n, i] = sum of grad_output[n, o] * weight[o, i] over o
        grad_weight[o, i] = sum of grad_output[n, o] * input[n, i] over n
        grad_bias[o] = sum of grad_output[n, o] over n

    Parameters
    ----------
    grad_output : array, shape (..., out_features)
        Of the dtype of `input`.
    input, weight, bias
        As for :func:`linear`.

    Returns
    -------
    ConvGradients
        `input`, `weight` and `bias`, the last None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`linear`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, weight, bias)
    grad = arguments.matching("grad_output", grad_output, call.rows, call.shape).reshape(-1, len(call.weight))
    columns = call.weight.shape[1:]
    across = np.ascontiguousarray(grad.T)
    return ConvGradients(
        input=correlate(call.weight[None], grad[..., None], _WINDOW, 1, columns).reshape(input.shape),
        weight=correlate(call.rows[None], across[..., None], _WINDOW, 1, columns)[0],
        bias=None if call.bias is None else grad.sum(axis=0),
    )


def linear_bound(arithmetic: Arithmetic, output: Array, *inputs: Array | None) -> Bound:
    """Bound the rounding errors of `output`, a sum of products: see :func:`refconv.bounds.multilinear`."""
    bound: Bound
    (bound,) = bounds.multilinear(linear, arithmetic, (output,), inputs, {})
    return bound


def linear_backward_bound(
    arithmetic: Arithmetic, grads: ConvGradients, *inputs: Array | None
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, sums of products as well; `inputs` begin with `grad_output`."""
    return bounds.multilinear(linear_backward, arithmetic, grads, inputs, {}, factors=(2, 2, 1))


class _Call(NamedTuple):
    rows: Array  # of the input
    weight: Array
    bias: Array | None
    shape: tuple[int, ...]  # of the output


def _read(input: object, weight: object, bias: object) -> _Call:
    features = arguments.array("input", input)
    if not features.ndim or not features.shape[-1]:
        raise InvalidValueError("input", "have at least 1 feature on its last axis", f"shape {features.shape}")
    in_features = features.shape[-1]
    matrix = arguments.array("weight", weight, like=features)
    if matrix.ndim != 2 or matrix.shape[1] != in_features or not matrix.shape[0]:
        rule = f"have shape (out_features, {in_features}) with at least 1 output"
        raise InvalidValueError("weight", rule, matrix.shape)
    offsets = None if bias is None else arguments.matching("bias", bias, features, matrix.shape[:1])
    shape = (*features.shape[:-1], len(matrix))
    arguments.fits_memory("output", shape, features.dtype)
    rows = features.reshape(math.prod(features.shape[:-1]), in_features)
    return _Call(rows, matrix, offsets, shape)
