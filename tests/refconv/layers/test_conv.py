import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import InvalidValueError, conv, conv_backward
from refconv.geometry import read_window

pytestmark = pytest.mark.usefixtures("path")

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def conv_by_windows(input, weight, bias, *, stride, padding, dilation, groups, padding_mode):
    """The definition once more, window by window over a padded copy: an independent second opinion."""
    window = read_window(weight.shape[2:], stride=stride, padding=padding, dilation=dilation, words=True)
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding], NUMPY_MODES[padding_mode])
    size = [(p - e) // s + 1 for p, e, s in zip(padded.shape[2:], window.extent, window.stride, strict=True)]
    kernels = weight.reshape(groups, -1, *weight.shape[1:])
    output = np.zeros((len(input), len(weight), *size))
    for index in np.ndindex(*size):
        where = [
            slice(i * s, i * s + e, d)
            for i, s, e, d in zip(index, window.stride, window.extent, window.dilation, strict=True)
        ]
        seen = padded[(..., *where)].reshape(len(input), groups, *weight.shape[1:])
        output[(..., *index)] = np.einsum("ngck,gock->ngo", flat(seen, 3), flat(kernels, 3)).reshape(
            len(input), len(weight)
        )
    return output if bias is None else output + bias.reshape(-1, *[1] * len(size))


def flat(array, axes):
    return array.reshape(*array.shape[:axes], int(np.prod(array.shape[axes:])))


@given(cases("conv", dtype="float64"))
def test_it_is_the_sum_over_each_window_exact_on_integers(case):
    input, weight, bias = [None if a is None else content("integer", a.shape, "float64", 1) for a in case.inputs]
    expected = conv_by_windows(input, weight, bias, **case.attributes)
    assert (conv(input, weight, bias, **case.attributes) == expected).all()


def test_a_correlation_by_hand():
    input = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    weight = np.array([[[10.0, 1.0]]])
    assert conv(input, weight).tolist() == [[[12, 23, 34]]]  # the kernel isn't flipped
    assert conv(input, weight, np.array([0.5]), stride=2, padding=((1, 0),)).tolist() == [[[1.5, 23.5]]]
    assert conv(input, weight, dilation=3).tolist() == [[[14]]]


def test_gradients_by_hand():
    input = np.array([[[1.0, 2.0, 3.0]]])
    weight = np.array([[[10.0, 1.0]]])
    grads = conv_backward(np.array([[[1.0, 100.0]]]), input, weight, np.array([0.0]))
    assert grads.input.tolist() == [[[10, 1001, 100]]]  # the rotated kernel [1, 10] over [0, 1, 100, 0]
    assert grads.weight.tolist() == [[[201, 302]]]
    assert grads.bias.tolist() == [101]


def test_gradients_with_a_stride_by_hand():
    grads = conv_backward(np.array([[[1.0, 100.0]]]), np.zeros((1, 1, 5)), np.array([[[10.0, 1.0]]]), stride=3)
    assert grads.input.tolist() == [[[10, 1, 0, 1000, 100]]]
    assert grads.bias is None


@given(cases("conv", dtype="float64"))
def test_forward_and_backward_are_adjoint_exactly(case):
    input, weight, _ = [None if a is None else content("integer", a.shape, "float64", 2) for a in case.inputs]
    grad_output = content("integer", case.grad_output.shape, "float64", 3)
    inner = (conv(input, weight, **case.attributes) * grad_output).sum()
    grads = conv_backward(grad_output, input, weight, **case.attributes)
    assert inner == (input * grads.input).sum() == (weight * grads.weight).sum()


def test_groups_see_their_own_channels_alone():
    input = np.array([[[1.0], [10.0], [100.0], [1000.0]]])
    weight = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    assert conv(input, weight, groups=2).tolist() == [[[21], [4300]]]
    depthwise = np.array([[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]], [[6.0]], [[7.0]], [[8.0]]])
    assert conv(input, depthwise, groups=4).ravel().tolist() == [1, 2, 30, 40, 500, 600, 7000, 8000]


def test_windows_that_see_only_padding_give_the_bias():
    output = conv(np.array([[[np.inf]]]), np.array([[[np.nan]]]), np.array([7.0]), padding=2)
    assert output[0, 0, [0, 1, 3, 4]].tolist() == [7, 7, 7, 7]
    assert np.isnan(output[0, 0, 2])


def test_a_kernel_larger_than_the_input_fits_with_padding():
    assert conv(np.array([[[1.0]]]), np.array([[[1.0, 2.0, 3.0]]]), padding=1).tolist() == [[[2]]]


def test_padding_modes_repeat_the_input():
    input, weight = np.array([[[1.0, 2.0, 3.0]]]), np.array([[[1.0]]])
    assert conv(input, weight, padding=2, padding_mode="reflect").tolist() == [[[3, 2, 1, 2, 3, 2, 1]]]
    assert conv(input, weight, padding=2, padding_mode="replicate").tolist() == [[[1, 1, 1, 2, 3, 3, 3]]]
    assert conv(input, weight, padding=2, padding_mode="circular").tolist() == [[[2, 3, 1, 2, 3, 1, 2]]]
    grads = conv_backward(np.ones((1, 1, 7)), input, weight, padding=2, padding_mode="replicate")
    assert grads.input.tolist() == [[[3, 1, 3]]]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_gives_an_empty_output_and_gradients_of_zero(rank):
    input, weight, bias = np.zeros((0, 2, *[4] * rank)), np.ones((3, 2, *[2] * rank)), np.ones(3)
    output = conv(input, weight, bias)
    assert output.shape == (0, 3, *[3] * rank)
    grads = conv_backward(output, input, weight, bias)
    assert grads.input.shape == input.shape
    assert not grads.weight.any()
    assert not grads.bias.any()


def test_what_is_not_finite_stays_where_it_belongs():
    input = np.array([[[np.nan, 1.0, np.inf, 1.0]]])
    output = conv(input, np.array([[[1.0, 1.0]]]), stride=2)
    assert np.isnan(output[0, 0, 0])
    assert output[0, 0, 1] == np.inf


@pytest.mark.parametrize(
    ("input", "weight", "attributes", "message"),
    [
        ((1, 3, 4), (4, 1, 2), {"groups": 2}, "groups must divide in_channels=3 and out_channels=4, got 2"),
        ((1, 4, 4), (3, 2, 2), {"groups": 2}, "groups must divide in_channels=4 and out_channels=3, got 2"),
        ((1, 4, 4), (4, 4, 2), {"groups": 2}, "weight must have in_channels / groups = 2 channels on axis 1, got shape (4, 4, 2)"),
        ((4, 4), (4, 4), {}, "input must have 3 to 5 axes, (batch, channels, *spatial), got shape (4, 4)"),
        ((1, 1, 4), (1, 1, 2, 2), {}, "weight must have 3 axes, as input has, got shape (1, 1, 2, 2)"),
        ((1, 1, 0), (1, 1, 1), {"padding": 1}, "input must have at least 1 channel and spatial sizes of at least 1, got shape (1, 1, 0)"),
        ((1, 1, 4), (1, 1, 0), {}, "weight must have at least 1 channel and kernel sizes of at least 1, got shape (1, 1, 0)"),
        ((1, 1, 4), (1, 1, 3), {"dilation": 2}, "weight must span at most the padded input's size (4,), got a dilated kernel of size (5,)"),
        ((1, 1, 4), (1, 1, 2), {"padding_mode": "edge"}, "padding_mode must be one of 'zeros', 'reflect', 'replicate', 'circular', got 'edge'"),
        ((1, 1, 4), (1, 1, 2), {"padding": "same", "stride": 2}, "stride must be 1 where padding is 'same', got (2,)"),
    ],
)  # fmt: skip
def test_shapes_that_dont_go_together_are_refused(input, weight, attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        conv(np.zeros(input), np.zeros(weight), **attributes)
    assert str(caught.value) == message


def test_an_output_larger_than_memory_is_refused_before_it_is_made():
    with pytest.raises(
        InvalidValueError,
        match=r"^output must fit into a quarter of memory \(\d+ bytes\), got shape \(0, 1, 4294967297, ",
    ):
        conv(np.zeros((0, 1, 3, 3)), np.zeros((1, 1, 1, 1)), padding=2**31 - 1)


def test_a_bias_or_grad_output_of_the_wrong_shape_is_refused():
    input, weight = np.zeros((2, 1, 4)), np.zeros((3, 1, 2))
    with pytest.raises(InvalidValueError, match=r"^bias must have shape \(3,\), got \(2,\)$"):
        conv(input, weight, np.zeros(2))
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(2, 3, 3\), got \(2, 3, 4\)$"):
        conv_backward(np.zeros((2, 3, 4)), input, weight)
