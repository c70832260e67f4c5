"""A report as it may be shown: what implementations have a say in is plain."""

from dataclasses import fields, replace
from typing import Any

from oracle.reporting.plain import one_line, plain
from oracle.reporting.report import Failure, Report


def presentable(report: Report) -> Report:
    """Return what `report` holds, with the texts that implementations have a say in made plain."""
    return replace(
        report,
        subject=one_line(report.subject),
        version=report.version and one_line(report.version),
        failures=list(map(_presentable_failure, report.failures)),
        deviations=[(_with_plain_texts(known), matched, failed) for known, matched, failed in report.deviations],
        only={name: frozenset(one_line(str(value)) for value in values) for name, values in report.only.items()},
    )


def _presentable_failure(failure: Failure) -> Failure:
    shown: Failure = _with_plain_texts(failure)
    return replace(shown, write=lambda: plain(failure.script, None))  # it is to be run: nothing is left out


def _with_plain_texts(record: Any) -> Any:
    """Return a copy of a dataclass all of whose fields of text are plain."""
    texts = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(record, **{name: plain(text) for name, text in texts.items() if isinstance(text, str)})
