"""What moves elements: padding, joining, resizing, shuffling."""

import math

import numpy as np

from bench.strangers.reading import each, pairs
from bench.strangers.stranger import Collection, near

stranger = Collection()
MODES = {"zeros": "constant", "constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def by_index(mistake):
    """Each output's source, along each axis."""

    def pad(input, *, padding, mode, value):
        rank = input.ndim - 2
        y = np.array(input, order="C")
        if (
            mistake == "value ignored where the padding has two sides"
            and isinstance(padding, tuple | list)
            and any(isinstance(p, tuple | list) for p in padding)
        ):
            value = 0.0
        for axis, (b, e) in enumerate(pairs(padding, (1,) * rank, (1,) * rank), start=2):
            n = y.shape[axis]
            i = np.arange(-b, n + e)
            if mode == "reflect":
                i = abs(i)
                i = np.where(
                    i >= n,
                    2 * (n - 1)
                    - i
                    + (
                        1
                        if mistake == "mirrored with the edge on the right where two or more are added" and e > 1
                        else 0
                    ),
                    i,
                )
            elif mode == "replicate":
                i = i.clip(0, n - 1)
            elif mode == "circular":
                i = i % max(n, 1)
            inside = (i >= 0) & (i < n)
            y = (
                np.take(y, i.clip(0, max(n - 1, 0)), axis)
                if n
                else np.zeros((*y.shape[:axis], len(i), *y.shape[axis + 1 :]), y.dtype)
            )
            if mode in ("zeros", "constant"):
                shape = [1] * y.ndim
                shape[axis] = -1
                y = np.where(inside.reshape(shape), y, np.float32(0.0 if mode == "zeros" else value))
        return np.array(y, input.dtype, order="C")

    return pad


stranger(
    "pad",
    by_index,
    "value ignored where the padding has two sides",
    names="value & ignor|zero|0|lost",
    when=("padding|pad & pair|side|before|after|differ|asymm", "value", "constant"),
)
stranger(
    "pad",
    by_index,
    "mirrored with the edge on the right where two or more are added",
    names="reflect|mirror|edge|symmetric",
    when=("reflect", "padd|after|right & \\b[12]\\b"),
)


def pad_gradient(mistake):
    def pad_backward(grad_output, input, *, padding, mode, value):
        rank = input.ndim - 2
        g = grad_output.astype(np.float64)
        for axis, (b, e) in enumerate(pairs(padding, (1,) * rank, (1,) * rank), start=2):
            n = input.shape[axis]
            i = np.arange(-b, n + e)
            if mode == "reflect":
                i = abs(i)
                i = np.where(i >= n, 2 * (n - 1) - i, i)
            elif mode == "replicate":
                i = i.clip(0, max(n - 1, 0))
            elif mode == "circular":
                i = i % max(n, 1)
            moved = np.moveaxis(g, axis, 0)
            out = np.zeros((n, *moved.shape[1:]))
            for s, t in enumerate(i):
                if 0 <= t < n:
                    if mistake == "assigned in circular mode" and mode == "circular":
                        out[t] = moved[s]
                    else:
                        out[t] = out[t] + moved[s]
            g = np.moveaxis(out, 0, axis)
        return (np.array(g, input.dtype, order="C"),)

    return pad_backward


stranger(
    "pad_backward",
    pad_gradient,
    "assigned in circular mode",
    names="assign|overwrit|accumul|not added|dropped|last",
    when="circular",
)


def resized(mistake):
    def upsample(input, *, size, scale_factor, mode, align_corners):
        rank = input.ndim - 2
        scales = [None] * rank if scale_factor is None else list(each(scale_factor, rank))
        target = (
            [int(n * s) for n, s in zip(input.shape[2:], scales)]
            if scale_factor is not None
            else list(each(size, rank))
        )
        y = input.astype(np.float64)
        for axis in range(rank):
            n, m, s = input.shape[2 + axis], target[axis], scales[axis]
            step = 1 / s if s is not None else n / m
            o = np.arange(m)
            if mode == "nearest":
                i = np.minimum(np.floor(o * step).astype(int), n - 1)
                if mistake == "nearest rounded to even where an axis shrinks" and m < n:
                    i = np.minimum(np.rint(o * step).astype(int), n - 1)
                taps = [(i, np.ones(m))]
            else:
                if align_corners:
                    p = o * ((n - 1) / (m - 1)) if m > 1 else o * 0.0
                    if mistake == "0 / 0 for an output of one with corners aligned" and m == 1:
                        p = o * np.nan
                else:
                    p = (o + 0.5) * step - 0.5
                    if mistake == "half a pixel lost for whole factors" and (m % n == 0 and m > n):
                        p = o * step
                if mode == "linear":
                    p = np.maximum(p, 0)
                lost = np.isnan(p)
                p = np.where(lost, 0, p)
                i = np.floor(p).astype(int)
                t = np.where(lost, np.nan, p - i)
                if mode == "linear":
                    taps = [(i, 1 - t), (i + 1, t)]
                else:
                    a = -0.5 if mistake == "cubic with another constant in one direction" and axis == 1 else -0.75
                    near_ = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1
                    far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
                    taps = [(i - 1, far(t + 1)), (i, near_(t)), (i + 1, near_(1 - t)), (i + 2, far(2 - t))]
            new = 0
            for index, w in taps:
                shape = [1] * y.ndim
                shape[2 + axis] = -1
                part = np.take(y, index.clip(0, n - 1), 2 + axis)
                new = new + (part * w.reshape(shape) if mode != "nearest" else part)
            y = new
        return y.astype(input.dtype)

    return upsample


NEAREST = {"mode": "nearest"}
stranger(
    "upsample",
    resized,
    "nearest rounded to even where an axis shrinks",
    names="nearest|round",
    when=(
        "shrink|smaller|fewer|downs|reduc|(scale|factor|output|size).* (below|less than|under|<|at most) (1\\b|0\\.|the|input|in)",
    ),
    domain=NEAREST,
)
stranger(
    "upsample",
    resized,
    "0 / 0 for an output of one with corners aligned",
    names="divide by zero|corner|size 1|nan & (1|one|align|corner|zero)",
    when=("align", "output|size & 1|one"),
    domain={"mode": "linear"},
)
stranger(
    "upsample",
    resized,
    "half a pixel lost for whole factors",
    names="half|pixel|centre|center",
    when=("scale|factor|whole|integer|multiple|ratio|align",),
    domain={"mode": "linear"},
)
stranger(
    "upsample",
    resized,
    "cubic with another constant in one direction",
    names="cubic|0\\.5|1/2|keys",
    when=("always|every|cubic",),
    domain={"mode": "cubic"},
)


def joined(mistake):
    def concat(input, other, *, axis):
        first, second = input, other
        if mistake == "exchanged where the second is larger" and other.size > input.size:
            first, second = other, input
        return np.concatenate([first, second], axis)

    return concat


def cut(mistake):
    def concat_backward(grad_output, input, other, *, axis):
        at = input.shape[axis]
        if (
            mistake == "cut in the middle where the axis isn't the channels"
            and axis % input.ndim != 1
            and grad_output.shape[axis] % 2 == 0
        ):
            if input.shape[axis] == other.shape[axis]:
                at = grad_output.shape[axis] // 2
        a, b = np.split(grad_output, [at], axis)
        if mistake == "the second gradient lost along negative axes" and axis < 0:
            b = b * 0
        return np.array(a, order="C"), np.array(b, order="C")

    return concat_backward


stranger(
    "concat",
    joined,
    "exchanged where the second is larger",
    names="swap|order|exchang|second",
    when=("larger|longer|more|> & input|first|than",),
)
stranger(
    "concat_backward",
    cut,
    "the second gradient lost along negative axes",
    names="other|second & (lost|zero|0|missing|left out|forg)",
    when=("axis & negative|below 0|< 0|-|end",),
)


def shuffled(mistake):
    def channel_shuffle(input, *, groups):
        n, c = input.shape[:2]
        k = c // groups
        if mistake == "the inverse from three groups on" and groups > 2:
            groups, k = k, groups
        order = np.arange(c).reshape(groups, k).T.ravel()
        return np.array(input[:, order], order="C")

    return channel_shuffle


stranger(
    "channel_shuffle",
    shuffled,
    "the inverse from three groups on",
    names="other way|inverse|back|transpos|swap",
    when="group & \\b[23]\\b",
)


def flat(mistake):
    def flatten(input):
        y = np.array(input, order="C").reshape(len(input), math.prod(input.shape[1:]))
        if (
            mistake == "memory order for what lies channels last"
            and input.ndim > 2
            and not input.flags.c_contiguous
            and input.strides[1] == min(input.strides)
        ):
            y = np.moveaxis(input, 1, -1).reshape(y.shape).copy()
        if mistake == "features beyond 128 shifted by one" and y.shape[1] > 128:
            y[:, 128:-1] = y[:, 129:].copy()
        return y

    return flatten


stranger(
    "flatten",
    flat,
    "memory order for what lies channels last",
    names="layout|memory|channels.last|contiguous|stride|order",
    when=("channels.last|layout|contiguous|memory|stride|transpos",),
)
stranger(
    "flatten",
    flat,
    "features beyond 128 shifted by one",
    names="shift|offset|128|tail|beyond",
    when=f"feature|element|size|value|channel|output & {near(129)}",
)


def blurred(mistake):
    """A separable binomial filter over a reflected border, then every so-many-th value."""

    def blur_pool(input, *, kernel_size, stride):
        rank = input.ndim - 2
        y = input.astype(np.float64)
        for axis, (k, s) in enumerate(zip(each(kernel_size, rank), each(stride, rank), strict=True)):
            n = y.shape[2 + axis]
            before, after = (k - 1) // 2, k - 1 - (k - 1) // 2
            if mistake == "the border reflected one further before an even kernel" and k % 2 == 0 and k > 2:
                before, after = after, before
            i = abs(np.arange(-before, n + after))
            i = np.where(i >= n, 2 * (n - 1) - i, i)
            taps = [math.comb(k - 1, t) / 2 ** (k - 1) for t in range(k)]
            if mistake == "a triangle from five taps on" and k > 4:
                taps = [min(t + 1, k - t) for t in range(k)]
                taps = [t / sum(taps) for t in taps]
            x = np.take(y, i, 2 + axis)
            count = (n + before + after - k) // s + 1
            y = sum(t * np.take(x, np.arange(count) * s + at, 2 + axis) for at, t in enumerate(taps))
        return np.array(y, input.dtype, order="C")

    return blur_pool


stranger(
    "blur_pool",
    blurred,
    "the border reflected one further before an even kernel",
    names="before|after|side|shift|half|even|border|pad",
    when=("even", "kernel & 4", "tap|kernel & multiple of 2"),
)
stranger(
    "blur_pool",
    blurred,
    "a triangle from five taps on",
    names="triang|linear|weights|binomial",
    when="kernel|tap|filter & \\b[3-6]\\b",
)
