import numpy as np
import pytest

from properties import content
from refconv import InvalidTypeError, InvalidValueError, arguments
from refconv.layers.non_local import non_local, non_local_backward
from refconv.layers.softmax import softmax

ONE = np.ones((1, 1))


def example(*, batch=2, spatial=(2, 3)):
    """An input of three channels, and theta, phi and g, to two."""
    shapes = (batch, 3, *spatial), (2, 3), (2, 3), (2, 3)
    return [content("normal", shape, "float64", seed) for seed, shape in enumerate(shapes)]


def test_two_positions_by_hand():
    # x is 0 and 1: the first sees both alike, the second itself e times as well.
    output = non_local(np.array([[[0.0, 1.0]]]), ONE, ONE, 10 * ONE)
    assert output == pytest.approx(np.array([[[5, 10 * np.e / (1 + np.e)]]]), rel=1e-15)


def test_a_gradient_by_hand():
    # The shares of the first position stay one half each; its own query moves nothing else, being 0.
    x, grad = np.array([[[0.0, 1.0]]]), np.array([[[1.0, 0.0]]])
    grads = non_local_backward(grad, x, ONE, ONE, 10 * ONE)
    assert grads.g == pytest.approx(np.array([[0.5]]), rel=1e-15)
    assert grads.input == pytest.approx(np.array([[[5 + 2.5, 5]]]), rel=1e-15)
    assert grads.theta.tolist() == grads.phi.tolist() == [[0]]


@pytest.mark.parametrize("spatial", [(4,), (2, 3), (2, 1, 2)])
@pytest.mark.parametrize("mode", ["embedded_gaussian", "gaussian"])
def test_it_is_a_softmax_over_all_positions(spatial, mode):
    x, theta, phi, g = example(spatial=spatial)
    output = non_local(x, theta, phi, g) if mode != "gaussian" else non_local(x, None, None, g, mode=mode)
    for n in range(len(x)):
        columns = x[n].reshape(3, -1)
        query, key = (theta @ columns, phi @ columns) if mode != "gaussian" else (columns, columns)
        for i in range(columns.shape[1]):
            shares = softmax(query[:, i] @ key, axis=0)
            assert output[n].reshape(2, -1)[:, i] == pytest.approx(g @ (columns @ shares), rel=1e-12)


def test_gaussian_is_embedded_by_nothing():
    x, _, _, _ = example()
    grad, eye = content("normal", x.shape, "float64", 7), np.eye(3)
    assert non_local(x, None, None, eye, mode="gaussian") == pytest.approx(non_local(x, eye, eye, eye), rel=1e-12)
    grads, embedded = (
        non_local_backward(grad, x, None, None, eye, mode="gaussian"),
        non_local_backward(grad, x, eye, eye, eye),
    )
    assert grads.input == pytest.approx(embedded.input, rel=1e-10)
    assert grads.g == pytest.approx(embedded.g, rel=1e-10)
    assert grads.theta is grads.phi is None


def test_theta_sees_the_position_and_phi_the_others():
    x = np.array([[[0.0, 1.0]]])
    output = non_local(x, np.array([[2.0]]), np.array([[0.0]]), ONE)
    assert output.tolist() == [[[0.5, 0.5]]]
    rows = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    first = non_local(rows, np.array([[50.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]]))
    assert first == pytest.approx(np.array([[[1.5, 2.0]]]), abs=1e-15)  # the second asks, and the first answers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows(dtype):
    x = np.array([[[100.0, -100.0]]], dtype)
    output = non_local(x, ONE.astype(dtype), ONE.astype(dtype), ONE.astype(dtype))
    assert output.tolist() == [[[100, -100]]]


def test_one_position_sees_itself_alone():
    x, theta, phi, g = example(spatial=(1,))
    assert non_local(x, theta, phi, g)[:, :, 0] == pytest.approx(x[:, :, 0] @ g.T, rel=1e-13)
    grads = non_local_backward(np.ones((2, 2, 1)), x, theta, phi, g)
    assert not grads.theta.any()
    assert not grads.phi.any()


def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero():
    x, theta, phi, g = example(batch=0)
    output = non_local(x, theta, phi, g)
    assert output.shape == (0, 2, 2, 3)
    grads = non_local_backward(output, x, theta, phi, g)
    assert [grad.shape for grad in grads] == [x.shape, theta.shape, phi.shape, g.shape]
    assert not any(grad.any() for grad in grads)


@pytest.mark.parametrize(
    ("shapes", "mode", "error", "message"),
    [
        (((1, 3), (2, 3), (2, 3), (2, 3)), "embedded_gaussian", InvalidValueError, "input must have 3 to 5 axes, (batch, channels, *spatial), got shape (1, 3)"),
        (((1, 3, 2), (2, 3), (2, 3), (2, 4)), "embedded_gaussian", InvalidValueError, "g must have shape (inner, 3) with an inner of at least 1, got (2, 4)"),
        (((1, 3, 2), (2, 3), (2, 3), (3,)), "embedded_gaussian", InvalidValueError, "g must have shape (inner, 3) with an inner of at least 1, got (3,)"),
        (((1, 3, 2), (0, 3), (0, 3), (0, 3)), "embedded_gaussian", InvalidValueError, "g must have shape (inner, 3) with an inner of at least 1, got (0, 3)"),
        (((1, 3, 2), (1, 3), (2, 3), (2, 3)), "embedded_gaussian", InvalidValueError, "theta must have shape (2, 3), got (1, 3)"),
        (((1, 3, 2), (2, 3), (2, 3, 1), (2, 3)), "embedded_gaussian", InvalidValueError, "phi must have shape (2, 3), got (2, 3, 1)"),
        (((1, 3, 2), None, (2, 3), (2, 3)), "embedded_gaussian", InvalidTypeError, "theta must be a NumPy array, got NoneType"),
        (((1, 3, 2), (2, 3), None, (2, 3)), "embedded_gaussian", InvalidTypeError, "phi must be a NumPy array, got NoneType"),
        (((1, 1, 2), (1, 1), None, (1, 1)), "gaussian", InvalidValueError, "theta must be None where mode is 'gaussian', got ndarray"),
        (((1, 1, 2), None, (1, 1), (1, 1)), "gaussian", InvalidValueError, "phi must be None where mode is 'gaussian', got ndarray"),
        (((1, 1, 2), None, None, (1, 1)), "dot_product", InvalidValueError, "mode must be one of 'embedded_gaussian', 'gaussian', got 'dot_product'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(shapes, mode, error, message):
    arrays = [None if shape is None else np.zeros(shape) for shape in shapes]
    for call in (
        lambda: non_local(*arrays, mode=mode),
        lambda: non_local_backward(np.zeros((1, 2, 2)), *arrays, mode=mode),
    ):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message


def test_a_grad_output_of_another_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2, 2, 2, 3\), got \(2, 3, 2, 3\)$"):
        non_local_backward(np.zeros((2, 3, 2, 3)), *example())


@pytest.mark.parametrize(("name", "channels", "positions"), [("shares", 1, 50), ("output", 500, 1)])
def test_what_is_too_large_for_memory_is_refused(monkeypatch, name, channels, positions):
    weight = np.zeros((channels, 1))
    monkeypatch.setattr(arguments, "MEMORY", 4001)
    with pytest.raises(
        InvalidValueError, match=rf"^{name} must fit into a quarter of memory \(4001 bytes\), got shape"
    ):
        non_local(np.zeros((2, 1, positions)), weight, weight, weight)
