"""The norms."""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F

from oracle.adapters.torch_functions.norm_deviations import DEVIATIONS
from oracle.contract import Unsupported


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
__all__ = ["DEVIATIONS", "FUNCTIONS"]
