"""Whether something got slower: decided on ratios that were measured in one run, and never out of noise.

A layer is slower where the whole interval of its ratio lies beyond what is allowed, so an alarm is raised only where
even the least slow-down that fits the data is too much. Where the interval holds the limit, it is undecided.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.history import Entry, History, HistoryError
from bench.intervals import Interval, interval, quotient, rounds_needed
from bench.measuring import Task
from bench.running import PATIENCE, Makers, run
from bench.settings import Settings

SLOWER, FASTER, SAME, UNDECIDED = "slower", "faster", "no slower", "undecided"


_PROCESSES = 2
"""That an interval needs at least."""


class Limits(NamedTuple):
    """What is asked of a verdict."""

    slower: float  # that a layer may get
    confidence: float  # of its interval


class Change(NamedTuple):
    """How much slower an implementation is than before, in one task."""

    task: str
    verdict: str
    ratio: Interval


def decided(ratio: Interval, slower: float) -> str:
    """Return whether a ratio of times says that it got slower, by more than `slower`."""
    if ratio.low > 1 + slower:
        return SLOWER
    if ratio.high < 1 / (1 + slower):
        return FASTER
    return SAME if ratio.high <= 1 + slower else UNDECIDED


def changes_by(history: History, subject: str, limits: Limits) -> list[Change]:
    """Judge each task of `subject` by its ratio to the yardstick, which is the old implementation.

    Raises
    ------
    HistoryError
        Where there is none, or too little was measured.
    """
    own = [entry for entry in history.entries if entry.implementation == subject and entry.yardstick]
    ratios = {entry.task: interval(_enough(entry, limits), limits.confidence) for entry in own}
    return _decided(ratios, limits, f"no layer was timed for {subject} and {history.settings.yardstick}")


def changes_since(old: History, new: History, subject: str, limits: Limits) -> list[Change]:
    """Judge each task that `subject` has done in both by its ratios to the yardstick then and now.

    Raises
    ------
    HistoryError
        Where there is none, or too little was measured.
    """
    ratios = {}
    for now in new.entries:
        was = old.entry(subject, now.task)
        if now.implementation == subject and now.yardstick and was is not None and was.yardstick:
            ratios[now.task] = quotient(_enough(now, limits), _enough(was, limits), limits.confidence)
    return _decided(ratios, limits, f"no layer was timed for {subject} and the yardstick in both")


def gated(
    settings: Settings,
    subject: str,
    makers: Makers,
    judged: Callable[[History], list[Change]],
    *,
    tasks: Sequence[Task] | None = None,
    patience: float = PATIENCE,
    advanced: Callable[[Task], None] | None = None,
) -> tuple[list[Change], History]:
    """Measure until all is decided or patience ends; return what `judged` makes of it, and what was measured."""

    def undecided(history: History) -> list[str]:
        return [change.task for change in judged(history) if change.verdict == UNDECIDED]

    history = run(settings, [subject], makers, tasks=tasks, patience=patience, advanced=advanced, undecided=undecided)
    return judged(history), history


def _decided(ratios: Mapping[str, Interval], limits: Limits, otherwise: str) -> list[Change]:
    if not ratios:
        raise HistoryError(f"nothing can be compared: {otherwise}")
    return [Change(task, decided(ratio, limits.slower), ratio) for task, ratio in ratios.items()]


def _enough(entry: Entry, limits: Limits) -> Sequence[Sequence[float]]:
    """Return the logarithms of an entry's ratios, if they are enough for an interval of that confidence."""
    found = entry.logarithms
    if len(found) < _PROCESSES:
        raise HistoryError(
            f"{entry.task} of {entry.implementation} was timed in one process, and what differs between processes "
            "isn't known: measure with more --processes"
        )
    rounds, needed = sum(map(len, found)), rounds_needed(limits.confidence)
    if rounds < needed:
        raise HistoryError(
            f"{entry.task} of {entry.implementation} has {rounds} rounds, and a confidence of {limits.confidence:g} "
            f"needs {needed}: measure with more --rounds, or ask for less --confidence"
        )
    return found
