"""What fails by one arithmetic is told the one by which it is right, if there is one."""

import ml_dtypes
import numpy as np
import pytest

import oracle
import refconv
from oracle.judging.conformity import conforms_with
from oracle.judging.judge import Observation, expectation, read_arithmetic
from oracle.running.calls import Outcome
from properties import Case
from refconv import ARITHMETICS, operators


def observed(operator, inputs, results, direction="forward", arithmetic="float32", grad_output=None, **attributes):
    """Observe a result as one of an implementation in float32."""
    row = operators[operator]
    inputs = (*inputs, *[None] * (len(row.inputs) - len(inputs)))
    grad_output = np.ones_like(results) if grad_output is None else grad_output
    case = Case(operator, inputs, {**row.attributes, **attributes}, grad_output)
    chosen = read_arithmetic(arithmetic, "float32")
    name = "output" if direction == "forward" else "grad_input"
    outcome = Outcome("returned", {name: results.astype(np.float32)})
    return Observation(case, direction, outcome, expectation(case, direction, chosen), chosen)


X = np.array([[0.3, -0.6, 5.0, -12.0, 40.0]], np.float32)


def sigmoid_by_tanh(x):
    half = np.float32(0.5)
    return half * np.tanh(half * x) + half


def log_softmax_by_logsumexp(x):
    largest = x.max(axis=1, keepdims=True)
    return x - (largest + np.log(np.exp(x - largest).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize(
    ("operator", "function", "x"),
    [("sigmoid", sigmoid_by_tanh, X - 12), ("log_softmax", log_softmax_by_logsumexp, X / 40 + 1000)],
)
def test_functions_may_be_accurate_absolutely(operator, function, x):
    seen = observed(operator, (x,), function(x))
    assert conforms_with([seen]) == "absolute"
    subject = oracle.subject(**{operator: lambda x, **_: function(x)})
    assert not oracle.compare(subject, seen.case, directions=["forward"]).passed
    assert oracle.compare(subject, seen.case, directions=["forward"], arithmetic="absolute").passed


def test_tanh_may_be_twice_a_sigmoid_less_one():
    x = np.float32([[1e-4, -3e-3, 0.5]])
    one = np.float32(1)
    assert conforms_with([observed("tanh", (x,), 2 / (one + np.exp(-2 * x)) - one)]) == "absolute"


def rounded(values):
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def by_three(x, w):
    (a, b), (c, d) = ((rounded(each), rounded(each - rounded(each))) for each in (x, w))
    return (a @ c.T + (a @ d.T + b @ c.T)).astype(np.float32)


def products(function, n=1, seed=0):
    x, w = (np.random.default_rng(seed + k).standard_normal((8, n)).astype(np.float32) for k in range(2))
    return observed("linear", (x, w), function(x, w))


def to_tf32(values):
    return ((values.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (by_three, "bfloat16x3"),
        (lambda x, w: to_tf32(x) @ to_tf32(w).T, "tf32"),
        (lambda x, w: rounded(x) @ rounded(w).T, "bfloat16"),
        (lambda x, w: rounded(rounded(x) @ rounded(w).T), "bfloat16"),
    ],
)
def test_the_most_accurate_that_explains_every_failure_is_named(function, name):
    assert conforms_with([products(function), products(function, seed=4), products(function, n=64)]) == name


def test_what_is_right_or_simply_wrong_conforms_with_nothing():
    assert conforms_with([products(lambda x, w: x @ w.T)]) is None
    assert conforms_with([products(lambda x, w: 2 * (x @ w.T))]) is None
    assert conforms_with([products(by_three), products(lambda x, w: 2 * (x @ w.T))]) is None


def test_one_that_asks_for_nothing_proves_nothing():
    x = np.full((1, 1), 1e-5, np.float32)
    seen = observed("add", (x, -x), np.full((1, 1), 1e-6, np.float32))
    assert conforms_with([seen]) is None


def test_an_exception_and_an_answer_to_nonsense_conform_with_nothing():
    seen = products(by_three)
    assert conforms_with([seen._replace(outcome=Outcome("raised", reason="raised ValueError"))]) is None
    case = Case("relu", (np.ones((1, 1), np.float32),), {}, np.ones((2, 2), np.float32))
    arithmetic = read_arithmetic(None, "float32")
    refused = expectation(case, "backward", arithmetic)
    outcome = Outcome("returned", {"grad_input": np.ones((1, 1), np.float32)})
    assert conforms_with([Observation(case, "backward", outcome, refused, arithmetic)]) is None


def test_a_report_says_so():
    def by_fft(input, weight, bias=None, **attributes):
        from bench.honest import HONEST

        return HONEST["fft float32"][0].conv(input, weight, bias, **attributes)

    report = oracle.check(oracle.subject(conv=by_fft), ["conv"], examples=60)
    failure, *_ = report.failures
    assert failure.conforms_with == "fast"
    assert f"\nconforms with --arithmetic fast ({ARITHMETICS['fast'].words})\n" in str(report)
    assert '"conforms_with": "fast"' in report.to_json()


def test_a_plain_mistake_is_said_to_conform_with_nothing():
    def biased(input):
        return refconv.relu(input) + np.float32(0.25) * (input > 0)

    (failure,) = oracle.check(oracle.subject(relu=biased), ["relu"], examples=40).failures
    assert failure.conforms_with is None
    assert "conforms with" not in str(failure)
