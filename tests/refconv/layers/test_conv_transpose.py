import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import InvalidValueError, conv, conv_transpose, conv_transpose_backward
from refconv.geometry import read_window

pytestmark = pytest.mark.usefixtures("path")


def conv_transpose_by_spreading(input, weight, bias, *, stride, padding, output_padding, dilation, groups):
    """The definition the other way round: each input is spread over a canvas, which is cropped; a second opinion."""
    window = read_window(weight.shape[2:], stride=stride, padding=padding, dilation=dilation)
    rank = len(window.kernel)
    extra = (output_padding,) * rank if isinstance(output_padding, int) else output_padding
    canvas = [
        (n - 1) * s + e + x for n, s, e, x in zip(input.shape[2:], window.stride, window.extent, extra, strict=True)
    ]
    batch, per_in, per_out = len(input), len(weight) // groups, weight.shape[1]
    output = np.zeros((batch, groups, per_out, *canvas))
    for index in np.ndindex(*input.shape[2:]):
        value = input[(..., *index)].reshape(batch, groups, per_in)
        spread = np.einsum("ngc,gcok->ngok", value, weight.reshape(groups, per_in, per_out, -1))
        where = [
            slice(i * s, i * s + e, d)
            for i, s, e, d in zip(index, window.stride, window.extent, window.dilation, strict=True)
        ]
        output[(..., *where)] += spread.reshape(*spread.shape[:3], *window.kernel)
    crop = [slice(before, length - after) for length, (before, after) in zip(canvas, window.padding, strict=True)]
    output = output.reshape(batch, groups * per_out, *canvas)[(..., *crop)]
    return output if bias is None else output + bias.reshape(-1, *[1] * rank)


@given(cases("conv_transpose", dtype="float64"))
def test_it_spreads_each_input_over_a_window_exact_on_integers(case):
    input, weight, bias = [None if a is None else content("integer", a.shape, "float64", 1) for a in case.inputs]
    expected = conv_transpose_by_spreading(input, weight, bias, **case.attributes)
    assert (conv_transpose(input, weight, bias, **case.attributes) == expected).all()


@given(cases("conv_transpose", dtype="float64"))
def test_it_is_the_transpose_of_conv_exactly(case):
    attributes = {name: value for name, value in case.attributes.items() if name != "output_padding"}
    input, weight, _ = [None if a is None else content("integer", a.shape, "float64", 2) for a in case.inputs]
    other = content("integer", case.grad_output.shape, "float64", 3)
    transposed = conv_transpose(input, weight, **case.attributes)
    # An output_padding beyond the stride leaves room for more windows than the input has elements.
    correlated = conv(other, weight, **attributes)[(..., *map(slice, input.shape[2:]))]
    assert (transposed * other).sum() == (input * correlated).sum()


@given(cases("conv_transpose", dtype="float64"))
def test_forward_and_backward_are_adjoint_exactly(case):
    input, weight, _ = [None if a is None else content("integer", a.shape, "float64", 2) for a in case.inputs]
    grad_output = content("integer", case.grad_output.shape, "float64", 3)
    inner = (conv_transpose(input, weight, **case.attributes) * grad_output).sum()
    grads = conv_transpose_backward(grad_output, input, weight, **case.attributes)
    assert inner == (input * grads.input).sum() == (weight * grads.weight).sum()


def test_spreading_by_hand():
    input, weight = np.array([[[1.0, 2.0]]]), np.array([[[10.0, 1.0]]])
    assert conv_transpose(input, weight).tolist() == [[[10, 21, 2]]]
    assert conv_transpose(input, weight, stride=3).tolist() == [[[10, 1, 0, 20, 2]]]
    assert conv_transpose(input, weight, dilation=2).tolist() == [[[10, 20, 1, 2]]]
    assert conv_transpose(input, weight, np.array([0.5]), padding=((1, 0),)).tolist() == [[[21.5, 2.5]]]


def test_output_padding_shows_what_falls_beyond_the_end():
    input, weight = np.array([[[1.0, 2.0]]]), np.array([[[10.0, 1.0]]])
    assert conv_transpose(input, weight, stride=2, output_padding=1).tolist() == [[[10, 1, 20, 2, 0]]]
    assert conv_transpose(input, weight, stride=2, padding=1, output_padding=1).tolist() == [[[1, 20, 2]]]


def test_gradients_by_hand():
    grad_output = np.array([[[1.0, 100.0, 10000.0]]])
    grads = conv_transpose_backward(grad_output, np.array([[[1.0, 2.0]]]), np.array([[[10.0, 1.0]]]), np.array([0.0]))
    assert grads.input.tolist() == [[[110, 11000]]]
    assert grads.weight.tolist() == [[[201, 20100]]]
    assert grads.bias.tolist() == [10101]


def test_groups_feed_their_own_channels_alone():
    input = np.array([[[1.0], [10.0]]])
    weight = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    assert conv_transpose(input, weight, groups=2).ravel().tolist() == [1, 2, 3, 40, 50, 60]


def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero():
    input, weight, bias = np.zeros((0, 2, 4)), np.ones((2, 3, 2)), np.ones(3)
    output = conv_transpose(input, weight, bias, stride=2)
    assert output.shape == (0, 3, 8)
    grads = conv_transpose_backward(output, input, weight, bias, stride=2)
    assert grads.input.shape == input.shape
    assert not grads.weight.any()
    assert not grads.bias.any()


@pytest.mark.parametrize(
    ("input", "weight", "attributes", "message"),
    [
        ((1, 3, 4), (4, 1, 2), {}, "weight must have in_channels=3 on axis 0, got shape (4, 1, 2)"),
        ((1, 3, 4), (3, 1, 2), {"groups": 2}, "groups must divide in_channels=3, got 2"),
        ((1, 1, 2), (1, 1, 2), {"padding": 2}, "padding must leave an output of at least 1 along each axis, got output size (-1,)"),
        ((1, 1, 2), (1, 1, 2), {"output_padding": 1}, "output_padding must be smaller than stride (1,) or dilation (1,) along each axis, got (1,)"),
        ((1, 1, 2), (1, 1, 2), {"output_padding": -1}, "output_padding must be between 0 and 2147483647, got -1"),
    ],
)  # fmt: skip
def test_what_doesnt_go_together_is_refused(input, weight, attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        conv_transpose(np.zeros(input), np.zeros(weight), **attributes)
    assert str(caught.value) == message


def test_words_are_no_paddings_here():
    with pytest.raises(TypeError, match=r"^padding must be an int or a sequence of 1 ints or .*, got 'same'$"):
        conv_transpose(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), padding="same")
