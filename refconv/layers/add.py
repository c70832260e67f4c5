"""The sum of two arrays, such as a residual block's: ``output = input + other``."""

from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import FLOAT64, Arithmetic, Bound


class AddGradients(NamedTuple):
    """The gradients of both inputs, each of its input's shape and dtype."""

    input: Array
    other: Array


@np.errstate(all="ignore")
def add(input: Array, other: Array) -> Array:
    """Return ``input + other``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    other : array, shape of `input`
        Of the dtype of `input`. Nothing is broadcast.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Arrays of another type or dtype, or of shapes that differ.

    References
    ----------
    ``torch.add``; ONNX Add. K. He et al., Deep residual learning for image recognition, CVPR 2016.
    """
    x = arguments.batched("input", input)
    return x + arguments.matching("other", other, x, x.shape)


def add_backward(grad_output: Array, input: Array, other: Array) -> AddGradients:
    """Return the gradients of ``sum((input + other) * grad_output)``: `grad_output`, twice.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, other
        As for :func:`add`.

    Returns
    -------
    AddGradients
        `input` and `other`: copies of `grad_output`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`add`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x = arguments.batched("input", input)
    arguments.matching("other", other, x, x.shape)
    grad = arguments.matching("grad_output", grad_output, x, x.shape)
    return AddGradients(grad.copy(), grad.copy())


def add_bound(arithmetic: Arithmetic, output: Array, input: Array, other: Array) -> Bound:
    """Bound the rounding error of each sum, which is rounded once; on small integers, it is exact."""
    error = (max(arithmetic.accumulation, arithmetic.storage) + FLOAT64.accumulation) * abs(output)
    return bounds.unless_exact(Bound(error, error), arithmetic, (input, other), (abs(input) + abs(other),))


add_backward_bound = bounds.moved
