"""What a check found."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oracle.contract import Call, Deviation
from oracle.judging.judge import Verdict
from oracle.reporting.plain import plain
from properties import Case
from properties.plan import Coverage

if TYPE_CHECKING:
    from oracle.reporting.arrays import Shown

SPECIALS = "special values"
"""What the row of the cases with NaN, infinities and the like is called, in place of a direction."""
FEW = 0.1
"""Where less than this share of an operator's cases was judged, the rest declined, the check doesn't pass."""


@dataclass
class Tally:
    """What became of an operator's cases in one direction, or of those with special values in both.

    What a failure explains isn't judged any more, up to the end or till the direction is closed: cases are those that
    were judged.
    """

    operator: str
    direction: str  # "forward", "backward" or `SPECIALS`
    promised: int = 24  # significand bits of the numbers that the arithmetic multiplies
    dtype_bits: int = 24  # significand bits of the arrays' dtype
    cases: int = 0
    passed: int = 0
    declined: int = 0
    exact: int = 0
    vacuous: int = 0
    empty: int = 0
    refilled: int = 0  # cases on integers that were vacuous, and got other integers
    refused: int = 0  # calls that make no sense, as they should be
    worst: float = 0.0  # error, in units of the statistical bound
    explained: int = 0  # cases that weren't judged, as a failure that is known says that they fail
    laws: int = 0  # that were checked in place of the definition; each of them makes a case of each call
    takes: dict[str, int] = field(default_factory=dict)  # conventions in the definition's place, with their cases

    def add(self, verdict: Verdict, *, refilled: bool = False) -> None:
        """Count one verdict, of a case that may have been `refilled`."""
        self.refilled += refilled
        self.cases += 1
        self.passed += verdict.passed
        self.declined += verdict.status == "declined"
        self.exact += verdict.exact
        self.vacuous += verdict.vacuous
        self.empty += verdict.empty
        if verdict.passed and self.direction != SPECIALS:  # at the ends of the range errors are of any size
            self.worst = max(self.worst, verdict.worst)
        self.take(verdict)

    def take(self, verdict: Verdict) -> None:
        """Count the conventions by which a verdict is right."""
        for name in verdict.takes:
            self.takes = {**self.takes, name: self.takes.get(name, 0) + 1}

    @property
    def failed(self) -> int:
        """How many cases were judged to be wrong."""
        return self.cases - self.passed - self.declined

    @property
    def bits(self) -> int | None:
        """The significand bits in which the implementation worked, by its worst error; None where all was exact.

        A correct one's worst error is about twice the statistical bound.
        """
        if not self.worst:
            return None
        return min(self.dtype_bits, round(self.promised + 1 - math.log2(self.worst)))

    @property
    def imprecision(self) -> str | None:
        """What is said of results that are less accurate than their dtype promises."""
        if self.bits is None or self.bits > self.dtype_bits - 4:
            return None
        return f"{self.bits} bits of {self.dtype_bits}: {'TF32 or float16' if self.bits > 9 else 'bfloat16'}?"

    @property
    def mostly_declined(self) -> bool:
        """Whether too few cases were judged for a verdict."""
        return self.cases - self.declined < FEW * self.cases

    @property
    def declined_words(self) -> str:
        """What is said of an operator that is mostly declined."""
        left = "too few are left for a verdict (--only says what it is for)"
        return f"declined {self.declined} of {self.cases} cases: {left}"


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong, with its smallest case."""

    operator: str
    direction: str
    law: str  # what doesn't hold: that of the definition, or the name of one of `properties.LAWS`
    case: Case
    reason: str
    diagnosis: str | None  # the bug's name
    write: Callable[[], str] = field(repr=False)  # what `script` is: that of a large case takes a while to write
    calls: tuple[Call, ...]  # that show it, each a case and its direction: mostly one, more where one spoils another
    cause: str | None = None  # how such a bug usually comes about
    thread: str | None = None  # where a released library has had it
    shown: "tuple[Shown, ...]" = field(default=(), compare=False)  # the arrays, to be checked by hand
    statement: str = ""  # of one of `properties.LAWS`: what it says, and why it holds
    threshold: str | None = None  # from which size on it fails, where one with less passes
    condition: str | None = None  # when it fails
    symptom: str | None = None  # what comes out there
    details: str | None = None  # what was raised, as a whole
    conforms_with: str | None = None  # another arithmetic, by which all that was seen to fail is right
    special: bool = False  # whether it takes a special value
    reproduces: bool | None = None  # whether `script` does, by a run of it; None where that wasn't tried

    @property
    def row(self) -> str:
        """Which of the operator's rows has it: that of its direction, or of special values."""
        return SPECIALS if self.special else self.direction

    @cached_property
    def script(self) -> str:
        """Python that shows it."""
        return self.write()

    def __str__(self) -> str:
        """Show the reason and the call."""
        return f"{plain(self.reason)}  {self.case!r}"


@dataclass
class Report:
    """The outcome of :func:`oracle.check`."""

    subject: str
    version: str | None
    dtype: str
    arithmetic: str
    examples: int | None  # None: the whole plan
    seed: int
    tallies: list[Tally] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # functions that the implementation lacks
    deviations: list[tuple[Deviation, int, int]] = field(default_factory=list)  # the cases that matched, and failed
    seconds: float = 0.0
    laws: bool = False  # checked in place of the definition
    only: Mapping[str, frozenset[Any]] = field(default_factory=dict)  # the domain that was asked for
    coverage: list[Coverage] = field(default_factory=list)  # of the operators' calls
    complete: bool = False  # it isn't while the check runs, or if that was interrupted

    @property
    def passed(self) -> bool:
        """Whether all was judged, nothing failed, and no operator was declined as good as wholly."""
        return self.complete and bool(self.tallies) and not self.failures and not self.undecided

    @property
    def undecided(self) -> list[Tally]:
        """The tallies with too few judged cases for a verdict, and no failure that decides it."""
        failed = {(failure.operator, failure.direction) for failure in self.failures}
        return [
            tally
            for tally in self.tallies
            if tally.mostly_declined and tally.direction != SPECIALS and (tally.operator, tally.direction) not in failed
        ]

    @property
    def declined(self) -> dict[str, int]:
        """How many cases the implementation refused with `Unsupported`, by operator."""
        counts = {tally.operator: 0 for tally in self.tallies}
        for tally in self.tallies:
            counts[tally.operator] += tally.declined
        return {operator: count for operator, count in counts.items() if count}

    def __str__(self) -> str:
        """Return what the terminal shows."""
        from oracle.reporting.terminal import as_text  # writers know the report, which knows none of them

        return as_text(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON, its fields by their names; with `path`, write it there, too."""
        from oracle.reporting.fields import as_json

        return _written(as_json(self), path)

    def to_junit(self, path: str | Path | None = None) -> str:
        """Return the report as JUnit XML, a test for each operator and direction; with `path`, write it there, too."""
        from oracle.reporting.junit import as_junit

        return _written(as_junit(self), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one HTML page; with `path`, write it there, too."""
        from oracle.reporting.page import as_html

        return _written(as_html(self), path)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        from oracle.reporting.files import write

        write(path, text + "\n")
    return text
