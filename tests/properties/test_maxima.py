"""What the cases of maximum pooling and its kin reach."""

import math

import numpy as np
import pytest

from properties import cases
from refconv.geometry import read_pool_window


def size_of(case):
    return case.inputs[0].shape[2:]


def window_of(case):
    known = {name: case.attributes.get(name, 1 if name == "dilation" else 0) for name in ("padding", "dilation")}
    return read_pool_window(
        case.attributes["kernel_size"], len(size_of(case)), stride=case.attributes["stride"], **known
    )


def any_axis(claim):
    """A predicate: `claim` holds for an axis, given size, windows, kernel, stride, padding pair and dilation."""
    return lambda case: any(
        claim(*axis) for axis in zip(size_of(case), case.grad_output.shape[2:], *window_of(case), strict=True)
    )


def beyond(size, windows, kernel, stride, pair, dilation):
    return (windows - 1) * stride + dilation * (kernel - 1) + 1 > size + sum(pair)


def blind(size, windows, kernel, stride, pair, dilation):
    return any(all(not 0 <= o * stride - pair[0] + k * dilation < size for k in range(kernel)) for o in range(windows))


def differ(entries):
    return len(entries) > 1 and len(set(entries)) == len(entries)


def repeated(case):
    shape = case.inputs[1].shape
    indices = case.inputs[1].reshape(*shape[:2], math.prod(shape[2:]))
    return any(len(set(plane.tolist())) < plane.size for planes in indices for plane in planes)


COMMON = {
    **{f"{rank} spatial axes": lambda case, rank=rank: len(size_of(case)) == rank for rank in (1, 2, 3)},
    "an empty batch": lambda case: len(case.inputs[0]) == 0,
    "an axis of size 1": lambda case: 1 in size_of(case),
    "sizes that differ": lambda case: differ(size_of(case)),
    "an expanded input": lambda case: len(case.inputs[0]) > 1 and case.inputs[0].strides[0] == 0,
    "a reversed grad_output": lambda case: min(case.grad_output.strides) < 0,
}
WINDOWS = {
    "kernels that differ": lambda case: differ(window_of(case).kernel),
    "strides that differ": lambda case: differ(window_of(case).stride),
    "a stride beyond the kernel": any_axis(lambda size, o, k, s, p, d: s > d * (k - 1) + 1 > 1),
    "windows side by side": lambda case: case.attributes["stride"] is None,
    "windows that overlap": any_axis(lambda size, o, k, s, p, d: o > 1 and s < k),
    "input that no window reaches": any_axis(lambda size, o, k, s, p, d: (o - 1) * s + d * (k - 1) + 1 < size),
    "a last window beyond the input": any_axis(beyond),
    "an int for all axes": lambda case: isinstance(case.attributes["kernel_size"], int),
}
EDGES = {
    "max_pool": {
        **COMMON,
        **WINDOWS,
        "dilation with padding": any_axis(lambda size, o, k, s, p, d: d > 1 and k > 1 and min(p) > 0),
        "dilations that differ": lambda case: differ(window_of(case).dilation),
        "padding on one side only": any_axis(lambda size, o, k, s, p, d: min(p) == 0 < max(p)),
        "padding of more than half the kernel": any_axis(lambda size, o, k, s, p, d: p[0] > (d * (k - 1) + 1) // 2),
        "a window that holds only padding": any_axis(blind),
        "a kernel larger than the input": any_axis(lambda size, o, k, s, p, d: d * (k - 1) + 1 > size),
        "a NaN": lambda case: bool(np.isnan(case.inputs[0]).any()),
        "a minus infinity": lambda case: bool(np.isneginf(case.inputs[0]).any()),
        "ties": lambda case: (case.inputs[0] == np.rint(case.inputs[0])).all() and case.inputs[0].size > 20,
        "indices": lambda case: case.attributes["return_indices"],
    },
    "lp_pool": {
        **COMMON,
        **WINDOWS,
        **{
            f"norm {p}": lambda case, p=p: case.attributes["norm_type"] == p and case.inputs[0].size > 0
            for p in (1, 2, 3.5, math.inf)
        },
    },
    "adaptive_max_pool": {
        **COMMON,
        "global": lambda case: case.grad_output[:1, :1].size == 1 < case.inputs[0][:1, :1].size,
        "sizes that don't divide": lambda case: any(n % m for n, m in zip(size_of(case), case.grad_output.shape[2:], strict=True)),
        "larger than the input": lambda case: any(n < m for n, m in zip(size_of(case), case.grad_output.shape[2:], strict=True)),
    },
    "max_unpool": {
        **COMMON,
        "several elements for one place": repeated,
        "places of their own": lambda case: case.inputs[0].size > 9 and not repeated(case),
        "the last place": lambda case: case.inputs[1].max(initial=0) == np.prod(case.grad_output.shape[2:]) - 1 > 5,
        "an int for all axes": lambda case: isinstance(case.attributes["output_size"], int),
    },
}  # fmt: skip


@pytest.mark.parametrize(("operator", "edge"), [(operator, edge) for operator in EDGES for edge in EDGES[operator]])
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    assert any(EDGES[operator][edge](case) for case in drawn(operator))


@pytest.mark.parametrize("operator", EDGES)
def test_cases_shrink_to_one_of_everything(operator, smallest):
    case = smallest(cases(operator))
    assert {array.shape for array in (*case.inputs, case.grad_output)} == {(1, 1, 1)} or operator == "max_unpool"
    assert case.inputs[0].shape == (1, 1, 1)
    assert abs(case.inputs[0]).max() <= 4
