import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, concat, concat_backward

INPUT = np.array([[[1.0, 2.0]]])
OTHER = np.array([[[3.0, 4.0], [5.0, 6.0]]])


def test_channels_come_one_after_the_other():
    assert concat(INPUT, OTHER).tolist() == [[[1, 2], [3, 4], [5, 6]]]
    grads = concat_backward(np.arange(6.0).reshape(1, 3, 2), INPUT, OTHER)
    assert grads.input.tolist() == [[[0, 1]]]
    assert grads.other.tolist() == [[[2, 3], [4, 5]]]


@pytest.mark.parametrize(
    ("axis", "expected"),
    [(0, [[1, 2], [3, 4]]), (1, [[1, 2, 3, 4]]), (-1, [[1, 2, 3, 4]]), (-2, [[1, 2], [3, 4]])],
)
def test_along_any_axis_counted_from_either_end(axis, expected):
    input, other = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    assert concat(input, other, axis=axis).tolist() == expected
    grads = concat_backward(np.array(expected, float), input, other, axis=axis)
    assert grads.input.tolist() == [[1, 2]]
    assert grads.other.tolist() == [[3, 4]]


def test_an_empty_batch_stays_empty_or_is_joined_by_another():
    empty, some = np.zeros((0, 2)), np.ones((3, 2))
    assert concat(empty, empty).shape == (0, 4)
    assert concat(empty, some, axis=0).tolist() == some.tolist()
    grads = concat_backward(some, empty, some, axis=0)
    assert (grads.input.shape, grads.other.shape) == ((0, 2), (3, 2))


def test_results_are_no_views():
    grad_output = np.ones((1, 3, 2))
    results = (concat(INPUT, OTHER), *concat_backward(grad_output, INPUT, OTHER))
    assert not any(np.shares_memory(result, array) for result in results for array in (grad_output, INPUT, OTHER))


@pytest.mark.parametrize(
    ("shape", "axis", "message"),
    [
        ((2, 2), 1, "other must have the shape of input, (1, 2), but along axis 1, got (2, 2)"),
        ((1, 3), 0, "other must have the shape of input, (1, 2), but along axis 0, got (1, 3)"),
        ((1, 3), -2, "other must have the shape of input, (1, 2), but along axis 0, got (1, 3)"),
        ((1, 2, 1), 1, "other must have the shape of input, (1, 2), but along axis 1, got (1, 2, 1)"),
        ((1,), 1, "other must have the shape of input, (1, 2), but along axis 1, got (1,)"),
        ((1, 2), 2, "axis must be between -2 and 1, got 2"),
        ((1, 2), -3, "axis must be between -2 and 1, got -3"),
    ],
)
def test_what_doesnt_fit_is_refused(shape, axis, message):
    for call in (concat, lambda *arrays, axis: concat_backward(np.zeros(1), *arrays, axis=axis)):
        with pytest.raises(InvalidValueError) as caught:
            call(np.zeros((1, 2)), np.zeros(shape), axis=axis)
        assert str(caught.value) == message


def test_what_isnt_an_axis_or_of_the_dtype_is_refused():
    with pytest.raises(InvalidTypeError, match=r"^axis must be an int, got 1\.0$"):
        concat(INPUT, OTHER, axis=1.0)
    with pytest.raises(InvalidTypeError, match=r"^other must have the dtype of input, float64, got float32$"):
        concat(INPUT, OTHER.astype(np.float32))


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 3, 2\), got \(1, 2, 3\)$"):
        concat_backward(np.zeros((1, 2, 3)), INPUT, OTHER)


def test_an_output_larger_than_memory_is_refused_before_it_is_made():
    giant = np.broadcast_to(np.zeros(1), (0, 2**40))
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory \(\d+ bytes\), got shape"):
        concat(giant, giant)
