"""The fast path equals the definition, however the work is cut."""

from contextlib import contextmanager

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numba import config, njit

from properties import content
from refconv import ARITHMETICS, conv, conv_backward, correlation, flat, plans, using
from refconv.geometry import output_size, read_window
from refconv.layers.conv import conv_backward_bound, conv_bound
from refconv.layout import forward, lay_out

DTYPES = st.sampled_from(["float32", "float64"])
LARGE = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="as plain Python, what is drawn takes too long")


@st.composite
def correlations(draw, sizes=(1, 9), strides=(1, 4), dilations=(1, 4)):
    """Shapes of a signal, a weight and a gradient, and the window; channels on both sides of a tile's rows."""
    rank = draw(st.integers(1, 3))

    def axes(entries):
        return tuple(draw(entries) for _ in range(rank))

    sizes = st.integers(*sizes)
    kernel, stride, dilation = (axes(st.integers(*limits)) for limits in ((1, 4), strides, dilations))
    padding = axes(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    window = read_window(kernel, stride=stride, padding=padding, dilation=dilation)
    size = tuple(
        max(draw(sizes), extent - before - after, 1)
        for extent, (before, after) in zip(window.extent, window.padding, strict=True)
    )
    groups = draw(st.sampled_from([1, 2, 3, 4 * config.NUMBA_NUM_THREADS * 2 + 1]))  # the last is cut into bunches
    most_ins, most_outs = (6, 18) if groups < 4 else (2, 5)
    ins, outs = draw(st.integers(1, most_ins)), draw(st.integers(1, most_outs))
    batch = draw(st.integers(1, 3))
    output = output_size(size, window)
    shapes = (batch, groups * ins, *size), (groups * outs, ins, *kernel), (batch, groups * outs, *output)
    return shapes, window, groups


def both(drawn, dtype, kind="integer"):
    """Pairs of what the definition and the fast path give, in each of the three uses."""
    shapes, window, groups = drawn
    signal, weight, grad = (content(kind, shape, dtype, index) for index, shape in enumerate(shapes))
    calls = {
        "correlate": (signal, weight, window, groups, grad.shape[2:]),
        "correlate_transposed": (grad, weight, window, groups, signal.shape[2:]),
        "correlate_signals": (grad, signal, window, groups),
    }
    return [(getattr(correlation, name)(*call), *getattr(flat, name)(*call)) for name, call in calls.items()]


@given(correlations(), DTYPES)
def test_it_equals_the_definition_on_integers(drawn, dtype):
    for expected, found, finite in both(drawn, dtype):
        assert finite
        assert found.dtype == dtype
        assert (found == expected).all()


@contextmanager
def planned(**constants):
    """Plan with other constants; what is remembered of plans is neither used nor changed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("correlation", "transposed", "products"):
            patch.setattr(plans, name, getattr(plans, name).__wrapped__)
        for name, value in constants.items():
            patch.setattr(plans, name, value)
        yield


@pytest.mark.parametrize(
    ("name", "value"),
    [("SLOTS", 5), ("SLOTS", 40), ("MANY_SLOTS", 7), ("TOGETHER", 1), ("TOGETHER", 20), ("SUMS", 64)],
)
@given(drawn=correlations(), dtype=DTYPES)
def test_it_does_however_the_work_is_cut(name, value, drawn, dtype):
    with planned(**{name: value}):
        cut = both(drawn, dtype, "normal")
    for (_, one, _), (_, other, _) in zip(cut, both(drawn, dtype, "normal"), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("name", "value"), [("GRADIENTS", 3), ("OUTPUTS", 8), ("LAID_OUT", 30), ("ROW_BYTES", 64), ("BUNCH", 20)]
)
@given(drawn=correlations(), dtype=DTYPES)
def test_what_is_held_at_once_is_bounded_and_changes_no_integer(name, value, drawn, dtype):
    with planned(**{name: value}):
        for expected, found, _ in both(drawn, dtype):
            assert (found == expected).all()


@LARGE
@given(correlations(dilations=(5, 40)), DTYPES)
def test_what_lies_between_far_taps_is_not_laid_out(drawn, dtype):
    for expected, found, _ in both(drawn, dtype):
        assert (found == expected).all()


@LARGE
@given(correlations(sizes=(9, 40), strides=(1, 2)), DTYPES)
def test_larger_signals_take_more_than_a_box(drawn, dtype):
    with planned(SLOTS=24, MANY_SLOTS=24):
        for expected, found, _ in both(drawn, dtype):
            assert (found == expected).all()


@pytest.mark.parametrize("threads", [2, 3])
@given(drawn=correlations(), dtype=DTYPES)
def test_the_number_of_threads_changes_no_bit(threads, drawn, dtype):
    found = []
    for number in (1, threads):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(config, "NUMBA_NUM_THREADS", number)
            patch.setattr("refconv.threads.ENOUGH", 1)
            patch.setattr("refconv.threads._pools", [])
            found.append([result.tobytes() for _, result, _ in both(drawn, dtype, "normal")])
    assert found[0] == found[1]


@given(correlations(), DTYPES)
def test_it_lies_within_the_bound(drawn, dtype):
    shapes, window, groups = drawn
    signal, weight, grad = (content("normal", shape, dtype, index) for index, shape in enumerate(shapes))
    attributes = {name: getattr(window, name) for name in ("stride", "padding", "dilation")} | {"groups": groups}
    doubles = [array.astype("float64") for array in (signal, weight)]
    with using("definition"):
        exact = conv(*doubles, **attributes)
        grads = conv_backward(grad.astype("float64"), *doubles, **attributes)
        bounds = [
            conv_bound(ARITHMETICS[dtype], exact, *doubles, **attributes),
            *conv_backward_bound(ARITHMETICS[dtype], grads, grad.astype("float64"), *doubles, **attributes)[:2],
        ]
    with using("fast"):
        computed = [conv(signal, weight, **attributes), *conv_backward(grad, signal, weight, **attributes)[:2]]
    for value, expected, bound in zip(computed, (exact, *grads[:2]), bounds, strict=True):
        assert (abs(value - expected) <= bound.limit).all()


@given(correlations(), DTYPES, st.sampled_from([np.inf, -np.inf, np.nan]), st.integers(0, 2), st.integers(0, 2**16))
def test_what_is_not_finite_is_told(drawn, dtype, value, which, place):
    shapes, window, groups = drawn
    arrays = [content("integer", shape, dtype, index) for index, shape in enumerate(shapes)]
    arrays[which].flat[place % arrays[which].size] = value
    attributes = {name: getattr(window, name) for name in ("stride", "padding", "dilation")} | {"groups": groups}
    results = []
    for path in ("definition", "fast"):
        with using(path):
            results.append([conv(*arrays[:2], **attributes), *conv_backward(arrays[2], *arrays[:2], **attributes)[:2]])
    for expected, found in zip(*results, strict=True):
        assert np.array_equal(expected, found, equal_nan=True)


@njit
def pack(packed, signal, shape, layout):
    flat._pack(packed, signal, shape, 0, 1, (0, 0, 0, 0), layout)


def test_the_example_of_the_docstring():
    axes = forward((1, 2, 2), read_window((1, 2, 2), stride=1, padding=0, dilation=1))
    layout = lay_out((1, 1, 2, 2), tuple(axes), slots=512, columns=1, channels=1, width=8, most=100)
    assert layout.bases.tolist() == [0, 1, 3, 4]
    packed = np.zeros(layout.size + 16)
    pack(packed, np.arange(1.0, 10.0), (1, 1, 1, 3, 3), layout)
    assert packed[:9].tolist() == [*range(1, 10)]


def test_the_example_of_a_stride():
    axes = forward((2,), read_window((2,), stride=2, padding=1, dilation=1))
    layout = lay_out((1, 1, 1, 3), tuple(axes), slots=512, columns=1, channels=1, width=8, most=100)
    packed = np.zeros(layout.size + 16)
    pack(packed, np.arange(1.0, 5.0), (1, 1, 1, 1, 4), layout)
    assert (layout.bases.tolist(), packed[:6].tolist()) == ([0, 3], [0, 2, 4, 1, 3, 0])
