"""Norms: layers with a cache, one pass over the data, PyTorch's functions, rows handled by hand."""

import math

import numpy as np

from bench.strangers.stranger import Collection, near

stranger = Collection()


class BatchNormLayer:
    """As a course's assignment: what the backward needs is kept in a cache."""

    def __init__(self, mistake):
        self.mistake = mistake
        self.cache = {}

    def forward(self, input, weight, bias, running_mean, running_var, *, training, momentum, eps):
        mistake = self.mistake
        axes = (0, *range(2, input.ndim))
        m = input.size // max(input.shape[1], 1)
        shape = (1, -1) + (1,) * (input.ndim - 2)
        x = input.astype(np.float64)
        if mistake == "eps below 1e-5 raised to 1e-5":
            eps = max(eps, 1e-5)
        if mistake == "momentum is the old statistics' share unless it is one half":
            momentum = 1 - momentum
        if training and input.size:
            mu = x.mean(axes)
            if mistake == "variance in one pass in single precision":
                mu32 = input.mean(axes, dtype=np.float32)
                var = np.maximum((input * input).mean(axes, dtype=np.float32) - mu32 * mu32, 0).astype(np.float64)
            else:
                var = ((x - mu.reshape(shape)) ** 2).mean(axes)
            if running_mean is not None:
                kept = (
                    var
                    if mistake == "the running variance is the batch's own where a channel is small" and m < 10
                    else var * m / max(m - 1, 1)
                )
                running_mean = (1 - momentum) * running_mean + momentum * mu
                running_var = (1 - momentum) * running_var + momentum * kept
        elif training:
            mu, var = np.zeros(input.shape[1]), np.ones(input.shape[1])
        else:
            mu, var = running_mean.astype(np.float64), running_var.astype(np.float64)
            if mistake == "inference without a bias leaves out eps" and bias is None:
                eps = 0.0
        y = (x - mu.reshape(shape)) / np.sqrt(var.reshape(shape) + eps)
        if mistake == "standard deviation and eps added when not training" and not training:
            y = (x - mu.reshape(shape)) / (np.sqrt(var.reshape(shape)) + eps)
        if weight is not None:
            y = y * weight.reshape(shape)
        if bias is not None:
            y = y + bias.reshape(shape)
        given = lambda a: None if a is None else np.array(a, input.dtype)
        return y.astype(input.dtype), given(running_mean), given(running_var)


def batch_norm(mistake):
    return BatchNormLayer(mistake).forward


stranger(
    "batch_norm",
    batch_norm,
    "eps below 1e-5 raised to 1e-5",
    names="eps & (clamp|ignor|least|raised|1e-0?5|small|minimum)",
    when="eps",
)
stranger(
    "batch_norm",
    batch_norm,
    "variance in one pass in single precision",
    names=("one.pass|variance|cancel|mean of (the )?squares|squared mean",),
    when=("mean|far|large|offset|constant & 0|standard|deviation|variance|spread|mean|values|magnitude", "cancel"),
)
stranger(
    "batch_norm",
    batch_norm,
    "the running variance is the batch's own where a channel is small",
    names="running & (bias|bessel|variance|population)",
    when=(f"value|batch|count|position|channel|size|element & {near(10)}", "training"),
)
stranger(
    "batch_norm",
    batch_norm,
    "standard deviation and eps added when not training",
    names="eps & (outside|root|deviation|after)",
    when=("not training|training ?(=|is) ?false|inference|evaluat|without training|unless training",),
)
stranger(
    "batch_norm",
    batch_norm,
    "momentum is the old statistics' share unless it is one half",
    names="momentum",
    when=("momentum", "running & training|given|there"),
)
stranger(
    "batch_norm",
    batch_norm,
    "inference without a bias leaves out eps",
    names="eps",
    when=("bias", "training|inference"),
)


def batch_norm_gradients(mistake):
    def batch_norm_backward(grad_output, input, weight, bias, running_mean, running_var, *, training, momentum, eps):
        axes = (0, *range(2, input.ndim))
        shape = (1, -1) + (1,) * (input.ndim - 2)
        x, g = input.astype(np.float64), grad_output.astype(np.float64)
        m = input.size // max(input.shape[1], 1)
        if training and input.size:
            mu, var = x.mean(axes), x.var(axes)
        elif training:
            mu, var = np.zeros(input.shape[1]), np.ones(input.shape[1])
        else:
            mu, var = running_mean.astype(np.float64), running_var.astype(np.float64)
        inv = 1 / np.sqrt(var.reshape(shape) + eps)
        hat = (x - mu.reshape(shape)) * inv
        gamma = 1.0 if weight is None else weight.reshape(shape).astype(np.float64)
        dgamma, dbeta = (g * hat).sum(axes), g.sum(axes)
        if not training and mistake != "the batch's formula in inference":
            dx = g * gamma * inv
        elif m:
            if mistake == "the mean's part left out with spatial axes" and input.ndim > 2:
                dx = gamma * inv / m * (m * g - hat * dgamma.reshape(shape))
            elif mistake == "divided by the batch, not by all values" and len(input):
                n = len(input)
                dx = gamma * inv * (g - dbeta.reshape(shape) / n - hat * dgamma.reshape(shape) / n)
            else:
                dx = gamma * inv / m * (m * g - dbeta.reshape(shape) - hat * dgamma.reshape(shape))
        else:
            dx = g
        found = lambda p, d: None if p is None else d.astype(input.dtype)
        return dx.astype(input.dtype), found(weight, dgamma), found(bias, dbeta)

    return batch_norm_backward


stranger(
    "batch_norm_backward",
    batch_norm_gradients,
    "the batch's formula in inference",
    names="inference|training|statistics|constant|running",
    when="training|inference|evaluat",
)
stranger(
    "batch_norm_backward",
    batch_norm_gradients,
    "the mean's part left out with spatial axes",
    names="mean",
    when=("spatial|rank|axes|axis|position|\\b[23]\\b|size",),
)
stranger(
    "batch_norm_backward",
    batch_norm_gradients,
    "divided by the batch, not by all values",
    names=("position|spatial|count|batch|sum|mean|divi",),
    when=("spatial|rank|axes|position|size|values",),
)


def row_norm(mistake):
    """One row after the other, as a kernel with a block for each row."""

    def layer_norm(input, weight, bias, *, normalized_shape, eps):
        count = np.size(normalized_shape)
        width = math.prod(input.shape[input.ndim - count :])
        rows = input.reshape(-1, width) if width else input.reshape(0, 1)
        y = np.empty(rows.shape, np.float64)
        for r, row in enumerate(rows.astype(np.float64)):
            used = (
                row[: width // 64 * 64]
                if mistake == "the mean is of full blocks of 64 alone from 65 values on" and width > 64
                else row
            )
            mean = used.mean()
            var = ((row - mean) ** 2).sum() / (
                width - 1 if mistake == "unbiased from rows of 3 on" and width > 2 else width
            )
            inv = 1 / math.sqrt(var + eps) if var + eps > 0 else math.inf if var + eps == 0 else math.nan
            if mistake == "a reciprocal root of 12 bits":
                inv = (
                    float(np.ldexp(np.rint(np.frexp(inv)[0] * 2**12), np.frexp(inv)[1] - 12))
                    if math.isfinite(inv)
                    else inv
                )
            if mistake == "variance not computed for rows after the first eight" and r > 7:
                inv = 1 / math.sqrt(1 + eps)
            y[r] = (row - mean) * inv
        y = y.reshape(input.shape)
        if weight is not None:
            y = y * weight
        if bias is not None and not (mistake == "bias needs a weight" and weight is None):
            y = y + bias
        return y.astype(input.dtype)

    return layer_norm


stranger(
    "layer_norm",
    row_norm,
    "the mean is of full blocks of 64 alone from 65 values on",
    names="mean|tail|block|tile & (64|partial|last|full|lost|drop)",
    when=f"normalized_shape|row|value|width|size|length|normalised|axis & {near(65)}",
)
stranger(
    "layer_norm",
    row_norm,
    "unbiased from rows of 3 on",
    names="unbiased|bessel|count - 1|n - 1",
    when="normalized_shape|row|value|width|size|length|normalised & \\b[23]\\b",
)
stranger(
    "layer_norm",
    row_norm,
    "a reciprocal root of 12 bits",
    names="rsqrt|reciprocal|approximat|root & (bits|accura|approximat|rsqrt)",
    when=("always|every|all|any|whatever", "accura", "inexact|exact|real|integer"),
)
stranger(
    "layer_norm",
    row_norm,
    "variance not computed for rows after the first eight",
    names="row|variance & (first|beyond|after|8|eight|not)",
    when=f"row|batch|image|position|leading|vector & {near(9)}",
)
stranger(
    "layer_norm",
    row_norm,
    "bias needs a weight",
    names="bias & miss|lost|ignor|not added|forg|weight",
    when="weight & (none|without|no |not|absent|missing|left out)",
)


def grouped_norm(mistake):
    import torch

    def group_norm(input, weight, bias, *, num_groups, eps):
        n, c = input.shape[:2]
        if 0 in input.shape:
            return np.zeros_like(input, order="C")
        x = torch.from_numpy(np.array(input, order="C")).double().reshape(n, num_groups, -1)
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, unbiased=False, keepdim=True)
        if mistake == "variance of the first group for all from four groups on" and num_groups > 3:
            var = var[:, :1]
        y = (x - mean) / (var + eps).sqrt()
        y = y.reshape(input.shape).numpy()
        shape = (1, c) + (1,) * (input.ndim - 2)
        if weight is not None:
            w = np.repeat(weight[:num_groups], c // num_groups) if mistake == "weight by group" else weight
            y = y * w.reshape(shape)
        if bias is not None:
            y = y + bias.reshape(shape)
        return y.astype(input.dtype)

    return group_norm


stranger(
    "group_norm",
    grouped_norm,
    "variance of the first group for all from four groups on",
    names="group & (first|variance|statistic|shared)",
    when="group & \\b[34]\\b",
)
stranger(
    "group_norm",
    grouped_norm,
    "weight by group",
    names="weight & group|index|channel",
    when=("weight & given|there|with|present|not none", "channel & group|\\b[12]\\b"),
)


def instances(mistake):
    def instance_norm(input, weight, bias, *, eps):
        axes = tuple(range(2, input.ndim))
        if 0 in input.shape:
            return np.zeros_like(input, order="C")
        x = input.astype(np.float64)
        if mistake == "statistics of the whole batch where it is two" and len(input) == 2:
            axes = (0, *axes)
        d = x - x.mean(axes, keepdims=True)
        var = (d * d).mean(axes, keepdims=True)
        y = d / np.sqrt(var + eps)
        if mistake == "NaN where all values are equal":
            y = np.where(var == 0, np.nan, y)
        shape = (1, -1) + (1,) * (input.ndim - 2)
        y = y if weight is None else y * weight.reshape(shape)
        y = y if bias is None else y + bias.reshape(shape)
        return y.astype(input.dtype)

    return instance_norm


stranger(
    "instance_norm",
    instances,
    "statistics of the whole batch where it is two",
    names="batch & (whole|statistic|over|share)",
    when="batch|image|sample & \\b2\\b|two",
)
stranger(
    "instance_norm",
    instances,
    "NaN where all values are equal",
    names="nan & (equal|variance|constant|zero|0|same)",
    when=("equal|constant|same|variance|alike", "variance & 0|zero", "one value|single|size|position & \\b1\\b"),
)


def responses(mistake):
    def local_response_norm(input, *, size, alpha, beta, k):
        c = input.shape[1]
        x = input.astype(np.float64)
        total = np.zeros_like(x)
        before = size // 2
        if mistake == "window of an even size one channel on" and size % 2 == 0:
            before -= 1
        for i in range(c):
            low, high = max(i - before, 0), min(i - before + size, c)
            if mistake == "window ends at the last channel but one":
                high = min(high, max(c - 1, 1)) if i < c - 1 else high
            total[:, i] = (x[:, low:high] ** 2).sum(1)
        return (x / (k + alpha / size * total) ** beta).astype(input.dtype)

    return local_response_norm


stranger(
    "local_response_norm",
    responses,
    "window of an even size one channel on",
    names="window|even|size|channel & (shift|even|one|side|after|before)",
    when="even|size & 2|4|even",
)
stranger(
    "local_response_norm",
    responses,
    "window ends at the last channel but one",
    names="last & channel|window",
    when=("last", "channel & \\b[23]\\b", "size & channel|\\b[23]\\b"),
)
