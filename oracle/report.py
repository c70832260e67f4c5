"""What a check found: for the terminal, as JSON, as JUnit XML and as HTML."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

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

    @property
    def declined_words(self) -> str:
        """What is said of an operator that is mostly declined."""
        return f"declined {self.declined} of {self.cases} cases: too few are left for a verdict"


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
    deviations: list[tuple[Deviation, int, int]] = field(default_factory=list)  # the cases that matched, and failed
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
        from oracle import terminal  # with rich, which a check that passes in silence does without

        return terminal.as_text(self)

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
                ElementTree.SubElement(test, "failure", message=tally.declined_words)
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        return _written(ElementTree.tostring(suite, encoding="unicode", xml_declaration=True), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one HTML page; with `path`, write it there, too."""
        from oracle import terminal

        return _written(terminal.as_html(self), path)


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
