import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refconv import (
    InvalidTypeError,
    InvalidValueError,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)

BACKWARDS = {relu: relu_backward, leaky_relu: leaky_relu_backward, sigmoid: sigmoid_backward, tanh: tanh_backward}
INF, NAN = math.inf, math.nan


def gradient(function, *values, **attributes):
    input = np.array(values)
    return BACKWARDS[function](np.ones_like(input), input, **attributes).input


def test_relu_by_hand():
    assert relu(np.array([[-2.0, 0.0, 3.0]])).tolist() == [[0, 0, 3]]
    assert relu_backward(np.array([10.0, 20.0, 30.0]), np.array([-2.0, 0.0, 3.0])).input.tolist() == [0, 0, 30]


def test_leaky_relu_by_hand():
    input = np.array([-2.0, 0.0, 3.0])
    assert leaky_relu(input, negative_slope=0.5).tolist() == [-1, 0, 3]
    assert leaky_relu_backward(np.array([10.0, 20.0, 30.0]), input, negative_slope=0.5).input.tolist() == [5, 10, 30]
    assert leaky_relu(np.array([-1.0])) == -0.01


def test_the_slope_is_below_zero_whatever_it_is():
    assert leaky_relu(np.array([-2.0, 2.0]), negative_slope=3).tolist() == [-6, 2]  # not the larger of x and 3 x
    assert leaky_relu(np.array([-2.0, 2.0]), negative_slope=-1.0).tolist() == [2, 2]


def test_the_derivative_at_zero_is_the_slope_below():
    assert gradient(relu, 0.0, -0.0).tolist() == [0, 0]
    assert gradient(leaky_relu, 0.0, -0.0, negative_slope=0.25).tolist() == [0.25, 0.25]


def test_sigmoid_by_hand():
    values = sigmoid(np.array([0.0, math.log(3), -math.log(3)]))
    assert values.tolist() == pytest.approx([1 / 2, 3 / 4, 1 / 4], rel=1e-15)
    assert gradient(sigmoid, 0.0, math.log(3), -math.log(3)).tolist() == pytest.approx(
        [1 / 4, 3 / 16, 3 / 16], rel=1e-15
    )


def test_tanh_by_hand():
    assert tanh(np.array([0.0, math.log(2), -math.log(2)])).tolist() == pytest.approx([0, 3 / 5, -3 / 5], rel=1e-15)
    assert gradient(tanh, 0.0, math.log(2)).tolist() == pytest.approx([1, 16 / 25], rel=1e-15)


@given(st.floats(-700, 700))
def test_small_sigmoids_and_all_slopes_keep_their_relative_accuracy(x):
    assert sigmoid(np.array([x])).item() == pytest.approx(1 / (1 + math.exp(-x)), rel=1e-14)
    slope = 1 / (4 * math.cosh(x / 2) ** 2)  # y (1 - y) without cancellation
    assert gradient(sigmoid, x).item() == pytest.approx(slope, rel=1e-14)
    if abs(x) < 350:
        assert gradient(tanh, x).item() == pytest.approx(1 / math.cosh(x) ** 2, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_nothing_overflows_or_warns(dtype):
    input = np.array([-1e30, -1e4, -88.5, 88.5, 1e4, 1e30], dtype)
    with warnings.catch_warnings(action="error"):
        assert sigmoid(input)[[0, 1, 4, 5]].tolist() == [0, 0, 1, 1]
        assert tanh(input).tolist() == [-1, -1, -1, 1, 1, 1]
        for function in (sigmoid, tanh):
            slopes = BACKWARDS[function](np.ones_like(input), input).input
            assert (abs(slopes) < 1e-37).all()
        assert relu(input)[-1] == leaky_relu(input)[-1] == dtype(1e30)


def test_a_slope_beyond_the_dtype_is_infinite_without_a_warning():
    with warnings.catch_warnings(action="error"):
        assert leaky_relu(np.array([-1, 1], np.float32), negative_slope=1e300).tolist() == [-INF, 1]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (relu, [NAN, INF, 0]),
        (leaky_relu, [NAN, INF, -INF]),
        (sigmoid, [NAN, 1, 0]),
        (tanh, [NAN, 1, -1]),
    ],
)
def test_what_is_not_finite(function, expected):
    np.testing.assert_array_equal(function(np.array([NAN, INF, -INF])), expected)


def test_a_gradient_that_isnt_finite_doesnt_pass_a_relu_that_is_shut():
    assert relu_backward(np.array([INF, NAN]), np.array([-1.0, 0.0])).input.tolist() == [0, 0]
    assert relu_backward(np.array([2.0]), np.array([NAN])).input == 2  # as in PyTorch


@pytest.mark.parametrize("function", BACKWARDS)
def test_complex_numbers_take_the_branch_of_their_real_part(function):
    for real in (-1.5, 1.5):
        slope = gradient(function, real).item()
        assert function(np.array([complex(real, 1e-200)])).item().imag == pytest.approx(slope * 1e-200, rel=1e-14)
        assert gradient(function, complex(real, -1e-200)).item().real == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("function", BACKWARDS)
@pytest.mark.parametrize("shape", [(0,), (3,), (0, 2, 4), (1, 2, 1, 2, 1, 2)])
def test_arrays_have_any_number_of_axes_and_may_be_empty(function, shape):
    input = np.ones(shape, np.float32)
    assert (function(input).shape, function(input).dtype) == (shape, np.float32)
    grads = BACKWARDS[function](input, input)
    assert (grads.input.shape, grads.input.dtype) == (shape, np.float32)


@pytest.mark.parametrize("function", BACKWARDS)
def test_an_array_without_axes_is_refused(function):
    with pytest.raises(InvalidValueError, match=r"^input must have at least 1 axis, got shape \(\)$"):
        function(np.array(1.0))


@pytest.mark.parametrize("function", BACKWARDS)
def test_a_gradient_of_another_shape_is_refused(function):
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2,\), got \(1,\)$"):
        BACKWARDS[function](np.ones(1), np.ones(2))


@pytest.mark.parametrize(
    ("slope", "error", "message"),
    [
        (NAN, InvalidValueError, "negative_slope must be finite, got nan"),
        (-INF, InvalidValueError, "negative_slope must be finite, got -inf"),
        ("0.1", InvalidTypeError, "negative_slope must be a real number, got '0.1'"),
        (True, InvalidTypeError, "negative_slope must be a real number, got True"),
    ],
)
def test_slopes_that_are_no_numbers_are_refused(slope, error, message):
    for call in (leaky_relu, lambda x, **slope: leaky_relu_backward(x, x, **slope)):
        with pytest.raises(error) as caught:
            call(np.ones(1), negative_slope=slope)
        assert str(caught.value) == message


@pytest.mark.parametrize("function", [relu, leaky_relu, sigmoid, tanh])
def test_results_are_no_views(function):
    input, grad_output = np.ones(3), np.ones(3)
    results = function(input), BACKWARDS[function](grad_output, input).input
    assert not any(np.shares_memory(result, array) for result in results for array in (input, grad_output))
