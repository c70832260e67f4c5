"""Known deviations: where a released library is wrong, declared as a predicate on the case."""

from collections.abc import Callable
from dataclasses import dataclass

from properties import Case


@dataclass(frozen=True)
class Deviation:
    """A known fault of an implementation; its failures on the cases that match are counted apart, not hidden.

    An implementation declares its deviations in an attribute ``deviations``.
    """

    operator: str
    direction: str  # "forward" or "backward"
    matches: Callable[[Case], bool]
    reason: str
    versions: str  # in which it was seen
    smallest: str  # the smallest case, as a call
    script: str  # Python that shows it, without us
    thread: str | None = None  # where it is reported
    crashes: bool = False  # so that it is only run in a process of its own


def deviation_of(implementation: object, case: Case, direction: str) -> Deviation | None:
    """Return the first deviation of `implementation` that matches `case` in `direction`."""
    declared: tuple[Deviation, ...] = getattr(implementation, "deviations", ())
    for deviation in declared:
        if (deviation.operator, deviation.direction) == (case.operator, direction) and _matches(deviation, case):
            return deviation
    return None


def _matches(deviation: Deviation, case: Case) -> bool:
    try:
        return deviation.matches(case)
    except Exception:
        if case.refusal(deviation.direction) is None:
            raise
        return False  # of a call that makes no sense, not even the sizes are certain
