"""The search for cases that break a law of one operator: generate, compare, and shrink."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, islice

from oracle.contract import DIRECTIONS, Call, function_name
from oracle.judging.judge import judge, read_arithmetic
from oracle.judging.laws import LawVerdict, judge_law
from oracle.reporting.report import Failure, Report, Tally
from oracle.running.runner import Caller, Runner, offers_all
from oracle.searching.drawing import Struck, smallest_struck
from oracle.searching.extent import Extent
from oracle.searching.findings import is_special
from oracle.searching.reduction import Reduction
from oracle.searching.reproducing import written
from oracle.searching.shrinking import simplified
from oracle.searching.studying import SIMPLIFYING
from properties import LAWS, Case, Law
from properties.domain import DomainError, narrowed_cases
from properties.plan import Plan, Planned
from refconv import Arithmetic

FAULTY = "gives results to compare"
"""What doesn't hold where a call that a law makes raises, or returns no array of its shape and dtype."""
_FAILED = ("broken", "faulty")
LAWFUL = 100
"""Cases on which a law is checked, where their number isn't said."""


class _BrokenLaw(Struck):
    """A case that breaks a law, or has no results to see whether it does."""

    def __init__(self, law: Law, case: Case, verdict: LawVerdict) -> None:
        super().__init__(case, verdict)
        self.law = law
        self.verdict: LawVerdict = verdict


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
        extent = extent._replace(examples=extent.examples or LAWFUL)
        plan = Plan(self.operator, self.report.dtype, seed, largest=extent.largest, only=extent.only)
        of_layers, of_design, free = extent.shares(plan.coverage.of_layers)
        parts = chain(islice(plan.of_layers(), of_layers), islice(plan.of_design(), of_design))
        if not self._planned(laws, tally, plan, parts, extent):
            self._free(laws, tally, plan, free, extent, seed)

    def _planned(self, laws: list[Law], tally: Tally, plan: Plan, planned: Iterable[Planned], extent: Extent) -> bool:
        """Check laws on cases of the plan; make the first that breaks one smaller, and return whether any did."""
        direction = laws[0].direction
        for each in planned:
            if time.perf_counter() > extent.until:
                break
            case, terms = each.recipe.made(self.report.dtype)
            if is_special(case):  # laws are of numbers
                plan.unwanted(each)
                continue
            declined = tally.declined
            broken = self._generated(laws, case, tally)
            self.step()
            if tally.declined == declined or self._accepts(direction, case):  # a law's other calls may be declined
                plan.ran(each, case, terms)
            else:
                plan.declined(each, partial(self._accepts, direction))
            if broken is not None:
                reduction = self._reduction(broken, case)
                smallest = (
                    reduction.descended(each.recipe, self.report.dtype, extent.only)[0] if self.shrink else broken
                )
                self.report.failures.append(self._confirmed(smallest, broken))
                return True
        return False

    def _accepts(self, direction: str, case: Case) -> bool:
        return self.runner.start(case, direction)().status != "declined"

    def _free(self, laws: list[Law], tally: Tally, plan: Plan, examples: int, extent: Extent, seed: int) -> None:
        """Check laws on cases that are drawn at random."""
        reductions: list[Reduction[_BrokenLaw]] = []

        def attempt(case: Case) -> _BrokenLaw | None:
            if reductions:
                broken = reductions[0].of(case)
            elif time.perf_counter() > extent.until:
                return None
            else:
                broken = self._generated(laws, case, tally)
                reductions.extend([] if broken is None else [self._reduction(broken, case)])
            self.step()
            return broken

        strategy = narrowed_cases(self.operator, self.report.dtype, extent.only, plan.declines)
        label = f"{self.report.subject} {self.operator} {self.report.dtype} {' '.join(law.name for law in laws)} "
        smallest = smallest_struck(strategy, attempt, examples, seed, label, shrink=self.shrink)
        if smallest is not None:
            self.report.failures.append(self._confirmed(smallest, reductions[0].first))

    def _reduction(self, broken: _BrokenLaw, drawn: Case) -> Reduction[_BrokenLaw]:
        return Reduction(broken, drawn, partial(self._broken, broken.law))

    def _judged(self, law: Law, case: Case) -> LawVerdict:
        return judge_law(law, self.runner, case, self.arithmetic)

    def _broken(self, law: Law, case: Case) -> _BrokenLaw | None:
        judged = self._judged(law, case)
        return _BrokenLaw(law, case, judged) if judged.status in _FAILED else None

    def _generated(self, laws: list[Law], case: Case, tally: Tally) -> _BrokenLaw | None:
        for law in laws:
            judged = self._judged(law, case)
            if judged.status != "silent":
                tally.cases += 1
                tally.passed += judged.status == "held"
                tally.declined += judged.status == "declined"
                tally.exact += judged.exact
            if judged.status in _FAILED:
                return _BrokenLaw(law, case, judged)
        return None

    def _confirmed(self, broken: _BrokenLaw, first: _BrokenLaw) -> Failure:
        """Make what the case holds simpler, and run it once more by itself; if it holds now, report the first."""
        law, case = broken.law, broken.case
        if self.shrink:
            fails = partial(self._breaks, law)
            case = simplified(case, fails, time.perf_counter() + SIMPLIFYING)
        self.runner.renew()
        judged = self._judged(law, case)
        note = ""
        if judged.status not in _FAILED:
            case, judged = first.case, first.verdict
            note = " (not reproducible: the same case held when it was run again)"
        return self._failure(law, case, judged, f"{judged.reason}{note}")

    def _breaks(self, law: Law, case: Case) -> bool:
        return self._broken(law, case) is not None

    def _failure(self, law: Law, case: Case, judged: LawVerdict, reason: str) -> Failure:
        """Report a law that is broken; or, of a call that has no results to compare, that call."""
        faulty = judged.status == "faulty"
        calls = judged.calls[-1:] if faulty else judged.calls
        shows = partial(_of_a_call, calls, self.arithmetic) if faulty else partial(self._shows, law, case)
        tried = written(self.runner, calls, self.arithmetic, shows, None if faulty else reason)
        return Failure(
            operator=self.operator,
            direction=law.direction,
            law=FAULTY if faulty else law.name,
            case=calls[0][0] if faulty else case,
            reason=reason,
            diagnosis=None,
            write=tried.write,
            calls=calls,
            statement="" if faulty else law.text,
            details=judged.details,
            reproduces=tried.reproduces,
        )

    def _shows(self, law: Law, case: Case, caller: Caller) -> str | None:
        """Check the law on the calls of a script; return what it does instead of breaking it."""
        judged = judge_law(law, caller, case, self.arithmetic)
        return None if judged.status == "broken" else f"the law {judged.status}"


def _of_a_call(calls: Sequence[Call], arithmetic: Arithmetic, caller: Caller) -> str | None:
    """Make a call that has no results to compare; return what it does instead."""
    ((case, direction),) = calls
    again = judge(caller, case, direction, arithmetic)
    return None if again.unknown_failure else f"it {again.status}"
