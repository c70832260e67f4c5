import warnings

import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, mse_loss, mse_loss_backward


def test_the_mean_is_over_all_elements_and_not_halved():
    input, target = np.array([[3.0, 1.0], [0.0, 5.0]]), np.array([[1.0, 1.0], [3.0, 6.0]])
    assert mse_loss(input, target) == (4 + 0 + 9 + 1) / 4
    assert mse_loss_backward(np.array(6.0), input, target).input.tolist() == [[6, 0], [-9, -3]]


def test_the_target_has_no_gradient():
    assert mse_loss_backward(np.array(1.0), np.zeros(1), np.ones(1))._fields == ("input",)


def test_the_square_of_a_complex_number_isnt_that_of_its_magnitude():
    assert mse_loss(np.array([2j]), np.array([0j])) == -4


def test_the_loss_is_an_array_without_axes():
    output = mse_loss(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32))
    assert (type(output), output.shape, output.dtype) == (np.ndarray, (), np.float32)


@pytest.mark.parametrize("shape", [(0,), (0, 2, 3)])
def test_an_empty_batch_has_no_mean_and_an_empty_gradient(shape):
    empty = np.zeros(shape)
    with warnings.catch_warnings(action="error"):
        assert np.isnan(mse_loss(empty, empty))
        assert mse_loss_backward(np.array(1.0), empty, empty).input.shape == shape


def test_what_is_not_finite_doesnt_warn():
    with warnings.catch_warnings(action="error"):
        assert np.isnan(mse_loss(np.array([np.inf, 1.0]), np.array([np.inf, 1.0])))
        assert mse_loss(np.array([-np.inf, 1.0]), np.array([0.0, 1.0])) == np.inf
        assert mse_loss(np.array([1e30], np.float32), np.array([0], np.float32)) == np.inf
        assert mse_loss_backward(np.array(1.0), np.array([-np.inf]), np.array([0.0])).input == -np.inf


@pytest.mark.parametrize("shape", [(1, 2), (2,), (2, 2, 1)])
def test_nothing_is_broadcast(shape):
    with pytest.raises(InvalidValueError) as caught:
        mse_loss(np.zeros((2, 2)), np.zeros(shape))
    assert str(caught.value) == f"target must have shape (2, 2), got {shape}"


def test_dtypes_arent_mixed():
    with pytest.raises(InvalidTypeError, match=r"^target must have the dtype of input, float64, got float32$"):
        mse_loss(np.zeros(1), np.zeros(1, np.float32))
    with pytest.raises(InvalidTypeError, match=r"^target must have dtype float32, float64 or complex128, got int64$"):
        mse_loss(np.zeros(1), np.zeros(1, np.int64))


def test_the_gradient_that_comes_in_is_one_number():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(\), got \(2,\)$"):
        mse_loss_backward(np.ones(2), np.zeros(2), np.zeros(2))
