"""`avg_pool`, `adaptive_avg_pool` and `blur_pool`."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import comb
from typing import Any

import torch
import torch.nn.functional as F

from oracle.contract import Deviation
from refconv.geometry import Window, output_size, read_pool_window

_AVG_POOL: Mapping[int, Callable[..., Any]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def _avg_pool(
    input: Any,
    *,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    rank = input.ndim - 2
    window = read_pool_window(kernel_size, rank, stride=stride, padding=padding)
    if divisor_override == 0:  # as PyTorch says where it takes one
        raise ValueError("divisor must be not zero")
    if _takes(input.shape[2:], window) and (divisor_override is None or rank > 1):
        sides = tuple(before for before, _ in window.padding)
        override = () if divisor_override is None else (divisor_override,)
        return _AVG_POOL[rank](input, window.kernel, window.stride, sides, ceil_mode, count_include_pad, *override)
    return _avg_pool_of_padded(input, window, divisor_override, ceil_mode, count_include_pad)


def _takes(size: Sequence[int], window: Window) -> bool:
    """Whether PyTorch takes such windows: padding on both sides alike, of half a window; in 3-D, no larger than it."""
    return all(
        before == after <= kernel // 2 and (len(size) < 3 or kernel <= length)
        for length, kernel, (before, after) in zip(size, window.kernel, window.padding, strict=True)
    )


def _avg_pool_of_padded(
    input: Any, window: Window, divisor_override: int | None, ceil_mode: bool, count_include_pad: bool
) -> Any:
    """Pad first, as far as windows reach; then divide their sums by the override, or by sums of ones."""
    size = output_size(tuple(input.shape[2:]), window, ceil_mode=ceil_mode)
    flat = (1,) * (input.ndim == 3)  # avg_pool1d has no divisor_override
    padding, beyond = [], []
    axes = zip(input.shape[2:], size, window.kernel, window.stride, window.padding, strict=True)
    for length, windows, kernel, stride, (before, after) in reversed([*axes]):  # F.pad begins with the last axis
        padding += [before, after]
        beyond += [0, (windows - 1) * stride + kernel - (length + before + after)]

    def sums(signal: Any, pad: float) -> Any:
        padded = F.pad(F.pad(signal, padding, value=pad), beyond)
        kernel, stride = flat + window.kernel, flat + window.stride
        columns = padded.reshape(*padded.shape[:2], *flat, *padded.shape[2:])
        return _AVG_POOL[len(kernel)](columns, kernel, stride, divisor_override=1).reshape(*signal.shape[:2], *size)

    if divisor_override is not None:
        return sums(input, 0) / divisor_override
    return sums(input, 0) / sums(torch.ones_like(input[:1, :1]), count_include_pad).clamp(min=1)


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
    padded = padded.flatten().reshape(padded.shape)  # in no doubt about its memory format: see convolution_deviations
    return _CONV[rank](padded, weight.expand(channels, 1, *weight.shape), stride=stride, groups=channels)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "blur_pool": _blur_pool,
}
DEVIATIONS: tuple[Deviation, ...] = ()
