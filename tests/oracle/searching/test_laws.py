"""Laws, which need no reference value: they hold for the reference, and say of what is wrong which of them it breaks."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import oracle
import refconv
from bench.honest import HONEST
from oracle.contract import function_name
from oracle.diagnosis import CATALOGUE
from oracle.judging import laws as judging
from oracle.judging.judge import read_arithmetic
from oracle.judging.laws import judge_law
from oracle.running.runner import InProcess
from oracle.searching.extent import Extent
from oracle.searching.law_search import LawSearch
from properties import LAWS, Case
from properties.laws.gradients import _FIVE, _NINE
from refconv import operators

FLOAT32 = read_arithmetic(None, "float32")


def with_(**functions):
    """The reference, some of whose functions are others."""
    return SimpleNamespace(**{**{name: getattr(refconv, name) for name in refconv.__all__}, **functions}, name="mine")


def law(operator, name):
    return next(law for law in LAWS[operator] if law.name == name)


def conv_case(input, weight, bias=None, *, grad_output, **attributes):
    given = {**operators["conv"].attributes, **attributes}
    return Case("conv", (input, weight, bias), given, grad_output)


def ones(*shape):
    return np.ones(shape, np.float32)


CASE = conv_case(
    np.arange(1, 11, dtype=np.float32).reshape(1, 2, 5),
    np.arange(1, 13, dtype=np.float32).reshape(2, 2, 3),
    grad_output=np.array([[[1.0, -2.0, 3.0], [2.0, 1.0, -1.0]]], np.float32),
)


@pytest.mark.parametrize("operator", operators)
def test_all_laws_hold_for_the_reference(operator):
    report = oracle.check(refconv, [operator], laws=True, examples=15)
    assert report.passed, str(report)
    assert {tally.direction for tally in report.tallies} == {"forward", "backward"}
    assert sum(tally.cases for tally in report.tallies) > 15 * len(LAWS[operator]) / 3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("operator", ["linear", "max_pool", "batch_norm", "softmax"])
def test_laws_hold_in_other_dtypes(operator, dtype):
    subject = "torch" if dtype != "float64" else refconv
    sums = f"{dtype}-accumulated" if (operator, subject) == ("max_pool", "torch") else None  # of gradients, on a CPU
    report = oracle.check(subject, [operator], laws=True, examples=20, dtype=dtype, arithmetic=sums)
    assert report.passed, str(report)


@pytest.mark.parametrize("subject", ["refconv", "torch"])
@pytest.mark.parametrize("padding", [1, [(1, 1)], [(0, 2)]])
def test_the_gradient_of_a_window_of_padding_goes_nowhere(subject, padding):
    for kernel_size, size in ((1, 1), (2, 1), (3, 2)):
        given = {"kernel_size": kernel_size, "stride": 1, "padding": padding, "dilation": 2}
        attributes = {**operators["max_pool"].attributes, **given}
        try:
            output = refconv.max_pool(ones(1, 1, size), **attributes)
        except ValueError:
            continue
        case = Case("max_pool", (ones(1, 1, size),), attributes, np.ones_like(output))
        runner = InProcess(oracle.load(subject))
        judged = judge_law(law("max_pool", "gradient is handed on whole"), runner, case, FLOAT32)
        assert judged.status in {"held", "declined"}, judged.reason


def test_a_law_that_breaks_at_some_size_is_shrunk_to_that():
    def linear(input, weight, bias=None):
        output = refconv.linear(input, weight, bias)
        return output * 2 if input.shape[-1] > 64 else output

    report = oracle.check(oracle.subject(linear=linear), ["linear"], laws=True)
    (failure,) = report.failures
    assert {case.inputs[0].shape[-1] for case, _ in failure.calls} >= {65}


@pytest.mark.parametrize("name", ["fft float32", "tf32 float32", "float16 float32", "float16_accumulated float32"])
def test_laws_hold_for_other_algorithms_and_where_sums_overflow(name):
    implementation, arithmetic, dtype = HONEST[name]
    report = oracle.check(implementation, ["conv"], laws=True, arithmetic=arithmetic, dtype=dtype, examples=60)
    assert report.passed, str(report)


def test_each_law_says_what_it_is_and_why():
    every = [law for laws in LAWS.values() for law in laws]
    assert len({str(law) for law in every}) == len(every)
    assert all(law.text.splitlines()[0].endswith(".") for law in every)
    assert all(function_name(law.operator, law.direction) in law.needs for law in every)


WRONG = [variant for variant in CATALOGUE[::40] if "arguments not checked" not in variant.name]


@pytest.mark.slow
@pytest.mark.parametrize("variant", WRONG, ids=lambda variant: variant.key)
def test_a_wrong_variant_breaks_a_law(variant):
    name = function_name(variant.operator, variant.direction)
    report = oracle.check(
        with_(**{name: variant.implementation()}), [variant.operator], laws=True, examples=100, shrink=False
    )
    assert report.failures, variant


def flipped(input, weight, bias=None, **attributes):
    return refconv.conv(input, np.flip(weight, range(2, weight.ndim)), bias, **attributes)


def test_a_report_names_the_law_and_says_why_it_holds():
    report = oracle.check(oracle.subject(conv=flipped, name="mine"), laws=True, examples=30)
    (failure,) = report.failures
    assert failure.law in {"kernel of one tap shifts", "impulse gives the rotated kernel"}
    assert sum(array.size for array in failure.case.inputs if array is not None) <= 4
    text = str(report)
    assert f"conv forward: breaks the law: {failure.law}" in text
    assert failure.statement.splitlines()[0] in text
    assert "by the law" in failure.script.splitlines()[-1]
    assert report.tallies[0].laws > 10
    assert json.loads(report.to_json())["laws"] is True
    assert len(oracle.check(oracle.subject(conv=flipped, name="mine"), ["conv"], laws=True, examples=30).absent) == 1


def test_the_script_shows_the_calls():
    report = oracle.check("oracle.diagnosis.planted:conv_forward_kernel_flipped", ["conv"], laws=True, examples=30)
    (failure,) = report.failures
    ran = subprocess.run([sys.executable, "-c", failure.script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_what_obeys_a_law_with_errors_of_its_own_isn_t_said_to_break_it():
    assert judge_law(law("conv", "bias is added"), InProcess(with_(conv=flipped)), CASE, FLOAT32).status == "silent"
    bias = np.array([0.1, -3.0], np.float32)
    biased = conv_case(CASE.inputs[0] / np.float32(7), CASE.inputs[1], bias, grad_output=CASE.grad_output)
    assert judge_law(law("conv", "bias is added"), InProcess(with_(conv=flipped)), biased, FLOAT32).status == "held"


def test_deviations_see_cases_whose_gradient_has_the_output_s_shape():
    seen = []

    def matches(case):
        expected = case.row.forward(*case.inputs, **case.attributes)
        seen.append((expected[0] if isinstance(expected, tuple) else expected).shape == case.grad_output.shape)
        return False

    mine = with_()
    mine.deviations = [
        oracle.Deviation("max_pool", "forward", matches, "none", "all", "max_pool()", "print()"),
        oracle.Deviation("conv", "forward", matches, "none", "all", "conv()", "print()"),
    ]
    assert oracle.check(mine, ["conv", "max_pool", "avg_pool"], laws=True, examples=20).passed
    assert len(seen) > 100
    assert all(seen)


def test_laws_that_lack_a_function_are_left_out():
    lone = oracle.check(oracle.subject(conv=refconv.conv), laws=True, examples=5)
    both = oracle.check(with_(), ["conv"], laws=True, examples=5)
    assert 0 < lone.tallies[0].laws < both.tallies[0].laws
    assert lone.absent[:1] == ["conv_backward"]


@pytest.mark.parametrize(
    ("conv", "said"),
    [
        (lambda *_, **__: 1 / 0, "raised ZeroDivisionError: division by zero"),
        (lambda *arrays, **attributes: refconv.conv(*arrays, **attributes)[..., :1], "output must have shape (1, 2, 3), got (1, 2, 1)"),
        (lambda *_, **__: "nothing", "output must have dtype float32, got <U7"),
        (lambda *arrays, **attributes: refconv.conv(*arrays, **attributes) + np.float32(1e-3), "by the law"),
        (lambda *arrays, **attributes: refconv.conv(*arrays, **attributes) * np.float32(np.nan), "= nan, by the law"),
    ],
)  # fmt: skip
def test_what_breaks_a_law_is_told(conv, said):
    judged = judge_law(law("conv", "kernel of one tap shifts"), InProcess(with_(conv=conv)), CASE, FLOAT32)
    assert judged.status == ("broken" if "by the law" in said else "faulty")
    assert said in judged.reason


def test_a_call_without_results_to_compare_is_reported_itself():
    def short(*arrays, **attributes):
        return refconv.conv(*arrays, **attributes)[..., :1]

    (failure,) = oracle.check(oracle.subject(conv=short), laws=True, examples=30).failures
    assert (failure.law, failure.statement) == ("gives results to compare", "")
    assert failure.reason.startswith("output must have shape ")
    assert failure.calls[0][0] is failure.case
    assert "# expected output" in failure.script


def test_a_refusal_is_no_verdict():
    def refusing(*_, **__):
        raise oracle.Unsupported("three axes")

    judged = judge_law(law("conv", "superposition"), InProcess(with_(conv=refusing)), CASE, FLOAT32)
    assert (judged.status, judged.reason) == ("declined", "three axes")
    report = oracle.check(oracle.subject(conv=refusing), laws=True, examples=5)
    assert not report.passed
    assert report.undecided


def test_a_law_that_is_broken_now_and_then_is_reported_as_such():
    calls = []

    def sometimes(*arrays, **attributes):
        calls.append(arrays)
        return refconv.conv(*arrays, **attributes) + np.float32(len(calls) % 3 == 2)

    (failure,) = oracle.check(oracle.subject(conv=sometimes), laws=True, examples=30).failures
    assert failure.law


def test_shrinking_ends(monkeypatch):
    monkeypatch.setattr("oracle.searching.reduction.SHRINKING", 0.0)
    (failure,) = oracle.check(oracle.subject(conv=flipped, name="mine"), laws=True, examples=30).failures
    assert "not reproducible" not in failure.reason


def test_a_result_in_another_dtype_is_faulty():
    double = with_(conv=lambda *arrays, **attributes: refconv.conv(*arrays, **attributes).astype(np.float64))
    judged = judge_law(law("conv", "superposition"), InProcess(double), CASE, FLOAT32)
    assert (judged.status, judged.reason) == ("faulty", "output must have dtype float32, got float64")


def test_sums_of_small_integers_need_no_reference(monkeypatch):
    monkeypatch.setattr(judging, "expectation", None)
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.integers(-2, 3, shape).astype(np.float32)  # noqa: E731
    case = conv_case(draw(2, 16, 40, 40), draw(16, 16, 3, 3), draw(16), grad_output=draw(2, 16, 38, 38))
    for name in (
        "superposition",
        "samples by themselves",
        "kernel of one tap shifts",
        "adjoint",
        "groups are convolutions side by side",
    ):
        judged = judge_law(law("conv", name), InProcess(refconv), case, FLOAT32)
        assert judged.status == ("silent" if name.startswith("groups") else "held")


@pytest.mark.parametrize("degree", range(10))
def test_the_quadrature_is_exact_for_polynomials(degree):
    nodes = np.arange(9) / 8
    assert np.isclose(_NINE @ nodes**degree, 1 / (degree + 1), rtol=1e-14)
    assert degree > 5 or np.isclose(_FIVE @ nodes**degree, 1 / (degree + 1), rtol=1e-14)


@pytest.mark.parametrize(
    "operator", ["sigmoid", "layer_norm", "softmax", "squash", "non_local", "capsule_routing", "lp_pool"]
)
def test_a_gradient_that_is_a_percent_too_large_breaks_the_gradient_theorem(operator):
    backward = getattr(refconv, f"{operator}_backward")

    def larger(*arrays, **attributes):
        gradients = backward(*arrays, **attributes)
        return type(gradients)(*(None if one is None else one * one.dtype.type(1.01) for one in gradients))

    runner = InProcess(with_(**{f"{operator}_backward": larger}))
    theorem = law(operator, "gradient theorem")
    report = oracle.Report("mine", None, "float32", "float32", 30, 0, laws=True)
    LawSearch(runner, operator, FLOAT32, report, lambda: None, shrink=False).of([theorem], Extent(30), 0)
    assert report.failures


def test_the_command_checks_laws_alone(tmp_path):
    command = [sys.executable, "-c", "from refconv.cli import main; main()", "check", "refconv", "--laws"]
    ran = subprocess.run(
        [*command, "--operator", "relu", "--examples", "10"], capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert "operator  direction  laws  cases  exact  declined" in ran.stdout
    assert "refconv conforms: " in ran.stdout
