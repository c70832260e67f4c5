import numpy as np
import pytest
import scipy.fft

from refconv import ARITHMETICS, conv, conv_backward
from refconv.bounds import ERRORS_PER_B, multilinear

FAST = ARITHMETICS["fast"]


def bound_of(x, w):
    (bound,) = multilinear(conv, FAST, (conv(x, w),), (x, w), {})
    return bound


def by_fft(x, w):
    """One channel's correlation in float32, by transforms of the signal's length."""
    x, w = x.astype(np.float32), w.astype(np.float32)
    size = x.shape[-1]
    spectrum = scipy.fft.rfft(x, size) * scipy.fft.rfft(w, size).conj()
    return scipy.fft.irfft(spectrum, size)[..., : size - w.shape[-1] + 1]


def signals(seed, length=64, taps=9, scale=1.0):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((1, 1, length)), rng.standard_normal((1, 1, taps))
    x[..., 0] *= scale
    return x.astype(np.float32).astype(float), w.astype(np.float32).astype(float)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_an_fft_keeps_the_bound_that_it_breaks_element_by_element(scale):
    broken = 0
    for seed in range(50):
        x, w = signals(seed, scale=scale)
        errors = abs(by_fft(x, w) - conv(x, w))
        assert (errors <= bound_of(x, w).limit).all()
        (direct,) = multilinear(conv, ARITHMETICS["float32"], (conv(x, w),), (x, w), {})
        broken += (errors > direct.limit).any()
    assert broken or scale == 1


@pytest.mark.parametrize("scale", [1.0, 2.0**-10])
def test_the_bounds_by_hand(scale):
    x, w = np.array([[[3.0, 0.0, 0.0, 4.0]]]) * scale, np.array([[[2.0]]])
    unit, levels, norms = 2.0**-24 + 2.0**-53, 1 + 1 + 2, 5.0 * scale * 2
    bound = bound_of(x, w)
    assert bound.rigorous[0, 0] == pytest.approx([unit * (1100 + 20 * levels + 1) * norms] * 4, rel=1e-9)
    assert bound.statistical[0, 0] == pytest.approx([unit * levels * norms] * 4, rel=1e-9)


def test_no_case_is_exact():
    assert (bound_of(np.ones((1, 1, 3)), np.ones((1, 1, 2))).limit > 0).all()


def test_a_gradient_that_there_is_none_of_has_no_bound():
    x, w = signals(0)
    grad_output = conv(x, w)
    gradients = conv_backward(grad_output, x, w)
    to_input, to_weight, to_bias = multilinear(conv_backward, FAST, gradients, (grad_output, x, w), {})
    assert gradients.bias is None
    assert to_bias is None
    assert (to_input.limit > 0).all()
    assert to_input.limit.shape == x.shape
    assert (to_weight.limit > 0).all()
    assert to_weight.limit.shape == w.shape


def test_channels_and_samples_keep_to_themselves():
    x, w = np.zeros((2, 2, 4)), np.ones((2, 1, 2))
    x[1, 1] = 1e6
    (bound,) = multilinear(conv, FAST, (conv(x, w, groups=2),), (x, w), {"groups": 2})
    assert (bound.limit > 1e-3).tolist() == [[[False] * 3, [False] * 3], [[False] * 3, [True] * 3]]


def test_weights_rounded_to_tf32_are_seen():
    worst = []
    for seed in range(20):
        x, w = signals(seed)
        rounded = (w * (1 + 2.0**-11)).astype(np.float32)
        worst.append((abs(conv(x, rounded.astype(float)) - conv(x, w)) / bound_of(x, w).statistical).max())
    assert np.median(worst) > 2 * ERRORS_PER_B


def test_what_is_summed_without_a_transform_keeps_the_bound_of_sums():
    grad_output = np.tile([1.0, 0.4], 14).astype(np.float32).reshape(1, 1, 28)
    gradient = grad_output.astype(float).sum(keepdims=True).ravel()
    error = abs(np.cumsum(grad_output, dtype=np.float32)[-1] - gradient)
    arrays = grad_output.astype(float), np.ones((1, 1, 28)), np.ones((1, 1, 1)), np.zeros(1)
    *_, bound = multilinear(conv_backward, FAST, conv_backward(*arrays), arrays, {})
    assert 0 < error <= bound.limit
