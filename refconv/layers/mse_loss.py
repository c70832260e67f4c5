"""The mean squared error: ``output = mean of (input - target)**2`` over all elements."""

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.results import InputGradient
from refconv.rounding import exactly


@np.errstate(all="ignore")
def mse_loss(input: Array, target: Array) -> Array:
    """Return the mean of ``(input - target)**2`` over all elements.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    target : array, shape of `input`
        Of the dtype of `input`. It has no gradient.

    Returns
    -------
    array, shape ()
        In the dtype of `input`; NaN where there is no element.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Arrays of another type or dtype, or of shapes that differ.

    Notes
    -----
    Textbooks often halve it, so that the gradient has no factor 2; Keras and PyTorch don't.

    References
    ----------
    ``torch.nn.functional.mse_loss``.
    """
    x, t = _read(input, target)
    return np.array(((x - t) ** 2).sum() / x.dtype.type(x.size), x.dtype)


@np.errstate(all="ignore")
def mse_loss_backward(grad_output: Array, input: Array, target: Array) -> InputGradient:
    """Return the gradient of ``mse_loss(input, target) * grad_output``.

    ::

        grad_input = grad_output * 2 * (input - target) / elements

    Parameters
    ----------
    grad_output : array, shape ()
        Of the dtype of `input`.
    input, target
        As for :func:`mse_loss`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`mse_loss`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, t = _read(input, target)
    grad = arguments.matching("grad_output", grad_output, x, ())
    return InputGradient(grad * (2 * (x - t)) / x.dtype.type(x.size))


def mse_loss_bound(arithmetic: Arithmetic, output: Array, input: Array, target: Array) -> Bound:
    """Bound the rounding errors of differences, squares, their sum and one quotient; on integers, of the last alone."""
    differences = exactly(input, arithmetic) - target
    total = (differences * differences).sum(None, keepdims=False)
    magnitude = ((abs(input) + abs(target)) ** 2).sum()
    summed = bounds.unless_exact(total.bound(), arithmetic, (input, target), (magnitude,))
    return bounds.scaled(summed, arithmetic, output, 1 / max(input.size, 1))


def mse_loss_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, target: Array
) -> tuple[Bound]:
    """Bound the rounding errors of a difference, products and a quotient; on integers, of what isn't exact there.

    That may be the quotient, or 2 / elements, and its products with the two others.
    """
    product = exactly(grad_output, arithmetic) * (2 * (exactly(input, arithmetic) - target))
    magnitude = 2 * abs(grad_output) * (abs(input) + abs(target))
    exact = bounds.unless_exact(product.bound(), arithmetic, (grad_output, input, target), (magnitude,))
    return (bounds.scaled(exact, arithmetic, grads.input, 1 / max(input.size, 1), roundings=4),)


def _read(input: object, target: object) -> tuple[Array, Array]:
    x = arguments.batched("input", input)
    return x, arguments.matching("target", target, x, x.shape)
