"""A report as rich shows it, on a terminal or as text.

On a terminal, what doesn't fit is broken between words, but for what is to be pasted: the terminal itself breaks that.
Tables leave out the columns that don't fit, and say so.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill, indent

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from oracle.reporting import words
from oracle.reporting.presentable import presentable
from oracle.reporting.report import Failure, Report

WIDTH = 120
"""Columns of text that no terminal shows; lines that aren't a table's are as long as they are."""
_OF_RESULTS = ("vacuous", "exact", "bits", "declined", "worst error")
_OF_COVERAGE = ("seconds", "longest sum", "at random", "largest")
"""The columns that narrow tables do without, the first of these first."""
_WORDS = {"operator", "direction", "covered", words.OUTCOME}
"""Columns that hold no numbers."""
_ANY_WIDTH = 10_000
_INDENT = " " * 4
_COLORS = {"ok": "green", "FAILED": "bold red", "DECLINED": "bold yellow"}


def show(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Print `report` on `console`; if `verbose`, with each known deviation and all that is absent."""
    for part in _parts(presentable(report), console, verbose=verbose):
        _print(part, console)


def show_verdict(report: Report, console: Console) -> None:
    """Print each failure of `report` in a line, and the verdict."""
    shown = presentable(report)
    for failure in shown.failures:
        _print(Text(f"{words.headline(failure)}: {failure.case!r}"), console)
    _print(_conclusion(shown), console)


def as_text(report: Report) -> str:
    """Return the text of `report`, with tables of 120 columns."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show(report, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


class _AsItIs(Text):
    """Lines that stay as they are: they are to be pasted, or broken already."""


def _print(part: RenderableType, console: Console) -> None:
    as_it_is = isinstance(part, _AsItIs) or (isinstance(part, Text) and not console.is_terminal)
    console.print(part, soft_wrap=as_it_is, highlight=False)


def _parts(report: Report, console: Console, *, verbose: bool) -> Iterator[RenderableType]:
    yield Text(f"{words.title(report)}: {words.settings(report)}\n")
    if report.tallies:
        yield from _table([words.counts(report, tally) for tally in report.tallies], console)
        yield from (Text(f"\n{line}", "yellow") for line in words.warnings(report))
        yield from (Text(f"\n{line}") for line in words.conventions(report))
        if words.remark(report):
            yield Text(f"\n{words.remark(report)}")
    if report.coverage:
        yield Text("")
        yield from _table([words.covered(coverage) for coverage in report.coverage], console)
        yield from (Text(f"\n{line}", "yellow") for line in words.uncovered(report))
    for failure in report.failures:
        yield from _failure(failure, console)
    yield from _deviations(report, verbose=verbose)
    if report.absent:
        yield Text(f"\nabsent: {', '.join(report.absent) if verbose else words.absent(report)}")
    yield Text("")
    yield _conclusion(report)


def _table(rows: Sequence[Mapping[str, str]], console: Console) -> Iterator[RenderableType]:
    """Lay out rows of cells that are named as their columns; then say which columns had no room."""
    narrow = [name for name in (*_OF_RESULTS, *_OF_COVERAGE) if name in rows[0]]
    for without in range(len(narrow) + 1):
        left_out = narrow[:without]
        table = _laid_out(rows, [name for name in rows[0] if name not in left_out])
        if console.measure(table, options=console.options.update_width(_ANY_WIDTH)).maximum <= console.width:
            break
    yield table
    if left_out:
        yield Text(f"(no room for: {', '.join(left_out)})", "dim")


def _laid_out(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    last = [words.OUTCOME] * (words.OUTCOME in names)
    names = [*(name for name in names if name not in last), *last]
    for name in names:
        heading = "" if name in last else name
        table.add_column(heading, justify="left" if name in _WORDS else "right")
    for row in rows:
        table.add_row(*(Text(row[name], _COLORS.get(row[name], "")) for name in names))
    return table


def _failure(failure: Failure, console: Console) -> Iterator[RenderableType]:
    head = Text(f"\n{failure.operator} {failure.direction}: ", "bold red")
    labels = [f"{label}: " if label else "" for label, _ in words.about(failure)]
    for label, (_, text) in zip(labels, words.about(failure), strict=True):
        yield Text.assemble(head, (label, "bold"), text.replace("\n", f"\n{_INDENT}"))
        head = Text()
    if failure.details:
        yield Text(f"\n{indent(failure.details, _INDENT)}\n")
    yield Text(f"{failure.case!r}\n")
    if failure.shown:
        width = console.width if console.is_terminal else _ANY_WIDTH
        yield from (_AsItIs(_filled(str(shown), width)) for shown in failure.shown)
        yield Text("")
    yield _AsItIs(indent(failure.script, _INDENT))


def _filled(text: str, width: int) -> str:
    return fill(text, width, initial_indent=_INDENT, subsequent_indent=2 * _INDENT)


def _deviations(report: Report, *, verbose: bool) -> Iterator[RenderableType]:
    if verbose:
        yield from (Text(f"\n{words.deviation(*counted)}", "yellow") for counted in report.deviations)
    elif report.deviations:
        yield Text(f"\n{words.deviations(report)} (-v lists them)", "yellow")


def _conclusion(report: Report) -> Text:
    color = "bold green" if report.passed else "bold red"
    return Text(words.conclusion(report), color)
