"""Two arrays one after the other along an axis, such as the branches of an Inception block."""

from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError


class ConcatGradients(NamedTuple):
    """The gradients of both inputs, each of its input's shape and dtype."""

    input: Array
    other: Array


def concat(input: Array, other: Array, *, axis: int = 1) -> Array:
    """Return `input` followed by `other` along `axis`.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    other : array
        Of the dtype of `input`, and of its shape but for the size along `axis`.
    axis : int
        Of `input`; negative ones count from the end.

    Returns
    -------
    array
        Of the shape of `input` but for the size along `axis`, the sum of both; in the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Arrays of another type or dtype, or of shapes that don't fit; an `axis` that `input` hasn't.

    References
    ----------
    ``torch.cat``; ONNX Concat.
    """
    x, y, axis = _read(input, other, axis)
    return np.concatenate([x, y], axis)


def concat_backward(grad_output: Array, input: Array, other: Array, *, axis: int = 1) -> ConcatGradients:
    """Return the gradients of ``sum(concat(input, other) * grad_output)``: the two parts of `grad_output`.

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, other, axis
        As for :func:`concat`.

    Returns
    -------
    ConcatGradients
        `input` and `other`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`concat`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, y, axis = _read(input, other, axis)
    length = x.shape[axis]
    shape = (*x.shape[:axis], length + y.shape[axis], *x.shape[axis + 1 :])
    first, second = np.split(arguments.matching("grad_output", grad_output, x, shape), [length], axis)
    return ConcatGradients(first.copy(), second.copy())


concat_bound = concat_backward_bound = bounds.moved


def _read(input: object, other: object, axis: object) -> tuple[Array, Array, int]:
    x = arguments.batched("input", input)
    number = arguments.axis("axis", axis, x.ndim)
    y = arguments.array("other", other, like=x)
    rest = (*x.shape[:number], *x.shape[number + 1 :])
    if y.ndim != x.ndim or (*y.shape[:number], *y.shape[number + 1 :]) != rest:
        raise InvalidValueError("other", f"have the shape of input, {x.shape}, but along axis {number}", y.shape)
    total = (*x.shape[:number], x.shape[number] + y.shape[number], *x.shape[number + 1 :])
    arguments.fits_memory("output", total, x.dtype)
    return x, y, number
