"""Attributes as strangers read them, and windows as rows of a matrix."""

import numpy as np


def each(value, rank):
    return tuple(value) if isinstance(value, tuple | list) else (value,) * rank


def pairs(padding, kernel, dilation):
    """Return what is padded before and after along each axis."""
    if isinstance(padding, str):
        totals = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [side if isinstance(side, tuple | list) else (side, side) for side in each(padding, len(kernel))]


def padded(x, sides, value=0.0):
    return np.pad(x, [(0, 0), (0, 0), *sides], constant_values=value)


def gather(x, kernel, stride, dilation, outputs=None):
    """Return windows of a padded array: (N, C, *kernel, *outputs)."""
    rank = len(kernel)
    for axis in range(rank):
        size = x.shape[2 + 2 * axis]
        count = outputs[axis] if outputs else (size - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        index = np.arange(kernel[axis])[:, None] * dilation[axis] + np.arange(count) * stride[axis]
        x = np.take(x, index, axis=2 + 2 * axis)
    return x.transpose(0, 1, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))


def scatter(windows, shape, kernel, stride, dilation, add=True):
    """Add windows, (N, C, *kernel, *outputs), back to where they were read, in an array of zeros."""
    rank = len(kernel)
    out = np.zeros(shape, windows.dtype)
    for taps in np.ndindex(*kernel):
        there = (slice(None), slice(None)) + tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(taps, dilation, stride, windows.shape[2 + rank :], strict=True)
        )
        part = windows[(slice(None), slice(None), *taps)]
        out[there] = out[there] + part if add else part
    return out


def crop(x, sides):
    """Take padding off again."""
    return x[(slice(None), slice(None), *(slice(b, n - a) for (b, a), n in zip(sides, x.shape[2:], strict=True)))]
