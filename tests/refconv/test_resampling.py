import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import content
from refconv import resampling
from refconv.resampling import Ranges, resample, taps, transposed


def matrix(map_):
    """The map's weights, read off what it makes of each unit vector."""
    return resample(np.eye(map_.inputs)[None], [map_])[0].T


@st.composite
def ranges(draw):
    """Ranges that don't fall, some of them empty."""
    inputs = draw(st.integers(1, 6))
    ends = sorted(draw(st.lists(st.tuples(st.integers(0, inputs), st.integers(0, inputs)), min_size=1, max_size=7)))
    begin = np.array([min(end) for end in ends])
    end = np.maximum.accumulate([max(end) for end in ends])
    return Ranges(inputs, np.minimum.accumulate(begin[::-1])[::-1], end)


@st.composite
def some_taps(draw):
    inputs, outputs, count = draw(st.integers(1, 6)), draw(st.integers(1, 7)), draw(st.integers(1, 3))
    source = draw(st.lists(st.integers(0, inputs - 1), min_size=outputs * count, max_size=outputs * count))
    weight = np.arange(1.0, outputs * count + 1)
    return taps(inputs, np.array(source).reshape(outputs, count), weight.reshape(outputs, count))


MAPS = st.one_of(ranges(), some_taps())


@given(ranges())
def test_ranges_sum_what_they_hold(map_):
    i = np.arange(map_.inputs)
    assert (matrix(map_) == ((map_.begin[:, None] <= i) & (i < map_.end[:, None]))).all()


def test_taps_are_weighted_and_may_meet():
    map_ = taps(3, np.array([[0, 2], [1, 1]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert matrix(map_).tolist() == [[1, 0, 2], [0, 7, 0]]


@given(MAPS)
def test_the_transposed_map_has_the_transposed_weights(map_):
    (turned,) = transposed([map_])
    assert (matrix(turned) == matrix(map_).T).all()


@given(st.lists(MAPS, min_size=1, max_size=3), st.integers(0, 3), st.integers(1, 3))
def test_axes_are_mapped_one_after_the_other(maps, batch, channels):
    signal = content("integer", (batch, channels, *(map_.inputs for map_ in maps)), "float64", 0)
    expected = signal
    for axis, map_ in enumerate(maps, start=2):
        expected = np.moveaxis(np.tensordot(matrix(map_), expected, (1, axis)), 0, axis)
    output = resample(signal, maps)
    assert output.shape == expected.shape
    assert (output == expected).all()


@given(st.lists(MAPS, min_size=1, max_size=3), st.integers(1, 5))
def test_blocks_change_nothing(maps, block):
    signal = content("normal", (3, 2, *(map_.inputs for map_ in maps)), "float64", 0)
    whole = resample(signal, maps)
    before, resampling._BLOCK = resampling._BLOCK, block
    try:
        assert resample(signal, maps).tobytes() == whole.tobytes()
    finally:
        resampling._BLOCK = before


@given(st.lists(MAPS, min_size=1, max_size=3))
def test_what_is_divided_has_the_spatial_shape(maps):
    sizes, outputs = [tuple(getattr(map_, name) for map_ in maps) for name in ("inputs", "outputs")]
    signal = content("integer", (2, 3, *sizes), "float64", 0)
    first, last = [2.0 ** np.arange(np.prod(shape) % 1000).reshape(shape) for shape in (sizes, outputs)]
    assert (resample(signal, maps, divide_first=first) == resample(signal / first, maps)).all()
    assert (resample(signal, maps, divide_last=last) == resample(signal, maps) / last).all()
    assert (resample(signal, maps, divide_last=np.array(4.0)) == resample(signal, maps) / 4).all()


def largest_intermediate(monkeypatch, signal, maps):
    sizes = []
    along = resampling._along

    def noted(axis, output, input, tables):
        sizes.append(output.size)
        along(axis, output, input, tables)

    monkeypatch.setattr(resampling, "_along", noted)
    resample(signal, maps)
    return max(sizes)


def test_no_intermediate_is_larger_than_both_ends(monkeypatch):
    grow = Ranges(1, np.zeros(100, int), np.ones(100, int))
    shrink = Ranges(100, np.array([0]), np.array([100]))
    assert largest_intermediate(monkeypatch, np.zeros((1, 1, 1, 100)), [grow, shrink]) == 100
    assert largest_intermediate(monkeypatch, np.zeros((1, 1, 100, 1)), [shrink, grow]) == 100


def test_nothing_of_the_result_is_the_signal():
    signal = np.ones((1, 1, 2))
    assert not np.shares_memory(resample(signal, [Ranges(2, np.array([0, 1]), np.array([1, 2]))]), signal)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_results_have_the_dtype_of_the_signal(dtype):
    map_ = taps(2, np.array([[0, 1]]), np.array([[0.1, 0.2]]))
    output = resample(np.ones((1, 1, 2), dtype), [map_], divide_first=np.array(3.0), divide_last=np.array(7.0))
    assert output.dtype == dtype


def test_overflow_says_nothing():
    assert resample(np.full((1, 1, 2), 1e308), [Ranges(2, np.array([0]), np.array([2]))]).tolist() == [[[np.inf]]]
    divided = resample(np.full((1, 1, 1), 1e308), [Ranges(1, np.array([0]), np.array([1]))], divide_last=np.array(1e-9))
    assert divided.tolist() == [[[np.inf]]]
