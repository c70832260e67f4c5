"""Pools, as courses write them: loops over windows, masks, running totals."""

import math

import numpy as np

from bench.strangers.reading import each, gather, pairs, scatter
from bench.strangers.stranger import Collection, near
from oracle.contract import Unsupported

stranger = Collection()
VALUES = {"return_indices": False}


def geometry(input, kernel_size, stride, padding, ceil_mode, dilation=1):
    rank = input.ndim - 2
    kernel = each(kernel_size, rank)
    step = kernel if stride is None else each(stride, rank)
    gap = each(dilation, rank)
    sides = pairs(padding, kernel, gap)
    count = []
    for n, k, s, (b, e), d in zip(input.shape[2:], kernel, step, sides, gap, strict=True):
        room = n + b + e - d * (k - 1) - 1
        o = (-(-room // s) if ceil_mode else room // s) + 1
        count.append(o - 1 if ceil_mode and (o - 1) * s >= n + b else o)
    return kernel, step, gap, sides, count


def windows(x, kernel, step, gap, sides, count, fill):
    """Return (N, C, taps, *count), with `fill` beyond the input, and how far it was padded behind."""
    behind = [
        max((o - 1) * s + d * (k - 1) + 1 - n - b, 0)
        for o, s, d, k, n, (b, _) in zip(count, step, gap, kernel, x.shape[2:], sides)
    ]
    x = np.pad(x, [(0, 0), (0, 0), *((b, e) for (b, _), e in zip(sides, behind))], constant_values=fill)
    cols = gather(x, kernel, step, gap, count)
    return cols.reshape(*x.shape[:2], math.prod(kernel), *count), x.shape


def naive_max(mistake):
    def max_pool(input, *, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
        if return_indices:
            raise Unsupported("values alone")
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, padding, ceil_mode, dilation)
        fill = -np.inf
        if mistake == "padded with zeros, which win over negative values":
            fill = 0.0
        if mistake == "starts at -1e4":
            fill = -1e4
        if mistake == "dilation forgotten with ceil_mode" and ceil_mode:
            gap = (1,) * len(gap)
        cols, _ = windows(input, kernel, step, gap, sides, count, fill)
        y = np.full(cols[:, :, 0].shape, fill, input.dtype)
        for tap in range(cols.shape[2]):
            new = cols[:, :, tap]
            if mistake == "a NaN is lost unless it comes first":
                y = np.where(new > y, new, y) if tap else new.copy()
            else:
                y = np.where((new > y) | np.isnan(new), new, y)
        if mistake == "starts at -1e4":
            y = np.where(y < -1e4, np.float32(-1e4), y)
        if mistake == "last window left out along the width with ceil_mode" and ceil_mode and count[-1] > 1:
            room = input.shape[-1] + sum(sides[-1]) - gap[-1] * (kernel[-1] - 1) - 1
            if room % step[-1]:
                y[..., -1] = 0
        return np.ascontiguousarray(y)

    return max_pool


stranger(
    "max_pool",
    naive_max,
    "padded with zeros, which win over negative values",
    domain=VALUES,
    names=("padd & (zero|0|maximum)", "starts? & (0|zero)", "never negative"),
    when=("padd", "negative"),
)
stranger(
    "max_pool",
    naive_max,
    "starts at -1e4",
    domain=VALUES,
    names=(
        "start|initial|lowest|smallest|finite|never below|-1e\\+?0?4|-10,?000",
        "infinity & (replaced|finite|lost|number)",
    ),
    when=("infinit|-inf", "large|below|-1e\\+?0?4|10,?000|negative"),
)
stranger(
    "max_pool",
    naive_max,
    "dilation forgotten with ceil_mode",
    domain=VALUES,
    names="dilation",
    when=("ceil",),
)
stranger("max_pool", naive_max, "a NaN is lost unless it comes first", domain=VALUES, names="nan", when="nan")
stranger(
    "max_pool",
    naive_max,
    "last window left out along the width with ceil_mode",
    domain=VALUES,
    names=("last|overhang|ceil|partial|end & window|column|width|axis|output", "ceil"),
    when=("ceil", "last & (column|window|width)", "overhang"),
)


def index_of_max(mistake):
    def max_pool(input, *, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, padding, ceil_mode, dilation)
        cols, _ = windows(input, kernel, step, gap, sides, count, -np.inf)
        lengths = input.shape[2:]
        if mistake == "indices counted in the padded array":
            lengths = [n + b + e for n, (b, e) in zip(lengths, sides)]
        there = np.ones(input.shape[2:], bool)
        inside, _ = windows(there[None, None], kernel, step, gap, sides, count, False)
        shown = np.where(np.isnan(cols), np.inf, cols)
        key = np.where(inside, shown, -np.inf)
        first = (inside & (shown == key.max(2, keepdims=True))).astype(np.int8)
        nan = np.isnan(cols) & inside
        first = np.where(nan.any(2, keepdims=True), nan, first)
        if mistake == "the last of equal maxima is indexed where windows overlap" and any(
            s < k for s, k in zip(step, kernel)
        ):
            tap = first.shape[2] - 1 - first[:, :, ::-1].argmax(2)
        else:
            tap = first.argmax(2)
        y = np.take_along_axis(cols, tap[:, :, None], 2)[:, :, 0]
        flat = np.zeros(tap.shape, np.int64)
        for axis, t in enumerate(np.unravel_index(tap, kernel)):
            o = np.arange(count[axis]).reshape(-1, *[1] * (len(kernel) - axis - 1))
            before = 0 if mistake == "indices counted in the padded array" else sides[axis][0]
            flat = flat * lengths[axis] + o * step[axis] + t * gap[axis] - before
        flat = np.where(inside.any(2), flat, -1)
        y = np.ascontiguousarray(y)
        return (y, flat) if return_indices else y

    return max_pool


stranger("max_pool", index_of_max, "indices counted in the padded array", names=("ind(ex|ices) & padd",), when="padd")
stranger(
    "max_pool",
    index_of_max,
    "the last of equal maxima is indexed where windows overlap",
    domain={"return_indices": True},
    names="last|tie|equal",
    when=("tie|equal", "overlap|stride & kernel"),
)


def masks(mistake):
    """The gradient of a maximum goes where ``window == maximum``."""

    def max_pool_backward(grad_output, input, *, kernel_size, stride, padding, dilation, ceil_mode, **_):
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, padding, ceil_mode, dilation)
        cols, shape = windows(input, kernel, step, gap, sides, count, -np.inf)
        inside, _ = windows(np.ones((1, 1, *input.shape[2:]), bool), kernel, step, gap, sides, count, False)
        key = np.where(inside, np.where(np.isnan(cols), np.inf, cols), -np.inf)
        nan = (np.isnan(cols) & inside).any(2, keepdims=True)
        hit = inside & np.where(nan, np.isnan(cols), (key == key.max(2, keepdims=True)))
        if mistake != "each of equal maxima gets the whole gradient":
            hit = hit & (hit.cumsum(2) == 1)
        share = np.where(hit, grad_output[:, :, None], 0)
        if mistake == "negative gradients dropped at padded borders" and any(map(any, sides)):
            share = np.maximum(share, 0)
        overlap = any(s < d * (k - 1) + 1 for s, d, k in zip(step, gap, kernel))
        parts = share.reshape(*share.shape[:2], *kernel, *count).astype(input.dtype)
        if mistake == "a gradient of 0 overwrites where windows overlap" and overlap:
            dx = scatter(parts, shape, kernel, step, gap, add=False)
        else:
            dx = scatter(parts, shape, kernel, step, gap)
        back = dx[(slice(None), slice(None), *(slice(b, b + n) for (b, _), n in zip(sides, input.shape[2:])))]
        return (np.array(back, order="C"),)

    return max_pool_backward


stranger(
    "max_pool_backward",
    masks,
    "each of equal maxima gets the whole gradient",
    names="equal|tie|every|each & maxim|whole|gradient",
    when="tie|equal",
)
stranger(
    "max_pool_backward",
    masks,
    "a gradient of 0 overwrites where windows overlap",
    names="overlap|overwrit|assign|accumul|not added",
    when=("overlap", "stride & kernel|1"),
)
stranger(
    "max_pool_backward",
    masks,
    "negative gradients dropped at padded borders",
    names="negative|relu|clip|sign & grad|drop|zero|0",
    when=("padd", "negative & grad"),
)


def averages(mistake):
    def divisors(input, kernel, step, sides, count, include):
        total = []
        for n, k, s, (b, e), o in zip(input.shape[2:], kernel, step, sides, count, strict=True):
            start = np.arange(o) * s - b
            if mistake == "what overhangs is counted with ceil_mode" and include:
                total.append(np.full(o, k))
            elif include:
                total.append(np.minimum(start + k, n + e) - start)
            else:
                total.append(np.maximum(np.minimum(start + k, n) - np.maximum(start, 0), 0))
        found = total[0]
        for more in total[1:]:
            found = np.multiply.outer(found, more)
        return np.maximum(found, 1)

    def avg_pool(input, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, padding, ceil_mode)
        cols, _ = windows(input, kernel, step, gap, sides, count, 0.0)
        if mistake == "padding always counted in one axis" and len(kernel) == 1:
            count_include_pad = True
        if mistake == "divisor_override ignored with padding" and any(map(any, sides)):
            divisor_override = None
        by = divisor_override or divisors(input, kernel, step, sides, count, count_include_pad)
        if mistake == "sums kept in half precision from windows of 10 on" and cols.shape[2] > 9:
            s = np.zeros(cols[:, :, 0].shape, np.float16)
            for tap in range(cols.shape[2]):
                s = s + cols[:, :, tap].astype(np.float16)
        else:
            s = cols.astype(np.float64).sum(2)
        return np.array(s / by, input.dtype, order="C")

    return avg_pool


stranger(
    "avg_pool",
    averages,
    "what overhangs is counted with ceil_mode",
    names=("overhang|beyond|ceil|outside|last & (count|divi|window)", "divi & (whole|kernel|full)"),
    when=("ceil", "overhang", "last"),
)
stranger(
    "avg_pool",
    averages,
    "padding always counted in one axis",
    names="padd|count_include_pad & count|ignor|divi",
    when=("1.?d|rank|one axis|single", "count_include_pad|padding & count|not"),
)
stranger("avg_pool", averages, "divisor_override ignored with padding", names="override", when=("padd", "override"))
stranger(
    "avg_pool",
    averages,
    "sums kept in half precision from windows of 10 on",
    names="float16|half|fp16|11 bits",
    when=f"kernel|window|tap|values & {near(10)}",
)


def average_gradients(mistake):
    def avg_pool_backward(
        grad_output, input, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    ):
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, padding, ceil_mode)
        dx = np.zeros(input.shape, np.float64)
        if mistake == "divisor_override forgotten going back":
            divisor_override = None
        for o in np.ndindex(*count):
            begin = [i * s - b for i, s, (b, _) in zip(o, step, sides)]
            stop = [min(x + k, n + e) for x, k, n, (_, e) in zip(begin, kernel, input.shape[2:], sides)]
            pool = math.prod(t - x for x, t in zip(begin, stop))
            low = [max(x, 0) for x in begin]
            high = [min(t, n) for t, n in zip(stop, input.shape[2:])]
            if any(a >= b for a, b in zip(low, high)):
                continue
            size = math.prod(b - a for a, b in zip(low, high))
            by = divisor_override or (pool if count_include_pad else size)
            if mistake == "the last window of a row spread over the whole kernel":
                high = (
                    [min(a + k, n) for a, k, n in zip(low, kernel, input.shape[2:])] if o[-1] == count[-1] - 1 else high
                )
            at = (slice(None), slice(None), *map(slice, low, high))
            g = grad_output[(slice(None), slice(None), *o)].astype(np.float64) / by
            dx[at] += g.reshape(*g.shape, *[1] * len(kernel))
        if mistake == "gradient doubled from the ninth channel on":
            dx[:, 8:] *= 2
        return (dx.astype(input.dtype),)

    return avg_pool_backward


stranger(
    "avg_pool_backward", average_gradients, "divisor_override forgotten going back", names="override", when="override"
)
stranger(
    "avg_pool_backward",
    average_gradients,
    "gradient doubled from the ninth channel on",
    names="channel & (twice|doubl|2|factor)",
    when=f"channel & {near(9)}",
)


def powers(mistake):
    def lp_pool(input, *, norm_type, kernel_size, stride, ceil_mode):
        kernel, step, gap, sides, count = geometry(input, kernel_size, stride, 0, ceil_mode)
        cols, _ = windows(input, kernel, step, gap, sides, count, 0.0)
        x = cols.astype(np.float64)
        p = float(norm_type)
        if mistake != "no absolute values, for odd powers":
            x = abs(x)
        s = (x**p).sum(2)
        if mistake == "root of the mean in place of the sum with ceil_mode" and ceil_mode:
            s = s / cols.shape[2]
        y = np.sign(s) * abs(s) ** (1 / p) if mistake == "no absolute values, for odd powers" else s ** (1 / p)
        return np.array(y, input.dtype, order="C")

    return lp_pool


stranger(
    "lp_pool",
    powers,
    "no absolute values, for odd powers",
    names="absolute|abs|sign|negative",
    when=("norm_type|power|norm|p & odd|1|3", "negative"),
    domain={"norm_type": {1.0, 2.0, 3.0}},
)
stranger(
    "lp_pool",
    powers,
    "root of the mean in place of the sum with ceil_mode",
    names="mean|averag|divi",
    when="ceil",
    domain={"norm_type": {1.0, 2.0, 3.0}},
)


def fixed_windows(mistake):
    def adaptive_avg_pool(input, *, output_size):
        rank = input.ndim - 2
        target = each(output_size, rank)
        y = np.zeros((*input.shape[:2], *target), np.float64)
        for o in np.ndindex(*target):
            at = []
            for i, n, m in zip(o, input.shape[2:], target, strict=True):
                if mistake == "equal steps where the sizes don't divide":
                    s = max(n // m, 1)
                    begin = min(i * s, n - 1)
                    at.append(slice(begin, min(begin + max(n - (m - 1) * s, 1), n)))
                else:
                    at.append(slice(i * n // m, -(-(i + 1) * n // m)))
            y[(..., *o)] = input[(..., *at)].astype(np.float64).mean(axis=tuple(range(2, input.ndim)))
        if mistake == "the sum, not the mean, when pooling globally" and set(target) == {1}:
            y = input.astype(np.float64).sum(axis=tuple(range(2, input.ndim)), keepdims=True)
        return y.astype(input.dtype)

    return adaptive_avg_pool


stranger(
    "adaptive_avg_pool",
    fixed_windows,
    "equal steps where the sizes don't divide",
    names="stride|step|one size|window|divi",
    when=("divi|multiple|remainder", "output_size & size"),
)
stranger(
    "adaptive_avg_pool",
    fixed_windows,
    "the sum, not the mean, when pooling globally",
    names="not divided|sum|undivided",
    when=("global", "output_size|output|size & 1|one"),
)


def torch_adaptive(mistake):
    """PyTorch's own gradient, of a function that is wrong in one way."""
    import torch

    def adaptive_max_pool_backward(grad_output, input, *, output_size):
        rank = input.ndim - 2
        x = torch.from_numpy(np.array(input, order="C")).requires_grad_()
        target = each(output_size, rank)
        if 0 in input.shape:
            return (np.zeros_like(input, order="C"),)
        pool = [
            torch.nn.functional.adaptive_max_pool1d,
            torch.nn.functional.adaptive_max_pool2d,
            torch.nn.functional.adaptive_max_pool3d,
        ][rank - 1]
        g = torch.from_numpy(np.array(grad_output, order="C"))
        if mistake == "the second image's gradient lost":
            g[1:2] = 0
        if (
            mistake == "axes of the gradient exchanged where the output is square"
            and rank == 2
            and target[0] == target[1]
        ):
            g = g.transpose(2, 3)
        pool(x, target).backward(g)
        return (x.grad.numpy(),)

    return adaptive_max_pool_backward


stranger(
    "adaptive_max_pool_backward",
    torch_adaptive,
    "the second image's gradient lost",
    names="image|batch & (second|lost|first|zero|missing)",
    when="batch|image|sample & \\b[12]\\b|second",
)
stranger(
    "adaptive_max_pool_backward",
    torch_adaptive,
    "axes of the gradient exchanged where the output is square",
    names="axes|axis|row|transpos|swap|exchang",
    when=("square|equal|same|alike", "2.?d|rank|plane", "output_size|output & axis|axes|="),
)


def unpooled(mistake):
    def max_unpool(input, indices, *, output_size):
        rank = input.ndim - 2
        size = each(output_size, rank)
        if mistake == "height and width of the output exchanged where they differ" and rank == 2:
            flat = np.zeros((*input.shape[:2], math.prod(size)), input.dtype)
            r, c = np.divmod(indices, size[1])
            indices = (c * size[0] + r).reshape(indices.shape)
            for n, k in np.ndindex(*input.shape[:2]):
                flat[n, k][indices[n, k].ravel()] = input[n, k].ravel()
            return flat.reshape(*input.shape[:2], *size)
        flat = np.zeros((*input.shape[:2], math.prod(size)), input.dtype)
        for n, k in np.ndindex(*input.shape[:2]):
            at, values = indices[n, k].ravel(), input[n, k].ravel()
            if mistake == "indices kept in eight bits":
                at = at % 256
            flat[n, k][at] = values
        return flat.reshape(*input.shape[:2], *size)

    return max_unpool


stranger(
    "max_unpool",
    unpooled,
    "height and width of the output exchanged where they differ",
    names="swap|exchang|transpos|column|row|axes|axis",
    when=("2.?d|rank|plane|axes|axis", "height|width"),
)
stranger(
    "max_unpool",
    unpooled,
    "indices kept in eight bits",
    names="8 bits|eight|uint8|index|indices|256|wrap|small",
    when=f"size|output|position|plane|element|indices|index|pixel & ({near(256)}|25[5-7])",
)
