"""The search for failing cases of one operator: generate, judge, shrink, and find out what is wrong."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import islice

import hypothesis
import numpy as np
import psutil
from hypothesis import Phase, given
from hypothesis.strategies import SearchStrategy

from oracle.contract import DIRECTIONS, Call, Deviation, function_name
from oracle.diagnosis import Diagnosis, named
from oracle.diagnosis.symptoms import WAVERS
from oracle.judging.judge import Verdict, judge, read_arithmetic
from oracle.reporting.files import REFUSES
from oracle.reporting.report import Failure, Report, Tally
from oracle.reporting.script import script
from oracle.running.runner import Runner
from oracle.searching.descent import Descent
from oracle.searching.drawing import fingerprint, searching
from oracle.searching.entanglement import Entanglement, disentangled
from oracle.searching.extent import Extent
from oracle.searching.repeating import wavering
from oracle.searching.siblings import Sibling, Siblings
from oracle.searching.studying import Study
from properties import Case, contradiction, contradictory_cases, refilled
from properties.domain import DomainError, fits, narrowed_cases
from properties.invalid import all_contradictions
from properties.models import Recipe
from properties.plan import Coverage, Plan, Planned
from refconv import Arithmetic
from refconv import operators as table

SHRINKING = 30.0
"""Seconds after which a failing case is shrunk no further."""
STEERED = 5
"""One case in so many is steered towards a large error: half of these are what Hypothesis makes of the others."""
SENSELESS = 12
"""One small case in so many is also made into a call that makes no sense."""
_BROKEN = 3
_SMALL = 1000  # elements, all arrays together
ANSWERED = 100
"""Such calls among which the smallest is sought that is answered."""
_REFILLS = 4
"""How often a case on integers whose result is all zero gets other integers."""
_ESTIMATED = 16  # cases after which it is estimated anew how many there will be
_COMPILING = 0.5  # seconds of a call that are worth a second look: is it faster with other contents?
_CONTENTS = 3  # beside the first, where it is
_QUICKER = 4  # times, that it is then
_COPIES = 32  # of the largest array, in float64, that judging a case takes at the same time, at most
_ALWAYS_THERE = 1 << 28  # bytes
_LAW = "equals the definition"


class _FailedCase(Exception):  # noqa: N818  # carries a case through Hypothesis; nobody else sees it
    def __init__(self, case: Case, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.case = case
        self.verdict = verdict

    @property
    def call(self) -> Call:
        """The case with its direction."""
        return self.case, self.verdict.direction


class Search:
    """The search for failing cases of one operator, one at most in each direction."""

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
        self.arithmetic = arithmetic
        self.report = report
        self.step = step
        self.shrink = shrink  # and diagnose what fails
        self.asked = directions
        self.open = {direction for direction in directions if runner.offers(operator, direction)}
        bits = arithmetic.bits, read_arithmetic(None, report.dtype).bits
        self.tallies = {way: Tally(operator, way, *bits) for way in DIRECTIONS if way in self.open}
        self.law = _LAW
        self.known: dict[Deviation, list[bool]] = {}
        self.first: _FailedCase | None = None  # of the present round
        self.entangled: tuple[_FailedCase, Entanglement | None] | None = None  # it fails only after other calls
        self.siblings = {way: Siblings(table[operator], way) for way in self.open}
        self.sibling: Sibling | None = None  # what is different in the case that failed, if it wasn't drawn itself
        self.senseless: list[Case] = []  # calls that must be refused
        self.drawn: Case  # the case in hand as it was drawn
        self.failing: dict[bytes, _FailedCase] = {}  # by what was drawn, to be shrunk without running again
        self.until = 0.0  # when to stop shrinking
        self.extent = Extent()
        self.slowest = 0.0  # seconds that a call of the case in hand took
        self.compiles = False  # whether the implementation takes far longer for the first call of a shape
        self.broken = 0  # cases of which every contradiction is tried
        self.threshold: str | None = None  # from which size on it fails

    def run(self, extent: Extent, seed: int) -> None:
        """Judge the cases of the plan, others at random, and calls that make no sense.

        After a failure the search goes on in the other direction.
        """
        lacking = [direction for direction in self.asked if direction not in self.open]
        self.report.absent.extend(function_name(self.operator, direction) for direction in lacking)
        self.report.tallies.extend(self.tallies.values())
        if not self.open:
            return
        began = time.perf_counter()
        self.extent = extent
        plan = Plan(self.operator, self.report.dtype, seed, largest=extent.largest, only=extent.only)
        self.report.coverage.append(plan.coverage)
        self.step()  # the first case may take long: what is compiled is compiled then
        of_layers, of_design, free = extent.shares(plan.coverage.of_layers)
        others = free + (plan.coverage.of_layers if of_layers is None else of_layers)
        try:
            for part, most in ((plan.of_layers(), of_layers), (plan.of_design(), of_design)):
                for number, planned in enumerate(islice(part, most)):
                    if not self.open or self._late:
                        break
                    if number % _ESTIMATED == 0:
                        plan.coverage.expected = others + (plan.rows() if of_design is None else of_design)
                    self._planned(planned, plan, seed)
            self._free(plan.coverage, plan, free, seed)
            if extent.only and not any(tally.cases for tally in self.tallies.values()) and not self._late:
                raise DomainError(f"only leaves no case of {self.operator}")
            self._refusals(seed)
        finally:
            self.report.deviations.extend((known, len(failed), sum(failed)) for known, failed in self.known.items())
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
        self.first = self.entangled = None
        self.failing.clear()
        taken = self._taken()
        self._planned_contents(case)
        self._stepped()
        if self._taken() == taken:
            plan.declined(planned, self._accepts)
        else:
            plan.ran(planned, case, terms)
        if self.first is not None or self.entangled is not None:
            self._settled(planned.recipe, seed)

    def _stepped(self) -> None:
        self.report.coverage[-1].tried += 1
        self.step()

    def _planned_contents(self, case: Case) -> None:
        """Judge a case; where each shape is compiled for, with other contents, too, which then cost little."""
        self.drawn = case
        self.slowest = 0.0
        self._generated(case, steer=False)
        first = self.slowest
        for number in range(_CONTENTS if self.compiles else 1):
            if first < _COMPILING or self.first is not None or self.entangled is not None or self._late:
                return
            self.step()
            self.drawn = refilled(case, number)
            self.slowest = 0.0
            self._generated(self.drawn, steer=False)
            self.compiles = _QUICKER * self.slowest < first

    def _taken(self) -> int:
        """Return how many verdicts there are of what wasn't declined."""
        return sum(tally.cases - tally.declined for tally in self.tallies.values())

    def _accepts(self, case: Case) -> bool:
        """Whether the implementation takes a case in any direction, right or wrong."""
        return any(self.runner.start(case, direction)().status != "declined" for direction in sorted(self.open))

    def _settled(self, recipe: Recipe, seed: int) -> None:
        """Make the failure in hand smaller, name it, report it, and close its direction."""
        if self.entangled is not None:
            struck = self.entangled[0]
            failure = self._depending(*self.entangled)
        else:
            assert self.first is not None
            struck = self.first
            failure = self._confirmed(self._descended(recipe) if self.shrink else struck, seed)
            self.threshold = None
        self.report.failures[-1] = failure
        self.open.remove(struck.verdict.direction)

    def _descended(self, recipe: Recipe) -> _FailedCase:
        """Return the smallest case of the model that fails as the first one did."""
        assert self.first is not None
        direction, smallest = self.first.verdict.direction, [self.first]

        def fails(case: Case) -> bool:
            failed = self._shrunk(case, direction) if fits(case, self.extent.only) else None
            smallest.extend([] if failed is None else [failed])
            return failed is not None

        descent = Descent(recipe, self.report.dtype, fails, self.until)
        descent.run()
        found = smallest[-1]
        self.threshold = "; ".join(str(threshold) for threshold in descent.thresholds()) or None
        return found

    def _free(self, coverage: Coverage, plan: Plan, examples: int, seed: int) -> None:
        """Judge cases that are drawn at random, some of them steered towards large errors."""
        if not self.open or self._late or not examples:
            return
        strategy = narrowed_cases(self.operator, self.report.dtype, self.extent.only, plan.declines)
        steered = examples // STEERED
        before = self._taken()
        self._rounds(strategy, examples - steered, seed)
        if steered and self.open and not self._late:
            self._rounds(strategy, steered, seed + 1, steer=True)
        coverage.free = (self._taken() - before) // max(len(self.open), 1)

    def _refusals(self, seed: int) -> None:
        """Make calls that make no sense; where one is answered, look for the smallest."""
        self.law = REFUSES
        for direction in sorted(self.open):
            for case in self.senseless:
                if direction not in self.open or not self._applies(case, direction):
                    continue
                judged = judge(self.runner, case, direction, self.arithmetic)
                self.tallies[direction].refused += judged.passed
                if judged.unknown_failure:
                    self._answered(_FailedCase(case, judged), seed)

    def _answered(self, failed: _FailedCase, seed: int) -> None:
        """Look for the smallest call that is answered in the direction that failed, which is closed then."""
        direction = {failed.verdict.direction}
        others, self.open = self.open - direction, direction
        self._rounds(contradictory_cases(self.operator, dtype=self.report.dtype), ANSWERED, seed)
        if self.open:  # what was answered is too rare to be met again
            known = named(failed.verdict.reason or "")
            self.report.failures.append(self._failure(failed, diagnosis=known))
        self.open = others

    def _rounds(self, strategy: SearchStrategy[Case], examples: int, seed: int, *, steer: bool = False) -> None:
        before = {direction: copy(tally) for direction, tally in self.tallies.items()}
        known = {deviation: list(failed) for deviation, failed in self.known.items()}
        while self.open:
            failure = self._round(strategy, examples, seed, steer=steer)
            if failure is None:
                break
            self.report.failures[-1] = failure
            struck = self.first or (self.entangled and self.entangled[0])
            assert struck
            self.open.remove(struck.verdict.direction)
            for direction in self.open:  # which begins anew
                vars(self.tallies[direction]).update(vars(before[direction]))
            ended = {
                deviation: failed for deviation, failed in self.known.items() if deviation.direction not in self.open
            }
            self.known = {**known, **ended}

    def _round(self, strategy: SearchStrategy[Case], examples: int, seed: int, *, steer: bool) -> Failure | None:
        self.first = self.entangled = None
        self.failing.clear()
        phases = [Phase.reuse, Phase.generate, *[Phase.target] * steer, *[Phase.shrink] * self.shrink]

        @searching(examples, phases, self._label)
        @hypothesis.seed(seed)  # under the settings, whose database it would take away
        @given(strategy)
        def search(case: Case) -> None:
            if self.entangled is not None or (self.first is None and self._late):
                return
            self.drawn = case
            if self.first is None:
                failed = self._generated(case, steer=steer)
            else:
                failed = self._shrunk(case, self.first.verdict.direction)
            self._stepped()
            if failed is not None:
                raise failed  # all from this line, by which Hypothesis tells bugs apart

        try:
            search()
        except _FailedCase as failed:
            return self._confirmed(failed, seed)
        return None if self.entangled is None else self._depending(*self.entangled)

    @property
    def _label(self) -> str:
        return f"{self.report.subject} {self.operator} {' '.join(sorted(self.open))} {self.report.dtype} {self.law} "

    def _generated(self, case: Case, *, steer: bool) -> _FailedCase | None:
        """Judge a new case in every direction that is still open, and count the verdicts."""
        for direction in DIRECTIONS:
            if direction in self.open and self._applies(case, direction):
                tried, judged, refills = self._judged(case, direction)
                self.slowest = max(self.slowest, self.runner.took)
                self._noted(tried, judged, None)
                if self.law == _LAW:
                    self.tallies[direction].add(judged)
                    self.tallies[direction].refilled += refills > 0
                    for sibling, other in self.siblings[direction].of(tried):
                        self._noted(other, judge(self.runner, other, direction, self.arithmetic), sibling)
                if steer and not judged.exact:
                    hypothesis.target(min(judged.worst, 1e9), label=direction)
        number = case.number
        if self.law == _LAW and _size(case) <= _SMALL and case.grad_output.size:
            if self.extent.examples is None and self.broken < _BROKEN:
                self.broken += 1
                self.senseless.extend(all_contradictions(case))
            elif number // 100_000 % SENSELESS == 0:
                self.senseless.append(contradiction(case, number))
        return self.first

    def _applies(self, case: Case, direction: str) -> bool:
        """Whether a call that makes no sense makes none in `direction`."""
        return self.law == _LAW or direction == "backward" or case.refusal("forward") is not None

    def _judged(self, case: Case, direction: str) -> tuple[Case, Verdict, int]:
        """Judge a case; one on integers whose results are all zero gets others, a few times."""
        for number in range(_REFILLS + 1):
            judged = judge(self.runner, case, direction, self.arithmetic, self.tallies[direction].worst)
            if number == _REFILLS or not (judged.passed and judged.exact and judged.vacuous):
                break
            case = refilled(case, number)
        return case, judged, number

    def _noted(self, case: Case, judged: Verdict, sibling: Sibling | None) -> None:
        if judged.deviation is not None and judged.status != "declined":
            self.known.setdefault(judged.deviation, []).append(judged.status == "failed")
        elif judged.unknown_failure and self.first is None and self.entangled is None:
            self.sibling = sibling
            self._found(case, judged)

    def _found(self, case: Case, judged: Verdict) -> None:
        """Take note of a failure before it is shrunk; see whether the case fails by itself."""
        failed = _FailedCase(case, judged)
        self.report.failures.append(self._failure(failed))
        calls = list(self.runner.calls)
        if len(calls) > 1:
            self.runner.renew()
            alone = judge(self.runner, case, judged.direction, self.arithmetic)
            wavers = None if alone.unknown_failure else wavering(self.runner, *failed.call, self.arithmetic)
            if not alone.unknown_failure and wavers is None:
                self.entangled = failed, disentangled(self.runner, calls, self.arithmetic, ended=judged.ended)
                return
            failed = _FailedCase(case, wavers or alone)
        self.first = failed
        self.failing[fingerprint(self.drawn)] = failed
        self.until = time.perf_counter() + SHRINKING

    def _shrunk(self, case: Case, direction: str) -> _FailedCase | None:
        """Judge a smaller case, and its sibling if that is what failed, in the direction that failed."""
        if not self._applies(case, direction):
            return None
        known = self.failing.get(fingerprint(case))
        if known is not None or time.perf_counter() > self.until:
            return known
        self.runner.hurried = True
        smaller, judged, _ = self._judged(case, direction)
        other = self.sibling and self.sibling.of(smaller)
        if other is not None and not judged.unknown_failure:
            smaller, judged = other, judge(self.runner, other, direction, self.arithmetic)
        self.runner.hurried = False
        if not judged.unknown_failure:
            return None
        failed = self.failing[fingerprint(case)] = _FailedCase(smaller, judged)
        if _size(smaller) < _size(self.report.failures[-1].case):
            self.report.failures[-1] = self._failure(failed)  # should the run be interrupted
        return failed

    def _confirmed(self, smallest: _FailedCase, seed: int) -> Failure:
        """Run the smallest case once more, by itself; if it passes now, the first one that failed."""
        assert self.first is not None
        if not self.shrink:
            return self._failure(self.first)
        for failed in (smallest, self.first):
            self.runner.renew()
            again = judge(self.runner, failed.case, failed.verdict.direction, self.arithmetic)
            if again.unknown_failure:
                return self._studied(_FailedCase(failed.case, again), seed)
        wavers = wavering(self.runner, *self.first.call, self.arithmetic)
        if wavers is not None:
            return self._failure(_FailedCase(self.first.case, wavers), WAVERS, named(WAVERS))
        return self._failure(self.first, " (not reproducible: the same case passed when it was run again)")

    def _studied(self, failed: _FailedCase, seed: int) -> Failure:
        """Simplify what the case holds, and name the mistake."""
        assert self.first is not None
        direction = failed.verdict.direction
        study = Study(self.runner, self.arithmetic, direction, self.extent.only)
        probed = (self.operator, self.report.dtype, seed) if self.law == _LAW else None
        found = study.of(failed.case, self.first.case, probed)
        if found is None:  # it has changed its mind
            return self._failure(failed, diagnosis=named(failed.verdict.reason or ""))
        if found.wavers:
            return self._failure(_FailedCase(found.case, found.verdict), WAVERS, found.diagnosis, found.shown)
        failure = self._failure(_FailedCase(found.case, found.verdict), diagnosis=found.diagnosis, shown=found.shown)
        return replace(failure, condition=found.condition.words if found.condition else None, symptom=found.symptom)

    def _depending(self, failed: _FailedCase, entanglement: Entanglement | None) -> Failure:
        if entanglement is None:
            note = " (not reproducible: the same case passed when it was run again, alone and after the same calls)"
            return self._failure(failed, note)
        calls, judged = entanglement
        case, direction = calls[0] if judged.ended else calls[-1]
        law = "leaves no trace in later calls"
        return self._reported((case, direction), law, entanglement.reason, calls, named(entanglement.reason), "")

    def _failure(
        self, failed: _FailedCase, note: str = "", diagnosis: Diagnosis | None = None, shown: str = ""
    ) -> Failure:
        call = (failed.case, failed.verdict.direction)
        failure = self._reported(call, self.law, f"{failed.verdict.reason}{note}", [call], diagnosis, shown)
        return replace(failure, details=failed.verdict.details)

    def _reported(
        self, call: Call, law: str, reason: str, calls: Sequence[Call], diagnosis: Diagnosis | None, shown: str
    ) -> Failure:
        case, direction = call
        return Failure(
            operator=case.operator,
            direction=direction,
            law=law,
            case=case,
            reason=reason,
            diagnosis=diagnosis and diagnosis.name,
            cause=diagnosis and diagnosis.cause,
            thread=diagnosis and diagnosis.thread,
            shown=shown,
            write=partial(script, self.runner.made, calls, self.arithmetic),
            calls=tuple(calls),
            threshold=self.threshold,
        )


def _fits_into_memory(recipe: Recipe) -> bool:
    needed = recipe.elements * _COPIES * np.dtype(np.float64).itemsize
    return needed < _ALWAYS_THERE or needed < psutil.virtual_memory().available


def _size(case: Case) -> int:
    return sum(array.size for array in case.arrays.values() if array is not None)
