"""The script of a failure, run before it is shown: it makes the calls as it prints them, and must fail as they did."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from oracle.contract import Call
from oracle.judging.judge import Verdict, judge
from oracle.reporting.script import Script, in_own_words, script
from oracle.running.runner import Caller, Runner, Scripted
from refconv import Arithmetic

LARGEST = 1 << 15
"""Elements of all arrays of a script that is run before it is shown."""
_AFTER_THE_KIND = re.compile(r" = |: | \(|;")  # in a verdict's reason: what follows are values
_NUMBERS = re.compile(r"[\d.,\s]+")

Shows = Callable[[Caller], str | None]
"""Makes the calls of a failure, and returns what they do instead; None where they fail as they did."""


class Written(NamedTuple):
    """What writes the script of a failure, and whether it reproduces it; None if it wasn't run."""

    write: Callable[[], str]
    reproduces: bool | None


def written(
    runner: Runner, calls: Sequence[Call], arithmetic: Arithmetic, shows: Shows, broken: str | None = None
) -> Written:
    """Return the script of a failure: one in the library's own words, if there is one, and it reproduces it."""
    if _elements(calls) > LARGEST:
        return Written(partial(_large, runner.made, calls, arithmetic, broken), None)
    did: str | None = None
    for tried in _scripts(runner, calls, arithmetic, broken):
        runner.renew()
        runner.hurried = True
        did = shows(Scripted(runner, tried.steps))
        runner.hurried = False
        if did is None:
            break
    note = "" if did is None else f"\n# run by itself, this script did not show the failure: {did}"
    return Written(lambda: f"{tried.text}{note}", did is None)


def shows(calls: Sequence[Call], failed: Verdict, arithmetic: Arithmetic, caller: Caller) -> str | None:
    """Make `calls`; return what the last of them does instead of failing as it had `failed`."""
    for case, direction in calls:
        verdict = judge(caller, case, direction, arithmetic)
        if verdict.ended:
            break
    if verdict.unknown_failure and _kind(verdict) == _kind(failed):
        return None
    return f"it {verdict.status}" + (f" ({verdict.reason})" if verdict.reason else "")


def _kind(verdict: Verdict) -> tuple[bool, str]:
    """Return in which way a case failed, whatever the values."""
    said = verdict.details or _AFTER_THE_KIND.split(verdict.reason or "")[0]
    return verdict.ended, _NUMBERS.sub("", said.partition(":")[0])


def _scripts(runner: Runner, calls: Sequence[Call], arithmetic: Arithmetic, broken: str | None) -> Iterator[Script]:
    """Yield scripts that show a failure, the best first."""
    if len(calls) == 1 and broken is None:
        words = runner.own_words(*calls[0])
        if words is not None:
            yield in_own_words(words, calls[0], arithmetic)
    yield script(runner.made, calls, arithmetic, broken)


def _large(made: str | None, calls: Sequence[Call], arithmetic: Arithmetic, broken: str | None) -> str:
    return f"{script(made, calls, arithmetic, broken).text}\n# not run before it was shown: it is large"


def _elements(calls: Sequence[Call]) -> int:
    return sum(array.size for case, _ in calls for array in case.arrays.values() if array is not None)
