"""Times of calls that alternate, so that a drifting machine hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

_BATCH = 0.02
"""Seconds for which a call is repeated before another's turn, if it takes less."""
_PAUSE = 0.01
"""Seconds before another's turn: a library's threads spin for 5 to 8 ms after its call has returned."""


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median time of each call in seconds, a batch of each a round; the first call of a batch warms up.

    A call that returns False has failed.
    """
    for name, call in calls.items():  # compiles, loads
        _timed(name, call)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(_PAUSE)
            times[name] += _batch(name, call)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _batch(name: str, call: Callable[[], Any]) -> list[float]:
    taken = _timed(name, call)
    return [_timed(name, call) for _ in range(int(_BATCH / taken))] or [taken]


def _timed(name: str, call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    assert call() is not False, name
    return time.perf_counter() - began
