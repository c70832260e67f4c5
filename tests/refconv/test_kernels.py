"""What is compiled is kept on disk, whoever else is at it; where that can't be, it costs time alone."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numba import config
from numba.core.errors import NumbaError

from refconv import kernels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(config.DISABLE_JIT or config.BOUNDSCHECK), reason="runs where code is compiled as users do"
    ),
]

CALL = """
import sys
import numpy as np
import refconv
for dtype in sys.argv[1:]:
    input, weight = np.arange(1.0, 5.0, dtype=dtype).reshape(1, 1, 4), np.ones((1, 1, 2), dtype)
    assert refconv.conv(input, weight).tolist() == [[[3.0, 5.0, 7.0]]]
    grads = refconv.conv_backward(np.ones((1, 1, 3), dtype), input, weight)
    assert (grads.input.tolist(), grads.weight.tolist()) == ([[[1.0, 2.0, 2.0, 1.0]]], [[[6.0, 9.0]]])
"""
POOL = """
import sys
import numpy as np
import refconv
for dtype in sys.argv[1:]:
    input = np.arange(1.0, 5.0, dtype=dtype).reshape(1, 1, 4)
    assert refconv.avg_pool(input, kernel_size=2).tolist() == [[[1.5, 3.5]]]
    assert refconv.avg_pool_backward(np.ones((1, 1, 2), dtype), input, kernel_size=2).input.tolist() == [[[0.5] * 4]]
"""
"""It compiles in half the time."""


def start(cache, *dtypes, code=CALL, **environment):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment}
    command = [sys.executable, "-W", "error", "-c", code, *dtypes]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def stderr_of(process):
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


def files(cache, ending):
    return {path: path.stat().st_mtime_ns for path in cache.rglob(f"*.{ending}")}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that holds what the call compiles in float32."""
    cache = tmp_path_factory.mktemp("compiled")
    assert stderr_of(start(cache, "float32", code=POOL)) == ""
    return cache


@pytest.fixture
def cache(compiled, tmp_path):
    """A copy of it."""
    return shutil.copytree(compiled, tmp_path / "cache")


@pytest.mark.parametrize("attempt", range(2))
def test_processes_that_compile_at_once_do_not_break_each_other(tmp_path, attempt):
    at_once = [start(tmp_path, dtype) for dtype in ("float32", "float64", "complex128", "float32")]
    assert [stderr_of(process) for process in at_once] == [""] * 4
    assert stderr_of(start(tmp_path, "float32", "float64", "complex128")) == ""
    before = files(tmp_path, "nbc")
    assert stderr_of(start(tmp_path, "float32", "float64", "complex128")) == ""
    assert files(tmp_path, "nbc") == before != {}


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("junk", [b"", b"junk", None], ids=["empty", "junk", "truncated"])
def test_a_cache_that_holds_something_else_costs_time_alone(cache, ending, junk):
    for path in files(cache, ending):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if junk is None else junk)
    said = stderr_of(start(cache, "float32", code=POOL))
    assert said.count("compiled code can't be kept") == said.count("\n") == 1
    assert stderr_of(start(cache, "float32", code=POOL)) == ""


NO_PLACE = """
import os, tempfile
def refuse(*arguments, **options):
    raise PermissionError("read-only")
tempfile.TemporaryFile = refuse
"""
FULL = """
import os
from numba.core.caching import IndexDataCacheFile
def refuse(*arguments):
    raise OSError("disk full")
IndexDataCacheFile._save_data = refuse
"""


@pytest.mark.parametrize("obstacle", [NO_PLACE, FULL], ids=["read-only", "full"])
def test_where_nothing_can_be_kept_it_costs_time_and_is_said_once(tmp_path, obstacle):
    said = stderr_of(start(tmp_path, "float32", "float64", code=obstacle + POOL))
    assert said.count("compiled code can't be kept, so that every process compiles it anew: ") == said.count("\n") == 1
    assert files(tmp_path, "nbc") == {}


def test_a_cache_folder_that_cannot_be_made_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    stderr_of(start(tmp_path / "file" / "cache", "float32", code=POOL))


def test_code_with_and_without_bounds_checks_is_kept_apart(cache):
    unchecked = {path.name for path in files(cache, "nbi")}
    stderr_of(start(cache, "float32", code=POOL, NUMBA_BOUNDSCHECK="1"))
    names = {path.name for path in files(cache, "nbi")}
    assert {name.replace("-checked", "") for name in names - unchecked} == unchecked


def test_edits_of_what_loops_of_other_files_are_compiled_with_are_noticed(tmp_path):
    copy = tmp_path / "refconv"
    shutil.copytree(Path(kernels.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    kept = []
    for edited in (None, None, *kernels._SHARED):
        if edited is not None:
            os.utime(copy / edited, (0, 0))
        stderr_of(
            start(tmp_path / "cache", "float32", code=f"import sys\nsys.path.insert(0, {str(tmp_path)!r})" + CALL)
        )
        kept.append(files(tmp_path / "cache", "nbc"))
    assert kept[0] == kept[1] != {}
    assert all(before != after for before, after in pairwise(kept[1:]))


def test_a_loop_that_allocates_is_refused():
    @kernels.kernel
    def allocating(count):
        return np.empty(count).size

    with pytest.raises(NumbaError, match="empty"):
        allocating(3)
