"""`conv` and `conv_transpose`."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F

from oracle.adapters.torch_functions.convolution_deviations import DEVIATIONS
from refconv.geometry import Window, read_window

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _conv(input: Any, weight: Any, bias: Any, *, padding: Any, padding_mode: str, **attributes: Any) -> Any:
    function = _CONV[input.ndim - 2]
    if isinstance(padding, str) and padding_mode == "zeros":
        with warnings.catch_warnings():  # that "same" may copy where its total is odd
            warnings.simplefilter("ignore", UserWarning)
            return function(input, weight, bias, padding=padding, **attributes)
    window = _window(weight, padding, attributes)
    before, after = zip(*window.padding, strict=True)
    if before == after and padding_mode == "zeros":
        return function(input, weight, bias, padding=before, **attributes)
    sides = [side for pair in reversed(window.padding) for side in pair]  # F.pad begins with the last axis
    padded = F.pad(input, sides, mode="constant" if padding_mode == "zeros" else padding_mode)
    return function(padded, weight, bias, **attributes)


def _conv_transpose(input: Any, weight: Any, bias: Any, *, padding: Any, **attributes: Any) -> Any:
    window = _window(weight, padding, attributes)
    alike = tuple(min(pair) for pair in window.padding)  # is PyTorch's padding; the rest is cropped
    output = _CONV_TRANSPOSE[input.ndim - 2](input, weight, bias, padding=alike, **attributes)
    crops: Any = [
        slice(before - side, length - (after - side))
        for (before, after), side, length in zip(window.padding, alike, output.shape[2:], strict=True)
    ]
    return output[(..., *crops)]


def _window(weight: Any, padding: Any, attributes: dict[str, Any]) -> Window:
    return read_window(
        tuple(weight.shape[2:]),
        stride=attributes["stride"],
        padding=padding,
        dilation=attributes["dilation"],
        words=True,
    )


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"conv": _conv, "conv_transpose": _conv_transpose}
__all__ = ["DEVIATIONS", "FUNCTIONS"]
