"""One run: everything that is asked for, measured and gathered."""

import time
from collections.abc import Callable, Sequence

from bench.history import History, gathered
from bench.measuring import Measuring, Task
from bench.peaks import peaks
from bench.settings import Settings
from bench.side import Apart

PATIENCE = 150.0
"""Seconds in which more is measured of what is undecided."""
Makers = Sequence[Callable[[], Apart]]
"""What makes a process of each implementation."""


class CutShortError(KeyboardInterrupt):
    """An interrupt: what was measured until then, and the exit status that says so."""

    def __init__(self, history: History, status: int = 130) -> None:
        super().__init__(status)
        self.history = history
        self.status = status


def run(
    settings: Settings,
    subjects: Sequence[str],
    makers: Makers,
    *,
    tasks: Sequence[Task] | None = None,
    with_peaks: bool = False,
    patience: float = PATIENCE,
    advanced: Callable[[Task], None] | None = None,
    undecided: Callable[[History], Sequence[str]] = lambda _: (),
) -> History:
    """Measure; and more of what is `undecided`, process by process, as long as patience lasts.

    Parameters
    ----------
    settings : Settings
        What is measured.
    subjects : sequence of str
        The names of those that must have something to time.
    makers : sequence of callables
        What makes a process of each implementation.
    tasks : sequence of Task, optional
        Fewer than those of `settings`.
    with_peaks : bool
        Whether the machine's peaks are measured as well.
    patience : float
        Seconds after which nothing more is measured than `settings` ask for.
    advanced : callable, optional
        Is told of each task that has been timed in one process of each implementation.
    undecided : callable
        Returns the names of tasks of which there isn't enough.

    Raises
    ------
    NothingError
        Where there is nothing to time.
    LoadError
        Where an implementation can't be loaded.
    CutShortError
        Where it is interrupted after some task has been timed.
    """
    tasks = settings.tasks() if tasks is None else tasks
    began = time.monotonic()
    device = "cuda" if any(subject.endswith("@cuda") for subject in subjects) else "cpu"
    peak = peaks(device, settings.dtype, settings.threads) if with_peaks else None
    measuring = Measuring(
        lambda: [make() for make in makers], subjects=subjects, rounds=settings.rounds, advanced=advanced
    )

    def history() -> History:
        return gathered(measuring.found, settings, measuring.versions, peak)

    try:
        for _ in range(settings.processes):
            measuring.generation(tasks)
        found = history()
        while (names := undecided(found)) and time.monotonic() - began < patience:
            measuring.generation([task for task in tasks if str(task) in names])
            found = history()
    except KeyboardInterrupt as interrupt:
        if not measuring.found:
            raise
        raise CutShortError(history(), *interrupt.args) from None
    return found
