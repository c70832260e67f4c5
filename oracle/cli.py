"""The commands ``refconv check`` and ``refconv replay``."""

import os
import signal
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from textwrap import indent
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from oracle.checking import check
from oracle.replay import replay
from oracle.reporting.files import keep_all
from oracle.reporting.plain import one_line, plain
from oracle.reporting.report import Failure, Report
from oracle.reporting.terminal import WIDTH, show, show_verdict
from oracle.running.isolation import MEMORY_LIMIT, TIME_LIMIT
from oracle.searching.extent import FAILURES
from oracle.subjects import ADAPTERS, LoadError
from properties import LAWS
from properties.arrays import DTYPES
from properties.cli import OPERATOR
from properties.domain import tuples
from properties.naming import by_option, meant
from refconv import ARITHMETICS, operators
from refconv.choices import Known

CASES = Path(".refconv")
"""Where failing cases are kept."""

_SAVED = 1.0  # seconds between two times that the reports are written


class NotLoadedError(click.ClickException):
    """The implementation could not be loaded."""

    exit_code = 3


def _writable(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a path that couldn't be written, before the check has run for nothing."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"no such folder: {path.parent}")
    return path


def _read_only(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """Read values as Python would, words as they are; a name that comes again has several."""
    only: dict[str, set[Any]] = {}
    for entry in given:
        name, sign, value = entry.partition("=")
        if not sign or not name or not value:
            raise click.BadParameter(f"must be NAME=VALUE, got {entry!r}")
        try:
            read = literal_eval(value)
            hash(tuples(read))
        except (ValueError, SyntaxError, TypeError):  # a word, or what no attribute is
            read = value
        only.setdefault(name, set()).add(tuples(read))
    return only


WRITTEN: dict[str, Any] = {
    "type": click.Path(dir_okay=False, writable=True, path_type=Path),
    "callback": _writable,
    "metavar": "FILE",
}
"""Of an option that names a file to write."""
JUDGED_BY = (
    f"By whose error bounds to judge: {', '.join(ARITHMETICS)}; that of the dtype by default. tf32 also has torch@cuda "
    "use TF32."
)
"""The help of an option that names an arithmetic."""
_EXIT = "Exit status: 0 conforms, 1 doesn't, 2 the command was wrong, 3 SUBJECT couldn't be loaded."


def _running(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how SUBJECT is run."""
    for option in (
        click.option(
            "--memory-limit", type=click.FloatRange(min=0, min_open=True), default=MEMORY_LIMIT / 2**30,
            show_default=True, metavar="GIB", help="That one call may take.",
        ),
        click.option(
            "--time-limit", type=click.FloatRange(min=0, min_open=True), default=TIME_LIMIT, show_default=True,
            metavar="SECONDS", help="That one call may take, compiling included.",
        ),
        click.option(
            "--isolate/--no-isolate", default=True, show_default=True,
            help="Run SUBJECT in a process of its own, where it can crash or hang without harm.",
        ),
        click.option(
            "--arithmetic", type=Known(ARITHMETICS), metavar="ARITHMETIC", help=JUDGED_BY,
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _known_subjects(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return how what is being typed may go on."""
    return [name for name in (*ADAPTERS, "refconv") if name.startswith(incomplete)]


_subject = click.argument("subject", shell_complete=_known_subjects)


@click.command("check", epilog=f"{_EXIT} An interrupted check writes what it had, and ends with 130 or 143.")
@_subject
@click.option(
    "--operator",
    "chosen",
    multiple=True,
    type=Known(operators, lambda given, _: meant([given], by_option)),
    metavar="OPERATOR",
    help="Only this one, and those for which it is given again; all by default (refconv operators lists them).",
)
@click.option("--dtype", type=Known(DTYPES), default="float32", show_default=True, help="Of the arrays.")
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cases for each operator and direction; by default the whole plan: layers of networks, triples of classes.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="For the whole check; the rest is left out.",
)
@click.option(
    "--only",
    "only",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_read_only,
    help="Only that part of all calls: rank=2, groups=1, 'channels in=129-600' (docs: coverage); again adds a value.",
)
@click.option(
    "--largest",
    type=click.IntRange(min=1),
    metavar="N",
    help="Multiply-adds of a case, at most; 20 million, or a twentieth of that with --examples.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True, help="Of the generated cases."
)
@click.option(
    "--laws", is_flag=True, help="Check laws in place of the definition: identities that need no reference value."
)
@click.option(
    "--failures",
    type=click.IntRange(min=1),
    default=FAILURES,
    show_default=True,
    metavar="N",
    help="Failures to look into in each direction of an operator, at most.",
)
@click.option(
    "--specials/--no-specials", default=True, show_default=True,
    help="Also check cases with NaN, infinities and the like, which have a row of their own.",
)  # fmt: skip
@click.option(
    "-v", "--verbose", is_flag=True, help="Also list each known deviation, and all functions that are absent."
)
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone, and each failure in a line.")
@_running
@click.option("--json", "to_json", **WRITTEN, help="Write the report as JSON.")
@click.option("--junit", "to_junit", **WRITTEN, help="Write the report as JUnit XML.")
@click.option("--html", "to_html", **WRITTEN, help="Write the report as an HTML page.")
@click.option(
    "--cases", "folder", type=click.Path(file_okay=False, path_type=Path), default=CASES, show_default=True,
    metavar="FOLDER", help="Keep failing cases there, for refconv replay.",
)  # fmt: skip
def check_command(
    subject: str,
    chosen: tuple[str, ...],
    dtype: str,
    arithmetic: str | None,
    examples: int | None,
    seconds: float | None,
    only: dict[str, set[object]],
    largest: int | None,
    seed: int,
    laws: bool,
    failures: int,
    specials: bool,
    verbose: bool,
    quiet: bool,
    isolate: bool,
    time_limit: float,
    memory_limit: float,
    to_json: Path | None,
    to_junit: Path | None,
    to_html: Path | None,
    folder: Path,
) -> int:
    """Check whether SUBJECT computes what the reference does.

    SUBJECT is an adapter (torch, torch@cuda), refconv itself, or package.module[:object], which is looked for in the
    current folder, too. Cases are the layers of networks, then all triples of classes (see the docs), then random ones.
    """
    if verbose and quiet:
        raise click.UsageError("--verbose and --quiet exclude each other")
    sys.path.append(os.getcwd())  # last, so that a checkout of PyTorch, say, does not shadow PyTorch
    names = list(dict.fromkeys(chosen)) or list(operators)
    saved = _Saved({"to_json": to_json, "to_junit": to_junit, "to_html": to_html}, folder)
    status = 130
    with terminated() as insist, _progress(names, quiet=quiet) as progress:

        def step(report: Report) -> None:
            insist()
            progress(report)
            saved.as_it_goes(report)

        try:
            report = check(
                subject,
                names,
                dtype=dtype,
                examples=examples,
                seconds=seconds,
                only=only,
                largest=largest,
                seed=seed,
                arithmetic=arithmetic,
                laws=laws,
                failures=failures,
                specials=specials,
                isolate=isolate,
                time_limit=time_limit,
                memory_limit=int(memory_limit * 2**30),
                progress=step,
            )
            status = 0 if report.passed else 1
        except LoadError as error:
            raise NotLoadedError(one_line(str(error))) from error
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        except KeyboardInterrupt as interrupt:
            if saved.report is None:
                raise
            report = saved.report
            status = interrupt.args[0] if interrupt.args else status
    kept = saved.all_of(report)
    if quiet:
        show_verdict(report, _console())
        return status
    show(report, _console(), verbose=verbose)
    for failure, file in kept:
        click.echo(f"{failure.operator} {failure.direction} is kept: refconv replay {file} {subject}")
    return status


@click.command("replay", epilog=_EXIT)
@click.argument("case", type=click.Path(path_type=Path))
@_subject
@_running
def replay_command(
    case: Path, subject: str, arithmetic: str | None, isolate: bool, time_limit: float, memory_limit: float
) -> int:
    """Run SUBJECT again on the CASE that a check has kept, or on all failures of its report as JSON."""
    sys.path.append(os.getcwd())
    try:
        judged = replay(
            case,
            subject,
            arithmetic=arithmetic,
            isolate=isolate,
            time_limit=time_limit,
            memory_limit=int(memory_limit * 2**30),
        )
    except LoadError as error:
        raise NotLoadedError(one_line(str(error))) from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for (call, direction), verdict in judged:
        console.print(
            f"{call!r} {direction}: {verdict.status}" + (f": {plain(verdict.reason)}" if verdict.reason else "")
        )
    return 1 if any(verdict.status == "failed" for _, verdict in judged) else 0


@click.command("laws")
@click.argument("names", nargs=-1, type=OPERATOR, metavar="[OPERATOR]...")
def laws_command(names: tuple[str, ...]) -> int:
    """List the laws of some operators, or of all: what each says, and why it holds."""
    console = Console(highlight=False, markup=False)
    for operator in names or operators:
        for law in LAWS[operator]:
            also = [name for name in law.needs if name.removesuffix("_backward") != operator]
            needs = f"  (needs {', '.join(also)})" if also else ""
            console.print(f"{law}{needs}", style="bold", soft_wrap=True)
            console.print(indent(law.text, "    "), soft_wrap=True)
            console.print()
    return 0


def _console() -> Console:
    """Return what is printed on: a terminal in its width; what the encoding lacks is escaped."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


class _Saved:
    """What is written as the check goes: the reports, and each failing case."""

    def __init__(self, paths: dict[str, Path | None], folder: Path) -> None:
        self.report: Report | None = None
        self._paths = paths
        self._folder = folder
        self._next = 0.0
        self._failures = 0

    def as_it_goes(self, report: Report) -> None:
        """Write now and then, and at once what is newly failing."""
        self.report = report
        if time.monotonic() >= self._next or len(report.failures) != self._failures:
            self._failures = len(report.failures)
            self.all_of(report)
            self._next = time.monotonic() + _SAVED

    def all_of(self, report: Report) -> list[tuple[Failure, Path]]:
        """Write everything; return the failures with the files that keep them."""
        for write, path in self._paths.items():
            if path is not None:
                getattr(report, write)(path)
        try:
            return keep_all(self._folder, report.subject, report.failures)
        except OSError as error:
            click.echo(f"refconv: failing cases can't be kept: {error}", err=True)
            return []


@contextmanager
def terminated() -> Iterator[Callable[[], None]]:
    """Take a request to end as an interrupt, so that what was found is written.

    Yield what raises it once more: in a callback of the garbage collector, say, an exception is lost.
    """
    asked: list[int] = []

    def interrupt(number: int, _: object) -> None:
        asked.append(128 + number)
        raise KeyboardInterrupt(128 + number)

    def again() -> None:
        if asked:
            raise KeyboardInterrupt(asked[-1])

    ending = {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # Windows has no SIGHUP
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # who ignores it goes on to
        ending.add(signal.SIGINT)
    before = {number: signal.signal(number, interrupt) for number in ending}
    try:
        yield again
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ROOMY = 110
"""Columns from which on there is room for a bar, and the time that it took."""


def is_redrawn(console: Console) -> bool:
    """Whether a line can be written over: on a terminal that is none too simple."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def _progress(names: list[str], *, quiet: bool) -> Iterator[Callable[[Report], None]]:
    """Show how far the check is: a bar on a terminal, elsewhere a line for each operator."""
    console = Console(stderr=True)
    if not is_redrawn(console):
        told: set[str] = set()

        def tell(report: Report) -> None:
            if not quiet and report.tallies[-1].operator not in told:
                told.add(report.tallies[-1].operator)
                click.echo(f"checking {report.tallies[-1].operator}", err=True)

        yield tell
        return
    columns: list[ProgressColumn] = [TextColumn("{task.description}"), TimeRemainingColumn(), TextColumn("left")]
    if console.width >= _ROOMY:
        columns[1:1] = [BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=len(names))

        def advance(report: Report) -> None:
            tally = report.tallies[-1]
            done = names.index(tally.operator)
            part, said = _part(report)
            bar.update(task, completed=done + part, description=f"{tally.operator}, {said}")

        yield advance


def _part(report: Report) -> tuple[float, str]:
    """Return how much of the last operator's cases was run, and what is said of that."""
    if not report.coverage:  # laws
        return 0.0, f"case {report.tallies[-1].cases}"
    coverage = report.coverage[-1]
    if not coverage.tried:
        return 0.0, "compiling"
    expected = max(coverage.expected, coverage.tried)
    return coverage.tried / expected, f"case {coverage.tried} of about {expected}"
