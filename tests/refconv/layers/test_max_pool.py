import math

import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import InvalidTypeError, InvalidValueError, max_pool, max_pool_backward
from refconv.geometry import output_size, read_pool_window

NAN, INF = np.nan, np.inf


def max_by_windows(input, *, kernel_size, stride, padding, dilation, ceil_mode, **_):
    """The definition once more, over a copy padded with -inf: an independent second opinion."""
    rank = input.ndim - 2
    window = read_pool_window(kernel_size, rank, stride=stride, padding=padding, dilation=dilation)
    size = output_size(input.shape[2:], window, ceil_mode=ceil_mode)
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding], constant_values=-INF)
    output = np.empty((*input.shape[:2], *size), input.dtype)
    for index in np.ndindex(*size):
        where = [
            slice(i * s, i * s + e, d)
            for i, s, e, d in zip(index, window.stride, window.extent, window.dilation, strict=True)
        ]
        output[(..., *index)] = padded[(..., *where)].max(axis=tuple(range(2, 2 + rank)), initial=-INF)
    return output


@given(cases("max_pool", dtype="float64"))
def test_it_is_the_maximum_of_each_window(case):
    (input,) = case.inputs
    expected = max_by_windows(input, **case.attributes)
    returned = max_pool(input, **case.attributes)
    output = returned.output if case.attributes["return_indices"] else returned
    np.testing.assert_array_equal(output, expected)


@given(cases("max_pool", dtype="float64"))
def test_indices_are_the_first_places_of_the_maxima(case):
    (input,) = case.inputs
    output, indices = max_pool(input, **{**case.attributes, "return_indices": True})
    flat, places = (array.reshape(*array.shape[:2], math.prod(array.shape[2:])) for array in (input, indices))
    found = np.take_along_axis(flat, np.maximum(places, 0), 2).reshape(indices.shape)
    np.testing.assert_array_equal(np.where(indices < 0, -INF, found), output)
    assert indices.max(initial=-1) < np.prod(input.shape[2:])


def test_maxima_by_hand():
    x = np.array([[[1.0, 5.0, 2.0, 5.0, 3.0]]])
    assert max_pool(x, kernel_size=2).tolist() == [[[5, 5]]]
    assert max_pool(x, kernel_size=2, stride=1).tolist() == [[[5, 5, 5, 5]]]
    assert max_pool(x, kernel_size=2, stride=1, dilation=3).tolist() == [[[5, 5]]]
    assert max_pool(-x, kernel_size=3, padding=1, stride=2).tolist() == [[[-1, -2, -3]]]


def test_of_ties_the_first_gets_index_and_gradient():
    x = np.array([[[[0.0, 7.0], [7.0, 7.0]]]])
    assert max_pool(x, kernel_size=2, return_indices=True).indices.tolist() == [[[[1]]]]
    grads = max_pool_backward(np.array([[[[3.0]]]]), x, kernel_size=2)
    assert grads.input.tolist() == [[[[0, 3], [0, 0]]]]


def test_gradients_of_windows_that_overlap_add_up():
    x = np.array([[[1.0, 9.0, 2.0, 3.0]]])
    grads = max_pool_backward(np.array([[[1.0, 10.0, 100.0]]]), x, kernel_size=2, stride=1)
    assert grads.input.tolist() == [[[0, 11, 0, 100]]]


def test_a_nan_wins_the_first_one():
    x = np.array([[[1.0, NAN, 2.0, NAN, INF, 0.0]]])
    output, indices = max_pool(x, kernel_size=3, stride=1, return_indices=True)
    np.testing.assert_array_equal(output, [[[NAN, NAN, NAN, NAN]]])
    assert indices.tolist() == [[[1, 1, 3, 3]]]
    grads = max_pool_backward(np.array([[[1.0, 2.0, 4.0, 8.0]]]), x, kernel_size=3, stride=1)
    assert grads.input.tolist() == [[[0, 3, 0, 12, 0, 0]]]


def test_of_minus_infinities_the_first_is_chosen():
    x = np.full((1, 1, 4), -INF)
    output, indices = max_pool(x, kernel_size=2, return_indices=True)
    assert output.tolist() == [[[-INF, -INF]]]
    assert indices.tolist() == [[[0, 2]]]


def test_a_window_that_holds_only_padding_gives_minus_infinity_and_no_gradient():
    x = np.array([[[5.0]]])
    output, indices = max_pool(x, kernel_size=2, stride=2, padding=3, return_indices=True)
    assert output.tolist() == [[[-INF, 5, -INF]]]
    assert indices.tolist() == [[[-1, 0, -1]]]
    assert max_pool_backward(np.array([[[1.0, 2.0, 4.0]]]), x, kernel_size=2, stride=2, padding=3).input.tolist() == [
        [[2]]
    ]


def test_ceil_mode_adds_a_window_that_begins_within_the_input_or_the_padding_before_it():
    x = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    assert max_pool(x, kernel_size=2).tolist() == [[[2, 4]]]
    assert max_pool(x, kernel_size=2, ceil_mode=True).tolist() == [[[2, 4, 5]]]
    assert max_pool(x[..., :1], kernel_size=2, padding=1, ceil_mode=True).tolist() == [[[1]]]  # not a second one


def test_indices_are_flat_over_the_spatial_axes():
    x = np.zeros((2, 2, 2, 2, 3))
    x[..., 1, 0, 2] = 1
    assert max_pool(x, kernel_size=(2, 2, 3), return_indices=True).indices.ravel().tolist() == [8] * 4


def test_of_complex_numbers_the_one_with_the_largest_real_part():
    x = np.array([[[1 + 9j, 2 - 1j, 2 + 5j, -np.inf]]])
    assert max_pool(x, kernel_size=3).tolist() == [[[2 - 1j]]]
    assert max_pool(x[..., :1], kernel_size=1, padding=((1, 0),)).tolist() == [[[complex(-INF), 1 + 9j]]]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_gives_an_empty_output(rank):
    x = np.zeros((0, 2, *[4] * rank), np.float32)
    output, indices = max_pool(x, kernel_size=2, return_indices=True)
    assert output.shape == indices.shape == (0, 2, *[2] * rank)
    assert max_pool_backward(output, x, kernel_size=2).input.shape == x.shape


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        (InvalidValueError, {"kernel_size": 5}, "kernel_size must span at most the padded input's size (4,), got a dilated kernel of size (5,)"),
        (InvalidValueError, {"kernel_size": 0}, "kernel_size must be between 1 and 2147483647, got 0"),
        (InvalidTypeError, {"kernel_size": (2, 2)}, "kernel_size must be an int or a sequence of 1 ints, got (2, 2)"),
        (InvalidTypeError, {"kernel_size": 2, "ceil_mode": 1}, "ceil_mode must be True or False, got 1"),
        (InvalidTypeError, {"kernel_size": 2, "return_indices": None}, "return_indices must be True or False, got None"),
    ],
)  # fmt: skip
def test_windows_that_make_no_sense_are_refused(kind, attributes, message):
    with pytest.raises(kind) as caught:
        max_pool(np.zeros((1, 1, 4)), **attributes)
    assert str(caught.value) == message


def test_big_work_gives_the_bits_of_small_work():
    x = np.random.default_rng(0).standard_normal((4, 40, 40, 40))
    whole = max_pool(x, kernel_size=3, stride=2, padding=1, return_indices=True)
    grad = np.random.default_rng(1).standard_normal(whole.output.shape)
    grads = max_pool_backward(grad, x, kernel_size=3, stride=2, padding=1).input
    for n in range(4):
        part = max_pool(x[n : n + 1], kernel_size=3, stride=2, padding=1, return_indices=True)
        assert (part.output == whole.output[n]).all()
        assert (part.indices == whole.indices[n]).all()
        alone = max_pool_backward(grad[n : n + 1], x[n : n + 1], kernel_size=3, stride=2, padding=1).input
        assert alone.tobytes() == grads[n].tobytes()
