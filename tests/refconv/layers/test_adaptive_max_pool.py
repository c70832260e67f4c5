import numpy as np
import pytest
from hypothesis import given

from properties import cases
from refconv import InvalidTypeError, InvalidValueError, adaptive_max_pool, adaptive_max_pool_backward, max_pool


@given(cases("adaptive_max_pool", dtype="float64"))
def test_it_is_the_maximum_of_each_window(case):
    (input,) = case.inputs
    size, outputs = input.shape[2:], case.grad_output.shape[2:]
    output = adaptive_max_pool(input, **case.attributes)
    for index in np.ndindex(*outputs):
        where = [slice(o * n // m, -(-(o + 1) * n // m)) for o, n, m in zip(index, size, outputs, strict=True)]
        window = input[(..., *where)]
        assert (output[(..., *index)] == window.max(axis=tuple(range(2, input.ndim)), initial=-np.inf)).all()


def test_windows_by_hand():
    x = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    assert adaptive_max_pool(x, output_size=3).tolist() == [[[2, 4, 5]]]  # 0 to 2, 1 to 4, 3 to 5
    assert adaptive_max_pool(-x, output_size=3).tolist() == [[[-1, -2, -4]]]
    assert adaptive_max_pool(x, output_size=1).tolist() == [[[5]]]
    assert adaptive_max_pool(x[..., :2], output_size=4).tolist() == [[[1, 1, 2, 2]]]


def test_sizes_that_divide_are_plain_pooling():
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 6))
    assert (adaptive_max_pool(x, output_size=(4, 2)) == max_pool(x, kernel_size=(2, 3))).all()


def test_the_gradient_goes_to_the_first_maximum_of_each_window():
    x = np.array([[[7.0, 7.0, 7.0, 0.0, 1.0]]])
    grads = adaptive_max_pool_backward(np.array([[[1.0, 10.0, 100.0]]]), x, output_size=3)
    assert grads.input.tolist() == [[[1, 10, 0, 0, 100]]]


def test_a_nan_wins_its_windows():
    x = np.array([[[np.nan, 1.0, 2.0]]])
    np.testing.assert_array_equal(adaptive_max_pool(x, output_size=2), [[[np.nan, 2]]])


def test_an_empty_batch_gives_an_empty_output():
    x = np.zeros((0, 2, 3))
    output = adaptive_max_pool(x, output_size=2)
    assert output.shape == (0, 2, 2)
    assert adaptive_max_pool_backward(output, x, output_size=2).input.shape == x.shape


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        (InvalidValueError, 0, "output_size must be between 1 and 2147483647, got 0"),
        (InvalidTypeError, None, "output_size must be an int or a sequence of 1 ints, got None"),
        (InvalidTypeError, (1, 1), "output_size must be an int or a sequence of 1 ints, got (1, 1)"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(kind, size, message):
    with pytest.raises(kind) as caught:
        adaptive_max_pool(np.zeros((1, 1, 3)), output_size=size)
    assert str(caught.value) == message
