import os
import subprocess
import sys

import pytest

import bench
from bench.history import read

MINE = """
import bench
import refconv
from oracle import Unsupported, subject

def conv(*arrays, **attributes):
    if arrays[1].shape[0] == 16:
        raise Unsupported("16 channels")
    return refconv.conv(*arrays, **attributes)

def linear(*arrays):
    return refconv.linear(*arrays) * (1.01 if arrays[1].shape[0] == 10 else 1)

mine = subject(conv=conv, linear=linear, name="mine")
TestMine = bench.suite(mine, workload="lenet5", direction="forward", rounds=2)
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_mine.py").write_text(MINE)

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-W", "error", "-q", "-rs", "-p", "no:cacheprovider", *arguments]
        alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # xdist's, too
        return subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True).stdout

    return run


def test_layers_are_tests_of_pytest_benchmark(run, tmp_path):
    printed = run("--benchmark-json", "a.json", "--benchmark-max-time", "0.1")
    assert "1 failed, 3 passed, 3 skipped" in printed
    assert "linear 84, to 10 forward: wrong: output[" in printed
    assert "mine has no avg_pool" in printed
    assert "Unsupported: 16 channels" in printed
    kept = read(tmp_path / "a.json")
    assert kept.implementations == ("mine",)
    assert [len(entry.least[0]) for entry in kept.entries] == [2, 2, 2]
    assert all(entry.yardstick for entry in kept.entries)
    assert kept.settings.workload == "lenet5"


def test_results_are_judged_where_nothing_is_timed(run):
    assert "1 failed, 3 passed, 3 skipped" in run("--benchmark-disable")


def test_tests_are_chosen_by_name(run):
    assert "1 passed, 6 deselected" in run("-k", "120 and forward and 400", "--benchmark-disable")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"workload": "resnet"}, r"^workload must be of lenet5, .*, kernel, got 'resnet'; did you mean resnet50\?$"),
        ({"workload": "vgg16", "operators": ["upsample"]}, "^vgg16 has no upsample; it has conv, max_pool, linear$"),
        ({"operators": ["convolution"]}, r"^operators must be of conv, .*, got 'convolution'; did you mean conv\?$"),
        ({"direction": "sideways"}, "^direction must be of forward, backward, both, got 'sideways'$"),
        ({"dtype": "int8"}, "^dtype must be of float32, float64, float16, bfloat16, got 'int8'$"),
        ({"rounds": 0}, "^rounds must be 1 or more, got 0$"),
        ({"arithmetic": "float64"}, "^arithmetic must be one of .* where dtype is float32, got 'float64'$"),
    ],
)
def test_what_makes_no_sense(settings, said):
    with pytest.raises(ValueError, match=said):
        bench.suite("refconv", **settings)
