"""What was kept, run again; and what a check leaves that is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

import oracle
from oracle.reporting.files import keep

pytestmark = pytest.mark.slow

REFCONV = str(Path(sys.executable).with_name("refconv"))
MINE = """
import os, time
import refconv
from refconv import conv_backward

def conv(input, weight, bias=None, **attributes):
    time.sleep(float(os.environ.get("SLOW", "0")))
    return refconv.conv(input, weight, bias, **attributes) + (attributes["groups"] == WRONG)
"""
LIVE = {
    name: value for name, value in os.environ.items() if not name.endswith("CI")
}  # where Hypothesis keeps no database


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE.replace("WRONG", "2"))
    (tmp_path / "right.py").write_text(MINE.replace("WRONG", "0"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def refconv_command(folder, *arguments):
    return subprocess.run([REFCONV, *arguments], cwd=folder, env=LIVE, capture_output=True, text=True, timeout=120)


def test_a_kept_case_is_replayed(folder):
    (failure,) = oracle.check("mine", ["conv"], isolate=True, examples=100).failures
    path = keep(folder, "mine", failure)
    ((call, verdict),) = oracle.replay(path, "mine")
    assert repr(call[0]) == repr(failure.case)
    assert verdict.reason == failure.reason
    assert [verdict.passed for _, verdict in oracle.replay(path, "right")] == [True]
    assert [verdict.passed for _, verdict in oracle.replay(path, "right", isolate=False)] == [True]


def test_the_command_keeps_what_failed_and_replays_it(folder):
    first = refconv_command(
        folder, "check", "mine", "--operator", "conv", "--examples", "100", "--seed", "3", "--json", "report.json"
    )
    command = first.stdout.splitlines()[-1].partition(" is kept: refconv ")[2].split()
    assert command == ["replay", ".refconv/mine-conv-forward.json", "mine"]
    assert refconv_command(folder, *command).returncode == 1
    assert ": failed: output[0, 0, 0] = " in refconv_command(folder, "replay", "report.json", "mine").stdout
    assert refconv_command(folder, *command[:2], "right").returncode == 0
    assert refconv_command(folder, *command[:2], "nowhere").returncode == 3


@pytest.mark.parametrize("case", ["missing.json", "mine.py"])
def test_what_is_no_case_is_refused_in_one_line(folder, case):
    run = refconv_command(folder, "replay", case, "mine")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"refconv: {case}: n")
    assert run.stderr.count("\n") == 1


def started(folder, *arguments):
    """A slow check, and its worker, once a failure is found and written."""
    reports = ["--json", "report.json", "--junit", "report.xml", "--html", "report.html"]
    check = subprocess.Popen(
        [REFCONV, "check", "mine", "--operator", "conv", "--examples", "2000", *reports, *arguments],
        cwd=folder, env={**LIVE, "SLOW": "0.05"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if (folder / ".refconv").exists() and psutil.Process(check.pid).children():
            return check, psutil.Process(check.pid).children()
        time.sleep(0.05)
    raise AssertionError(check.communicate()[1])


def gone(processes):
    return not psutil.wait_procs(processes, timeout=5)[1]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_check_leaves_what_it_had(folder, number, status):
    check, workers = started(folder)
    check.send_signal(number)
    printed, _ = check.communicate(timeout=60)
    assert check.returncode == status
    assert gone(workers)
    read = json.loads((folder / "report.json").read_text())
    assert (read["complete"], read["passed"], len(read["failures"])) == (False, False, 1)
    assert ElementTree.parse(folder / "report.xml").getroot().get("errors") == "1"
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    assert len(oracle.replay(folder / ".refconv/mine-conv-forward.json", "right")) == 1
    assert ("mine: interrupted after " in printed) == (number != signal.SIGKILL)


DEAF = """
    try:
        print("asleep", flush=True)
        time.sleep(60)
    except BaseException:
        print("deaf", flush=True)
"""


def test_an_interrupt_that_is_swallowed_is_raised_again(folder):
    slow = '\n    time.sleep(float(os.environ.get("SLOW", "0")))\n'
    (folder / "mine.py").write_text(MINE.replace(slow, DEAF).replace("WRONG", "0"))
    check = subprocess.Popen(
        [REFCONV, "check", "mine", "--operator", "conv", "--no-isolate"],
        cwd=folder, env=LIVE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert check.stdout.readline() == "asleep\n"
    check.send_signal(signal.SIGINT)
    printed, _ = check.communicate(timeout=60)
    assert check.returncode == 130
    assert printed.startswith("deaf\nmine: ")
    assert "mine: interrupted after " in printed


def test_a_worker_that_is_killed_is_no_end(folder):
    (folder / "mine.py").write_text((folder / "right.py").read_text())
    check = subprocess.Popen(
        [REFCONV, "check", "mine", "--operator", "conv", "--examples", "200"],
        cwd=folder, env={**LIVE, "SLOW": "0.02"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert check.stderr.readline() == "checking conv\n"
    (worker,) = psutil.Process(check.pid).children()
    worker.kill()
    printed, _ = check.communicate(timeout=120)
    assert check.returncode == 1
    assert "crashed with SIGKILL (not reproducible: " in printed
    assert "mine doesn't conform: 1 failure, " in printed
