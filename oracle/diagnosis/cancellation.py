"""Whether a norm's variance was found in one pass, read off its errors: as noise, that no variant can give again."""

from collections.abc import Sequence

import numpy as np

from oracle.diagnosis.variants.normalized import count, moments, per_channel, seen
from oracle.judging.judge import Observation, Refused
from oracle.judging.values import Expected
from refconv.arguments import Array

NAME = "variance in one pass"
CAUSE = "It is E[x^2] - E[x]^2 in the storage's precision: where a mean is large beside the deviation, digits cancel."
_NORMS = ("batch_norm", "layer_norm", "instance_norm", "group_norm")
_ROUNDINGS = 8.0  # of squares and their mean, beside one for each root of how many there are
_LOST = 2.0**-10  # share of the variance, that must be lost for it to be that
_SAME = 1e-2  # relative, by which factors of one variance may differ


def one_pass(failed: Sequence[Observation]) -> tuple[str, str] | None:
    """Return the name and cause of such a variance, if it explains all that `failed` of one operator.

    E[x^2] and E[x]^2 are off by some units in the last place of their own, which are many of a small variance; so
    all values that share it are off by one factor, within what such a variance may be.
    """
    norm = failed[0].case.operator in _NORMS and failed[0].direction == "forward"
    return (NAME, CAUSE) if norm and all(map(_explains, failed)) else None


def _explains(observation: Observation) -> bool:
    case, expected, outcome = observation.case, observation.expected, observation.outcome
    if isinstance(expected, Refused) or outcome.status != "returned" or not case.attributes.get("training", True):
        return False
    name = next(iter(expected))
    item, got = expected[name], outcome.results[name]
    input, _, bias = case.inputs[:3]
    if item is None or got is None or got.shape != item.value.shape or input is None or not np.isfinite(input).all():
        return False
    x, axes = seen(case.operator, input, dict(case.attributes))
    added = 0.0 if bias is None else per_channel(case.operator, bias, input.ndim)
    right, found = ((array.astype(np.float64) - added).reshape(x.shape) for array in (item.value, got))
    return _by_one_factor(observation, item, x, axes, right, found)


def _by_one_factor(
    observation: Observation, item: Expected, x: Array, axes: tuple[int, ...], right: Array, found: Array
) -> bool:
    """Whether values that share a variance are off by a factor that its loss of digits allows."""
    mean, variance = moments(x, axes, x.dtype)
    eps = float(observation.case.attributes["eps"])  # type: ignore[arg-type]  # a number
    unit = max(observation.arithmetic.accumulation, observation.arithmetic.storage)
    lost = (_ROUNDINGS + np.sqrt(count(x, axes))) * unit * (mean**2 + variance)
    limit = np.nan_to_num(item.bound.limit).reshape(x.shape)
    with np.errstate(all="ignore"):
        wrong = ~(abs(found - right) <= limit)
        most = np.sqrt((variance + eps) / (variance + eps - lost))
        least = np.sqrt((variance + eps) / (variance + eps + lost))
        told = wrong & (abs(right) > 4 * limit) & (variance + eps > lost)  # elsewhere it may be anything
        factor = np.where(told, found / right, np.nan)
        within = (factor >= least * (1 - _SAME)) & (factor <= most * (1 + _SAME))
        apart = np.nanmax(factor, axes, initial=-np.inf) - np.nanmin(factor, axes, initial=np.inf)
        alike = apart <= _SAME * abs(np.nanmax(factor, axes, initial=-np.inf)) + 8 * limit.max() / abs(right).max()
    many = (lost > _LOST * (variance + eps)) | ~wrong
    return bool(wrong.any() and many.all() and (within | ~told).all() and (alike | ~told.any(axes)).all())
