"""Average pooling: the mean of each window.

    output[n, c, o] = sum of input[n, c, o * stride - before + k] over k / divisor[o]

`n` counts the batch, `c` the channels, `o` the windows, `k` a window's positions; `o` and `k` have an entry for each
spatial axis. A position on padding adds nothing to the sum; whether the divisor counts it is `count_include_pad`'s to
say. Read backwards, each gradient is shared among the positions of its window: upsampling.
"""

from functools import reduce

import numpy as np

from refconv import arguments
from refconv.arguments import Array
from refconv.averages import Averages, averages, averages_bound, shares, shares_bound
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis, Padding, output_size, read_pool_window
from refconv.resampling import Ranges
from refconv.results import InputGradient


def avg_pool(
    input: Array,
    *,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Average `input` over windows, along 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = sum of input[n, c, o * stride - before + k] over k / divisor[o]

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    kernel_size : int or one int for each spatial axis
        At least 1.
    stride : int or one int for each spatial axis, optional
        At least 1; by default `kernel_size`.
    padding : int, one int or (before, after) pair for each spatial axis
        At least 0; it may be larger than the window.
    ceil_mode : bool
        Whether a last window may reach beyond the padding, as long as it begins before the padding after the input.
    count_include_pad : bool
        Whether the divisor counts padding. What lies beyond the padding is never counted.
    divisor_override : int, optional
        At least 1: the divisor of all windows.

    Returns
    -------
    array, shape (batch, channels, *size)
        ``size = floor((spatial + before + after - kernel_size) / stride) + 1``, with `ceil_mode` the ceiling, less a
        window that would begin at or after ``spatial + before``; in the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range.

    Notes
    -----
    PyTorch and Caffe count padding unless told otherwise; ONNX (``count_include_pad=0`` by default) and
    TensorFlow/Keras don't. PyTorch takes at most half of `kernel_size` as padding, the same before and after, and
    `divisor_override` along two or three axes only. The mean of a window that holds nothing but uncounted padding, 0/0,
    is 0 here, as PyTorch's loops have it.

    References
    ----------
    ``torch.nn.functional.avg_pool1d`` to ``avg_pool3d``; ONNX AveragePool.
    Y. LeCun et al., Gradient-based learning applied to document recognition, 1998, section II.B (subsampling).
    """
    return averages(_read(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override))


def avg_pool_backward(
    grad_output: Array,
    input: Array,
    *,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> InputGradient:
    """Return the gradient of ``sum(avg_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of grad_output[n, c, o] / divisor[o] over the o whose windows hold i

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As for :func:`avg_pool`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`avg_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    grad = arguments.array("grad_output", grad_output, like=call.signal)
    arguments.shape("grad_output", grad, call.shape)
    return InputGradient(shares(call, grad))


def avg_pool_bound(arithmetic: Arithmetic, output: Array, input: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`: see :func:`refconv.averages.averages_bound`."""
    return averages_bound(arithmetic, output, _read(input, **attributes))


def avg_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient: see :func:`refconv.averages.shares_bound`."""
    return (shares_bound(arithmetic, grads.input, grad_output, _read(input, **attributes)),)


def _read(
    input: object,
    kernel_size: object,
    stride: object,
    padding: object,
    ceil_mode: object,
    count_include_pad: object,
    divisor_override: object,
) -> Averages:
    signal = arguments.signal("input", input)
    sizes = signal.shape[2:]
    window = read_pool_window(kernel_size, len(sizes), stride=stride, padding=padding)
    ceil_mode = arguments.boolean("ceil_mode", ceil_mode)
    counted = arguments.boolean("count_include_pad", count_include_pad)
    divisor = None if divisor_override is None else arguments.integer("divisor_override", divisor_override, at_least=1)
    out = output_size(sizes, window, ceil_mode=ceil_mode, argument="kernel_size")
    arguments.fits_memory("output", (*signal.shape[:2], *out), signal.dtype)
    windows, counts = [], []
    axes = zip(sizes, out, window.kernel, window.stride, window.padding, strict=True)
    for size, outputs, kernel, step, (before, after) in axes:
        begin = np.arange(outputs) * step - before
        end = np.minimum(begin + kernel, size + after)
        windows.append(Ranges(size, begin.clip(0, size), end.clip(0, size)))
        span = end - begin if counted else windows[-1].end - windows[-1].begin
        counts.append(span.astype(np.float64))
    divisors = reduce(np.multiply.outer, counts).clip(1) if divisor is None else np.array(divisor, np.float64)
    return Averages(signal, tuple(windows), divisors)
