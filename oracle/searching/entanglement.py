"""Failures that need earlier calls: which of them, and how few."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from oracle.contract import Call
from oracle.judging.judge import Verdict, judge
from oracle.running.runner import Runner
from refconv import Arithmetic

AFTERSHOCKS = 8
"""How often the last call is repeated, where a process has ended: what spoils it may take a few calls to show."""

TRIES = 60
"""How often calls are run again to find fewer that fail."""


class Entanglement(NamedTuple):
    """Calls of which the last fails, as it doesn't by itself."""

    calls: list[Call]
    verdict: Verdict

    @property
    def reason(self) -> str:
        """What the report says."""
        first, last = self.calls[0][0], self.calls[-1][0]
        later = f"{len(self.calls) - 1} call{'s' * (len(self.calls) > 2)}"
        if self.verdict.ended and len(self.calls) == 1:
            return f"corrupts its process, which {self.verdict.reason}"
        if self.verdict.ended:
            return f"corrupts its process, which {later} later {self.verdict.reason}, in {last!r}, right by itself"
        return f"{self.verdict.reason}; right by itself, wrong after {later}, the first {first!r}"


def disentangled(runner: Runner, calls: Sequence[Call], arithmetic: Arithmetic, *, ended: bool) -> Entanglement | None:
    """Find few of `calls` that still fail where they run in a new process; None if even all of them don't.

    The last of `calls` has failed, with its process if that has `ended`, and passes by itself. A call that spoils its
    process is the latest from which on the rest fails: it is found by bisection. It may be the last one: whether that
    ends its process at once depends on what others left in memory. Then what lies between is left out, as far as that
    can be.
    """

    def failing(tried: Sequence[Call]) -> Entanglement | None:
        runner.renew()
        repeated = [*tried, *[tried[-1]] * AFTERSHOCKS] if ended else tried
        for position, (case, direction) in enumerate(repeated):
            verdict = judge(runner, case, direction, arithmetic)
            if verdict.unknown_failure and (verdict.ended or position == len(tried) - 1):  # others fail by themselves
                return Entanglement(list(repeated[: position + 1]), verdict)
        return None

    found = failing(calls)
    if found is None:
        return None
    calls = found.calls
    low, high = 0, len(calls) - (not ended)  # the calls from `low` on fail, those from `high` on don't
    while high - low > 1:
        middle = (low + high) // 2
        later = failing(calls[middle:])
        if later is None:
            high = middle
        else:
            low, found, calls = middle, later, calls[: middle + len(later.calls)]
            high = min(high, len(calls) - (not ended))
    return _without_the_rest(found, failing)


def _without_the_rest(found: Entanglement, failing: Callable[[Sequence[Call]], Entanglement | None]) -> Entanglement:
    """Leave out what lies between the first and the last call, in ever smaller pieces."""
    piece = len(found.calls) - 2
    tries = 0
    while piece > 0:
        position = 1
        while position < len(found.calls) - 1 and tries < TRIES:
            after = min(position + piece, len(found.calls) - 1)
            fewer = failing(found.calls[:position] + found.calls[after:])
            tries += 1
            if fewer is None or len(fewer.calls) < 2:
                position += piece
            else:
                found = fewer
        piece //= 2
    return found
