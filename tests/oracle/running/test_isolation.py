"""Calls in a process of their own: the same results, and an outcome whatever becomes of the process."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import hypothesis
import hypothesis.strategies as st
import numpy as np
import psutil
import pytest
from hypothesis import given

import oracle
import refconv
from oracle.judging.judge import judge, read_arithmetic
from oracle.running.arena import POISON, Arena
from oracle.running.isolation import Isolated
from oracle.running.runner import InProcess
from properties import LAYOUTS, cases, lay_out
from refconv import ARITHMETICS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="isolation needs Linux or macOS"),
]
FLOAT32 = ARITHMETICS["float32"]
VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def drawn(operator, like=lambda case: True, dtype="float32"):
    return hypothesis.find(
        cases(operator, dtype=dtype), like, settings=hypothesis.settings(database=None, max_examples=2000)
    )


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that a new process can import; return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text, name="planted"):
        (tmp_path / f"{name}.py").write_text(f"import os, sys, time, oracle, refconv\n{text}")
        return name

    return write


COUNTING = """
calls = 0
def conv(input, weight, bias=None, **attributes):
    global calls
    calls += 1
    return refconv.conv(input, weight, bias, **attributes) + (calls - 1)
"""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_array_crosses_as_it_lies(layout):
    array = lay_out(VALUES, layout)
    arena = Arena()
    ((placed, nothing), free) = arena.put([array, None], 64)
    crossed = Arena(arena.file).get(placed)
    assert nothing is None
    assert (crossed.strides, crossed.dtype) == (array.strides, array.dtype)
    assert (crossed == array).all()
    assert free + 64 <= len(arena.memory)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_formats_cross_by_name(dtype):
    array = lay_out(VALUES.astype(dtype), "channels_last")
    arena = Arena()
    ((placed,), free) = arena.put([array], 256)
    stored = arena.store({"output": array}, free)["output"]
    for crossed in (arena.get(placed), arena.get(stored)):
        assert crossed.dtype == array.dtype
        assert (crossed == array).all()
    assert arena.get(placed).strides == array.strides


def test_results_of_bfloat16_are_those_of_this_process():
    case = drawn("conv", lambda case: case.dtype == "bfloat16", dtype="bfloat16")
    with closing(Isolated("torch")) as runner:
        ours, theirs = (each.start(case, "backward")() for each in (InProcess(oracle.load("torch")), runner))
    assert theirs.status == ours.status == "returned"
    for name, value in ours.results.items():
        assert value is theirs.results[name] or value.dtype == theirs.results[name].dtype == "bfloat16"
        assert value is theirs.results[name] or value.tobytes() == theirs.results[name].tobytes()


def test_what_lies_around_and_between_is_poison():
    arena = Arena()
    ((placed,), free) = arena.put([VALUES[:, ::2]], 0)
    before = arena.bytes[arena.flags.nbytes : free].copy()
    arena.get(placed)[...] = np.frombuffer(bytes([POISON] * 4), np.float32)
    assert (arena.bytes[arena.flags.nbytes : free] == POISON).all()
    assert (before != POISON).sum() <= VALUES[:, ::2].nbytes


def test_a_result_without_room_is_described():
    arena = Arena()
    placed = arena.store({"output": np.ones((1000, 1000)), "grad_bias": None}, 4096)
    assert placed["grad_bias"] is None
    assert arena.get(placed["output"]).shape == (1000, 1000)
    assert not arena.get(placed["output"]).any()


@pytest.fixture(scope="module")
def isolated():
    with closing(Isolated("refconv")) as runner:
        yield runner


@pytest.mark.parametrize("operator", refconv.operators)
@given(data=st.data())
def test_results_are_those_of_this_process(isolated, operator, data):
    case = data.draw(cases(operator, dtype=data.draw(st.sampled_from(["float32", "float64"]))))
    for direction in ("forward", "backward"):
        ours, theirs = (runner.start(case, direction)() for runner in (InProcess(refconv), isolated))
        assert theirs.status == "returned"
        for name, value in ours.results.items():
            assert value is theirs.results[name] or value.tobytes() == theirs.results[name].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_conforms_isolated(dtype):
    assert oracle.check(refconv, dtype=dtype, examples=30, isolate=True).passed


def test_only_what_can_be_imported_can_be_isolated():
    with pytest.raises(
        ValueError, match=r"^implementation must be a module or a name \(package.module:object\) where isolate"
    ):
        oracle.check(oracle.subject(conv=refconv.conv), isolate=True, examples=100)
    with pytest.raises(ValueError, match=r"^time_limit must be positive, got 0$"):
        oracle.check("refconv", isolate=True, time_limit=0, examples=100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("os._exit(7)", r"^cannot load 'planted': its process ended with exit status 7$"),
        ("os.abort()", r"^cannot load 'planted': its process crashed with SIGABRT"),
        ("1 / 0", r"^cannot load 'planted': ZeroDivisionError: division by zero \(known: "),
    ],
)
def test_what_cannot_be_loaded_is_said(module, text, message):
    with pytest.raises(oracle.LoadError, match=message):
        oracle.check(module(text), isolate=True, examples=100)


def test_a_new_life_has_seen_no_call(module):
    case = drawn("conv")
    with closing(Isolated(module(COUNTING))) as runner:
        for _ in range(3):
            verdicts = [judge(runner, case, "forward", FLOAT32).status for _ in range(2)]
            assert verdicts == ["passed", "failed"]
            assert len(runner.calls) == 2
            runner.renew()


def test_what_starts_threads_is_not_forked_and_recovers_all_the_same(module):
    threads = "import threading\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    crash = "def conv(*inputs, **attributes): os.abort()\n"
    case = drawn("conv")
    with closing(Isolated(module(threads + crash))) as runner:
        for _ in range(3):
            assert judge(runner, case, "forward", FLOAT32).reason.startswith("crashed with SIGABRT")
        assert not runner._process.lives


def test_what_is_printed_while_loading_is_nobodys_fault(module):
    text = "print('welcome')\nfrom refconv import conv\n"
    assert oracle.check(module(text), ["conv"], examples=5, isolate=True).passed


def test_a_case_can_be_declined(module):
    text = "def conv(*inputs, **attributes): raise oracle.Unsupported('not today')\n"
    report = oracle.check(module(text), ["conv"], examples=5, isolate=True)
    assert report.declined == {"conv": 5}
    assert report.absent == ["conv_backward"]


def test_known_deviations_are_counted(module):
    text = """
def conv(input, weight, bias=None, **attributes):
    if attributes["groups"] == 2:
        os.abort()
    return refconv.conv(input, weight, bias, **attributes)
subject = oracle.subject(conv=conv)
subject.deviations = (oracle.Deviation("conv", "forward", lambda case: case.attributes["groups"] == 2, "why", "1", "", "", crashes=True),)
"""
    report = oracle.check(f"{module(text)}:subject", ["conv"], examples=200, isolate=True)
    ((deviation, matched, failed),) = report.deviations
    assert report.passed
    assert deviation.reason == "why"
    assert matched == failed > 3


def test_a_known_crash_is_not_run_in_this_process(module):
    known = oracle.Deviation("conv", "forward", lambda case: True, "why", "1", "", "", crashes=True)
    subject = oracle.subject(conv=lambda *inputs, **attributes: os.abort())
    subject.deviations = (known,)
    verdict = oracle.compare(subject, drawn("conv"), directions=["forward"])
    assert (verdict.status, verdict.reason) == ("declined", "would crash this process: why")


def test_a_failure_that_another_call_has_caused_is_told_apart(module):
    text = """
spoilt = False
def conv(input, weight, bias=None, **attributes):
    global spoilt
    output = refconv.conv(input, weight, bias, **attributes) + (spoilt and attributes["groups"] == 1)
    spoilt |= attributes["groups"] == 3
    return output
"""
    (failure,) = oracle.check(module(text), ["conv"], isolate=True, examples=100).failures
    assert "; right by itself, wrong after 1 call, the first conv(" in failure.reason
    assert [case.attributes["groups"] for case, _ in failure.calls] == [3, 1]
    assert failure.script.count("print(implementation.conv(") == 2


def test_a_failure_that_does_not_come_back_is_said(module, tmp_path):
    text = f"""
def conv(input, weight, bias=None, **attributes):
    first = not os.path.exists({str(tmp_path / "once")!r})
    open({str(tmp_path / "once")!r}, "w").close()
    return refconv.conv(input, weight, bias, **attributes) + 1e9 * first
"""
    (failure,) = oracle.check(module(text), ["conv"], isolate=True, examples=100).failures
    assert "(not reproducible: " in failure.reason


def test_nothing_is_left_behind(module):
    before = set(psutil.Process().children(recursive=True))
    oracle.check(
        module("import subprocess\nsubprocess.Popen(['sleep', '1000'])\nfrom refconv import conv"),
        ["conv"],
        examples=3,
        isolate=True,
    )
    assert set(psutil.Process().children(recursive=True)) == before


def test_no_process_outlives_one_that_is_killed(module, tmp_path):
    name = module("def conv(*inputs, **attributes):\n    while True: pass\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import oracle; oracle.check({name!r}, ['conv'], isolate=True, examples=100)"
    checking = subprocess.Popen([sys.executable, "-c", code])
    process = psutil.Process(checking.pid)
    while not process.children() or time.time() - process.create_time() < 3:
        time.sleep(0.1)
    (worker,) = process.children()
    checking.send_signal(signal.SIGKILL)
    checking.wait()
    assert worker.wait(timeout=5) is None or not worker.is_running()


def test_the_arithmetic_reaches_the_implementation():
    with closing(Isolated("torch", "tf32")) as runner:
        assert runner.offers("conv", "forward")
        assert runner.version.startswith("2.")
        assert judge(runner, drawn("conv"), "forward", read_arithmetic("tf32", "float32")).passed


def test_no_descriptor_is_left_open():
    process = psutil.Process()
    oracle.check("refconv", ["conv"], examples=1, isolate=True)
    before = process.num_fds()
    oracle.check("refconv", ["conv"], examples=1, isolate=True)
    assert process.num_fds() == before
