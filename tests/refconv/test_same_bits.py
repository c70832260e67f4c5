"""The same bits whoever compiled, when, after what, and with how many threads: for all operators, by ``digests.py``."""

import os
import pickle
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import pytest
from numba import config
from numba.core.registry import CPUDispatcher

import refconv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(config.DISABLE_JIT or config.BOUNDSCHECK), reason="runs where code is compiled as users do"
    ),
]
PROGRAM = Path(__file__).with_name("digests.py")
LOGGED = f"""
import logging, runpy
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
logging.getLogger("numba").setLevel(logging.WARNING)
runpy.run_path({str(PROGRAM)!r}, run_name="__main__")
"""
NORM = "float32", "group_norm"
OTHER_VERSION = "refconv: code that was compiled by another version is passed over, and compiled anew\n"
OTHER_PROCESSOR = "refconv: code that was compiled for another processor is passed over, and compiled anew\n"


def told(*words, cache=None, **environment):
    """What a new process prints on stdout and stderr."""
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(cache)} if cache else {}), **environment}
    command = [sys.executable, "-c", LOGGED, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def digests(*words, **options):
    printed, _ = told(*words, **options)
    return sorted(printed.splitlines())


def code(cache):
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}


def drop_kernels(cache):
    """Take out of the cache what Python calls; what is compiled into it stays."""
    modules = [module for name, module in sys.modules.items() if name.startswith("refconv.")]
    loops = [each for module in modules for each in vars(module).values() if isinstance(each, CPUDispatcher)]
    kernels = {loop._cache._cache_file._index_name for loop in loops if not loop.targetoptions.get("forceinline")}
    dropped = [path for path in cache.rglob("*.nbi") if path.name in kernels]
    assert 0 < len(dropped) < len([*cache.rglob("*.nbi")])
    for path in dropped:
        path.unlink()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache that a process filled as it compiled all in float32, and the digests that it got."""
    cache = tmp_path_factory.mktemp("compiled")
    return cache, digests("float32", cache=cache)


@pytest.fixture
def cache(compiled, tmp_path):
    """A copy of that cache."""
    return shutil.copytree(compiled[0], tmp_path / "cache")


def assert_loaded(cache, *dtypes, expected):
    """Processes that load what is in the cache get what was expected, with few threads and many."""
    kept = code(cache)
    for threads in ("1", "7"):
        assert digests(*dtypes, cache=cache, NUMBA_NUM_THREADS=threads) == expected
    assert code(cache) == kept != {}


def test_a_process_that_compiles_gets_the_bits_of_one_that_loads(compiled):
    cache, found = compiled
    assert len(found) == 2 * len(refconv.operators)  # and no function is told of that objects share
    assert_loaded(cache, "float32", expected=found)


def test_what_was_compiled_before_changes_no_bit(compiled, cache):
    """Neither other dtypes, nor operators in another order, nor for arrays that lie otherwise, nor what kernels call."""
    dtypes = "float32", "float64", "complex128"
    drop_kernels(cache)
    found = digests("apart", *dtypes[::-1], cache=cache)
    assert len(found) == len(dtypes) * len(compiled[1])
    assert [line for line in found if ".float32 " in line] == compiled[1]
    assert_loaded(cache, *dtypes, expected=found)
    assert digests(*dtypes) == found  # in whose cache is what others compiled


PROCESSORS = {"x86-64-v3": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c", "x86-64": "+sse,+sse2"}


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="names of x86's processors")
def test_a_cache_with_other_processors_code_gives_each_its_own_bits(cache):
    """Vectors of AVX2 and of SSE, beside what the machine has; code for another is compiled anew, and that is logged."""
    if not dict(llvmlite.binding.get_host_cpu_features()).get("avx2"):
        pytest.skip("no AVX2")
    words = "float32", "conv", "group_norm", "layer_norm"
    processors = [{}, *({"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": has} for name, has in PROCESSORS.items())]
    compiled = [told(*words, cache=cache, **processor) for processor in processors]
    assert [said for _, said in compiled] == ["", OTHER_PROCESSOR, OTHER_PROCESSOR]
    kept = code(cache)
    assert [told(*words, cache=cache, **processor) for processor in processors] == [(p, "") for p, _ in compiled]
    assert code(cache) == kept
    assert len({printed for printed, _ in compiled}) > 1  # else the same code has run


def by_another_numba(version, stamp, entries):
    return "0.1", stamp, entries


def by_another_refconv(version, stamp, entries):
    *files, (modified, size) = stamp
    return version, (*files, (modified, size + 1)), entries


@pytest.mark.parametrize("made", [by_another_numba, by_another_refconv])
def test_code_of_another_version_is_compiled_anew(cache, made):
    compiled = told(*NORM, cache=cache)
    for path in cache.rglob("*.nbi"):
        with path.open("rb") as file:
            version, stamp, entries = made(pickle.load(file), *pickle.load(file))
        path.write_bytes(pickle.dumps(version) + pickle.dumps((stamp, entries)))
    assert told(*NORM, cache=cache) == (compiled[0], OTHER_VERSION)
    assert told(*NORM, cache=cache) == compiled
