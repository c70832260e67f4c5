import numpy as np
import pytest
from hypothesis import given

from properties import cases, content
from refconv import ARITHMETICS, InvalidTypeError, InvalidValueError, avg_pool, avg_pool_backward
from refconv.geometry import read_pool_window
from refconv.layers.avg_pool import avg_pool_backward_bound, avg_pool_bound

FLOAT32 = ARITHMETICS["float32"]
UNIT = 2.0**-24


def by_windows(input, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """The definition once more, window by window over a copy padded with NaN and, beyond it, with infinity."""
    rank = input.ndim - 2
    window = read_pool_window(kernel_size, rank, stride=stride, padding=padding)
    whole = np.pad(input, [(0, 0), (0, 0), *window.padding], constant_values=np.nan)
    sizes = []
    for size, (before, after), kernel, step in zip(
        input.shape[2:], window.padding, window.kernel, window.stride, strict=True
    ):
        begins = [b for b in range(0, 999, step) if b + kernel <= size + before + after + ceil_mode * (step - 1)]
        if ceil_mode and begins[-1] >= size + before:
            del begins[-1]
        sizes.append(begins)
    output = np.empty((*input.shape[:2], *map(len, sizes)))
    for index in np.ndindex(*output.shape[2:]):
        begins = [begins[i] for begins, i in zip(sizes, index, strict=True)]
        seen = whole[(..., *(slice(b, b + k) for b, k in zip(begins, window.kernel, strict=True)))]
        axes = tuple(range(2, seen.ndim))
        count = np.prod(seen.shape[2:]) if count_include_pad else (~np.isnan(seen)).sum(axes)
        output[(..., *index)] = np.nansum(seen, axis=axes) / (divisor_override or np.maximum(count, 1))
    return output


@given(cases("avg_pool", dtype="float64"))
def test_it_is_the_mean_of_each_window(case):
    input = content("integer", case.inputs[0].shape, "float64", 1)
    expected = by_windows(input, **case.attributes)
    output = avg_pool(input, **case.attributes)
    assert output.shape == expected.shape
    assert (output == expected).all()  # the sums are exact, and the quotients rounded once


@given(cases("avg_pool", dtype="float64"))
def test_forward_and_backward_are_adjoint_exactly(case):
    attributes = {**case.attributes, "divisor_override": 4}
    input = content("integer", case.inputs[0].shape, "float64", 2)
    grad_output = content("integer", case.grad_output.shape, "float64", 3)
    inner = (avg_pool(input, **attributes) * grad_output).sum()
    assert inner == (input * avg_pool_backward(grad_output, input, **attributes).input).sum()


def test_means_by_hand():
    input = np.array([[[1.0, 2.0, 3.0, 6.0, 8.0]]])
    assert avg_pool(input, kernel_size=2).tolist() == [[[1.5, 4.5]]]  # the stride is the window's size
    assert avg_pool(input, kernel_size=2, stride=1).tolist() == [[[1.5, 2.5, 4.5, 7]]]
    assert avg_pool(input[:, :, None], kernel_size=(1, 2), stride=(1, 3)).tolist() == [[[[1.5, 7]]]]
    assert avg_pool(np.arange(16.0).reshape(1, 1, 4, 4), kernel_size=2).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]


def test_gradients_by_hand():
    grads = avg_pool_backward(np.array([[[6.0, 60.0]]]), np.zeros((1, 1, 4)), kernel_size=3, stride=1)
    assert grads.input.tolist() == [[[2, 22, 22, 20]]]
    grads = avg_pool_backward(np.array([[[6.0, 60.0]]]), np.zeros((1, 1, 5)), kernel_size=2, stride=3)
    assert grads.input.tolist() == [[[3, 3, 0, 30, 30]]]


@pytest.mark.parametrize(
    ("counted", "means", "shares"), [(True, [2, 16 / 3], [2, 22, 20]), (False, [3, 8], [3, 33, 30])]
)
def test_whether_padding_counts_is_said(counted, means, shares):
    attributes = {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": counted}
    input = np.array([[[2.0, 4.0, 12.0]]])
    assert avg_pool(input, **attributes).tolist() == [[means]]
    assert avg_pool_backward(np.array([[[6.0, 60.0]]]), input, **attributes).input.tolist() == [[shares]]


def test_what_lies_beyond_the_padding_is_never_counted():
    input = np.array([[[6.0, 6.0, 6.0]]])
    attributes = {"kernel_size": 4, "stride": 3, "padding": 1, "ceil_mode": True}
    assert avg_pool(input, **attributes).tolist() == [[[18 / 4, 6 / 2]]]
    assert avg_pool(input, **attributes, count_include_pad=False).tolist() == [[[6, 6]]]


def test_a_last_window_that_begins_in_the_padding_is_dropped():
    input = np.array([[[6.0]]])
    assert avg_pool(input, kernel_size=2, stride=2, padding=1, ceil_mode=True).tolist() == [[[3]]]
    assert avg_pool(np.ones((1, 1, 2)), kernel_size=2, stride=2, padding=1, ceil_mode=True).shape == (1, 1, 2)


def test_an_override_replaces_whatever_is_counted():
    attributes = {"kernel_size": 2, "padding": 1, "divisor_override": 3}
    for counted in (True, False):
        assert avg_pool(np.array([[[6.0]]]), **attributes, count_include_pad=counted).tolist() == [[[2]]]


def test_a_window_of_nothing_but_padding_gives_0():
    input = np.array([[[6.0]]])
    for counted in (True, False):
        attributes = {"kernel_size": 1, "padding": ((2, 1),), "count_include_pad": counted}
        assert avg_pool(input, **attributes).tolist() == [[[0, 0, 6, 0]]]
        assert avg_pool_backward(np.ones((1, 1, 4)), input, **attributes).input.tolist() == [[[1]]]


def test_sides_of_the_padding_have_their_own_size():
    input = np.array([[[[2.0, 4.0]]]])
    assert avg_pool(input, kernel_size=(1, 2), stride=1, padding=(0, (1, 0))).tolist() == [[[[1, 3]]]]
    assert avg_pool(input, kernel_size=(1, 2), stride=1, padding=(0, (0, 1))).tolist() == [[[[3, 2]]]]


def test_a_window_of_everything_is_the_mean():
    input = content("integer", (2, 3, 4, 5, 2), "float64", 0)
    assert (avg_pool(input, kernel_size=(4, 5, 2)) == input.mean((2, 3, 4), keepdims=True)).all()


def test_giant_windows_cost_what_they_hold():
    assert avg_pool(np.array([[[2.0]]]), kernel_size=2**31 - 1, padding=2**30).tolist() == [[[2 / (2**31 - 1)]]]


def test_what_is_not_finite_stays_in_its_windows():
    output = avg_pool(np.array([[[np.nan, 1.0, np.inf, 1.0, 2.0, 4.0]]]), kernel_size=2)
    assert np.isnan(output[0, 0, 0])
    assert output[0, 0, 1:].tolist() == [np.inf, 3]
    padded = avg_pool(np.array([[[np.inf]]]), kernel_size=1, padding=1)
    assert padded.tolist() == [[[0, np.inf, 0]]]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_empty_batch_gives_an_empty_output_and_gradient(rank):
    input = np.zeros((0, 2, *[4] * rank))
    output = avg_pool(input, kernel_size=2)
    assert output.shape == (0, 2, *[2] * rank)
    assert avg_pool_backward(output, input, kernel_size=2).input.shape == input.shape


def test_integers_are_exact_where_the_divisor_is_a_power_of_two():
    input, grad_output = content("integer", (1, 1, 6), "float64", 0), content("integer", (1, 1, 3), "float64", 1)
    attributes = {
        "kernel_size": 2, "stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None,
    }  # fmt: skip

    def limits(**changed):
        given = {**attributes, **changed}
        output = avg_pool(input, **given)
        grads = avg_pool_backward(grad_output[..., : output.shape[-1]], input, **given)
        (back,) = avg_pool_backward_bound(FLOAT32, grads, grad_output[..., : output.shape[-1]], input, **given)
        return avg_pool_bound(FLOAT32, output, input, **given).limit, back.limit, output, grads.input

    for limit in limits()[:2]:
        assert not limit.any()
    forward, backward, output, grad = limits(kernel_size=3)
    assert np.allclose(forward, 3 * UNIT * abs(output), rtol=1e-6, atol=0)  # three roundings of an exact sum
    assert (backward >= 2 * UNIT * abs(grad)).all()
    assert (backward <= 9 * UNIT * abs(grad)).all()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_size": 5}, "kernel_size must span at most the padded input's size (4,), got a dilated kernel of size (5,)"),
        ({"kernel_size": 0}, "kernel_size must be between 1 and 2147483647, got 0"),
        ({"kernel_size": 2, "stride": 0}, "stride must be between 1 and 2147483647, got 0"),
        ({"kernel_size": 2, "padding": -1}, "padding must be between 0 and 2147483647, got -1"),
        ({"kernel_size": 2, "divisor_override": 0}, "divisor_override must be between 1 and 2147483647, got 0"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        avg_pool(np.zeros((1, 1, 4)), **attributes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"kernel_size": (2, 2)}, "kernel_size must be an int or a sequence of 1 ints, got (2, 2)"),
        ({"kernel_size": 2, "ceil_mode": 1}, "ceil_mode must be True or False, got 1"),
        ({"kernel_size": 2, "count_include_pad": None}, "count_include_pad must be True or False, got None"),
        ({"kernel_size": 2, "divisor_override": 2.0}, "divisor_override must be an int, got 2.0"),
    ],
)
def test_values_of_the_wrong_type_are_refused(attributes, message):
    with pytest.raises(InvalidTypeError) as caught:
        avg_pool(np.zeros((1, 1, 4)), **attributes)
    assert str(caught.value) == message


def test_a_grad_output_of_the_wrong_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 1, 2\), got \(1, 1, 3\)$"):
        avg_pool_backward(np.zeros((1, 1, 3)), np.zeros((1, 1, 4)), kernel_size=2)
