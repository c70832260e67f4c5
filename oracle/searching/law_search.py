"""The search for cases that break a law of one operator: generate, compare, and shrink."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import hypothesis
import numpy as np
from hypothesis import Phase, given
from hypothesis.errors import Unsatisfiable

from oracle.contract import DIRECTIONS, function_name
from oracle.judging.judge import read_arithmetic
from oracle.judging.laws import LawVerdict, judge_law
from oracle.reporting.report import Failure, Report, Tally
from oracle.reporting.script import script
from oracle.running.runner import Runner, offers_all
from oracle.searching.descent import Descent
from oracle.searching.drawing import fingerprint, searching
from oracle.searching.extent import Extent
from oracle.searching.search import SHRINKING
from oracle.searching.shrinking import simplified
from oracle.searching.studying import SIMPLIFYING
from properties import LAWS, Case, Law
from properties.domain import DomainError, fits, narrowed_cases
from properties.models import Recipe
from properties.plan import Plan, Planned
from refconv import Arithmetic

FAULTY = "gives results to compare"
"""What doesn't hold where a call that a law makes raises, or returns no array of its shape and dtype."""
_FAILED = ("broken", "faulty")
LAWFUL = 100
"""Cases on which a law is checked, where their number isn't said."""


class _BrokenLaw(Exception):  # noqa: N818  # carries a case through Hypothesis; nobody else sees it
    def __init__(self, law: Law, case: Case, verdict: LawVerdict) -> None:
        super().__init__(verdict.reason)
        self.law = law
        self.case = case
        self.verdict = verdict


class LawSearch:
    """The search for cases that break laws of one operator; at most one law in each direction is reported."""

    def __init__(
        self,
        runner: Runner,
        operator: str,
        arithmetic: Arithmetic,
        report: Report,
        step: Callable[[], None],
        *,
        shrink: bool = True,
    ) -> None:
        self.runner = runner
        self.operator = operator
        self.arithmetic = arithmetic
        self.report = report
        self.step = step
        self.shrink = shrink
        self.first: _BrokenLaw | None = None
        self.failing: dict[bytes, _BrokenLaw] = {}  # to be told again as they were, whenever Hypothesis asks
        self.until = 0.0  # when to stop shrinking

    def run(self, extent: Extent, seed: int) -> None:
        """Check all laws of which the implementation has the functions, each on cases of the plan and on others."""
        for direction in DIRECTIONS:
            if not self.runner.offers(self.operator, direction):
                self.report.absent.append(function_name(self.operator, direction))
            own = [law for law in LAWS[self.operator] if law.direction == direction]
            laws = [law for law in own if offers_all(self.runner, law.needs)]
            if laws:
                self.of(laws, extent, seed)
        tallies = [tally for tally in self.report.tallies if tally.operator == self.operator]
        if extent.only and tallies and not any(tally.cases for tally in tallies) and time.perf_counter() < extent.until:
            raise DomainError(f"only leaves no case of {self.operator}")

    def of(self, laws: list[Law], extent: Extent, seed: int) -> None:
        """Check some laws of one direction."""
        direction = laws[0].direction
        bits = self.arithmetic.bits, read_arithmetic(None, self.report.dtype).bits
        tally = Tally(self.operator, direction, *bits, laws=len(laws))
        self.report.tallies.append(tally)
        self.first = None
        self.failing.clear()
        extent = extent._replace(examples=extent.examples or LAWFUL)
        plan = Plan(self.operator, self.report.dtype, seed, largest=extent.largest, only=extent.only)
        of_layers, of_design, free = extent.shares(plan.coverage.of_layers)
        self._planned(laws, tally, plan, islice(plan.of_layers(), of_layers), extent)
        self._planned(laws, tally, plan, islice(plan.of_design(), of_design), extent)
        if self.first is None:
            self._free(laws, tally, plan, free, extent, seed)

    def _planned(self, laws: list[Law], tally: Tally, plan: Plan, planned: Iterator[Planned], extent: Extent) -> None:
        """Check laws on cases of the plan, and make the first that breaks one smaller."""
        direction = laws[0].direction
        for each in planned:
            if self.first is not None or time.perf_counter() > extent.until:
                return
            case, terms = each.recipe.made(self.report.dtype)
            if not _is_finite(case):  # laws are of numbers
                plan.left_out(each)
                continue
            declined = tally.declined
            self._generated(laws, case, tally)
            self.step()
            if tally.declined == declined or self._accepts(direction, case):  # a law's other calls may be declined
                plan.ran(each, case, terms)
            else:
                plan.declined(each, partial(self._accepts, direction))
            if self.first is not None:
                broken = self._descended(each.recipe, extent) if self.shrink else self.first
                self.report.failures.append(self._confirmed(broken))

    def _accepts(self, direction: str, case: Case) -> bool:
        return self.runner.start(case, direction)().status != "declined"

    def _descended(self, recipe: Recipe, extent: Extent) -> _BrokenLaw:
        """Return the smallest case of the model that breaks the law that the first one broke."""
        assert self.first is not None
        law, smallest = self.first.law, [self.first]

        def breaks(case: Case) -> bool:
            broken = self._shrunk(law, case) if fits(case, extent.only) else None
            smallest.extend([] if broken is None else [broken])
            return broken is not None

        Descent(recipe, self.report.dtype, breaks, self.until).run()
        return smallest[-1]

    def _free(self, laws: list[Law], tally: Tally, plan: Plan, examples: int, extent: Extent, seed: int) -> None:
        """Check laws on cases that are drawn at random."""
        phases = [Phase.reuse, Phase.generate, *[Phase.shrink] * self.shrink]
        label = f"{self.report.subject} {self.operator} {self.report.dtype} {' '.join(law.name for law in laws)} "

        @searching(examples, phases, label)
        @hypothesis.seed(seed)  # under the settings, whose database it would take away
        @given(narrowed_cases(self.operator, self.report.dtype, extent.only, plan.declines))
        def search(case: Case) -> None:
            if self.first is None and time.perf_counter() > extent.until:
                return
            broken = self._generated(laws, case, tally) if self.first is None else self._shrunk(self.first.law, case)
            self.step()
            if broken is not None:
                raise broken  # all from this line, by which Hypothesis tells bugs apart

        try:
            search()
        except _BrokenLaw as broken:
            self.report.failures.append(self._confirmed(broken))
        except Unsatisfiable:  # hardly any case is within the domain, and not declined
            return

    def _judged(self, law: Law, case: Case) -> LawVerdict:
        return judge_law(law, self.runner, case, self.arithmetic)

    def _generated(self, laws: list[Law], case: Case, tally: Tally) -> _BrokenLaw | None:
        for law in laws:
            judged = self._judged(law, case)
            if judged.status != "silent":
                tally.cases += 1
                tally.passed += judged.status == "held"
                tally.declined += judged.status == "declined"
                tally.exact += judged.exact
            if judged.status in _FAILED:
                self.first = self.failing[fingerprint(case)] = _BrokenLaw(law, case, judged)
                self.until = time.perf_counter() + SHRINKING
                return self.first
        return None

    def _shrunk(self, law: Law, case: Case) -> _BrokenLaw | None:
        known = self.failing.get(fingerprint(case))
        if known is not None or time.perf_counter() > self.until:
            return known
        judged = self._judged(law, case)
        if judged.status not in _FAILED:
            return None
        broken = self.failing[fingerprint(case)] = _BrokenLaw(law, case, judged)
        return broken

    def _confirmed(self, broken: _BrokenLaw) -> Failure:
        """Make what the case holds simpler, and run it once more by itself."""
        law = broken.law

        def breaks(case: Case) -> bool:
            return self._judged(law, case).status in _FAILED

        case = broken.case
        if self.shrink:
            case = simplified(case, breaks, time.perf_counter() + SIMPLIFYING)
        self.runner.renew()
        judged = self._judged(law, case)
        note = ""
        if judged.status not in _FAILED:
            assert self.first is not None
            case, judged = self.first.case, self.first.verdict
            note = " (not reproducible: the same case held when it was run again)"
        return self._failure(law, case, judged, f"{judged.reason}{note}")

    def _failure(self, law: Law, case: Case, judged: LawVerdict, reason: str) -> Failure:
        """Report a law that is broken; or, of a call that has no results to compare, that call."""
        faulty = judged.status == "faulty"
        calls = judged.calls[-1:] if faulty else judged.calls
        return Failure(
            operator=self.operator,
            direction=law.direction,
            law=FAULTY if faulty else law.name,
            case=calls[0][0] if faulty else case,
            reason=reason,
            diagnosis=None,
            write=partial(script, self.runner.made, calls, self.arithmetic, None if faulty else reason),
            calls=calls,
            statement="" if faulty else law.text,
            details=judged.details,
        )


def _is_finite(case: Case) -> bool:
    return all(np.isfinite(array).all() for array in case.arrays.values() if array is not None)
