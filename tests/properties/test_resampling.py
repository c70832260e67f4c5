"""What the strategies of averages, blurs and upsampling reach."""

import numpy as np
import pytest

from oracle.adapters.torch_functions.upsampling import DEVIATIONS
from properties import cases
from refconv.geometry import read_pool_window

OPERATORS = ("avg_pool", "adaptive_avg_pool", "upsample", "blur_pool")


def sizes(case):
    return case.inputs[0].shape[2:]


def outputs(case):
    return case.grad_output.shape[2:]


def axes(case):
    return zip(sizes(case), outputs(case), strict=True)


def differs(entries):
    return len(entries) > 1 and len(set(entries)) == len(entries)


def each(case, name):
    """An attribute's entry for each axis."""
    return np.broadcast_to(case.attributes[name], len(sizes(case))).tolist()


def window_of(case):
    given = {name: case.attributes[name] for name in ("stride", "padding")}
    return read_pool_window(case.attributes["kernel_size"], len(sizes(case)), **given)


def any_axis(claim):
    """A predicate on a case of `avg_pool`: `claim` holds for an axis's size, kernel, stride, padding and windows."""

    def holds(case):
        window = window_of(case)
        return any(
            claim(*axis)
            for axis in zip(sizes(case), window.kernel, window.stride, window.padding, outputs(case), strict=True)
        )

    return holds


def with_attribute(name, claim):
    return lambda case: claim(case.attributes[name])


def channels_last(array):
    return not array.flags.c_contiguous and np.moveaxis(array, 1, -1).flags.c_contiguous


def reach(kernel, stride, pair, windows):
    """Where the last window ends, in the padded input."""
    return (windows - 1) * stride + kernel


EDGES = {
    "one spatial axis": lambda case: len(sizes(case)) == 1,
    "two spatial axes": lambda case: len(sizes(case)) == 2,
    "three spatial axes": lambda case: len(sizes(case)) == 3,
    "an axis of size 1": lambda case: 1 in sizes(case),
    "sizes that differ": lambda case: differs(sizes(case)),
    "output sizes that differ": lambda case: differs(outputs(case)),
    "an empty batch": lambda case: case.inputs[0].shape[0] == 0,
    "a batch of several": lambda case: case.inputs[0].shape[0] > 1,
    "several channels": lambda case: case.inputs[0].shape[1] > 1,
    "integers": lambda case: case.inputs[0].size > 0 and (case.inputs[0] == np.rint(case.inputs[0])).all(),
    "an expanded input": lambda case: len(case.inputs[0]) > 1 and case.inputs[0].strides[0] == 0,
    "a constant grad_output": lambda case: case.grad_output.size > 1 and not any(case.grad_output.strides),
    "a reversed input": lambda case: min(case.inputs[0].strides) < 0,
    "a channels-last input": lambda case: channels_last(case.inputs[0]),
    "a channels-last grad_output": lambda case: channels_last(case.grad_output),
    "layouts that differ": lambda case: case.inputs[0].flags.c_contiguous and channels_last(case.grad_output),
}
AVG_POOL_EDGES = {
    "a stride of its own": with_attribute("stride", lambda stride: isinstance(stride, int)),
    "windows side by side": with_attribute("stride", lambda stride: stride is None),
    "strides that differ": lambda case: differs(window_of(case).stride),
    "kernels that differ": lambda case: differs(window_of(case).kernel),
    "paddings that differ on all sides": lambda case: differs(sum(window_of(case).padding, ())),
    "overlapping windows": any_axis(lambda size, k, s, p, n: s < k and n > 1),
    "input that no window reaches": any_axis(lambda size, k, s, p, n: s > k and n > 1),
    "input beyond the last window": any_axis(lambda size, k, s, p, n: reach(k, s, p, n) < size + p[0]),
    "padding of more than half a window": any_axis(lambda size, k, s, p, n: max(p) > k // 2),
    "a window of nothing but padding": any_axis(lambda size, k, s, p, n: p[0] >= k),
    "padding on one side only": any_axis(lambda size, k, s, p, n: min(p) == 0 < max(p)),
    "a window beyond the padding": any_axis(lambda size, k, s, p, n: reach(k, s, p, n) > size + sum(p) and p[1] > 0),
    "a window larger than the padded input": any_axis(lambda size, k, s, p, n: k > size + sum(p)),
    "a last window that is dropped": lambda case: (
        case.attributes["ceil_mode"]
        and any_axis(lambda size, k, s, p, n: n * s >= size + p[0] and reach(k, s, p, n) < size + sum(p))(case)
    ),
    "padding that doesn't count": lambda case: (
        not case.attributes["count_include_pad"] and any(map(any, window_of(case).padding))
    ),
    "an override": with_attribute("divisor_override", lambda divisor: divisor not in (None, 1, 2, 16)),
}
ADAPTIVE_EDGES = {
    "global": with_attribute("output_size", lambda size: size == 1),
    "global, with several axes": lambda case: set(outputs(case)) == {1} and np.prod(sizes(case)) > max(sizes(case)),
    "sizes that don't divide": lambda case: any(n > m > 1 and n % m for n, m in axes(case)),
    "sizes that divide": lambda case: any(n > m > 1 and not n % m for n, m in axes(case)),
    "larger than the input": lambda case: any(m > n > 1 for n, m in axes(case)),
    "an axis that stays": lambda case: any(m == n > 1 for n, m in axes(case)),
}
UPSAMPLE_EDGES = {
    **{
        f"{mode}{' with aligned corners' * corners} by {how}": lambda case, mode=mode, corners=corners, how=how: (
            (case.attributes["mode"], case.attributes["align_corners"]) == (mode, corners)
            and case.attributes[how] is not None
        )
        for mode, corners in (
            ("nearest", False),
            ("linear", False),
            ("linear", True),
            ("cubic", False),
            ("cubic", True),
        )
        for how in ("size", "scale_factor")
    },
    "a size of 1 from more": lambda case: any(n > m == 1 for n, m in axes(case)),
    "more from a size of 1": lambda case: any(m > n == 1 for n, m in axes(case)),
    "a scale below 1": lambda case: np.min(case.attributes["scale_factor"] or 1) < 1,
    "scales that differ": with_attribute("scale_factor", lambda scale: isinstance(scale, tuple) and differs(scale)),
    "a scale that isn't the ratio of the sizes": lambda case: (
        case.attributes["scale_factor"] is not None
        and any(abs(n * scale - m) > 0.1 for (n, m), scale in zip(axes(case), each(case, "scale_factor"), strict=True))
    ),
}
BLUR_EDGES = {
    "an even window": with_attribute("kernel_size", lambda kernel: isinstance(kernel, int) and kernel % 2 == 0),
    "a window of 1": with_attribute("kernel_size", lambda kernel: 1 in np.atleast_1d(kernel)),
    "the defaults": lambda case: case.spelled_attributes == [],
    "kernels that differ": with_attribute("kernel_size", lambda kernel: isinstance(kernel, tuple) and differs(kernel)),
    "strides that differ": with_attribute("stride", lambda stride: isinstance(stride, tuple) and differs(stride)),
    "reflection as far as it goes": lambda case: any(
        k > 2 and k // 2 == n - 1 for k, n in zip(each(case, "kernel_size"), sizes(case), strict=True)
    ),
}
OWN = {
    "avg_pool": AVG_POOL_EDGES,
    "adaptive_avg_pool": ADAPTIVE_EDGES,
    "upsample": UPSAMPLE_EDGES,
    "blur_pool": BLUR_EDGES,
}


@pytest.mark.parametrize(
    ("operator", "edge"), [(operator, edge) for operator in OPERATORS for edge in (*EDGES, *OWN[operator])]
)
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    holds = {**EDGES, **OWN[operator]}[edge]
    assert any(holds(case) for case in drawn(operator))


@pytest.fixture(scope="module")
def many(collect):
    """So many that what 2 of 1,000 show is among them, whatever constants Hypothesis finds in what is loaded."""
    return collect(cases("upsample"), 10_000)


IN_FLOAT32 = [
    known for known in DEVIATIONS if not known.reason.endswith("in float64: near an input it is taken for that")
]


@pytest.mark.parametrize("known", IN_FLOAT32, ids=lambda known: f"{known.direction} {known.reason}")
def test_cases_reach_what_is_known_of_pytorch(known, many):
    assert any(map(known.matches, many))


@pytest.mark.parametrize("operator", OPERATORS)
def test_cases_shrink_to_one_of_everything(operator, smallest):
    case = smallest(cases(operator))
    assert case.inputs[0].shape == case.grad_output.shape == (1, 1, 1)
    required = {"avg_pool": {"kernel_size=1"}, "adaptive_avg_pool": {"output_size=1"}, "upsample": {"size=1"}}
    assert set(case.spelled_attributes) <= required.get(operator, {"kernel_size=1", "stride=1"})
    assert all(abs(array) <= 4 for array in (case.inputs[0], case.grad_output))


def test_scales_leave_no_nearest_index_to_rounding(collect):
    for case in collect(cases("upsample"), 500):
        if case.attributes["scale_factor"] is None:
            continue
        for scale, count in zip(each(case, "scale_factor"), outputs(case), strict=True):
            o, single = np.arange(count), np.arange(count, dtype=np.float32)
            found = [o / scale, o * (1 / scale), single / np.float32(scale), single * np.float32(1 / scale)]
            assert len({tuple(np.floor(position).tolist()) for position in found}) == 1, scale
