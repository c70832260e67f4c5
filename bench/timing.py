"""Times of calls that alternate, so that a drifting machine hits all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median time of each call in seconds, one of each a round; the first round warms up.

    A call that returns False has failed.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(-1, rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            assert call() is not False, name
            if round_ >= 0:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}
