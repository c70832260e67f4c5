"""What is known of one direction of an operator: what was counted, what has failed, and which cases that explains."""

from dataclasses import dataclass, field
from typing import Any

from oracle.diagnosis.conditions import ALWAYS, Condition
from oracle.reporting.report import Failure, Tally
from oracle.searching.siblings import Siblings
from properties import Case
from properties.case import all_finite
from properties.filling import holds_special
from properties.models import MODELS, Feature


@dataclass
class Findings:
    """What is known of one direction.

    A failure whose condition isn't known explains all cases, and the direction is closed; if it takes special values,
    it explains those that have any.
    """

    direction: str
    tally: Tally
    siblings: Siblings
    open: bool = True
    _special_open: bool = True
    _explained: list[tuple[Condition, bool]] = field(default_factory=list)  # and whether of special values alone
    _failures: list[Failure] = field(default_factory=list)

    def refuses(self, case: Case) -> bool:
        """Whether a call that makes no sense makes none in this direction."""
        return self.direction == "backward" or case.refusal("forward") is not None

    def explains(self, case: Case, *, special: bool) -> bool:
        """Whether a failure that is known says that a case fails."""
        if special and not self._special_open:
            return True
        return any(condition.holds(case) for condition, alone in self._explained if special or not alone)

    def settle(self, failure: Failure, condition: Condition | None, most: int) -> Failure | None:
        """Take note of a failure that was looked into; return the one that it is again, if there is such a one.

        After as many as `most`, the direction is closed.
        """
        alike = (known for known in self._failures if _alike(failure, known) or _wider(failure, known, condition))
        known = next(alike, None)
        self._failures.append(failure)
        if condition is not None and not explains_all(condition) and condition.holds(failure.case):
            self._explained.append((condition, failure.special))
        elif failure.special:
            self._special_open = False
        else:
            self.open = False
        self.open &= len(self._failures) < most
        return known


def is_special(case: Case) -> bool:
    """Whether a case holds NaN or an infinity: by content, subnormals and -0.0 are no exception."""
    return not all_finite(case.arrays.values())


def keeps_special(case: Case) -> bool:
    """Whether a case that was given a special value, among small integers, holds one."""
    return any(array is not None and array.dtype.kind != "i" and holds_special(array) for array in case.arrays.values())


def explains_all(condition: Condition | None) -> bool:
    """Whether a condition says that everything fails, or nothing is known of when it does."""
    return condition is None or condition.holds is ALWAYS.holds


def as_large(case: Case) -> Condition | None:
    """Return the condition of being more than the least where `case`, the smallest that fails, is; None where it isn't.

    It stands for one that couldn't be learned, as where several mistakes are in each other's way.
    """
    needed = _beyond_the_least(case)
    return Condition("", lambda other: needed <= _beyond_the_least(other)) if needed else None


def _beyond_the_least(case: Case) -> set[str]:
    """Return the features that are more than the least, or other than the commonest."""
    model = MODELS[case.operator]
    choices = model.read(case)
    return {
        feature.name
        for feature in model.counted
        if choices[feature.name] is not None and _is_more(choices[feature.name], feature.class_of(choices), feature)
    }


def _is_more(value: Any, known: str | None, feature: Feature) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value > 1
    if isinstance(value, tuple):
        return any(max(entry) > 0 if isinstance(entry, tuple) else entry > 1 for entry in value)
    return known != feature.classes[0].name


def _wider(failure: Failure, known: Failure, condition: Condition | None) -> bool:
    """Whether a failure is one that is known, whose condition was learned too narrow."""
    same = (failure.law, failure.diagnosis, failure.symptom) == (known.law, known.diagnosis, known.symptom)
    return same and covers(condition, known.case)


def covers(condition: Condition | None, case: Case) -> bool:
    """Whether a condition that was learned, and is always so, says that a case fails."""
    if condition is None or explains_all(condition):
        return False
    return condition.exact and condition.holds(case)


def _alike(one: Failure, other: Failure) -> bool:
    """Whether two failures are one: by the name of the mistake, or when it fails and what comes out there."""
    if one.law != other.law:
        return False
    if one.diagnosis is not None or other.diagnosis is not None:
        return one.diagnosis == other.diagnosis
    known = one.condition is not None or one.special
    same = (one.special, one.condition, one.symptom) == (other.special, other.condition, other.symptom)
    return known and same
