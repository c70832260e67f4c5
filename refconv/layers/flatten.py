"""All axes but the batch's in one: ``output[n, i] = input[n, ...]``, in row-major order."""

import math

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.results import InputGradient


def flatten(input: Array) -> Array:
    """Return `input` with all axes but the first in one.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.

    Returns
    -------
    array, shape (batch, product of the other sizes)
        In the dtype of `input`; elements in row-major order, whatever the layout.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type or dtype, or without axes.

    Notes
    -----
    The order is that of (batch, channels, *spatial); where a framework keeps channels last, as TensorFlow does, the
    same layer's weights come in another order. ``torch.flatten`` joins the batch, too, unless it is
    told ``start_dim=1``. An implementation may return a view of `input`.

    References
    ----------
    ``torch.flatten`` with ``start_dim=1``; ONNX Flatten.
    """
    x = arguments.batched("input", input)
    return x.reshape(_flat(x)).copy()


def flatten_backward(grad_output: Array, input: Array) -> InputGradient:
    """Return the gradient of ``sum(flatten(input) * grad_output)``: `grad_output` in the shape of `input`.

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input
        As for :func:`flatten`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`flatten`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x = arguments.batched("input", input)
    return InputGradient(arguments.matching("grad_output", grad_output, x, _flat(x)).reshape(x.shape).copy())


flatten_bound = flatten_backward_bound = bounds.moved


def _flat(x: Array) -> tuple[int, int]:
    return x.shape[0], math.prod(x.shape[1:])
