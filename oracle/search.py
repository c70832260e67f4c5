"""The check: generate cases, judge each, and shrink what fails."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from oracle.deviations import Deviation, deviation_of
from oracle.judge import DIRECTIONS, Verdict, function_name, function_of, judge, read_arithmetic
from oracle.report import Failure, Report, Tally
from oracle.script import script
from oracle.subjects import name_of, resolve, version_of
from properties import Case, cases
from refconv import Arithmetic
from refconv import operators as table

Progress = Callable[[str, int], None]


class _FailedCase(Exception):  # noqa: N818  # carries a case through Hypothesis; nobody else sees it
    def __init__(self, case: Case, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.case = case
        self.verdict = verdict


def check(
    implementation: Any,
    operators: Iterable[str] | None = None,
    *,
    dtype: str = "float32",
    examples: int = 100,
    seed: int = 0,
    arithmetic: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check an implementation against the reference over generated cases.

    Every operator is checked forward and backward over the same `examples` cases. The first case that fails in one
    direction is shrunk; the other direction goes on.

    Parameters
    ----------
    implementation : object
        Anything that offers functions named as the operators: a module, an object, what :func:`oracle.subject`
        returns, or the name of one, as :func:`oracle.load` takes it.
    operators : iterable of str, optional
        The operators to check; by default all of ``refconv.operators``.
    dtype : {"float32", "float64"}
        Of the arrays.
    examples : int
        How many cases for each operator and direction.
    seed : int
        Of the generated cases: in the same environment, the same seed gives the same cases.
    arithmetic : str, optional
        One of ``refconv.ARITHMETICS``, by whose error bounds to judge; by default that of `dtype`.
    progress : callable, optional
        Called as ``progress(operator, cases)`` after each case, with how many there were.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        For an operator, dtype, arithmetic or number of examples that makes no sense.
    LoadError
        For a name that can't be loaded.
    """
    subject, implementation = implementation, resolve(implementation, arithmetic)
    names = list(table) if operators is None else list(operators)
    unknown = [name for name in names if name not in table]
    if not names or unknown:
        raise ValueError(f"operators must be of {', '.join(table)}, got {', '.join(map(repr, unknown)) or 'none'}")
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    strategies = {name: cases(name, dtype=dtype) for name in names}
    chosen = read_arithmetic(arithmetic, dtype)
    report = Report(name_of(subject), version_of(implementation), dtype, chosen.name, examples, seed)
    began = time.perf_counter()
    for name, strategy in strategies.items():
        search = _Search(subject, implementation, name, chosen, progress)
        report.absent.extend(search.absent)
        report.failures.extend(search.run(strategy, examples, seed))
        report.tallies.extend(search.tallies.values())
        report.deviations.extend((deviation, len(failed), sum(failed)) for deviation, failed in search.known.items())
    report.seconds = time.perf_counter() - began
    return report


class _Search:
    """The search for failing cases of one operator, one at most in each direction."""

    def __init__(
        self, subject: Any, implementation: Any, operator: str, arithmetic: Arithmetic, progress: Progress | None
    ) -> None:
        self.subject = subject
        self.implementation = implementation
        self.operator = operator
        self.arithmetic = arithmetic
        self.progress = progress
        offered = [direction for direction in DIRECTIONS if function_of(implementation, operator, direction)]
        self.absent = [function_name(operator, direction) for direction in DIRECTIONS if direction not in offered]
        self.tallies = {direction: Tally(operator, direction) for direction in offered}
        self.open = set(offered)  # the directions in which no case has failed yet
        self.known: dict[Deviation, list[bool]] = {}
        self.failed: _FailedCase | None = None  # the first one of the present round

    def run(self, strategy: SearchStrategy[Case], examples: int, seed: int) -> list[Failure]:
        """Judge `examples` cases; after a failure once more, for the other direction."""
        failures = []
        while self.open:
            failure = self._round(strategy, examples, seed)
            if failure is None:
                break
            failures.append(failure)
            self.open.remove(failure.direction)
        return failures

    def _round(self, strategy: SearchStrategy[Case], examples: int, seed: int) -> Failure | None:
        self.failed = None
        self.tallies.update({direction: Tally(self.operator, direction) for direction in self.open})
        self.known = {known: shown for known, shown in self.known.items() if known.direction not in self.open}

        @hypothesis.seed(seed)
        @settings(
            max_examples=examples,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),  # how slow the implementation is isn't ours to judge
            verbosity=Verbosity.quiet,
        )
        @given(strategy)
        def search(case: Case) -> None:
            failed = self._generated(case) if self.failed is None else self._shrunk(case, self.failed.verdict.direction)
            if failed is not None:
                raise failed  # all from this line, by which Hypothesis tells bugs apart

        try:
            search()
        except _FailedCase as failed:
            return self._failure(failed.case, failed.verdict, "")
        except Flaky:
            assert self.failed is not None
            note = " (not reproducible: the same case passed when it was run again)"
            return self._failure(self.failed.case, self.failed.verdict, note)
        return None

    def _generated(self, case: Case) -> _FailedCase | None:
        """Judge a new case in every direction that is still open, and count the verdicts."""
        for direction in DIRECTIONS:
            if direction in self.open:
                verdict = judge(self.implementation, case, direction, self.arithmetic)
                self.tallies[direction].add(verdict)
                deviation = deviation_of(self.implementation, case, direction)
                if deviation is not None and verdict.status != "declined":
                    self.known.setdefault(deviation, []).append(verdict.status == "failed")
                elif deviation is None and verdict.status == "failed":
                    self.failed = self.failed or _FailedCase(case, verdict)
        if self.progress is not None:
            self.progress(self.operator, max(tally.cases for tally in self.tallies.values()))
        return self.failed

    def _shrunk(self, case: Case, direction: str) -> _FailedCase | None:
        """Judge a smaller case in the direction that failed."""
        verdict = judge(self.implementation, case, direction, self.arithmetic)
        failed = verdict.status == "failed" and deviation_of(self.implementation, case, direction) is None
        return _FailedCase(case, verdict) if failed else None

    def _failure(self, case: Case, verdict: Verdict, note: str) -> Failure:
        return Failure(
            operator=self.operator,
            direction=verdict.direction,
            law="equals the definition",
            case=case,
            reason=f"{verdict.reason}{note}",
            diagnosis=None,
            script=script(self.subject, case, verdict.direction, self.arithmetic),
        )
