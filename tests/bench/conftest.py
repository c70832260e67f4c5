"""A history that is made up, and what makes others like it."""

from dataclasses import replace

import numpy as np
import pytest

from bench.history import Entry, History
from bench.peaks import Peaks
from bench.settings import Settings

MACHINE = {"cpu": {"brand_raw": "Some CPU", "arch": "X86_64", "count": 2}}


def turns(seed, seconds, processes=4, rounds=6, noise=0.01):
    rng = np.random.default_rng(seed)
    return tuple(tuple(seconds * np.exp(noise * rng.standard_normal(rounds))) for _ in range(processes))


def _entry(task="conv 64x56x56, 64 of 3x3, padding 1 forward", seconds=0.002, *, implementation="mine", seed=0, **more):
    layer, _, direction = task.rpartition(" ")
    own = turns(seed, seconds, **more)
    yardstick = turns(seed + 1, 0.001, **more)
    return Entry(implementation, task, layer, layer.split()[0], direction, 3, 2 * 10**8, 2 * 10**6, own, own, yardstick)


def _history(*entries, **settings):
    return History(
        settings=replace(Settings(workload="resnet50", processes=4, rounds=6), **settings),
        machine=MACHINE,
        commit={"id": "0123456789abcdef"},
        made="2026-11-22T04:10:00+00:00",
        versions={"mine": "1.0", "torch": "2.13.0"},
        peaks=Peaks(1.5e11, 2e10),
        entries=entries,
        untimed=({"implementation": "mine", "task": "linear", "status": "absent", "reason": "mine has no linear"},),
    )


@pytest.fixture
def entry():
    """Makes an implementation's times in a task, near `seconds`; the yardstick's are near a millisecond."""
    return _entry


@pytest.fixture
def history():
    """Makes a history of entries."""
    return _history


@pytest.fixture
def some_history():
    forward = "conv 64x56x56, 64 of 3x3, padding 1 forward"
    return _history(
        _entry(forward),
        _entry(forward, 0.001, implementation="torch", seed=2),
        _entry("batch_norm 64x56x56 backward", 0.0005, seed=4),
    )
