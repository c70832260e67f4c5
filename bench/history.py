"""What was measured, as pytest-benchmark's JSON: written, read, and whether two of them can be compared.

Each implementation of each task is a benchmark. Its ``extra_info`` holds what pytest-benchmark doesn't know: the layer,
and of each process the least times by round, its own and the yardstick's, which was timed in the same rounds.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from itertools import chain
from math import log
from pathlib import Path
from typing import Any

import pytest_benchmark
from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import get_commit_info

from bench.measuring import Task, Timing, Timings
from bench.peaks import Peaks
from bench.ratios import CONFIDENCE, ratio
from bench.settings import Settings

Turns = Sequence[Sequence[float]]
"""Seconds of a call, by process and round."""
_MACHINE = ("brand_raw", "arch", "count")
"""Of what pytest-benchmark knows about a CPU: what tells machines apart."""


FORMAT = 1
"""Of what is kept beside pytest-benchmark's own."""


class HistoryError(ValueError):
    """A file is no history, or two can't be compared."""


@dataclass(frozen=True)
class Entry:
    """An implementation's times in one task."""

    implementation: str
    task: str
    layer: str
    operator: str
    direction: str
    times: int  # how often the network has the layer
    flops: int  # operations of a call
    bytes_moved: int
    turns: Turns  # medians
    least: Turns
    yardstick: Turns  # its least times

    @property
    def logarithms(self) -> list[list[float]]:
        """Those of its time over the yardstick's, by process and round; none where there is no yardstick."""
        if not self.yardstick:
            return []
        pairs = zip(self.least, self.yardstick, strict=True)
        return [[log(own / other) for own, other in zip(*pair, strict=True)] for pair in pairs]


@dataclass(frozen=True)
class History:
    """What one run has measured."""

    settings: Settings
    machine: Mapping[str, Any]
    commit: Mapping[str, Any]
    made: str  # date and time
    versions: Mapping[str, str | None]  # of the implementations
    peaks: Peaks | None
    entries: tuple[Entry, ...]
    untimed: tuple[Mapping[str, str], ...]  # what was wrong, declined or absent, with the reason

    def entry(self, implementation: str, task: str) -> Entry | None:
        """Return what an implementation took for a task."""
        found = (entry for entry in self.entries if (entry.implementation, entry.task) == (implementation, task))
        return next(found, None)

    @property
    def implementations(self) -> tuple[str, ...]:
        """Those that were timed, in their order."""
        return tuple(dict.fromkeys(entry.implementation for entry in self.entries))


def gathered(
    timings: Timings, settings: Settings, versions: Mapping[str, str | None], peaks: Peaks | None = None
) -> History:
    """Return what was measured as history."""
    pairs = [(task, name, timing) for task, by_name in timings.items() for name, timing in by_name.items()]
    entries = [
        entry_of(task, name, timing, timings[task].get(settings.yardstick))
        for task, name, timing in pairs
        if timing.timed
    ]
    untimed = [
        {"implementation": name, "task": str(task), "status": timing.status, "reason": timing.reason or ""}
        for task, name, timing in pairs
        if not timing.timed
    ]
    machine = pytest_benchmark_generate_machine_info()
    made = datetime.now(UTC).isoformat(timespec="seconds")
    commit = get_commit_info()
    return History(settings, machine, commit, made, versions, peaks, tuple(entries), tuple(untimed))


def entry_of(task: Task, name: str, timing: Timing, yardstick: Timing | None) -> Entry:
    """Return what one implementation took for a task, beside the yardstick."""
    layer, itemsize = task.layer, _ITEMSIZE[task.dtype]
    return Entry(
        implementation=name,
        task=str(task),
        layer=str(layer),
        operator=layer.operator,
        direction=task.direction,
        times=layer.times,
        flops=2 * layer.multiply_adds(task.direction),
        bytes_moved=layer.bytes_moved(task.direction, itemsize),
        turns=_of(timing, "median"),
        least=_of(timing, "least"),
        yardstick=_of(yardstick, "least") if yardstick is not None and yardstick.timed else (),
    )


def _of(timing: Timing, name: str) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(getattr(turn, name) for turn in turns) for turns in timing.turns)


_ITEMSIZE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


def kept(entry: Entry, settings: Settings, versions: Mapping[str, str | None]) -> dict[str, Any]:
    """Return what is kept of an entry in the ``extra_info`` of its benchmark."""
    own = {"settings": asdict(settings), "versions": dict(versions), "ratio": _told(entry), **asdict(entry)}
    return {"refconv": {"format": FORMAT, **own}}


def _told(entry: Entry) -> dict[str, Any] | None:
    """Return how many times as fast as the yardstick it is, with its interval; or that it isn't measurable."""
    found = ratio(entry.logarithms)
    if found is None:
        return None
    if not found.carried:
        return {"estimate": None, "said": str(found)}
    return {**found.interval._asdict(), "confidence": CONFIDENCE, "said": str(found)}


def write(history: History, path: Path) -> None:
    """Write `history` as pytest-benchmark writes what it has timed, with what it doesn't know beside it."""
    document = {
        "machine_info": dict(history.machine),
        "commit_info": dict(history.commit),
        "benchmarks": [_benchmark(entry, history) for entry in history.entries],
        "datetime": history.made,
        "version": pytest_benchmark.__version__,
        "refconv": {"peaks": history.peaks and history.peaks._asdict(), "untimed": list(history.untimed)},
    }
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1))
    partial.replace(path)  # whole, or not at all


def _benchmark(entry: Entry, history: History) -> dict[str, Any]:
    stats = Stats()
    for turn in chain.from_iterable(entry.turns):
        stats.update(turn)
    settings = history.settings
    name = f"{entry.task} [{entry.implementation}]"
    return {
        "group": entry.task,
        "name": name,
        "fullname": f"{settings.workload}::{name}",
        "params": {"task": entry.task, "implementation": entry.implementation},
        "param": entry.implementation,
        "extra_info": kept(entry, settings, history.versions),
        "options": {"rounds": settings.rounds, "processes": settings.processes, "timer": "perf_counter"},
        "stats": {**stats.as_dict(), "data": stats.data, "iterations": 1},
    }


def read(path: Path) -> History:
    """Read what :func:`write` has written, or pytest-benchmark of a :func:`bench.suite`.

    Raises
    ------
    HistoryError
        Where it isn't that.
    """
    try:
        document = json.loads(path.read_text())
        benchmarks = document["benchmarks"]
        all_kept = [benchmark["extra_info"]["refconv"] for benchmark in benchmarks]
    except OSError as error:
        raise HistoryError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        all_kept = []
    if not all_kept:
        raise HistoryError(f"{path} holds no history of refconv: make one with refconv bench SUBJECT --json {path}")
    for own in all_kept:
        own.pop("ratio", None)  # which follows from the rest
    formats = {own.pop("format") for own in all_kept}
    if formats != {FORMAT}:
        known = ", ".join(map(str, formats))
        raise HistoryError(f"{path} has format {known}, and this version reads {FORMAT}: measure it again")
    settings, versions = [[own.pop(name) for own in all_kept] for name in ("settings", "versions")]
    more = document.get("refconv", {})
    return History(
        settings=Settings(**{**settings[0], "operators": tuple(settings[0]["operators"])}),
        machine=document["machine_info"],
        commit=document["commit_info"],
        made=document["datetime"],
        versions=versions[0],
        peaks=Peaks(**more["peaks"]) if more.get("peaks") else None,
        entries=tuple(Entry(**own) for own in all_kept),
        untimed=tuple(more.get("untimed", ())),
    )


def differences(old: History, new: History) -> Iterator[str]:
    """Yield what makes ratios of two histories differ, beside the implementations."""
    for name in _MACHINE:
        was, now = (history.machine.get("cpu", {}).get(name) for history in (old, new))
        if was != now:
            yield f"the machine: {was}, not {now}"
    yardstick = new.settings.yardstick
    was, now = old.versions.get(yardstick), new.versions.get(yardstick)
    if was != now:
        yield f"the yardstick's version: {yardstick} {was}, not {now}"
    for field in fields(Settings):
        was, now = getattr(old.settings, field.name), getattr(new.settings, field.name)
        if was != now:
            yield f"{field.name}: {was}, not {now}"
