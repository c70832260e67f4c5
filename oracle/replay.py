"""Run a case again that was kept."""

import contextlib
from pathlib import Path
from typing import Any

from oracle.checking import runner_of
from oracle.contract import Call
from oracle.judging.judge import Verdict, judge, read_arithmetic
from oracle.reporting.files import read_calls
from oracle.running.isolation import MEMORY_LIMIT, TIME_LIMIT


def replay(
    path: str | Path,
    implementation: Any,
    *,
    arithmetic: str | None = None,
    isolate: bool = True,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
) -> list[tuple[Call, Verdict]]:
    """Run the calls of a case file, or of all failures in a report, and judge each.

    Parameters
    ----------
    path : str or Path
        The file.
    implementation, arithmetic, isolate, time_limit, memory_limit
        As for :func:`oracle.check`; each list of calls has a new process.

    Returns
    -------
    list of ((Case, direction), Verdict)

    Raises
    ------
    FileError
        A ValueError with one line: for a file that can't be read, isn't one of ours, or is of a newer version.
    LoadError, ValueError
        As for :func:`oracle.check`.
    """
    listed = read_calls(path)
    judged: list[tuple[Call, Verdict]] = []
    with contextlib.closing(runner_of(implementation, arithmetic, isolate, time_limit, memory_limit)) as runner:
        for number, calls in enumerate(listed):
            if number:
                runner.renew()
            judged.extend((call, _judged(runner, call, arithmetic)) for call in calls)
    return judged


def _judged(runner: Any, call: Call, arithmetic: str | None) -> Verdict:
    case, direction = call
    return judge(runner, case, direction, read_arithmetic(arithmetic, str(case.dtype)))
