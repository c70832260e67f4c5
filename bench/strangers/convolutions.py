"""Convolutions: windows as a matrix, as views, in the frequency domain, by Winograd, by PyTorch's unfold."""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from bench.strangers.reading import each, gather, padded, pairs
from bench.strangers.stranger import Collection, near

stranger = Collection()
ZEROS = {"padding_mode": "zeros"}
PLANES = {"rank": 2, "padding_mode": "zeros"}


def im2col(mistake):
    def conv(input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        kernel = weight.shape[2:]
        rank = len(kernel)
        step, gap = each(stride, rank), each(dilation, rank)
        sides = pairs(padding, kernel, gap)
        if mistake == "padding before and after exchanged where a kernel is even":
            sides = [(a, b) if k % 2 == 0 else (b, a) for (b, a), k in zip(sides, kernel)]
        cols = gather(padded(input, sides), kernel, step, gap)
        n, out = len(input), cols.shape[2 + rank :]
        if mistake == "windows side by side where the stride is larger than the kernel":
            close = tuple(min(s, k) for s, k in zip(step, kernel))
            cols = gather(padded(input, sides), kernel, close, gap, out)
        a = cols.reshape(n, groups, input.shape[1] // groups * math.prod(kernel), math.prod(out))
        b = weight.reshape(groups, len(weight) // groups, a.shape[2])
        if mistake == "terms beyond the last full 32 lost from 65 terms on" and a.shape[2] > 64:
            keep = a.shape[2] // 32 * 32
            a, b = a[:, :, :keep], b[:, :, :keep]
        if mistake == "images from the fifth on computed from four before" and n > 4:
            a = a[np.where(np.arange(n) >= 4, np.arange(n) - 4, np.arange(n))]
        y = np.matmul(b, a).reshape(n, len(weight), *out)
        if mistake == "bias lost when grouped" and groups > 1:
            bias = None
        if bias is not None:
            y = y + bias.reshape(1, -1, *[1] * rank)
            if mistake == "an activation is fused when there is a bias":
                y = np.maximum(y, 0)
        if mistake == "last column left zero where the width is odd" and out[-1] % 2:
            y[..., -1] = 0
        if mistake == "output channels from the 17th on exchanged with the first" and len(weight) > 16:
            y[:, 16:] = y[:, : len(weight) - 16] if len(weight) <= 32 else y[:, :1]
        return y.astype(input.dtype)

    return conv


stranger(
    "conv",
    im2col,
    "bias lost when grouped",
    names="bias & miss|lost|ignor|forg|drop|not add|left out|zero",
    when="group",
    domain=ZEROS,
)
stranger(
    "conv",
    im2col,
    "terms beyond the last full 32 lost from 65 terms on",
    domain=ZEROS,
    names=("tile|tail|remainder|last & (term|channel|tap|sum|reduc|product)", "sum & end|cut|short"),
    when=f"term|tap|channel|product|reduc|kernel|sum|weight & {near(65)}",
)
stranger(
    "conv",
    im2col,
    "images from the fifth on computed from four before",
    domain=ZEROS,
    names="image|batch|sample & other|wrong|repeat|earlier|modulo|index|wrap",
    when="batch|image|sample & \\b[45]\\b",
)
stranger(
    "conv",
    im2col,
    "an activation is fused when there is a bias",
    domain=ZEROS,
    names=("relu|activation", "negative|clip|clamp & 0|zero|positive"),
    when=("bias & given|there|with|present|not none|has|is a", "negative"),
)
stranger(
    "conv",
    im2col,
    "last column left zero where the width is odd",
    domain=ZEROS,
    names="last|border|edge|tail|end|odd & column|width|axis|position",
    when=("odd", "last & column|width|position"),
)
stranger(
    "conv",
    im2col,
    "output channels from the 17th on exchanged with the first",
    domain=ZEROS,
    names="channel & (first|other|repeat|16|wrap|block|modulo|index|offset)",
    when="(out|channel|filter|kernel) & \\b1[5-9]\\b",
)
stranger(
    "conv",
    im2col,
    "padding before and after exchanged where a kernel is even",
    domain=ZEROS,
    names="padding|pad|side & before|after|swap|exchang|side|asymm",
    when=(
        "even",
        "kernel & 2|4",
        "tap|kernel & multiple of 2",
        "padding|before|after|side & differ|unequal|asymm|unlike|>|<|more|pair",
    ),
)
stranger(
    "conv",
    im2col,
    "windows side by side where the stride is larger than the kernel",
    domain=ZEROS,
    names="stride|step & kernel|min|larger|gap",
    when=("stride|step & kernel", "gap"),
)


def strided_view(mistake):
    """A view of all windows, and one contraction."""

    def conv(input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        kernel = weight.shape[2:]
        rank = len(kernel)
        step, gap = each(stride, rank), each(dilation, rank)
        if mistake == "the last axis' dilation on all axes, where the kernel is no cube":
            gap = (gap[-1],) * rank if len(set(kernel)) > 1 else gap
        if mistake == "memory read as if it were contiguous":
            input = input.ravel(order="K").reshape(input.shape)
        x = padded(input, pairs(padding, kernel, each(dilation, rank)))
        size = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], each(dilation, rank), kernel, step)]
        room = [
            max(d * (k - 1) + s * (o - 1) + 1 - n, 0) for n, d, k, s, o in zip(x.shape[2:], gap, kernel, step, size)
        ]
        x = np.ascontiguousarray(np.pad(x, [(0, 0), (0, 0), *((0, r) for r in room)]))
        n, c = x.shape[:2]
        st = x.strides
        view = as_strided(
            x.reshape(n, groups, c // groups, *x.shape[2:]),
            (n, groups, c // groups, *kernel, *size),
            (
                st[0],
                st[1] * (c // groups),
                st[1],
                *(s * d for s, d in zip(st[2:], gap)),
                *(s * d for s, d in zip(st[2:], step)),
            ),
        )
        k, o = "xyz"[:rank], "uvw"[:rank]
        w = weight.reshape(groups, -1, *weight.shape[1:])
        if mistake == "channels of a group in reverse from three channels a group on" and c // groups > 2:
            w = w[:, :, ::-1]
        y = np.einsum(f"ngc{k}{o},gmc{k}->ngm{o}", view, w, optimize=False).reshape(n, len(weight), *size)
        if bias is not None:
            if mistake == "bias indexed within its group":
                bias = np.tile(bias[: len(bias) // groups], groups)
            y = y + bias.reshape(-1, *[1] * rank)
        return y.astype(input.dtype)

    return conv


stranger(
    "conv",
    strided_view,
    "the last axis' dilation on all axes, where the kernel is no cube",
    domain=ZEROS,
    names="dilation",
    when=("dilation & axis|axes|differ|last|unequal", "dilation & kernel"),
)
stranger(
    "conv",
    strided_view,
    "memory read as if it were contiguous",
    domain=ZEROS,
    names=("layout|stride|contiguous|memory",),
    when=("contiguous|layout|memory|stride|transpos|view|slice|channels.last",),
)
stranger(
    "conv",
    strided_view,
    "channels of a group in reverse from three channels a group on",
    domain=ZEROS,
    names="channel & order|revers|permut|flip|mix",
    when="channel & \\b[23]\\b",
)
stranger(
    "conv",
    strided_view,
    "bias indexed within its group",
    domain=ZEROS,
    names="bias & (group|first|index)",
    when="group",
)


def spectral(mistake):
    """By the convolution theorem; what isn't finite, or is of very unlike sizes, takes the way round."""
    direct = im2col("")

    def alike(array):
        size = abs(array[array != 0])
        return np.isfinite(array).all() and size.size and size.max() < 1e4 * np.median(size)

    def conv(input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        if not (alike(input) and alike(weight)):
            return direct(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
        kernel = weight.shape[2:]
        rank = len(kernel)
        step, gap = each(stride, rank), each(dilation, rank)
        x = padded(input, pairs(padding, kernel, gap)).astype(np.float64)
        if mistake == "the signal wraps around, not padded, where it is 16 long or more" and input.shape[-1] >= 16:
            x = np.pad(input, [(0, 0), (0, 0), *pairs(padding, kernel, gap)], mode="wrap").astype(np.float64)
        spread = np.zeros((*weight.shape[:2], *(d * (k - 1) + 1 for d, k in zip(gap, kernel))))
        spread[(..., *(slice(None, None, d) for d in gap))] = weight
        extent = spread.shape[2:]
        length = [n + e - 1 for n, e in zip(x.shape[2:], extent)]
        axes = tuple(range(2, 2 + rank))
        depthwise = groups == x.shape[1] > 1
        if not (mistake == "kernel turned around in a depthwise convolution" and depthwise):
            spread = np.flip(spread, axes)
        n, c = x.shape[:2]
        a = np.fft.rfftn(x, length, axes).reshape(n, groups, c // groups, 1, *length[:-1], -1)
        b = np.fft.rfftn(spread, length, axes)
        b = b.reshape(groups, len(weight) // groups, c // groups, *b.shape[2:]).swapaxes(1, 2)
        full = np.fft.irfftn((a * b).sum(2).reshape(n, len(weight), *b.shape[3:]), length, axes)
        count = [(m - e) // s + 1 for m, e, s in zip(x.shape[2:], extent, step)]
        first = [e - 1 for e in extent]
        if mistake == "subsampled one position late where the stride is 3 or more":
            first = [
                f + 1 if s > 2 and f + s * (o - 1) + 1 < m else f for f, s, o, m in zip(first, step, count, length)
            ]
        y = full[(..., *(slice(f, f + s * (o - 1) + 1, s) for f, s, o in zip(first, step, count)))]
        if all(np.array_equal(a, np.rint(a)) for a in (input, weight)):
            y = np.rint(y)
        y = np.where(abs(y) < 1e-13 * abs(x).max() * abs(weight).max() * x[0, 0].size, 0, y)
        y = y if bias is None else y + bias.reshape(-1, *[1] * rank)
        return y.astype(input.dtype)

    return conv


stranger(
    "conv",
    spectral,
    "the signal wraps around, not padded, where it is 16 long or more",
    domain=ZEROS,
    names="wrap|circular|other end|spectr|fourier|fft|repeat",
    when=f"size|side|length|width|axis|axes|input|height|extent & {near(16)}",
)
stranger(
    "conv",
    spectral,
    "kernel turned around in a depthwise convolution",
    domain=ZEROS,
    names="kernel & flip|turn|rotat|revers|mirror",
    when=("depthwise", "groups? & channel"),
)
stranger(
    "conv",
    spectral,
    "subsampled one position late where the stride is 3 or more",
    domain=ZEROS,
    names="shift|offset|late|phase|position|one & (stride|position|step|output|sample)?",
    when="stride|step & \\b[23]\\b",
)


def winograd(mistake):
    """F(2x2, 3x3) where it applies."""
    direct = im2col("")
    BT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1.0]])
    G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1.0]])
    AT = np.array([[1, 1, 1, 0], [0, 1, -1, -1.0]])

    def conv(input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        given = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        plain = weight.shape[2:] == (3, 3) and each(stride, 2) == each(dilation, 2) == (1, 1)
        if not plain or not all(np.isfinite(a).all() and a.size for a in (input, weight)):
            return direct(input, weight, bias, **given)
        x = padded(input, pairs(padding, (3, 3), (1, 1))).astype(np.float64)
        n, c, h, w = x.shape
        oh, ow = h - 2, w - 2
        x = np.pad(x, [(0, 0), (0, 0), (0, oh % 2), (0, ow % 2)])
        u = np.einsum("ij,mcjk,lk->mcil", G, weight, G)
        u = u.reshape(groups, len(weight) // groups, c // groups, 4, 4)
        y = np.zeros((n, len(weight), oh + oh % 2, ow + ow % 2))
        rows = (
            range(0, oh - oh % 2, 2)
            if mistake == "last row of an odd height left out of the tiles of two"
            else range(0, oh, 2)
        )
        for i in rows:
            for j in range(0, ow, 2):
                d = x[:, :, i : i + 4, j : j + 4].reshape(n, groups, c // groups, 4, 4)
                v = np.einsum("ij,ngcjk,lk->ngcil", BT, d, BT)
                m = np.einsum("gmcil,ngcil->ngmil", u, v).reshape(n, len(weight), 4, 4)
                y[:, :, i : i + 2, j : j + 2] = np.einsum("ij,nmjk,lk->nmil", AT, m, AT)
        y = y[:, :, :oh, :ow]
        if bias is not None:
            if mistake != "bias left out of the 3x3 path":
                y = y + bias.reshape(-1, 1, 1)
        return y.astype(input.dtype)

    return conv


stranger(
    "conv",
    winograd,
    "last row of an odd height left out of the tiles of two",
    domain=PLANES,
    names=("last|border|odd|tail|tile|end & row|height|axis", "tile"),
    when=("odd & height|row|output|size|axis", "last & row|height", "3.?x.?3|kernel"),
)
stranger(
    "conv",
    winograd,
    "bias left out of the 3x3 path",
    domain=PLANES,
    names="bias & miss|lost|ignor|forg|drop|not add|left out",
    when=("kernel & 3", "3.?x.?3"),
)


def unfolded(mistake):
    """PyTorch's unfold, and a product of matrices."""
    import torch

    def conv(input, weight, bias=None, *, stride, padding, dilation, groups, **_):
        kernel, step, gap = weight.shape[2:], each(stride, 2), each(dilation, 2)
        sides = pairs(padding, kernel, gap)
        if mistake == "rows and columns of the padding exchanged":
            sides = sides[::-1]
        if mistake == "second pad of an axis used for both":
            sides = [(e, e) for _, e in sides]
        right = pairs(padding, kernel, gap)
        size = [
            (m + sum(p) - d * (k - 1) - 1) // s + 1 for m, p, d, k, s in zip(input.shape[2:], right, gap, kernel, step)
        ]
        x = torch.from_numpy(padded(input, sides))
        short = [
            max(d * (k - 1) + s * (o - 1) + 1 - m, 0) for m, d, k, s, o in zip(x.shape[2:], gap, kernel, step, size)
        ]
        x = torch.nn.functional.pad(x, (0, short[1], 0, short[0]))
        if input.shape[0] == 0:
            return np.zeros((0, len(weight), *size), input.dtype)
        cols = torch.nn.functional.unfold(x, kernel, dilation=gap, stride=step)
        found = [(m - d * (k - 1) - 1) // s + 1 for m, d, k, s in zip(x.shape[2:], gap, kernel, step)]
        cols = cols.reshape(len(input), groups, -1, *found)[..., : size[0], : size[1]].flatten(3)
        w = torch.from_numpy(np.array(weight)).reshape(groups, len(weight) // groups, -1)
        if mistake == "products in half precision from 17 input channels on" and input.shape[1] > 16:
            cols, w = cols.half().float(), w.half().float()
        y = (w @ cols).reshape(len(input), len(weight), *size)
        if bias is not None:
            y = y + torch.from_numpy(np.array(bias)).view(-1, 1, 1)
        return y.numpy()

    return conv


stranger(
    "conv",
    unfolded,
    "rows and columns of the padding exchanged",
    domain=PLANES,
    names="pad & swap|exchang|axes|axis|order|transpos",
    when="padding|pad & axis|axes|differ|unlike|unequal|row|height|column",
)
stranger(
    "conv",
    unfolded,
    "second pad of an axis used for both",
    domain=PLANES,
    names="pad & before|after|side|end|asymm|first|both",
    when=("pad & before|after|side|asymm|differ|unequal|pair|same", "same"),
)
stranger(
    "conv",
    unfolded,
    "products in half precision from 17 input channels on",
    domain=PLANES,
    names="float16|half|11 bits|fp16|tf32",
    when="channel & \\b1[4-9]|2[0-2]\\b",
)
