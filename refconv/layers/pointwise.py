"""Functions of each element by itself: `relu`, `leaky_relu`, `sigmoid` and `tanh`.

Each takes an array ``(batch, ...)`` with any number of axes. Of a complex number, the real part says which branch is
taken, so that every branch is holomorphic, for the complex step.
"""

from dataclasses import replace

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.results import InputGradient
from refconv.rounding import Rounded, exactly, where


def relu(input: Array) -> Array:
    """Return ``max(input, 0)``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`; NaN where it is NaN.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type or dtype, or without axes.

    References
    ----------
    ``torch.nn.functional.relu``; ONNX Relu.
    """
    x = arguments.batched("input", input)
    return np.where(x.real <= 0, x.dtype.type(0), x)


def relu_backward(grad_output: Array, input: Array) -> InputGradient:
    """Return the gradient of ``sum(relu(input) * grad_output)``: `grad_output` where `input` is positive, else 0.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input
        As for :func:`relu`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`relu`; also for a `grad_output` that isn't of the output's shape and dtype.

    Notes
    -----
    Of the subgradients at 0, from 0 to 1, every framework takes 0.
    """
    x = arguments.batched("input", input)
    grad = arguments.matching("grad_output", grad_output, x, x.shape)
    return InputGradient(np.where(x.real <= 0, x.dtype.type(0), grad))


relu_bound = relu_backward_bound = bounds.moved


def leaky_relu(input: Array, *, negative_slope: float = 0.01) -> Array:
    """Return `input` where it is positive, else ``negative_slope * input``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    negative_slope : float
        Finite.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type or dtype, or without axes; a slope that is no finite number.

    Notes
    -----
    The slope is 0.01 by default in PyTorch and ONNX, 0.3 in Keras, 0.2 in ``tf.nn``.

    References
    ----------
    ``torch.nn.functional.leaky_relu``; ONNX LeakyRelu.
    A. Maas, A. Hannun, A. Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013.
    """
    x, slopes = _slopes(input, negative_slope)
    return _product(x, slopes)


def leaky_relu_backward(grad_output: Array, input: Array, *, negative_slope: float = 0.01) -> InputGradient:
    """Return the gradient of ``sum(leaky_relu(input) * grad_output)``.

    It is `grad_output` where `input` is positive, else ``negative_slope * grad_output``, at 0, too.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, negative_slope
        As for :func:`leaky_relu`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`leaky_relu`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, slopes = _slopes(input, negative_slope)
    return InputGradient(_product(arguments.matching("grad_output", grad_output, x, x.shape), slopes))


def leaky_relu_bound(arithmetic: Arithmetic, output: Array, input: Array, *, negative_slope: float) -> Bound:
    """Bound the rounding errors of `output`: those of the slope and of one product, where that isn't exact."""
    return bounds.scaled(bounds.exact(output), arithmetic, output, _slopes(input, negative_slope)[1])


def leaky_relu_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, _: Array, input: Array, *, negative_slope: float
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient as those of the output."""
    return (leaky_relu_bound(arithmetic, grads.input, input, negative_slope=negative_slope),)


def sigmoid(input: Array) -> Array:
    """Return ``1 / (1 + exp(-input))``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`. Neither sign overflows: where `input` is negative, it is
        ``exp(input) / (1 + exp(input))``.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type or dtype, or without axes.

    References
    ----------
    ``torch.nn.functional.sigmoid``; ONNX Sigmoid.
    """
    x = arguments.batched("input", input)
    with np.errstate(all="ignore"):  # exp may underflow
        power = np.exp(_away_from_zero(x))
        output: Array = np.where(x.real < 0, power, x.dtype.type(1)) / (1 + power)
    return output


def sigmoid_backward(grad_output: Array, input: Array) -> InputGradient:
    """Return the gradient of ``sum(sigmoid(input) * grad_output)``.

    ::

        grad_input = grad_output * y * (1 - y),  y = sigmoid(input)

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input
        As for :func:`sigmoid`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`sigmoid`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x = arguments.batched("input", input)
    grad = arguments.matching("grad_output", grad_output, x, x.shape)
    with np.errstate(all="ignore"):
        power = np.exp(_away_from_zero(x))
        return InputGradient(grad * (power / (1 + power) / (1 + power)))  # the product without cancellation


def sigmoid_bound(arithmetic: Arithmetic, _: Array, input: Array) -> Bound:
    """Bound the rounding errors of the output, those of an exponential, a sum and a quotient.

    An `absolute` arithmetic may compute ``0.5 tanh(x / 2) + 0.5``, and for tanh ``2 sigmoid(2 x) - 1``.
    """
    return _sigmoid(arithmetic, input).bound()


def sigmoid_backward_bound(arithmetic: Arithmetic, _: InputGradient, grad_output: Array, input: Array) -> tuple[Bound]:
    """Bound the rounding errors of the gradient.

    It may be computed from the rounded output y, as ``grad_output * y * (1 - y)``: where y is close to 1 the difference
    cancels, and y's error is all that is left of it.
    """
    output = _sigmoid(arithmetic, input)
    return ((exactly(grad_output, arithmetic) * output * (1 - output)).bound(),)


def tanh(input: Array) -> Array:
    """Return the hyperbolic tangent, ``(exp(input) - exp(-input)) / (exp(input) + exp(-input))``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An `input` of another type or dtype, or without axes.

    References
    ----------
    ``torch.nn.functional.tanh``; ONNX Tanh.
    """
    with np.errstate(all="ignore"):
        result: Array = np.tanh(arguments.batched("input", input))
    return result


def tanh_backward(grad_output: Array, input: Array) -> InputGradient:
    """Return the gradient of ``sum(tanh(input) * grad_output)``: ``grad_output * (1 - tanh(input)**2)``.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input
        As for :func:`tanh`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`tanh`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x = arguments.batched("input", input)
    grad = arguments.matching("grad_output", grad_output, x, x.shape)
    with np.errstate(all="ignore"):
        power = np.exp(2 * _away_from_zero(x))
        return InputGradient(grad * (4 * power / (1 + power) / (1 + power)))  # the difference without cancellation


def tanh_bound(arithmetic: Arithmetic, _: Array, input: Array) -> Bound:
    """Bound the rounding errors of the output, those of an elementary function."""
    return _tanh(arithmetic, input).bound()


def tanh_backward_bound(arithmetic: Arithmetic, _: InputGradient, grad_output: Array, input: Array) -> tuple[Bound]:
    """Bound the rounding errors of the gradient, computed from the rounded output, or from an exponential."""
    grad, output = exactly(grad_output, arithmetic), _tanh(arithmetic, input)
    power = exactly(-2 * abs(input), arithmetic).exp()
    direct = grad * (4 * power / (1 + power) / (1 + power))
    return (bounds.either((grad * (1 - output * output)).bound(), direct.bound()),)


@np.errstate(all="ignore")
def _product(array: Array, slopes: Array) -> Array:
    product: Array = array * slopes
    return product


@np.errstate(all="ignore")  # a slope may be beyond the range of the dtype
def _slopes(input: object, negative_slope: object) -> tuple[Array, Array]:
    """Return the input, and the slope at each of its elements."""
    x = arguments.batched("input", input)
    slope = arguments.real("negative_slope", negative_slope)
    return x, np.where(x.real > 0, 1, slope).astype(x.real.dtype)


def _away_from_zero(x: Array) -> Array:
    """Return the negative of `x` or `x`, whichever has the smaller real part."""
    return np.where(x.real < 0, x, -x)


def _sigmoid(arithmetic: Arithmetic, input: Array) -> Rounded:
    power = exactly(-abs(input), arithmetic).exp()
    output: Rounded = where(input < 0, power, 1.0) / (1 + power)
    return _larger(output, _tangent(exactly(input, arithmetic) * 0.5) * 0.5 + 0.5) if arithmetic.absolute else output


def _tanh(arithmetic: Arithmetic, input: Array) -> Rounded:
    output = _tangent(exactly(input, arithmetic))
    power = exactly(-2 * abs(input), arithmetic).exp()
    return _larger(output, 2 / (1 + power) - 1) if arithmetic.absolute else output


def _tangent(x: Rounded) -> Rounded:
    return x.function(np.tanh, lambda value: 1 - np.tanh(value) ** 2)


def _larger(one: Rounded, other: Rounded) -> Rounded:
    """Return the first with the larger of both errors."""
    return replace(one, error=np.maximum(one.error, other.error))
