from itertools import islice

import numpy as np
import pytest

from oracle.diagnosis.conditions import ALWAYS, learned
from properties import with_special
from properties.plan import Plan


def designed(operator, count):
    plan = Plan(operator, "float32", 0, largest=20000)
    return [planned.recipe.case("float32") for planned in islice(plan.of_design(), count)]


def entries(case, name):
    value = case.attributes[name]
    return value if isinstance(value, tuple) else (value,) * (case.inputs[0].ndim - 2)


EVERY = designed("conv", 150)
CONV, OTHERS = EVERY[:120], EVERY[120:]
CONDITIONS = [
    ("groups > 1", lambda case: case.attributes["groups"] > 1),
    ("groups = 3", lambda case: case.attributes["groups"] == 3),
    ("bias is given", lambda case: case.inputs[2] is not None),
    ("groups > 1 and bias is given", lambda case: case.attributes["groups"] > 1 and case.inputs[2] is not None),
    ("a dilation above 1", lambda case: max(entries(case, "dilation")) > 1),
    (
        "a dilation above 1 on the last axis alone",
        lambda case: entries(case, "dilation")[-1] > 1 and max((1, *entries(case, "dilation")[:-1])) == 1,
    ),
    (
        "a dilation above 1 or a stride above 1",
        lambda case: max(entries(case, "stride")) > 1 or max(entries(case, "dilation")) > 1,
    ),
    ("padding_mode 'reflect'", lambda case: case.attributes["padding_mode"] == "reflect"),
    ("a batch of 5 or more", lambda case: len(case.inputs[0]) > 4),
    ("no kernel above 1", lambda case: max(case.inputs[1].shape[2:]) == 1),
    ("input isn't contiguous", lambda case: not case.inputs[0].flags.c_contiguous),
    ("fractions", lambda case: any(array is not None and (array % 1).any() for array in case.arrays.values())),
]


@pytest.mark.parametrize(("words", "fails"), CONDITIONS, ids=[words for words, _ in CONDITIONS])
def test_a_condition_is_put_as_a_person_would(words, fails):
    condition = learned([case for case in CONV if fails(case)], [case for case in CONV if not fails(case)])
    assert condition.words == words
    assert all(condition.holds(case) == fails(case) for case in OTHERS)


def test_the_threshold_is_what_lies_between():
    sizes = {case.inputs[0].shape[-1]: case for case in designed("linear", 150)}
    passed, failed = ([case for size, case in sizes.items() if (size > 4) == wanted] for wanted in (False, True))
    assert {4, 5} <= set(sizes)
    assert learned(failed, passed).words == "5 or more input features"


def test_a_special_value_is_a_condition():
    passed = [case for case in CONV if case.inputs[0].size and all(case.inputs[0].strides)][:20]
    failed = [with_special(case, "input", np.nan, 0) for case in passed]
    assert learned(failed, passed).words == "NaN in an array"


def test_what_never_passed_fails_always():
    assert learned(CONV[:5], []) is ALWAYS
    assert ALWAYS.holds(CONV[9])


def test_nothing_explains_what_isnt_told_by_the_call():
    assert learned(CONV[::2], CONV[1::2]) is None


def test_of_a_forward_the_gradient_that_comes_in_says_nothing():
    passed = [case for case in CONV if case.grad_output.size and all(case.grad_output.strides)][:20]
    failed = [with_special(case, "grad_output", np.nan, 0) for case in passed]
    assert learned(failed, passed, "backward").words == "NaN in an array"
    assert learned(failed, passed, "forward") is None
