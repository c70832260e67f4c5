import os
import threading

import pytest
from numba import config

from refconv import threads
from refconv.threads import ENOUGH, spread


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr(threads, "_pools", [])


def record(slices):
    def fill(first, last, *arguments):
        slices.append((first, last, arguments, threading.current_thread().name))

    return fill


@pytest.mark.parametrize(("entries", "steps"), [(10, 2 * ENOUGH - 1), (1, 10**12), (0, 10**12)])
def test_little_work_is_done_at_once_by_the_caller(two_threads, entries, steps):
    slices = []
    spread(record(slices), entries, steps, "array")
    assert slices == [(0, entries, ("array",), threading.current_thread().name)]


def test_big_work_is_cut_into_a_slice_for_each_thread(two_threads):
    slices = []
    spread(record(slices), 7, 10 * ENOUGH, "array", 3)
    assert sorted(each[:3] for each in slices) == [(0, 3, ("array", 3)), (3, 7, ("array", 3))]
    assert len({each[3] for each in slices}) == 2


@pytest.mark.parametrize("slow", [0, 4])
def test_what_a_slice_raises_reaches_the_caller(two_threads, slow):
    done = []

    def fill(first, last):
        if first == slow:
            raise RuntimeError(f"slice {first}")
        done.append(first)

    with pytest.raises(RuntimeError, match=f"^slice {slow}$"):
        spread(fill, 8, 10 * ENOUGH)
    assert done == [4 - slow]  # the other slice isn't left half done


def test_threads_that_were_forgotten_are_made_anew(two_threads):
    spread(record([]), 8, 10 * ENOUGH)
    (pool,) = threads._pools
    threads._forget()
    slices = []
    spread(record(slices), 8, 10 * ENOUGH)
    assert len(slices) == 2
    (other,) = threads._pools
    assert other is not pool


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_makes_threads_of_its_own(two_threads):
    spread(record([]), 8, 10 * ENOUGH)
    child = os.fork()
    if child == 0:
        slices = []
        spread(record(slices), 8, 10 * ENOUGH)
        os._exit(len(slices))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
