"""Every script of every failure is run, as a user would, and does what the report says."""

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
import torch

import oracle
import refconv
from oracle.adapters.torch import Torch
from oracle.adapters.torch_functions import FUNCTIONS
from oracle.judging.judge import judge, read_arithmetic
from oracle.reporting.script import in_own_words, script
from oracle.running.runner import InProcess, Scripted
from properties import Case, lay_out
from properties.case import layout_of
from properties.models import MODELS, drawn

PLACE = "implementation = ...  # what was checked"


def lacking_dilation(input, weight, bias=None, *, stride, padding, groups, padding_mode):
    return refconv.conv(input, weight, bias, stride=stride, padding=padding, groups=groups, padding_mode=padding_mode)


def of_other_defaults(input, *, negative_slope=0.2):
    return np.where(input > 0, input, input * np.float32(negative_slope)) + (negative_slope == 0.01)


def in_place(input):
    input *= input > 0
    return input


def raising_for_two(input, *, axis):
    if axis == 1:
        raise RuntimeError("no kernel for this axis")
    return refconv.softmax(input, axis=axis)


def of_another_shape(input, *, kernel_size, **attributes):
    return refconv.max_pool(input, kernel_size=kernel_size, **attributes)[..., :-1]


def reading_beside_slices(input, other):
    """Take the channel beside the first one of a slice for its own, as who forgets an offset does."""
    sliced = input.ndim > 2 and input.base is not None and input.strides[0] > input.shape[1] * input.strides[1]
    return refconv.add(input, other) + (np.float32(1) if sliced else np.float32(0))


def transposed_gradient(grad_output, input, weight, bias=None):
    grads = refconv.linear_backward(grad_output, input, weight, bias)
    return grads._replace(weight=np.flip(grads.weight))


def of_everything(input, *, output_size):
    return refconv.adaptive_avg_pool(np.resize(input, (1, 1, 4)), output_size=output_size)


def losing_nan(input):
    return np.where(np.isnan(input), input.dtype.type(0), refconv.tanh(input))


WRONG = {
    "conv": lacking_dilation,
    "leaky_relu": of_other_defaults,
    "relu": in_place,
    "softmax": raising_for_two,
    "max_pool": of_another_shape,
    "add": reading_beside_slices,
    "linear_backward": transposed_gradient,
    "adaptive_avg_pool": of_everything,
    "tanh": losing_nan,
}


def run(text, subject):
    """Run a script, as it is or with what it can't make; return what it prints, or raises."""
    assert text.count(PLACE) <= 1
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(text.replace(PLACE, ""), {"implementation": subject})
    except Exception as error:
        return error
    return printed.getvalue()


def made_by(subject, failure):
    """Return what is printed of the calls of a failure, or what the last of them raises."""
    results = []
    for case, direction in failure.calls:
        name = case.operator if direction == "forward" else f"{case.operator}_backward"
        arrays = [*case.inputs] if direction == "forward" else [case.grad_output, *case.inputs]
        given = [array if array is None else lay_out(array, layout_of(array)) for array in arrays]
        try:
            results.append(str(getattr(subject, name)(*given, **case.attributes)))
        except Exception as error:
            return error
    return "".join(f"{each}\n" for each in results)


@pytest.mark.parametrize("laws", [False, True], ids=["definition", "laws"])
@pytest.mark.parametrize("function", WRONG)
def test_every_script_does_what_the_report_says(function, laws):
    subject = oracle.subject(**{function: WRONG[function]})
    report = oracle.check(subject, [function.removesuffix("_backward")], examples=60, laws=laws)
    assert report.failures or laws
    for failure in report.failures:
        got, wanted = run(failure.script, subject), made_by(subject, failure)
        assert failure.reproduces
        assert (type(got), str(got)) == (type(wanted), str(wanted))


def test_a_script_hands_over_all_that_the_implementation_was_handed():
    (failure,) = oracle.check(oracle.subject(conv=lacking_dilation), ["conv"], examples=5).failures
    assert "dilation=1" in failure.script
    raised = run(failure.script, oracle.subject(conv=lacking_dilation))
    assert isinstance(raised, TypeError)
    assert "dilation" in str(raised)


def test_a_script_that_does_not_show_the_failure_says_so():
    calls = []

    def moody(input):
        calls.append(1)
        return refconv.relu(input) + (len(calls) == 20)

    (failure,) = oracle.check(oracle.subject(relu=moody), ["relu"], examples=50).failures
    assert failure.reproduces is False
    last = failure.script.splitlines()[-1]
    assert last == "# run by itself, this script did not show the failure: it passed"


def test_a_script_of_many_numbers_is_not_run_and_says_so():
    def wrong_for_many(input):
        return refconv.relu(input) + (input.size > 40_000)

    report = oracle.check(oracle.subject(relu=wrong_for_many), ["relu"], shrink=False, failures=1)
    (failure,) = report.failures
    assert failure.reproduces is None
    assert failure.script.splitlines()[-1] == "# not run before it was shown: it is large"


def test_a_script_that_fails_by_its_own_fault_does_not_count():
    case = Case("relu", (np.ones((1, 1), np.float32),), {}, np.ones((1, 1), np.float32))
    arithmetic = read_arithmetic(None, "float32")
    runner = InProcess(oracle.subject(relu=lambda x: x + 1))
    steps = script(None, [(case, "forward")], arithmetic).steps
    assert judge(Scripted(runner, steps), case, "forward", arithmetic).status == "failed"
    others = [steps[0]._replace(arrays="input = np.zeros((1, 1), np.float32)"), steps[0]._replace(arrays="")]
    for other in others:
        declined = judge(Scripted(runner, [other]), case, "forward", arithmetic)
        assert (declined.status, declined.reason) == ("declined", "makes another input")


def test_scripts_of_what_runs_in_a_process_of_its_own_are_run_there(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "remembering.py").write_text(
        "import numpy as np\n"
        "seen = []\n"
        "def relu(input):\n"
        "    seen.append(1)\n"
        "    return np.maximum(input, 0) + (len(seen) > 3)\n"
        "def sigmoid(input, *, steep):\n"
        "    return input\n"
    )
    report = oracle.check("remembering", ["relu", "sigmoid"], isolate=True, examples=20, largest=2000)
    assert [failure.reproduces for failure in report.failures] == [True, True]
    remembering, lacking = report.failures
    assert len(remembering.calls) > 1
    ended = subprocess.run([sys.executable, "-c", lacking.script], cwd=tmp_path, capture_output=True, text=True)
    assert "TypeError: sigmoid() missing 1 required keyword-only argument: 'steep'" in ended.stderr
    printed = subprocess.run([sys.executable, "-c", remembering.script], cwd=tmp_path, capture_output=True, text=True)
    assert printed.stderr == ""
    assert len(printed.stdout.splitlines()) >= len(remembering.calls)


def test_a_script_for_pytorch_is_in_its_own_words(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "relu", lambda x: torch.relu(x) * 2)
    report = oracle.check(Torch(), ["relu"], examples=20)
    assert [failure.direction for failure in report.failures] == ["forward", "backward"]
    for failure in report.failures:
        assert failure.reproduces
        assert "result_1 = torch.relu(input)\n" in failure.script
        assert not any(word in failure.script for word in ("oracle", "implementation"))
        assert "2." in run(failure.script, None)


@pytest.mark.parametrize("operator", refconv.operators)
def test_pytorchs_own_words_give_what_the_adapter_gives(operator):
    model, arithmetic = MODELS[operator], read_arithmetic(None, "float32")
    runner = InProcess(Torch())
    row = {feature.name: feature.classes[0].name for feature in model.counted}
    case = drawn(model, row, 0, 1000).case("float32")
    for direction in ("forward", "backward"):
        if judge(runner, case, direction, arithmetic).passed:
            words = runner.own_words(case, direction)
            assert words.startswith("import torch\n")
            steps = in_own_words(words, (case, direction), arithmetic).steps
            assert judge(Scripted(runner, steps), case, direction, arithmetic).passed
