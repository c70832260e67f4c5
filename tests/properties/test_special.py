import math

import numpy as np
import pytest

from properties import SPECIALS, Case, cases, content, lay_out, refilled, with_special
from properties.case import layout_of
from properties.filling import CHOSEN
from properties.special import places
from refconv import operators

OPERATORS = pytest.mark.parametrize("operator", operators)


def a_case(layout="contiguous"):
    arrays = [lay_out(content("normal", (2, 3, 5), "float32", seed), layout) for seed in (1, 2)]
    return Case("leaky_relu", (arrays[1],), {"negative_slope": 0.01}, arrays[0])


def specials_of(case):
    return {
        name: array
        for name, array in case.arrays.items()
        if array is not None and array.dtype.kind == "f" and not (np.isfinite(array) & (abs(array) < 1e38)).all()
    }


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "transposed", "reversed"])
def test_a_special_value_is_in_one_place_of_an_array_that_lies_as_before(layout):
    case = a_case(layout)
    changed = with_special(case, "input", math.nan, 17)
    assert np.argwhere(np.isnan(changed.inputs[0])).tolist() == [[1, 0, 2]]
    assert changed.inputs[0].strides == case.inputs[0].strides
    assert np.isfinite(case.inputs[0]).all()
    assert changed.grad_output is case.grad_output


def test_one_special_value_is_enough():
    case = a_case()
    assert places(case) == ["grad_output", "input"]
    assert places(with_special(case, "input", math.nan, 17)) == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [("subnormal", "1e-45"), ("largest", "3.4028235e+38"), ("-largest", "-3.4028235e+38"), ("-0.0", "-0.0")],
)
def test_special_values_are_those_of_the_dtype(name, shown):
    changed = with_special(a_case(), "grad_output", SPECIALS[name](np.dtype("float32")), 0)
    assert str(changed.grad_output[0, 0, 0]) == shown


@OPERATORS
def test_some_cases_hold_a_special_value_and_the_reference_takes_them(operator, collect):
    found = 0
    for case in collect(cases(operator, specials=True), 200):
        found += bool(specials_of(case))
        with np.errstate(all="ignore"):
            case.row.backward(case.grad_output, *case.inputs, **case.attributes)
            case.row.forward(*case.inputs, **case.attributes)
    assert found >= 1


@OPERATORS
def test_cases_shrink_to_no_special_value(operator, smallest):
    case = smallest(cases(operator, specials=True))
    assert not specials_of(case)


@OPERATORS
def test_a_case_filled_again_differs_in_integers_alone(operator, collect):
    for case in collect(cases(operator), 30):
        again = refilled(case, 1)
        assert repr(again) == repr(case)
        for name, array in case.arrays.items():
            other = again.arrays[name]
            if array is None or name in CHOSEN or array.dtype.kind == "i":
                assert other is array
            elif np.isfinite(array).all():
                assert (abs(other) <= 4).all()
                assert array.size == 0 or layout_of(other) == layout_of(array)


def test_each_seed_fills_in_another_way_and_special_values_stay():
    case = with_special(a_case(), "input", -0.0, 0)
    one, other, again = (refilled(case, seed) for seed in (1, 2, 1))
    assert one.inputs[0] is case.inputs[0]
    assert (one.grad_output != other.grad_output).any()
    assert (one.grad_output == again.grad_output).all()
