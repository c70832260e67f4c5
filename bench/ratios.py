"""How many times as fast as the yardstick something is, and whether what was measured carries that.

A ratio is the median over all rounds. It lies between the ends of two intervals, whichever reach further: that of the
median of the rounds by their order, whatever they are distributed as (David, Nagaraja, Order Statistics, 3rd ed.,
section 7.1), which is wide where a machine is disturbed; and that over the processes (:mod:`bench.intervals`), which is
wide where they differ. Where the ends lie further from the ratio than by a factor of `CARRIED`, it isn't told: it could
as well be half of that, or twice.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binom

from bench.intervals import Interval, interval

CONFIDENCE = 0.95
"""Of the intervals."""
CARRIED = 1.5
"""How far the ends of its interval may lie from a ratio that is told, as a factor."""
NOT_MEASURABLE = "not measurable here"


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as the yardstick something is."""

    interval: Interval
    spread: float  # half of the range in which the middle half of the rounds lies, over the median
    rounds: int

    @property
    def carried(self) -> bool:
        """Whether its own interval carries it."""
        low, estimate, high = self.interval
        return high <= CARRIED * estimate and estimate <= CARRIED * low

    def __str__(self) -> str:
        if self.carried:
            return f"{self.interval.estimate:.2f}"
        return f"{NOT_MEASURABLE} ({'one round' if self.rounds == 1 else f'spread {self.spread:.0%}'})"


def ratio(logarithms: Sequence[Sequence[float]]) -> Ratio | None:
    """Return the ratio of speeds, given the logarithms of that of times, by process and round; None of nothing."""
    rounds = sorted(-entry for process in logarithms for entry in process)
    if not rounds:
        return None
    estimate = math.exp(statistics.median(rounds))
    ends = [_by_order(rounds)]
    if len(logarithms) > 1:
        low, _, high = interval(logarithms, CONFIDENCE)
        ends.append((1 / high, 1 / low))
    found = Interval(min(low for low, _ in ends), estimate, max(high for _, high in ends))
    return Ratio(found, spread([math.exp(entry) for entry in rounds]), len(rounds))


def _by_order(rounds: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the interval of the median of values in their order: of a single one, nothing is known."""
    if len(rounds) == 1:
        return 0.0, math.inf
    place = max(int(binom.ppf((1 - CONFIDENCE) / 2, len(rounds), 0.5)), 1)
    return math.exp(rounds[place - 1]), math.exp(rounds[-place])


def spread(values: Sequence[float]) -> float:
    """Return half of the range in which the middle half of some values lies, over their median."""
    if len(values) < 2:
        return 0.0
    lower, middle, upper = statistics.quantiles(values, n=4)
    return (upper - lower) / 2 / middle
