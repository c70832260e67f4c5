"""A 2-D convolution as a CUDA kernel in Numba: each thread computes one element, of the output or of a gradient."""

from typing import Any

import numpy as np
from numba import cuda

import oracle
from refconv.geometry import output_size, read_window

name = "numba_cuda_kernel"
_THREADS = 128


@cuda.jit
def _output(x, w, b, y, window, groups):
    index = cuda.grid(1)
    if index >= y.size:
        return
    stride_h, stride_w, before_h, before_w, apart_h, apart_w = window
    _, outs, height, width = y.shape
    column, rest = index % width, index // width
    row, rest = rest % height, rest // height
    out, sample = rest % outs, rest // outs
    first = out // (outs // groups) * w.shape[1]
    total = b[out]
    for kh in range(w.shape[2]):
        h = row * stride_h - before_h + kh * apart_h
        for kw in range(w.shape[3]):
            v = column * stride_w - before_w + kw * apart_w
            if 0 <= h < x.shape[2] and 0 <= v < x.shape[3]:
                for c in range(w.shape[1]):
                    total += x[sample, first + c, h, v] * w[out, c, kh, kw]
    y[sample, out, row, column] = total


@cuda.jit
def _grad_input(g, w, gx, window, groups):
    index = cuda.grid(1)
    if index >= gx.size:
        return
    stride_h, stride_w, before_h, before_w, apart_h, apart_w = window
    _, channels, height, width = gx.shape
    column, rest = index % width, index // width
    row, rest = rest % height, rest // height
    channel, sample = rest % channels, rest // channels
    group, own = channel // w.shape[1], channel % w.shape[1]
    outs = w.shape[0] // groups
    total = gx.dtype.type(0)
    for kh in range(w.shape[2]):
        h = row + before_h - kh * apart_h
        for kw in range(w.shape[3]):
            v = column + before_w - kw * apart_w
            if h % stride_h == 0 and v % stride_w == 0:
                oh, ow = h // stride_h, v // stride_w
                if 0 <= oh < g.shape[2] and 0 <= ow < g.shape[3]:
                    for out in range(group * outs, (group + 1) * outs):
                        total += g[sample, out, oh, ow] * w[out, own, kh, kw]
    gx[sample, channel, row, column] = total


@cuda.jit
def _grad_weight(g, x, gw, window, groups):
    index = cuda.grid(1)
    if index >= gw.size:
        return
    stride_h, stride_w, before_h, before_w, apart_h, apart_w = window
    outs, channels, height, width = gw.shape
    kw, rest = index % width, index // width
    kh, rest = rest % height, rest // height
    c, out = rest % channels, rest // channels
    channel = out // (outs // groups) * channels + c
    total = gw.dtype.type(0)
    for sample in range(g.shape[0]):
        for oh in range(g.shape[2]):
            h = oh * stride_h - before_h + kh * apart_h
            for ow in range(g.shape[3]):
                v = ow * stride_w - before_w + kw * apart_w
                if 0 <= h < x.shape[2] and 0 <= v < x.shape[3]:
                    total += g[sample, out, oh, ow] * x[sample, channel, h, v]
    gw[out, c, kh, kw] = total


def _run(kernel: Any, arrays: list[Any], shape: tuple[int, ...], window: Any, groups: int) -> Any:
    """Run a thread for each element of a result of that shape, and copy it back."""
    result = cuda.device_array(shape, arrays[0].dtype)
    blocks = -(-int(np.prod(shape)) // _THREADS)
    given = [cuda.to_device(np.ascontiguousarray(array)) for array in arrays]
    kernel[blocks, _THREADS](*given, result, window, groups)
    return result.copy_to_host()


def _read(input: Any, weight: Any, bias: Any, groups: int, padding_mode: str, **how: Any) -> Any:
    """Return what the kernels take of the window, and the output's shape."""
    if input.ndim != 4 or padding_mode != "zeros" or not input.size:
        raise oracle.Unsupported("two axes, not empty, padded with zeros")
    if groups < 1 or input.shape[1] != groups * weight.shape[1] or weight.shape[0] % groups:
        raise ValueError(f"groups must divide the channels of input and weight, got {groups}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {weight.shape[:1]}, got {bias.shape}")
    window = read_window(weight.shape[2:], words=True, **how)
    before = (pair[0] for pair in window.padding)
    shape = (input.shape[0], weight.shape[0], *output_size(input.shape[2:], window))
    return (*window.stride, *before, *window.dilation), shape


def conv(
    input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1, padding_mode: str = "zeros",
) -> Any:  # fmt: skip
    """Convolve on the GPU."""
    window, shape = _read(input, weight, bias, groups, padding_mode, stride=stride, padding=padding, dilation=dilation)
    added = np.zeros(weight.shape[:1], input.dtype) if bias is None else bias
    return _run(_output, [input, weight, added], shape, window, groups)


def conv_backward(
    grad_output: Any, input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros",
) -> Any:  # fmt: skip
    """Gather the gradients on the GPU; the bias's is a sum."""
    window, shape = _read(input, weight, bias, groups, padding_mode, stride=stride, padding=padding, dilation=dilation)
    if grad_output.shape != shape or grad_output.dtype != input.dtype:
        raise ValueError(f"grad_output must be of the output's dtype and shape {shape}, got {grad_output.shape}")
    return (
        _run(_grad_input, [grad_output, weight], input.shape, window, groups),
        _run(_grad_weight, [grad_output, input], weight.shape, window, groups),
        None if bias is None else grad_output.sum((0, 2, 3), dtype=input.dtype),
    )
