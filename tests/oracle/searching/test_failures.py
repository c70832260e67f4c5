"""Distinct failures: after one, the search goes on over what its condition doesn't explain."""

import numpy as np
import pytest

import oracle
import refconv
from oracle.diagnosis.conditions import ALWAYS, Condition
from oracle.reporting.report import SPECIALS, Failure, Tally
from oracle.searching.findings import Findings
from oracle.searching.siblings import Siblings
from properties import Case


def relu_case(*values):
    given = np.array([values], np.float32)
    return Case("relu", (given,), {}, np.ones_like(given))


def failure(case, **fields):
    named = {"diagnosis": None, **fields}
    return Failure("relu", "forward", "law", case, "wrong", write=str, calls=((case, "forward"),), **named)


@pytest.fixture
def way():
    return Findings("forward", Tally("relu", "forward"), Siblings(refconv.operators["relu"], "forward"))


WIDE = Condition("from 3 elements on", lambda case: case.inputs[0].size > 2)
NEGATIVE = Condition("a negative first element", lambda case: case.inputs[0].flat[0] < 0)
wide, narrow, negative, special = relu_case(1, 2, 3), relu_case(1), relu_case(-1), relu_case(np.nan)


def test_a_failure_explains_what_its_condition_says_and_the_direction_stays_open(way):
    assert way.settle(failure(wide, condition="wide"), WIDE, most=5) is None
    assert way.open
    assert way.explains(relu_case(4, 5, 6, 7), special=False)
    assert not way.explains(narrow, special=False)


@pytest.mark.parametrize("condition", [None, ALWAYS, NEGATIVE], ids=["none", "always", "one that doesn't hold here"])
def test_a_failure_without_a_condition_that_parts_explains_all(way, condition):
    way.settle(failure(wide), condition, most=5)
    assert not way.open


def test_after_enough_failures_a_direction_is_closed(way):
    way.settle(failure(wide, condition="wide"), WIDE, most=2)
    assert way.open
    way.settle(failure(negative, condition="negative"), NEGATIVE, most=2)
    assert not way.open


@pytest.mark.parametrize(
    ("one", "other", "new"),
    [
        ({"condition": "wide"}, {"condition": "wide"}, False),
        ({"condition": "wide"}, {"condition": "negative"}, True),
        ({"condition": "wide", "symptom": "zeros"}, {"condition": "wide", "symptom": "doubled"}, True),
        ({"diagnosis": "bias missing", "condition": "wide"}, {"diagnosis": "bias missing"}, False),
        ({"diagnosis": "bias missing"}, {"diagnosis": None}, True),
    ],
)
def test_failures_by_one_mistake_or_alike_in_condition_and_symptom_are_one(way, one, other, new):
    first = failure(wide, **one)
    assert way.settle(first, WIDE, most=5) is None
    assert way.settle(failure(negative, **other), NEGATIVE, most=5) is (None if new else first)


def test_a_failure_whose_condition_says_that_a_known_one_fails_is_that_one(way):
    first = failure(wide, condition="from 3 elements on and no value below 1")
    way.settle(first, Condition("", lambda case: case.inputs[0].size > 2 and case.inputs[0].min() >= 1), most=5)
    assert way.settle(failure(relu_case(0, 0, 0), condition=WIDE.words), WIDE, most=5) is first


def plus_one_of_two_groups(input, weight, bias=None, *, groups, **attributes):
    return refconv.conv(input, weight, bias, groups=groups, **attributes) + (groups == 2)


def test_a_condition_that_was_learned_too_narrow_is_widened():
    (found,) = oracle.check(oracle.subject(conv=plus_one_of_two_groups), ["conv"], examples=100, seed=3).failures
    assert found.condition == "groups = 2"


def test_a_failure_that_takes_a_special_value_explains_only_such_cases(way):
    way.settle(failure(special, special=True), None, most=5)
    assert way.open
    assert way.explains(special, special=True)
    assert not way.explains(narrow, special=False)


def two_mistakes(input, weight, bias=None, *, dilation, groups, **attributes):
    output = refconv.conv(input, weight, bias, dilation=dilation, groups=groups, **attributes)
    if groups > 1:
        return output * 2
    return output + 1 if np.max(dilation) > 1 else output


def test_two_mistakes_are_two_failures():
    report = oracle.check(oracle.subject(conv=two_mistakes), ["conv"], examples=200)
    attributes = [failure.case.attributes for failure in report.failures]
    assert any(each["groups"] > 1 for each in attributes)
    assert any(np.max(each["dilation"]) > 1 and each["groups"] == 1 for each in attributes)
    tally = report.tallies[0]
    assert tally.explained > 0
    assert tally.failed >= 1
    assert tally.cases + tally.explained <= 200


def test_one_failure_is_enough_where_only_that_is_asked_for():
    report = oracle.check(oracle.subject(conv=two_mistakes), ["conv"], examples=200, failures=1)
    assert len(report.failures) == 1


def test_what_fails_everywhere_ends_with_its_first_failure():
    report = oracle.check(oracle.subject(relu=lambda x: x + 1), ["relu"])
    assert len(report.failures) == 1
    assert report.tallies[0].cases <= 3


def losing_nan(input):
    return np.where(np.isnan(input), np.float32(0), np.maximum(input, 0))


def test_special_values_have_a_row_of_their_own():
    report = oracle.check(oracle.subject(relu=losing_nan), ["relu"], examples=200)
    (failure,) = report.failures
    assert failure.special
    assert failure.row == SPECIALS
    assert np.isnan(failure.case.inputs[0]).any()
    forward, specials = report.tallies
    assert (forward.direction, forward.failed) == ("forward", 0)
    assert forward.cases > 100
    assert (specials.direction, specials.failed > 0, specials.explained > 0) == (SPECIALS, True, True)
    rows = {tuple(line.split()[1:3]): line.split()[-1] for line in str(report).splitlines() if line.startswith("relu ")}
    assert rows["special", "values"] == "FAILED"
    assert rows["forward", str(forward.cases)] == "ok"


def test_special_values_are_left_out_on_request():
    report = oracle.check(oracle.subject(relu=losing_nan), ["relu"], examples=200, specials=False)
    assert report.passed
    assert [tally.direction for tally in report.tallies] == ["forward"]
