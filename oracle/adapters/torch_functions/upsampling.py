"""`upsample`, and where PyTorch's CPU build is wrong about it: about positions.

Its "nearest" multiplies by the ratio in float32; where it does so in float64, it rounds the product to float32. And
where an axis keeps its size, or doubles it, some of its loops take the `scale_factor` to be 1 or 2, whatever it is;
others of the same function don't, so that a gradient isn't its forward's.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch.nn.functional as F

from oracle.contract import Deviation
from properties import Case
from refconv import upsample
from refconv.arguments import Array

_MODES = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear", ("cubic", 2): "bicubic"}


def _upsample(input: Any, *, mode: str, align_corners: bool, **sizes: Any) -> Any:
    if mode == "nearest":
        return F.interpolate(input, mode=mode, **sizes)
    return F.interpolate(input, mode=_MODES[mode, input.ndim - 2], align_corners=align_corners, **sizes)


class _Axis(NamedTuple):
    inputs: int
    outputs: int
    scale: float | None

    @property
    def taken_for_whole(self) -> bool:
        """Whether it keeps its size by a scale that isn't 1."""
        return self.inputs == self.outputs > 1 and self.scale not in (None, 1)

    @property
    def nearest(self) -> Array:
        """The index that each output reads."""
        sizes: Any = {"size": self.outputs} if self.scale is None else {"scale_factor": self.scale}
        index: Array = upsample(np.arange(self.inputs, dtype=np.float64).reshape(1, 1, -1), **sizes)[0, 0]
        return index

    @property
    def nearest_in_float32(self) -> Array:
        """The same by a ratio that is rounded."""
        ratio = np.float32(self.inputs) / np.float32(self.outputs) if self.scale is None else np.float32(1 / self.scale)
        index: Array = np.floor(np.arange(self.outputs, dtype=np.float32) * ratio).clip(0, self.inputs - 1)
        return index

    @property
    def ratio(self) -> float:
        """How many inputs there are to an output."""
        return self.inputs / self.outputs if self.scale is None else 1 / self.scale

    @property
    def nearest_of_rounded(self) -> Array:
        """The same by positions that are rounded."""
        index: Array = np.floor(np.float32(np.arange(self.outputs) * self.ratio)).clip(0, self.inputs - 1)
        return index

    def rounds_over(self, align_corners: bool) -> bool:
        """Whether a position between inputs, rounded to float32, is that of an input (off by more than ulps)."""
        positions: Array = (np.arange(self.outputs) + 0.5) * self.ratio - 0.5
        if align_corners:
            positions = np.arange(self.outputs) * ((self.inputs - 1) / max(self.outputs - 1, 1))
        positions = np.maximum(positions, 0)
        rounded = np.float64(np.float32(positions))
        moved = np.abs(rounded - positions) > 4 * np.spacing(positions)
        return bool((moved & (np.floor(rounded) != np.floor(positions))).any())

    @property
    def nearest_by_whole_scale(self) -> Array:
        """The same where what keeps the size is taken for 1, what doubles it for 2."""
        factor = self.outputs // self.inputs
        return np.arange(self.outputs) // factor if self.outputs in (self.inputs, 2 * self.inputs) else self.nearest


def _input(case: Case) -> Array:
    input = case.inputs[0]
    assert input is not None
    return input


def _axes(case: Case) -> list[_Axis]:
    sizes, outputs = _input(case).shape[2:], case.grad_output.shape[2:]
    scales: Any = case.attributes["scale_factor"]
    each = scales if isinstance(scales, tuple) else (scales,) * len(sizes)
    return [_Axis(*axis) for axis in zip(sizes, outputs, each, strict=True)]


def _nearest_in_float32(case: Case) -> bool:
    return case.attributes["mode"] == "nearest" and any(
        (axis.nearest != axis.nearest_in_float32).any() for axis in _axes(case)
    )


def _nearest_forward_in_float32(case: Case) -> bool:
    if case.dtype != np.float64 or _by_index_function(case):
        return _nearest_in_float32(case)
    return case.attributes["mode"] == "nearest" and any(
        (axis.nearest != axis.nearest_of_rounded).any() for axis in _axes(case)
    )


def _nearest_by_whole_scale(case: Case) -> bool:
    return case.attributes["mode"] == "nearest" and any(
        (axis.nearest != axis.nearest_by_whole_scale).any() for axis in _axes(case)
    )


def _nearest_forward_by_whole_scale(case: Case) -> bool:
    return _by_index_function(case) and _nearest_by_whole_scale(case)


def _by_index_function(case: Case) -> bool:
    """Whether the forward finds indices as the backward does: along two axes; along three in channels-last order."""
    input = _input(case)
    channels_last = bool(np.moveaxis(input, 1, -1).flags.c_contiguous)  # as far as can be told
    return input.ndim == 4 or (input.ndim == 5 and channels_last and input.shape[1] > 3)


def _linear_of_rounded(case: Case) -> bool:
    linear = case.attributes["mode"] == "linear" and case.dtype == np.float64
    return linear and any(axis.rounds_over(bool(case.attributes["align_corners"])) for axis in _axes(case))


def _linear_copied(case: Case) -> bool:
    return (
        case.attributes["mode"] == "linear"
        and not case.attributes["align_corners"]
        and any(axis.taken_for_whole for axis in _axes(case))
    )


def _cubic_copied(case: Case) -> bool:
    axes = _axes(case)
    return (
        case.attributes["mode"] == "cubic"
        and not case.attributes["align_corners"]
        and all(axis.inputs == axis.outputs for axis in axes)
        and any(axis.taken_for_whole for axis in axes)
    )


_VERSIONS = "2.13.0 (CPU)"
_ROUNDED = """import torch
x = torch.arange(26.0).reshape(1, 1, 26)
print(torch.nn.functional.interpolate(x, size=22)[0, 0, 11].item())  # should be the same twice
print(11 * 26 / 22)"""
_ROUNDED_BACK = """import torch
x = torch.zeros(1, 1, 26, requires_grad=True)
y = torch.nn.functional.interpolate(x, size=22)
y[0, 0, 11].backward()
print(x.grad.argmax().item())  # should be the same twice
print(11 * 26 // 22)"""
_WHOLE_SCALE = """import torch
x = torch.arange(2.0)
print(torch.nn.functional.interpolate(x.reshape(1, 1, 2), scale_factor=1.4).flatten())
print(torch.nn.functional.interpolate(x.reshape(1, 1, 1, 2), scale_factor=(1, 1.4)).flatten())
# should be the same twice"""
_WHOLE_SCALE_BACK = """import torch
def up(x):
    return torch.nn.functional.interpolate(x, scale_factor=1.4).sum()
x = torch.zeros(1, 1, 2, requires_grad=True)
up(x).backward()
print(x.grad.flatten())
print(torch.stack([up(one.reshape(1, 1, 2)) for one in torch.eye(2)]))  # should be the same twice"""
_COPIED = """import torch
x = torch.arange(2.0).reshape(1, 1, 2)
y = torch.nn.functional.interpolate(x, scale_factor=1.4, mode="linear")
print(round(y[0, 0, 1].item(), 4))
print(round(1.5 / 1.4 - 0.5, 4))  # should be the same twice"""
_COPIED_BACK = """import torch
x = torch.zeros(1, 1, 2, requires_grad=True)
torch.nn.functional.interpolate(x, scale_factor=1.4, mode="linear")[0, 0, 1].backward()
print(round(x.grad[0, 0, 1].item(), 4))
print(round(1.5 / 1.4 - 0.5, 4))  # should be the same twice"""
_ROUNDED_OVER = """import torch
s = 2.5 / (1.5 - 2e-8)
x = torch.arange(3.0, dtype=torch.float64).reshape(1, 1, 3)
print(f'{torch.nn.functional.interpolate(x, scale_factor=s, mode="linear")[0, 0, 2].item():.9f}')
print(f"{2.5 / s - 0.5:.9f}")  # should be the same twice"""
_ROUNDED_OVER_BACK = """import torch
s = 2.5 / (1.5 - 2e-8)
x = torch.zeros(1, 1, 3, dtype=torch.float64, requires_grad=True)
torch.nn.functional.interpolate(x, scale_factor=s, mode="linear")[0, 0, 2].backward()
print(f"{x.grad[0, 0, 1].item():.9f}")
print(f"{2.5 / s - 0.5:.9f}")  # should be the same twice"""
_CUBIC = """import torch
def up(x):
    return torch.nn.functional.interpolate(x, scale_factor=(1, 1.4), mode="bicubic")[0, 0, 0, 1]
x = torch.zeros(1, 1, 1, 2, requires_grad=True)
up(x).backward()
print(x.grad.flatten())
print(torch.stack([up(one.reshape(1, 1, 1, 2)) for one in torch.eye(2)]))  # should be the same twice"""

FUNCTIONS: Mapping[str, Callable[..., Any]] = {"upsample": _upsample}
DEVIATIONS = tuple(
    Deviation("upsample", direction, matches, reason, _VERSIONS, smallest, script)
    for direction, matches, reason, smallest, script in (
        (
            "forward",
            _nearest_forward_by_whole_scale,
            "takes a scale that keeps the size for 1, one that doubles it for 2, in 2-D and in channels-last order",
            "upsample(input[1, 1, 1, 2], scale_factor=(1, 1.4))",
            _WHOLE_SCALE,
        ),
        (
            "backward",
            _nearest_by_whole_scale,
            "takes a scale that keeps the size for 1, one that doubles it for 2: the gradient isn't its forward's",
            "upsample(input[1, 1, 2], scale_factor=1.4)",
            _WHOLE_SCALE_BACK,
        ),
        (
            "forward",
            _nearest_forward_in_float32,
            "finds the nearest by a ratio in float32, in float64 by a position that is rounded to it: the neighbour of "
            "floor(o * in / out) at some sizes",
            "upsample(input[1, 1, 26], size=22)",
            _ROUNDED,
        ),
        (
            "backward",
            _nearest_in_float32,
            "finds the nearest by a ratio in float32, in float64, too, whatever its forward does",
            "upsample(input[1, 1, 26], size=22)",
            _ROUNDED_BACK,
        ),
        *(
            (
                direction,
                _linear_of_rounded,
                "rounds a position between two inputs to float32, in float64: near an input it is taken for that",
                "upsample(input[1, 1, 3], scale_factor=1.6666666888888893, mode='linear')",
                script,
            )
            for direction, script in (("forward", _ROUNDED_OVER), ("backward", _ROUNDED_OVER_BACK))
        ),
        (
            "forward",
            _linear_copied,
            "copies an axis whose size a scale other than 1 keeps, though a scale_factor finds the positions elsewhere",
            "upsample(input[1, 1, 2], scale_factor=1.4, mode='linear')",
            _COPIED,
        ),
        (
            "backward",
            _linear_copied,
            "copies the gradient along an axis whose size a scale other than 1 keeps",
            "upsample(input[1, 1, 2], scale_factor=1.4, mode='linear')",
            _COPIED_BACK,
        ),
        (
            "backward",
            _cubic_copied,
            "copies the gradient where scales other than 1 keep both sizes, though its forward interpolates",
            "upsample(input[1, 1, 1, 2], scale_factor=(1, 1.4), mode='cubic')",
            _CUBIC,
        ),
    )
)
"""What the report counts apart."""
