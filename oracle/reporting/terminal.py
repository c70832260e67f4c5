"""A report as rich shows it: on a terminal, as text, and as HTML."""

import io
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from oracle.contract import Deviation
from oracle.reporting.report import Failure, Report, Tally

_COLUMNS = ("cases", "exact", "vacuous", "declined", "worst error", "bits")
_LAW_COLUMNS = ("laws", "cases", "exact", "declined")
_FEW = 8  # absent operators that are named one by one


def show(report: Report, console: Console) -> None:
    """Print `report` on `console`."""
    for part in _parts(report):
        console.print(part, soft_wrap=isinstance(part, Text), highlight=False)  # scripts must survive pasting


def as_text(report: Report) -> str:
    """Return what a terminal 120 columns wide shows."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        show(report, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def as_html(report: Report) -> str:
    """Return the same as one HTML page."""
    console = Console(file=io.StringIO(), width=120, record=True)
    show(report, console)
    return console.export_html(inline_styles=True)


def _parts(report: Report) -> list[RenderableType]:
    version = f" {report.version}" if report.version else ""
    extent = "" if report.examples is None else f"{report.examples} examples, "
    settings = f"{report.dtype}, {report.arithmetic} arithmetic, {extent}seed {report.seed}{_domain(report)}"
    parts: list[RenderableType] = [Text(f"{report.subject}{version}: {settings}\n")]
    if report.tallies:
        parts.append(_table(report))
        parts.extend(_remarks(report))
        parts.extend(_coverage(report))
    parts.extend(_failure_text(failure) for failure in report.failures)
    parts.extend(_deviation_text(*counted) for counted in report.deviations)
    if report.absent:
        parts.append(Text(f"\nabsent: {_absent(report)}"))
    return [*parts, _conclusion(report)]


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("operator", "direction"):
        table.add_column(column)
    for column in _LAW_COLUMNS if report.laws else _COLUMNS:
        table.add_column(column, justify="right")
    table.add_column("")
    failed = {(failure.operator, failure.row) for failure in report.failures}
    for tally in report.tallies:
        outcome = Text("ok", "green")
        if (tally.operator, tally.direction) in failed:
            outcome = Text("FAILED", "bold red")
        elif tally in report.undecided:
            outcome = Text("DECLINED", "bold yellow")
        table.add_row(tally.operator, tally.direction, *_counts(tally), outcome)
    return table


def _counts(tally: Tally) -> list[str]:
    if tally.laws:
        return [str(count) for count in (tally.laws, tally.cases, tally.exact, tally.declined)]
    counts = (tally.cases, tally.exact, tally.vacuous, tally.declined)
    return [*map(str, counts), f"{tally.worst:.2f} B", "" if tally.bits is None else str(tally.bits)]


def _remarks(report: Report) -> list[Text]:
    """Say which operators worked in fewer bits than their dtype has, and which cases were made anew."""
    remarks = [
        Text(f"\n{tally.operator} {tally.direction}: {report.dtype}, but {tally.imprecision}", "yellow")
        for tally in report.tallies
        if tally.imprecision
    ]
    words = {
        "empty": "cases of empty arrays",
        "refilled": "cases of zeros refilled",
        "refused": "calls that make no sense refused",
    }
    totals = {name: sum(getattr(tally, name) for tally in report.tallies) for name in words}
    counted = [f"{total} {words[name]}" for name, total in totals.items() if total]
    return [*remarks, Text(f"\n{', '.join(counted)}")] if counted else remarks


def _domain(report: Report) -> str:
    """Say of which part of all calls the verdict is."""
    entries = [f"{name} {' or '.join(sorted(map(str, values)))}" for name, values in report.only.items()]
    return f"; only {', '.join(entries)}" if entries else ""


def _of_domain(report: Report) -> str:
    """Say of which calls the verdict is, where it isn't of all."""
    declined = any(each.declined for each in report.coverage)
    parts = [" in that part" * bool(report.only), " but for what it declines" * declined]
    return "".join(parts)


def _coverage(report: Report) -> Iterator[RenderableType]:
    """Say what was covered of the calls of each operator, and what the implementation declines."""
    if not report.coverage:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("covered")
    for column in ("layers of networks", "pairs", "triples", "at random", "largest", "longest sum", "seconds"):
        table.add_column(column, justify="right")
    for each in report.coverage:
        table.add_row(
            each.operator,
            f"{each.layers} of {each.of_layers}",
            _share(each.pairs, each.of_pairs),
            _share(each.triples, each.of_triples),
            str(each.free),
            "x".join(map(str, each.largest)),
            f"{each.sum:,}",
            f"{each.seconds:.1f}",
        )
    yield Text("")
    yield table
    for each in report.coverage:
        if each.left_out:
            yield Text(f"\n{each.operator}: {each.left_out} cases left out, for which there isn't the memory", "yellow")
        if each.declined:
            yield Text(f"\n{each.operator} declines: {'; '.join(each.declined)}", "yellow")


def _share(part: int, whole: int) -> str:
    """Return a share in per cent, rounded down: 100 % is all."""
    return "" if not whole else f"{100 * part // whole} %"


def _failure_text(failure: Failure) -> Text:
    head = Text(f"\n{failure.operator} {failure.direction}: ", "bold red")
    law = [f"breaks the law: {failure.law}\n"] if failure.statement else []
    stated = [f"\n{failure.statement}"] if failure.statement else []
    return Text.assemble(
        *(head, *law, failure.reason, *stated, *_diagnosis(failure)),
        *([f"\n{failure.threshold}"] if failure.threshold else []),
        *([f"\n\n{_indented(failure.details)}\n"] if failure.details else []),
        f"\n{failure.case!r}\n\n{_indented(failure.shown)}{chr(10) * 2 if failure.shown else ''}",
        _indented(failure.script),
    )


def _diagnosis(failure: Failure) -> list[tuple[str, str] | str]:
    if failure.diagnosis is None:
        return []
    thread = f" ({failure.thread} was one)" if failure.thread else ""
    return [("\nlooks like: ", "bold"), failure.diagnosis, f"\n{failure.cause}{thread}"]


def _indented(script: str) -> str:
    return "\n".join(f"    {line}" for line in script.splitlines())


def _deviation_text(deviation: Deviation, matched: int, failed: int) -> Text:
    shows = f"{failed} of {matched} cases" if failed else f"did not show in {matched} cases"
    text = f"\nknown deviation, {shows}: {deviation.operator} {deviation.direction}: {deviation.reason}"
    return Text(f"{text} ({deviation.versions})", "yellow")


def _absent(report: Report) -> str:
    """Name the functions that an operator lacks of its two, and the operators of which there is neither, if few."""
    whole = [name for name in report.absent if f"{name}_backward" in report.absent]
    named = [name for name in report.absent if name.removesuffix("_backward") not in whole]
    if len(whole) > _FEW:
        return "; ".join([*filter(None, [", ".join(named)]), f"{len(whole)} other operators, forward and backward"])
    return ", ".join(report.absent)


def _conclusion(report: Report) -> Text:
    cases = sum(tally.cases for tally in report.tallies)
    took = f"{cases} cases, {report.seconds:.1f} s"
    if not report.complete:
        return Text(f"\n{report.subject}: interrupted after {took}", "bold red")
    if report.passed:
        return Text(f"\n{report.subject} conforms{_of_domain(report)}: {took}", "bold green")
    if not report.tallies:
        return Text(f"\n{report.subject} doesn't conform: it offers nothing that could be checked", "bold red")
    declined = [f"{tally.operator} {tally.direction} {tally.declined_words}" for tally in report.undecided]
    failures = f"{len(report.failures)} failure{'s' * (len(report.failures) != 1)}"
    return Text(f"\n{report.subject} doesn't conform: {'; '.join([failures, *declined])}, {took}", "bold red")
