import numpy as np
import pytest
from numba import config

from properties import content
from refconv.statistics import Moments, normalize, normalize_backward

SHAPES = {"planes": (8, 7, 2, 9000), "rows": (1, 700, 1500, 1), "groups": (1, 24, 3, 4000)}


def drawn(kind, dtype="float32"):
    shape = SHAPES[kind]
    x, grad = (content("normal", shape, dtype, seed) for seed in (0, 1))
    channels = {"planes": 14, "rows": 1500, "groups": 12}[kind]
    weight, bias = (content("normal", (channels,), dtype, seed) for seed in (2, 3))
    return x, grad, weight, bias


@pytest.mark.parametrize("kind", SHAPES)
def test_the_number_of_threads_changes_no_bit(kind, monkeypatch):
    x, grad, weight, bias = drawn(kind)
    results = []
    for threads in (1, 2):
        monkeypatch.setattr(config, "NUMBA_NUM_THREADS", threads)
        output, moments = normalize(x, weight, bias, 1e-5)
        results.append((output, *moments, *normalize_backward(grad, x, weight, 1e-5)))
    for one, other in zip(*results, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", SHAPES)
def test_every_loop_is_the_formula(kind):
    x, grad, weight, bias = drawn(kind, "float64")
    output, moments = normalize(x, weight, bias, 0.5)
    grads = normalize_backward(grad, x, weight, 0.5)
    axes = (0, 2, 3)
    mean, root = x.mean(axes, keepdims=True), np.sqrt(x.var(axes, keepdims=True) + 0.5)
    z, w = (x - mean) / root, np.resize(weight, (1, *x.shape[1:3], 1))
    h = grad * w
    assert abs(moments.mean - mean.ravel()).max() < 1e-13
    assert abs(output - z * w - np.resize(bias, w.shape)).max() < 1e-12
    expected = (h - h.mean(axes, keepdims=True) - z * (h * z).mean(axes, keepdims=True)) / root
    assert abs(grads[0] - expected).max() < 1e-12
    for got, terms in zip(grads[1:], (grad * z, grad), strict=True):
        assert abs(got - terms.sum((0, 3)).reshape(-1, weight.size).sum(0)).max() < 1e-10


def test_moments_that_are_given_stay_as_they_are():
    x, grad, weight, bias = drawn("planes", "float64")
    given = Moments(*(np.full(7, value) for value in (3.0, 0.5, 4.0)))
    output, moments = normalize(x, weight, bias, 0.0, given)
    assert moments is given
    assert (given.mean.tolist(), given.variance.tolist()) == ([3.5] * 7, [4.0] * 7)
    w, b = (np.resize(array, (1, 7, 2, 1)) for array in (weight, bias))
    assert abs(output - (x - 3.5) / 2 * w - b).max() < 1e-14
    grad_input, grad_weight, grad_bias = normalize_backward(grad, x, weight, 0.0, given)
    assert abs(grad_input - grad * w / 2).max() < 1e-15
    assert abs(grad_weight - (grad * (x - 3.5) / 2).sum((0, 3)).ravel()).max() < 1e-10
    assert abs(grad_bias - grad.sum((0, 3)).ravel()).max() < 1e-10


def test_a_mean_that_the_first_sum_misses_by_far_is_centred_again():
    # In float32, sums of 2**24 lose what is added: of a million such values the mean is off by more than their spread.
    x = (content("normal", (1, 1, 1, 10**6), "float64", 0) + 2.0**21).astype(np.float32)
    _, moments = normalize(x, np.ones(1, "f"), np.zeros(1, "f"), 0.0)
    exact = x.astype(np.float64)
    assert abs(moments.near.astype(np.float64) + moments.correction - exact.mean()) < 1e-4
    assert abs(moments.variance - exact.var()) < 1e-5
