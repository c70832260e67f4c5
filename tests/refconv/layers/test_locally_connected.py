import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from properties import content
from refconv import InvalidTypeError, InvalidValueError, arguments, conv, conv_backward
from refconv.layers.locally_connected import locally_connected, locally_connected_backward

AXES = "xyz"
TAPS = "def"
CALLS = [
    ((5,), (2,), {}),
    ((5,), (2,), {"stride": 2, "padding": ((1, 0),)}),
    ((4, 5), (2, 3), {"stride": (1, 2), "padding": ((0, 2), (1, 1)), "dilation": (2, 1)}),
    ((1, 6), (1, 2), {"stride": (3, 2), "padding": (1, 0)}),
    ((3, 4, 3), (2, 1, 3), {"padding": (1, (0, 1), 2), "dilation": (1, 2, 2), "stride": (2, 1, 1)}),
]
SHAPES = pytest.mark.parametrize(("size", "kernel", "attributes"), CALLS)


def shared(size, kernel, attributes):
    """Integers for a convolution: the input, a weight and the output."""
    x, weight = content("integer", (2, 3, *size), "float64", 0), content("integer", (4, 3, *kernel), "float64", 1)
    return x, weight, conv(x, weight, **attributes)


def unshared(weight, output):
    """The weight, repeated for each window."""
    size = output.shape[2:]
    repeated = weight.reshape(len(weight), *(1,) * len(size), *weight.shape[1:])
    return np.broadcast_to(repeated, (len(weight), *size, *weight.shape[1:])).copy()


def test_each_window_has_a_kernel_by_hand():
    x, weight = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[[1.0, 10.0]], [[100.0, 1000.0]]]])
    assert weight.shape == (1, 2, 1, 2)
    assert locally_connected(x, weight).tolist() == [[[21, 3200]]]
    assert locally_connected(x, weight, np.array([[0.5, 0.25]])).tolist() == [[[21.5, 3200.25]]]


def test_gradients_by_hand():
    x, weight = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[[1.0, 10.0]], [[100.0, 1000.0]]]])
    grads = locally_connected_backward(np.array([[[1.0, 2.0]]]), x, weight, np.zeros((1, 2)))
    assert grads.input.tolist() == [[[1, 210, 2000]]]
    assert grads.weight.tolist() == [[[[1, 2]], [[4, 6]]]]
    assert grads.bias.tolist() == [[1, 2]]
    assert locally_connected_backward(np.array([[[1.0, 2.0]]]), x, weight).bias is None


@SHAPES
def test_with_the_same_kernel_for_each_window_it_is_a_convolution(size, kernel, attributes):
    x, weight, output = shared(size, kernel, attributes)
    assert (locally_connected(x, unshared(weight, output), **attributes) == output).all()


@SHAPES
def test_its_gradients_are_then_those_of_a_convolution(size, kernel, attributes):
    x, weight, output = shared(size, kernel, attributes)
    grad = content("integer", output.shape, "float64", 2)
    expected = conv_backward(grad, x, weight, np.zeros(4), **attributes)
    grads = locally_connected_backward(
        grad, x, unshared(weight, output), np.zeros((4, *output.shape[2:])), **attributes
    )
    windows = tuple(range(1, 1 + len(size)))
    assert (grads.input == expected.input).all()
    assert (grads.weight.sum(axis=windows) == expected.weight).all()
    assert (grads.bias == grad.sum(axis=0)).all()


@SHAPES
def test_it_is_the_sum_over_each_window_exact_on_integers(size, kernel, attributes):
    x, weight, output = shared(size, kernel, attributes)
    rank = len(size)
    axes, taps = AXES[:rank], TAPS[:rank]
    weight = content("integer", unshared(weight, output).shape, "float64", 3)
    bias = content("integer", weight.shape[: 1 + rank], "float64", 4)
    given = attributes.get("padding", 0)
    sides = [pair if isinstance(pair, tuple) else (pair, pair) for pair in (given if given else (0,) * rank)]
    strides, dilations = (np.broadcast_to(attributes.get(name, 1), rank) for name in ("stride", "dilation"))
    extents = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    seen = sliding_window_view(np.pad(x, [(0, 0), (0, 0), *sides]), extents, axis=tuple(range(2, 2 + rank)))
    seen = seen[(..., *(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilations))]
    expected = np.einsum(f"nc{axes}{taps},o{axes}c{taps}->no{axes}", seen, weight) + bias
    assert (locally_connected(x, weight, bias, **attributes) == expected).all()


@SHAPES
def test_forward_and_backward_are_adjoint_exactly(size, kernel, attributes):
    x, weight, output = shared(size, kernel, attributes)
    weight = content("integer", unshared(weight, output).shape, "float64", 3)
    grad = content("integer", output.shape, "float64", 4)
    inner = (locally_connected(x, weight, **attributes) * grad).sum()
    grads = locally_connected_backward(grad, x, weight, **attributes)
    assert inner == (x * grads.input).sum() == (weight * grads.weight).sum()


def test_a_tap_on_padding_is_skipped():
    weight = np.full((1, 3, 1, 1), np.nan)
    output = locally_connected(np.array([[[np.inf]]]), weight, np.array([[1.0, 2.0, 3.0]]), padding=1)
    assert output[0, 0, [0, 2]].tolist() == [1, 3]
    assert np.isnan(output[0, 0, 1])
    weight = np.array([np.nan, 3.0, np.nan]).reshape(weight.shape)
    grads = locally_connected_backward(np.array([[[np.nan, 1.0, np.nan]]]), np.array([[[2.0]]]), weight, padding=1)
    assert grads.input.tolist() == [[[3]]]
    assert grads.weight.ravel().tolist() == [0, 2, 0]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero(rank):
    x, weight, bias = (
        np.zeros((0, 2, *[4] * rank)),
        np.ones((3, *[3] * rank, 2, *[2] * rank)),
        np.ones((3, *[3] * rank)),
    )
    output = locally_connected(x, weight, bias)
    assert output.shape == (0, 3, *[3] * rank)
    grads = locally_connected_backward(output, x, weight, bias)
    assert [grad.shape for grad in grads] == [x.shape, weight.shape, bias.shape]
    assert not grads.weight.any()
    assert not grads.bias.any()


@pytest.mark.parametrize(
    ("weight", "bias", "attributes", "error", "message"),
    [
        ((2, 4, 3, 2), None, {}, InvalidValueError, "weight must have 6 axes, (out_channels, *output, in_channels, *kernel), got shape (2, 4, 3, 2)"),
        ((0, 3, 4, 3, 2, 2), None, {}, InvalidValueError, "weight must have at least 1 channel and kernel sizes of at least 1, got shape (0, 3, 4, 3, 2, 2)"),
        ((2, 3, 4, 3, 2, 0), None, {}, InvalidValueError, "weight must have at least 1 channel and kernel sizes of at least 1, got shape (2, 3, 4, 3, 2, 0)"),
        ((2, 4, 3, 3, 2, 2), None, {}, InvalidValueError, "weight must have shape (2, 3, 4, 3, 2, 2), got (2, 4, 3, 3, 2, 2)"),
        ((2, 3, 4, 1, 2, 2), None, {}, InvalidValueError, "weight must have shape (2, 3, 4, 3, 2, 2), got (2, 3, 4, 1, 2, 2)"),
        ((2, 3, 4, 3, 2, 2), None, {"stride": 2}, InvalidValueError, "weight must have shape (2, 2, 2, 3, 2, 2), got (2, 3, 4, 3, 2, 2)"),
        ((2, 1, 1, 3, 5, 2), None, {}, InvalidValueError, "weight must span at most the padded input's size (4, 5), got a dilated kernel of size (5, 2)"),
        ((2, 3, 4, 3, 2, 2), (2,), {}, InvalidValueError, "bias must have shape (2, 3, 4), got (2,)"),
        ((2, 3, 4, 3, 2, 2), None, {"padding": "same"}, InvalidTypeError, "padding must be an int or a sequence of 2 ints or (before, after) pairs, got 'same'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(weight, bias, attributes, error, message):
    arrays = [np.zeros((1, 3, 4, 5)), np.zeros(weight), None if bias is None else np.zeros(bias)]
    for call in (
        lambda: locally_connected(*arrays, **attributes),
        lambda: locally_connected_backward(np.zeros(()), *arrays, **attributes),
    ):
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value) == message


def test_a_grad_output_of_another_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 1, 2\), got \(1, 2, 1\)$"):
        locally_connected_backward(np.zeros((1, 2, 1)), np.zeros((1, 1, 3)), np.zeros((1, 2, 1, 2)))


def test_an_output_too_large_for_memory_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "MEMORY", 1000)
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory \(1000 bytes\), got shape"):
        locally_connected(np.zeros((100, 1, 1)), np.zeros((100, 1, 1, 1)))
