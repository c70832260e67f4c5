import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import InvalidTypeError, InvalidValueError, local_response_norm, local_response_norm_backward, operators
from refconv.bounds import FLOAT64

X = np.array([[[1.0], [2.0], [4.0]]])


@given(cases("local_response_norm", dtype="float64"))
def test_it_is_the_input_over_a_power_of_the_mean_square_of_padded_channels(case):
    (input,), (size, alpha, beta, k) = case.inputs, case.attributes.values()
    sides = [(0, 0)] * input.ndim
    sides[1] = size // 2, (size - 1) // 2
    squares = np.pad(input, sides) ** 2
    means = sum(squares[:, d : d + input.shape[1]] for d in range(size)) / size
    output = local_response_norm(input, **case.attributes)
    bound = operators["local_response_norm"].bound(FLOAT64, output, input, **case.attributes)
    assert (abs(output - input / (k + alpha * means) ** beta) <= bound.limit).all()


def test_an_odd_window_by_hand():
    output = local_response_norm(X, size=3, alpha=3.0, beta=1.0, k=0.0)
    assert output.ravel().tolist() == [1 / 5, 2 / 21, 4 / 20]


def test_an_even_window_has_the_odd_channel_before():
    assert local_response_norm(X, size=2, alpha=2.0, beta=1.0, k=0.0).ravel().tolist() == [1, 2 / 5, 4 / 20]


def test_alpha_is_divided_by_the_size_even_where_channels_are_missing():
    assert local_response_norm(X[:, :1], size=7, alpha=7.0, beta=1.0, k=1.0).item() == 1 / 2
    assert local_response_norm(X[:, :1], size=2**31 - 1, alpha=1.0, beta=1.0, k=1.0).item() == 1 / (1 + 2**-31)


def test_k_and_beta_by_hand():
    assert (local_response_norm(X, size=1, alpha=0.0, beta=0.75, k=16.0) == X / 8).all()
    assert local_response_norm(X, size=1, alpha=5.0, beta=0.5, k=4.0).ravel()[0] == 1 / 3


def test_gradients_by_hand():
    # x / (1 + x**2 + y**2), for each of two channels, of which the first alone has a gradient
    x = np.array([[[1.0], [2.0]]])
    grad_output = np.array([[[1.0], [0.0]]])
    grad = local_response_norm_backward(grad_output, x, size=3, alpha=3.0, beta=1.0, k=1.0).input
    assert abs(grad.ravel() - [1 / 6 - 2 / 36, -4 / 36]).max() < 1e-16


def test_gradients_go_back_through_the_mirrored_window():
    # of size 2, channel 1 sees channel 0, which doesn't see channel 1
    x = np.array([[[1.0], [2.0]]])
    attributes = {"size": 2, "alpha": 2.0, "beta": 1.0, "k": 0.0}
    grads = [local_response_norm_backward(grad, x, **attributes).input for grad in np.eye(2)[:, None, :, None]]
    assert abs(grads[0].ravel() - [-1, 0]).max() < 1e-15
    assert abs(grads[1].ravel() - [-4 / 25, -3 / 25]).max() < 1e-15


def test_zeros_alone_give_nan_where_k_is_0():
    x = np.array([[[0.0], [0.0], [1.0]]])
    assert np.isnan(local_response_norm(x, size=1, k=0.0)).ravel().tolist() == [True, True, False]
    assert np.isnan(local_response_norm_backward(x, x, size=1, k=0.0).input).ravel().tolist() == [True, True, False]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_gives_an_empty_output(rank):
    x = np.zeros((0, 2, *[3] * rank))
    assert local_response_norm(x, size=3).shape == x.shape
    assert local_response_norm_backward(x, x, size=3).input.shape == x.shape


@pytest.mark.parametrize(
    ("shape", "attributes", "message"),
    [
        ((1, 2), {"size": 1}, "input must have 3 to 5 axes, (batch, channels, *spatial), got shape (1, 2)"),
        ((1, 2, 3), {"size": 0}, "size must be between 1 and 2147483647, got 0"),
        ((1, 2, 3), {"size": 1, "alpha": -1.0}, "alpha must be finite and at least 0, got -1.0"),
        ((1, 2, 3), {"size": 1, "beta": float("inf")}, "beta must be finite and at least 0, got inf"),
        ((1, 2, 3), {"size": 1, "k": -1}, "k must be finite and at least 0, got -1"),
    ],
)
def test_what_makes_no_sense_is_refused(shape, attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        local_response_norm(np.ones(shape), **attributes)
    assert str(caught.value) == message


def test_a_size_is_an_int():
    with pytest.raises(InvalidTypeError, match=r"^size must be an int, got 3.0$"):
        local_response_norm(X, size=3.0)
