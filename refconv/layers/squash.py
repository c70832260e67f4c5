"""Squash, the nonlinearity of capsules: it keeps a vector's direction, and gives it a length between 0 and 1.

    squash(s) = |s|^2 / (1 + |s|^2) * s / |s|

The length is found of the vector divided by its largest entry, and of it and its inverse the smaller is squared, so
that nothing overflows. The formula is stated once, for arrays and for the arrays with errors that make the bounds.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.layers.softmax import read
from refconv.results import InputGradient
from refconv.rounding import Rounded, along, exactly, sqrt, values, where


@np.errstate(all="ignore")  # what isn't finite is handed on
def squash(input: Array, *, axis: int = 1) -> Array:
    """Return ``|s|^2 / (1 + |s|^2) * s / |s|`` of each vector s along `axis`; the vector 0 stays 0.

    Parameters
    ----------
    input : array of any shape that has the axis
        float32, float64 or complex128, in any memory layout. It may be empty.
    axis : int
        From ``-ndim`` to ``ndim - 1``; negative ones count from the end.

    Returns
    -------
    array, shape of the input
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an `axis` out of its range, or an `input` that has none.

    Notes
    -----
    Implementations add an epsilon somewhere, lest 0 be divided by 0: inside the root, to the length or to its square.
    Here there is none: the limit at 0 is 0, and so is the gradient's. A vector that isn't finite gives NaN.

    The square of a complex vector is the sum of its entries' squares, not of their magnitudes', which keeps the
    function holomorphic, for the complex step.

    References
    ----------
    S. Sabour, N. Frosst, G. Hinton, Dynamic routing between capsules, 2017, arXiv:1710.09829, equation 1.
    """
    signal, axis = read(input, axis)
    output: Array = squashed(signal, axis)
    return output


@np.errstate(all="ignore")
def squash_backward(grad_output: Array, input: Array, *, axis: int = 1) -> InputGradient:
    """Return the gradient of ``sum(squash(input) * grad_output)``.

    ::

        grad_input = |s| / (1 + |s|^2) * (grad_output + (1 - |s|^2) / (1 + |s|^2) * d * sum of d * grad_output)

    with the direction ``d = s / |s|``, and the sum along `axis`. Across `d` the output is s times a factor; along it,
    the length's own slope is added.

    Parameters
    ----------
    grad_output : array, shape of the input
        Of the dtype of `input`.
    input, axis
        As for :func:`squash`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`squash`; also for a `grad_output` that isn't of the input's shape and dtype.
    """
    signal, axis = read(input, axis)
    grad = arguments.matching("grad_output", grad_output, signal, signal.shape)
    return InputGradient(grad_of_squashed(grad, signal, axis))


@np.errstate(all="ignore")
def squash_bound(arithmetic: Arithmetic, output: Array, input: Array, *, axis: int = 1) -> Bound:
    """Bound the rounding errors of `output` by running error analysis.

    The length of n entries is off by about n/2 + 4 roundings of itself, and so is the direction. The plain formula,
    where its squares don't overflow, has no operation more: this bound is its, too.
    """
    del output
    bound: Bound = squashed(exactly(input, arithmetic), axis).bound()
    return bound


@np.errstate(all="ignore")
def squash_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, *, axis: int = 1
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of the gradient, by running error analysis as well.

    Where |s| is near 1, ``1 - |s|^2`` is a small difference: its error is that of its terms, not relative to it.
    """
    del grads
    return (grad_of_squashed(grad_output, exactly(input, arithmetic), axis).bound(),)


def squashed(s: Any, axis: int) -> Any:
    """Return the squash of `s`, an array or one with errors."""

    def formula(s: Any) -> Any:
        polar = _polar(s, axis)
        return polar.share * polar.direction

    return along(formula, axis, s)


def grad_of_squashed(grad: Any, s: Any, axis: int) -> Any:
    """Return the gradient of s in ``squashed(s, axis)``."""

    def formula(s: Any, grad: Any) -> Any:
        polar = _polar(s, axis)
        radial = polar.direction * (polar.direction * grad).sum(axis, keepdims=True)
        return polar.factor * (grad + (1 - 2 * polar.share) * radial)  # 1 - 2 share = (1 - |s|^2) / (1 + |s|^2)

    return along(formula, axis, s, grad)


class _Polar(NamedTuple):
    direction: Any  # s / |s|, 0 at 0
    share: Any  # |s|^2 / (1 + |s|^2)
    factor: Any  # |s| / (1 + |s|^2)


def _polar(s: Any, axis: int) -> _Polar:
    scale = abs(values(s).real).max(axis, keepdims=True, initial=0)
    scale = np.where(scale > 0, scale, scale.dtype.type(1))
    unit = s / scale  # its length is at least 1, and at most the root of its size
    length = sqrt((unit * unit).sum(axis, keepdims=True))
    norm = scale * length
    long = values(norm).real > 1
    short = where(long, 1 / norm, norm)
    square = short * short
    whole = 1 + square
    direction = unit / (length + (values(length) == 0))
    if isinstance(direction, Rounded):  # of what can't be told from 0, any direction may come out
        unknown = (length.error > 0) & (length.value <= length.error)
        direction = replace(direction, error=np.where(unknown, 2.0, direction.error))
    return _Polar(
        direction=direction,
        share=where(long, 1, square) / whole,
        factor=short / whole,
    )
