import numpy as np
import pytest
from hypothesis import given

from properties import LAYOUTS, Case, cases, lay_out
from properties.case import literal


def evaluate(text):
    return eval(text, {"np": np, "lay_out": lay_out})


@given(cases("conv"))
def test_a_literal_gives_the_same_bits_in_the_same_layout(case):
    for array in case.arrays.values():
        made = evaluate(literal(array))
        assert made is array is None or (made.tobytes(), made.strides, made.dtype) == (
            array.tobytes(),
            array.strides,
            array.dtype,
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_literal_names_the_layout(layout):
    array = lay_out(np.arange(16.0).reshape(2, 2, 2, 2), layout)
    assert (repr(layout) in literal(array)) == (layout != "contiguous")
    assert evaluate(literal(array)).strides == array.strides


def test_a_literal_spells_what_is_not_finite():
    array = np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32)
    assert evaluate(literal(array)).tobytes() == array.tobytes()


def test_a_case_shows_shapes_and_what_isnt_default():
    array = np.zeros((1, 1, 2))
    attributes = {"stride": (2,), "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    case = Case("conv", (array, array, None), attributes, array)
    assert repr(case) == "conv(input[1, 1, 2], weight[1, 1, 2], bias=None, stride=(2,))"
