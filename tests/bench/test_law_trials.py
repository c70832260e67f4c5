"""Laws on many calls: counted as far as they say something, and each that fails is told."""

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import refconv
from bench import law_trials
from oracle.running.runner import InProcess
from properties import LAWS


def test_each_law_is_applied_so_many_times():
    found = law_trials.trials("refconv", "relu", "float32", 12, 0, isolate=False)
    assert [trial.law for trial in found] == list(LAWS["relu"])
    assert {(trial.applied, trial.declined, trial.failed) for trial in found} == {(12, 0, 0)}


def test_a_law_that_fails_is_told_with_its_first_call(monkeypatch):
    wrong = SimpleNamespace(relu=lambda signal: np.maximum(signal, 0) + 1, relu_backward=refconv.relu_backward)
    monkeypatch.setattr(law_trials, "runner_of", lambda *_: InProcess(wrong))
    ran = CliRunner().invoke(law_trials.main, ["--operator", "relu", "--subject", "wrong", "--applications", "6"])
    assert ran.exit_code == 1
    assert "relu forward: both sides make the whole" in ran.output
    assert " fails: relu(input[" in ran.output
    laws, failing = len(LAWS["relu"]), ran.output.count(" fails: ")
    assert 1 <= failing < laws
    assert f"{laws} laws, {6 * laws} applications, {failing} fail" in ran.output


@pytest.mark.parametrize("subject", ["refconv"])
def test_what_is_right_ends_well(subject):
    ran = CliRunner().invoke(law_trials.main, ["--operator", "flatten", "--subject", subject, "--applications", "3"])
    assert ran.exit_code == 0, ran.output
