import math
import warnings

import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError, cross_entropy, cross_entropy_backward

INF, NAN = math.inf, math.nan
ONE = np.array(1.0)


def loss(scores, target):
    return cross_entropy(np.array([scores], float), np.array([target])).item()


def gradient(scores, target):
    return cross_entropy_backward(ONE, np.array([scores], float), np.array([target])).input[0].tolist()


def test_scores_are_logits():
    scores = np.log([2.0, 1.0, 5.0])  # shares of 1/4, 1/8 and 5/8
    assert loss(scores, 0) == pytest.approx(math.log(4), rel=1e-15)
    assert loss(scores, 1) == pytest.approx(math.log(8), rel=1e-15)
    assert gradient(scores, 1) == pytest.approx([1 / 4, 1 / 8 - 1, 5 / 8], rel=1e-15)


def test_equal_scores_give_the_logarithm_of_their_number():
    assert loss([3.0] * 7, 2) == pytest.approx(math.log(7), rel=1e-15)
    assert loss([3.0], 0) == 0


def test_the_mean_is_over_every_target():
    scores = np.log(np.array([[[1.0, 1.0, 3.0], [3.0, 1.0, 1.0]], [[1.0, 1.0, 1.0], [3.0, 3.0, 7.0]]]))
    target = np.array([[0, 1, 0], [1, 0, 1]])
    shares = [1 / 4, 1 / 2, 3 / 4, 3 / 4, 1 / 4, 7 / 8]
    assert cross_entropy(scores, target) == pytest.approx(-sum(map(math.log, shares)) / 6, rel=1e-15)
    grads = cross_entropy_backward(np.array(6.0), scores, target)
    assert grads.input[0].tolist() == [pytest.approx([-3 / 4, 1 / 2, -1 / 4]), pytest.approx([3 / 4, -1 / 2, 1 / 4])]
    assert grads.input[1, 0].tolist() == pytest.approx([1 / 4, -3 / 4, 1 / 8])


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_positions_are_as_good_as_a_batch(rank):
    rng = np.random.default_rng(rank)
    scores, target = rng.standard_normal((2, 5, *(2, 3, 4)[:rank])), rng.integers(0, 5, (2, *(2, 3, 4)[:rank]))
    rows = np.moveaxis(scores, 1, -1).reshape(-1, 5)
    assert cross_entropy(scores, target) == pytest.approx(cross_entropy(rows, target.ravel()).item(), rel=1e-14)
    grads = cross_entropy_backward(ONE, scores, target).input
    expected = cross_entropy_backward(ONE, rows, target.ravel()).input
    assert np.moveaxis(grads, 1, -1).reshape(-1, 5) == pytest.approx(expected, rel=1e-14)


def test_gradients_of_the_scores_of_a_position_sum_to_zero():
    scores, target = np.random.default_rng(0).standard_normal((4, 6, 3)), np.zeros((4, 3), int)
    assert abs(cross_entropy_backward(ONE, scores, target).input.sum(axis=1)).max() < 1e-16


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_nothing_overflows_or_warns(dtype):
    scores, target = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype), np.array([1, 1])
    with warnings.catch_warnings(action="error"):
        assert cross_entropy(scores, target) == 1e4
        assert cross_entropy_backward(np.array(2, dtype), scores, target).input.tolist() == [[1, -1], [0, 0]]


def test_a_certain_gradient_keeps_its_relative_accuracy():
    first, second = gradient([40.0, 0.0], 0)
    assert first == pytest.approx(-math.exp(-40), rel=1e-14)  # where 1 less the share would be 0
    assert second == pytest.approx(math.exp(-40), rel=1e-14)


@pytest.mark.parametrize(
    ("scores", "target", "expected"),
    [
        ([-INF, 0.0], 0, INF),
        ([-INF, 0.0], 1, 0),
        ([INF, 0.0], 0, NAN),
        ([INF, 0.0], 1, NAN),
        ([NAN, 0.0], 1, NAN),
        ([-INF, -INF], 1, NAN),
    ],
)
def test_what_is_not_finite(scores, target, expected):
    with warnings.catch_warnings(action="error"):
        np.testing.assert_equal(loss(scores, target), float(expected))
        assert np.isnan(gradient(scores, target)).all() == math.isnan(expected)


@pytest.mark.parametrize("spatial", [(), (3,), (2, 3, 4)])
def test_an_empty_batch_has_no_mean_and_an_empty_gradient(spatial):
    scores, target = np.zeros((0, 3, *spatial), np.float32), np.zeros((0, *spatial), np.int64)
    with warnings.catch_warnings(action="error"):
        output = cross_entropy(scores, target)
        grads = cross_entropy_backward(np.array(1, np.float32), scores, target)
    assert np.isnan(output)
    assert (type(output), output.shape, output.dtype) == (np.ndarray, (), np.float32)
    assert grads.input.shape == scores.shape


def test_the_target_has_no_gradient():
    assert cross_entropy_backward(ONE, np.zeros((1, 2)), np.array([0]))._fields == ("input",)


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (np.array([0, 3]), InvalidValueError, "target must be between 0 and 2 everywhere, got 3"),
        (np.array([0, -1]), InvalidValueError, "target must be between 0 and 2 everywhere, got -1"),
        (np.array([-100, 0]), InvalidValueError, "target must be between 0 and 2 everywhere, got -100"),
        (np.array([0]), InvalidValueError, "target must have shape (2,), got (1,)"),
        (np.array([[0], [0]]), InvalidValueError, "target must have shape (2,), got (2, 1)"),
        (np.array([0, 1], np.int32), InvalidTypeError, "target must have dtype int64, got int32"),
        (np.array([0, 1], np.uint64), InvalidTypeError, "target must have dtype int64, got uint64"),
        (np.array([0.0, 1.0]), InvalidTypeError, "target must have dtype int64, got float64"),
        ([0, 1], InvalidTypeError, "target must be a NumPy array, got list"),
    ],
)
def test_targets_that_are_no_classes_are_refused(target, error, message):
    scores = np.zeros((2, 3))
    for call in (cross_entropy, lambda *arrays: cross_entropy_backward(ONE, *arrays)):
        with pytest.raises(error) as caught:
            call(scores, target)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3,), "input must have 2 to 5 axes, (batch, channels, *spatial), got shape (3,)"),
        ((1, 0), "input must have at least 1 channel and spatial sizes of at least 1, got shape (1, 0)"),
    ],
)
def test_scores_of_no_class_are_refused(shape, message):
    with pytest.raises(InvalidValueError) as caught:
        cross_entropy(np.zeros(shape), np.zeros(1, int))
    assert str(caught.value) == message


def test_the_gradient_that_comes_in_is_one_number():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(\), got \(1,\)$"):
        cross_entropy_backward(np.ones(1), np.zeros((1, 2)), np.array([0]))
