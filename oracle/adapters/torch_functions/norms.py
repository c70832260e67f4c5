"""The norms, and where PyTorch's CPU build refuses what it documents."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F

from oracle.deviations import Deviation
from oracle.running import Unsupported
from properties import Case


def _batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, *, training: bool, **attributes: Any
) -> Any:
    if training and attributes["eps"] == 0:
        raise Unsupported("PyTorch's batch_norm takes no eps of 0 in training")
    mean, variance = (None if array is None else array.clone() for array in (running_mean, running_var))  # in place
    output = F.batch_norm(input, mean, variance, weight, bias, training, **attributes)
    return output, mean, variance


def _layer_norm(input: Any, weight: Any, bias: Any, *, normalized_shape: Any, eps: float) -> Any:
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    return F.layer_norm(input, shape, weight, bias, eps)


def _instance_norm(input: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    return F.instance_norm(input, weight=weight, bias=bias, eps=eps)


def _group_norm(input: Any, weight: Any, bias: Any, *, num_groups: int, eps: float) -> Any:
    return F.group_norm(input, num_groups, weight, bias, eps)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "local_response_norm": F.local_response_norm,
}


def _input(case: Case) -> Any:
    return case.inputs[0]


def _affine_and_empty(case: Case) -> bool:
    return len(_input(case)) == 0 and any(array is not None for array in case.inputs[1:])


def _bias_alone_and_empty(case: Case) -> bool:
    _, weight, bias = case.inputs
    return len(_input(case)) == 0 and weight is None and bias is not None


def _last_axes_apart(case: Case) -> bool:
    """Whether the squares of a volume, laid out as the input is, don't have its last two axes together."""
    array = _input(case)
    if array.ndim < 5 or not array.size:
        return False
    squares = np.empty(array.shape) if min(array.strides) < 0 else np.empty_like(array)
    *_, height, width = squares.shape
    *_, along_height, along_width = squares.strides
    return bool(height > 1 and width > 1 and along_height != width * along_width)


_VERSIONS = "2.13.0 (CPU)"
_EMPTY_INSTANCES = """import torch
torch.nn.functional.instance_norm(torch.zeros(0, 1, 4), weight=torch.ones(1))"""
_EMPTY_GROUPS = """import torch
b = torch.zeros(1, requires_grad=True)
torch.nn.functional.group_norm(torch.zeros(0, 1, 4, requires_grad=True), 1, bias=b).sum().backward()"""
_VOLUME = """import torch
torch.nn.functional.local_response_norm(torch.ones(2, 2, 1, 1, 1).permute(4, 3, 2, 1, 0), 1)"""

DEVIATIONS: tuple[Deviation, ...] = (
    *[
        Deviation(
            "instance_norm",
            direction,
            _affine_and_empty,
            "raises IndexError where the batch is empty and there is a weight or a bias",
            _VERSIONS,
            "instance_norm(input[0, 1, 4], weight[1], bias=None)",
            _EMPTY_INSTANCES,
        )
        for direction in ("forward", "backward")
    ],
    Deviation(
        "group_norm",
        "backward",
        _bias_alone_and_empty,
        "raises that a tensor has no device where the batch is empty and there is a bias but no weight",
        _VERSIONS,
        "group_norm(input[0, 1, 4], weight=None, bias[1], num_groups=1)",
        _EMPTY_GROUPS,
    ),
    *[
        Deviation(
            "local_response_norm",
            direction,
            _last_axes_apart,
            "raises that a view is impossible where the last two axes of a volume aren't together in memory",
            _VERSIONS,
            "local_response_norm(input[1, 1, 1, 2, 2], size=1)",
            _VOLUME,
        )
        for direction in ("forward", "backward")
    ],
)
