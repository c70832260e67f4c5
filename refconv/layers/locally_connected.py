"""The locally connected layer: a convolution whose weights aren't shared, with a kernel of its own for each window.

    output[n, co, o] = bias[co, o] + sum of input[n, c, o * stride - before + k * dilation] * weight[co, o, c, k]
                       over c and k

`n` counts the batch, `co` the output channels, `o` the windows, `c` the input channels, and `k` the taps; `o` and `k`
have an entry for each spatial axis. A tap that falls on padding is skipped.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis, Padding, Window, lifted, output_size, read_window
from refconv.kernels import helper, kernel
from refconv.layers.conv import ConvGradients
from refconv.threads import spread


@np.errstate(all="ignore")  # the loops don't warn of what overflows, either
def locally_connected(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding = 0,
    dilation: IntPerAxis = 1,
) -> Array:
    """Correlate each window of `input` with its own kernel of `weight`, over 1, 2 or 3 spatial axes.

    ::

        output[n, co, o] = bias[co, o] + sum of input[n, c, o * stride - before + k * dilation] * weight[co, o, c, k]
                           over the channels c and the taps k

    Parameters
    ----------
    input : array, shape (batch, in_channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    weight : array, shape (out_channels, *size, in_channels, *kernel)
        Of the dtype of `input`; `size` is that of the output, below.
    bias : array, shape (out_channels, *size), optional
        Of the dtype of `input`: not shared, either.
    stride, dilation : int or one int for each spatial axis
        At least 1.
    padding : int, one int or (before, after) pair for each spatial axis
        At least 0, with zeros.

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
    PyTorch has no such function. Keras had it until version 2, as LocallyConnected1D and 2D, with the weight flattened
    to (windows, taps * in_channels, out_channels) and neither padding nor dilation. Lua Torch's
    SpatialConvolutionLocal has the weight as here.

    References
    ----------
    I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, 2016, section 9.5, "unshared convolution".
    Y. Taigman et al., DeepFace, CVPR 2014.
    """
    call = _read(input, weight, bias, stride, padding, dilation)
    output = np.empty(call.shape, call.signal.dtype)
    _run(_fill_output, output, call.signal, call.weight, call)
    if call.bias is not None:
        output += call.bias
    return output


@np.errstate(all="ignore")
def locally_connected_backward(
    grad_output: Array,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPerAxis = 1,
    padding: Padding = 0,
    dilation: IntPerAxis = 1,
) -> ConvGradients:
    """Return the gradients of ``sum(locally_connected(input, weight, bias) * grad_output)``.

    ::

        grad_input[n, c, p] = sum of grad_output[n, co, o] * weight[co, o, c, k] over co
                              and all o, k with o * stride - before + k * dilation = p
        grad_weight[co, o, c, k] = sum of grad_output[n, co, o] * input[n, c, o * stride - before + k * dilation] over n
        grad_bias[co, o] = sum of grad_output[n, co, o] over n

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, weight, bias, stride, padding, dilation
        As for :func:`locally_connected`.

    Returns
    -------
    ConvGradients
        `input`, `weight` and `bias`, the last None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`locally_connected`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, weight, bias, stride, padding, dilation)
    grad = arguments.matching("grad_output", grad_output, call.signal, call.shape)
    grad_signal, grad_weight = np.empty_like(call.signal), np.empty_like(call.weight)
    _run(_fill_grad_input, grad_signal, grad, call.weight, call)
    _run(_fill_grad_weight, grad_weight, grad, call.signal, call)
    return ConvGradients(grad_signal, grad_weight, None if call.bias is None else grad.sum(axis=0))


def locally_connected_bound(
    arithmetic: Arithmetic, output: Array, *inputs: Array | None, **attributes: object
) -> Bound:
    """Bound the rounding errors of `output`, a sum of products: see :func:`refconv.bounds.multilinear`."""
    bound: Bound
    (bound,) = bounds.multilinear(locally_connected, arithmetic, (output,), inputs, attributes)
    return bound


def locally_connected_backward_bound(
    arithmetic: Arithmetic, grads: ConvGradients, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, sums of products as well; `inputs` begin with `grad_output`."""
    return bounds.multilinear(locally_connected_backward, arithmetic, grads, inputs, attributes, factors=(2, 2, 1))


class _Call(NamedTuple):
    signal: Array
    weight: Array
    bias: Array | None
    window: Window
    shape: tuple[int, ...]  # of the output


def _read(input: object, weight: object, bias: object, stride: object, padding: object, dilation: object) -> _Call:
    signal = arguments.signal("input", input)
    rank = signal.ndim - 2
    kernels = arguments.array("weight", weight, like=signal)
    if kernels.ndim != 2 + 2 * rank:
        rule = f"have {2 + 2 * rank} axes, (out_channels, *output, in_channels, *kernel)"
        raise InvalidValueError("weight", rule, f"shape {kernels.shape}")
    if 0 in kernels.shape:
        rule = "have at least 1 channel and kernel sizes of at least 1"
        raise InvalidValueError("weight", rule, f"shape {kernels.shape}")
    out_channels, in_channels = kernels.shape[0], signal.shape[1]
    taps = kernels.shape[2 + rank :]
    window = read_window(taps, stride=stride, padding=padding, dilation=dilation)
    size = output_size(signal.shape[2:], window)
    arguments.shape("weight", kernels, (out_channels, *size, in_channels, *taps))
    offsets = None if bias is None else arguments.matching("bias", bias, signal, (out_channels, *size))
    shape = (len(signal), out_channels, *size)
    arguments.fits_memory("output", shape, signal.dtype)
    return _Call(signal, kernels, offsets, window, shape)


def _run(fill: Callable[..., None], result: Array, one: Array, other: Array, call: _Call) -> None:
    """Fill `result` of two arrays, all of them lifted to three spatial axes, by slices of its first two axes."""
    result, *arrays = (_lift(array, call) for array in (result, one, other))
    entries = result.shape[0] * result.shape[1]
    spread(fill, entries, len(call.signal) * call.weight.size, result, *arrays, call.window.loop_form())


def _lift(array: Array, call: _Call) -> Array:
    if array.ndim == call.signal.ndim:
        return array.reshape(lifted(array.shape))
    out_channels, *size = call.shape[1:]
    in_channels = call.signal.shape[1]
    unit = (1,) * (3 - len(size))
    return array.reshape(out_channels, *unit, *size, in_channels, *unit, *call.window.kernel)


@helper
def _output_at(n, co, od, oh, ow, input, weight, window):
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW) = window
    _, C_in, D, H, W = input.shape
    KD, KH, KW = weight.shape[5:]
    total = input.dtype.type(0)
    for c in range(C_in):
        for kd in range(KD):
            d = od * SD - PD + kd * DD
            for kh in range(KH):
                h = oh * SH - PH + kh * DH
                for kw in range(KW):
                    w = ow * SW - PW + kw * DW
                    if 0 <= d < D and 0 <= h < H and 0 <= w < W:
                        total += input[n, c, d, h, w] * weight[co, od, oh, ow, c, kd, kh, kw]
    return total


@helper
def _window_at(position, tap, stride, before, dilation, windows):
    # The window whose `tap` reads the position, -1 where there is none.
    start = position + before - tap * dilation
    index = start // stride
    return index if start % stride == 0 and 0 <= index < windows else -1


@helper
def _grad_input_at(n, c, d, h, w, grad_output, weight, window):
    # output[n, co, od, oh, ow] += input[n, c, d, h, w] * weight[co, od, oh, ow, c, kd, kh, kw]
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW) = window
    _, C_out, OD, OH, OW = grad_output.shape
    KD, KH, KW = weight.shape[5:]
    total = grad_output.dtype.type(0)
    for kd in range(KD):
        od = _window_at(d, kd, SD, PD, DD, OD)
        for kh in range(KH):
            oh = _window_at(h, kh, SH, PH, DH, OH)
            for kw in range(KW):
                ow = _window_at(w, kw, SW, PW, DW, OW)
                if od >= 0 and oh >= 0 and ow >= 0:
                    for co in range(C_out):
                        total += grad_output[n, co, od, oh, ow] * weight[co, od, oh, ow, c, kd, kh, kw]
    return total


@helper
def _grad_weight_at(co, od, oh, ow, c, kd, kh, kw, grad_output, input, window):
    # output[n, co, od, oh, ow] += input[n, c, d, h, w] * weight[co, od, oh, ow, c, kd, kh, kw]
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW) = window
    N, _, D, H, W = input.shape
    d = od * SD - PD + kd * DD
    h = oh * SH - PH + kh * DH
    w = ow * SW - PW + kw * DW
    total = input.dtype.type(0)
    if 0 <= d < D and 0 <= h < H and 0 <= w < W:
        for n in range(N):
            total += grad_output[n, co, od, oh, ow] * input[n, c, d, h, w]
    return total


@kernel
def _fill_output(first, last, output, input, weight, window):
    _, C_out, OD, OH, OW = output.shape
    for plane in range(first, last):
        n, co = divmod(plane, C_out)
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    output[n, co, od, oh, ow] = _output_at(n, co, od, oh, ow, input, weight, window)


@kernel
def _fill_grad_input(first, last, grad_input, grad_output, weight, window):
    _, C_in, D, H, W = grad_input.shape
    for plane in range(first, last):
        n, c = divmod(plane, C_in)
        for d in range(D):
            for h in range(H):
                for w in range(W):
                    grad_input[n, c, d, h, w] = _grad_input_at(n, c, d, h, w, grad_output, weight, window)


@kernel
def _fill_grad_weight(first, last, grad_weight, grad_output, input, window):
    _, OD, OH, OW, C_in, KD, KH, KW = grad_weight.shape
    for slab in range(first, last):
        co, od = divmod(slab, OD)
        for oh in range(OH):
            for ow in range(OW):
                for c in range(C_in):
                    for kd in range(KD):
                        for kh in range(KH):
                            for kw in range(KW):
                                grad_weight[co, od, oh, ow, c, kd, kh, kw] = _grad_weight_at(
                                    co, od, oh, ow, c, kd, kh, kw, grad_output, input, window
                                )
