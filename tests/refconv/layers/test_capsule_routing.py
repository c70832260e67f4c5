import numpy as np
import pytest

from properties import content
from refconv import InvalidTypeError, InvalidValueError
from refconv.bounds import FLOAT32
from refconv.layers.capsule_routing import capsule_routing, capsule_routing_backward, capsule_routing_bound
from refconv.layers.softmax import softmax
from refconv.layers.squash import squash


def routed(votes, iterations):
    """Procedure 1 of the paper, one capsule at a time."""
    below, above, _ = votes.shape
    b = np.zeros((below, above))
    for _ in range(iterations):
        c = [softmax(b[i], axis=0) for i in range(below)]
        v = [squash(sum(c[i][j] * votes[i, j] for i in range(below)), axis=0) for j in range(above)]
        for i in range(below):
            for j in range(above):
                b[i, j] += votes[i, j] @ v[j]
    return np.array(v)


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_it_is_procedure_1(iterations):
    votes = content("normal", (2, 4, 3, 5), "float64", 0)
    output = capsule_routing(votes, iterations=iterations)
    for n in range(2):
        assert output[n] == pytest.approx(routed(votes[n], iterations), rel=1e-12)


def test_three_iterations_are_the_default():
    votes = content("normal", (1, 4, 3, 5), "float64", 0)
    assert (capsule_routing(votes) == capsule_routing(votes, iterations=3)).all()
    assert (capsule_routing(votes) != capsule_routing(votes, iterations=2)).any()


def test_one_iteration_averages_and_squashes_by_hand():
    votes = np.array([[[[6.0], [0.0]], [[2.0], [2.0]]]])
    assert capsule_routing(votes, iterations=1) == pytest.approx(np.array([[[16 / 17], [1 / 2]]]), rel=1e-15)


def test_a_second_iteration_by_hand():
    # After the first, v is 1/2 and 0; agreement raises the first capsule's logit by 2 * 1/2.
    votes = np.array([[[[2.0], [0.0]]]])
    s = 2 * np.e / (np.e + 1)
    assert capsule_routing(votes, iterations=2) == pytest.approx(np.array([[[s**2 / (1 + s**2)], [0]]]), rel=1e-15)


def test_a_gradient_by_hand():
    # squash'(s) = 2 s / (1 + s**2)**2 in one dimension, of s = votes / 2
    votes = np.array([[[[2.0], [4.0]]]])
    grads = capsule_routing_backward(np.array([[[1.0], [1.0]]]), votes, iterations=1)
    assert grads.votes == pytest.approx(np.array([[[[0.25], [4 / 25 / 2]]]]), rel=1e-14)


@pytest.mark.parametrize("iterations", [1, 2, 3, 4])
def test_the_gradient_is_that_of_the_unrolled_iterations(iterations):
    votes, grad = content("normal", (2, 3, 4, 2), "float64", 1), content("normal", (2, 4, 2), "float64", 2)
    grads = capsule_routing_backward(grad, votes, iterations=iterations).votes
    for index in np.ndindex(votes.shape):
        moved = votes.astype(complex)
        moved[index] += 1e-200j
        slope = (capsule_routing(moved, iterations=iterations).imag / 1e-200 * grad).sum()
        assert grads[index] == pytest.approx(slope, rel=1e-10, abs=1e-12)


def test_votes_of_zero_stay_zero():
    votes = np.zeros((1, 2, 3, 4), np.float32)
    assert not capsule_routing(votes).any()
    assert not capsule_routing_backward(np.ones((1, 3, 4), np.float32), votes).votes.any()


def test_large_votes_do_not_overflow():
    votes = content("integer", (1, 3, 2, 4), "float32", 3) * np.float32(1e4)
    assert np.isfinite(capsule_routing(votes)).all()
    assert np.isfinite(capsule_routing_backward(np.ones((1, 2, 4), np.float32), votes).votes).all()


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (2, 1, 3, 2), (2, 3, 1, 2), (2, 3, 2, 1)])
def test_sizes_of_one(shape):
    votes = content("normal", shape, "float64", 4)
    assert capsule_routing(votes)[1] == pytest.approx(routed(votes[1], 3), rel=1e-12)


def test_an_empty_batch_gives_an_empty_output_and_gradient():
    votes = np.zeros((0, 2, 3, 4))
    output = capsule_routing(votes)
    assert output.shape == (0, 3, 4)
    assert capsule_routing_backward(output, votes).votes.shape == votes.shape


def test_the_first_shares_are_rounded_too():
    votes = np.full((1, 1, 3, 1), 1e-3)  # whose shares are 1/3; short vectors, whose squash is 2nd power, double errors
    output = capsule_routing(votes, iterations=1)
    bound = capsule_routing_bound(FLOAT32, output, votes, iterations=1)
    shares_alone = 2 * 11 * 2.0**-24  # one exponential, off by 4 units, in numerator and sum, 2 of the sum, 1 quotient
    assert (bound.limit / output > shares_alone).all()


@pytest.mark.parametrize(
    ("votes", "iterations", "error", "message"),
    [
        ((2, 3, 4), 3, InvalidValueError, "votes must have shape (batch, in_capsules, out_capsules, dim) with at least 1 capsule and dimension, got (2, 3, 4)"),
        ((2, 0, 1, 1), 3, InvalidValueError, "votes must have shape (batch, in_capsules, out_capsules, dim) with at least 1 capsule and dimension, got (2, 0, 1, 1)"),
        ((1, 1, 1, 1), 0, InvalidValueError, "iterations must be between 1 and 1000, got 0"),
        ((1, 1, 1, 1), 1001, InvalidValueError, "iterations must be between 1 and 1000, got 1001"),
        ((1, 1, 1, 1), 3.0, InvalidTypeError, "iterations must be an int, got 3.0"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(votes, iterations, error, message):
    for call in (
        lambda: capsule_routing(np.zeros(votes), iterations=iterations),
        lambda: capsule_routing_backward(np.zeros((1, 1, 1)), np.zeros(votes), iterations=iterations),
    ):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message


def test_a_grad_output_of_another_shape_or_dtype_is_refused():
    votes = np.zeros((1, 2, 3, 4))
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 3, 4\), got \(1, 2, 4\)$"):
        capsule_routing_backward(np.zeros((1, 2, 4)), votes)
    with pytest.raises(InvalidTypeError, match=r"^grad_output must have the dtype of votes, float64, got float32$"):
        capsule_routing_backward(np.zeros((1, 3, 4), np.float32), votes)


def test_votes_that_cancel_are_rounded_to_a_capsule_of_any_direction():
    votes = np.array([3.0, -4.0, 1.0]).reshape(1, 3, 1, 1).repeat(56, axis=2)
    exact = capsule_routing(votes, iterations=1)
    limit = capsule_routing_bound(FLOAT32, exact, votes, iterations=1).limit
    rounded = capsule_routing(votes.astype(np.float32), iterations=1)
    assert (rounded != exact).any()
    assert (abs(rounded - exact) <= limit).all()
    assert limit.max() < 1e-12
