"""What is known of one direction of an operator: what was counted, what has failed, and which cases that explains."""

from dataclasses import dataclass, field

from oracle.diagnosis.conditions import ALWAYS, Condition
from oracle.reporting.report import Failure, Tally
from oracle.searching.siblings import Siblings
from properties import Case
from properties.case import all_finite
from properties.filling import holds_special


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

    def settle(self, failure: Failure, condition: Condition | None, most: int) -> bool:
        """Take note of a failure that was looked into; return whether there was none like it.

        After as many as `most`, the direction is closed.
        """
        new = not any(_alike(failure, known) for known in self._failures)
        self._failures.append(failure)
        if condition is not None and condition.holds is not ALWAYS.holds and condition.holds(failure.case):
            self._explained.append((condition, failure.special))
        elif failure.special:
            self._special_open = False
        else:
            self.open = False
        self.open &= len(self._failures) < most
        return new


def is_special(case: Case) -> bool:
    """Whether a case holds NaN or an infinity: by content, subnormals and -0.0 are no exception."""
    return not all_finite(case.arrays.values())


def keeps_special(case: Case) -> bool:
    """Whether a case that was given a special value, among small integers, holds one."""
    return any(array is not None and array.dtype.kind != "i" and holds_special(array) for array in case.arrays.values())


def _alike(one: Failure, other: Failure) -> bool:
    """Whether two failures are one: by the name of the mistake, or when it fails and what comes out there."""
    if one.law != other.law:
        return False
    if one.diagnosis is not None or other.diagnosis is not None:
        return one.diagnosis == other.diagnosis
    return one.special == other.special and (one.condition, one.symptom) == (other.condition, other.symptom)
