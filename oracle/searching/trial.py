"""Cases judged in each direction of an operator, beside their siblings, and counted."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import hypothesis

from oracle.contract import Deviation
from oracle.judging.judge import Verdict, judge, read_arithmetic
from oracle.reporting.report import SPECIALS, Report, Tally
from oracle.running.runner import Runner
from oracle.searching.drawing import Struck
from oracle.searching.findings import Findings, is_special
from oracle.searching.siblings import Sibling, Siblings
from properties import Case, refilled
from properties.domain import fits
from refconv import Arithmetic
from refconv import operators as table

LAW = "equals the definition"
_REFILLS = 4
"""How often a case on integers whose result is all zero gets other integers."""


class Failed(Struck):
    """A case that failed in one direction; if it wasn't drawn itself, what is different in it."""

    def __init__(self, case: Case, verdict: Verdict, sibling: Sibling | None = None) -> None:
        super().__init__(case, verdict)
        self.verdict: Verdict = verdict
        self.sibling = sibling
        self.special = is_special(case) or (sibling is not None and sibling.kind == "special")


class Counted(NamedTuple):
    """How many verdicts there are."""

    judged: int
    declined: int
    explained: int  # without one, by a failure that is known


class Trial:
    """The judging of cases of one operator."""

    def __init__(
        self, runner: Runner, operator: str, arithmetic: Arithmetic, report: Report, directions: Iterable[str]
    ) -> None:
        self.runner = runner
        self.operator = operator
        self.arithmetic = arithmetic
        self.known: dict[Deviation, list[bool]] = {}
        self.slowest = 0.0  # seconds that a call took, since that was last set
        bits = arithmetic.bits, read_arithmetic(None, report.dtype).bits
        self.specials = Tally(operator, SPECIALS, *bits)
        self.ways = {
            way: Findings(way, Tally(operator, way, *bits), Siblings(table[operator], way)) for way in directions
        }
        self._report = report
        self.only: Mapping[str, frozenset[Any]] = {}  # the domain, which siblings don't leave

    @property
    def open(self) -> list[Findings]:
        """The directions in which cases are still judged."""
        return [way for way in self.ways.values() if way.open]

    @property
    def tallies(self) -> list[Tally]:
        """What was counted."""
        return [*(way.tally for way in self.ways.values()), self.specials]

    @property
    def counted(self) -> Counted:
        """How many verdicts there are."""
        tallies = self.tallies
        return Counted(
            judged=sum(tally.cases - tally.declined for tally in tallies),
            declined=sum(tally.declined for tally in tallies),
            explained=sum(tally.explained for tally in tallies),
        )

    def of(self, case: Case, *, steer: bool = False, specials: bool = True) -> Failed | None:
        """Judge a case, and its siblings, in every direction in which that isn't known to fail."""
        special = is_special(case)
        if special and not specials:
            return None
        failures: list[Failed] = []
        for way in self.open:
            if way.explains(case, special=special):
                self._tally(way, special=special).explained += 1
                continue
            tried, judged, refills = self.judged(case, way)
            self.slowest = max(self.slowest, self.runner.took)
            self._tally(way, special=special).add(judged, refilled=refills > 0)
            failures += self._failed(tried, judged)
            for sibling, other in way.siblings.of(tried, specials=specials):
                failures += self._of_sibling(sibling, other, way) if fits(other, self.only) else []
            if steer and not judged.exact:
                hypothesis.target(min(judged.worst, 1e9), label=way.direction)
        return failures[0] if failures else None

    def _of_sibling(self, sibling: Sibling, case: Case, way: Findings) -> list[Failed]:
        """Judge a sibling of a case; those with special values are counted."""
        special = sibling.kind == "special" or is_special(case)
        if way.explains(case, special=special):
            self._tally(way, special=special).explained += special
            return []
        judged = judge(self.runner, case, way.direction, self.arithmetic)
        if sibling.kind == "special":
            self._tally(way, special=True).add(judged)
        return self._failed(case, judged, sibling)

    def _tally(self, way: Findings, *, special: bool) -> Tally:
        """Return where a case is counted; the row of those with special values is there from the first on."""
        tally = self.specials if special else way.tally
        if special and tally not in self._report.tallies:
            self._report.tallies.append(tally)
        return tally

    def judged(self, case: Case, way: Findings) -> tuple[Case, Verdict, int]:
        """Judge a case; one on integers whose results are all zero gets others, a few times."""
        for number in range(_REFILLS + 1):
            judged = judge(self.runner, case, way.direction, self.arithmetic, way.tally.worst)
            if number == _REFILLS or not (judged.passed and judged.exact and judged.vacuous):
                break
            case = refilled(case, number)
        return case, judged, number

    def _failed(self, case: Case, judged: Verdict, sibling: Sibling | None = None) -> list[Failed]:
        """Return what failed, if it did; what is known to is counted apart."""
        if judged.deviation is not None and judged.status != "declined":
            self.known.setdefault(judged.deviation, []).append(judged.status == "failed")
        return [Failed(case, judged, sibling)] if judged.unknown_failure else []

    def answered(self, case: Case, way: Findings) -> Failed | None:
        """Make a call that makes no sense, if it makes none in that direction; return it if it was answered."""
        judged = self.refusal(case, way) if way.refuses(case) else None
        return None if judged is None or not judged.unknown_failure else Failed(case, judged)

    def refusal(self, case: Case, way: Findings) -> Verdict:
        """Make a call that makes no sense, and judge whether it was refused."""
        return judge(self.runner, case, way.direction, self.arithmetic)
