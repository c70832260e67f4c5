import math

import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import ARITHMETICS, InvalidTypeError, InvalidValueError, lp_pool, lp_pool_backward, max_pool
from refconv.geometry import read_pool_window
from refconv.layers.lp_pool import lp_pool_backward_bound, lp_pool_bound

X = np.array([[[3.0, -4.0, 0.0, 5.0]]])


@given(cases("lp_pool", dtype="float64"))
def test_it_is_numpy_s_norm_of_each_window(case):
    (input,) = case.inputs
    output = lp_pool(input, **case.attributes)
    rank = input.ndim - 2
    window = read_pool_window(case.attributes["kernel_size"], rank, stride=case.attributes["stride"], padding=0)
    for index in np.ndindex(*output.shape[2:]):
        where = [slice(i * s, i * s + k) for i, s, k in zip(index, window.stride, window.kernel, strict=True)]
        seen = input[(..., *where)]
        seen = seen.reshape(*input.shape[:2], math.prod(seen.shape[2:]))
        expected = np.linalg.norm(seen, ord=case.attributes["norm_type"], axis=-1)
        np.testing.assert_allclose(output[(..., *index)], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("norm_type", "norms"), [(1, [7, 5]), (2, [5, 5]), (3, [91 ** (1 / 3), 5]), (math.inf, [4, 5])]
)
def test_norms_by_hand(norm_type, norms):
    assert lp_pool(X, norm_type=norm_type, kernel_size=2).ravel() == pytest.approx(norms, rel=1e-15)


@pytest.mark.parametrize(
    ("norm_type", "grads"),
    [(1, [1, -1, 0, 10]), (2, [3 / 5, -4 / 5, 0, 10]), (math.inf, [0, -1, 0, 10])],
)
def test_gradients_by_hand(norm_type, grads):
    found = lp_pool_backward(np.array([[[1.0, 10.0]]]), X, norm_type=norm_type, kernel_size=2).input
    assert found.ravel() == pytest.approx(grads, rel=1e-15)


def test_of_equal_magnitudes_an_infinite_norm_s_gradient_goes_to_the_first():
    x = np.array([[[-2.0, 2.0]]])
    assert lp_pool_backward(np.array([[[3.0]]]), x, norm_type=math.inf, kernel_size=2).input.tolist() == [[[-3, 0]]]


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
def test_a_window_of_zeros_has_no_gradient(norm_type):
    x, grad = np.zeros((1, 1, 2)), np.array([[[3.0]]])
    assert lp_pool(x, norm_type=norm_type, kernel_size=2).tolist() == [[[0]]]
    assert lp_pool_backward(grad, x, norm_type=norm_type, kernel_size=2).input.tolist() == [[[0, 0]]]


@pytest.mark.parametrize("scale", [1e30, 1e-30, 1e-40])
@pytest.mark.parametrize("norm_type", [2, 3.5, 10])
def test_powers_neither_over_nor_underflow(scale, norm_type):
    x = np.array([[[3.0, -4.0]]], np.float32) * np.float32(scale)
    largest = float(abs(x).max())
    expected = largest * np.linalg.norm(x[0, 0].astype(float) / largest, ord=norm_type)
    assert lp_pool(x, norm_type=norm_type, kernel_size=2)[0, 0, 0] == pytest.approx(expected, rel=1e-5)
    grads = lp_pool_backward(np.ones((1, 1, 1), np.float32), x, norm_type=norm_type, kernel_size=2).input
    assert grads[0, 0] == pytest.approx(np.sign(x[0, 0]) * (abs(x[0, 0]) / expected) ** (norm_type - 1), rel=1e-4)


def test_what_ceil_mode_adds_sums_what_is_there():
    assert lp_pool(X[..., :3], norm_type=1, kernel_size=2, ceil_mode=True).tolist() == [[[7, 0]]]
    assert lp_pool(X[..., :1], norm_type=1, kernel_size=2, ceil_mode=True).tolist() == [[[3]]]


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
def test_what_is_not_finite_is_handed_on(norm_type):
    x = np.array([[[np.inf, 1.0, np.nan, 1.0, -np.inf, 2.0]]])
    np.testing.assert_array_equal(lp_pool(x, norm_type=norm_type, kernel_size=2), [[[np.inf, np.nan, np.inf]]])


@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
def test_nan_has_nan_for_a_gradient(norm_type):
    x, grad_output = np.array([[[np.nan, 1.0, 2.0]]]), np.ones((1, 1, 2))
    grads = lp_pool_backward(grad_output, x, norm_type=norm_type, kernel_size=2, stride=1)
    assert np.isnan(grads.input[0, 0, 0])
    assert grads.input[0, 0, 2] > 0


def test_norms_by_a_root_have_their_bound():
    attributes = {"norm_type": 3.0, "kernel_size": 2, "stride": 2, "ceil_mode": False}
    output = lp_pool(X, **attributes)
    bound = lp_pool_bound(ARITHMETICS["float32"], output, X, **attributes)
    assert (bound.limit > 1e-8).all()
    assert (bound.limit < 1e-5).all()


def test_beside_an_infinite_norm_gradients_have_their_bound():
    x, grad_output = np.array([[[np.inf, 1.0, 1.0]]]), np.ones((1, 1, 2))
    attributes = {"norm_type": 2.0, "kernel_size": 2, "stride": 1, "ceil_mode": False}
    grads = lp_pool_backward(grad_output, x, **attributes)
    with np.errstate(all="ignore"):
        (bound,) = lp_pool_backward_bound(ARITHMETICS["float32"], grads, grad_output, x, **attributes)
    assert grads.input[0, 0, 1:] == pytest.approx(0.5**0.5)
    assert (bound.limit[0, 0, 1:] >= abs(np.float32(0.5**0.5) - 0.5**0.5)).all()
    assert bound.limit.max() < 1e-5


def test_an_infinity_in_another_window_has_no_part_in_a_bound():
    attributes = {"norm_type": 2.0, "kernel_size": 2, "stride": None, "ceil_mode": True}
    x, grad_output = np.array([[[-np.inf, 0.0, 3.0]]]), np.array([[[0.0, 1.0]]])  # the last window holds 3 alone
    with np.errstate(all="ignore"):
        output, grads = lp_pool(x, **attributes), lp_pool_backward(grad_output, x, **attributes)
        bound = lp_pool_bound(ARITHMETICS["float32"], output, x, **attributes)
        (gradient,) = lp_pool_backward_bound(ARITHMETICS["float32"], grads, grad_output, x, **attributes)
    assert 0 < bound.limit[0, 0, 1] < 1e-5
    assert 0 < gradient.limit[0, 0, 2] < 1e-5


def test_an_infinite_norm_has_no_rounding_errors():
    attributes = {"norm_type": math.inf, "kernel_size": 2, "stride": None, "ceil_mode": False}
    bound = lp_pool_bound(ARITHMETICS["float64"], np.array([[[4.0, 5.0]]]), X, **attributes)
    assert bound.limit.tolist() == [[[0, 0]]]
    grads = lp_pool_backward(np.array([[[1.0, 10.0]]]), X, norm_type=math.inf, kernel_size=2)
    with np.errstate(all="ignore"):
        (bound,) = lp_pool_backward_bound(ARITHMETICS["float64"], grads, np.array([[[1.0, 10.0]]]), X, **attributes)
    assert bound.limit.tolist() == [[[0, 0, 0, 0]]]


def test_an_infinite_norm_is_the_maximum_of_the_magnitudes():
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 5))
    expected = max_pool(abs(x), kernel_size=3, stride=2)
    assert (lp_pool(x, norm_type=math.inf, kernel_size=3, stride=2) == expected).all()


def test_an_empty_batch_gives_an_empty_output():
    x = np.zeros((0, 2, 4))
    assert lp_pool(x, norm_type=2, kernel_size=2).shape == (0, 2, 2)
    assert lp_pool_backward(np.zeros((0, 2, 2)), x, norm_type=2, kernel_size=2).input.shape == x.shape


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        (InvalidValueError, {"norm_type": 0.5}, "norm_type must be at least 1, got 0.5"),
        (InvalidValueError, {"norm_type": math.nan}, "norm_type must be finite, got nan"),
        (InvalidTypeError, {"norm_type": "2"}, "norm_type must be a real number, got '2'"),
        (InvalidValueError, {"kernel_size": 5}, "kernel_size must span at most the padded input's size (4,), got a dilated kernel of size (5,)"),
        (InvalidTypeError, {"ceil_mode": 0}, "ceil_mode must be True or False, got 0"),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense_are_refused(kind, attributes, message):
    with pytest.raises(kind) as caught:
        lp_pool(X, **{"norm_type": 2, "kernel_size": 2, **attributes})
    assert str(caught.value) == message
