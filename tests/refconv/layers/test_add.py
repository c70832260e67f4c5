import warnings

import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, add, add_backward


def test_a_sum_by_hand():
    assert add(np.array([[1.0, 2.0]]), np.array([[10.0, -2.0]])).tolist() == [[11, 0]]


def test_both_inputs_get_the_gradient_each_its_own():
    grad_output = np.array([[3.0, 4.0]])
    grads = add_backward(grad_output, np.zeros((1, 2)), np.ones((1, 2)))
    assert grads.input.tolist() == grads.other.tolist() == [[3, 4]]
    assert not np.shares_memory(grads.input, grads.other)
    assert not np.shares_memory(grads.input, grad_output)


def test_an_array_can_be_added_to_itself():
    array = np.array([1.0, 2.0])
    assert add(array, array).tolist() == [2, 4]
    assert array.tolist() == [1, 2]


def test_what_overflows_or_isnt_finite_doesnt_warn():
    big = np.finfo(np.float32).max
    with warnings.catch_warnings(action="error"):
        output = add(np.array([big, np.inf, np.nan], np.float32), np.array([big, -np.inf, 0], np.float32))
    np.testing.assert_array_equal(output, [np.inf, np.nan, np.nan])


def test_an_empty_batch_stays_empty():
    empty = np.zeros((0, 2))
    assert add(empty, empty).shape == add_backward(empty, empty, empty).other.shape == (0, 2)


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (3,), (2, 3, 1)])
def test_nothing_is_broadcast(shape):
    with pytest.raises(InvalidValueError) as caught:
        add(np.zeros((2, 3)), np.zeros(shape))
    assert str(caught.value) == f"other must have shape (2, 3), got {shape}"


def test_dtypes_arent_mixed():
    with pytest.raises(InvalidTypeError, match=r"^other must have the dtype of input, float64, got float32$"):
        add(np.zeros(1), np.zeros(1, np.float32))
