"""Where the windows of adaptive pooling begin and end, rightly and wrongly."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from oracle.diagnosis.variants.windows import Sizes
from refconv.arguments import Array, per_axis
from refconv.maxima import Taps

Bounds: TypeAlias = tuple[Array, Array]  # where windows begin, and where they end


def right(size: int, outputs: int) -> Bounds:
    """Return where each of the `outputs` windows over an axis begins and ends."""
    o = np.arange(outputs)
    return o * size // outputs, -(-(o + 1) * size // outputs)


def _end_rounded_down(size: int, outputs: int) -> Bounds:
    begin, _ = right(size, outputs)
    return begin, np.maximum((np.arange(outputs) + 1) * size // outputs, begin + 1)


def _begin_rounded_up(size: int, outputs: int) -> Bounds:
    _, end = right(size, outputs)
    return np.minimum(-(-np.arange(outputs) * size // outputs), end - 1), end


def _both_rounded(size: int, outputs: int) -> Bounds:
    edges = (2 * np.arange(outputs + 1) * size + outputs) // (2 * outputs)
    begin = np.minimum(edges[:-1], size - 1)
    return begin, np.maximum(edges[1:], begin + 1)


def _one_size(size: int, outputs: int) -> Bounds:
    stride = size // outputs
    if stride == 0:
        return right(size, outputs)
    begin = np.arange(outputs) * stride
    return begin, begin + size - (outputs - 1) * stride


def _side_by_side(size: int, outputs: int) -> Bounds:
    kernel = -(-size // outputs)
    begin = np.minimum(np.arange(outputs) * kernel, size - 1)
    return begin, np.minimum(begin + kernel, size)


MISTAKES: list[tuple[str, str, Callable[[int, int], Bounds]]] = [
    (
        "window's end rounded down in place of up",
        "The end is computed by the integer division that the begin needs.",
        _end_rounded_down,
    ),
    ("window's begin rounded up in place of down", "The begin is computed as the end is.", _begin_rounded_up),
    ("window's begin and end rounded to the nearest", "Both are rounded, so windows never overlap.", _both_rounded),
    (
        "one size and stride for all windows",
        "A pooling with stride size // output_size takes its place, right only where the sizes divide.",
        _one_size,
    ),
    (
        "windows of the rounded-up size side by side",
        "A pooling with kernel and stride ceil(size / output_size) takes its place.",
        _side_by_side,
    ),
]


def sizes_of(input: Array, attributes: dict[str, Any]) -> Sizes:
    """Return the output's size along each axis."""
    return per_axis("output_size", attributes["output_size"], input.ndim - 2, at_least=1)


def taps_between(input: Array, sizes: Sizes, bounds: Callable[[int, int], Bounds]) -> list[Taps]:
    """Return the taps of the windows that lie between `bounds`, along each axis."""
    axes = [(size, *bounds(size, outputs)) for size, outputs in zip(input.shape[2:], sizes, strict=True)]
    return [Taps(begin, end - begin, 1, size) for size, begin, end in axes]
