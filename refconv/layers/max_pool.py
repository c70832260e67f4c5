"""Maximum pooling: the largest element of each window.

    output[n, c, o] = max of input[n, c, o * stride - before + k * dilation] over k

`n` counts the batch, `c` the channels, `o` the windows and `k` the taps; `o` and `k` have an entry for each spatial
axis. Padding never takes part.
"""

from typing import NamedTuple

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis, Padding, output_size, read_pool_window
from refconv.maxima import Taps, choices, grad_chosen, maxima, window_taps
from refconv.results import InputGradient


class MaxPoolResult(NamedTuple):
    """The maxima, and where they stand: flat, row-major positions over the spatial axes of the input."""

    output: Array
    indices: Array


def max_pool(
    input: Array,
    *,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    padding: Padding = 0,
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | MaxPoolResult:
    """Return the largest element of each window of `input`, over 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = max of input[n, c, o * stride - before + k * dilation] over the taps k

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty. Of complex numbers, the one with
        the largest real part.
    kernel_size, dilation : int or one int for each spatial axis
        At least 1.
    stride : int or one int for each spatial axis, optional
        At least 1; by default `kernel_size`.
    padding : int, one int or (before, after) pair for each spatial axis
        At least 0. A window that holds only padding gives -inf.
    ceil_mode : bool
        Whether a last window may reach beyond the padding, if it begins before that.
    return_indices : bool
        Whether to return where the maxima stand, too.

    Returns
    -------
    array, shape (batch, channels, *size), or MaxPoolResult
        ``size = floor((spatial + before + after - dilation * (kernel_size - 1) - 1) / stride) + 1``, or that with ceil,
        in the dtype of `input`. `indices` are int64, -1 for a window that holds only padding.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or windows that don't fit.

    Notes
    -----
    Of equal maxima, the first in row-major order counts, as in PyTorch. A NaN wins, the first one of a window; in
    PyTorch it is the last whose index is returned, and TensorFlow's CPU kernels may lose it. PyTorch limits `padding`
    to half of the kernel; ONNX and this function don't. ONNX's indices are flat over the whole tensor, TensorFlow's
    over rows, columns and channels. Caffe rounds sizes up.

    References
    ----------
    ``torch.nn.functional.max_pool1d`` to ``max_pool3d``; ONNX MaxPool.
    """
    signal, taps = _read(input, kernel_size, stride, padding, dilation, ceil_mode)
    indices = arguments.boolean("return_indices", return_indices)
    output = maxima(signal, taps)
    return MaxPoolResult(output, choices(signal, taps)) if indices else output


def max_pool_backward(
    grad_output: Array,
    input: Array,
    *,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    padding: Padding = 0,
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> InputGradient:
    """Return the gradient of ``sum(max_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of grad_output[n, c, o] over the windows o whose maximum stands at i

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As for :func:`max_pool`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`max_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    signal, taps = _read(input, kernel_size, stride, padding, dilation, ceil_mode)
    arguments.boolean("return_indices", return_indices)
    shape = (*signal.shape[:2], *(len(axis.first) for axis in taps))
    grad = arguments.matching("grad_output", grad_output, signal, shape)
    return InputGradient(grad_chosen(grad, choices(signal, taps), taps))


max_pool_bound = bounds.moved


def max_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradient, a sum: see :func:`refconv.bounds.multilinear`."""

    def function(grad: Array) -> InputGradient:
        return max_pool_backward(grad, input, **attributes)  # type: ignore[arg-type]  # they were read

    return bounds.multilinear(function, arithmetic, grads, (grad_output,), {}, factors=1)


def _read(
    input: object, kernel_size: object, stride: object, padding: object, dilation: object, ceil_mode: object
) -> tuple[Array, list[Taps]]:
    signal = arguments.signal("input", input)
    window = read_pool_window(kernel_size, signal.ndim - 2, stride=stride, padding=padding, dilation=dilation)
    ceil = arguments.boolean("ceil_mode", ceil_mode)
    size = output_size(signal.shape[2:], window, ceil_mode=ceil, argument="kernel_size")
    arguments.fits_memory("output", (*signal.shape[:2], *size), signal.dtype)
    return signal, window_taps(signal.shape[2:], size, window)
