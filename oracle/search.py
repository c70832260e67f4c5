"""The check: generate cases, judge each, and shrink what fails."""

import contextlib
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from types import ModuleType
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.database import ExampleDatabase
from hypothesis.strategies import SearchStrategy

from oracle.deviations import Deviation
from oracle.entanglement import Entanglement, disentangled
from oracle.isolation import MEMORY_LIMIT, TIME_LIMIT, Isolated
from oracle.judge import Verdict, judge, read_arithmetic
from oracle.report import Failure, Report, Tally
from oracle.running import DIRECTIONS, InProcess, Runner, function_name
from oracle.script import script
from oracle.subjects import name_of, resolve
from properties import Case, cases
from refconv import Arithmetic
from refconv import operators as table

Progress = Callable[[Report], None]

SHRINKING = 30.0
"""Seconds after which a failing case is shrunk no further."""


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
    isolate: bool = False,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
    progress: Progress | None = None,
) -> Report:
    """Check an implementation against the reference over generated cases.

    Every operator is checked forward and backward over the same `examples` cases. The first case that fails in one
    direction is shrunk; the other direction goes on. What failed in an earlier check is run first: Hypothesis keeps it
    in the database of its current profile.

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
    isolate : bool
        Run the implementation in a process of its own, where a crash, a hang, a memory blow-up or printing to stdout
        is a failure of one case, and the check goes on. Needs a module, or a name, which a new process can import.
    time_limit : float
        Seconds that one call may take, if isolated.
    memory_limit : int
        Bytes that one call may add to what its process takes, if isolated.
    progress : callable, optional
        Called as ``progress(report)`` after each case, with the report so far.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        For an operator, dtype, arithmetic, limit or number of examples that makes no sense, or an implementation that
        can't be isolated.
    LoadError
        For a name that can't be loaded.
    """
    names = list(table) if operators is None else list(operators)
    unknown = [name for name in names if name not in table]
    if not names or unknown:
        raise ValueError(f"operators must be of {', '.join(table)}, got {', '.join(map(repr, unknown)) or 'none'}")
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    strategies = {name: cases(name, dtype=dtype) for name in names}
    chosen = read_arithmetic(arithmetic, dtype)
    began = time.perf_counter()
    runner = runner_of(implementation, arithmetic, isolate, time_limit, memory_limit)
    with contextlib.closing(runner):
        report = Report(name_of(implementation), runner.version, dtype, chosen.name, examples, seed)

        def step() -> None:
            report.seconds = time.perf_counter() - began
            if progress is not None:
                progress(report)

        for name, strategy in strategies.items():
            _Search(implementation, runner, name, chosen, report, step).run(strategy, examples, seed)
        report.seconds = time.perf_counter() - began
    report.complete = True
    return report


def runner_of(
    implementation: Any, arithmetic: str | None, isolate: bool, time_limit: float, memory_limit: int
) -> Runner:
    """Return what runs `implementation`, as :func:`check` is asked to."""
    if not isolate:
        return InProcess(resolve(implementation, arithmetic))
    for name, limit in {"time_limit": time_limit, "memory_limit": memory_limit}.items():
        if not limit > 0:
            raise ValueError(f"{name} must be positive, got {limit}")
    return Isolated(_importable(implementation), arithmetic, time_limit=time_limit, memory_limit=memory_limit)


def _importable(implementation: object) -> str:
    if isinstance(implementation, str):
        return implementation
    if isinstance(implementation, ModuleType):
        return implementation.__name__
    kind = type(implementation).__name__
    rule = "be a module or a name (package.module:object) where isolate is True"
    raise ValueError(f"implementation must {rule}, got {kind}")


class _Search:
    """The search for failing cases of one operator, one at most in each direction."""

    def __init__(
        self,
        subject: Any,
        runner: Runner,
        operator: str,
        arithmetic: Arithmetic,
        report: Report,
        step: Callable[[], None],
    ) -> None:
        self.subject = subject
        self.runner = runner
        self.operator = operator
        self.arithmetic = arithmetic
        self.report = report
        self.step = step
        self.open = {direction for direction in DIRECTIONS if runner.offers(operator, direction)}
        self.tallies = {direction: Tally(operator, direction) for direction in DIRECTIONS if direction in self.open}
        self.known: dict[Deviation, list[bool]] = {}
        self.first: _FailedCase | None = None  # of the present round
        self.entangled: tuple[_FailedCase, Entanglement | None] | None = None  # it fails only after other calls
        self.failing: dict[bytes, Verdict] = {}  # what is known of cases that fail, to be shrunk without running again
        self.until = 0.0  # when to stop shrinking

    def run(self, strategy: SearchStrategy[Case], examples: int, seed: int) -> None:
        """Judge `examples` cases; after a failure once more, for the other direction."""
        lacking = [direction for direction in DIRECTIONS if direction not in self.open]
        self.report.absent.extend(function_name(self.operator, direction) for direction in lacking)
        self.report.tallies.extend(self.tallies.values())
        try:
            while self.open:
                failure = self._round(strategy, examples, seed)
                if failure is None:
                    break
                self.report.failures[-1] = failure
                struck = self.first or (self.entangled and self.entangled[0])
                assert struck
                self.open.remove(struck.verdict.direction)
        finally:
            self.report.deviations.extend((known, len(failed), sum(failed)) for known, failed in self.known.items())

    def _round(self, strategy: SearchStrategy[Case], examples: int, seed: int) -> Failure | None:
        self.first = self.entangled = None
        self.failing.clear()
        for direction in self.open:
            self.tallies[direction].clear()
        self.known = {known: shown for known, shown in self.known.items() if known.direction not in self.open}

        @settings(
            max_examples=examples,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            database=self._database(),
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),  # how slow the implementation is isn't ours to judge
            verbosity=Verbosity.quiet,
        )
        @hypothesis.seed(seed)  # under the settings, whose database it would take away
        @given(strategy)
        def search(case: Case) -> None:
            if self.entangled is not None:
                return
            failed = self._generated(case) if self.first is None else self._shrunk(case, self.first.verdict.direction)
            self.step()
            if failed is not None:
                raise failed  # all from this line, by which Hypothesis tells bugs apart

        try:
            search()
        except _FailedCase as failed:
            return self._confirmed(failed)
        return None if self.entangled is None else self._depending(*self.entangled)

    def _database(self) -> ExampleDatabase | None:
        database: ExampleDatabase | None = settings.default.database  # type: ignore[union-attr]  # it is never None
        label = f"{self.report.subject} {self.operator} {' '.join(sorted(self.open))} {self.report.dtype} "
        return database and _Shelf(database, label)

    def _generated(self, case: Case) -> _FailedCase | None:
        """Judge a new case in every direction that is still open, and count the verdicts."""
        for direction in DIRECTIONS:
            if direction in self.open:
                verdict = judge(self.runner, case, direction, self.arithmetic)
                self.tallies[direction].add(verdict)
                if verdict.deviation is not None and verdict.status != "declined":
                    self.known.setdefault(verdict.deviation, []).append(verdict.status == "failed")
                elif verdict.unknown_failure and self.first is None and self.entangled is None:
                    self._found(case, verdict)
        return self.first

    def _found(self, case: Case, verdict: Verdict) -> None:
        """Take note of a failure before it is shrunk; see whether the case fails by itself."""
        failed = _FailedCase(case, verdict)
        self.report.failures.append(self._failure(failed))
        calls = list(self.runner.calls)
        if len(calls) > 1:
            self.runner.renew()
            alone = judge(self.runner, case, verdict.direction, self.arithmetic)
            if not alone.unknown_failure:
                self.entangled = failed, disentangled(self.runner, calls, self.arithmetic, ended=verdict.ended)
                return
            failed = _FailedCase(case, alone)
        self.first = failed
        self.failing[_fingerprint(case)] = failed.verdict
        self.until = time.perf_counter() + SHRINKING

    def _shrunk(self, case: Case, direction: str) -> _FailedCase | None:
        """Judge a smaller case in the direction that failed."""
        fingerprint = _fingerprint(case)
        verdict = self.failing.get(fingerprint)
        if verdict is None:
            if time.perf_counter() > self.until:
                return None
            self.runner.hurried = True
            verdict = judge(self.runner, case, direction, self.arithmetic)
            self.runner.hurried = False
        if not verdict.unknown_failure:
            return None
        self.failing[fingerprint] = verdict
        failed = _FailedCase(case, verdict)
        if _size(case) < _size(self.report.failures[-1].case):
            self.report.failures[-1] = self._failure(failed)  # should the run be interrupted
        return failed

    def _confirmed(self, smallest: _FailedCase) -> Failure:
        """Run the smallest case once more, by itself; if it passes now, the first one that failed."""
        assert self.first is not None
        for failed in (smallest, self.first):
            self.runner.renew()
            again = judge(self.runner, failed.case, failed.verdict.direction, self.arithmetic)
            if again.unknown_failure:
                return self._failure(_FailedCase(failed.case, again))
        return self._failure(self.first, " (not reproducible: the same case passed when it was run again)")

    def _depending(self, failed: _FailedCase, entanglement: Entanglement | None) -> Failure:
        if entanglement is None:
            note = " (not reproducible: the same case passed when it was run again, alone and after the same calls)"
            return self._failure(failed, note)
        calls, verdict = entanglement
        case, direction = calls[0] if verdict.ended else calls[-1]
        return Failure(
            operator=case.operator,
            direction=direction,
            law="leaves no trace in later calls",
            case=case,
            reason=entanglement.reason,
            diagnosis=None,
            script=script(self.subject, calls, self.arithmetic),
            calls=tuple(calls),
        )

    def _failure(self, failed: _FailedCase, note: str = "") -> Failure:
        calls = ((failed.case, failed.verdict.direction),)
        return Failure(
            operator=self.operator,
            direction=failed.verdict.direction,
            law="equals the definition",
            case=failed.case,
            reason=f"{failed.verdict.reason}{note}",
            diagnosis=None,
            script=script(self.subject, calls, self.arithmetic),
            calls=calls,
        )


class _Shelf(ExampleDatabase):
    """The part of a database that holds the examples of one search."""

    def __init__(self, database: ExampleDatabase, label: str) -> None:
        super().__init__()
        self._database = database
        self._label = label.encode()

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an example."""
        self._database.save(self._label + key, value)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """Return the examples."""
        return self._database.fetch(self._label + key)

    def delete(self, key: bytes, value: bytes) -> None:
        """Drop an example."""
        self._database.delete(self._label + key, value)


def _fingerprint(case: Case) -> bytes:
    digest = blake2b(repr(case).encode())
    for array in case.arrays.values():
        digest.update(repr(array is not None and (array.dtype, array.shape, array.strides)).encode())
        digest.update(b"" if array is None else array.tobytes())
    return digest.digest()


def _size(case: Case) -> int:
    return sum(array.size for array in case.arrays.values() if array is not None)
