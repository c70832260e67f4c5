"""What works on each element by itself, moves elements, or sums them up to a loss."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from oracle.contract import Deviation
from refconv.geometry import read_padding


def _leaky_relu(input: Any, *, negative_slope: float) -> Any:
    return F.leaky_relu(input, negative_slope)


def _dropout(input: Any, mask: Any, *, p: float) -> Any:
    return input * mask / (1 - p)


def _concat(input: Any, other: Any, *, axis: int) -> Any:
    return torch.cat([input, other], axis)


def _pad(input: Any, *, padding: Any, mode: str, value: float) -> Any:
    pairs = read_padding(padding, input.ndim - 2)
    sides = [side for pair in reversed(pairs) for side in pair]  # F.pad begins with the last axis
    if mode in ("zeros", "constant"):
        return F.pad(input, sides, value=value)
    return F.pad(input, sides, mode=mode)


def _channel_shuffle(input: Any, *, groups: int) -> Any:
    return F.channel_shuffle(input.unsqueeze(3) if input.ndim == 3 else input, groups).reshape(input.shape)


def _flatten(input: Any) -> Any:
    return input.flatten(1) if input.ndim > 1 else input[:, None]


def _highway(input: Any, transform: Any, gate: Any) -> Any:
    return transform * gate + input * (1 - gate)


def _mse_loss(input: Any, target: Any) -> Any:
    with warnings.catch_warnings():  # of shapes that differ, before they are refused
        warnings.simplefilter("ignore", UserWarning)
        return F.mse_loss(input, target)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "relu": F.relu,
    "leaky_relu": _leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "dropout": _dropout,
    "flatten": _flatten,
    "add": torch.add,
    "concat": _concat,
    "pad": _pad,
    "channel_shuffle": _channel_shuffle,
    "cross_entropy": F.cross_entropy,
    "mse_loss": _mse_loss,
    "highway": _highway,
}
DEVIATIONS: tuple[Deviation, ...] = ()
