"""Reports that no check has made: with all that one may hold, and with what others may have written into them."""

import numpy as np
import pytest

from oracle.contract import Deviation
from oracle.reporting.arrays import Shown
from oracle.reporting.report import SPECIALS, Failure, Report, Tally
from properties import Case
from properties.plan import Coverage
from refconv import operators


def relu(*shape):
    return Case("relu", (np.ones(shape, np.float32),), {}, np.ones(shape, np.float32))


@pytest.fixture(scope="session")
def failure():
    """Makes a failure."""

    def make(case=None, **fields):
        case = case or relu(1, 2)
        given = {
            "operator": "relu",
            "direction": "forward",
            "law": "equals the definition",
            "case": case,
            "reason": "output[0, 0] = 2.0, expected 1 exactly (1 of 2 wrong)",
            "diagnosis": None,
            "write": lambda: "print(1)\nprint(2)",
            "calls": ((case, "forward"),),
        }
        return Failure(**{**given, **fields})

    return make


@pytest.fixture(scope="session")
def deviation():
    """Makes a known deviation."""

    def make(**fields):
        given = {
            "operator": "relu",
            "direction": "backward",
            "matches": lambda case: False,
            "reason": "the gradient of nothing",
            "versions": "2.0",
            "smallest": "relu(input[1, 0])",
            "script": "import torch",
        }
        return Deviation(**{**given, **fields})

    return make


def shown(shape, wrong):
    """What was got and should have been, of which some are wrong."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    marks = np.zeros(shape, bool)
    marks.flat[wrong] = True
    got = Shown("got", "output", "float32", shape, np.where(marks, np.float32(99), values), marks)
    return Shown("given", "input", "float32", shape, values), got, Shown("expected", "output", "float64", shape, values)


@pytest.fixture(scope="session")
def make_full(failure, deviation):
    """Makes a report of all operators, with failures of each kind."""

    def make():
        report = Report("mine", "1.0", "float32", "float32", None, 0, seconds=12.3, complete=True)
        for number, name in enumerate(operators):
            for direction in ("forward", "backward"):
                report.tallies.append(Tally(name, direction, cases=1000 + number, passed=900, exact=number, worst=0.5))
            report.coverage.append(
                Coverage(name, 3, 4, 5, 6, 7, 8, free=9, largest=(1, 64, 98, 98), sum=12345, seconds=1.5)
            )
        report.tallies.append(Tally("local_response_norm", SPECIALS, cases=9, passed=9))
        report.coverage[0].declined = ["groups depthwise or 3-4 or 5-16"]
        named = {
            "diagnosis": "padding swapped between axes",
            "cause": "The padding is read from the last axis to the first.",
            "thread": "https://example.org/1",
            "condition": "exactly when the padding differs between axes",
            "symptom": "the last column is that of the row before",
        }
        report.failures = [
            failure(relu(2, 1, 3, 4), shown=shown((2, 1, 3, 4), [5, 17]), **named),
            failure(relu(2, 1, 3, 4), threshold="fails from channels in 65 on; 64 passes"),
            failure(
                operator="conv",
                direction="backward",
                reason="raised ValueError: no\nsecond line",
                details="ValueError: no\n  File 'mine.py'",
            ),
            failure(operator="add", law="linear", statement="f(a + b) = f(a) + f(b)\nfor it is a sum."),
        ]
        report.deviations = [(deviation(), 4, 2), (deviation(reason="never seen"), 3, 0)]
        report.absent = ["conv_backward"]
        return report

    return make


@pytest.fixture
def full(make_full):
    return make_full()
