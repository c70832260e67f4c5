import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from properties import LAYOUTS, Case, cases, content, lay_out
from properties.arrays import DTYPES
from properties.case import layout_of, literal
from properties.sizes import MANY


def evaluate(text):
    return eval(text, {"np": np, "ml_dtypes": ml_dtypes})


def assert_made_again(array):
    made = evaluate(literal(array))
    assert made is array is None or (made.tobytes(), made.strides, made.dtype) == (
        array.tobytes(),
        array.strides,
        array.dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=25)
@given(data=st.data())
def test_a_literal_gives_the_same_bits_in_the_same_layout(dtype, data):
    case = data.draw(cases("conv", dtype=dtype).filter(lambda case: len(case.grad_output) < MANY))
    for array in case.arrays.values():
        assert_made_again(array)


def test_a_literal_of_many_elements_gives_the_same_bits():
    assert_made_again(content("normal", (MANY, 1, 1), "float32", 0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_literal_has_the_layout(layout):
    array = lay_out(np.arange(16.0).reshape(2, 2, 2, 2), layout)
    made = evaluate(literal(array))
    assert made.strides == array.strides
    assert layout_of(made) == layout


def test_a_literal_spells_what_is_not_finite():
    array = np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32)
    assert evaluate(literal(array)).tobytes() == array.tobytes()


def test_a_literal_names_the_library_that_has_the_dtype():
    array = np.array([0.1]).astype("bfloat16")
    assert literal(array) == "np.array([0.100097656], dtype=ml_dtypes.bfloat16)"
    assert evaluate(literal(array)).tobytes() == array.tobytes()
    assert literal(array[:0]) == "np.zeros((0,), dtype=ml_dtypes.bfloat16)"


def test_a_case_shows_shapes_and_what_isnt_default():
    array = np.zeros((1, 1, 2))
    attributes = {"stride": (2,), "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    case = Case("conv", (array, array, None), attributes, array)
    assert repr(case) == "conv(input[1, 1, 2], weight[1, 1, 2], bias=None, stride=(2,))"


def test_a_small_case_is_shown_as_python_that_makes_it_a_large_one_as_the_call():
    for length, shown in ((3, None), (1000, "relu(input[1, 1, 1000])")):
        case = Case("relu", (np.ones((1, 1, length), np.float32),), {}, np.full((1, 1, length), 2, np.float32))
        text = pretty(case)
        if shown is None:
            made = eval(text, {"np": np, "Case": Case})
            assert [array.tolist() for array in made.arrays.values()] == [[[[2.0] * 3]], [[[1.0] * 3]]]
        else:
            assert text == shown
