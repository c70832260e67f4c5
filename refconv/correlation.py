"""The correlation of a signal with a kernel, and its two transposes: the definition of every convolution.

Correlation is linear in the signal and in the weight. Its transpose in the signal is the gradient of a convolution's
input and, read forwards, the transposed convolution; its transpose in the weight is the gradient of the weight of
both.

The loops run over three spatial axes; fewer are lifted by unit axes. One function gives one element, which is the
formula; the bare loop beside it stores it. Of an array that is given, elements that aren't finite are computed anew, in
place.
"""

import math
from collections.abc import Callable

import numpy as np

from refconv.arguments import Array
from refconv.geometry import Window, lifted
from refconv.kernels import helper, kernel
from refconv.threads import spread


def correlate(
    signal: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...], output: Array | None = None
) -> Array:
    """Return the correlation of `signal` with `weight`, of spatial `size`."""
    shape = (signal.shape[0], weight.shape[0], *size)
    steps = math.prod(shape) * math.prod(weight.shape[1:])
    return _filled(_fill_output, shape, output, steps, signal, weight, window, groups)


def correlate_transposed(
    grad: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...], signal: Array | None = None
) -> Array:
    """Return the gradient of `signal` in :func:`correlate`, of spatial `size`: the transposed convolution of `grad`."""
    shape = (grad.shape[0], weight.shape[1] * groups, *size)
    steps = grad.size * math.prod(weight.shape[1:])
    return _filled(_fill_grad_input, shape, signal, steps, grad, weight, window, groups)


def correlate_signals(grad: Array, signal: Array, window: Window, groups: int, weight: Array | None = None) -> Array:
    """Return the gradient of `weight` in :func:`correlate`."""
    shape = (grad.shape[1], signal.shape[1] // groups, *window.kernel)
    steps = grad.size * math.prod(shape[1:])
    return _filled(_fill_grad_weight, shape, weight, steps, grad, signal, window, groups)


def _filled(
    fill: Callable[..., None],
    shape: tuple[int, ...],
    given: Array | None,
    steps: int,
    left: Array,
    right: Array,
    window: Window,
    groups: int,
) -> Array:
    target = np.full(shape, np.nan, left.dtype) if given is None else given
    spread(fill, math.prod(shape[:2]), steps, _lift(target), _lift(left), _lift(right), (*window.loop_form(), groups))
    return target


def _lift(array: Array) -> Array:
    return array.reshape(lifted(array.shape))


@helper
def _output_at(n, co, od, oh, ow, input, weight, window):
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW), groups = window
    _, _, D, H, W = input.shape
    C_out, C_group, KD, KH, KW = weight.shape
    first = co // (C_out // groups) * C_group  # the first input channel of co's group
    total = input.dtype.type(0)
    for kd in range(KD):
        d = od * SD - PD + kd * DD
        for kh in range(KH):
            h = oh * SH - PH + kh * DH
            for kw in range(KW):
                w = ow * SW - PW + kw * DW
                if 0 <= d < D and 0 <= h < H and 0 <= w < W:
                    for c in range(C_group):
                        total += input[n, first + c, d, h, w] * weight[co, c, kd, kh, kw]
    return total


@helper
def _undilated(position, stride, size):
    # The index in grad_output of a position of the stride-dilated one, -1 where a zero was inserted or padded.
    index = position // stride
    return index if position % stride == 0 and 0 <= index < size else -1


@helper
def _grad_input_at(n, ci, d, h, w, grad_output, weight, window):
    # Full correlation of the stride-dilated grad_output with the rotated kernel: the window of position d of the padded
    # input begins the kernel's whole reach, dilation * (kernel - 1), before it.
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW), groups = window
    _, C_out, OD, OH, OW = grad_output.shape
    _, C_group, KD, KH, KW = weight.shape
    group, c = divmod(ci, C_group)
    C_out_group = C_out // groups
    first = group * C_out_group  # the first output channel that sees ci
    total = grad_output.dtype.type(0)
    for kd in range(KD):
        od = _undilated(d + PD - (KD - 1) * DD + kd * DD, SD, OD)
        for kh in range(KH):
            oh = _undilated(h + PH - (KH - 1) * DH + kh * DH, SH, OH)
            for kw in range(KW):
                ow = _undilated(w + PW - (KW - 1) * DW + kw * DW, SW, OW)
                if od >= 0 and oh >= 0 and ow >= 0:
                    for co in range(first, first + C_out_group):
                        rotated = weight[co, c, KD - 1 - kd, KH - 1 - kh, KW - 1 - kw]
                        total += grad_output[n, co, od, oh, ow] * rotated
    return total


@helper
def _grad_weight_at(co, c, kd, kh, kw, grad_output, input, window):
    # output[n, co, od, oh, ow] += input[n, first + c, d, h, w] * weight[co, c, kd, kh, kw]
    (SD, SH, SW), (PD, PH, PW), (DD, DH, DW), groups = window
    N, C_in, D, H, W = input.shape
    _, C_out, OD, OH, OW = grad_output.shape
    first = co // (C_out // groups) * (C_in // groups)
    total = input.dtype.type(0)
    for n in range(N):
        for od in range(OD):
            d = od * SD - PD + kd * DD
            for oh in range(OH):
                h = oh * SH - PH + kh * DH
                for ow in range(OW):
                    w = ow * SW - PW + kw * DW
                    if 0 <= d < D and 0 <= h < H and 0 <= w < W:
                        total += grad_output[n, co, od, oh, ow] * input[n, first + c, d, h, w]
    return total


@helper
def _known(value):
    return value - value == 0  # finite


@kernel
def _fill_output(first, last, output, input, weight, window):
    _, C_out, OD, OH, OW = output.shape
    for row in range(first, last):
        n, co = divmod(row, C_out)
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    if not _known(output[n, co, od, oh, ow]):
                        output[n, co, od, oh, ow] = _output_at(n, co, od, oh, ow, input, weight, window)


@kernel
def _fill_grad_input(first, last, grad_input, grad_output, weight, window):
    _, C_in, D, H, W = grad_input.shape
    for row in range(first, last):
        n, ci = divmod(row, C_in)
        for d in range(D):
            for h in range(H):
                for w in range(W):
                    if not _known(grad_input[n, ci, d, h, w]):
                        grad_input[n, ci, d, h, w] = _grad_input_at(n, ci, d, h, w, grad_output, weight, window)


@kernel
def _fill_grad_weight(first, last, grad_weight, grad_output, input, window):
    _, C_group, KD, KH, KW = grad_weight.shape
    for row in range(first, last):
        co, c = divmod(row, C_group)
        for kd in range(KD):
            for kh in range(KH):
                for kw in range(KW):
                    if not _known(grad_weight[co, c, kd, kh, kw]):
                        grad_weight[co, c, kd, kh, kw] = _grad_weight_at(co, c, kd, kh, kw, grad_output, input, window)
