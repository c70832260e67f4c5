"""`linear`, and what PyTorch has no function for: `locally_connected` and `graph_conv`, of its own parts."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from oracle.contract import Deviation
from refconv.geometry import read_window


def _locally_connected(input: Any, weight: Any, bias: Any, **attributes: Any) -> Any:
    rank = input.ndim - 2
    window = read_window(tuple(weight.shape[2 + rank :]), **attributes)
    patches = F.pad(input, [side for pair in reversed(window.padding) for side in pair])
    for axis, (extent, stride) in enumerate(zip(window.extent, window.stride, strict=True), start=2):
        patches = patches.unfold(axis, extent, stride)
    taken: Any = [slice(None, None, dilation) for dilation in window.dilation]
    patches = patches[(..., *taken)]
    windows, taps = "xyz"[:rank], "def"[:rank]
    output = torch.einsum(f"nc{windows}{taps},o{windows}c{taps}->no{windows}", patches, weight)
    return output if bias is None else output + bias


def _graph_conv(input: Any, adjacency: Any, weight: Any, self_weight: Any, bias: Any) -> Any:
    nodes = input.shape[1]
    if adjacency.shape != (nodes, nodes):
        raise ValueError(f"adjacency must have shape {(nodes, nodes)}, got {tuple(adjacency.shape)}")
    output = adjacency @ F.linear(input, weight)
    if self_weight is not None:
        output = output + F.linear(input, self_weight)
    return output if bias is None else output + bias


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "linear": F.linear,
    "locally_connected": _locally_connected,
    "graph_conv": _graph_conv,
}
DEVIATIONS: tuple[Deviation, ...] = ()
