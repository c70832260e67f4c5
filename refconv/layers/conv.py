"""Convolution as CNNs mean it: the correlation of a signal with a kernel that isn't flipped.

    output[n, co, o] = bias[co] + sum of input[n, first(co) + c, o * stride - before + k * dilation] * weight[co, c, k]
                       over c and k

`n` counts the batch, `co` the output channels, `o` the windows, `c` the channels of `co`'s group, whose first is
``first(co)``, and `k` the taps; `o` and `k` have an entry for each spatial axis. A tap that falls on padding is
skipped.
"""

from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.dispatch import correlate, correlate_signals, correlate_transposed
from refconv.geometry import IntPerAxis, Padding, Window, output_size, read_window
from refconv.padding import MODES, check_mode, extend, fold


class ConvGradients(NamedTuple):
    """The gradients of the inputs, each of its input's shape and dtype; `bias` is None where the input was."""

    input: Array
    weight: Array
    bias: Array | None


def conv(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding | str = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Correlate `input` with `weight` over 1, 2 or 3 spatial axes.

    ::

        output[n, co, o] = bias[co] + sum of input[n, first(co) + c, o * stride - before + k * dilation]
                                             * weight[co, c, k]
                           over the channels c of co's group, and the taps k

    Parameters
    ----------
    input : array, shape (batch, in_channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    weight : array, shape (out_channels, in_channels / groups, *kernel)
        Of the dtype of `input`.
    bias : array, shape (out_channels,), optional
        Of the dtype of `input`.
    stride, dilation : int or one int for each spatial axis
        At least 1. A dilation of 1 is the plain correlation.
    padding : int, one int or (before, after) pair for each spatial axis, "valid" or "same"
        At least 0. "same" keeps the size, needs a stride of 1, and pads the odd one after.
    groups : int
        Divides both channel counts; each group of output channels sees its group of input channels alone.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        "reflect" needs a padding smaller than the input's size, "circular" at most that.

    Returns
    -------
    array, shape (batch, out_channels, *size)
        ``size = floor((spatial + before + after - dilation * (kernel - 1) - 1) / stride) + 1``, in the dtype of
        `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or shapes that don't match.

    Notes
    -----
    The kernel isn't flipped: signal processing calls this a cross-correlation, every deep learning framework a
    convolution. Where "same" has an odd total, PyTorch, TensorFlow and ONNX's SAME_UPPER pad the larger half after,
    SAME_LOWER before. For complex numbers nothing is conjugated, which keeps the function holomorphic, for the
    complex step.

    References
    ----------
    ``torch.nn.functional.conv1d`` to ``conv3d``; ``torch.nn.Conv2d`` for `padding_mode`; ONNX Conv.
    V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, 2016, arXiv:1603.07285.
    """
    call = _read(input, weight, bias, stride, padding, dilation, groups, padding_mode)
    signal, window = _padded(call)
    output = correlate(signal, call.weight, window, call.groups, call.size)
    return output if call.bias is None else add_bias(output, call.bias)


def conv_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding | str = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> ConvGradients:
    """Return the gradients of ``sum(conv(input, weight, bias) * grad_output)``.

    ::

        grad_input = full correlation of the stride-dilated grad_output
                     with the kernel rotated by 180° and its channels swapped
        grad_weight[co, c, k] = sum of grad_output[n, co, o]
                                * input[n, first(co) + c, o * stride - before + k * dilation]
                                over n and o
        grad_bias[co] = sum of grad_output[n, co, o] over n and o

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, weight, bias, stride, padding, dilation, groups, padding_mode
        As for :func:`conv`.

    Returns
    -------
    ConvGradients
        `input`, `weight` and `bias`, the last None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`conv`; also for a `grad_output` that isn't of the output's shape and dtype.

    References
    ----------
    I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, 2016, section 9.5.
    """
    call = _read(input, weight, bias, stride, padding, dilation, groups, padding_mode)
    grad = arguments.matching(
        "grad_output", grad_output, call.signal, (*call.signal.shape[:1], call.weight.shape[0], *call.size)
    )
    signal, window = _padded(call)
    grad_signal = correlate_transposed(grad, call.weight, window, call.groups, signal.shape[2:])
    return ConvGradients(
        input=grad_signal
        if signal is call.signal
        else fold(grad_signal, call.signal.shape[2:], call.window, call.mode),
        weight=correlate_signals(grad, signal, window, call.groups),
        bias=None if call.bias is None else sum_of_channels(grad),
    )


def conv_bound(arithmetic: Arithmetic, output: Array, *inputs: Array | None, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`, a sum of products: see :func:`refconv.bounds.multilinear`."""
    bound: Bound
    (bound,) = bounds.multilinear(conv, arithmetic, (output,), inputs, attributes)
    return bound


def conv_backward_bound(
    arithmetic: Arithmetic, grads: ConvGradients, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, sums of products as well; `inputs` begin with `grad_output`."""
    return bounds.multilinear(conv_backward, arithmetic, grads, inputs, attributes, factors=(2, 2, 1))


class _Call(NamedTuple):
    signal: Array
    weight: Array
    bias: Array | None
    window: Window
    mode: str
    groups: int
    size: tuple[int, ...]


def _read(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
    mode: object,
) -> _Call:
    signal, kernel, groups = read_arrays(input, weight, groups)
    if kernel.shape[0] % groups or signal.shape[1] % groups:
        rule = f"divide in_channels={signal.shape[1]} and out_channels={kernel.shape[0]}"
        raise InvalidValueError("groups", rule, groups)
    if kernel.shape[1] * groups != signal.shape[1]:
        rule = f"have in_channels / groups = {signal.shape[1] // groups} channels on axis 1"
        raise InvalidValueError("weight", rule, f"shape {kernel.shape}")
    offsets = read_bias(bias, signal, kernel.shape[0])
    window = read_window(kernel.shape[2:], stride=stride, padding=padding, dilation=dilation, words=True)
    mode = arguments.one_of("padding_mode", mode, MODES)
    check_mode(mode, signal, window)
    size = output_size(signal.shape[2:], window)
    arguments.fits_memory("output", (signal.shape[0], kernel.shape[0], *size), signal.dtype)
    return _Call(signal, kernel, offsets, window, mode, groups, size)


def _padded(call: _Call) -> tuple[Array, Window]:
    """Return the signal with what the mode repeats, and the window over it; zeros are left to the loops."""
    if call.mode == "zeros":
        return call.signal, call.window
    return extend(call.signal, call.window, call.mode), call.window._replace(padding=((0, 0),) * len(call.size))


def read_arrays(input: object, weight: object, groups: object) -> tuple[Array, Array, int]:
    """Check what convolution and its transpose ask alike of `input`, `weight` and `groups`."""
    signal = arguments.signal("input", input)
    kernel = arguments.array("weight", weight, like=signal)
    if kernel.ndim != signal.ndim:
        raise InvalidValueError("weight", f"have {signal.ndim} axes, as input has", f"shape {kernel.shape}")
    if 0 in kernel.shape:
        raise InvalidValueError(
            "weight", "have at least 1 channel and kernel sizes of at least 1", f"shape {kernel.shape}"
        )
    return signal, kernel, arguments.integer("groups", groups, at_least=1)


def read_bias(bias: object, signal: Array, out_channels: int) -> Array | None:
    """Check that `bias` is None or has an entry for each of `out_channels`."""
    if bias is None:
        return None
    return arguments.matching("bias", bias, signal, (out_channels,))


@np.errstate(all="ignore")  # the loops don't warn of what overflows, either
def add_bias(output: Array, bias: Array) -> Array:
    """Add `bias` along the channels, to an output that is ours."""
    output += bias.reshape(-1, *(1,) * (output.ndim - 2))
    return output


@np.errstate(all="ignore")
def sum_of_channels(grad: Array) -> Array:
    """Return the gradient of a bias: the sum of `grad` over all but its channels."""
    total: Array = grad.sum(axis=(0, *range(2, grad.ndim)))
    return total
