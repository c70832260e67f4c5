import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import InvalidTypeError, InvalidValueError, batch_norm, batch_norm_backward, operators
from refconv.bounds import FLOAT64

X = np.array([[1.0, -4.0], [3.0, 4.0]])  # means 2 and 0, biased variances 1 and 16
ONE = np.ones(2)


def by_numpy(case):
    """The definition once more, by NumPy's mean and var: an independent second opinion."""
    input, weight, bias, running_mean, running_var = case.inputs
    axes = (0, *range(2, input.ndim))
    training, momentum, eps = (case.attributes[name] for name in ("training", "momentum", "eps"))

    def along(array):
        return array.reshape(-1, *[1] * (input.ndim - 2))

    mean, variance = (input.mean(axes), input.var(axes)) if training else (running_mean, running_var)
    output = (input - along(mean)) / np.sqrt(along(variance) + eps)
    output = output * along(np.ones(1) if weight is None else weight) + along(np.zeros(1) if bias is None else bias)
    if training and running_mean is not None:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * input.var(axes, ddof=1)
    return output, running_mean, running_var


@given(cases("batch_norm", dtype="float64"))
def test_it_is_what_numpy_s_mean_and_variance_give(case):
    if not case.inputs[0].size:
        return
    result = batch_norm(*case.inputs, **case.attributes)
    bounds = operators["batch_norm"].bound(FLOAT64, result, *case.inputs, **case.attributes)
    for value, expected, bound in zip(result, by_numpy(case), bounds, strict=True):
        assert value is expected is bound is None or (abs(value - expected) <= bound.limit).all()


def test_training_by_hand():
    result = batch_norm(X, np.array([2.0, 3.0]), np.array([10.0, 100.0]), eps=0)
    assert result.output.tolist() == [[8, 97], [12, 103]]
    assert result.running_mean is result.running_var is None


def test_eps_is_added_to_the_variance_under_the_root():
    assert batch_norm(X, eps=9.0).output[:, 1].tolist() == [-0.8, 0.8]  # 4 / sqrt(16 + 9)


def test_running_statistics_take_the_share_that_momentum_says_and_the_unbiased_variance():
    result = batch_norm(X, None, None, np.array([10.0, 20.0]), np.array([4.0, 8.0]), momentum=0.25)
    assert result.running_mean.tolist() == [8, 15]  # 0.75 * 10 + 0.25 * 2
    assert result.running_var.tolist() == [3.5, 14]  # of variances 1 and 16 over 2 values, unbiased 2 and 32


@pytest.mark.parametrize(("momentum", "mean"), [(0, 10.0), (1, 2.0)])
def test_a_momentum_of_0_keeps_the_old_and_of_1_takes_the_new(momentum, mean):
    assert batch_norm(X, running_mean=10 * ONE, running_var=ONE, momentum=momentum).running_mean[0] == mean


def test_inference_by_hand():
    running = np.array([1.0, 2.0]), np.array([4.0, 9.0])
    result = batch_norm(X, ONE, ONE, *running, training=False, eps=0)
    assert result.output.tolist() == [[1, -1], [2, 1 + 2 / 3]]
    for new, old in zip(result[1:], running, strict=True):
        assert new.tolist() == old.tolist()
        assert new is not old


def test_inference_takes_one_value():
    assert batch_norm(X[:1], None, None, 0 * ONE, ONE, training=False, eps=3.0).output.tolist() == [[0.5, -2]]


def test_gradients_in_training_by_hand():
    # x = -1, -1, 1, 1 has mean 0 and variance 1: z is x, and h - mean(h) - z mean(h z) = 1 - 1/4 - (-1)(-1/4) = 1/2
    x = np.array([[[-1.0, -1.0, 1.0, 1.0]]])
    grads = batch_norm_backward(np.array([[[1.0, 0.0, 0.0, 0.0]]]), x, np.array([2.0]), np.array([5.0]), eps=0)
    assert grads.input.tolist() == [[[1, -1, 0, 0]]]
    assert grads.weight.tolist() == [-1]
    assert grads.bias.tolist() == [1]


def test_gradients_in_inference_take_the_statistics_as_constants():
    grads = batch_norm_backward(
        np.array([[1.0, 1.0], [5.0, 1.0]]), X, ONE, ONE, np.array([1.0, 0.0]), 4 * ONE, training=False, eps=0
    )
    assert grads.input.tolist() == [[0.5, 0.5], [2.5, 0.5]]
    assert grads.weight.tolist() == [5, 0]  # 1 * 0 / 2 + 5 * 2 / 2
    assert grads.bias.tolist() == [6, 2]


def test_gradients_of_what_is_none_are_none():
    assert batch_norm_backward(X, X, None, ONE)[1:] == (None, pytest.approx(np.array([4.0, 0.0])))
    assert batch_norm_backward(X, X, ONE).bias is None


@pytest.mark.parametrize("shape", [(8, 4, 64, 64), (40_000, 2), (2, 2, 300_000)])
def test_a_mean_of_a_million_and_a_variance_of_one_come_out_right_in_float32(shape):
    input = (content("normal", shape, "float64", 0) + 1e6).astype(np.float32)
    grad_output = content("normal", shape, "float32", 1)
    ones = np.ones(shape[1], np.float32)
    arrays = input, ones, ones, ones, ones
    doubles = [array.astype(np.float64) for array in arrays]
    result, exact = batch_norm(*arrays, momentum=1.0), batch_norm(*doubles, momentum=1.0)
    assert abs(result.output - exact.output).max() < 2e-6
    assert abs(result.running_mean - exact.running_mean).max() <= 2**-5  # half a unit in the last place
    assert abs(result.running_var - exact.running_var).max() < 1e-6
    grads = batch_norm_backward(grad_output, *arrays)
    expected = batch_norm_backward(grad_output.astype(np.float64), *doubles)
    assert abs(grads.input - expected.input).max() < 5e-6
    assert abs(grads.weight - expected.weight).max() < 6e-8 * np.prod(shape)  # of as many terms


def test_a_constant_channel_has_no_variance_at_all():
    input = np.full((3, 1, 7), 0.1, np.float32)
    assert batch_norm(input).output.tolist() == np.zeros((3, 1, 7)).tolist()
    assert batch_norm(input, running_mean=np.zeros(1, "f"), running_var=np.zeros(1, "f")).running_var == 0
    assert np.isnan(batch_norm(input, eps=0).output).all()


def test_what_is_not_finite_stays_in_its_channel():
    input = np.array([[np.nan, 1.0, np.inf], [1.0, 2.0, 1.0]])
    output = batch_norm(input).output
    assert np.isnan(output).tolist() == [[True, False, True]] * 2


def test_a_running_variance_below_minus_eps_gives_nan():
    output = batch_norm(X, None, None, ONE, np.array([-1.0, 1.0]), training=False).output
    assert np.isnan(output).tolist() == [[True, False]] * 2


@pytest.mark.parametrize("training", [True, False])
def test_an_empty_batch_gives_an_empty_output_and_leaves_the_running_statistics(training):
    input = np.zeros((0, 2, 5))
    result = batch_norm(input, ONE, ONE, 3 * ONE, 4 * ONE, training=training)
    assert result.output.shape == input.shape
    assert (result.running_mean.tolist(), result.running_var.tolist()) == ([3, 3], [4, 4])
    grads = batch_norm_backward(input, input, ONE, ONE, 3 * ONE, 4 * ONE, training=training)
    assert grads.input.shape == input.shape
    assert grads.weight.tolist() == grads.bias.tolist() == [0, 0]


def test_an_eps_beyond_float32_gives_the_bias():
    assert batch_norm(X.astype(np.float32), eps=1e300).output.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("shapes", "attributes", "message"),
    [
        (((4,),), {}, "input must have 2 to 5 axes, (batch, channels, *spatial), got shape (4,)"),
        (((2, 0),), {}, "input must have at least 1 channel and spatial sizes of at least 1, got shape (2, 0)"),
        (((1, 2, 1),), {}, "input must have more than one value in each channel in training, got shape (1, 2, 1)"),
        (((2, 3), (2,)), {}, "weight must have shape (3,), got (2,)"),
        (((2, 3), None, (1, 3)), {}, "bias must have shape (3,), got (1, 3)"),
        (((2, 3), None, None, (2,), (3,)), {}, "running_mean must have shape (3,), got (2,)"),
        (((2, 3), None, None, (3,), (4,)), {"training": False}, "running_var must have shape (3,), got (4,)"),
        (((2, 3), None, None, (3,)), {}, "running_var must be given where the other running statistic is, got None"),
        (((2, 3), None, None, None, (3,)), {}, "running_mean must be given where the other running statistic is, got None"),
        (((2, 3),), {"training": False}, "running_mean must be given where training is False, got None"),
        (((2, 3), None, None, (3,)), {"training": False}, "running_var must be given where training is False, got None"),
        (((2, 3),), {"momentum": 1.5}, "momentum must be between 0 and 1, got 1.5"),
        (((2, 3),), {"eps": -1e-5}, "eps must be finite and at least 0, got -1e-05"),
        (((2, 3),), {"eps": float("nan")}, "eps must be finite and at least 0, got nan"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(shapes, attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        batch_norm(*[None if shape is None else np.ones(shape) for shape in shapes], **attributes)
    assert str(caught.value) == message


def test_training_is_true_or_false():
    with pytest.raises(InvalidTypeError, match=r"^training must be True or False, got 1$"):
        batch_norm(X, training=1)
