import numpy as np
import pytest

from properties import CONTENTS, LAYOUTS, content, lay_out
from properties.arrays import DTYPES, bits, near

VALUES = np.arange(120.0, dtype=np.float32).reshape(2, 3, 4, 5)


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_content_is_of_mixed_sign_and_the_same_for_the_same_seed(kind, dtype):
    array = content(kind, (4, 50), dtype, 3)
    assert array.dtype == dtype
    assert (array > 0).any()
    assert (array < 0).any()
    assert (array == content(kind, (4, 50), dtype, 3)).all()
    assert (array != content(kind, (4, 50), dtype, 4)).any()


def test_integers_are_small_and_never_zero():
    array = content("integer", (1000,), "float32", 0)
    assert sorted(set(array.tolist())) == [-4, -3, -2, -1, 1, 2, 3, 4]


def test_wide_content_spans_magnitudes():
    magnitudes = np.abs(content("wide", (1000,), "float32", 0))
    assert magnitudes.min() < 2.0**-15 < 2.0**15 < magnitudes.max()


@pytest.mark.parametrize("kind", CONTENTS)
def test_products_of_float16_stay_in_its_range(kind):
    x, y = (content(kind, (5000,), "float16", seed).astype(float) for seed in (0, 1))
    assert (abs(x * y) < 65504).all()
    assert (abs(x * y) < 2.0**-14).mean() < 0.1


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_cancelled_leaves_some_bits(dtype):
    noise = abs(content("cancelling", (1000,), dtype, 0).astype(float))
    assert len(set(noise.tolist())) > 15
    assert np.median(noise) >= 8


@pytest.mark.parametrize(("dtype", "expected"), [("float32", 24), ("float64", 53), ("float16", 11), ("bfloat16", 8)])
def test_the_bits_of_a_dtype(dtype, expected):
    assert bits(dtype) == expected


def test_an_offset_leaves_room_for_what_is_added_to_it():
    assert [near(-1e4, dtype) for dtype in ("float32", "float64", "float16", "bfloat16")] == [-1e4, -1e4, -64, -16]
    assert near(3.0, "bfloat16") == 3.0


def test_cancelling_content_has_sums_far_below_its_terms():
    totals = np.abs(content("cancelling", (1000, 2), "float64", 0).sum(axis=1))
    assert np.median(totals) < 1024
    assert (totals < 5).mean() > 0.3


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ndim", [3, 4, 5])
def test_a_layout_keeps_the_values(layout, ndim):
    array = VALUES.reshape(2, 3, *(4, 5, 1)[: ndim - 3], -1)
    kept = {"expanded": array[:1], "constant": array.ravel()[0]}.get(layout, array)
    laid_out = lay_out(array, layout)
    assert (laid_out == kept).all()
    assert (laid_out.shape, laid_out.dtype) == (array.shape, array.dtype)
    assert laid_out.flags.writeable


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_empty_can_be_laid_out(layout):
    assert lay_out(VALUES[:0], layout).shape == (0, 3, 4, 5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_short_formats_are_laid_out_alike(layout):
    for dtype in ("float16", "bfloat16"):
        array = content("normal", (2, 3, 4, 5), dtype, 0)
        laid_out, bits_alone = lay_out(array, layout), lay_out(array.view(np.int16), layout)
        assert laid_out.dtype == dtype
        assert laid_out.strides == bits_alone.strides
        assert (laid_out.view(np.int16) == bits_alone).all()


def test_layouts_are_what_they_are_called():
    assert lay_out(VALUES, "contiguous").flags.c_contiguous
    assert lay_out(VALUES, "channels_last").transpose(0, 2, 3, 1).flags.c_contiguous
    assert lay_out(VALUES, "transposed").flags.f_contiguous
    assert lay_out(VALUES, "reversed").strides[-1] == -4
    assert lay_out(VALUES, "expanded").strides == (0, 80, 20, 4)
    assert lay_out(VALUES, "constant").strides == (0, 0, 0, 0)
    assert lay_out(VALUES, "sliced").strides == (4 * 5 * 5 * 4, 80, 20, 4)


def test_what_lies_around_a_slice_is_nan():
    room = lay_out(VALUES, "sliced").base
    assert np.isnan(room[:, [0, -1]]).all()
