"""Where PyTorch's CPU build is wrong about norms: memory formats, and arguments that it documents but doesn't take.

The loops of batch norm's backward, which instance norm is made of, read both arrays in the order of `input` where each
is contiguous in some memory format and PyTorch suggests the same format for both. Where axes have size 1, or a view has
given the batch's axis of size 1 another stride, that says nothing of the order in which the elements lie.

Each fault was found by a check, shrunk, and seen again by its script, which needs PyTorch alone.
"""

from typing import Any

import numpy as np

from oracle.contract import Deviation
from properties import Case
from refconv.arguments import Array

_VERSIONS = "2.13.0 (CPU)"


def _seen(array: Array | None) -> Array:
    """Return an array as PyTorch is handed it: contiguous, if a stride is negative."""
    assert array is not None
    return array.copy() if min(array.strides, default=0) < 0 else array


def _readable(array: Array) -> bool:
    """Whether `array` is contiguous as channels-last, whatever the strides of axes of size 1."""
    return array.ndim > 3 and bool(np.moveaxis(array, 1, -1).flags.c_contiguous)


def _suggested(array: Array) -> bool:
    """Whether PyTorch suggests the channels-last format for `array`: strides, of every axis, never decrease."""
    if array.ndim < 4 or not array.size or array.strides[1] == 0:
        return False
    least = 0
    for axis in (1, *range(array.ndim - 1, 1, -1), 0):
        if array.strides[axis] < least or (axis == 0 and least == array.strides[1]):
            return False
        least = array.strides[axis] * array.shape[axis]
    return True


def _misread(input: Array, grad_output: Array) -> bool:
    """Whether both are contiguous, but not in the order in which `input` is read."""
    if input.flags.c_contiguous:
        return not grad_output.flags.c_contiguous and _readable(grad_output)
    return _readable(input) and grad_output.flags.c_contiguous and not _readable(grad_output)


def _misread_batch(case: Case) -> bool:
    input, grad_output = _seen(case.inputs[0]), _seen(case.grad_output)
    return _suggested(input) == _suggested(grad_output) and _misread(input, grad_output)


def _misread_instances(case: Case) -> bool:
    grad_output = _seen(case.grad_output)
    if not grad_output.size:
        return False
    batch, channels, *spatial = grad_output.shape
    view = grad_output.reshape(1, batch * channels, *spatial)
    input = np.empty(view.shape)  # is made contiguous
    return np.shares_memory(view, grad_output) and _misread(input, view)


def _affine_and_empty(case: Case) -> bool:
    input, *parameters = case.inputs
    return _seen(input).shape[0] == 0 and any(array is not None for array in parameters)


def _bias_alone(case: Case) -> bool:
    _, weight, bias = case.inputs
    return weight is None and bias is not None


def _one_value(case: Case) -> bool:
    """Whether each mean is of one value, from which it can't differ."""
    attributes: Any = case.attributes
    if case.operator == "layer_norm":
        return bool(np.prod(attributes["normalized_shape"]) == 1)
    return bool(_seen(case.inputs[0])[:1].size == attributes["num_groups"])


def _one_value_weighed(case: Case) -> bool:
    return _one_value(case) and case.inputs[1] is not None


def _means_in_one_pass(case: Case) -> bool:
    """Whether the format is channels-last, and a group's mean is large beside its standard deviation."""
    input, groups = _seen(case.inputs[0]), case.attributes["num_groups"]
    if not _suggested(input):
        return False
    values = input.astype(np.float64).reshape(input.shape[0], groups, -1)  # type: ignore[call-overload]  # groups is an object
    return bool((abs(values.mean(-1)) > 4 * values.std(-1)).any())


def _last_axes_apart(case: Case) -> bool:
    """Whether the squares of a volume, laid out as the input is, don't have its last two axes together."""
    array = _seen(case.inputs[0])
    if array.ndim < 5 or not array.size:
        return False
    squares = np.empty_like(array)
    (height, width), (along_height, along_width) = squares.shape[3:], squares.strides[3:]
    return bool(height > 1 and width > 1 and along_height != width * along_width)


_BATCH = """import torch
x = torch.arange(4.0).reshape(1, 2, 2, 1).requires_grad_()
g = torch.tensor([1.0, 3.0, 2.0, 4.0]).as_strided((1, 2, 2, 1), (1, 1, 2, 2))  # [[1, 2], [3, 4]]
y = torch.nn.functional.batch_norm(x, torch.zeros(2), torch.ones(2), eps=0)
y.backward(g)
print(x.grad.flatten())  # should be 1, 2, 3, 4"""
_INSTANCES = """import torch
w = torch.ones(2, requires_grad=True)
b = torch.zeros(2, requires_grad=True)
g = torch.arange(8.0).reshape(1, 2, 2, 2).contiguous(memory_format=torch.channels_last)
torch.nn.functional.instance_norm(torch.ones(1, 2, 2, 2), weight=w, bias=b).backward(g)
print(b.grad)  # should be 6, 22"""
_EMPTY_INSTANCES = """import torch
torch.nn.functional.instance_norm(torch.zeros(0, 1, 4), weight=torch.ones(1))"""
_GROUPS = """import torch
b = torch.zeros(1, requires_grad=True)
torch.nn.functional.group_norm(torch.ones(1, 1, 4), 1, bias=b).sum().backward()"""
_ONE_VALUE = """import torch
w = torch.ones(1, requires_grad=True)
torch.nn.functional.layer_norm(torch.tensor([[0.1]]), (1,), w).sum().backward()
print(w.grad)  # should be 0"""
_ONE_VALUE_OF_GROUPS = """import torch
x = torch.tensor([[0.1], [0.3]])  # each its own mean
print(torch.nn.functional.group_norm(x, 1, torch.ones(1)).flatten())  # should be 0, 0"""
_ONE_VALUE_BACK = """import torch
w = torch.ones(1, requires_grad=True)
g = torch.tensor([[0.1], [0.0]])
torch.nn.functional.group_norm(torch.tensor([[0.7], [0.0]]), 1, w).backward(g)
print(w.grad)  # should be 0"""
_ONE_PASS = """import torch
x = torch.tensor([9999.0, 10001.0, 9999.0, 10001.0]).reshape(1, 1, 2, 2)
x = x.as_strided((1, 2, 1, 2), (4, 1, 4, 2))  # channels-last
print(torch.nn.functional.group_norm(x, 1).flatten())  # should be -1, -1, 1, 1"""
_VOLUME = """import torch
torch.nn.functional.local_response_norm(torch.ones(2, 2, 1, 1, 1).permute(4, 3, 2, 1, 0), 1)"""

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "batch_norm",
        "backward",
        _misread_batch,
        "grad_output is read in another order where it or input is channels-last but for axes of size 1",
        _VERSIONS,
        "batch_norm(input[1, 2, 2, 1], weight=None, bias=None, running_mean[2], running_var[2], training=False)",
        _BATCH,
    ),
    Deviation(
        "instance_norm",
        "backward",
        _misread_instances,
        "grad_output is read in another order where it is channels-last, of a batch of one",
        _VERSIONS,
        "instance_norm(input[1, 2, 2, 2], weight[2], bias[2])",
        _INSTANCES,
    ),
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
        _bias_alone,
        "raises that a tensor has no device where there is a bias but no weight",
        _VERSIONS,
        "group_norm(input[1, 1, 4], weight=None, bias[1], num_groups=1)",
        _GROUPS,
    ),
    Deviation(
        "layer_norm",
        "backward",
        _one_value_weighed,
        "makes gradients of the rounding error of x r - m r where each value is its own mean m, and x - m is 0",
        _VERSIONS,
        "layer_norm(input[1], weight[1], bias=None, normalized_shape=1)",
        _ONE_VALUE,
    ),
    Deviation(
        "group_norm",
        "forward",
        _one_value_weighed,
        "adds the rounding error of x w r - m w r to the bias where each value is its own mean m",
        _VERSIONS,
        "group_norm(input[2, 1], weight[1], bias=None, num_groups=1)",
        _ONE_VALUE_OF_GROUPS,
    ),
    Deviation(
        "group_norm",
        "backward",
        _one_value,
        "makes gradients of rounding errors where each value is its own mean",
        _VERSIONS,
        "group_norm(input[2, 1], weight[1], bias=None, num_groups=1)",
        _ONE_VALUE_BACK,
    ),
    *[
        Deviation(
            "group_norm",
            direction,
            _means_in_one_pass,
            "loses the variance of channels-last values in the square of their mean, one pass giving both",
            _VERSIONS,
            "group_norm(input[1, 2, 1, 2], weight=None, bias=None, num_groups=1)",
            _ONE_PASS,
            "https://github.com/pytorch/pytorch/issues/54293",
        )
        for direction in ("forward", "backward")
    ],
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
