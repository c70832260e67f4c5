"""Conformance tests as a stranger has them: a class in a test module of their own, and pytest's options."""

import os
import re

import pytest
from numba.core.registry import cpu_target

import oracle
import refconv

pytestmark = pytest.mark.slow

MINE = """
import numpy as np
import oracle
import refconv


class Mine:
    name = "mine"

    @staticmethod
    def conv(input, weight, bias=None, **attributes):
        return refconv.conv(input, {weight}, bias, **attributes)


TestMine = oracle.conformance_tests(Mine, {operators})
"""
RIGHT = MINE.format(weight="weight", operators=None)
FLIPPED = MINE.format(weight="np.flip(weight, range(2, weight.ndim))", operators=None)
IMPULSE = "TestMine::test_law[conv-forward-impulse_gives_the_rotated_kernel]"
SHIFTS = "TestMine::test_law[conv-forward-kernel_of_one_tap_shifts]"
DEFINITION = "TestMine::test_definition[conv-forward]"


@pytest.fixture(autouse=True, scope="module")
def _loaded():
    """Numba's parts, which can't be loaded twice: what a run in this process loads is forgotten after it."""
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # pytest cuts lines to the terminal's width, where CI isn't set


@pytest.fixture
def live(monkeypatch):
    """Where Hypothesis keeps a database."""
    for name in [name for name in os.environ if name.endswith("CI")]:
        monkeypatch.delenv(name)


def run(pytester, source, *options):
    pytester.makepyfile(test_mine=source)
    seed = [] if "--refconv-seed" in options else ["--refconv-seed", "0"]
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options, *seed)


def test_each_operator_direction_and_law_is_a_test(pytester):
    result = run(pytester, RIGHT, "-v", "-rs", "--refconv-examples", "10")
    text = result.stdout.str()
    assert f"::{DEFINITION} PASSED" in text
    assert f"::{SHIFTS} PASSED" in text
    assert "::TestMine::test_law[conv-backward-impulse_in_grad_output] SKIPPED" in text
    assert "mine has no conv_backward" in text
    assert "mine has no linear" in text
    outcomes = result.parseoutcomes()
    assert result.ret == 0
    assert outcomes["passed"] > 12
    assert outcomes["skipped"] > 10


def test_a_failure_shows_the_report_and_only_the_laws_that_are_broken_fail(pytester):
    result = run(pytester, FLIPPED, "-rf")
    assert result.parseoutcomes()["failed"] == 3
    text = result.stdout.str()
    assert f"FAILED test_mine.py::{DEFINITION}" in text
    assert f"FAILED test_mine.py::{IMPULSE}" in text
    assert f"FAILED test_mine.py::{SHIFTS}" in text
    assert "looks like: kernel flipped" in text
    assert "breaks the law: impulse gives the rotated kernel" in text
    assert "site-packages" not in text
    assert "conformance.py" not in text


def test_tests_are_chosen_by_words(pytester):
    result = run(pytester, RIGHT, "-k", "conv and forward and stride", "--refconv-examples", "5")
    assert result.parseoutcomes()["passed"] == 1


def report_of(result):
    text = result.stdout.str()
    shown = text[text.index("mine: float32") : text.index("mine doesn't conform")]
    return re.sub(r" +\d+\.\d$", "", shown, flags=re.MULTILINE)  # without the seconds


@pytest.mark.parametrize(
    ("option", "in_ci"), [("--refconv-seed", False), ("--hypothesis-seed", False), ("--refconv-seed", True)]
)
def test_a_seed_gives_the_same_cases_and_is_told(pytester, monkeypatch, live, option, in_ci):
    if in_ci:
        monkeypatch.setenv("CI", "true")
    pytester.makepyfile(test_mine=FLIPPED)
    runs = [option, "7"], [], [option, "7"]  # what failed is kept of the second
    told, _, again = (report_of(pytester.runpytest_subprocess("-k", "definition", *seed)) for seed in runs)
    assert ", seed 7\n" in told
    assert told == again


def test_the_profile_says_how_many_cases_and_whether_they_are_the_same(pytester):
    profile = """
from hypothesis import settings
settings.register_profile("seven", max_examples=7, derandomize=True)
settings.load_profile("seven")
"""
    pytester.makepyfile(test_mine=profile + FLIPPED)
    flipped = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", "definition")
    assert "float32 arithmetic, 7 examples, seed 0" in flipped.stdout.str()


def xfails(pytester, *lines):
    pytester.makefile(".txt", known="\n".join(lines) + "\n")
    return run(pytester, FLIPPED, "--refconv-xfails", "known.txt", "-rxX", "--refconv-examples", "25")


def test_known_deviations_are_xfails_with_their_reason(pytester):
    result = xfails(
        pytester, "# mine", "", *(f"{test}  # mine/issues/12: flipped" for test in (IMPULSE, SHIFTS, DEFINITION))
    )
    assert result.ret == 0
    assert result.parseoutcomes()["xfailed"] == 3
    assert f"XFAIL test_mine.py::{IMPULSE} - mine/issues/12: flipped" in result.stdout.str()


def test_what_passes_after_all_fails(pytester):
    result = xfails(pytester, "TestMine::test_law[conv-forward-stride_skips]  # long ago")
    assert result.parseoutcomes()["failed"] == 4
    assert "[XPASS(strict)] long ago" in result.stdout.str()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["# mine", IMPULSE], f"known.txt, line 2: must be a test's id, # and a reason, got '{IMPULSE}'"),
        ([f"{IMPULSE} #"], "known.txt, line 1: must be a test's id, # and a reason"),
        (["conv is flipped # known"], "known.txt, line 1: must be a test's id, # and a reason, got 'conv is flipped # known'"),
        ([f"{IMPULSE} # a", "", f"{IMPULSE} # b"], f"known.txt, line 3: {IMPULSE} is in line 1 already"),
        (["TestMine::test_law[conv-stride] # a"], "known.txt, line 1: no such test: TestMine::test_law[conv-stride]"),
    ],
)  # fmt: skip
def test_a_malformed_file_of_deviations_names_the_line(pytester, lines, said):
    result = xfails(pytester, *lines)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


def test_a_file_of_deviations_that_can_t_be_read(pytester):
    result = run(pytester, RIGHT, "--refconv-xfails", "nowhere.txt")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--refconv-xfails: cannot read nowhere.txt: No such file or directory" in result.stderr.str()


def test_deviations_of_what_wasn_t_collected_are_passed_over(pytester):
    pytester.makefile(".txt", known=f"TestOther::test_law[conv]  # elsewhere\n{IMPULSE}  # known\n")
    pytester.makepyfile(test_mine=FLIPPED)
    chosen = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"test_mine.py::{SHIFTS}", "--refconv-xfails", "known.txt"
    )
    assert chosen.parseoutcomes() == {"failed": 1}


def test_workers_share_the_tests(pytester):
    pytester.makepyfile(test_mine=RIGHT)
    result = pytester.runpytest_subprocess(
        "-n", "2", "-k", "forward", "--refconv-examples", "5", "-p", "no:cacheprovider"
    )
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] > 12


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_openmp_does_not_spin_in_workers(pytester, monkeypatch, given, expected):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    pytester.makeconftest("import os\n\nGIVEN = os.environ.get('OMP_WAIT_POLICY')\n")
    pytester.makepyfile(f"""
import os
from conftest import GIVEN


def test_it():
    assert GIVEN == ({expected!r} if 'PYTEST_XDIST_WORKER' in os.environ else {given!r})
""")
    for workers in ((), ("-n", "1")):
        assert pytester.runpytest_subprocess("-p", "no:cacheprovider", *workers).ret == 0


class Nothing:
    name = "mine"

    def conv2d(self):
        pass

    def maxpool(self):
        pass


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((Nothing(),), ValueError, r"^implementation must offer at least one of conv, conv_backward, .*; it has conv2d \(for conv\?\), maxpool \(for max_pool\?\)$"),
        ((object(),), ValueError, r"; it has no public names$"),
        ((refconv, ["conv2d"]), ValueError, r"^operators must be of conv, .*, got 'conv2d'; did you mean conv \(with only=\{'rank': 2\}\)\?$"),
        ((refconv, "cnov"), ValueError, r", got 'cnov'; did you mean conv\?$"),
        ((refconv, None, "int8"), ValueError, r"^dtype must be one of float32, .*, got 'int8'$"),
        ((refconv, None, "bfloat"), ValueError, r", got 'bfloat'; did you mean bfloat16\?$"),
        (("nowhere",), oracle.LoadError, r"^cannot load 'nowhere': ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_when_the_class_is_made(arguments, error, said):
    with pytest.raises(error, match=said):
        oracle.conformance_tests(*arguments)


def test_operators_that_were_asked_for_by_name_are_skipped_where_they_are_lacking(pytester):
    source = MINE.format(weight="weight", operators=["conv", "relu"])
    result = run(pytester, source, "-rs", "-k", "definition", "--refconv-examples", "5")
    assert result.parseoutcomes() == {"passed": 1, "skipped": 3, "deselected": result.parseoutcomes()["deselected"]}
    assert "mine has no relu_backward" in result.stdout.str()


def test_a_law_that_says_nothing_is_skipped(pytester):
    result = run(pytester, RIGHT, "-rs", "-k", "same_is_a_padding", "--refconv-examples", "1")
    assert "the law says nothing about the cases of seed 0" in result.stdout.str()


def test_what_is_declined_fails_by_the_definition_and_skips_a_law(pytester):
    declining = """
import oracle


class Mine:
    @staticmethod
    def conv(*arrays, **attributes):
        raise oracle.Unsupported("not yet")


TestMine = oracle.conformance_tests(Mine)
"""
    result = run(pytester, declining, "-rsf", "-k", "forward", "--refconv-examples", "10")
    text = result.stdout.str()
    assert result.parseoutcomes()["failed"] == 1
    assert "declined 10 of 10 cases: too few are left for a verdict" in text
    assert f"FAILED test_mine.py::{DEFINITION} - Failed: declined 10 of 10 cases" in text
