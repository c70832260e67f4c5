"""Text of others, fit to be shown: what would steer a terminal or break a file is escaped, and what is long is cut."""

from dataclasses import fields, replace
from typing import Any

from oracle.reporting.report import Failure, Report

LONGEST = 2000
"""Characters of a text that are shown."""


def plain(text: str, longest: int | None = LONGEST) -> str:
    r"""Return `text` with all that isn't printable, but for ends of lines, as Python spells it (``\x1b``), and cut."""
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - longest // 4]} ... ({len(text):,} characters) ... {text[-longest // 4 :]}"
    lines = (_escaped(line) for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines)


def one_line(text: str) -> str:
    r"""Return `text` as :func:`plain` does, with ends of lines as ``\n``."""
    return plain(text).replace("\n", r"\n")


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in line
    )


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
