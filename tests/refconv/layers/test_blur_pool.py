from math import comb

import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import ARITHMETICS, InvalidTypeError, InvalidValueError, blur_pool, blur_pool_backward, conv
from refconv.layers.blur_pool import blur_pool_bound


def by_convolution(input, *, kernel_size, stride):
    """A depthwise convolution of a copy that is padded by reflection."""
    rank, channels = input.ndim - 2, input.shape[1]
    kernels = np.broadcast_to(kernel_size, rank).tolist()
    weight = np.ones((1,) * rank)
    for axis, kernel in enumerate(kernels):
        row = np.array([comb(kernel - 1, k) for k in range(kernel)]) / 2 ** (kernel - 1)
        weight = weight * row.reshape(-1, *(1,) * (rank - axis - 1))
    padded = np.pad(input, [(0, 0), (0, 0), *(((k - 1) // 2, k // 2) for k in kernels)], "reflect")
    return conv(padded, np.broadcast_to(weight, (channels, 1, *weight.shape)), stride=stride, groups=channels)


@given(cases("blur_pool", dtype="float64"))
def test_it_is_a_depthwise_convolution_exact_on_integers(case):
    input = content("integer", case.inputs[0].shape, "float64", 1)
    assert (blur_pool(input, **case.attributes) == by_convolution(input, **case.attributes)).all()


@given(cases("blur_pool", dtype="float64"))
def test_forward_and_backward_are_adjoint_exactly(case):
    input = content("integer", case.inputs[0].shape, "float64", 2)
    grad_output = content("integer", case.grad_output.shape, "float64", 3)
    inner = (blur_pool(input, **case.attributes) * grad_output).sum()
    assert inner == (input * blur_pool_backward(grad_output, input, **case.attributes).input).sum()


def test_blurs_by_hand():
    input = np.array([[[4.0, 8.0, 16.0, 20.0, 24.0]]])
    assert blur_pool(input).tolist() == [[[6, 15, 22]]]  # (8 + 2 * 4 + 8) / 4: the border is reflected at
    assert blur_pool(input, kernel_size=1).tolist() == [[[4, 16, 24]]]
    assert blur_pool(input, kernel_size=2).tolist() == [[[6, 18, 22]]]  # the odd one comes after
    assert blur_pool(input, kernel_size=4, stride=3).tolist() == [[[7.5, 21]]]  # weights 1, 3, 3, 1
    assert blur_pool(input, kernel_size=5, stride=4).tolist() == [[[7.5, 21]]]  # 1, 4, 6, 4, 1


def test_gradients_by_hand():
    grads = blur_pool_backward(np.array([[[4.0, 40.0, 400.0]]]), np.zeros((1, 1, 5)))
    assert grads.input.tolist() == [[[2, 12, 20, 210, 200]]]


def test_a_constant_stays_whatever_the_window():
    for kernel_size in range(1, 8):
        assert (blur_pool(np.full((1, 2, 5, 4), 3.0), kernel_size=kernel_size, stride=(1, 3)) == 3).all()


def test_axes_have_their_own_windows_and_strides():
    input = np.array([[[[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]]])
    assert blur_pool(input, kernel_size=(1, 3), stride=(2, 1)).tolist() == [[[[2, 2, 2]]]]
    assert blur_pool(input, kernel_size=(3, 1), stride=(1, 2)).tolist() == [[[[0, 0], [0, 0]]]]
    assert blur_pool(input, kernel_size=(3, 1), stride=1).tolist() == [[[[0, 2, 0], [0, 2, 0]]]]


def test_a_window_reaches_as_far_as_one_reflection():
    assert blur_pool(np.array([[[0.0, 16.0]]]), kernel_size=3).tolist() == [[[8]]]
    with pytest.raises(InvalidValueError) as caught:
        blur_pool(np.zeros((1, 1, 2, 4)), kernel_size=4)
    assert str(caught.value) == "kernel_size must be at most 2 * size - 1 = (3, 7), got (4, 4)"


def test_weights_of_long_windows_are_rounded_once():
    output = blur_pool(np.eye(1, 600)[None], kernel_size=1199, stride=600)
    assert output.item() == comb(1198, 599) / 2**1198
    assert blur_pool(np.ones((1, 1, 600)), kernel_size=1199, stride=600).item() == pytest.approx(1, rel=1e-13)


def test_what_is_not_finite_stays_in_its_windows():
    output = blur_pool(np.array([[[np.nan, 1.0, 1.0, 1.0, 1.0, np.inf]]]))
    assert np.isnan(output[0, 0, 0])
    assert output[0, 0, 1:].tolist() == [1, np.inf]


def test_an_empty_batch_gives_an_empty_output_and_gradient():
    input = np.zeros((0, 2, 3, 3))
    output = blur_pool(input)
    assert output.shape == (0, 2, 2, 2)
    assert blur_pool_backward(output, input).input.shape == input.shape


def test_integers_are_exact_until_the_digits_run_out():
    attributes = {"kernel_size": 7, "stride": 1}
    for size, exact in (((9,), True), ((9, 9), True), ((9, 9, 9), True), ((30,), True)):
        input = content("integer", (1, 1, *size), "float64", 0)
        bound = blur_pool_bound(ARITHMETICS["float32"], blur_pool(input, **attributes), input, **attributes)
        assert bound.limit.any() != exact
    input = content("integer", (1, 1, 30), "float64", 0)
    attributes["kernel_size"] = 25  # 24 binary digits after the point
    assert blur_pool_bound(ARITHMETICS["float32"], blur_pool(input, **attributes), input, **attributes).limit.all()


def test_what_makes_no_sense_is_refused():
    input = np.zeros((1, 1, 4))
    with pytest.raises(InvalidTypeError, match=r"^kernel_size must be an int or a sequence of 1 ints, got None$"):
        blur_pool(input, kernel_size=None)
    with pytest.raises(InvalidValueError, match=r"^stride must be between 1 and 2147483647, got 0$"):
        blur_pool(input, stride=0)
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 1, 2\), got \(1, 1, 3\)$"):
        blur_pool_backward(np.zeros((1, 1, 3)), input)
    with pytest.raises(InvalidValueError, match=r"^the taps of kernel_size must fit into a quarter of memory"):
        blur_pool(np.zeros((1, 1, 2**20)), kernel_size=2**20, stride=1)
