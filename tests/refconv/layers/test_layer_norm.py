import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import InvalidTypeError, InvalidValueError, layer_norm, layer_norm_backward, operators
from refconv.bounds import FLOAT64

X = np.array([[1.0, 3.0], [-4.0, 4.0]])  # means 2 and 0, biased variances 1 and 16


@given(cases("layer_norm", dtype="float64"))
def test_it_is_what_numpy_s_mean_and_variance_give(case):
    input, weight, bias = case.inputs
    axes = tuple(range(-np.size(case.attributes["normalized_shape"]), 0))
    centred = input - input.mean(axes, keepdims=True)
    expected = centred / np.sqrt(input.var(axes, keepdims=True) + case.attributes["eps"])
    expected = expected * (1 if weight is None else weight) + (0 if bias is None else bias)
    output = layer_norm(*case.inputs, **case.attributes)
    bound = operators["layer_norm"].bound(FLOAT64, output, *case.inputs, **case.attributes)
    assert (abs(output - expected) <= bound.limit).all()


def test_rows_by_hand():
    output = layer_norm(X, np.array([2.0, 3.0]), np.array([10.0, 100.0]), normalized_shape=2, eps=0)
    assert output.tolist() == [[8, 103], [8, 103]]
    assert layer_norm(X, normalized_shape=(2,), eps=9.0)[1].tolist() == [-0.8, 0.8]  # 4 / sqrt(16 + 9)


def test_several_axes_share_a_mean_and_have_a_weight_for_each_value():
    weight = np.array([[1.0, 2.0], [3.0, 4.0]])
    output = layer_norm(np.array([[[1.0, 1.0], [3.0, 3.0]]]), weight, normalized_shape=(2, 2), eps=0)
    assert output.tolist() == [[[-1, -2], [3, 4]]]


def test_gradients_by_hand():
    # x has mean 0 and variance 1: z is x, h = (2, 0, 0, 0), and h - mean(h) - z mean(h z) = 2 - 1/2 - (-1)(-1/2) = 1
    x = np.array([[-1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, 1.0]])
    grad_output = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 8.0]])
    weight, bias = np.array([2.0, 1.0, 1.0, 0.0]), np.zeros(4)
    grads = layer_norm_backward(grad_output, x, weight, bias, normalized_shape=4, eps=0)
    assert grads.input.tolist() == [[1, -1, 0, 0], [0, 0, 0, 0]]
    assert grads.weight.tolist() == [-1, 0, 0, 8]
    assert grads.bias.tolist() == [1, 0, 0, 8]


def test_gradients_of_a_weight_of_more_entries_than_a_block():
    rows, length = 3, 2500
    x, grad_output = (content("normal", (rows, length), "float64", seed) for seed in (0, 1))
    grads = layer_norm_backward(grad_output, x, np.ones(length), np.ones(length), normalized_shape=length)
    z = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    assert abs(grads.weight - (grad_output * z).sum(0)).max() < 1e-13
    assert abs(grads.bias - grad_output.sum(0)).max() < 1e-13


def test_one_value_alone_gives_the_bias():
    x, one = np.array([[3.0], [4.0]]), np.ones(1)
    assert layer_norm(x, one, 7 * one, normalized_shape=1).tolist() == [[7], [7]]
    assert not layer_norm_backward(x, x, one, one, normalized_shape=1).input.any()


@pytest.mark.parametrize("shape", [(3, 1000), (2, 1_000_000)])
def test_a_mean_of_a_million_and_a_variance_of_one_come_out_right_in_float32(shape):
    input = (content("normal", shape, "float64", 0) + 1e6).astype(np.float32)
    grad_output, weight = (content("normal", s, "float32", 1) for s in (shape, shape[1:]))
    doubles = [array.astype(np.float64) for array in (grad_output, input, weight)]
    output = layer_norm(input, normalized_shape=shape[1])
    assert abs(output - layer_norm(doubles[1], normalized_shape=shape[1])).max() < 2e-6
    grads = layer_norm_backward(grad_output, input, weight, normalized_shape=shape[1])
    expected = layer_norm_backward(*doubles, normalized_shape=shape[1])
    assert abs(grads.input - expected.input).max() < 1e-5
    assert abs(grads.weight - expected.weight).max() < 1e-5


def test_equal_values_without_eps_give_nan():
    assert np.isnan(layer_norm(np.ones((1, 3)), normalized_shape=3, eps=0)).all()


def test_no_rows_give_no_rows_and_gradients_of_zero():
    input, ones = np.zeros((0, 2, 3)), np.ones((2, 3))
    assert layer_norm(input, ones, ones, normalized_shape=(2, 3)).shape == (0, 2, 3)
    grads = layer_norm_backward(input, input, ones, ones, normalized_shape=(2, 3))
    assert grads.input.shape == (0, 2, 3)
    assert grads.weight.tolist() == grads.bias.tolist() == [[0] * 3] * 2


@pytest.mark.parametrize(
    ("shapes", "normalized_shape", "message"),
    [
        (((4, 3),), 4, "normalized_shape must be the sizes of input's last axes, whose shape is (4, 3), got (4,)"),
        (((3,),), (1, 3), "normalized_shape must be the sizes of input's last axes, whose shape is (3,), got (1, 3)"),
        (((),), 1, "normalized_shape must be the sizes of input's last axes, whose shape is (), got (1,)"),
        (((4, 0),), 0, "normalized_shape must be between 1 and 2147483647, got 0"),
        (((4, 3), (4,)), 3, "weight must have shape (3,), got (4,)"),
        (((4, 3), None, (4, 3)), 3, "bias must have shape (3,), got (4, 3)"),
    ],
)
def test_what_makes_no_sense_is_refused(shapes, normalized_shape, message):
    with pytest.raises(InvalidValueError) as caught:
        layer_norm(*[None if shape is None else np.ones(shape) for shape in shapes], normalized_shape=normalized_shape)
    assert str(caught.value) == message


def test_an_empty_shape_is_refused():
    message = r"^normalized_shape must be an int or a sequence of at least one int, got \(\)$"
    with pytest.raises(InvalidTypeError, match=message):
        layer_norm(X, normalized_shape=())
