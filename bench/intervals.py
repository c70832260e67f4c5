"""Confidence intervals of ratios, by bootstrap over processes.

What is drawn again is a process with all of its rounds: their median varies by what varies in it, and by what differs
between processes (Davison, Hinkley, Bootstrap Methods and their Application, 1997, section 3.8, strategy 1). The
bootstrap of a mean of n values is too narrow where n is small: by the factor (n - 1)/n of the variance, and as the
normal distribution is beside Student's with n - 1 degrees of freedom (Hesterberg, What Teachers Should Know About the
Bootstrap, The American Statistician 69(4), 2015, section 4.1). It is widened by both.
"""

from collections.abc import Sequence
from math import exp, log2, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from refconv.arguments import Array

_DRAWS = 2000
_SEED = 0  # the same data give the same interval


class Interval(NamedTuple):
    """A ratio, and where it lies with the confidence that was asked for."""

    low: float
    estimate: float
    high: float


def rounds_needed(confidence: float) -> int:
    """Return how many rounds an interval of that confidence needs at least.

    The widest that n values can give, from the least to the largest, holds the median with confidence 1 - 2**(1 - n)
    (David, Nagaraja, Order Statistics, 3rd ed., section 7.1).
    """
    needed = 1 - log2(1 - confidence)
    return int(needed) + (needed > int(needed))


def interval(logarithms: Sequence[Sequence[float]], confidence: float) -> Interval:
    """Return the interval of a ratio.

    Parameters
    ----------
    logarithms : sequence of sequences of float
        Of the ratio: one of each round, by process. There must be two processes at least.
    confidence : float
        The share of such intervals that hold the ratio.
    """
    estimate, deviations = _drawn(logarithms, confidence, _SEED)
    return _between(estimate, deviations, confidence)


def quotient(logarithms: Sequence[Sequence[float]], by: Sequence[Sequence[float]], confidence: float) -> Interval:
    """Return the interval of one ratio over another, which was measured at another time."""
    estimate, deviations = _drawn(logarithms, confidence, _SEED)
    other, others = _drawn(by, confidence, _SEED + 1)
    return _between(estimate - other, deviations - others, confidence)


def _drawn(logarithms: Sequence[Sequence[float]], confidence: float, seed: int) -> tuple[float, Array]:
    """Return the mean of the processes' medians, and how far the same of what is drawn from them lies from it."""
    medians = np.array([np.median(rounds) for rounds in logarithms])
    count = len(medians)
    drawn = medians[np.random.default_rng(seed).integers(count, size=(_DRAWS, count))].mean(axis=1)
    upper = (1 + confidence) / 2
    widened = sqrt(count / (count - 1)) * float(stdtrit(count - 1, upper)) / NormalDist().inv_cdf(upper)
    return float(medians.mean()), widened * (drawn - medians.mean())


def _between(estimate: float, deviations: Array, confidence: float) -> Interval:
    low, high = np.quantile(deviations, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(exp(estimate + low), exp(estimate), exp(estimate + high))
