"""What is learned of a failure: from calls like it, and from the same call again."""

from itertools import islice

import numpy as np
import pytest

import oracle
import refconv
from oracle.diagnosis import named
from oracle.judging.judge import observe, read_arithmetic
from oracle.running.runner import InProcess
from oracle.searching.neighbours import neighbours
from oracle.searching.repeating import wavering
from oracle.searching.studying import Evidence, Study
from properties import Case
from properties.plan import Plan

ARITHMETIC = read_arithmetic(None, "float32")


def designed(operator, count):
    plan = Plan(operator, "float32", 0, largest=20000).of_design()
    return [planned.recipe.case("float32") for planned in islice(plan, count)]


@pytest.mark.parametrize("operator", ["conv", "max_pool", "batch_norm", "upsample", "softmax", "linear"])
def test_neighbours_are_sensible_calls_and_differ(operator):
    for case in designed(operator, 3):
        others = list(neighbours(case, 0))
        assert len({repr(other) for other in others}) > 10
        assert all(other.refusal("backward") is None for other in others)
        assert _shapes(others[0]) == _shapes(case)


def _shapes(case):
    return [array is not None and array.shape for array in case.arrays.values()]


def last_wrong_if(wrong):
    def linear(input, weight, bias=None):
        output = refconv.linear(input, weight, bias)
        if output.size and wrong(input, weight):
            output.flat[-1] += 1 + abs(output.flat[-1])
        return output

    return InProcess(oracle.subject(linear=linear))


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("17 or more input features", lambda signal, weight: signal.shape[-1] > 16),
        ("a square weight", lambda _, weight: weight.shape[0] == weight.shape[1]),
    ],
)  # fmt: skip
def test_conditions_are_parted_by_calls_made_on_purpose(words, wrong):
    runner = last_wrong_if(wrong)
    study = Study(runner, ARITHMETIC, "forward", {})
    smallest = next(case for case in designed("linear", 60) if wrong(*case.inputs[:2]))
    assert study.of(smallest, smallest, ("linear", "float32", 0)).condition.words == words


def test_a_pass_that_proves_nothing_is_no_evidence():
    evidence, runner = Evidence("forward"), InProcess(refconv)
    zeros = Case("relu", (np.zeros((2, 2), np.float32),), {}, np.ones((2, 2), np.float32))
    assert not evidence.add(observe(runner, zeros, "forward", ARITHMETIC))
    assert evidence.observations
    assert not evidence.passed


def test_what_fails_from_the_second_call_on_is_no_race():
    calls = []

    def second(input):
        calls.append(input)
        return refconv.relu(input) + np.float32(len(calls) > 1)

    case = designed("relu", 1)[0]
    assert wavering(InProcess(oracle.subject(relu=second)), case, "forward", ARITHMETIC) is None


@pytest.mark.parametrize(
    ("wrong", "name"), [({3, 6, 9, 12, 15}, "depends on earlier calls"), ({2, 3, 7, 15}, "a race")]
)
def test_what_fails_now_and_then_is_a_race_unless_calls_are_counted(wrong, name):
    calls = []

    def sometimes(input):
        calls.append(input)
        return refconv.relu(input) + np.float32(len(calls) in wrong)

    case = designed("relu", 1)[0]
    found = wavering(InProcess(oracle.subject(relu=sometimes)), case, "forward", ARITHMETIC)
    assert found.verdict.unknown_failure
    assert named(found.note).name == name
