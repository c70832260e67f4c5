import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from refconv import InvalidValueError
from refconv.geometry import read_window
from refconv.padding import check_mode, extend, fold, sources

NUMPY_NAMES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@st.composite
def padded_axes(draw):
    mode = draw(st.sampled_from(list(NUMPY_NAMES)))
    size = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    most = [{"reflect": length - 1, "replicate": 9, "circular": length}[mode] for length in size]
    pairs = tuple((draw(st.integers(0, limit)), draw(st.integers(0, limit))) for limit in most)
    return mode, size, read_window((1,) * len(size), stride=1, padding=pairs, dilation=1)


@given(padded_axes(), st.integers(0, 2**32 - 1))
def test_extending_is_numpys_pad(axes, seed):
    mode, size, window = axes
    signal = np.random.default_rng(seed).standard_normal((2, 3, *size))
    check_mode(mode, signal, window)
    expected = np.pad(signal, [(0, 0), (0, 0), *window.padding], NUMPY_NAMES[mode])
    assert (extend(signal, window, mode) == expected).all()


@given(padded_axes(), st.integers(0, 2**32 - 1))
def test_folding_is_the_transpose_of_extending(axes, seed):
    mode, size, window = axes
    rng = np.random.default_rng(seed)
    signal = rng.integers(-4, 5, (2, 3, *size)).astype(float)
    extended = extend(signal, window, mode)
    grad = rng.integers(-4, 5, extended.shape).astype(float)
    assert (extended * grad).sum() == (signal * fold(grad, size, window, mode)).sum()


def test_sources_by_hand():
    assert sources(3, 2, 2, "reflect").tolist() == [2, 1, 0, 1, 2, 1, 0]
    assert sources(3, 2, 1, "replicate").tolist() == [0, 0, 0, 1, 2, 2]
    assert sources(3, 3, 2, "circular").tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("mode", "before", "message"),
    [
        (
            "reflect",
            3,
            r"^padding must be smaller than the input's size \(4, 3\) where padding_mode is 'reflect', got ",
        ),
        ("circular", 4, r"^padding must be at most the input's size \(4, 3\) where padding_mode is 'circular', got "),
    ],
)
def test_a_mode_that_runs_out_of_values_is_refused(mode, before, message):
    fits = read_window((1, 1), stride=1, padding=((0, 0), (before - 1, 0)), dilation=1)
    signal = np.zeros((1, 1, 4, 3))
    check_mode(mode, signal, fits)
    with pytest.raises(InvalidValueError, match=message):
        check_mode(mode, signal, fits._replace(padding=((0, 0), (before, 0))))
