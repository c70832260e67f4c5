import numpy as np
import pytest

from properties import content
from refconv import InvalidValueError, arguments
from refconv.layers.linear import linear, linear_backward

pytestmark = pytest.mark.usefixtures("path")


def test_weighted_sums_by_hand():
    x, weight = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 10.0, 100.0], [0.0, 1.0, -1.0]])
    assert linear(x, weight).tolist() == [[321, -1]]
    assert linear(x, weight, np.array([0.5, -0.5])).tolist() == [[321.5, -1.5]]


def test_gradients_by_hand():
    x, weight = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0]])
    grads = linear_backward(np.array([[1.0], [10.0]]), x, weight, np.zeros(1))
    assert grads.input.tolist() == [[5, 6], [50, 60]]
    assert grads.weight.tolist() == [[31, 42]]
    assert grads.bias.tolist() == [11]
    assert linear_backward(np.array([[1.0], [10.0]]), x, weight).bias is None


@pytest.mark.parametrize("leading", [(), (1,), (2, 3), (2, 1, 3, 2, 1)])
def test_all_axes_before_the_last_are_rows(leading):
    x, weight = content("integer", (*leading, 4), "float64", 0), content("integer", (3, 4), "float64", 1)
    grad = content("integer", (*leading, 3), "float64", 2)
    assert (linear(x, weight) == x @ weight.T).all()
    grads = linear_backward(grad, x, weight, np.zeros(3))
    assert (grads.input == grad @ weight).all()
    assert (grads.weight == grad.reshape(-1, 3).T @ x.reshape(-1, 4)).all()
    assert (grads.bias == grad.reshape(-1, 3).sum(0)).all()
    assert grads.input.shape == x.shape


@pytest.mark.parametrize("shape", [(0, 2), (0, 3, 2), (3, 0, 2)])
def test_no_rows_give_none_and_gradients_of_zero(shape):
    x = np.zeros(shape, np.float32)
    output = linear(x, np.ones((4, 2), np.float32), np.ones(4, np.float32))
    assert output.shape == (*shape[:-1], 4)
    grads = linear_backward(output, x, np.ones((4, 2), np.float32), np.ones(4, np.float32))
    assert grads.input.shape == shape
    assert grads.weight.tolist() == [[0, 0]] * 4
    assert grads.bias.tolist() == [0] * 4


def test_what_is_not_finite_is_not_skipped_where_the_weight_is_0():
    output = linear(np.array([[np.inf, 1.0], [2.0, 1.0]]), np.array([[0.0, 1.0]]))
    assert np.isnan(output[0, 0])
    assert output[1, 0] == 1


@pytest.mark.parametrize(
    ("input", "weight", "bias", "message"),
    [
        ((), (1, 1), None, "input must have at least 1 feature on its last axis, got shape ()"),
        ((2, 0), (1, 0), None, "input must have at least 1 feature on its last axis, got shape (2, 0)"),
        ((2, 3), (3,), None, "weight must have shape (out_features, 3) with at least 1 output, got (3,)"),
        ((2, 3), (4, 2), None, "weight must have shape (out_features, 3) with at least 1 output, got (4, 2)"),
        ((2, 3), (0, 3), None, "weight must have shape (out_features, 3) with at least 1 output, got (0, 3)"),
        ((2, 3), (4, 3), (3,), "bias must have shape (4,), got (3,)"),
        ((2, 3), (4, 3), (1, 4), "bias must have shape (4,), got (1, 4)"),
    ],
)
def test_shapes_that_do_not_match_are_refused(input, weight, bias, message):
    arrays = [None if shape is None else np.zeros(shape) for shape in (input, weight, bias)]
    for call in (lambda: linear(*arrays), lambda: linear_backward(np.zeros((2, 4)), *arrays)):
        with pytest.raises(InvalidValueError) as caught:
            call()
        assert str(caught.value) == message


def test_a_grad_output_of_another_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2, 4\), got \(4, 2\)$"):
        linear_backward(np.zeros((4, 2)), np.zeros((2, 3)), np.zeros((4, 3)))


def test_an_output_too_large_for_memory_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "MEMORY", 1000)
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory \(1000 bytes\), got shape"):
        linear(np.zeros((100, 1)), np.zeros((100, 1)))
