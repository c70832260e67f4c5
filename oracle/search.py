"""The check: generate cases, judge each, and shrink what fails."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.errors import Flaky

from oracle.deviations import Deviation, deviation_of
from oracle.judge import DIRECTIONS, Verdict, function_of, judge, read_arithmetic
from oracle.report import Failure, Report, Tally
from oracle.script import script
from oracle.subjects import name_of, resolve, version_of
from properties import Case, cases
from refconv import Arithmetic, operators as table

Progress = Callable[[str, str, int], None]


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

    Every operator is checked forward and backward, each over `examples` cases, until one fails; that one is shrunk.

    Parameters
    ----------
    implementation : object
        Anything that offers functions named as the operators: a module, an object, what :func:`oracle.subject` returns, or the
        name of one, as :func:`oracle.load` takes it.
    operators : iterable of str, optional
        The operators to check; by default all of ``refconv.operators``.
    dtype : {"float32", "float64"}
        Of the arrays.
    examples : int
        How many cases for each operator and direction.
    seed : int
        Of the generated cases: the same seed gives the same cases.
    arithmetic : str, optional
        One of ``refconv.ARITHMETICS``, by whose error bounds to judge; by default that of `dtype`.
    progress : callable, optional
        Called as ``progress(operator, direction, cases)`` after each case, with how many there were.

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
        raise ValueError(f"operators must be of {', '.join(table)}, got {', '.join(map(repr, unknown))}")
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    chosen = read_arithmetic(arithmetic, dtype)
    strategies = {name: cases(name, dtype=dtype) for name in names}
    report = Report(name_of(subject), version_of(implementation), dtype, chosen.name, examples, seed)
    began = time.perf_counter()
    known: dict[Deviation, list[bool]] = {}
    for name, strategy in strategies.items():
        for direction in DIRECTIONS:
            if function_of(implementation, name, direction) is None:
                report.absent.append(name if direction == "forward" else f"{name}_backward")
                continue
            search = _Search(subject, implementation, Tally(name, direction), chosen, known, progress)
            report.tallies.append(search.tally)
            failure = search.run(strategy, examples, seed)
            if failure is not None:
                report.failures.append(failure)
    report.deviations = [(deviation, len(failed), sum(failed)) for deviation, failed in known.items()]
    report.seconds = time.perf_counter() - began
    return report


class _Search:
    """The search for a failing case of one operator in one direction."""

    def __init__(
        self,
        subject: Any,
        implementation: Any,
        tally: Tally,
        arithmetic: Arithmetic,
        known: dict[Deviation, list[bool]],
        progress: Progress | None,
    ) -> None:
        self.subject = subject
        self.implementation = implementation
        self.tally = tally
        self.arithmetic = arithmetic
        self.known = known
        self.progress = progress
        self.first: _FailedCase | None = None

    def run(self, strategy: hypothesis.strategies.SearchStrategy[Case], examples: int, seed: int) -> Failure | None:
        """Judge `examples` cases; return the first failure, shrunk."""
        chosen = settings(
            max_examples=examples,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),  # how slow the implementation is isn't ours to judge
            verbosity=Verbosity.quiet,
        )

        @hypothesis.seed(seed)
        @chosen
        @given(strategy)
        def search(case: Case) -> None:
            self._judge(case)

        try:
            search()
        except _FailedCase as failed:
            return self._failure(failed.case, failed.verdict.reason or "failed")
        except Flaky:
            assert self.first is not None
            note = "not reproducible: the same case passed when it was run again"
            return self._failure(self.first.case, f"{self.first.verdict.reason} ({note})")
        return None

    def _judge(self, case: Case) -> None:
        verdict = judge(self.implementation, case, self.tally.direction, self.arithmetic)
        if self.first is None:  # afterwards, Hypothesis shrinks
            self.tally.add(verdict)
            if self.progress is not None:
                self.progress(self.tally.operator, self.tally.direction, self.tally.cases)
        deviation = deviation_of(self.implementation, case, self.tally.direction)
        if deviation is not None:
            self.known.setdefault(deviation, []).append(verdict.status == "failed")
        elif verdict.status == "failed":
            failed = _FailedCase(case, verdict)
            self.first = self.first or failed
            raise failed

    def _failure(self, case: Case, reason: str) -> Failure:
        return Failure(
            operator=case.operator,
            direction=self.tally.direction,
            law="equals the definition",
            case=case,
            reason=reason,
            diagnosis=None,
            script=script(self.subject, case, self.tally.direction, self.arithmetic),
        )
