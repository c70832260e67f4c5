"""Activations, softmax, losses: formulas as they are typed from a page, and by PyTorch's autograd."""

import numpy as np

from bench.strangers.stranger import Collection, near

stranger = Collection()


def softmax_rows(mistake):
    def softmax(input, *, axis):
        x = np.moveaxis(input, axis, -1).astype(np.float64)
        if x.size == 0:
            return np.zeros_like(input, order="C")
        m = x.max(-1, keepdims=True)
        if mistake == "no maximum subtracted":
            e = np.exp(np.moveaxis(input, axis, -1))
        elif mistake == "blocks of 32 not rescaled to a new maximum":
            parts, seen = [], np.full(m.shape, -np.inf)
            for start in range(0, x.shape[-1], 32):
                block = x[..., start : start + 32]
                seen = np.maximum(seen, block.max(-1, keepdims=True))
                parts.append(np.exp(block - seen))
            e = np.concatenate(parts, -1)
        else:
            e = np.exp(x - m)
            if mistake == "exponents below -20 raised to it":
                e = np.exp(np.maximum(x - m, -20))
        y = e / e.sum(-1, keepdims=True)
        if mistake == "along the last axis where the axis is counted from the end" and axis < 0:
            e = np.exp(input - input.max(-1, keepdims=True))
            return (e / e.sum(-1, keepdims=True)).astype(input.dtype)
        return np.array(np.moveaxis(y, -1, axis), input.dtype, order="C")

    return softmax


stranger(
    "softmax",
    softmax_rows,
    "no maximum subtracted",
    names=("shift|subtract|maximum|overflow",),
    when=("large|above|overflow|beyond|exceed|magnitude|big|value",),
)
stranger(
    "softmax",
    softmax_rows,
    "blocks of 32 not rescaled to a new maximum",
    names=("rescal|block|online|maximum",),
    when=f"axis|row|length|size|element|value|class|channel|width|along & {near(33)}",
)
stranger(
    "softmax",
    softmax_rows,
    "exponents below -20 raised to it",
    names="clip|clamp|raised|cut|floor|underflow|flush|exponent",
    when=("below|less|small|far|large|differ|spread|range|magnitude|value",),
)
stranger(
    "softmax",
    softmax_rows,
    "along the last axis where the axis is counted from the end",
    names="axis",
    when=("axis & negative|below 0|< 0|-|end",),
)


def log_softmax(mistake):
    def forward(input, *, axis):
        x = input.astype(np.float64)
        if x.size == 0:
            return np.zeros_like(input, order="C")
        d = x - x.max(axis, keepdims=True)
        if mistake == "logarithm of a share that has underflowed":
            e = np.exp(d.astype(np.float32))
            return np.log(e / e.sum(axis, keepdims=True)).astype(input.dtype)
        y = d - np.log(np.exp(d).sum(axis, keepdims=True))
        if mistake == "1e-6 added inside the logarithm":
            y = np.log(np.exp(y) + 1e-6)
        return y.astype(input.dtype)

    return forward


stranger(
    "log_softmax",
    log_softmax,
    "logarithm of a share that has underflowed",
    names=("underflow|infinit|logarithm|two steps",),
    when=("infinit|underflow|below|far|large|small|differ|spread|range|magnitude|value",),
)
stranger(
    "log_softmax",
    log_softmax,
    "1e-6 added inside the logarithm",
    names=("eps|1e-0?6|added|inside",),
    when=("below|small|far|large|less|range|magnitude|value|always|every|all",),
)


def sigmoid(mistake):
    def forward(input):
        x = input.astype(np.float64)
        with np.errstate(all="ignore"):
            y = np.where(x >= 0, 1 / (1 + np.exp(-abs(x))), np.exp(-abs(x)) / (1 + np.exp(-abs(x))))
        if mistake == "0 below -15":
            y = np.where(x < -15, 0, y)
        if mistake == "a straight line between -0.01 and 0.01":
            y = np.where(abs(x) < 0.01, 0.5 + x / 5, y)
        return y.astype(input.dtype)

    return forward


def sigmoid_backward(mistake):
    import torch

    class Sigmoid(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.where(x >= 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))
            ctx.save_for_backward(y, x)
            return y

        @staticmethod
        def backward(ctx, g):
            y, x = ctx.saved_tensors
            if mistake == "the derivative of 1 - y for negative inputs only":
                return torch.where(x < 0, g * y, g * y * (1 - y))
            return g * y * (1 - y)

    def backward(grad_output, input):
        x = torch.from_numpy(np.array(input, np.float64, order="C")).requires_grad_()
        Sigmoid.apply(x).backward(torch.from_numpy(np.array(grad_output, np.float64, order="C")))
        return (np.where(np.isnan(input), np.nan, x.grad.numpy()).astype(input.dtype),)

    return backward


stranger(
    "sigmoid",
    sigmoid,
    "0 below -15",
    names="flush|cut|0|zero & below|small|negative|underflow|tail|flush",
    when=("below|< & -1\\d", "negative", "less"),
)
stranger(
    "sigmoid",
    sigmoid,
    "a straight line between -0.01 and 0.01",
    names="linear|line|approximat|slope",
    when=("near 0|around 0|close|small|between|below & 0",),
)
stranger(
    "sigmoid_backward",
    sigmoid_backward,
    "the derivative of 1 - y for negative inputs only",
    names=("1 - y",),
    when=("negative", "below 0", "< 0"),
)


def tanh(mistake):
    def forward(input):
        x = input.astype(np.float64)
        y = np.tanh(x)
        if mistake == "two terms of a series below one half":
            y = np.where(abs(x) < 0.5, x - x**3 / 3, y)
        if mistake == "NaN beyond 88":
            with np.errstate(all="ignore"):
                e = np.exp(input)
                y = np.where(abs(x) > 10, (e - 1 / e) / (e + 1 / e), y)
        return y.astype(input.dtype)

    return forward


stranger(
    "tanh",
    tanh,
    "two terms of a series below one half",
    names="series|polynomial|approximat|taylor|term",
    when=("below|small|near|around|between|within|under|less|magnitude & 0|half|1",),
)
stranger(
    "tanh",
    tanh,
    "NaN beyond 88",
    names="overflow|exp|nan",
    when=("large|above|beyond|exceed|magnitude|far|big|>", "nan"),
)


def relu(mistake):
    def forward(input):
        y = np.where(input > 0, input, np.where(np.isnan(input), input, 0))
        if mistake == "the last elements of an array that fills no vectors of 8 are copied" and y.size > 8:
            y = y.copy()
            rest = y.size % 8
            if rest:
                y.reshape(-1)[-rest:] = np.ascontiguousarray(input).reshape(-1)[-rest:]
        if mistake == "values of 65,504 and more saturate":
            y = np.minimum(y, np.float32(65504))
        return np.array(y, input.dtype, order="C")

    return forward


def relu_backward(mistake):
    def backward(grad_output, input):
        keep = input >= 0 if mistake == "passes where the input is 0" else input > 0
        if mistake == "mask of the absolute values from a thousand elements on" and input.size >= 1000:
            keep = input != 0
        return (
            np.where(keep | np.isnan(input), np.where(np.isnan(input), np.nan, grad_output), 0).astype(input.dtype),
        )

    return backward


stranger(
    "relu",
    relu,
    "the last elements of an array that fills no vectors of 8 are copied",
    names="tail|last|rest|remainder|vector|lane",
    when=("multiple|divi|remainder|last|tail & 8", "size|element & (multiple|\\b9\\b)", "last|tail|end"),
)
stranger(
    "relu",
    relu,
    "values of 65,504 and more saturate",
    names="saturat|clamp|clip|65,?504|float16|cut|largest",
    when=("large|above|beyond|exceed|magnitude|> |65,?504",),
)
stranger("relu_backward", relu_backward, "passes where the input is 0", names="at 0|zero|>= 0", when=("0|zero",))
stranger(
    "relu_backward",
    relu_backward,
    "mask of the absolute values from a thousand elements on",
    names="mask|sign|negative|absolute",
    when=f"element|size|number|count & {near(1000)}|1,?0[0-9][0-9]|thousand",
)


def leaky(mistake):
    def leaky_relu(input, *, negative_slope):
        x = input.astype(np.float64)
        if mistake == "the larger of both branches":
            y = np.where(np.isnan(x), x, np.fmax(x, negative_slope * x))
        else:
            y = np.where(x > 0, x, x * negative_slope)
        return y.astype(input.dtype)

    return leaky_relu


stranger(
    "leaky_relu",
    leaky,
    "the larger of both branches",
    names="max|larger|branch",
    when=("slope & 1|above|negative|>|<|large",),
)


def entropy(mistake):
    def cross_entropy(input, target):
        x = np.moveaxis(input, 1, -1).astype(np.float64)
        t = target
        if (
            mistake == "targets read column by column in planes"
            and target.ndim == 3
            and target.shape[1] == target.shape[2]
        ):
            t = target.swapaxes(1, 2)
        d = x - x.max(-1, keepdims=True) if x.size else x
        log = d - np.log(np.exp(d).sum(-1, keepdims=True))
        if mistake == "shares cut off at 1e-7":
            log = np.maximum(log, np.log(1e-7))
        picked = np.take_along_axis(log, t[..., None].astype(np.int64), -1)
        count = picked.size
        if mistake == "divided by the batch where there are positions" and target.ndim > 1:
            count = len(input)
        return np.array(-picked.sum() / np.float64(count), input.dtype)

    return cross_entropy


stranger(
    "cross_entropy",
    entropy,
    "targets read column by column in planes",
    names="target & (transpos|column|order|axes|axis|swap|position)",
    when=("square|equal|2.?d|rank|plane|axes",),
)
stranger(
    "cross_entropy",
    entropy,
    "shares cut off at 1e-7",
    names="clip|cut|clamp|1e-0?7|least|floor",
    when=("small|below|far|large|beyond|magnitude|range|less|value|differ",),
)
stranger(
    "cross_entropy",
    entropy,
    "divided by the batch where there are positions",
    names=("batch & divi|mean|averag",),
    when=("position|spatial|rank|axes|axis|dimension",),
)


def squares(mistake):
    def mse_loss_backward(grad_output, input, target):
        d = input.astype(np.float64) - target
        by = max(input.size, 1)
        if mistake == "divided by the batch alone, with channels":
            by = max(len(input), 1) if input.ndim else 1
        return ((2 * d * grad_output / by).astype(input.dtype),)

    return mse_loss_backward


stranger(
    "mse_loss_backward",
    squares,
    "divided by the batch alone, with channels",
    names="batch",
    when=("axes|axis|channel|element|value|feature & \\b[12]\\b|more|one", "always|every"),
)


def dropped(mistake):
    def dropout(input, mask, *, p):
        if mistake == "not scaled from p = 0.5 on" and p >= 0.5:
            p = 0.0
        kept = np.multiply(input, mask)
        return np.array(kept / np.float64(1 - p) if p < 1 else kept * 0, input.dtype, order="C")

    return dropout


def dropped_backward(mistake):
    import torch

    def dropout_backward(grad_output, input, mask, *, p):
        g = torch.from_numpy(np.array(grad_output, order="C")).double()
        m = torch.from_numpy(np.array(mask, order="C")).double()
        if mistake == "the mask of the first image for all" and len(mask):
            m = m[:1].expand_as(m)
        g = g * m / (1 - p) if p < 1 else g * m * 0
        return (g.to(torch.float32).numpy(),)

    return dropout_backward


stranger(
    "dropout",
    dropped,
    "not scaled from p = 0.5 on",
    names="scal|divi",
    when=("\\bp\\b & 0?\\.\\d|half|above|at least|>|from",),
)
stranger(
    "dropout_backward",
    dropped_backward,
    "the mask of the first image for all",
    names="mask|first & (first|image|batch|mask)",
    when=("batch|image|first axis & \\b[12]\\b|more",),
)


def vectors(mistake):
    def squash(input, *, axis):
        x = input.astype(np.float64)
        s = (x * x).sum(axis, keepdims=True)
        with np.errstate(all="ignore"):
            y = x * (np.sqrt(s) / (1 + s))
            if mistake == "0 / 0 for a vector of zeros":
                y = np.where(s == 0, np.nan, y)
            if mistake == "the length alone for short vectors":
                y = np.where(np.sqrt(s) < 1, x, y)
        y = np.where(np.isinf(s) & np.isfinite(x).all(axis, keepdims=True), 0, y)
        return y.astype(input.dtype)

    return squash


stranger("squash", vectors, "0 / 0 for a vector of zeros", names="nan & (zero|0)", when=("zero|0|nan",))
stranger(
    "squash",
    vectors,
    "the length alone for short vectors",
    names="short|length|identity|not squashed|unchanged|input",
    when=("short|small|below|less|length|norm|magnitude & 1|one",),
)


def gated(mistake):
    def highway_backward(grad_output, input, transform, gate):
        g, x, t, s = (a.astype(np.float64) for a in (grad_output, input, transform, gate))
        dgate = g * (t - x)
        if mistake == "the gate's gradient lacks the input beyond one image" and len(input) > 1:
            dgate = g * t
        return tuple(a.astype(input.dtype) for a in (g * (1 - s), g * s, dgate))

    return highway_backward


stranger(
    "highway_backward",
    gated,
    "the gate's gradient lacks the input beyond one image",
    names="gate & input|carr",
    when="batch|image|sample|first axis & \\b[12]\\b|more|several",
)
