"""Whether the same call always does the same."""

import time
from itertools import pairwise
from typing import NamedTuple

from oracle.diagnosis.symptoms import COUNTS, WAVERS
from oracle.judging.judge import Verdict, judge
from oracle.running.runner import Runner
from properties import Case
from refconv import Arithmetic

REPEATS = 16
"""How often a call is repeated."""
REPEATING = 1.0
"""Seconds after which it isn't any more."""


_OFTEN = 3  # failures, as many calls apart from each other, are no chance


class Wavering(NamedTuple):
    """How a call fails that now fails, now passes."""

    verdict: Verdict
    note: str  # for its reason


def wavering(runner: Runner, case: Case, direction: str, arithmetic: Arithmetic) -> Wavering | None:
    """Return how a call fails that fails, passes, and fails again, or the other way round; None if it doesn't.

    What is kept from the first call, rightly or not, makes a difference once. A call that ends its process isn't
    repeated. What fails each time after so many calls counts them, or a place in a cache comes round.
    """
    until = time.perf_counter() + REPEATING
    failure, fails = None, list[bool]()
    for _ in range(REPEATS):
        judged = judge(runner, case, direction, arithmetic)
        if judged.ended:
            return None
        if time.perf_counter() > until:
            break
        failure = judged if judged.unknown_failure else failure
        fails.append(judged.unknown_failure)
    if failure is None or sum(one != other for one, other in pairwise(fails)) < 2:
        return None
    places = [place for place, failed in enumerate(fails) if failed]
    apart = {other - one for one, other in pairwise(places)}
    counts = len(places) >= _OFTEN and len(apart) == 1
    return Wavering(failure, COUNTS.format(apart.pop()) if counts else WAVERS)
