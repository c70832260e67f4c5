"""Adaptive maximum pooling: the maxima of windows that are chosen so that there are as many as asked for.

output[n, c, o] = max of input[n, c, i] over i from floor(o * size / output_size)
                  to before ceil((o + 1) * size / output_size)
"""

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis
from refconv.maxima import Taps, adaptive_taps, choices, grad_chosen, maxima
from refconv.results import InputGradient


def adaptive_max_pool(input: Array, *, output_size: IntPerAxis) -> Array:
    """Return the maxima of as many windows of `input` as `output_size` says, along 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = max of input[n, c, i] over i from floor(o * size / output_size)
                          to before ceil((o + 1) * size / output_size)

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty. Of complex numbers, the one with
        the largest real part.
    output_size : int or one int for each spatial axis
        At least 1; 1 is global pooling. It may be larger than the input's size: then positions repeat.

    Returns
    -------
    array, shape (batch, channels, *output_size)
        In the dtype of `input`. A NaN wins its windows.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An argument of a type or dtype that isn't named above, or out of its range.

    Notes
    -----
    Windows overlap where the sizes don't divide. Converters that put a fixed window size and stride in their place are
    right only where they do. The first of equal maxima gets the gradient.

    References
    ----------
    ``torch.nn.functional.adaptive_max_pool1d`` to ``adaptive_max_pool3d``; ONNX GlobalMaxPool.
    """
    signal, taps = _read(input, output_size)
    return maxima(signal, taps)


def adaptive_max_pool_backward(grad_output: Array, input: Array, *, output_size: IntPerAxis) -> InputGradient:
    """Return the gradient of ``sum(adaptive_max_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of grad_output[n, c, o] over the windows o whose maximum stands at i

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, output_size
        As for :func:`adaptive_max_pool`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`adaptive_max_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    signal, taps = _read(input, output_size)
    shape = (*signal.shape[:2], *(len(axis.first) for axis in taps))
    grad = arguments.matching("grad_output", grad_output, signal, shape)
    return InputGradient(grad_chosen(grad, choices(signal, taps), taps))


adaptive_max_pool_bound = bounds.moved


def adaptive_max_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, *, output_size: IntPerAxis
) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradient, a sum: see :func:`refconv.bounds.multilinear`."""

    def function(grad: Array) -> InputGradient:
        return adaptive_max_pool_backward(grad, input, output_size=output_size)

    return bounds.multilinear(function, arithmetic, grads, (grad_output,), {}, factors=1)


def _read(input: object, output_size: object) -> tuple[Array, list[Taps]]:
    signal = arguments.signal("input", input)
    size = arguments.per_axis("output_size", output_size, signal.ndim - 2, at_least=1)
    arguments.fits_memory("output", (*signal.shape[:2], *size), signal.dtype)
    return signal, adaptive_taps(signal.shape[2:], size)
