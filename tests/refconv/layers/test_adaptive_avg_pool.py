from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import (
    ARITHMETICS,
    InvalidTypeError,
    InvalidValueError,
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    avg_pool,
)
from refconv.layers.adaptive_avg_pool import adaptive_avg_pool_bound

UNIT = 2.0**-24


def by_windows(input, output_size):
    sizes = input.shape[2:]
    outputs = np.broadcast_to(output_size, len(sizes)).tolist()
    output = np.empty((*input.shape[:2], *outputs))
    for index in np.ndindex(*outputs):
        ends = [
            slice(floor(Fraction(o * size, out)), ceil(Fraction((o + 1) * size, out)))
            for o, size, out in zip(index, sizes, outputs, strict=True)
        ]
        output[(..., *index)] = input[(..., *ends)].mean(axis=tuple(range(2, input.ndim)))
    return output


@given(cases("adaptive_avg_pool", dtype="float64"))
def test_it_is_the_mean_of_each_window(case):
    input = content("integer", case.inputs[0].shape, "float64", 1)
    assert (adaptive_avg_pool(input, **case.attributes) == by_windows(input, **case.attributes)).all()


@given(cases("adaptive_avg_pool", dtype="float64"))
def test_what_is_shared_is_all_that_came(case):
    grads = adaptive_avg_pool_backward(case.grad_output, case.inputs[0], **case.attributes)
    everything = case.grad_output.sum()
    assert grads.input.sum() == pytest.approx(everything, rel=1e-12, abs=1e-12 * abs(case.grad_output).sum())


def test_means_by_hand():
    input = np.array([[[1.0, 2.0, 6.0, 8.0, 12.0]]])
    assert adaptive_avg_pool(input, output_size=1).tolist() == [[[29 / 5]]]
    assert adaptive_avg_pool(input, output_size=2).tolist() == [[[3, 26 / 3]]]  # both hold the third
    assert adaptive_avg_pool(input, output_size=3).tolist() == [[[1.5, 16 / 3, 10]]]  # 0:2, 1:4, 3:5
    assert adaptive_avg_pool(input, output_size=5).tolist() == input.tolist()


def test_windows_end_at_the_ceiling():
    # Rounded down, the first of three windows over four would hold one position.
    assert adaptive_avg_pool(np.array([[[2.0, 4.0, 8.0, 16.0]]]), output_size=3).tolist() == [[[3, 6, 12]]]


def test_an_output_larger_than_the_input_repeats_it():
    assert adaptive_avg_pool(np.array([[[2.0, 4.0]]]), output_size=3).tolist() == [[[2, 3, 4]]]
    assert adaptive_avg_pool(np.array([[[2.0, 4.0]]]), output_size=4).tolist() == [[[2, 2, 4, 4]]]


def test_gradients_by_hand():
    grads = adaptive_avg_pool_backward(np.array([[[2.0, 30.0, 400.0]]]), np.zeros((1, 1, 5)), output_size=3)
    assert grads.input.tolist() == [[[1, 11, 10, 210, 200]]]
    grads = adaptive_avg_pool_backward(np.array([[[1.0, 20.0, 300.0]]]), np.zeros((1, 1, 2)), output_size=3)
    assert grads.input.tolist() == [[[11, 310]]]


@pytest.mark.parametrize("size", [(6,), (2, 3), (3, 1, 2), (1, 1, 6), (1, 1)])
def test_one_is_the_mean_of_everything(size):
    input = content("integer", (2, 3, *size), "float64", 0)
    axes = tuple(range(2, input.ndim))
    assert (adaptive_avg_pool(input, output_size=1) == input.mean(axes, keepdims=True)).all()
    grad_output = content("integer", (2, 3, *(1,) * len(size)), "float64", 1)
    grads = adaptive_avg_pool_backward(grad_output, input, output_size=1)
    assert (grads.input == np.broadcast_to(grad_output / np.prod(size), input.shape)).all()


def test_axes_have_their_own_sizes():
    input = np.arange(8.0).reshape(1, 1, 2, 4)
    assert adaptive_avg_pool(input, output_size=(1, 2)).tolist() == [[[[2.5, 4.5]]]]
    assert adaptive_avg_pool(input, output_size=(2, 1)).tolist() == [[[[1.5], [5.5]]]]


@given(cases("adaptive_avg_pool", dtype="float64"))
def test_where_sizes_divide_it_is_average_pooling(case):
    outputs = np.array(case.grad_output.shape[2:])
    input = content("integer", (*case.inputs[0].shape[:2], *(3 * outputs)), "float64", 0)
    pooled = adaptive_avg_pool(input, output_size=tuple(outputs.tolist()))
    assert (pooled == avg_pool(input, kernel_size=3)).all()


def test_what_is_not_finite_stays_in_its_windows():
    output = adaptive_avg_pool(np.array([[[np.nan, 1.0, 1.0, np.inf]]]), output_size=2)
    assert np.isnan(output[0, 0, 0])
    assert output[0, 0, 1] == np.inf


def test_an_empty_batch_gives_an_empty_output_and_gradient():
    input = np.zeros((0, 2, 3, 3))
    for size in (1, 2):
        output = adaptive_avg_pool(input, output_size=size)
        assert output.shape == (0, 2, size, size)
        assert adaptive_avg_pool_backward(output, input, output_size=size).input.shape == input.shape


def test_integers_are_exact_where_windows_hold_a_power_of_two():
    input = np.array([[[1.0, 2.0, 3.0, 5.0, 8.0]]])
    output = adaptive_avg_pool(input, output_size=3)
    limit = adaptive_avg_pool_bound(ARITHMETICS["float32"], output, input, output_size=3).limit
    assert limit[0, 0, [0, 2]].tolist() == [0, 0]
    assert limit[0, 0, 1] == pytest.approx(3 * UNIT * output[0, 0, 1])


def test_what_makes_no_sense_is_refused():
    input = np.zeros((1, 1, 4))
    with pytest.raises(InvalidValueError, match=r"^output_size must be between 1 and 2147483647, got 0$"):
        adaptive_avg_pool(input, output_size=0)
    with pytest.raises(InvalidTypeError, match=r"^output_size must be an int or a sequence of 1 ints, got None$"):
        adaptive_avg_pool(input, output_size=None)
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory"):
        adaptive_avg_pool(input[..., None], output_size=2**30)
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 1, 2\), got \(1, 1, 3\)$"):
        adaptive_avg_pool_backward(np.zeros((1, 1, 3)), input, output_size=2)
