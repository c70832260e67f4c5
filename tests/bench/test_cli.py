import json
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from bench.history import read, write
from refconv.cli import main

COMMAND = (sys.executable, "-c", "from refconv.cli import main; main()", "bench")
QUICK = ("--processes", "2", "--rounds", "3")
MINE = """
import refconv
version = "0.1"
def conv(*arrays, **attributes):
    return refconv.conv(*arrays, **attributes) {change}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE.format(change=""))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=None)


class Ran(NamedTuple):
    """What became of a command."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def here(folder, monkeypatch, capfd):
    """Run a command that times nothing in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))  # to which a command adds
    sys.modules.pop("mine", None)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["refconv", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return Ran(left.value.code or 0, *capfd.readouterr())

    yield run
    sys.modules.pop("mine", None)


def test_workloads_are_listed(here):
    listed = bench("workloads")
    assert listed.returncode == 0
    assert "resnet50" in listed.stdout
    assert "4,089,184,256" in listed.stdout
    layers = here("workloads", "lenet5").stdout
    assert "conv 6x14x14, 16 of 5x5" in layers
    assert "240,000" in layers


def test_a_subject_is_timed_beside_the_reference_and_pytorch(folder):
    run = bench("mine", "--workload", "lenet5", "--direction", "forward", *QUICK, "--json", "new.json")
    assert run.returncode == 0, run.stderr
    for words in ("conv 6x14x14, 16 of 5x5", "GFLOP/s", "x torch", "of peak", "mine 0.1", "geometric mean"):
        assert words in run.stdout
    assert "mine: avg_pool 6x28x28, kernel size 2 forward: absent: mine has no avg_pool" in run.stdout
    assert "timed 7 tasks of lenet5, 2 of 2 times" in run.stderr
    history = read(folder / "new.json")
    assert history.implementations == ("mine", "torch", "refconv")
    assert history.peaks.flops > history.peaks.bandwidth > 1e8
    assert {len(entry.least) for entry in history.entries} == {2}
    assert {len(turns) for entry in history.entries for turns in entry.least} == {3}
    assert json.loads((folder / "new.json").read_text())["machine_info"]["cpu"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_interrupted_keeps_what_it_had(folder, number, status):
    run = subprocess.Popen(
        [*COMMAND, "mine", "--workload", "lenet5", "--operator", "conv", "--direction", "forward", "--processes", "99",
         "--json", "new.json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stderr.readline() == "timed 2 tasks of lenet5, 1 of 99 times\n"
    assert run.stderr.readline() == "timed 2 tasks of lenet5, 2 of 99 times\n"
    run.send_signal(number)
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == status
    assert printed.endswith("interrupted: the figures are of what was timed until then\n")
    history = read(folder / "new.json")
    assert [entry.implementation for entry in history.entries] == 2 * ["mine", "torch", "refconv"]
    assert all(2 <= len(entry.least) == len(entry.yardstick) < 99 for entry in history.entries)


def test_a_wrong_result_is_reported_as_wrong_and_not_as_fast(folder):
    (folder / "mine.py").write_text(MINE.format(change="* 1.01"))
    run = bench("mine", "--workload", "lenet5", "--operator", "conv", "--direction", "forward", *QUICK)
    assert run.returncode == 1
    assert "mine: conv 1x32x32, 6 of 5x5 forward: wrong: output[" in run.stdout
    assert "   mine  " not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("mine", "--workload", "resnet"), 2, "'resnet' is not one of 'lenet5'"),
        (("mine", "--workload", "vgg16", "--operator", "upsample"), 2, "vgg16 has no upsample; it has conv, max_pool, linear"),
        (("mine", "--workload", "lenet5", "--direction", "backward"), 2, "mine has none of conv_backward, avg_pool_backward"),
        (("nothing.like.it", "--workload", "lenet5"), 3, "cannot load 'nothing.like.it': ModuleNotFoundError"),
        (("compare", "old.json", "new.json"), 2, "cannot read old.json: No such file or directory"),
        (("gate", "--against", "v9.9"), 2, "is in no git repository"),
        (("gate", "--against", "v9.9", "--slower", "150%"), 2, "must be between 0 and 100%, such as 5% or 0.05, got '150%'"),
        (("gate",), 2, "Missing option '--against'"),
        (("mine", "--arithmetic", "float64"), 2, "arithmetic must be one of float32, "),
        (("mine", "--json", "nowhere/a.json"), 2, "no such folder: nowhere"),
        (("draw", "mine.py"), 2, "mine.py holds no history of refconv: make one with refconv bench SUBJECT --json mine.py"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(folder, here, monkeypatch, arguments, status, said):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    run = here(*arguments)
    assert run.returncode == status
    assert said in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_histories_are_compared(folder, here, some_history, entry, history):
    forward, backward = "conv 64x56x56, 64 of 3x3, padding 1 forward", "batch_norm 64x56x56 backward"
    write(some_history, folder / "old.json")
    write(history(entry(forward, 0.0024, seed=9), entry(backward, 0.0005, seed=4)), folder / "new.json")
    run = here("compare", "old.json", "new.json")
    assert run.returncode == 1
    assert f"1 of 2 slower by more than 5.0%: {forward}" in run.stdout
    assert here("compare", "old.json", "new.json", "--slower", "40%").returncode == 0
    assert here("compare", "new.json", "old.json").returncode == 0
    write(history(entry(forward), dtype="float64"), folder / "other.json")
    refused = here("compare", "old.json", "other.json")
    assert refused.returncode == 2
    assert "measured otherwise: dtype: float32, not float64: measure both alike, or" in refused.stderr
    assert here("compare", "old.json", "other.json", "--anyway").returncode == 0


def test_pictures_are_drawn(folder, here, some_history):
    write(some_history, folder / "a.json")
    run = here("draw", "a.json", "a.json", "--to", "pictures", "--format", "svg")
    assert run.returncode == 0, run.stderr
    drawn = sorted(path.name for path in (folder / "pictures").iterdir())
    assert drawn == ["history.svg", "index.html", "ratios-backward.svg", "ratios-forward.svg", "roofline.svg"]
    page = (folder / "pictures" / "index.html").read_text()
    assert page.count("<svg") == 4
    assert "batch_norm 64x56x56" in page
    assert "http" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    ).replace("https://matplotlib.org/", "")


def git(*arguments):
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_a_revision_is_the_yardstick_of_its_gate(folder):
    git("init", "-q")
    git("add", "mine.py")
    git("commit", "-qm", "fast")
    slow = "if arrays[1].shape[0] == 6 else [refconv.conv(*arrays, **attributes) for _ in range(3)][-1]"
    (folder / "mine.py").write_text(MINE.format(change=slow))
    arguments = (
        "gate",
        "mine",
        "--against",
        "HEAD",
        "--workload",
        "lenet5",
        "--operator",
        "conv",
        "--direction",
        "forward",
    )
    run = bench(*arguments, "--slower", "50%", "--processes", "3", "--rounds", "4")
    assert run.returncode == 1, run.stderr
    assert "1 of 2 slower by more than 50.0%: conv 6x14x14, 16 of 5x5 forward" in run.stdout


def test_a_file_is_gated_as_it_was_measured(folder):
    measured = (
        "--workload",
        "lenet5",
        "--operator",
        "conv",
        "--direction",
        "forward",
        "--processes",
        "4",
        "--rounds",
        "3",
    )
    assert bench("mine", *measured, "--yardstick", "refconv", "--json", "old.json").returncode == 0
    slow = "if arrays[1].shape[0] == 6 else [refconv.conv(*arrays, **attributes) for _ in range(3)][-1]"
    (folder / "mine.py").write_text(MINE.format(change=slow))
    run = bench("gate", "mine", "--against", "old.json", "--slower", "50%")
    assert run.returncode == 1, run.stderr
    assert "1 of 2 slower by more than 50.0%: conv 6x14x14, 16 of 5x5 forward" in run.stdout
    assert bench("gate", "refconv", "--against", "old.json").returncode == 2
    refused = bench("gate", "mine", "--against", "old.json", "--dtype", "float64")
    assert refused.returncode == 2
    assert "measured otherwise: dtype: float32, not float64" in refused.stderr
