"""A case that has failed, pursued: does it by itself, how small can it be, what is wrong there, how is it shown."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from oracle.contract import Call
from oracle.diagnosis import Diagnosis, named
from oracle.diagnosis.conditions import Condition
from oracle.judging.judge import Verdict, judge
from oracle.reporting.report import Failure, Report
from oracle.reporting.script import script
from oracle.searching.entanglement import Entanglement, disentangled
from oracle.searching.extent import Extent
from oracle.searching.findings import Findings, as_large, covers, explains_all, keeps_special
from oracle.searching.reduction import Reduction
from oracle.searching.repeating import Wavering, wavering
from oracle.searching.reproducing import shows, written
from oracle.searching.studying import Study
from oracle.searching.trial import LAW, Failed, Trial
from properties import Case
from properties.models import Recipe

_AGAIN = " (not reproducible: the same case passed when it was run again)"
_AT_ALL = " (not reproducible: the same case passed when it was run again, alone and after the same calls)"


class Pursuit:
    """What is done about the first failure of a search for one; it is in the report from the beginning.

    Where the case fails only after other calls, there is no `reduction`: those are what is made fewer.
    """

    def __init__(self, trial: Trial, report: Report, extent: Extent, failed: Failed, drawn: Case, law: str) -> None:
        self.way: Findings = trial.ways[failed.verdict.direction]
        self.reduction: Reduction[Failed] | None = None
        self._trial = trial
        self._runner = trial.runner
        self._report = report
        self._extent = extent
        self._law = law
        self._met = failed  # after the calls before it
        self._entanglement: Entanglement | None = None
        report.failures.append(self._failure(failed))
        calls = list(self._runner.calls)
        if len(calls) > 1:
            self._runner.renew()
            alone = self._judged(failed.case)
            wavers = None if alone.unknown_failure else self._wavering(failed.case)
            if not alone.unknown_failure and wavers is None:
                self._entanglement = disentangled(self._runner, calls, trial.arithmetic, ended=failed.verdict.ended)
                return
            failed = Failed(failed.case, wavers.verdict if wavers else alone, failed.sibling)
        self.reduction = Reduction(failed, drawn, self._again)

    @property
    def met_again(self) -> Failed | None:
        """The case as it fails by itself."""
        return None if self.reduction is None else self.reduction.first

    def smaller(self, recipe: Recipe) -> tuple[Failed, str | None]:
        """Return the smallest case of the model that fails, and from which sizes on it does."""
        assert self.reduction is not None
        found, descent = self.reduction.descended(recipe, self._report.dtype, self._extent.only)
        return found, "; ".join(map(str, descent.thresholds())) or None

    def settle(self, smallest: Failed | None, seed: int, threshold: str | None = None) -> None:
        """Confirm the `smallest` case, find out what is wrong, and report it; the first that failed, if it is None."""
        if self.reduction is None:
            failure, condition = self._depending(), None
        else:
            failure, condition = self._confirmed(self.reduction.first, smallest, seed)
        failures = self._report.failures
        failures[-1] = replace(failure, threshold=threshold)
        known = self.way.settle(failures[-1], condition, self._extent.failures)
        if known is not None:
            del failures[-1]
            wider = covers(condition, known.case)
            failures[:] = [
                replace(each, condition=failure.condition) if wider and each is known else each for each in failures
            ]

    def _again(self, case: Case) -> Failed | None:
        """Judge a smaller case, and its sibling if that is what failed, in the direction that failed."""
        failed = self._failing(case)
        if failed is not None and size_of(failed.case) < size_of(self._report.failures[-1].case):
            self._report.failures[-1] = self._failure(failed)  # should the run be interrupted
        return failed

    def _failing(self, case: Case) -> Failed | None:
        if self._law != LAW:
            return self._trial.answered(case, self.way)
        self._runner.hurried = True
        smaller, judged, _ = self._trial.judged(case, self.way)
        sibling = self._met.sibling
        other = sibling and sibling.of(smaller)
        failed = Failed(smaller, judged)
        if other is not None and not judged.unknown_failure:
            failed = Failed(other, self._judged(other), sibling)
        self._runner.hurried = False
        if not failed.verdict.unknown_failure or self.way.explains(failed.case, special=failed.special):
            return None
        return failed

    def _wavering(self, case: Case) -> Wavering | None:
        """Return how a case fails that now fails, now passes."""
        return wavering(self._runner, case, self.way.direction, self._trial.arithmetic)

    def _judged(self, case: Case) -> Verdict:
        return judge(self._runner, case, self.way.direction, self._trial.arithmetic)

    def _confirmed(self, first: Failed, smallest: Failed | None, seed: int) -> tuple[Failure, Condition | None]:
        """Run the smallest case once more, by itself; if it passes now, the first one that failed."""
        if smallest is None:
            return self._shown(first), None
        for failed in (smallest, first):
            self._runner.renew()
            again = self._judged(failed.case)
            if again.unknown_failure:
                return self._studied(Failed(failed.case, again, failed.sibling), first, seed)
        wavers = self._wavering(first.case)
        if wavers is not None:
            return self._shown(Failed(first.case, wavers.verdict), wavers.note, named(wavers.note)), None
        return self._shown(first, _AGAIN), None

    def _studied(self, failed: Failed, first: Failed, seed: int) -> tuple[Failure, Condition | None]:
        """Simplify what the case holds, learn when it fails, and name the mistake."""
        study = Study(self._runner, self._trial.arithmetic, self.way.direction, self._extent.only)
        probed = (self._trial.operator, self._report.dtype, seed) if self._law == LAW else None
        found = study.of(failed.case, first.case, probed)
        if found is None:  # it has changed its mind
            return self._shown(failed, diagnosis=named(failed.verdict.reason or "")), None
        simplest = Failed(found.case, found.verdict)
        if found.wavers:
            return self._shown(simplest, found.wavers, found.diagnosis), None
        simplest.special = failed.special and keeps_special(found.case)
        failure = replace(
            self._shown(simplest, diagnosis=found.diagnosis),
            shown=found.shown,
            condition=None if found.condition is None else found.condition.words,
            symptom=found.symptom,
            conforms_with=found.conforms_with,
        )
        vague = found.condition is None or (explains_all(found.condition) and not found.condition.exact)
        return failure, as_large(found.case) if vague and self._law == LAW else found.condition

    def _depending(self) -> Failure:
        """Report a failure that needs the calls before it, if it is met again at all."""
        if self._entanglement is None:
            return self._shown(self._met, _AT_ALL)
        calls, judged = self._entanglement
        failure = self._reported(
            calls[0] if judged.ended else calls[-1],
            "leaves no trace in later calls",
            self._entanglement.reason,
            calls,
            named(self._entanglement.reason),
        )
        return self._with_script(failure, judged)

    def _shown(self, failed: Failed, note: str = "", diagnosis: Diagnosis | None = None) -> Failure:
        return self._with_script(self._failure(failed, note, diagnosis), failed.verdict)

    def _with_script(self, failure: Failure, judged: Verdict) -> Failure:
        """Return a failure with a script that was run."""
        arithmetic = self._trial.arithmetic
        tried = written(self._runner, failure.calls, arithmetic, partial(shows, failure.calls, judged, arithmetic))
        return replace(failure, write=tried.write, reproduces=tried.reproduces)

    def _failure(self, failed: Failed, note: str = "", diagnosis: Diagnosis | None = None) -> Failure:
        call = (failed.case, self.way.direction)
        failure = self._reported(call, self._law, f"{failed.verdict.reason}{note}", [call], diagnosis)
        return replace(failure, details=failed.verdict.details, special=failed.special)

    def _reported(
        self, call: Call, law: str, reason: str, calls: Sequence[Call], diagnosis: Diagnosis | None
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
            write=lambda: script(self._runner.made, calls, self._trial.arithmetic).text,
            calls=tuple(calls),
        )


def size_of(case: Case) -> int:
    """Return the elements of all arrays of a case."""
    return sum(array.size for array in case.arrays.values() if array is not None)
