"""The pieces under the cases, as strangers draw them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.pieces import arrays, geometries, windows
from refconv.geometry import Window, output_size


@given(arrays((2, 3, 4), dtype="float16"))
def test_arrays_have_the_shape_and_dtype(array):
    assert (array.shape, array.dtype) == ((2, 3, 4), np.float16)


@given(arrays(st.tuples(st.integers(0, 3), st.integers(1, 4)), contents=["integer"], layouts=["contiguous"]))
def test_arrays_of_drawn_shapes(array):
    assert array.flags.c_contiguous
    assert (array == np.rint(array)).all()


def test_arrays_shrink_to_contiguous_small_integers(smallest):
    array = smallest(arrays((1, 2, 3)))
    assert array.flags.c_contiguous
    assert abs(array).max() <= 4


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_windows_of_a_rank_vary_by_axis_and_side(rank, collect, smallest):
    drawn = collect(windows(rank=rank), 300)
    assert {len(window.kernel) for window in drawn} == {rank}
    assert any(before != after for window in drawn for before, after in window.padding)
    if rank > 1:
        for name in ("kernel", "stride", "dilation"):
            assert any(len(set(getattr(window, name))) > 1 for window in drawn)
    assert smallest(windows(rank=rank)) == Window((1,) * rank, (1,) * rank, ((0, 0),) * rank, (1,) * rank)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_geometries_fit_and_have_what_no_window_reaches(rank, collect, smallest):
    drawn = collect(geometries(rank=rank), 300)
    counts = [output_size(size, window) for size, window in drawn]
    assert {len(count) for count in counts} == {rank}
    assert max(max(count) for count in counts) >= 5
    beyond = [
        (length + sum(pair) - extent) % stride
        for size, window in drawn
        for length, pair, extent, stride in zip(size, window.padding, window.extent, window.stride, strict=True)
    ]
    assert {0, 1, 2} <= set(beyond)
    size, window = smallest(geometries(rank=rank))
    assert (size, window.kernel) == ((1,) * rank, (1,) * rank)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: arrays((1,), dtype="int8"), r"^dtype must be of float32, .*, got \['int8'\]$"),
        (lambda: arrays((1,), contents=["random"]), r"^contents must be of integer, .*, got \['random'\]$"),
        (lambda: arrays((1,), layouts=[]), r"^layouts must be of contiguous, .*, got none$"),
        (lambda: windows(rank=4), r"^rank must be one of 1, 2, 3, got 4$"),
        (lambda: windows(max_stride=0), r"^max_stride must be an int of at least 1, got 0$"),
        (lambda: windows(max_padding=-1), r"^max_padding must be an int of at least 0, got -1$"),
        (lambda: geometries(max_windows=0), r"^max_windows must be an int of at least 1, got 0$"),
    ],
)
def test_bad_input_is_refused(draw, said):
    with pytest.raises(ValueError, match=said):
        draw()
