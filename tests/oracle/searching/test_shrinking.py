import time

import numpy as np
import pytest

import oracle
import refconv
from oracle.searching.shrinking import simplified
from properties import Case, content, lay_out

ATTRIBUTES = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1, "padding_mode": "zeros"}


def of_convolution(kind="normal", layout="contiguous"):
    shapes = {"input": (2, 2, 5), "weight": (3, 2, 3), "bias": (3,), "grad_output": (2, 3, 5)}
    arrays = {name: content(kind, shape, "float32", seed) for seed, (name, shape) in enumerate(shapes.items())}
    arrays["input"] = lay_out(arrays["input"], layout)
    return Case("conv", (arrays["input"], arrays["weight"], arrays["bias"]), ATTRIBUTES, arrays["grad_output"])


def flipped(input, weight, bias=None, **attributes):
    return refconv.conv(input, weight[..., ::-1], bias, **attributes)


def simplest(function, case, seconds=20):
    subject = oracle.subject(conv=function)

    def fails(tried):
        return not oracle.compare(subject, tried, directions=["forward"]).passed

    assert fails(case)
    smallest = simplified(case, fails, time.perf_counter() + seconds)
    assert fails(smallest)
    return smallest


@pytest.mark.parametrize("kind", ["integer", "normal", "wide", "cancelling"])
def test_of_what_is_multilinear_one_element_of_each_array_is_left_and_it_is_1(kind):
    smallest = simplest(flipped, of_convolution(kind))
    input, weight, _ = smallest.inputs
    assert [np.count_nonzero(array) for array in (input, weight)] == [1, 1]
    assert (input.max(), weight.max()) == (1, 1)


def test_what_depends_on_a_value_keeps_it_as_short_as_it_can():
    def saturating(input, weight, bias=None, **attributes):
        return refconv.conv(np.minimum(input, np.float32(0.75)), weight, bias, **attributes)

    smallest = simplest(saturating, of_convolution())
    assert np.flatnonzero(smallest.inputs[0]).size == 1
    assert smallest.inputs[0].max() == 1


def test_a_layout_that_matters_stays():
    def ignoring(input, weight, bias=None, **attributes):
        return refconv.conv(input.ravel(order="K").reshape(input.shape), weight, bias, **attributes)

    assert not simplest(ignoring, of_convolution(layout="channels_last")).inputs[0].flags.c_contiguous
    assert simplest(flipped, of_convolution(layout="channels_last")).inputs[0].flags.c_contiguous


def test_an_array_whose_elements_share_memory_stays_or_becomes_one_whose_do_not():
    def constant_only(input, weight, bias=None, **attributes):
        output = refconv.conv(input, weight, bias, **attributes)
        return output + 1 if 0 in input.strides else output

    smallest = simplest(constant_only, of_convolution("integer", "expanded"))
    assert smallest.inputs[0].strides[0] == 0
    assert simplest(flipped, of_convolution("integer", "expanded")).inputs[0].flags.c_contiguous


def test_what_is_of_low_precision_keeps_its_digits():
    def halved(input, weight, bias=None, **attributes):
        return refconv.conv(input.astype(np.float16).astype(np.float32), weight, bias, **attributes)

    left = simplest(halved, of_convolution()).inputs[0]
    (place,) = np.flatnonzero(left)
    assert left.ravel()[place] == np.float32(0.1)


def test_nothing_is_tried_when_time_is_up():
    case = of_convolution()
    assert simplified(case, lambda tried: True, time.perf_counter()) is case


def test_a_case_that_fails_on_nan_keeps_it():
    def losing(input, weight, bias=None, **attributes):
        return refconv.conv(np.nan_to_num(input), weight, bias, **attributes)

    case = of_convolution("integer")
    case.inputs[0][0, 0, 2] = np.nan
    assert np.isnan(simplest(losing, case).inputs[0]).sum() == 1
