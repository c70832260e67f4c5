import os

import numpy as np
import pytest

import refconv
from bench.side import Apart, EndedError
from oracle import LoadError

MINE = """
import os, sys
import numpy as np
version = "1.2"
print("imported")
def relu(input):
    print("called")
    if input[0] < 0:
        os._exit(3)
    return np.maximum(input, 0)
def conv(*arrays, **attributes):
    return np.array([float(os.environ.get(name, 0)) for name in ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_call_runs_in_another_process(folder, capfd):
    with Apart("mine") as side:
        side.loaded()
        assert (side.name, side.version) == ("mine", "1.2")
        assert side.offers(["relu", "tanh", "conv"]) == {"relu", "conv"}
        status, returned = side.run("relu", [np.array([1.0, -2.0])], {}, [])
        assert status == "returned"
        assert returned.tolist() == [1.0, 0.0]
        assert all(0 < taken < 0.1 for taken in side.time())
    printed, told = capfd.readouterr()
    assert printed == ""
    assert "imported" in told
    assert "called" in told


def test_threads_are_asked_for(folder):
    with Apart("mine", threads=3) as side:
        side.loaded()
        assert side.run("conv", [], {}, [])[1][0] == 3.0


def test_memory_that_is_freed_is_kept_unless_the_user_says_otherwise(folder, monkeypatch):
    for expected in (4 << 30, 12345):
        with Apart("mine") as side:
            side.loaded()
            assert side.run("conv", [], {}, [])[1][1] == expected
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "12345")


def test_what_can_t_be_loaded(folder):
    (folder / "broken.py").write_text("import nothing_like_it")
    with (
        Apart("broken") as side,
        pytest.raises(LoadError, match="cannot load 'broken': ModuleNotFoundError: No module"),
    ):
        side.loaded()
    (folder / "crashing.py").write_text("import os; os._exit(4)")
    with Apart("crashing") as side, pytest.raises(LoadError, match="the process of crashing ended with status 4"):
        side.loaded()


def test_a_process_that_ends_is_started_anew(folder):
    with Apart("mine") as side:
        side.loaded()
        with pytest.raises(EndedError, match=r"^the process of mine ended with status 3$"):
            side.run("relu", [np.array([-1.0])], {}, [])
        assert side.run("relu", [np.array([1.0])], {}, [])[1].tolist() == [1.0]


def test_folders_come_first(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(MINE.replace("1.2", "0.9"))
    (other / "refconv.py").write_text("version = 'shadowed'")
    with Apart("mine", name="old", folders=[other]) as side:
        side.loaded()
        assert (side.name, side.version) == ("old", "0.9")
    with Apart("refconv", folders=[other]) as side:
        side.loaded()
        assert side.version == "shadowed"


def test_the_current_folder_comes_last(folder):
    (folder / "refconv.py").write_text("version = 'shadowed'")
    with Apart("refconv") as side:
        side.loaded()
        assert side.version != "shadowed"


def test_gradients_come_back_by_name(folder):
    x, w = np.ones((1, 1, 4)), np.ones((1, 1, 2))
    with Apart("refconv") as side:
        side.loaded()
        _, returned = side.run("conv_backward", [refconv.conv(x, w), x, w], {}, ["input", "weight", "bias"])
    assert (returned.input == refconv.conv_backward(refconv.conv(x, w), x, w).input).all()
    assert returned.bias is None


def test_nothing_is_left_behind(folder):
    with Apart("mine") as side:
        side.loaded()
        pid = side._running.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
