import warnings

import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import InvalidTypeError, InvalidValueError, pad, pad_backward
from refconv.geometry import read_padding

LINE = np.array([[[1.0, 2.0, 3.0]]])
NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize(
    ("mode", "expected", "gradient"),
    [
        ("zeros", [0, 0, 1, 2, 3, 0], [3, 4, 5]),
        ("constant", [7, 7, 1, 2, 3, 7], [3, 4, 5]),
        ("reflect", [3, 2, 1, 2, 3, 2], [3, 2 + 4 + 6, 1 + 5]),
        ("replicate", [1, 1, 1, 2, 3, 3], [1 + 2 + 3, 4, 5 + 6]),
        ("circular", [2, 3, 1, 2, 3, 1], [3 + 6, 1 + 4, 2 + 5]),
    ],
)
def test_each_mode_and_its_gradient_by_hand(mode, expected, gradient):
    attributes = {"padding": ((2, 1),), "mode": mode, "value": 7.0 if mode == "constant" else 0.0}
    assert pad(LINE, **attributes).tolist() == [[expected]]
    assert pad_backward(np.arange(1.0, 7.0).reshape(1, 1, 6), LINE, **attributes).input.tolist() == [[gradient]]


def test_axes_are_in_the_order_of_the_shape():
    output = pad(np.ones((1, 1, 1, 1)), padding=((0, 1), (2, 0)))
    assert output.tolist() == [[[[0, 0, 1], [0, 0, 0]]]]
    assert pad(np.ones((1, 1, 1, 1)), padding=(1, 0)).tolist() == [[[[0], [1], [0]]]]
    assert pad(np.ones((2, 3, 4, 5, 6)), padding=1).shape == (2, 3, 6, 7, 8)


@given(cases("pad", dtype="float64"))
def test_it_is_numpy_s(case):
    input = content("integer", case.inputs[0].shape, "float64", 1)
    attributes = case.attributes
    pairs = [(0, 0), (0, 0), *read_padding(attributes["padding"], input.ndim - 2)]
    if attributes["mode"] in NUMPY_MODES:
        expected = (
            np.pad(input, pairs, NUMPY_MODES[attributes["mode"]]) if input.size else np.zeros(case.grad_output.shape)
        )
    else:
        expected = np.pad(input, pairs, constant_values=attributes["value"])
    np.testing.assert_array_equal(pad(input, **attributes), expected)


@given(cases("pad", dtype="float64"))
def test_forward_and_backward_are_adjoint_exactly(case):
    attributes = {**case.attributes, "value": 0.0}  # the constant has no part in the gradient
    input = content("integer", case.inputs[0].shape, "float64", 1)
    grad_output = content("integer", case.grad_output.shape, "float64", 2)
    assert (pad(input, **attributes) * grad_output).sum() == (
        input * pad_backward(grad_output, input, **attributes).input
    ).sum()


def test_the_constant_is_rounded_to_the_dtype():
    output = pad(np.ones((1, 1, 1), np.float32), padding=1, mode="constant", value=0.1)
    assert output.dtype == np.float32
    assert output[0, 0, 0] == np.float32(0.1)


def test_what_is_not_finite_stays_where_it_belongs():
    input = np.array([[[np.nan, np.inf]]])
    with warnings.catch_warnings(action="error"):
        output = pad(input, padding=1, mode="circular")
        grads = pad_backward(np.array([[[np.inf, 1.0, -np.inf, 1.0]]]), input, padding=1)
    np.testing.assert_array_equal(output, [[[np.inf, np.nan, np.inf, np.nan]]])
    assert grads.input.tolist() == [[[1, -np.inf]]]  # what comes from the padding goes nowhere


@pytest.mark.parametrize("mode", ["zeros", "constant", "reflect", "replicate", "circular"])
def test_no_padding_makes_a_copy(mode):
    grad_output = np.ones((1, 1, 3))
    assert pad(LINE, padding=0, mode=mode).tolist() == LINE.tolist()
    assert not np.shares_memory(pad(LINE, padding=0, mode=mode), LINE)
    assert not np.shares_memory(pad_backward(grad_output, LINE, padding=0, mode=mode).input, grad_output)


@pytest.mark.parametrize("mode", ["zeros", "constant", "reflect", "replicate", "circular"])
def test_an_empty_batch_stays_empty(mode):
    input = np.zeros((0, 2, 4, 5))
    output = pad(input, padding=((1, 0), (2, 3)), mode=mode)
    assert output.shape == (0, 2, 5, 10)
    assert pad_backward(output, input, padding=((1, 0), (2, 3)), mode=mode).input.shape == input.shape


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"padding": 3, "mode": "reflect"}, InvalidValueError, "padding must be smaller than the input's size (3,) where mode is 'reflect', got ((3, 3),)"),
        ({"padding": ((0, 4),), "mode": "circular"}, InvalidValueError, "padding must be at most the input's size (3,) where mode is 'circular', got ((0, 4),)"),
        ({"padding": -1}, InvalidValueError, "padding must be between 0 and 2147483647, got -1"),
        ({"padding": (1, 1)}, InvalidTypeError, "padding must be an int or a sequence of 1 ints or (before, after) pairs, got (1, 1)"),
        ({"padding": 1, "mode": "edge"}, InvalidValueError, "mode must be one of 'zeros', 'constant', 'reflect', 'replicate', 'circular', got 'edge'"),
        ({"padding": 1, "value": 1}, InvalidValueError, "value must be 0 unless mode is 'constant', got 1.0"),
        ({"padding": 1, "mode": "reflect", "value": -2.0}, InvalidValueError, "value must be 0 unless mode is 'constant', got -2.0"),
        ({"padding": 1, "mode": "constant", "value": np.inf}, InvalidValueError, "value must be finite, got inf"),
        ({"padding": 1, "mode": "constant", "value": "0"}, InvalidTypeError, "value must be a real number, got '0'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(attributes, error, message):
    for call in (pad, lambda x, **attributes: pad_backward(x, x, **attributes)):
        with pytest.raises(error) as caught:
            call(LINE, **attributes)
        assert str(caught.value) == message


def test_a_constant_beyond_the_dtype_is_refused():
    with pytest.raises(InvalidValueError, match=r"^value must be finite in the dtype of input, float32, got 1e\+39$"):
        pad(LINE.astype(np.float32), padding=1, mode="constant", value=1e39)
    assert pad(LINE, padding=1, mode="constant", value=1e39)[0, 0, 0] == 1e39


@pytest.mark.parametrize("mode", ["zeros", "constant", "replicate"])
def test_an_output_larger_than_memory_is_refused_before_it_is_made(mode):
    with pytest.raises(
        InvalidValueError, match=r" must fit into a quarter of memory \(\d+ bytes\), got shape \(0, 1, 4294967297, "
    ):
        pad(np.zeros((0, 1, 3, 3)), padding=2**31 - 1, mode=mode)
