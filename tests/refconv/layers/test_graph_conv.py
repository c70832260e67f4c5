import numpy as np
import pytest

from properties import content
from refconv import InvalidTypeError, InvalidValueError, arguments
from refconv.bounds import FLOAT32, TF32
from refconv.layers.graph_conv import graph_conv, graph_conv_backward, graph_conv_bound


def example():
    """Two graphs of three nodes with two features: input, adjacency, weight, self_weight and bias; integers."""
    shapes = (2, 3, 2), (3, 3), (4, 2), (4, 2), (4,)
    return [content("integer", shape, "float64", seed) for seed, shape in enumerate(shapes)]


def test_a_node_sums_its_neighbours_by_hand():
    x, adjacency = np.array([[[1.0], [10.0], [100.0]]]), np.array([[0.0, 0.5, 0.25], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert graph_conv(x, adjacency, np.array([[2.0]])).tolist() == [[[60], [2], [0]]]
    output = graph_conv(x, adjacency, np.array([[2.0]]), np.array([[3.0]]), np.array([0.5]))
    assert output.tolist() == [[[63.5], [32.5], [300.5]]]


def test_the_weight_is_out_by_in():
    output = graph_conv(np.array([[[1.0, 2.0]]]), np.array([[1.0]]), np.array([[1.0, 10.0], [0.0, 1.0], [3.0, 0.0]]))
    assert output.tolist() == [[[21, 2, 3]]]


def test_gradients_by_hand():
    x, adjacency = np.array([[[1.0], [10.0]]]), np.array([[0.0, 0.5], [0.0, 0.0]])
    grad = np.array([[[1.0], [7.0]]])
    grads = graph_conv_backward(grad, x, adjacency, np.array([[2.0]]), np.array([[3.0]]), np.zeros(1))
    assert grads.input.tolist() == [[[3], [22]]]
    assert grads.weight.tolist() == [[5]]
    assert grads.self_weight.tolist() == [[71]]
    assert grads.bias.tolist() == [8]
    alone = graph_conv_backward(grad, x, adjacency, np.array([[2.0]]))
    assert alone.input.tolist() == [[[0], [1]]]
    assert alone.self_weight is alone.bias is None


def test_it_is_the_sum_over_nodes_one_by_one_exact_on_integers():
    x, adjacency, weight, self_weight, bias = example()
    output = graph_conv(x, adjacency, weight, self_weight, bias)
    for n in range(2):
        for i in range(3):
            expected = bias + self_weight @ x[n, i] + sum(adjacency[i, j] * (weight @ x[n, j]) for j in range(3))
            assert (output[n, i] == expected).all()


@pytest.mark.parametrize("name", ["input", "weight", "self_weight", "bias"])
def test_gradients_are_exact_differences(name):
    arrays = dict(zip(("input", "adjacency", "weight", "self_weight", "bias"), example(), strict=True))
    grad, step = content("integer", (2, 3, 4), "float64", 5), content("integer", arrays[name].shape, "float64", 6)
    change = graph_conv(*{**arrays, name: arrays[name] + step}.values()) - graph_conv(*arrays.values())
    assert (change * grad).sum() == (step * getattr(graph_conv_backward(grad, *arrays.values()), name)).sum()


def test_what_is_not_finite_reaches_every_node_even_through_0():
    output = graph_conv(np.array([[[np.inf], [1.0]]]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0]]))
    assert np.isnan(output[0, 0, 0])
    assert output[0, 1, 0] == np.inf


def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero():
    _, *others = example()
    x = np.zeros((0, 3, 2))
    output = graph_conv(x, *others)
    assert output.shape == (0, 3, 4)
    grads = graph_conv_backward(output, x, *others)
    assert [grad.shape for grad in grads] == [(0, 3, 2), (4, 2), (4, 2), (4,)]
    assert not any(grad.any() for grad in grads)


def test_products_of_three_factors_are_rounded_twice():
    # One term: whoever rounds both products, each of factors that are rounded to 11 bits, is within the bound.
    factors = [np.array(value).reshape(1, 1, 1) for value in (1 + 2.0**-9, 1 + 2.0**-9)]
    x, adjacency, weight = factors[0], factors[1][0], np.array([[1 + 2.0**-9]])
    bound = graph_conv_bound(TF32, graph_conv(x, adjacency, weight), x, adjacency, weight)
    assert bound.rigorous.item() == pytest.approx(2 * 2.0**-10, rel=0.02)


def test_sums_that_are_factors_must_be_exact_as_such():
    x, adjacency, weight = np.full((1, 1, 1), 600.0), np.ones((1, 1)), np.full((1, 1), 3.0)
    output = graph_conv(x, adjacency, weight)
    assert graph_conv_bound(FLOAT32, output, x, adjacency, weight).limit == 0
    assert graph_conv_bound(TF32, output, x, adjacency, weight).limit > 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3, 2), (3, 3), (4, 2)), "input must have shape (batch, nodes, in_features) with at least 1 node and feature, got (3, 2)"),
        (((1, 0, 2), (0, 0), (4, 2)), "input must have shape (batch, nodes, in_features) with at least 1 node and feature, got (1, 0, 2)"),
        (((1, 3, 0), (3, 3), (4, 0)), "input must have shape (batch, nodes, in_features) with at least 1 node and feature, got (1, 3, 0)"),
        (((1, 3, 2), (3, 2), (4, 2)), "adjacency must have shape (3, 3), got (3, 2)"),
        (((1, 3, 2), (1, 3, 3), (4, 2)), "adjacency must have shape (3, 3), got (1, 3, 3)"),
        (((1, 3, 2), (3, 3), (2, 4)), "weight must have shape (out_features, 2) with at least 1 output, got (2, 4)"),
        (((1, 3, 2), (3, 3), (2,)), "weight must have shape (out_features, 2) with at least 1 output, got (2,)"),
        (((1, 3, 2), (3, 3), (0, 2)), "weight must have shape (out_features, 2) with at least 1 output, got (0, 2)"),
        (((1, 3, 2), (3, 3), (4, 2), (3, 2)), "self_weight must have shape (4, 2), got (3, 2)"),
        (((1, 3, 2), (3, 3), (4, 2), (4, 2), (2,)), "bias must have shape (4,), got (2,)"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_match_are_refused(shapes, message):
    arrays = [np.zeros(shape) for shape in shapes]
    for call in (lambda: graph_conv(*arrays), lambda: graph_conv_backward(np.zeros((1, 3, 4)), *arrays)):
        with pytest.raises(InvalidValueError) as caught:
            call()
        assert str(caught.value) == message


def test_other_arguments_that_make_no_sense_are_refused(monkeypatch):
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2, 3, 4\), got \(2, 4, 3\)$"):
        graph_conv_backward(np.zeros((2, 4, 3)), *example())
    with pytest.raises(InvalidTypeError, match=r"^adjacency must be a NumPy array, got list$"):
        graph_conv(np.zeros((1, 1, 1)), [[1.0]], np.zeros((1, 1)))
    monkeypatch.setattr(arguments, "MEMORY", 1000)
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory \(1000 bytes\), got shape"):
        graph_conv(np.zeros((100, 1, 1)), np.zeros((1, 1)), np.zeros((100, 1)))
