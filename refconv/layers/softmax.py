"""Softmax, which makes shares of the values along an axis, and its logarithm.

    softmax(x)_i = exp(x_i - m) / sum of exp(x_j - m) over j
    log_softmax(x)_i = x_i - m - log(sum of exp(x_j - m) over j)

`m` is the largest x_j: it changes neither result, and nothing overflows. Each formula is stated once, for arrays and
for the arrays with errors of which the bounds are made.
"""

from typing import Any

import numpy as np

from refconv import arguments
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.results import InputGradient
from refconv.rounding import Rounded, composed, exactly, exp, largest, log


@np.errstate(all="ignore")  # what isn't finite is handed on
def softmax(input: Array, *, axis: int = 1) -> Array:
    """Return the shares ``exp(input) / sum of exp(input)`` along `axis`: positive, and 1 in sum.

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
    The default is the channels', axis 1; that of Keras, and of ONNX since opset 13, is the last. Before, ONNX flattened
    all axes from `axis` on into one.

    A row that holds NaN or infinity, or nothing but minus infinity, gives NaN, as the formula with ``m`` does; a minus
    infinity beside finite values gives a share of 0.

    References
    ----------
    ``torch.nn.functional.softmax``; ONNX Softmax.
    P. Blanchard, D. Higham, N. Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of
    Numerical Analysis 41(4), 2021.
    """
    signal, axis = read(input, axis)
    output: Array = shares(signal, axis)
    return output


@np.errstate(all="ignore")
def softmax_backward(grad_output: Array, input: Array, *, axis: int = 1) -> InputGradient:
    """Return the gradient of ``sum(softmax(input) * grad_output)``.

    ::

        grad_input = output * (grad_output - sum of output * grad_output along axis)

    Parameters
    ----------
    grad_output : array, shape of the input
        Of the dtype of `input`.
    input, axis
        As for :func:`softmax`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`softmax`; also for a `grad_output` that isn't of the input's shape and dtype.
    """
    signal, axis = read(input, axis)
    grad = arguments.matching("grad_output", grad_output, signal, signal.shape)
    return InputGradient(grad_of_shares(grad, shares(signal, axis), axis))


@np.errstate(all="ignore")
def log_softmax(input: Array, *, axis: int = 1) -> Array:
    """Return the logarithm of the shares ``exp(input) / sum of exp(input)`` along `axis`.

    It is exact where the shares underflow to 0: ``input - m - log(sum of exp(input - m))`` with the largest input `m`.

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
    InvalidTypeError, InvalidValueError
        As for :func:`softmax`.

    Notes
    -----
    As :func:`softmax`'s; a minus infinity beside finite values stays one.

    References
    ----------
    ``torch.nn.functional.log_softmax``; ONNX LogSoftmax.
    """
    signal, axis = read(input, axis)
    output: Array = log_shares(signal, axis)
    return output


@np.errstate(all="ignore")
def log_softmax_backward(grad_output: Array, input: Array, *, axis: int = 1) -> InputGradient:
    """Return the gradient of ``sum(log_softmax(input) * grad_output)``.

    ::

        grad_input = grad_output - softmax(input) * sum of grad_output along axis

    Parameters
    ----------
    grad_output : array, shape of the input
        Of the dtype of `input`.
    input, axis
        As for :func:`log_softmax`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`log_softmax`; also for a `grad_output` that isn't of the input's shape and dtype.
    """
    signal, axis = read(input, axis)
    grad = arguments.matching("grad_output", grad_output, signal, signal.shape)
    return InputGradient(_grad_of_log_shares(grad, shares(signal, axis), axis))


@np.errstate(all="ignore")
def softmax_bound(arithmetic: Arithmetic, output: Array, input: Array, *, axis: int = 1) -> Bound:
    """Bound the rounding errors of `output` by running error analysis.

    With z = x - m, which is rounded once, and of n values, exp(z) is off by (|z| + 8) u of itself, and the sum by at
    most the worst of that and n - 1 roundings more. The quotient adds a rounding. Whoever computes exp(log_softmax) is
    off by two more for each unit of |log softmax|: the larger of the two bounds holds.
    """
    by_quotient, by_logarithm = _both_shares(input, axis, arithmetic)
    del output
    return _larger(by_quotient.bound(), by_logarithm.bound())


@np.errstate(all="ignore")
def softmax_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, *, axis: int = 1
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of the gradient: those of the shares, carried through its formula."""
    del grads
    bounds = [grad_of_shares(grad_output, found, axis).bound() for found in _both_shares(input, axis, arithmetic)]
    return (_larger(*bounds),)


@np.errstate(all="ignore")
def log_softmax_bound(arithmetic: Arithmetic, output: Array, input: Array, *, axis: int = 1) -> Bound:
    """Bound the rounding errors of `output` by running error analysis: relative to |z| and to the logarithm, not to x.

    An algorithm that adds m to the logarithm first is off by u |m|: it is that of an `absolute` arithmetic.
    """
    del output
    bound: Bound = log_shares(exactly(input, arithmetic), axis).bound()
    return bound


@np.errstate(all="ignore")
def log_softmax_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, *, axis: int = 1
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of the gradient: those of the shares and of the sum, carried through its formula."""
    del grads
    grad = exactly(grad_output, arithmetic)
    bounds = [_grad_of_log_shares(grad, found, axis).bound() for found in _both_shares(input, axis, arithmetic)]
    return (_larger(*bounds),)


def read(input: object, axis: object) -> tuple[Array, int]:
    """Check what functions along an axis ask of their arguments."""
    signal = arguments.batched("input", input)
    return signal, arguments.axis("axis", axis, signal.ndim)


def shares(x: Any, axis: int) -> Any:
    """Return the softmax of `x`, an array or one with errors."""
    if _is_absolute(x):
        return exp(log_shares(x, axis))

    def formula(x: Any) -> Any:
        weights = exp(x - largest(x, axis))
        return weights / weights.sum(axis, keepdims=True)

    def carry(x: Array, errors: Array) -> Array:
        share = formula(x)
        carried: Array = share * (errors + (share * errors).sum(axis, keepdims=True))
        return carried

    return composed(formula, x, carry)


def log_shares(x: Any, axis: int) -> Any:
    """Return the logarithm of the softmax of `x`, an array or one with errors."""
    most = largest(x, axis)
    below = x - most
    logarithm = log(exp(below).sum(axis, keepdims=True))
    return x - (most + logarithm) if _is_absolute(x) else below - logarithm


def _is_absolute(x: Any) -> bool:
    return isinstance(x, Rounded) and x.arithmetic.absolute


def grad_of_shares(grad: Any, output: Any, axis: int) -> Any:
    """Return the gradient of x in ``output = shares(x, axis)``."""
    return output * (grad - (output * grad).sum(axis, keepdims=True))


def _grad_of_log_shares(grad: Any, output: Any, axis: int) -> Any:
    return grad - output * grad.sum(axis, keepdims=True)


def _both_shares(input: Array, axis: int, arithmetic: Arithmetic) -> tuple[Any, Any]:
    """Return the softmax with its errors as a quotient, and as the exponential of a logarithm."""
    x = exactly(input, arithmetic)
    return shares(x, axis), exp(log_shares(x, axis))


def _larger(one: Bound, other: Bound) -> Bound:
    return Bound(*map(np.maximum, one, other))
