"""What a plan takes: threads, and memory."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from refconv import plans, tiles
from refconv.geometry import output_size, read_window

SIZES = st.tuples(*[st.sampled_from([7, 14, 28, 56])] * 2)


@example(  # nine times, where groups are taken in bunches whatever they lay out
    batch=1,
    groups=64,
    channels=(3, 1),
    size=(7, 7),
    kernel=7,
    same=True,
    stride=1,
    dilation=20,
    itemsize=4,
    threads=1,
)
@given(
    batch=st.sampled_from([1, 8]),
    groups=st.sampled_from([1, 64, 1024]),
    channels=st.tuples(*[st.sampled_from([1, 3, 16, 512])] * 2),
    size=SIZES,
    kernel=st.integers(1, 7),
    same=st.booleans(),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 20),
    itemsize=st.sampled_from([4, 8]),
    threads=st.sampled_from([1, 2, 64]),
)
def test_what_all_threads_lay_out_stays_under_three_times_both_arrays(
    batch, groups, channels, size, kernel, same, stride, dilation, itemsize, threads
):
    padding = dilation * (kernel // 2) if same else 0
    window = read_window((kernel,) * 2, stride=stride, padding=padding, dilation=dilation)
    size = tuple(max(length, extent - 2 * padding) for length, extent in zip(size, window.extent, strict=True))
    output = output_size(size, window)
    ins, outs = channels
    signal, grad = (batch, groups * ins, *size), (batch, groups * outs, *output)
    weight = (groups * outs, ins, kernel, kernel)
    found = [
        plans.correlation(signal, weight, window, groups, output, itemsize, threads),
        *plans.transposed(grad, weight, window, groups, size, itemsize, threads).sweeps,
        plans.products(grad, signal, window, groups, itemsize, threads),
    ]
    for plan in found:
        laid_out = max(1, min(threads, plan.load.workers)) * (plan.cut.room - 2 * tiles.BYTES // itemsize)
        assert laid_out <= 3 * (math.prod(signal) + math.prod(grad)) or math.prod(plan.layout.box) == 1


def test_a_large_layer_lays_out_little_more_than_a_box():
    window = read_window((3, 3), stride=1, padding=1, dilation=1)
    shape, weight = (8, 64, 224, 224), (64, 64, 3, 3)
    plan = plans.correlation(shape, weight, window, 1, (224, 224), 8, 2)
    assert plan.cut.room * 8 < 2**20
    assert plan.layout.starts.size * tiles.BYTES // 8 >= math.prod(plan.layout.box)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_every_thread_has_some_of_the_outputs_of_a_single_box(threads):
    window = read_window((3, 3), stride=1, padding=1, dilation=1)
    plan = plans.correlation((1, 512, 7, 7), (512, 512, 3, 3), window, 1, (7, 7), 8, threads)
    assert plan.load.units >= threads
