import numpy as np
import pytest

from properties import content
from refconv import (
    InvalidValueError,
    group_norm,
    group_norm_backward,
    instance_norm,
    instance_norm_backward,
    layer_norm,
    layer_norm_backward,
)

SHAPES = pytest.mark.parametrize("shape", [(3, 4, 5), (1, 6, 2, 4), (2, 2, 2, 3, 2)])


def drawn(shape):
    x, grad_output = (content("normal", shape, "float64", seed) for seed in (0, 1))
    weight, bias = (content("normal", shape[1:2], "float64", seed) for seed in (2, 3))
    return grad_output, x, weight, bias


@SHAPES
def test_a_group_for_each_channel_is_instance_norm(shape):
    grad_output, *inputs = drawn(shape)
    assert (group_norm(*inputs, num_groups=shape[1]) == instance_norm(*inputs)).all()
    grads = group_norm_backward(grad_output, *inputs, num_groups=shape[1])
    for one, other in zip(grads, instance_norm_backward(grad_output, *inputs), strict=True):
        assert (one == other).all()


@SHAPES
def test_one_group_is_layer_norm_with_a_weight_for_each_channel(shape):
    grad_output, x, weight, bias = drawn(shape)
    spread = [np.broadcast_to(a.reshape(-1, *[1] * (len(shape) - 2)), shape[1:]) for a in (weight, bias)]
    output = group_norm(x, weight, bias, num_groups=1)
    assert abs(output - layer_norm(x, *spread, normalized_shape=shape[1:])).max() < 1e-14
    grads = group_norm_backward(grad_output, x, weight, bias, num_groups=1)
    expected = layer_norm_backward(grad_output, x, *spread, normalized_shape=shape[1:])
    assert abs(grads.input - expected.input).max() < 1e-14
    for one, other in zip(grads[1:], expected[1:], strict=True):
        assert abs(one - other.sum(axis=tuple(range(1, len(shape) - 1)))).max() < 1e-13


@SHAPES
def test_groups_see_their_own_channels_alone(shape):
    grad_output, *inputs = drawn(shape)
    half = shape[1] // 2
    output, grads = group_norm(*inputs, num_groups=2), group_norm_backward(grad_output, *inputs, num_groups=2)
    for part in (slice(None, half), slice(half, None)):
        x, weight, bias = inputs[0][:, part], inputs[1][part], inputs[2][part]
        assert (output[:, part] == group_norm(x, weight, bias, num_groups=1)).all()
        alone = group_norm_backward(grad_output[:, part], x, weight, bias, num_groups=1)
        assert (grads.input[:, part] == alone.input).all()
        assert (grads.weight[part] == alone.weight).all()


def test_without_spatial_axes_by_hand():
    x = np.array([[1.0, 3.0, -4.0, 4.0]])
    weight, bias = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0, 0.0, 100.0])
    assert group_norm(x, weight, bias, num_groups=2, eps=0).tolist() == [[-1, 2, -3, 104]]
    assert group_norm(x, num_groups=2, eps=9.0)[0, 2:].tolist() == [-0.8, 0.8]  # 4 / sqrt(16 + 9)


def test_gradients_by_hand():
    # x has mean 0 and variance 1: z is x, h = (2, 0, 0, 0), and h - mean(h) - z mean(h z) = 2 - 1/2 - (-1)(-1/2) = 1
    x = np.array([[[-1.0, -1.0], [1.0, 1.0]]])
    grad_output = np.array([[[1.0, 0.0], [0.0, 0.0]]])
    grads = group_norm_backward(grad_output, x, np.array([2.0, 9.0]), np.zeros(2), num_groups=1, eps=0)
    assert grads.input.tolist() == [[[1, -1], [0, 0]]]
    assert (grads.weight.tolist(), grads.bias.tolist()) == ([-1, 0], [1, 0])


@pytest.mark.parametrize("batch", [1, 2])
def test_one_value_alone_gives_the_bias(batch):
    x, ones = np.full((batch, 2), 3.0), np.ones(2)
    assert group_norm(x, ones, np.array([7.0, 8.0]), num_groups=2).tolist() == [[7, 8]] * batch
    assert not group_norm_backward(x, x, ones, ones, num_groups=2).input.any()


@pytest.mark.parametrize("groups", [1, 2])
def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero(groups):
    x, ones = np.zeros((0, 2)), np.ones(2)
    assert group_norm(x, ones, ones, num_groups=groups).shape == (0, 2)
    grads = group_norm_backward(x, x, ones, ones, num_groups=groups)
    assert (grads.input.shape, grads.weight.tolist(), grads.bias.tolist()) == ((0, 2), [0, 0], [0, 0])


@pytest.mark.parametrize(
    ("shape", "groups", "message"),
    [
        ((1, 4, 2), 3, "num_groups must divide channels=4, got 3"),
        ((1, 4, 2), 8, "num_groups must divide channels=4, got 8"),
        ((1, 4, 2), 0, "num_groups must be between 1 and 2147483647, got 0"),
        ((4,), 1, "input must have 2 to 5 axes, (batch, channels, *spatial), got shape (4,)"),
    ],
)
def test_what_makes_no_sense_is_refused(shape, groups, message):
    with pytest.raises(InvalidValueError) as caught:
        group_norm(np.ones(shape), num_groups=groups)
    assert str(caught.value) == message
