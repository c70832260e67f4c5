import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.history import HistoryError, differences, gathered, read, write
from bench.measuring import Task, Timing, Turn
from bench.settings import Settings
from properties.layer import Layer


def test_what_is_written_is_read(some_history, tmp_path):
    write(some_history, tmp_path / "a.json")
    again = read(tmp_path / "a.json")
    assert again == replace(some_history, entries=again.entries)
    for one, other in zip(again.entries, some_history.entries, strict=True):
        assert one.logarithms == other.logarithms
        assert (one.task, one.implementation, one.flops) == (other.task, other.implementation, other.flops)


def test_pytest_benchmark_reads_it(some_history, tmp_path):
    write(some_history, tmp_path / "a.json")
    reading = "import sys; from pytest_benchmark.cli import main; sys.argv[1:] = ['compare', 'a.json']; main()"
    command = [sys.executable, "-c", reading]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "batch_norm 64x56x56 backward [mine]" in shown
    assert "2 tests" in shown


def test_what_was_measured_is_gathered():
    task = Task(Layer("conv", ((1, 2, 6), (3, 2, 3)), times=4), "backward", "float64")
    own = Timing(turns=[[Turn(3.0, 2.0)], [Turn(5.0, 4.0)]])
    found = {
        task: {"mine": own, "torch": Timing(turns=[[Turn(1.0, 1.0)], [Turn(2.0, 1.0)]]), "other": Timing("wrong", "no")}
    }
    gathered_ = gathered(found, Settings(), {"mine": None})
    mine = gathered_.entry("mine", str(task))
    assert (mine.operator, mine.direction, mine.times) == ("conv", "backward", 4)
    assert (mine.flops, mine.bytes_moved) == (2 * 2 * 3 * 4 * 2 * 3, 8 * (12 + 18 + 12 + 12 + 18))
    assert (mine.turns, mine.least, mine.yardstick) == (((3.0,), (5.0,)), ((2.0,), (4.0,)), ((1.0,), (1.0,)))
    assert mine.logarithms == [[math.log(2)], [math.log(4)]]
    assert gathered_.implementations == ("mine", "torch")
    assert gathered_.untimed == ({"implementation": "other", "task": str(task), "status": "wrong", "reason": "no"},)
    assert gathered_.machine["cpu"]


def test_without_a_yardstick_there_are_no_ratios():
    task = Task(Layer("conv", ((1, 2, 6), (3, 2, 3))), "forward", "float32")
    found = {task: {"mine": Timing(turns=[[Turn(3.0, 2.0)]]), "torch": Timing("declined", "no")}}
    (mine,) = gathered(found, Settings(), {}).entries
    assert mine.yardstick == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read .*: No such file or directory"),
        ("{", "holds no history of refconv: make one with refconv bench SUBJECT --json"),
        ("[]", "holds no history of refconv"),
        ('{"benchmarks": []}', "holds no history of refconv"),
        ('{"benchmarks": [{"extra_info": {}}]}', "holds no history of refconv"),
    ],
)
def test_what_is_no_history(text, said, tmp_path):
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(HistoryError, match=said):
        read(tmp_path / "a.json")


def test_a_format_that_is_not_known(some_history, tmp_path):
    write(some_history, tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    for benchmark in document["benchmarks"]:
        benchmark["extra_info"]["refconv"]["format"] = 99
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(HistoryError, match="has format 99, and this version reads 1: measure it again"):
        read(tmp_path / "a.json")


def test_what_makes_histories_differ(some_history, entry, history):
    assert list(differences(some_history, some_history)) == []
    other_cpu = {"cpu": {**some_history.machine["cpu"], "brand_raw": "Another"}}
    assert list(differences(some_history, replace(some_history, machine=other_cpu))) == [
        "the machine: Some CPU, not Another"
    ]
    newer = replace(some_history, versions={"mine": "2.0", "torch": "2.14"})
    assert list(differences(some_history, newer)) == ["the yardstick's version: torch 2.13.0, not 2.14"]
    assert list(differences(some_history, history(entry(), dtype="float64", rounds=9))) == [
        "dtype: float32, not float64",
        "rounds: 6, not 9",
    ]
