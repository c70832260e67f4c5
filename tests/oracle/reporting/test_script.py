import contextlib
import io
import math

import hypothesis
import numpy as np
import pytest
from hypothesis import Phase

import oracle
import refconv
from oracle.judging.judge import judge, read_arithmetic
from oracle.reporting.script import script
from oracle.running.runner import InProcess
from properties import Case, cases

pytestmark = pytest.mark.slow


def run(text, **names):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(text, names)
    return printed.getvalue()


@pytest.mark.parametrize("operator", refconv.operators)
def test_a_script_runs_as_it_is_and_prints_what_the_implementation_gives(operator):
    def interesting(case):
        full = all(array is None or 1 < array.size < 100 for array in case.inputs)
        return full and case.inputs[0].strides[-1] < 0 and (case.spelled_attributes or not row.attributes)

    row = refconv.operators[operator]
    settings = hypothesis.settings(database=None, max_examples=5000, phases=[Phase.generate])  # it needn't be the least
    case = hypothesis.find(cases(operator), interesting, settings=settings)
    results = {
        "forward": row.forward(*case.inputs, **case.attributes),
        "backward": row.backward(case.grad_output, *case.inputs, **case.attributes),
    }
    for direction, expected in results.items():
        text = script("import refconv as implementation", [(case, direction)], read_arithmetic(None, "float32")).text
        assert run(text) == str(expected) + "\n"
        assert all(f", {name}={value!r}" in text for name, value in case.attributes.items())
        assert len(text.splitlines()) < 15


def test_a_script_knows_infinity():
    attributes = {"norm_type": math.inf, "kernel_size": 2, "stride": 1, "ceil_mode": False}
    case = Case("lp_pool", (np.array([[[1, -3]]], np.float32),), attributes, np.ones((1, 1, 1), np.float32))
    text = script("import refconv as implementation", [(case, "forward")], read_arithmetic(None, "float32")).text
    assert run(text) == "[[[3.]]]\n"


def test_a_script_for_an_object_leaves_a_place_for_it():
    def conv(input, weight, bias=None, **attributes):
        return refconv.conv(input, weight, bias, **attributes) + 1

    subject = oracle.subject(conv=conv)
    (failure,) = oracle.check(subject, examples=100).failures
    assert "implementation = ...  # what was checked" in failure.script
    assert "import oracle" not in failure.script
    text = failure.script.replace("implementation = ...  # what was checked", "")
    got = conv(*failure.case.inputs, **failure.case.attributes)
    assert run(text, implementation=subject) == f"{got}\n"
    assert not judge(InProcess(subject), failure.case, "forward", read_arithmetic(None, "float32")).passed


def test_a_script_says_what_was_expected():
    def conv(input, weight, bias=None, **attributes):
        return refconv.conv(input, weight, bias, **attributes) * 0

    (failure,) = oracle.check(oracle.subject(conv=conv), examples=100).failures
    expected = refconv.conv(*failure.case.inputs, **failure.case.attributes).ravel()
    assert failure.script.splitlines()[-1] == f"# expected output: [[[{expected[0]:.0f}.]]]"
