"""The search for failing cases of one operator: which are generated; what fails is pursued elsewhere."""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import islice

import numpy as np
import psutil
from hypothesis.strategies import SearchStrategy

from oracle.contract import DIRECTIONS, function_name
from oracle.reporting.files import REFUSES
from oracle.reporting.report import Report
from oracle.running.runner import Runner
from oracle.searching.drawing import smallest_struck
from oracle.searching.extent import Extent
from oracle.searching.findings import Findings
from oracle.searching.pursuit import Pursuit, size_of
from oracle.searching.trial import LAW, Failed, Trial
from properties import Case, contradiction, contradictory_cases, refilled
from properties.domain import DomainError, narrowed_cases
from properties.invalid import all_contradictions
from properties.models import Recipe
from properties.plan import Coverage, Plan, Planned
from refconv import Arithmetic

STEERED = 5
"""One case in so many is steered towards a large error: half of these are what Hypothesis makes of the others."""
SENSELESS = 12
"""One small case in so many is also made into a call that makes no sense."""
_BROKEN = 3
_SMALL = 1000  # elements, all arrays together
ANSWERED = 100
"""Such calls among which the smallest is sought that is answered."""
_ESTIMATED = 16  # cases after which it is estimated anew how many there will be
_COMPILING = 0.5  # seconds of a call that are worth a second look: is it faster with other contents?
_CONTENTS = 3  # beside the first, where it is
_QUICKER = 4  # times, that it is then
_COPIES = 32  # of the largest array, in float64, that judging a case takes at the same time, at most
_ALWAYS_THERE = 1 << 28  # bytes


class Search:
    """The search for failing cases of one operator: the distinct failures in each direction, up to a number."""

    def __init__(
        self,
        runner: Runner,
        operator: str,
        arithmetic: Arithmetic,
        report: Report,
        step: Callable[[], None],
        *,
        shrink: bool = True,
        directions: Sequence[str] = DIRECTIONS,
    ) -> None:
        self.runner = runner
        self.operator = operator
        self.report = report
        self.step = step
        self.shrink = shrink  # and diagnose what fails
        self.asked = directions
        offered = [way for way in DIRECTIONS if way in directions and runner.offers(operator, way)]
        self.trial = Trial(runner, operator, arithmetic, report, offered)
        self.extent = Extent()
        self.senseless: list[Case] = []  # calls that must be refused
        self.broken = 0  # cases of which every contradiction is tried
        self.compiles = False  # whether the implementation takes far longer for the first call of a shape

    def run(self, extent: Extent, seed: int) -> None:
        """Judge the cases of the plan, others at random, and calls that make no sense.

        After a failure the search goes on over what that doesn't explain, and in the other direction.
        """
        lacking = [direction for direction in self.asked if direction not in self.trial.ways]
        self.report.absent.extend(function_name(self.operator, direction) for direction in lacking)
        self.report.tallies.extend(way.tally for way in self.trial.ways.values())
        if not self.trial.open:
            return
        began = time.perf_counter()
        self.extent = extent
        self.trial.only = extent.only
        plan = Plan(self.operator, self.report.dtype, seed, largest=extent.largest, only=extent.only)
        self.report.coverage.append(plan.coverage)
        self.step()  # the first case may take long: what is compiled is compiled then
        of_layers, of_design, free = extent.shares(plan.coverage.of_layers)
        others = free + (plan.coverage.of_layers if of_layers is None else of_layers)
        try:
            for part, most in ((plan.of_layers(), of_layers), (plan.of_design(), of_design)):
                for number, planned in enumerate(islice(part, most)):
                    if not self.trial.open or self._late:
                        break
                    if number % _ESTIMATED == 0:
                        plan.coverage.expected = others + (plan.rows() if of_design is None else of_design)
                    self._planned(planned, plan, seed)
            self._free(plan.coverage, plan, free, seed)
            if extent.only and not any(tally.cases for tally in self.trial.tallies) and not self._late:
                raise DomainError(f"only leaves no case of {self.operator}")
            self._refusals(seed)
        finally:
            known = self.trial.known.items()
            self.report.deviations.extend((deviation, len(failed), sum(failed)) for deviation, failed in known)
            plan.counted().seconds = time.perf_counter() - began

    @property
    def _late(self) -> bool:
        return time.perf_counter() > self.extent.until

    def _planned(self, planned: Planned, plan: Plan, seed: int) -> None:
        """Judge a case of the plan, and tell it what became of that."""
        if not _fits_into_memory(planned.recipe):
            plan.left_out(planned)
            plan.coverage.left_out += 1
            return
        case, terms = planned.recipe.made(self.report.dtype)
        before = self.trial.counted
        pursuit = self._of_contents(case)
        self._stepped()
        now = self.trial.counted
        if now.judged > before.judged:
            plan.ran(planned, case, terms)
        elif now.declined > before.declined:
            plan.declined(planned, self._accepts)
        elif now.explained > before.explained:
            plan.explained(planned)
        else:  # it has special values that weren't asked for
            plan.unwanted(planned)
        if pursuit is not None:
            self._settled(pursuit, planned.recipe, seed)

    def _stepped(self) -> None:
        self.report.coverage[-1].tried += 1
        self.step()

    def _of_contents(self, case: Case) -> Pursuit | None:
        """Judge a case; where each shape is compiled for, with other contents, too, which then cost little."""
        self.trial.slowest = 0.0
        failed, drawn = self._generated(case), case
        first = self.trial.slowest
        for number in range(_CONTENTS if self.compiles else 1):
            if first < _COMPILING or failed is not None or self._late:
                break
            self.step()
            self.trial.slowest = 0.0
            drawn = refilled(case, number)
            failed = self._generated(drawn)
            self.compiles = _QUICKER * self.trial.slowest < first
        return None if failed is None else self._pursued(failed, drawn, LAW)

    def _accepts(self, case: Case) -> bool:
        """Whether the implementation takes a case in any direction, right or wrong."""
        return any(self.runner.start(case, way.direction)().status != "declined" for way in self.trial.open)

    def _settled(self, pursuit: Pursuit, recipe: Recipe, seed: int) -> None:
        """Make the failure in hand smaller, name it, and report it."""
        if pursuit.reduction is None or not self.shrink:
            pursuit.settle(None, seed)
        else:
            smallest, threshold = pursuit.smaller(recipe)
            pursuit.settle(smallest, seed, threshold)

    def _free(self, coverage: Coverage, plan: Plan, examples: int, seed: int) -> None:
        """Judge cases that are drawn at random, some of them steered towards large errors."""
        if not self.trial.open or self._late or not examples:
            return
        strategy = narrowed_cases(self.operator, self.report.dtype, self.extent.only, plan.declines)
        steered = examples // STEERED
        coverage.free = self._rounds(strategy, examples - steered, seed)
        if steered and self.trial.open and not self._late:
            coverage.free += self._rounds(strategy, steered, seed + 1, steer=True)

    def _refusals(self, seed: int) -> None:
        """Make calls that make no sense; where one is answered, look for the smallest."""
        for way in self.trial.open:
            for case in filter(way.refuses, self.senseless):
                judged = self.trial.refusal(case, way)
                way.tally.refused += judged.passed and not judged.takes
                way.tally.take(judged)
                if judged.unknown_failure:
                    self._answered(Failed(case, judged), way, seed)
                    break

    def _answered(self, failed: Failed, way: Findings, seed: int) -> None:
        """Look for the smallest call that is answered in the direction that failed."""
        strategy = contradictory_cases(self.operator, dtype=self.report.dtype)
        if not self._round(strategy, ANSWERED, seed, lambda case: self.trial.answered(case, way), REFUSES):
            rare = self._pursued(failed, failed.case, REFUSES)
            rare.settle(rare.met_again, seed)

    def _rounds(self, strategy: SearchStrategy[Case], examples: int, seed: int, *, steer: bool = False) -> int:
        """Draw cases, and again after each failure; return how many were judged of the last ones.

        What was counted begins anew where the direction is still open.
        """
        judged = 0

        def generated(case: Case) -> Failed | None:
            nonlocal judged
            before = self.trial.counted.judged
            failed = self._generated(case, steer=steer)
            judged += self.trial.counted.judged > before
            return failed

        while self.trial.open:
            judged = 0
            before = [deepcopy(tally) for tally in self.trial.tallies]
            known = {deviation: list(failed) for deviation, failed in self.trial.known.items()}
            if not self._round(strategy, examples, seed, generated, LAW, steer=steer):
                break
            closed = {way.direction for way in self.trial.ways.values() if not way.open}
            for tally, counted in zip(self.trial.tallies, before, strict=True):
                if tally.direction not in closed and self.trial.open:
                    vars(tally).update(vars(counted))
            ended = {each: failed for each, failed in self.trial.known.items() if each.direction in closed}
            self.trial.known = {**known, **ended}
        return judged

    def _round(
        self,
        strategy: SearchStrategy[Case],
        examples: int,
        seed: int,
        judged: Callable[[Case], Failed | None],
        law: str,
        *,
        steer: bool = False,
    ) -> bool:
        """Draw cases until one fails as it is `judged`, make that smaller, and report it; return whether any did."""
        pursuits: list[Pursuit] = []

        def attempt(case: Case) -> Failed | None:
            if pursuits:
                reduction = pursuits[0].reduction
                failed = None if reduction is None else reduction.of(case)
            elif self._late:
                return None
            else:
                met = judged(case)
                pursuits.extend([] if met is None else [self._pursued(met, case, law)])
                failed = pursuits[0].met_again if pursuits else None
            self._stepped()
            return failed

        label = " ".join([self.report.subject, self.operator, *self._directions, self.report.dtype, law, ""])
        smallest = smallest_struck(strategy, attempt, examples, seed, label, steer=steer, shrink=self.shrink)
        if not pursuits:
            return False
        pursuits[0].settle(smallest if self.shrink else None, seed)
        return True

    @property
    def _directions(self) -> list[str]:
        return sorted(way.direction for way in self.trial.open)

    def _pursued(self, failed: Failed, drawn: Case, law: str) -> Pursuit:
        return Pursuit(self.trial, self.report, self.extent, failed, drawn, law)

    def _generated(self, case: Case, *, steer: bool = False) -> Failed | None:
        """Judge a new case; now and then, what is made of it makes no sense."""
        failed = self.trial.of(case, steer=steer, specials=self.extent.specials)
        number = case.number
        if size_of(case) <= _SMALL and case.grad_output.size:
            if self.extent.examples is None and self.broken < _BROKEN:
                self.broken += 1
                self.senseless.extend(all_contradictions(case))
            elif number // 100_000 % SENSELESS == 0:
                self.senseless.append(contradiction(case, number))
        return failed


def _fits_into_memory(recipe: Recipe) -> bool:
    needed = recipe.elements * _COPIES * np.dtype(np.float64).itemsize
    return needed < _ALWAYS_THERE or needed < psutil.virtual_memory().available
