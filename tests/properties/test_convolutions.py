"""What the strategies reach: every edge that the reference, and whoever is compared with it, has to get right."""

import numpy as np
import pytest

from properties import cases
from refconv.geometry import read_window
from refconv.padding import MODES

OPERATORS = ("conv", "conv_transpose", "locally_connected")


def window_of(case):
    attributes = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    return read_window(case.inputs[1].shape[-len(size_of(case)) :], **attributes, words=True)


def size_of(case):
    return case.inputs[0].shape[2:]


def any_axis(claim):
    """A predicate on a case: `claim` holds for one of its axes, given size, kernel, stride, padding pair and dilation."""
    return lambda case: any(claim(*axis) for axis in zip(size_of(case), *window_of(case), strict=True))


def extent(kernel, dilation):
    return dilation * (kernel - 1) + 1


def differs(entries):
    return len(entries) > 1 and len(set(entries)) == len(entries)


def in_and_out_per_group(case):
    groups = case.attributes["groups"]
    return case.inputs[0].shape[1] // groups, case.grad_output.shape[1] // groups


def blind_window(size, kernel, stride, pair, dilation):
    windows = (size + sum(pair) - extent(kernel, dilation)) // stride + 1
    return any(all(not 0 <= o * stride - pair[0] + k * dilation < size for k in range(kernel)) for o in range(windows))


def output_paddings(case):
    """Each axis's output_padding, stride and padding after."""
    window = window_of(case)
    extra = np.broadcast_to(case.attributes["output_padding"], len(window.stride)).tolist()
    return zip(extra, window.stride, [after for _, after in window.padding], strict=True)


def grouped(claim):
    """A predicate on a case: it has groups, and `claim` holds for the channels in and out of one."""
    return lambda case: case.attributes["groups"] > 1 and claim(*in_and_out_per_group(case))


def channels_last(array):
    return not array.flags.c_contiguous and np.moveaxis(array, 1, -1).flags.c_contiguous


def transposed(array):
    return array.flags.f_contiguous and not array.flags.c_contiguous


def sliced(array):
    return (
        isinstance(array.base, np.ndarray)
        and array.base.ndim == array.ndim
        and array.base.shape[1] == array.shape[1] + 2
    )


def magnitudes(case):
    return abs(case.inputs[0]) if case.inputs[0].size > 9 else np.ones(1)


EDGES = {
    "one spatial axis": lambda case: len(size_of(case)) == 1,
    "two spatial axes": lambda case: len(size_of(case)) == 2,
    "three spatial axes": lambda case: len(size_of(case)) == 3,
    "an axis of size 1": any_axis(lambda size, *_: size == 1),
    "a kernel larger than the input": any_axis(lambda size, k, s, p, d: extent(k, d) > size),
    "a stride beyond the kernel": any_axis(lambda size, k, s, p, d: s > extent(k, d) > 1),
    "padding beyond the kernel": any_axis(lambda size, k, s, p, d: max(p) >= extent(k, d) > 1),
    "dilation with padding": any_axis(lambda size, k, s, p, d: d > 1 and k > 1 and min(p) > 0),
    "an even kernel": any_axis(lambda size, k, s, p, d: k % 2 == 0),
    "padding on one side only": any_axis(lambda size, k, s, p, d: min(p) == 0 < max(p)),
    "symmetric padding": lambda case: all(before == after > 0 for before, after in window_of(case).padding),
    "strides that differ": lambda case: differs(window_of(case).stride),
    "dilations that differ": lambda case: differs(window_of(case).dilation),
    "kernels that differ": lambda case: differs(window_of(case).kernel),
    "paddings that differ on all sides": lambda case: differs(sum(window_of(case).padding, ())),
    "sizes that differ": lambda case: differs(size_of(case)),
    "an empty batch": lambda case: case.inputs[0].shape[0] == 0,
    "a batch of several": lambda case: case.inputs[0].shape[0] > 1,
    "a bias": lambda case: case.inputs[2] is not None,
    "no bias": lambda case: case.inputs[2] is None,
    "an int for all axes": lambda case: isinstance(case.attributes["stride"], int),
    "an int for each axis": lambda case: isinstance(case.attributes["stride"], tuple) and len(size_of(case)) > 1,
    "ints that are alike spelled out": lambda case: (
        str(case.attributes["stride"])[:4] in ("(1, ", "(2, ")
        and len(set(case.attributes["stride"])) == 1 < len(size_of(case))
    ),
    "integers": lambda case: case.inputs[0].size > 0 and (case.inputs[0] == np.rint(case.inputs[0])).all(),
    "a wide range": lambda case: np.ptp(np.log2(magnitudes(case))) > 20,
    "cancelling sums": lambda case: (abs(magnitudes(case) - 1024) < 9).all(),
    "a sliced input": lambda case: sliced(case.inputs[0]),
    "a reversed weight": lambda case: min(case.inputs[1].strides) < 0,
    "an expanded input": lambda case: len(case.inputs[0]) > 1 and case.inputs[0].strides[0] == 0,
    "an expanded weight": lambda case: len(case.inputs[1]) > 1 and case.inputs[1].strides[0] == 0,
    "a constant grad_output": lambda case: case.grad_output.size > 1 and not any(case.grad_output.strides),
    "a channels-last input": lambda case: channels_last(case.inputs[0]),
    "a channels-last grad_output": lambda case: channels_last(case.grad_output),
    "layouts that differ": lambda case: case.inputs[0].flags.c_contiguous and transposed(case.inputs[1]),
}
GROUP_EDGES = {
    "groups of several channels": grouped(lambda per_in, per_out: min(per_in, per_out) > 1),
    "in/groups other than out/groups": grouped(lambda per_in, per_out: per_in != per_out),
    "depthwise": grouped(lambda per_in, per_out: per_in == per_out == 1),
    "depthwise with a multiplier": grouped(lambda per_in, per_out: per_in == 1 < per_out),
}
CONV_EDGES = {
    "a window that sees only padding": any_axis(blind_window),
    "input that no window reaches": any_axis(lambda size, k, s, p, d: (size + sum(p) - extent(k, d)) % s > 0),
    "valid": lambda case: case.attributes["padding"] == "valid",
    "same": lambda case: case.attributes["padding"] == "same",
    "same with an odd total": lambda case: (
        case.attributes["padding"] == "same" and any(before < after for before, after in window_of(case).padding)
    ),
    **{
        f"{mode} padding": lambda case, mode=mode: (
            case.attributes["padding_mode"] == mode and any(map(any, window_of(case).padding))
        )
        for mode in MODES
    },
}
CONV_TRANSPOSE_EDGES = {
    "output_padding": lambda case: any(extra > 0 for extra, _, _ in output_paddings(case)),
    "output_padding up to the dilation": lambda case: any(extra >= s for extra, s, _ in output_paddings(case)),
    "output_padding beyond the padding": lambda case: any(extra > after for extra, _, after in output_paddings(case)),
}


@pytest.mark.parametrize(
    ("operator", "edge"),
    [
        *[(operator, edge) for operator in OPERATORS for edge in EDGES],
        *[(operator, edge) for operator in ("conv", "conv_transpose") for edge in GROUP_EDGES],
        *[("conv", edge) for edge in CONV_EDGES],
        *[("conv_transpose", edge) for edge in CONV_TRANSPOSE_EDGES],
    ],
)
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    holds = {**EDGES, **GROUP_EDGES, **CONV_EDGES, **CONV_TRANSPOSE_EDGES}[edge]
    assert any(holds(case) for case in drawn(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_cases_shrink_to_one_of_everything(operator, smallest):
    case = smallest(cases(operator))
    weight = (1, 1, 1, 1) if operator == "locally_connected" else (1, 1, 1)
    assert [array if array is None else array.shape for array in case.inputs] == [(1, 1, 1), weight, None]
    assert case.spelled_attributes == []
    assert all(abs(array) <= 4 for array in (*case.inputs[:2], case.grad_output))
