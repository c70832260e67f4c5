"""The same bits in every thread, after a fork, and in every process."""

import os
import subprocess
import sys
import textwrap

import pytest
from numba import config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(config.DISABLE_JIT or config.BOUNDSCHECK), reason="runs where code is compiled as users do"
    ),
]
SETUP = """
import hashlib, multiprocessing, os, sys, threading, warnings
import numpy as np
import refconv

CONVOLUTION = ((2, 4, 9, 7), (4, 4, 3, 2), (4,)), dict(stride=(2, 1), padding=1)
CALLS = {
    "conv": CONVOLUTION,
    "conv_transpose": CONVOLUTION,
    "max_pool": (((4, 16, 64, 64),), dict(kernel_size=3, stride=2, padding=1)),  # enough for threads of its own
    "group_norm": (((4, 16, 64, 64), (16,), (16,)), dict(num_groups=4)),
}

def bits(_=None, dtypes=("float32", "float64")):
    '''Of operators of each kind, forward and backward, in two dtypes.'''
    digest = hashlib.sha256()
    for dtype in dtypes:
        rng = np.random.default_rng(0)
        for name, (shapes, attributes) in CALLS.items():
            row = refconv.operators[name]
            inputs = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
            output = row.forward(*inputs, **attributes)
            grads = row.backward(rng.standard_normal(output.shape).astype(dtype), *inputs, **attributes)
            for array in (output, *grads):
                digest.update(array.tobytes())
    return digest.hexdigest()
"""


def run(code, cache=None):
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(cache)} if cache else {})}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SETUP + textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def alone():
    (bits,) = run("print(bits())")
    return bits


THREADS = """
    together = threading.Barrier(8)
    def call(found):
        together.wait()
        found.append([bits() for _ in range(5)])
    found = []
    threads = [threading.Thread(target=call, args=(found,)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(*{one for each in found for one in each}, len(found))
"""


def test_eight_threads_at_once_give_the_bits_of_one(alone, tmp_path):
    assert run(THREADS) == [alone, "8"]
    assert run(THREADS, cache=tmp_path) == [alone, "8"]  # all compile at once


FORK = """
    def fork(*dtypes):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, bits(None, dtypes).encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.read(read, 100).decode(), bits(None, dtypes), status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_gives_the_same_bits_whether_or_not_anything_was_called_before(alone, tmp_path):
    twice = 'fork("float32", "float64")\n' * 2
    assert run(textwrap.dedent(FORK) + twice, cache=tmp_path) == [alone, alone, "0"] * 2


COMPILING = """
    import time
    from numba.core.compiler_lock import global_compiler_lock
    threading.Thread(target=bits, args=(None, ["float32"])).start()
    while global_compiler_lock._lock.acquire(blocking=False):
        global_compiler_lock._lock.release()
        time.sleep(0.001)
    fork("float32")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_while_a_thread_compiles_gives_the_same_bits(tmp_path):
    """It is begun when the thread has the compiler's lock, which the child would wait for without end."""
    forked, here, status = run(textwrap.dedent(FORK) + textwrap.dedent(COMPILING), cache=tmp_path)
    assert [forked, status] == [here, "0"]
    assert run('print(bits(None, ["float32"]))') == [here]


def test_a_call_imports_only_what_numba_does_as_it_compiles():
    """A fork waits for that, but for no other import, whose lock would never be released in the child."""
    code = """
        sys.modules["scipy"] = None  # Numba imports it as it compiles, too, where it is there
        before = set(sys.modules)
        bits()
        print(*{name.partition(".")[0] for name in set(sys.modules) - before})
    """
    assert set(run(code)) <= {"numba", "cmath", "multiprocessing"}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_gives_the_same_bits(alone, tmp_path, method):
    if sys.platform == "win32" and method != "spawn":
        pytest.skip(f"no {method} on Windows")
    (tmp_path / "called.py").write_text(SETUP)
    code = f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import called
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            print(*set(pool.map(called.bits, range(6))))
    """
    assert run(code) == [alone]


def test_pytest_xdist_gives_the_same_bits(alone, tmp_path):
    pytest.importorskip("xdist", reason="needs pytest-xdist")
    test = (
        f"import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_bits(n):\n    assert bits() == {alone!r}\n"
    )
    (tmp_path / "test_called.py").write_text(SETUP + test)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "test_called.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "6 passed" in done.stdout, done.stdout
