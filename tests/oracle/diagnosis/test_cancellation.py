"""A variance in one pass is told by the factors that results are off by; other mistakes of norms aren't called that."""

import numpy as np
import pytest

import oracle
from oracle.diagnosis.cancellation import NAME


def layer_norm(variance):
    def function(input, weight=None, bias=None, *, normalized_shape, eps):
        axes = tuple(range(input.ndim - np.size(normalized_shape), input.ndim))
        mean = input.mean(axes, keepdims=True)
        with np.errstate(all="ignore"):
            output = (input - mean) / np.sqrt(variance(input, mean, axes) + np.float32(eps))
            output = output if weight is None else output * weight
            return (output if bias is None else output + bias).astype(input.dtype)

    return function


def one_pass(input, mean, axes):
    return np.mean(input * input, axes, keepdims=True) - mean * mean


def one_pass_in_order(input, mean, axes):
    """One value after another, as a thread adds them."""
    flat = np.ascontiguousarray(input).reshape(*input.shape[: axes[0]], -1)
    squares = np.add.accumulate(flat * flat, axis=-1, dtype=input.dtype)[..., -1:] / np.float32(flat.shape[-1])
    return squares.reshape(mean.shape) - mean * mean


def halved(input, mean, axes):
    return input.var(axes, keepdims=True) / 2


def of_raised_eps(input, mean, axes):
    return input.var(axes, keepdims=True) + np.float32(1e-3)


@pytest.mark.parametrize("variance", [one_pass, one_pass_in_order])
def test_a_variance_in_one_pass_is_told(variance):
    failures = oracle.check(oracle.subject(layer_norm=layer_norm(variance)), ["layer_norm"], examples=150).failures
    assert NAME in {failure.diagnosis for failure in failures}


@pytest.mark.parametrize("variance", [halved, of_raised_eps])
def test_another_variance_is_not_called_that(variance):
    failures = oracle.check(oracle.subject(layer_norm=layer_norm(variance)), ["layer_norm"], examples=150).failures
    assert failures
    assert NAME not in {failure.diagnosis for failure in failures}
