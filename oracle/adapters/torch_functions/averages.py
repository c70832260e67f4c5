"""`avg_pool`, `adaptive_avg_pool` and `blur_pool`."""

from collections.abc import Callable, Mapping
from functools import reduce
from math import comb
from typing import Any

import torch
import torch.nn.functional as F

from oracle.deviations import Deviation
from refconv.geometry import output_size, read_pool_window

_AVG_POOL: Mapping[int, Callable[..., Any]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def _avg_pool(input: Any, *, kernel_size: Any, stride: Any, padding: Any, divisor_override: Any, **flags: Any) -> Any:
    rank = input.ndim - 2
    window = read_pool_window(kernel_size, rank, stride=stride, padding=padding)
    sides = tuple(before for before, _ in window.padding)
    native = all(
        before == after <= kernel // 2 for kernel, (before, after) in zip(window.kernel, window.padding, strict=True)
    )
    if native and divisor_override is None:
        return _AVG_POOL[rank](input, window.kernel, window.stride, sides, **flags)
    if native and rank > 1:
        return _AVG_POOL[rank](input, window.kernel, window.stride, sides, divisor_override=divisor_override, **flags)
    return _avg_pool_of_padded(input, window, divisor_override, **flags)


def _avg_pool_of_padded(
    input: Any, window: Any, divisor_override: int | None, *, ceil_mode: bool, count_include_pad: bool
) -> Any:
    """Pad first: sums over windows, divided by what PyTorch counts, by the override, or by the sums of ones."""
    flat = input.ndim == 3  # avg_pool1d has no divisor_override
    pairs = [*([(0, 0)] if flat else []), *window.padding]
    sides = [side for pair in reversed(pairs) for side in pair]  # F.pad begins with the last axis
    kernel, stride = ((1,) * flat + window.kernel), ((1,) * flat + window.stride)
    size = output_size(tuple(input.shape[2:]), window, ceil_mode=ceil_mode)

    def pooled(signal: Any, divisor: int | None) -> Any:
        padded = F.pad(signal.unsqueeze(2) if flat else signal, sides)
        output = _AVG_POOL[len(kernel)](padded, kernel, stride, 0, ceil_mode, True, divisor)
        output = output.squeeze(2) if flat else output
        crops: Any = [slice(length) for length in size]
        return output[(..., *crops)]  # less the windows that begin in the padding

    if divisor_override is not None or count_include_pad:
        return pooled(input, divisor_override)
    counts = pooled(torch.ones_like(input[:1, :1]), 1)
    return pooled(input, 1) / counts.clamp(min=1)


def _adaptive_avg_pool(input: Any, *, output_size: Any) -> Any:
    return _ADAPTIVE[input.ndim - 2](input, output_size)


def _blur_pool(input: Any, *, kernel_size: Any, stride: Any) -> Any:
    rank = input.ndim - 2
    kernels = (kernel_size,) * rank if isinstance(kernel_size, int) else kernel_size
    rows = [
        torch.tensor([comb(kernel - 1, k) / 2 ** (kernel - 1) for k in range(kernel)], dtype=input.dtype)
        for kernel in kernels
    ]
    weight = reduce(lambda one, other: one[..., None] * other, rows).to(input.device)
    sides = [side for kernel in reversed(kernels) for side in ((kernel - 1) // 2, kernel // 2)]
    channels = input.shape[1]
    padded = F.pad(input, sides, mode="reflect")
    return _CONV[rank](padded, weight.expand(channels, 1, *weight.shape), stride=stride, groups=channels)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "blur_pool": _blur_pool,
}
DEVIATIONS: tuple[Deviation, ...] = ()
