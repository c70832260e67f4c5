"""The check: what a user calls. Each operator is searched for failing cases, forward and backward."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from oracle.contract import DIRECTIONS
from oracle.judging.judge import read_arithmetic
from oracle.reporting.report import Report
from oracle.running.isolation import MEMORY_LIMIT, TIME_LIMIT, Isolated
from oracle.running.runner import InProcess, Runner
from oracle.searching.extent import FAILURES, Extent
from oracle.searching.law_search import LawSearch
from oracle.searching.search import Search
from oracle.subjects import name_of, resolve, source
from properties.arrays import read_dtype
from properties.domain import Domain, narrowed_to, read_domain
from properties.layers import layers
from properties.naming import by_domain, meant
from refconv import operators as table

Progress = Callable[[Report], None]


def check(
    implementation: Any,
    operators: Iterable[str] | None = None,
    *,
    dtype: str = "float32",
    examples: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    only: Domain | None = None,
    largest: int | None = None,
    arithmetic: str | None = None,
    laws: bool = False,
    isolate: bool = False,
    time_limit: float = TIME_LIMIT,
    memory_limit: int = MEMORY_LIMIT,
    shrink: bool = True,
    failures: int = FAILURES,
    specials: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Check an implementation against the reference over generated cases.

    Every operator is checked forward and backward over the same cases: first the layers that networks have, then every
    triple of the classes of its features (`properties.models`), then some that are drawn at random. What the
    implementation declines by :class:`oracle.Unsupported` is learned, and its place goes to what it accepts. The first
    case that fails in one direction is made smaller; the other direction goes on. Of the random cases, those that
    failed in an earlier check are run first: Hypothesis keeps them in the database of its current profile.

    Parameters
    ----------
    implementation : object
        Anything that offers functions named as the operators: a module, an object, what :func:`oracle.subject`
        returns, or the name of one, as :func:`oracle.load` takes it.
    operators : str or iterable of str, optional
        The operators to check; by default all of ``refconv.operators``.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the arrays.
    examples : int, optional
        How many cases for each operator and direction, half of them drawn at random; by default the whole plan, and
        some more.
    seconds : float, optional
        For the whole check; what isn't reached is left out, and the report says what was covered.
    seed : int
        Of the generated cases: the same seed gives the same cases.
    only : mapping, optional
        A domain: the check, and its verdict, are of that part of all calls alone. ``{"rank": 2, "groups": 1}``: the
        rank, attributes and features of the models, each with a value, or a set of them.
    largest : int, optional
        The multiply-adds of a case, at most, of which an element of an array counts as some; by default 20 million, and
        a twentieth of that where `examples` are given.
    arithmetic : str, optional
        One of ``refconv.ARITHMETICS``, by whose error bounds to judge; by default that of `dtype`.
    laws : bool
        Check the laws of `properties.LAWS` in place of the definition: identities between the implementation's own
        results, which need no reference value. Each is checked on `examples` cases.
    isolate : bool
        Run the implementation in a process of its own, where a crash, a hang, a memory blow-up or printing to stdout
        is a failure of one case, and the check goes on. Needs a module, or a name, which a new process can import.
    time_limit : float
        Seconds that one call may take, if isolated.
    memory_limit : int
        Bytes that one call may add to what its process takes, if isolated.
    shrink : bool
        Make what fails smaller, and find out which mistake it is; without, the first case that fails is reported.
    failures : int
        How many failures are looked into in each direction of an operator, at most. Those of one mistake, or with the
        same condition and symptom, are reported as one.
    specials : bool
        Also check cases with NaN, infinities and the like, which the report has in a row of their own.
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
    names = read_names(operators)
    for name, number in {"examples": examples, "largest": largest, "failures": failures}.items():
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    asked = read_domain(only, names)
    read_dtype(dtype)
    chosen = read_arithmetic(arithmetic, dtype)
    began = time.perf_counter()
    runner = runner_of(implementation, arithmetic, isolate, time_limit, memory_limit)
    with contextlib.closing(runner):
        layers(names[0], Extent(examples, largest).largest)  # which are kept, while a process of its own loads
        domain = narrowed_to(asked, runner.domain, offered(runner, names), name_of(implementation))
        report = Report(
            name_of(implementation), runner.version, dtype, chosen.name, examples, seed, laws=laws, only=domain
        )

        def step() -> None:
            report.seconds = time.perf_counter() - began
            if progress is not None:
                progress(report)

        for number, name in enumerate(names):
            until = math.inf
            if seconds is not None:
                now = time.perf_counter()
                until = now + max(began + seconds - now, 0) / (len(names) - number)
            extent = Extent(examples, largest, domain, until, specials, failures)
            if laws:
                LawSearch(runner, name, chosen, report, step, shrink=shrink).run(extent, seed)
            else:
                Search(runner, name, chosen, report, step, shrink=shrink).run(extent, seed)
        report.seconds = time.perf_counter() - began
    report.complete = True
    return report


def read_names(operators: Iterable[str] | None) -> list[str]:
    """Return the names of `operators`, one of them or several, all by default; refuse those that aren't known."""
    names = [operators] if isinstance(operators, str) else list(table if operators is None else operators)
    unknown = [name for name in names if name not in table]
    if not names or unknown:
        got = f"{', '.join(map(repr, unknown)) or 'none'}{meant(unknown, by_domain)}"
        raise ValueError(f"operators must be of {', '.join(table)}, got {got}")
    return names


def offered(runner: Runner, names: Iterable[str]) -> list[str]:
    """Return those of the operators that a runner's implementation has in some direction."""
    return [name for name in names if any(runner.offers(name, direction) for direction in DIRECTIONS)]


def runner_of(
    implementation: Any, arithmetic: str | None, isolate: bool, time_limit: float, memory_limit: int
) -> Runner:
    """Return what runs `implementation`, as :func:`check` is asked to."""
    if not isolate:
        return InProcess(resolve(implementation, arithmetic), source(implementation, arithmetic))
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
