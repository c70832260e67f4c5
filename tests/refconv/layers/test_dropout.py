import warnings

import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, dropout, dropout_backward


def test_what_is_kept_is_scaled_up():
    input, mask = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 0.0, 1.0]])
    assert dropout(input, mask, p=0.75).tolist() == [[4, 0, 12]]  # p is what is dropped
    assert dropout_backward(np.array([[10.0, 20.0, 30.0]]), input, mask, p=0.75).input.tolist() == [[40, 0, 120]]


def test_the_mean_is_kept_by_as_many_as_p_says():
    input, mask = np.ones((1, 10)), np.ones((1, 10))
    mask[0, :3] = 0
    assert dropout(input, mask, p=0.3).mean() == pytest.approx(1, rel=1e-15)


def test_without_dropping_nothing_changes():
    input = np.array([0.1, -3.0])
    assert dropout(input, np.ones(2), p=0).tolist() == input.tolist()


def test_the_mask_says_what_is_dropped_whatever_p_is():
    assert dropout(np.array([1.0, 2.0]), np.array([0.0, 1.0]), p=0.0).tolist() == [0, 2]


def test_what_isnt_finite_and_is_dropped_becomes_nan():
    with warnings.catch_warnings(action="error"):
        output = dropout(np.array([np.inf, np.nan, np.inf]), np.array([0.0, 0.0, 1.0]), p=0.5)
        grads = dropout_backward(np.array([np.inf]), np.ones(1), np.zeros(1), p=0.5)
    np.testing.assert_array_equal(output, [np.nan, np.nan, np.inf])
    assert np.isnan(grads.input).all()


def test_the_mask_has_no_gradient():
    assert dropout_backward(np.ones(1), np.ones(1), np.ones(1), p=0.5)._fields == ("input",)


@pytest.mark.parametrize("shape", [(0,), (0, 3, 2)])
def test_an_empty_batch_stays_empty(shape):
    empty = np.zeros(shape, np.float32)
    assert dropout(empty, empty, p=0.5).shape == dropout_backward(empty, empty, empty, p=0.5).input.shape == shape


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        (1, InvalidValueError, "p must be smaller than 1, got 1"),
        (1.0, InvalidValueError, "p must be smaller than 1, got 1.0"),
        (-0.1, InvalidValueError, "p must be between 0 and 1, got -0.1"),
        (1.5, InvalidValueError, "p must be between 0 and 1, got 1.5"),
        (float("nan"), InvalidValueError, "p must be between 0 and 1, got nan"),
        (None, InvalidTypeError, "p must be a real number, got None"),
    ],
)
def test_a_p_that_leaves_nothing_to_scale_or_is_no_probability_is_refused(p, error, message):
    with pytest.raises(error) as caught:
        dropout(np.ones(1), np.ones(1), p=p)
    assert str(caught.value) == message


@pytest.mark.parametrize(("value", "shown"), [(0.5, "0.5"), (2.0, "2.0"), (-1.0, "-1.0"), (np.nan, "nan")])
def test_a_mask_of_anything_but_0_and_1_is_refused(value, shown):
    with pytest.raises(InvalidValueError) as caught:
        dropout(np.ones(3), np.array([0.0, value, 1.0]), p=0.5)
    assert str(caught.value) == f"mask must be 0 or 1 everywhere, got {shown}"


def test_a_mask_of_another_shape_or_dtype_is_refused():
    with pytest.raises(InvalidValueError, match=r"^mask must have shape \(2, 3\), got \(3,\)$"):
        dropout(np.ones((2, 3)), np.ones(3), p=0.5)
    with pytest.raises(InvalidTypeError, match=r"^mask must have dtype float32, float64 or complex128, got bool$"):
        dropout(np.ones(3), np.ones(3, bool), p=0.5)
