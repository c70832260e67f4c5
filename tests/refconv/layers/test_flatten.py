import numpy as np
import pytest

from refconv import InvalidValueError, flatten, flatten_backward


def test_all_axes_but_the_batch_become_one_in_row_major_order():
    input = np.arange(24.0).reshape(2, 3, 4)
    assert flatten(input).tolist() == [list(range(12)), list(range(12, 24))]


def test_the_memory_layout_doesnt_change_the_order():
    input = np.arange(24.0).reshape(2, 3, 4)
    channels_last = np.moveaxis(np.moveaxis(input, 1, -1).copy(), -1, 1)
    assert (flatten(channels_last) == flatten(input)).all()
    assert (flatten(np.asfortranarray(input)) == flatten(input)).all()


def test_the_gradient_gets_the_shape_of_the_input():
    grads = flatten_backward(np.arange(12.0).reshape(2, 6), np.zeros((2, 3, 2)))
    assert grads.input.tolist() == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]


@pytest.mark.parametrize(
    ("shape", "flat"),
    [((3,), (3, 1)), ((0,), (0, 1)), ((0, 2, 5), (0, 10)), ((2, 1), (2, 1)), ((1, 2, 3, 4, 5), (1, 120))],
)
def test_the_shape(shape, flat):
    input = np.zeros(shape, np.float32)
    assert (flatten(input).shape, flatten(input).dtype) == (flat, np.float32)
    assert flatten_backward(np.zeros(flat, np.float32), input).input.shape == shape


def test_results_are_no_views():
    input, grad_output = np.ones((2, 3)), np.ones((2, 3))
    assert not np.shares_memory(flatten(input), input)
    assert not np.shares_memory(flatten_backward(grad_output, input).input, grad_output)


def test_a_number_has_no_batch():
    with pytest.raises(InvalidValueError, match=r"^input must have at least 1 axis, got shape \(\)$"):
        flatten(np.array(1.0))


def test_a_gradient_that_isnt_flat_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2, 6\), got \(2, 3, 2\)$"):
        flatten_backward(np.zeros((2, 3, 2)), np.zeros((2, 3, 2)))
