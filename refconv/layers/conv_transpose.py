"""Transposed convolution: the transpose of the linear map that `conv` is in its input.

    output[n, first(c) + co, i * stride - before + k * dilation] += input[n, c, i] * weight[c, co, k],  then + bias

`i` counts the input's positions, `k` the taps; what falls outside the output is cropped. Read backwards, each output
gathers what the gradient of a convolution's input gathers: the full correlation of the stride-dilated input with the
kernel rotated by 180°.
"""

from typing import NamedTuple

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.dispatch import correlate, correlate_signals, correlate_transposed
from refconv.geometry import IntPerAxis, Padding, Window, read_window, transposed_output_size
from refconv.layers.conv import (
    ConvGradients,
    add_bias,
    read_arrays,
    read_bias,
    sum_of_channels,
)


def conv_transpose(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding = 0,
    output_padding: IntPerAxis = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
) -> Array:
    """Spread each value of `input` over a window of the output, weighted by `weight`, over 1, 2 or 3 spatial axes.

    ::

        output[n, co, p] = bias[co] + sum of input[n, c, i] * weight[c, co - first(c), k] over c in co's group
                           and all i, k with i * stride - before + k * dilation = p

    Parameters
    ----------
    input : array, shape (batch, in_channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    weight : array, shape (in_channels, out_channels / groups, *kernel)
        Of the dtype of `input`.
    bias : array, shape (out_channels,), optional
        Of the dtype of `input`.
    stride, dilation : int or one int for each spatial axis
        At least 1.
    padding : int, one int or (before, after) pair for each spatial axis
        At least 0: what is cropped from the output, as :func:`refconv.conv` would have padded it.
    output_padding : int or one int for each spatial axis
        Rows added after the output's end, not zeros but whatever falls there; smaller than the stride or the dilation.
    groups : int
        Divides both channel counts.

    Returns
    -------
    array, shape (batch, out_channels, *size)
        ``size = (spatial - 1) * stride - before - after + dilation * (kernel - 1) + output_padding + 1``, in the
        dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or shapes that don't match.

    Notes
    -----
    For every `x` of the output's shape, ``sum(conv_transpose(input, weight) * x) == sum(input * conv(x, weight))``
    with the same attributes, as long as `output_padding` is smaller than the stride. It doesn't invert a convolution,
    whatever its other name, "deconvolution", suggests.

    References
    ----------
    ``torch.nn.functional.conv_transpose1d`` to ``conv_transpose3d``; ONNX ConvTranspose.
    V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, 2016, arXiv:1603.07285, chapter 4.
    """
    call = _read(input, weight, bias, stride, padding, output_padding, dilation, groups)
    output = correlate_transposed(call.signal, call.weight, call.window, call.groups, call.size)
    return output if call.bias is None else add_bias(output, call.bias)


def conv_transpose_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding = 0,
    output_padding: IntPerAxis = 0,
    dilation: IntPerAxis = 1,
    groups: int = 1,
) -> ConvGradients:
    """Return the gradients of ``sum(conv_transpose(input, weight, bias) * grad_output)``.

    ::

        grad_input  = conv(grad_output, weight), cut to the input's size
        grad_weight[c, co, k] = sum of input[n, c, i]
                                * grad_output[n, first(c) + co, i * stride - before + k * dilation]
                                over n and i
        grad_bias[co] = sum of grad_output[n, co, p] over n and p

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, weight, bias, stride, padding, output_padding, dilation, groups
        As for :func:`conv_transpose`.

    Returns
    -------
    ConvGradients
        `input`, `weight` and `bias`, the last None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`conv_transpose`; also for a `grad_output` that isn't of the output's shape and dtype.

    References
    ----------
    V. Dumoulin, F. Visin, A guide to convolution arithmetic for deep learning, 2016, arXiv:1603.07285, section 4.1.
    """
    call = _read(input, weight, bias, stride, padding, output_padding, dilation, groups)
    out_channels = call.weight.shape[1] * call.groups
    grad = arguments.matching(
        "grad_output", grad_output, call.signal, (*call.signal.shape[:1], out_channels, *call.size)
    )
    return ConvGradients(
        input=correlate(grad, call.weight, call.window, call.groups, call.signal.shape[2:]),
        weight=correlate_signals(call.signal, grad, call.window, call.groups),
        bias=None if call.bias is None else sum_of_channels(grad),
    )


def conv_transpose_bound(arithmetic: Arithmetic, output: Array, *inputs: Array | None, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`, a sum of products: see :func:`refconv.bounds.multilinear`."""
    bound: Bound
    (bound,) = bounds.multilinear(conv_transpose, arithmetic, (output,), inputs, attributes)
    return bound


def conv_transpose_backward_bound(
    arithmetic: Arithmetic, grads: ConvGradients, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, sums of products as well; `inputs` begin with `grad_output`."""
    return bounds.multilinear(conv_transpose_backward, arithmetic, grads, inputs, attributes, factors=(2, 2, 1))


class _Call(NamedTuple):
    signal: Array
    weight: Array
    bias: Array | None
    window: Window
    groups: int
    size: tuple[int, ...]


def _read(
    input: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    output_padding: object,
    dilation: object,
    groups: object,
) -> _Call:
    signal, kernel, groups = read_arrays(input, weight, groups)
    if kernel.shape[0] != signal.shape[1]:
        raise InvalidValueError("weight", f"have in_channels={signal.shape[1]} on axis 0", f"shape {kernel.shape}")
    if signal.shape[1] % groups:
        raise InvalidValueError("groups", f"divide in_channels={signal.shape[1]}", groups)
    out_channels = kernel.shape[1] * groups
    offsets = read_bias(bias, signal, out_channels)
    window = read_window(kernel.shape[2:], stride=stride, padding=padding, dilation=dilation)
    size = transposed_output_size(signal.shape[2:], window, output_padding)
    arguments.fits_memory("output", (signal.shape[0], out_channels, *size), signal.dtype)
    return _Call(signal, kernel, offsets, window, groups, size)
