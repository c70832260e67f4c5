import numpy as np
import pytest

from properties import content
from refconv import InvalidValueError, batch_norm, batch_norm_backward, instance_norm, instance_norm_backward


@pytest.mark.parametrize("shape", [(3, 2, 5), (1, 3, 2, 4), (2, 1, 2, 3, 2)])
def test_it_is_the_batch_norm_of_each_example(shape):
    x, grad_output = (content("normal", shape, "float64", seed) for seed in (0, 1))
    weight, bias = (content("normal", shape[1:2], "float64", seed) for seed in (2, 3))
    output, grads = instance_norm(x, weight, bias), instance_norm_backward(grad_output, x, weight, bias)
    alone = [batch_norm_backward(grad_output[n : n + 1], x[n : n + 1], weight, bias) for n in range(len(x))]
    for n in range(len(x)):
        assert (output[n : n + 1] == batch_norm(x[n : n + 1], weight, bias).output).all()
        assert (grads.input[n : n + 1] == alone[n].input).all()
    assert abs(grads.weight - sum(one.weight for one in alone)).max() < 1e-14
    assert abs(grads.bias - sum(one.bias for one in alone)).max() < 1e-14


def test_channels_by_hand():
    x = np.array([[[1.0, 3.0], [-4.0, 4.0]]])
    output = instance_norm(x, np.array([2.0, 3.0]), np.array([10.0, 100.0]), eps=0)
    assert output.tolist() == [[[8, 12], [97, 103]]]
    assert instance_norm(x, eps=9.0)[0, 1].tolist() == [-0.8, 0.8]  # 4 / sqrt(16 + 9)


def test_gradients_by_hand():
    # x has mean 0 and variance 1: z is x, and h - mean(h) - z mean(h z) = 1 - 1/4 - (-1)(-1/4) = 1/2
    x = np.array([[[-1.0, -1.0, 1.0, 1.0]]] * 2)
    grad_output = np.array([[[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 2.0]]])
    grads = instance_norm_backward(grad_output, x, np.array([2.0]), np.array([5.0]), eps=0)
    assert grads.input.tolist() == [[[1, -1, 0, 0]], [[0, 0, -2, 2]]]
    assert (grads.weight.tolist(), grads.bias.tolist()) == ([1], [3])
    assert instance_norm_backward(grad_output, x)[1:] == (None, None)


def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero():
    x, ones = np.zeros((0, 2, 3)), np.ones(2)
    assert instance_norm(x, ones, ones).shape == (0, 2, 3)
    grads = instance_norm_backward(x, x, ones, ones)
    assert (grads.input.shape, grads.weight.tolist(), grads.bias.tolist()) == ((0, 2, 3), [0, 0], [0, 0])


@pytest.mark.parametrize(
    ("input", "weight", "message"),
    [
        ((2, 3), None, "input must have 3 to 5 axes, (batch, channels, *spatial), got shape (2, 3)"),
        ((2, 3, 1, 1), None, "input must have more than one value in each channel, got shape (2, 3, 1, 1)"),
        ((0, 3, 1), None, "input must have more than one value in each channel, got shape (0, 3, 1)"),
        ((2, 3, 4), (4,), "weight must have shape (3,), got (4,)"),
    ],
)
def test_what_makes_no_sense_is_refused(input, weight, message):
    with pytest.raises(InvalidValueError) as caught:
        instance_norm(np.ones(input), None if weight is None else np.ones(weight))
    assert str(caught.value) == message
