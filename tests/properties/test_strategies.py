import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import cases
from properties.strategies import STRATEGIES
from refconv import operators


def test_every_operator_has_a_strategy():
    assert list(STRATEGIES) == list(operators)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(data=st.data())
def test_arrays_have_the_dtype_that_was_asked_for(dtype, data):
    case = data.draw(cases("conv", dtype=dtype))
    assert {str(array.dtype) for array in case.arrays.values() if array is not None} == {dtype}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operator": "convolve"}, "^operator must be one of conv, conv_transpose, got 'convolve'$"),
        ({"operator": "conv", "dtype": "int8"}, "^dtype must be one of float32, float64, got 'int8'$"),
    ],
)
def test_what_isnt_known_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cases(**arguments)
