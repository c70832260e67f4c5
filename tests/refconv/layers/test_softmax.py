import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError
from refconv.layers.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

FUNCTIONS = pytest.mark.parametrize(
    ("function", "backward"), [(softmax, softmax_backward), (log_softmax, log_softmax_backward)]
)


def test_shares_by_hand():
    assert softmax(np.log([[1.0, 3.0]])) == pytest.approx(np.array([[0.25, 0.75]]), rel=1e-15)
    assert softmax(np.array([[2.0, 2.0]])).tolist() == [[0.5, 0.5]]


def test_logarithms_of_shares_by_hand():
    output = log_softmax(np.log([[1.0, 3.0]]))
    assert output == pytest.approx(np.log([[0.25, 0.75]]), rel=1e-15)


def test_gradients_by_hand():
    x, grad = np.log([[1.0, 3.0]]), np.array([[1.0, 0.0]])
    assert softmax_backward(grad, x).input == pytest.approx(np.array([[0.1875, -0.1875]]), rel=1e-14)
    assert log_softmax_backward(grad, x).input == pytest.approx(np.array([[0.75, -0.75]]), rel=1e-14)


def test_the_default_axis_is_the_channels():
    x = np.zeros((2, 4, 5))
    assert softmax(x)[0, 0, 0] == 1 / 4
    assert softmax(x, axis=-1)[0, 0, 0] == 1 / 5
    assert softmax(x, axis=0)[0, 0, 0] == softmax(x, axis=-3)[0, 0, 0] == 1 / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_nothing_overflows(dtype):
    x = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4]], dtype)
    assert softmax(x).real == pytest.approx(np.array([[1, 0, 0], [1 / 3] * 3]), rel=1e-6)
    assert log_softmax(x).real == pytest.approx(np.array([[0, -1e4, -2e4], [-np.log(3)] * 3]), rel=1e-6)
    grad = np.array([[1, 2, 4]] * 2, dtype)
    assert softmax_backward(grad, x).input.real[0].tolist() == [0, 0, 0]
    assert log_softmax_backward(grad, x).input.real[0].tolist() == [-6, 2, 4]


def test_a_log_softmax_of_large_inputs_keeps_its_digits():
    x = np.array([[1e7, 1e7 - 1]], np.float32)
    assert log_softmax(x) == pytest.approx(np.array([[-0.31326169, -1.31326169]]), rel=1e-6)


def test_what_is_not_finite_makes_its_row_nan():
    rows = np.array([[np.nan, 0], [np.inf, 0], [-np.inf, -np.inf], [-np.inf, 0]])
    assert np.isnan(softmax(rows)).tolist() == [[True, True]] * 3 + [[False, False]]
    assert softmax(rows)[3].tolist() == [0, 1]
    assert np.isnan(log_softmax(rows)).tolist() == [[True, True]] * 3 + [[False, False]]
    assert log_softmax(rows)[3].tolist() == [-np.inf, 0]


@FUNCTIONS
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_what_is_empty_stays_empty(function, backward, shape):
    x = np.zeros(shape, np.float32)
    assert function(x, axis=-1).shape == backward(x, x, axis=-1).input.shape == shape


@FUNCTIONS
def test_an_axis_of_size_1_has_one_share_and_no_gradient(function, backward):
    x = np.array([[3.0], [-7.0]])
    assert function(x).tolist() == [[1 if function is softmax else 0]] * 2
    assert backward(x, x).input.tolist() == [[0], [0]]


@FUNCTIONS
@pytest.mark.parametrize(
    ("input", "axis", "error", "message"),
    [
        (np.zeros(()), 0, InvalidValueError, "input must have at least 1 axis, got shape ()"),
        (np.zeros(3), 1, InvalidValueError, "axis must be between -1 and 0, got 1"),
        (np.zeros((3, 2)), -3, InvalidValueError, "axis must be between -2 and 1, got -3"),
        (np.zeros((3, 2)), 1.0, InvalidTypeError, "axis must be an int, got 1.0"),
        ([1.0], 0, InvalidTypeError, "input must be a NumPy array, got list"),
    ],
)
def test_what_makes_no_sense_is_refused(function, backward, input, axis, error, message):
    for call in (lambda: function(input, axis=axis), lambda: backward(input, input, axis=axis)):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message


@FUNCTIONS
def test_a_grad_output_of_another_shape_is_refused(function, backward):
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 2\), got \(2, 1\)$"):
        backward(np.zeros((2, 1)), np.zeros((1, 2)))
