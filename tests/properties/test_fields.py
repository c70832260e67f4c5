import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import Case, FieldsError, cases, content, from_fields, to_fields
from properties.arrays import DTYPES
from refconv import operators

FIELDS = {
    "operator": "conv",
    "attributes": {"stride": 1, "padding": [[1, 0]], "dilation": 1, "groups": 1, "padding_mode": "zeros"},
    "arrays": {
        "grad_output": {"dtype": "float32", "shape": [1, 1, 2], "layout": "contiguous", "values": [1, "nan"]},
        "input": {"dtype": "float32", "shape": [1, 1, 2], "layout": "reversed", "values": [0.1, "-inf"]},
        "weight": {"dtype": "float32", "shape": [1, 1, 2], "layout": "contiguous", "content": "normal", "seed": 3},
        "bias": None,
    },
}


@pytest.mark.parametrize("operator", operators)
@given(data=st.data())
def test_a_case_comes_back_bit_for_bit_and_as_it_lay(operator, data):
    case = data.draw(cases(operator, dtype=data.draw(st.sampled_from(DTYPES))))
    back = from_fields(json.loads(json.dumps(to_fields(case))))
    assert repr(back) == repr(case)
    assert dict(back.attributes) == dict(case.attributes)
    for one, other in zip(case.arrays.values(), back.arrays.values(), strict=True):
        if one is not None:
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
            assert one.strides == other.strides or one.size == 0


def test_arrays_are_values_or_content_and_seed():
    case = from_fields(FIELDS)
    assert case.attributes["padding"] == ((1, 0),)
    assert np.isnan(case.grad_output[0, 0, 1])
    assert case.inputs[0][0, 0, 1] == -np.inf
    assert case.inputs[0].strides[-1] == -4
    assert (case.inputs[1] == content("normal", (1, 1, 2), "float32", 3)).all()


def test_what_is_not_finite_is_written_as_words():
    input, grad_output = np.float32([[[-np.inf, np.nan, 1]]]), np.float32([[[1, 2, np.inf]]])
    arrays = to_fields(Case("relu", (input,), {}, grad_output))["arrays"]
    assert arrays["input"]["values"] == ["-inf", "nan", 1]
    assert arrays["grad_output"]["values"] == [1, 2, "inf"]


def changed(path, value):
    fields = copy.deepcopy(FIELDS)
    *way, last = path.split(".")
    target = fields
    for name in way:
        target = target[name]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return fields


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("operator", "eval", r"^operator must be one of conv, conv_transpose, .*, capsule_routing, got 'eval'$"),
        ("operator", ["conv"], r"^operator must be one of "),
        ("operator", ..., r"^case must have the fields arrays, attributes, operator, got "),
        ("more", 1, r"^case must have the fields "),
        ("attributes", [], r"^attributes must have the fields "),
        ("attributes.stride", ..., r"^attributes must have the fields "),
        ("attributes.stride", {"a": 1}, r"^stride must be a number, a word, or lists of them, got "),
        ("attributes.stride", [[[[[1]]]]], r"^stride must be a number, "),
        ("attributes.stride", 10**5000, r"^conv: stride must be between 1 and 2147483647, got a value of type int$"),
        ("attributes.stride", 0, r"^conv: stride must be between 1 and "),
        ("attributes.groups", "1\n2", r"^conv: groups must be an int, got '1\\n2'$"),
        ("arrays.bias", ..., r"^arrays must have the fields "),
        ("arrays.input", None, r"^input must have the fields dtype, layout, seed, shape|^input must have the fields "),
        ("arrays.input.dtype", "object", r"^input\.dtype must be one of float32, float64, float16, bfloat16, int64, got 'object'$"),
        ("arrays.input.dtype", ["float32"], r"^input\.dtype must be one of "),
        ("arrays.input.layout", "spiral", r"^input\.layout must be one of contiguous, "),
        ("arrays.input.shape", [1, 1, -2], r"^input\.shape must be a list of at most 8 sizes, got \[1, 1, -2\]$"),
        ("arrays.input.shape", [1, 1, True], r"^input\.shape must be "),
        ("arrays.input.shape", "112", r"^input\.shape must be "),
        ("arrays.input.shape", [1] * 9, r"^input\.shape must be "),
        ("arrays.weight.shape", [2**20, 2**20, 2], r"^weight\.shape must have at most 134217728 elements, got "),
        ("arrays.weight.shape", [0, 2**62], r"^weight\.shape must have at most "),
        ("arrays.input.values", [1], r"^input\.values must be a list of 2 numbers, got \[1\]$"),
        ("arrays.input.values", [1, True], r"^input\.values must be numbers, or the words nan, inf and -inf, got "),
        ("arrays.input.values", [1, "one"], r"^input\.values must be numbers, "),
        ("arrays.input.values", [1, None], r"^input\.values must be numbers, "),
        ("arrays.input.values", [1, 10**400], r"^input\.values must be numbers, "),
        ("arrays.input.values", [1, [1]], r"^input\.values must be numbers, "),
        ("arrays.input.seed", 1, r"^input must have the fields "),
        ("arrays.weight.seed", -1, r"^weight\.seed must be an int from 0 to 2\*\*64 - 1, got -1$"),
        ("arrays.weight.seed", 1.5, r"^weight\.seed must be "),
        ("arrays.weight.content", "malicious", r"^weight\.content must be one of integer, "),
        ("arrays.grad_output.shape", [1, 2, 1], r"^conv: grad_output must have shape \(1, 1, 2\), got \(1, 2, 1\)$"),
    ],
    ids=lambda value: "" if isinstance(value, int) else None,  # one has too many digits to be shown
)  # fmt: skip
def test_what_is_no_case_is_refused_in_one_line(path, value, message):
    with pytest.raises(FieldsError, match=message) as refusal:
        from_fields(changed(path, value))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [None, 1, "conv", [], [FIELDS]])
def test_what_is_no_mapping_is_refused(value):
    with pytest.raises(FieldsError, match=r"^case must have the fields "):
        from_fields(value)
