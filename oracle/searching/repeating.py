"""Whether the same call always does the same."""

import time

from oracle.judging.judge import Verdict, judge
from oracle.running.runner import Runner
from properties import Case
from refconv import Arithmetic

REPEATS = 16
"""How often a call is repeated."""
REPEATING = 1.0
"""Seconds after which it isn't any more."""


def wavering(runner: Runner, case: Case, direction: str, arithmetic: Arithmetic) -> Verdict | None:
    """Return a failure of a call that fails, passes, and fails again, or the other way round; None if it doesn't.

    What is kept from the first call, rightly or not, makes a difference once. A call that ends its process isn't
    repeated.
    """
    until = time.perf_counter() + REPEATING
    failure, before, changes = None, None, 0
    for _ in range(REPEATS):
        judged = judge(runner, case, direction, arithmetic)
        if judged.ended or time.perf_counter() > until:
            return None
        failure = judged if judged.unknown_failure else failure
        changes += before is not None and before != judged.unknown_failure
        before = judged.unknown_failure
        if changes > 1:
            return failure
    return None
