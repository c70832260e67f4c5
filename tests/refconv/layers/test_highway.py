import warnings

import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import InvalidTypeError, InvalidValueError, highway, highway_backward
from refconv.bounds import ARITHMETICS
from refconv.layers.highway import highway_backward_bound, highway_bound

INPUT, TRANSFORM, GATE = np.array([[2.0, 2.0, 2.0]]), np.array([[10.0, 10.0, 10.0]]), np.array([[0.0, 1.0, 0.25]])


def test_an_open_gate_lets_the_transform_through_a_shut_one_carries_the_input():
    assert highway(INPUT, TRANSFORM, GATE).tolist() == [[2, 10, 4]]


def test_gradients_by_hand():
    grads = highway_backward(np.array([[1.0, 1.0, 4.0]]), INPUT, TRANSFORM, GATE)
    assert grads.input.tolist() == [[1, 0, 3]]
    assert grads.transform.tolist() == [[0, 1, 1]]
    assert grads.gate.tolist() == [[8, 8, 32]]


def test_gates_beyond_0_and_1_extrapolate():
    assert highway(np.array([2.0]), np.array([10.0]), np.array([-1.0])).tolist() == [-6]


@given(cases("highway"))
def test_the_bounds_hold_for_the_formula_with_one_product(case):
    grad_output, *inputs = (array.astype(float) for array in case.arrays.values())
    bound = highway_bound(ARITHMETICS["float32"], None, *inputs)
    bounds = highway_backward_bound(ARITHMETICS["float32"], None, grad_output, *inputs)
    grads = highway_backward(grad_output, *inputs)
    x, h, t = case.inputs
    assert (abs(x + t * (h - x) - highway(*inputs)) <= bound.limit).all()
    assert (abs(case.grad_output - case.grad_output * t - grads.input) <= bounds[0].limit).all()
    assert (abs(case.grad_output * h - case.grad_output * x - grads.gate) <= bounds[2].limit).all()


def test_an_empty_batch_stays_empty():
    empty = np.zeros((0, 2, 3))
    assert highway(empty, empty, empty).shape == (0, 2, 3)
    assert [grad.shape for grad in highway_backward(empty, empty, empty, empty)] == [(0, 2, 3)] * 3


def test_what_is_not_finite_doesnt_warn():
    with warnings.catch_warnings(action="error"):
        output = highway(np.array([np.inf, 1.0]), np.array([1.0, np.inf]), np.array([0.5, 0.0]))
        highway_backward(np.array([np.inf]), np.array([np.inf]), np.array([np.inf]), np.array([1.0]))
    np.testing.assert_array_equal(output, [np.inf, np.nan])  # what is multiplied by a shut gate, too


@pytest.mark.parametrize("name", ["transform", "gate"])
def test_arrays_of_another_shape_or_dtype_are_refused(name):
    arrays = {"transform": np.zeros((2, 3)), "gate": np.zeros((2, 3))}
    with pytest.raises(InvalidValueError, match=rf"^{name} must have shape \(2, 3\), got \(2, 1\)$"):
        highway(np.zeros((2, 3)), *{**arrays, name: np.zeros((2, 1))}.values())
    with pytest.raises(InvalidTypeError, match=rf"^{name} must have the dtype of input, float64, got float32$"):
        highway(np.zeros((2, 3)), *{**arrays, name: np.zeros((2, 3), np.float32)}.values())
