import numpy as np
import pytest

from refconv import InvalidTypeError, InvalidValueError
from refconv.bounds import FLOAT32
from refconv.layers.squash import squash, squash_backward, squash_backward_bound, squash_bound


def test_a_vector_by_hand():
    assert squash(np.array([[3.0, 4.0]])) == pytest.approx(25 / 26 * np.array([[0.6, 0.8]]), rel=1e-15)
    assert squash(np.array([[0.0, 0.5]])) == pytest.approx(np.array([[0, 0.2]]), rel=1e-15)


def test_a_gradient_by_hand():
    # Of length 2: across the direction the slope is 2/5, along it the length's, 2 * 2 / (1 + 2**2)**2.
    grad = squash_backward(np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]])).input
    assert grad == pytest.approx(np.array([[4 / 25, 2 / 5]]), rel=1e-14)


@pytest.mark.parametrize("axis", [1, -2])
def test_vectors_lie_along_the_axis(axis):
    x = np.array([[[3.0, 0.0], [4.0, 2.0]]])
    assert squash(x, axis=axis)[0, :, 0] == pytest.approx(25 / 26 * np.array([0.6, 0.8]), rel=1e-15)
    assert squash(x, axis=axis)[0, :, 1] == pytest.approx(np.array([0, 0.8]), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_vector_0_stays_0_and_has_no_gradient(dtype):
    x = np.zeros((1, 3), dtype)
    assert squash(x).tolist() == squash_backward(np.ones((1, 3), dtype), x).input.tolist() == [[0, 0, 0]]


def test_the_vector_0_has_no_error():
    x = np.zeros((1, 3))
    assert squash_bound(FLOAT32, x, x).limit.tolist() == [[0, 0, 0]]
    (bound,) = squash_backward_bound(FLOAT32, squash_backward(x + 1, x), x + 1, x)
    assert bound.limit.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("size", [1e4, 1e30, 3e38])
def test_large_vectors_have_length_1_and_do_not_overflow(dtype, size):
    x = np.full((1, 4), size, dtype)
    assert squash(x) == pytest.approx(np.full((1, 4), 0.5), rel=1e-6)
    across = squash_backward(np.array([[1, -1, 0, 0]], dtype), x).input.real
    assert across == pytest.approx(np.array([[1, -1, 0, 0]]) / (2 * size), rel=1e-6, abs=1e-38)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("size", [1e-3, 1e-30, 1e-37])
def test_small_vectors_are_shortened_to_their_square(dtype, size):
    x = np.full((1, 4), size, dtype)
    assert squash(x).real == pytest.approx(np.full((1, 4), 2 * size**2), rel=1e-5, abs=1e-38)
    grad = squash_backward(np.array([[1, -1, 0, 0]], dtype), x).input.real
    assert grad == pytest.approx(np.array([[2, -2, 0, 0]]) * size, rel=1e-5, abs=1e-38)


def test_the_square_of_a_complex_vector_is_not_that_of_its_magnitude():
    s = np.array([[1 + 2j, 3 - 1j]])
    square = (s * s).sum()
    assert squash(s) == pytest.approx(np.sqrt(square) / (1 + square) * s, rel=1e-14)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_makes_its_vector_nan(special):
    x = np.array([[special, 1.0], [3.0, 4.0]])
    assert np.isnan(squash(x)).tolist() == [[True, True], [False, False]]
    assert np.isnan(squash_backward(x, x).input).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_what_is_empty_stays_empty(shape):
    x = np.zeros(shape, np.float32)
    assert squash(x, axis=-1).shape == squash_backward(x, x, axis=-1).input.shape == shape


@pytest.mark.parametrize(
    ("input", "axis", "error", "message"),
    [
        (np.zeros(()), 0, InvalidValueError, "input must have at least 1 axis, got shape ()"),
        (np.zeros(3), 1, InvalidValueError, "axis must be between -1 and 0, got 1"),
        (np.zeros((3, 2)), None, InvalidTypeError, "axis must be an int, got None"),
    ],
)
def test_what_makes_no_sense_is_refused(input, axis, error, message):
    for call in (lambda: squash(input, axis=axis), lambda: squash_backward(input, input, axis=axis)):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message


def test_a_grad_output_of_another_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 2\), got \(2, 1\)$"):
        squash_backward(np.zeros((2, 1)), np.zeros((1, 2)))
