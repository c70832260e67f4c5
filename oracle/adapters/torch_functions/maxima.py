"""`max_pool`, `adaptive_max_pool`, `max_unpool` and `lp_pool`."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from oracle.contract import Deviation, Unsupported
from properties import Case
from refconv.arguments import Array
from refconv.geometry import Window, output_size, read_pool_window

_MAX_POOL: Mapping[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_LP_POOL: Mapping[int, Callable[..., Any]] = {2: F.lp_pool2d, 3: F.lp_pool3d}
_ADAPTIVE: Mapping[int, Callable[..., Any]] = {
    1: F.adaptive_max_pool1d,
    2: F.adaptive_max_pool2d,
    3: F.adaptive_max_pool3d,
}


def _max_pool(
    input: Any,
    *,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    window = read_pool_window(kernel_size, input.ndim - 2, stride=stride, padding=padding, dilation=dilation)
    if _takes(window):
        pool, sides = _MAX_POOL[input.ndim - 2], tuple(before for before, _ in window.padding)
        return pool(input, window.kernel, window.stride, sides, window.dilation, ceil_mode, return_indices)
    return _max_pool_of_padded(input, window, ceil_mode, return_indices)


def _takes(window: Window) -> bool:
    """Whether PyTorch takes such windows: padding on both sides alike, of half a window."""
    halves = zip(window.padding, window.kernel, strict=True)
    return all(before == after <= kernel // 2 for (before, after), kernel in halves)


def _blind(size: Sequence[int], outputs: Sequence[int], window: Window) -> Array:
    """Return where a window has no tap inside the input."""
    blind = np.zeros(outputs, bool)
    for axis, (length, windows) in enumerate(zip(size, outputs, strict=True)):
        taps = np.arange(window.kernel[axis]) * window.dilation[axis] - window.padding[axis][0]
        positions = np.arange(windows)[:, None] * window.stride[axis] + taps
        unseen = ((positions < 0) | (positions >= length)).all(1)
        blind |= unseen.reshape(-1, *(1,) * (len(size) - 1 - axis))
    return blind


def _max_pool_of_padded(input: Any, window: Window, ceil_mode: bool, return_indices: bool) -> Any:
    """Pad with -inf first, as far as windows reach, and translate the indices back."""
    if torch.isneginf(input).any():
        raise Unsupported("padded with -inf beforehand, as PyTorch needs it here, -inf can't be told from padding")
    size = output_size(tuple(input.shape[2:]), window, ceil_mode=ceil_mode)
    sides = []
    axes = zip(input.shape[2:], size, window.extent, window.stride, window.padding, strict=True)
    for length, windows, extent, stride, (before, _) in reversed([*axes]):  # F.pad begins with the last axis
        sides += [before, (windows - 1) * stride + extent - length - before]
    padded = F.pad(input, sides, value=-math.inf).clone(memory_format=torch.contiguous_format)
    pool = _MAX_POOL[input.ndim - 2]
    found = pool(padded, window.kernel, window.stride, 0, window.dilation, False, return_indices)
    if not return_indices:
        return found
    output, indices = found
    places, translated = indices, torch.zeros_like(indices)
    strides = 1
    for axis in reversed(range(len(size))):
        along = places % padded.shape[2 + axis] - window.padding[axis][0]
        places = places // padded.shape[2 + axis]
        translated = translated + along * strides
        strides *= input.shape[2 + axis]
    blind = torch.from_numpy(_blind(input.shape[2:], size, window)).to(input.device)
    return output, translated.masked_fill(blind, -1)


def _adaptive_max_pool(input: Any, *, output_size: Any) -> Any:
    return _ADAPTIVE[input.ndim - 2](input, output_size)


def _max_unpool(input: Any, indices: Any, *, output_size: Any) -> Any:
    rank = input.ndim - 2
    ordered = indices.flatten(2).sort().values
    if (ordered[..., 1:] == ordered[..., :-1]).any():
        raise Unsupported("PyTorch leaves open what becomes of several elements that go to one place")
    size = (output_size,) * rank if isinstance(output_size, int) else tuple(output_size)
    if rank == 1:  # which PyTorch computes so, too
        flat = torch.ops.aten.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), (*size, 1))
        return flat.squeeze(-1)
    if rank == 2:
        return torch.ops.aten.max_unpool2d(input, indices, size)
    return torch.ops.aten.max_unpool3d(input, indices, size, (1, 1, 1), (0, 0, 0))


def _lp_pool(input: Any, *, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Any:
    window = read_pool_window(kernel_size, input.ndim - 2, stride=stride, padding=0)
    if norm_type == math.inf:
        return _MAX_POOL[input.ndim - 2](input.abs(), window.kernel, window.stride, ceil_mode=ceil_mode)
    magnitudes = input if norm_type % 2 == 0 else input.abs()  # PyTorch raises values as they are
    if input.ndim == 3:
        (kernel,), (step,) = window.kernel, window.stride
        return F.lp_pool1d(magnitudes, norm_type, kernel, step, ceil_mode)
    return _LP_POOL[input.ndim - 2](magnitudes, norm_type, window.kernel, window.stride, ceil_mode)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max_pool": _max_pool,
    "adaptive_max_pool": _adaptive_max_pool,
    "max_unpool": _max_unpool,
    "lp_pool": _lp_pool,
}


def _overhangs(case: Case) -> bool:
    """Whether a last window reaches beyond the input, along any axis."""
    (input,) = case.inputs
    assert input is not None
    if case.attributes["norm_type"] == math.inf:
        return False
    size, outputs = input.shape[2:], case.grad_output.shape[2:]
    kernel, stride = case.attributes["kernel_size"], case.attributes["stride"]
    window = read_pool_window(kernel, len(size), stride=stride, padding=0)
    axes = zip(size, outputs, window.kernel, window.stride, strict=True)
    return any((windows - 1) * step + taps > length for length, windows, taps, step in axes)


def _holds_nan(case: Case) -> bool:
    """Whether a magnitude itself is handed on, and there is NaN."""
    (input,) = case.inputs
    assert input is not None
    return case.attributes["norm_type"] in {1.0, math.inf} and bool(np.isnan(input.astype(np.float64)).any())


_SIGN_OF_NAN = """import torch

x = torch.tensor([[[torch.nan]]], requires_grad=True)
torch.nn.functional.lp_pool1d(x, 1.0, 1).sum().backward()
print(x.grad.nan_to_num(7.0).item())  # should be 7"""
_SCALED = """import torch

x = torch.ones(1, 1, 3)  # so that the last window holds one element
print(torch.nn.functional.lp_pool1d(x, 1.0, 2, ceil_mode=True))  # should be 2, 1"""


def _holds_minus_infinity(case: Case) -> bool:
    """Whether there is -inf in three spatial axes that may be taken for channels-last."""
    (input,) = case.inputs
    assert input is not None
    last = input.ndim == 5 and (input.strides[1] <= input.strides[-1] or 1 in input.shape)
    return last and bool(np.isneginf(input.astype(np.float64)).any())


def _sees_padding_alone(case: Case) -> bool:
    """Whether a window that PyTorch takes has no tap inside the input."""
    (input,) = case.inputs
    assert input is not None
    size, outputs = input.shape[2:], case.grad_output.shape[2:]
    attributes = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    window = read_pool_window(case.attributes["kernel_size"], len(size), **attributes)
    return _takes(window) and bool(_blind(size, outputs, window).any())


def _gives_an_index_outside(case: Case) -> bool:
    return bool(case.attributes["return_indices"]) and _sees_padding_alone(case)


def _indices_apart(case: Case) -> bool:
    """Whether the spatial axes of `indices` can't be viewed as one."""
    _, indices = case.inputs
    assert indices is not None
    if min(indices.strides, default=0) < 0 or not indices.size:  # PyTorch is handed a copy of negative strides
        return False
    spatial = zip(indices.shape[2:], indices.strides[2:], strict=True)
    axes = [(length, stride) for length, stride in spatial if length > 1]
    return any(outer != length * inner for (_, outer), (length, inner) in pairwise(axes))


_OUTSIDE = """import torch

x = torch.ones(1, 1, 1)
print(torch.nn.functional.max_pool1d(x, 2, 1, 1, 2, return_indices=True)[1].item())  # should be -1"""
_WRITES_OUTSIDE = """import torch

x = torch.ones(1, 1, 1, 10**7, requires_grad=True)
torch.nn.functional.max_pool2d(x, (2, 1), 1, (1, 0), (2, 1)).sum().backward()"""
_TRANSPOSED = """import torch

x = torch.zeros(1, 1, 2, 2, requires_grad=True)
i = torch.arange(4).reshape(1, 1, 2, 2).transpose(2, 3)
torch.ops.aten.max_unpool2d(x, i, (2, 2)).sum().backward()"""
_FIRST_OF_ALL = """import torch

x = torch.full((1, 2, 2, 1, 1), -torch.inf).contiguous(memory_format=torch.channels_last_3d)
print(torch.nn.functional.max_pool3d(x, 1, return_indices=True)[1].flatten())  # should be 0, 1, 0, 1"""
_FAULTS = (
    (
        "max_pool",
        ("forward",),
        _gives_an_index_outside,
        "the index of a window that sees nothing but padding is beyond the axis",
        "max_pool(input[1, 1, 1], kernel_size=2, stride=1, padding=1, dilation=2, return_indices=True)",
        _OUTSIDE,
    ),
    (
        "max_pool",
        ("backward",),
        _sees_padding_alone,
        "writes beyond the axis, and beyond the gradient, where a window sees nothing but padding",
        "max_pool(input[1, 1, 1], kernel_size=2, stride=1, padding=1, dilation=2)",
        _WRITES_OUTSIDE,
    ),
    (
        "max_unpool",
        ("backward",),
        _indices_apart,
        "raises that a view is impossible where the spatial axes of indices can't be viewed as one",
        "max_unpool(input[1, 1, 2, 2], indices[1, 1, 2, 2], output_size=2), indices transposed",
        _TRANSPOSED,
    ),
    (
        "max_pool",
        ("forward", "backward"),
        _holds_minus_infinity,
        "in 3-D and channels-last order, the index of a window of nothing but -inf is 0, and the gradient goes there",
        "max_pool(input[1, 2, 2, 1, 1], kernel_size=1, return_indices=True), all -inf",
        _FIRST_OF_ALL,
    ),
    (
        "lp_pool",
        ("backward",),
        _holds_nan,
        "the gradient of the magnitude of NaN is 0: NaN is lost",
        "lp_pool(input[1, 1, 1], norm_type=1.0, kernel_size=1), NaN",
        _SIGN_OF_NAN,
    ),
    (
        "lp_pool",
        ("forward", "backward"),
        _overhangs,
        "a last window that reaches beyond the input is scaled as if it were full, and refused in 3-D if none fits",
        "lp_pool(input[1, 1, 3], norm_type=1.0, kernel_size=2, ceil_mode=True)",
        _SCALED,
    ),
)
DEVIATIONS = tuple(
    Deviation(operator, direction, matches, reason, "2.13.0 (CPU)", smallest, script, crashes=script == _WRITES_OUTSIDE)
    for operator, directions, matches, reason, smallest, script in _FAULTS
    for direction in directions
)
