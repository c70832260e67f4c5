"""Where PyTorch's CPU build is wrong: all in memory formats.

PyTorch computes in channels-last order where `input` or `weight` lies so in memory. Where an axis has size 1 its stride
means nothing, the same elements may lie in both orders, and PyTorch's parts, and oneDNN under them, disagree on which
order it is. Each fault below was found by a check, shrunk, and seen again by its script, which needs PyTorch alone.

Of one channel, oneDNN copies rows of the input beforehand, and takes all taps along the last axis at once. The buffer
for them is too small where a stride exceeds its kernel: it counts the kernel for the stride. For the gradient of a
kernel of size 1 it copies what strides leave of the input; that buffer is too small for fewer channels than a vector's.
"""

import math

import numpy as np

from oracle.contract import Deviation
from properties import Case
from refconv.arguments import Array
from refconv.geometry import Window, read_window

_VERSIONS = "2.13.0 (CPU)"
_PAGE = 4096  # bytes
_LANES = 16  # of a vector of 512 bits; with 256 bits it is half as many


def _readable(array: Array) -> bool:
    """Whether `array` can be read as channels-last: the strides of axes of size 1 don't count."""
    return bool(np.moveaxis(array, 1, -1).flags.c_contiguous)


def _declared(array: Array) -> bool:
    """Whether `array` has the strides that PyTorch gives to channels-last tensors, and to no others."""
    moved = np.moveaxis(array, 1, -1)
    channels_last = moved.strides == np.empty(moved.shape, array.dtype).strides
    return channels_last and array.strides != np.empty(array.shape, array.dtype).strides


def _in_doubt(array: Array) -> bool:
    """Whether `array` can be read as channels-last only, but doesn't have those strides."""
    return _readable(array) and not array.flags.c_contiguous and not _declared(array)


def _window(case: Case) -> Window:
    attributes = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    return read_window(_weight(case).shape[2:], **attributes, words=True)


def _input(case: Case) -> Array:
    array = case.inputs[0]
    assert array is not None
    return array


def _weight(case: Case) -> Array:
    array = case.inputs[1]
    assert array is not None
    return array


def _blind_along_the_last_axis(case: Case) -> bool:
    """Whether all windows, of which there are several, see nothing but padding along the last axis, of size 1."""
    window = _window(case)
    windows = case.grad_output.shape[-1]
    first = np.arange(windows) * window.stride[-1] - window.padding[-1][0]
    taps = first[:, None] + np.arange(window.kernel[-1]) * window.dilation[-1]
    return _input(case).shape[-1] == 1 and windows > 1 and window.stride[-1] > 1 and bool((taps != 0).all())


def _crashes(case: Case) -> bool:
    biased = case.inputs[2] is not None
    return (
        ((case.dtype == np.float32 and biased) or str(case.dtype) == "bfloat16")
        and (_declared(_input(case)) or _declared(_weight(case)))
        and _blind_along_the_last_axis(case)
    )


def _by_onednn(case: Case) -> bool:
    """Whether PyTorch leaves it to oneDNN, where there are no groups."""
    input, weight = _input(case), _weight(case)
    if case.dtype != np.float32:
        return str(case.dtype) == "bfloat16"
    return len(input) > 1 or min(weight.shape[-2:]) > 3 or math.prod(input.shape[:4]) > 20480


def _copies_rows(case: Case, gathered: Array) -> bool:
    """Whether oneDNN correlates one channel, and copies its rows beforehand."""
    window = _window(case)
    return (
        gathered.shape[1] == 1
        and (gathered.ndim == 4 or (gathered.ndim == 5 and case.dtype == np.float32))
        and _by_onednn(case)
        and window.dilation[-1] == 1 < window.kernel[-1]
    )


def _gathers_one_channel(case: Case, gathered: Array, result: Array) -> bool:
    """Whether oneDNN correlates one channel to a result that is higher than it is wide, namely 1."""
    stride = _window(case).stride
    return (
        _copies_rows(case, gathered)
        and any(map(_declared, (gathered, _input(case), _weight(case))))
        and result.shape[-1] == 1 < result.shape[-2]
        and stride[-2] == 1 < stride[-1]
    )


def _overruns(case: Case, gathered: Array, result: Array) -> bool:
    """Whether the rows that oneDNN copies of one channel don't fit into its buffer, of whole pages of memory.

    They are those of some windows; if they fit where it copies those of all, they fit.
    """
    if not (_copies_rows(case, gathered) and any(map(_declared, (_input(case), _weight(case))))):
        return False
    window, outputs = _window(case), result.shape[2:]
    if gathered.ndim == 4 and window.kernel[0] > 1 == window.dilation[0] and outputs[-1] > 4:
        return False  # it takes all taps of a window at once, from another buffer
    copied = booked = gathered.shape[-1] + sum(window.padding[-1])
    booked *= window.stride[-1] * (window.kernel[-1] if outputs[-1] == 1 else 1)
    axes = zip(outputs, window.kernel, window.extent, window.stride, strict=True)
    for windows, kernel, extent, stride in [*axes][:-1]:
        copied *= (windows - 1) * stride + extent
        booked *= (windows - 1) * min(stride, kernel) + extent
    return bool(copied > booked and copied * case.dtype.itemsize > _PAGE)


def _overruns_what_strides_leave(case: Case, gathered: Array, result: Array) -> bool:
    """Whether oneDNN copies what the strides leave of the input, with room for fewer channels than it writes."""
    window = _window(case)
    strided = zip(gathered.shape[2:], result.shape[2:], window.stride, strict=True)
    return (
        case.dtype == np.float32
        and gathered.ndim < 5
        and case.attributes["groups"] == 1
        and any(map(_declared, (_input(case), _weight(case))))
        and _by_onednn(case)
        and {*window.kernel} == {1}
        and max(window.stride) > 1
        and not any(map(sum, window.padding))
        and all(size == outputs * stride for size, outputs, stride in strided)
        and gathered.shape[1] < _LANES
    )


def _conv_overruns_what_strides_leave(case: Case) -> bool:
    return _overruns_what_strides_leave(case, _input(case), case.grad_output)


def _conv_transpose_overruns_what_strides_leave(case: Case) -> bool:
    return _overruns_what_strides_leave(case, case.grad_output, _input(case))


def _conv_of_one_channel(case: Case) -> bool:
    return _gathers_one_channel(case, _input(case), case.grad_output)


def _conv_overruns(case: Case) -> bool:
    return _overruns(case, _input(case), case.grad_output)


def _conv_transpose_to_one_channel(case: Case) -> bool:
    return _gathers_one_channel(case, case.grad_output, _input(case))


def _conv_transpose_overruns(case: Case) -> bool:
    return _overruns(case, case.grad_output, _input(case))


def _grouped_in_doubt(case: Case) -> bool:
    weight = _weight(case)
    return (
        case.dtype == np.float64
        and weight.ndim == 4
        and case.attributes["groups"] != 1
        and set(_window(case).dilation) == {1}
        and _in_doubt(_input(case))
        and _declared(weight)
    )


def _one_filter_in_doubt(case: Case) -> bool:
    weight = _weight(case)
    return (
        (
            case.dtype == np.float64 or len(_input(case)) == 1 or _padded_by_a_stride(case)
        )  # elsewhere oneDNN computes it
        and weight.ndim < 5
        and len(weight) == 1
        and _in_doubt(weight)
        and _declared(_input(case))
    )


def _padded_by_a_stride(case: Case) -> bool:
    rank, attributes = _weight(case).ndim - 2, case.attributes
    padding = np.broadcast_to(np.array(attributes.get("output_padding", 0)), rank)
    return bool((padding >= np.broadcast_to(np.array(attributes["stride"]), rank)).any())


_CRASH = """import torch
x = torch.zeros(2, 2, 1, 1).as_strided((2, 2, 1, 1), (2, 1, 2, 2))
torch.nn.functional.conv2d(x, torch.zeros(1, 2, 3, 1), torch.zeros(1), stride=2, padding=1, dilation=(1, 2))"""
_ONE_CHANNEL = """import torch
x = torch.arange(1.0, 5.0).as_strided((2, 1, 2, 1), (2, 1, 1, 1))  # channels-last
w = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
print(torch.nn.functional.conv2d(x, w, stride=(1, 2), padding=1).flatten())  # should be 21, 12, 47, 26"""
_OVERRUN = """import torch
x = torch.zeros(2, 1, 100001, 2).as_strided((2, 1, 100001, 2), (200002, 1, 2, 1))  # channels-last
torch.nn.functional.conv2d(x, torch.zeros(1, 1, 1, 2), stride=(100000, 1))"""
_OVERRUN_TRANSPOSED = """import torch
x = torch.zeros(2, 1, 2, 1).as_strided((2, 1, 2, 1), (2, 1, 1, 1)).requires_grad_()  # channels-last
torch.nn.functional.conv_transpose2d(x, torch.zeros(1, 1, 1, 2), stride=(20000, 1)).sum().backward()"""
_STRIDES_LEAVE = """import torch
x = torch.zeros(2, 1, 300, 300).as_strided((2, 1, 300, 300), (90000, 1, 300, 1))  # channels-last
w = torch.zeros(8, 1, 1, 1, requires_grad=True)
torch.nn.functional.conv2d(x, w, stride=2).sum().backward()"""
_STRIDES_LEAVE_TRANSPOSED = """import torch
x = torch.zeros(1, 8, 150, 150).contiguous(memory_format=torch.channels_last)
w = torch.zeros(8, 3, 1, 1, requires_grad=True)
torch.nn.functional.conv_transpose2d(x, w, stride=2, output_padding=1).sum().backward()"""
_TO_ONE_CHANNEL = """import torch
x = torch.ones(2, 1, 2, 1, requires_grad=True)
w = torch.arange(1.0, 10.0).as_strided((1, 1, 3, 3), (9, 1, 3, 1))  # channels-last
y = torch.nn.functional.conv_transpose2d(x, w, stride=(1, 2), padding=1)
y.backward(torch.arange(1.0, 5.0).reshape(2, 1, 2, 1))
print(x.grad.flatten())  # should be 21, 12, 47, 26"""
_GROUPED = """import torch
for strides in (1, 1, 4, 4), (8, 1, 8, 4):
    x = torch.arange(8.0, dtype=torch.float64).as_strided((1, 4, 1, 2), strides)
    w = torch.ones(2, 2, 1, 1, dtype=torch.float64).as_strided((2, 2, 1, 1), (2, 1, 2, 2)).requires_grad_()
    torch.nn.functional.conv2d(x, w, groups=2).sum().backward()
    print(w.grad.flatten())  # should be the same twice"""
_ONE_FILTER = """import torch
x = torch.ones(1, 2, 1, 2).contiguous(memory_format=torch.channels_last)
w = torch.ones(4).as_strided((1, 2, 1, 2), (1, 1, 2, 2)).requires_grad_()
torch.nn.functional.conv2d(x, w).sum().backward()"""
_ONE_FILTER_TRANSPOSED = """import torch
x = torch.ones(1, 1, 1, 2).as_strided((1, 1, 1, 2), (2, 1, 2, 1))
w = torch.ones(4).as_strided((1, 2, 1, 2), (1, 1, 2, 2)).requires_grad_()
torch.nn.functional.conv_transpose2d(x, w).sum().backward()"""

DEVIATIONS = (
    *[
        Deviation(
            "conv",
            direction,
            _crashes,
            "crashes where, in channels-last order and with bias, all windows along the last axis see only padding",
            _VERSIONS,
            "conv(input[2, 2, 1, 1], weight[1, 2, 3, 1], bias[1], stride=2, padding=1, dilation=(1, 2))",
            _CRASH,
            "https://github.com/pytorch/pytorch/issues/195394",
            crashes=True,
        )
        for direction in ("forward", "backward")
    ],
    *[
        Deviation(
            "conv",
            direction,
            _conv_overruns,
            "overruns its buffer where one input channel is channels-last and a stride exceeds its kernel: it crashes, "
            "or threads overwrite what others have copied",
            _VERSIONS,
            "conv(input[2, 1, 8201, 2], weight[1, 1, 1, 2], stride=(8200, 1))",
            _OVERRUN,
            crashes=True,
        )
        for direction in ("forward", "backward")
    ],
    Deviation(
        "conv_transpose",
        "backward",
        _conv_transpose_overruns,
        "overruns its buffer, as conv does, where there is one output channel",
        _VERSIONS,
        "conv_transpose(input[2, 1, 2, 1], weight[1, 1, 1, 2], stride=(8200, 1))",
        _OVERRUN_TRANSPOSED,
        crashes=True,
    ),
    *[
        Deviation(
            operator,
            "backward",
            overruns,
            "overruns its buffer for what the strides leave of the input, where a kernel of size 1 meets fewer than 16 "
            "channels in channels-last order: it crashes, or corrupts its process",
            _VERSIONS,
            smallest,
            code,
            "https://github.com/uxlfoundation/oneDNN/issues/6035",
            crashes=True,
        )
        for operator, overruns, smallest, code in (
            (
                "conv",
                _conv_overruns_what_strides_leave,
                "conv(input[2, 1, 2], weight[1, 1, 1], stride=2)",
                _STRIDES_LEAVE,
            ),
            (
                "conv_transpose",
                _conv_transpose_overruns_what_strides_leave,
                "conv_transpose(input[2, 1, 1], weight[1, 1, 1], stride=2, output_padding=1)",
                _STRIDES_LEAVE_TRANSPOSED,
            ),
        )
    ],
    Deviation(
        "conv",
        "forward",
        _conv_of_one_channel,
        "output of one input channel in channels-last order, 1 wide, is partly uninitialised memory",
        _VERSIONS,
        "conv(input[2, 1, 2, 1], weight[1, 1, 3, 3], stride=(1, 2), padding=1)",
        _ONE_CHANNEL,
    ),
    Deviation(
        "conv_transpose",
        "backward",
        _conv_transpose_to_one_channel,
        "grad_input, 1 wide, of one output channel in channels-last order is partly uninitialised memory",
        _VERSIONS,
        "conv_transpose(input[2, 1, 2, 1], weight[1, 1, 3, 3], stride=(1, 2), padding=1)",
        _TO_ONE_CHANNEL,
    ),
    Deviation(
        "conv",
        "backward",
        _grouped_in_doubt,
        "grad_weight of groups is wrong where input is channels-last but for an axis of size 1, and weight is that",
        _VERSIONS,
        "conv(input[1, 4, 1, 2], weight[2, 2, 1, 1], groups=2)",
        _GROUPED,
    ),
    Deviation(
        "conv",
        "backward",
        _one_filter_in_doubt,
        "raises that grad_weight must be contiguous where a single filter is channels-last but for an axis of size 1",
        _VERSIONS,
        "conv(input[1, 2, 1, 2], weight[1, 2, 1, 2])",
        _ONE_FILTER,
    ),
    Deviation(
        "conv_transpose",
        "backward",
        _one_filter_in_doubt,
        "raises that grad_weight needs to be contiguous, as conv does, where there is one input channel",
        _VERSIONS,
        "conv_transpose(input[1, 1, 1, 2], weight[1, 2, 1, 2])",
        _ONE_FILTER_TRANSPOSED,
    ),
)
"""What the report counts apart."""
