import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import contradictory_cases
from refconv import InvalidTypeError, InvalidValueError, operators

OPERATORS = pytest.mark.parametrize("operator", operators)
REFUSED = (InvalidTypeError, InvalidValueError)


@OPERATORS
@given(data=st.data())
def test_the_reference_refuses_what_contradicts_itself(operator, data):
    case = data.draw(contradictory_cases(operator))
    with pytest.raises(REFUSED):
        case.row.backward(case.grad_output, *case.inputs, **case.attributes)
    try:
        with np.errstate(all="ignore"):
            case.row.forward(*case.inputs, **case.attributes)
    except REFUSED:
        return
    with pytest.raises(REFUSED, match=r"^grad_output must have shape"):
        case.row.backward(case.grad_output, *case.inputs, **case.attributes)


@OPERATORS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_contradicts_itself_has_arrays_of_its_dtype_and_no_empty_one(operator, dtype, collect):
    for case in collect(contradictory_cases(operator, dtype=dtype), 50):
        arrays = [array for array in case.arrays.values() if array is not None]
        assert all(isinstance(array, np.ndarray) and array.size for array in arrays)
        assert {str(array.dtype) for array in arrays} <= {dtype, "int64"}
        assert set(case.attributes) == set(operators[operator].attributes)


@pytest.fixture(scope="module")
def refusals(collect):
    """A function that gives what the reference says against each of 300 calls, the same ones each time."""

    def refusal(case):
        with pytest.raises(REFUSED) as caught:
            case.row.backward(case.grad_output, *case.inputs, **case.attributes)
        return str(caught.value)

    return functools.cache(lambda operator: [*map(refusal, collect(contradictory_cases(operator), 300))])


@pytest.mark.parametrize(
    ("operator", "argument", "rule"),
    [
        ("conv", "weight", "have in_channels / groups"),
        ("conv", "weight", "span at most"),
        ("conv", "groups", "divide"),
        ("conv", "bias", "have shape"),
        ("conv", "padding_mode", "be one of"),
        ("conv", "stride", "be an int or a sequence"),
        ("conv", "stride", "be between"),
        ("conv", "dilation", "be between"),
        ("conv", "padding", "be between"),
        ("conv", "padding", "be smaller than the input's size"),
        ("conv", "grad_output", "have shape"),
        ("conv_transpose", "output_padding", "be smaller than stride"),
        ("conv_transpose", "output_padding", "be between"),
        ("conv_transpose", "padding", "leave an output"),
        ("max_pool", "kernel_size", "span at most"),
        ("max_unpool", "indices", "be between"),
        ("cross_entropy", "target", "be between"),
        ("group_norm", "num_groups", "divide"),
        ("softmax", "axis", "be between"),
        ("channel_shuffle", "groups", "divide"),
    ],
)
def test_a_contradiction_is_drawn_within_300_cases(operator, argument, rule, refusals):
    assert any(said.startswith(f"{argument} must {rule}") for said in refusals(operator))
