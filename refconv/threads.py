"""How loops are spread over threads: in slices of their outermost range, each element written by one thread.

A loop is a kernel ``fill(first, last, *arrays)`` that writes the entries from `first` to `last` of its outermost range,
each as it would without threads, so the bits are the same whatever their number, which is Numba's:
``NUMBA_NUM_THREADS``, by default the processors that this process may run on. Little work is done in the caller's
thread.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock
from typing import Any

from numba import config

ENOUGH = 100_000
"""Steps of a loop (reads of an element, about a nanosecond each) that are worth another thread."""

_lock = Lock()
_pools: list[ThreadPoolExecutor] = []  # one, once it is needed


def _forget() -> None:
    """Start anew in a child: the threads stay with the parent."""
    global _lock
    _lock = Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch  # where there is no fork, there is nothing to forget
    os.register_at_fork(after_in_child=_forget)


def workers_for(entries: int, steps: int) -> int:
    """Return how many threads `entries`, which take `steps` in all, are worth."""
    threads: int = config.NUMBA_NUM_THREADS
    return max(1, min(threads, entries, steps // ENOUGH))


def spread(fill: Callable[..., Any], entries: int, steps: int, *arguments: object) -> None:
    """Run ``fill(first, last, *arguments)`` over all `entries`, which take `steps` in all."""
    share(fill, entries, workers_for(entries, steps), *arguments)


def share(fill: Callable[..., Any], entries: int, workers: int, *arguments: object) -> None:
    """Run ``fill(first, last, *arguments)`` over all `entries`, a slice of them by each of so many threads."""
    if workers < 2:
        fill(0, entries, *arguments)
        return
    cuts = [entries * part // workers for part in range(workers + 1)]
    (first, last), *others = pairwise(cuts)
    waiting = [_pool().submit(fill, *slice_, *arguments) for slice_ in others]
    try:
        fill(first, last, *arguments)
    finally:
        for done in waiting:
            done.result()


def _pool() -> ThreadPoolExecutor:
    with _lock:
        if not _pools:
            _pools.append(ThreadPoolExecutor(config.NUMBA_NUM_THREADS, thread_name_prefix="refconv"))
        return _pools[0]
