"""Convolutions the other way: transposed, scattered from inputs; gradients; and kernels of each window's own."""

import math

import numpy as np

from bench.strangers.reading import crop, each, gather, padded, pairs, scatter
from bench.strangers.stranger import Collection, near

stranger = Collection()
ZEROS = {"padding_mode": "zeros"}
PLANES = {"rank": 2, "padding_mode": "zeros"}


def scattered(mistake):
    """Each input is multiplied by the kernel, and added to the output."""

    def conv_transpose(input, weight, bias=None, *, stride, padding, output_padding, dilation, groups):
        kernel = weight.shape[2:]
        rank = len(kernel)
        step, gap, more = each(stride, rank), each(dilation, rank), each(output_padding, rank)
        sides = pairs(padding, kernel, gap)
        n, c = input.shape[:2]
        a = input.reshape(n, groups, c // groups, math.prod(input.shape[2:]))
        w = weight.reshape(groups, c // groups, math.prod(weight.shape[1:]))
        if mistake == "group's offset into the weight forgotten":
            w = w[:1].repeat(groups, 0)
        if mistake == "gaps of the dilation lost where the stride is above 1" and max(step) > 1:
            gap = (1,) * rank
        windows = np.einsum("ngcp,gcm->ngmp", a, w, optimize=True).reshape(
            n, groups * weight.shape[1], *kernel, *input.shape[2:]
        )
        full = [
            (m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(input.shape[2:], step, each(dilation, rank), kernel)
        ]
        overlap = any(s < d * (k - 1) + 1 for s, d, k in zip(step, gap, kernel))
        assigned = mistake == "windows that overlap are overwritten in three axes" and rank == 3 and overlap
        y = scatter(windows, (n, windows.shape[1], *full), kernel, step, gap, add=not assigned)
        y = np.pad(y, [(0, 0), (0, 0), *((0, m) for m in more)])
        y = np.array(crop(y, [(b, e) for b, e in sides]))
        if bias is not None:
            added = np.broadcast_to(bias.reshape(-1, *[1] * rank), y.shape).copy()
            if mistake == "bias missing in what output_padding adds":
                for axis, m in enumerate(more, start=2):
                    if m:
                        added[(slice(None),) * axis + (slice(-m, None),)] = 0
            y = y + added
        return y.astype(input.dtype)

    return conv_transpose


stranger(
    "conv_transpose",
    scattered,
    "group's offset into the weight forgotten",
    names="group & (weight|kernel|first|offset|channel)",
    when="group",
)
stranger(
    "conv_transpose",
    scattered,
    "gaps of the dilation lost where the stride is above 1",
    names="dilation",
    when=("dilation & stride", "stride & dilation"),
)
stranger(
    "conv_transpose",
    scattered,
    "windows that overlap are overwritten in three axes",
    names="overlap|overwrit|assign|not added|accumul",
    when=("3.?d|three|rank|volume|axes", "overlap"),
)
stranger(
    "conv_transpose",
    scattered,
    "bias missing in what output_padding adds",
    names=("bias & output_padding|output padding|end|border|miss|last", "output.padding"),
    when="output.padding",
)


def gradients(mistake):
    """Gradients by the matrix of windows."""

    def conv_backward(grad_output, input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        kernel = weight.shape[2:]
        rank = len(kernel)
        step, gap = each(stride, rank), each(dilation, rank)
        sides = pairs(padding, kernel, gap)
        x = padded(input, sides)
        n, c = input.shape[:2]
        out = grad_output.shape[2:]
        cols = gather(x, kernel, step, gap)
        rows = cols.reshape(n, groups, c // groups * math.prod(kernel), math.prod(out))
        dy = grad_output.reshape(n, groups, len(weight) // groups, math.prod(out))
        dw = np.matmul(dy, rows.swapaxes(2, 3))
        dw = (
            dw[-1]
            if mistake == "the weight's gradient of the last image alone from three images on" and n > 2
            else dw.sum(0)
        )
        if mistake == "the weight's gradient kept in half precision from 33 positions on" and math.prod(out) > 32:
            dw = dw.astype(np.float16)
        w = weight.reshape(groups, len(weight) // groups, -1)
        if mistake == "kernel's axes exchanged in the gradient of the input where it is square":
            if rank > 1 and kernel[-1] == kernel[-2]:
                w = weight.swapaxes(-1, -2).reshape(w.shape)
        dcols = np.matmul(w.swapaxes(1, 2), dy).reshape(n, c, *kernel, *out)
        dx = crop(scatter(dcols, x.shape, kernel, step, gap), sides)
        if mistake == "rows that no window reads hold what was there" and input.size:
            read = crop(scatter(np.ones_like(dcols[:1, :1]), (1, 1, *x.shape[2:]), kernel, step, gap), sides)
            dx = np.where(read > 0, dx, input)
        db = grad_output.sum((0, *range(2, 2 + rank)))
        if mistake == "the bias' gradient divided by the batch":
            db = db / max(n, 1)
        return (
            np.ascontiguousarray(dx).astype(input.dtype),
            dw.reshape(weight.shape).astype(input.dtype),
            None if bias is None else db.astype(input.dtype),
        )

    return conv_backward


stranger(
    "conv_backward",
    gradients,
    "the weight's gradient of the last image alone from three images on",
    domain=ZEROS,
    names="weight & last|image|batch|assign|accumul|overwrit|one",
    when="batch|image|sample & \\b[23]\\b",
)
stranger(
    "conv_backward",
    gradients,
    "the weight's gradient kept in half precision from 33 positions on",
    domain=ZEROS,
    names="float16|half|11 bits|fp16",
    when=f"position|output|size|window|pixel|terms|width|height|length & {near(33)}",
)
stranger(
    "conv_backward",
    gradients,
    "kernel's axes exchanged in the gradient of the input where it is square",
    domain=ZEROS,
    names="kernel|weight & (axes|axis|column|row|transpos|swap|exchang)",
    when=("kernel & square|equal|same|alike|axes|axis|=", "square"),
)
stranger(
    "conv_backward",
    gradients,
    "rows that no window reads hold what was there",
    domain=ZEROS,
    names=("not|un & (written|read|initiali|touch|cleared|zero)", "garbage"),
    when=(
        "stride & kernel|left|rest|over|remain",
        "window & no|not|gap|beyond|left",
        "gap",
        "not|un & read|used|seen|cover",
    ),
)
stranger(
    "conv_backward",
    gradients,
    "the bias' gradient divided by the batch",
    domain=ZEROS,
    names="bias & (averag|mean|divid|batch|shared)",
    when=("batch|image & \\b[12]\\b", "bias & given|there|with|present"),
)


def loops(mistake):
    """For each window a dot product."""

    def locally_connected(input, weight, bias=None, *, stride, padding, dilation):
        co, *rest = weight.shape
        rank = input.ndim - 2
        kernel = rest[rank + 1 :]
        step, gap = each(stride, rank), each(dilation, rank)
        x = padded(input, pairs(padding, kernel, gap))
        cols = gather(x, kernel, step, gap)
        y = np.zeros((len(input), co, *rest[:rank]), input.dtype)
        for o in np.ndindex(*rest[:rank]):
            at = o
            if (
                mistake == "the last row's kernels taken from the row before it, in planes"
                and rank == 2
                and o[0] == rest[0] - 1 > 0
            ):
                at = (o[0] - 1, o[1])
            w = weight[(slice(None), *at)].reshape(co, -1)
            y[(..., *o)] = cols[(..., *o)].reshape(len(input), w.shape[1]) @ w.T
            if bias is not None:
                b = bias[(slice(None), *o)]
                if mistake == "one bias for each channel":
                    b = bias[(slice(None), *(0,) * rank)]
                y[(..., *o)] += b
        return y

    return locally_connected


stranger(
    "locally_connected",
    loops,
    "the last row's kernels taken from the row before it, in planes",
    names="kernel|weight|position & (other|row|before|neighbour|neighbor|last|shared|wrong)",
    when=("2.?d|plane|rank|two|2 spatial", "last & row|height"),
)
stranger(
    "locally_connected",
    loops,
    "one bias for each channel",
    names="bias & (channel|position|shared|first|index|one)",
    when="bias & given|there|with|present|not none",
)
