"""What a check found: for the terminal, as JSON, as JUnit XML and as HTML."""

import io
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from oracle.deviations import Deviation
from oracle.judge import Verdict
from properties import Case

FEW = 0.1
"""Where less than this share of an operator's cases was judged, the rest declined, the check doesn't pass."""


@dataclass
class Tally:
    """What became of an operator's cases in one direction, up to the first failure."""

    operator: str
    direction: str
    cases: int = 0
    passed: int = 0
    declined: int = 0
    exact: int = 0
    vacuous: int = 0
    worst: float = 0.0  # error, in units of the statistical bound

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.cases += 1
        self.passed += verdict.passed
        self.declined += verdict.status == "declined"
        self.exact += verdict.exact
        self.vacuous += verdict.vacuous
        self.worst = max(self.worst, verdict.worst)

    @property
    def mostly_declined(self) -> bool:
        """Whether too few cases were judged for a verdict."""
        return self.cases - self.declined < FEW * self.cases


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong, with its smallest case."""

    operator: str
    direction: str
    law: str  # what doesn't hold
    case: Case
    reason: str
    diagnosis: str | None  # the bug's name
    script: str  # Python that shows it

    def __str__(self) -> str:
        """Show the reason and the call."""
        return f"{self.reason}  {self.case!r}"


@dataclass
class Report:
    """The outcome of :func:`oracle.check`."""

    subject: str
    version: str | None
    dtype: str
    arithmetic: str
    examples: int
    seed: int
    tallies: list[Tally] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # functions that the implementation lacks
    deviations: list[tuple[Deviation, int, int]] = field(
        default_factory=list
    )  # with how many cases matched, and failed
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether something was judged, nothing failed, and no operator was declined as good as wholly."""
        return bool(self.tallies) and not self.failures and not self.undecided

    @property
    def undecided(self) -> list[Tally]:
        """The tallies with too few judged cases for a verdict, and no failure that decides it."""
        failed = {(failure.operator, failure.direction) for failure in self.failures}
        return [
            tally for tally in self.tallies if tally.mostly_declined and (tally.operator, tally.direction) not in failed
        ]

    @property
    def declined(self) -> dict[str, int]:
        """How many cases the implementation refused with `Unsupported`, by operator."""
        counts = {tally.operator: 0 for tally in self.tallies}
        for tally in self.tallies:
            counts[tally.operator] += tally.declined
        return {operator: count for operator, count in counts.items() if count}

    def __str__(self) -> str:
        """Return what the terminal shows."""
        console = Console(file=io.StringIO(), width=120, color_system=None)
        with console.capture() as capture:
            self.show(console)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())

    def show(self, console: Console) -> None:
        """Print the report on a console of rich."""
        for part in _parts(self):
            console.print(part, soft_wrap=isinstance(part, Text), highlight=False)  # scripts must survive pasting

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON, its fields by their names; with `path`, write it there, too."""
        content = {
            "subject": self.subject,
            "version": self.version,
            "dtype": self.dtype,
            "arithmetic": self.arithmetic,
            "examples": self.examples,
            "seed": self.seed,
            "passed": self.passed,
            "failures": [_failure_fields(failure) for failure in self.failures],
            "declined": self.declined,
            "absent": self.absent,
            "deviations": [
                {**_deviation_fields(deviation), "matched": matched, "failed": failed}
                for deviation, matched, failed in self.deviations
            ],
            "tallies": [vars(tally) for tally in self.tallies],
            "seconds": round(self.seconds, 3),
            "platform": f"{platform.platform()}, Python {platform.python_version()}",
        }
        return _written(json.dumps(content, indent=2, allow_nan=False), path)

    def to_junit(self, path: str | Path | None = None) -> str:
        """Return the report as JUnit XML, a test for each operator and direction; with `path`, write it there, too."""
        tests = [(tally.operator, tally.direction) for tally in self.tallies]
        suite = ElementTree.Element(
            "testsuite", name=f"refconv check {self.subject}", time=f"{self.seconds:.3f}", tests=str(len(tests))
        )
        for tally in self.tallies:
            name = f"{tally.operator} {tally.direction}"
            test = ElementTree.SubElement(suite, "testcase", classname=self.subject, name=name)
            for failure in self.failures:
                if (failure.operator, failure.direction) == (tally.operator, tally.direction):
                    ElementTree.SubElement(test, "failure", message=_xml(str(failure))).text = _xml(failure.script)
            if tally in self.undecided:
                ElementTree.SubElement(test, "failure", message=_declined_words(tally))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        return _written(ElementTree.tostring(suite, encoding="unicode", xml_declaration=True), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one HTML page; with `path`, write it there, too."""
        console = Console(file=io.StringIO(), width=120, record=True)
        self.show(console)
        return _written(console.export_html(inline_styles=True), path)


def _parts(report: Report) -> list[RenderableType]:
    version = f" {report.version}" if report.version else ""
    settings = f"{report.dtype}, {report.arithmetic} arithmetic, {report.examples} examples, seed {report.seed}"
    parts: list[RenderableType] = [Text(f"{report.subject}{version}: {settings}\n")]
    if report.tallies:
        parts.append(_table(report))
    parts.extend(_failure_text(failure) for failure in report.failures)
    parts.extend(_deviation_text(*counted) for counted in report.deviations)
    if report.absent:
        parts.append(Text(f"\nabsent: {', '.join(report.absent)}"))
    return [*parts, _conclusion(report)]


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("operator", "direction"):
        table.add_column(column)
    for column in ("cases", "exact", "vacuous", "declined", "worst error"):
        table.add_column(column, justify="right")
    table.add_column("")
    failed = {(failure.operator, failure.direction) for failure in report.failures}
    for tally in report.tallies:
        outcome = Text("ok", "green")
        if (tally.operator, tally.direction) in failed:
            outcome = Text("FAILED", "bold red")
        elif tally in report.undecided:
            outcome = Text("DECLINED", "bold yellow")
        counts = (tally.cases, tally.exact, tally.vacuous, tally.declined)
        table.add_row(tally.operator, tally.direction, *map(str, counts), f"{tally.worst:.2f} B", outcome)
    return table


def _failure_text(failure: Failure) -> Text:
    head = Text(f"\n{failure.operator} {failure.direction}: ", "bold red")
    diagnosis = f"\nlooks like: {failure.diagnosis}" if failure.diagnosis else ""
    return Text.assemble(head, failure.reason, diagnosis, f"\n{failure.case!r}\n\n", _indented(failure.script))


def _indented(script: str) -> str:
    return "\n".join(f"    {line}" for line in script.splitlines())


def _deviation_text(deviation: Deviation, matched: int, failed: int) -> Text:
    shows = f"{failed} of {matched} cases" if failed else f"no longer shows ({matched} cases)"
    text = f"\nknown deviation, {shows}: {deviation.operator} {deviation.direction}: {deviation.reason}"
    return Text(f"{text} ({deviation.versions})", "yellow")


def _declined_words(tally: Tally) -> str:
    return f"declined {tally.declined} of {tally.cases} cases: too few are left for a verdict"


def _conclusion(report: Report) -> Text:
    cases = sum(tally.cases for tally in report.tallies)
    took = f"{cases} cases, {report.seconds:.1f} s"
    if report.passed:
        return Text(f"\n{report.subject} conforms: {took}", "bold green")
    if not report.tallies:
        return Text(f"\n{report.subject} doesn't conform: it offers nothing that could be checked", "bold red")
    declined = [f"{tally.operator} {tally.direction} {_declined_words(tally)}" for tally in report.undecided]
    failures = f"{len(report.failures)} failure{'s' * (len(report.failures) != 1)}"
    return Text(f"\n{report.subject} doesn't conform: {'; '.join([failures, *declined])}, {took}", "bold red")


def _failure_fields(failure: Failure) -> dict[str, Any]:
    return {**vars(failure), "case": _case_fields(failure.case)}


def _deviation_fields(deviation: Deviation) -> dict[str, Any]:
    return {name: value for name, value in vars(deviation).items() if name != "matches"}


def _case_fields(case: Case) -> dict[str, Any]:
    return {
        "operator": case.operator,
        "attributes": dict(case.attributes),
        "arrays": {
            name: None if array is None else {"dtype": str(array.dtype), "shape": array.shape, "values": _values(array)}
            for name, array in case.arrays.items()
        },
    }


def _values(array: Any) -> list[Any]:
    flat: Sequence[float] = np.ravel(array).tolist()
    return [value if np.isfinite(value) else str(value) for value in flat]  # JSON has no NaN


def _xml(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text + "\n", encoding="utf-8")
    return text
