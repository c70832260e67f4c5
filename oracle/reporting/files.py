"""Files: reports and cases are written whole or not at all, and read with suspicion."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oracle.contract import DIRECTIONS, Call
from properties.fields import FieldsError, from_fields, to_fields

if TYPE_CHECKING:
    from oracle.reporting.report import Failure

REFUSES = "refuses what makes no sense"
"""The law that a call breaks which the reference refuses, and the implementation doesn't."""
CASE = "refconv case"
REPORT = "refconv report"
VERSIONS = {CASE: 1, REPORT: 2}
"""The newest of each format; older ones can be read, too."""

_LARGEST = 1 << 28  # bytes


class FileError(ValueError):
    """A file that isn't a case or a report, or can't be read; the message is one line."""


def write(path: str | Path, text: str) -> None:
    """Write `text` to `path`: who reads it sees all of it or what was there before, whatever happens meanwhile."""
    target = Path(os.path.realpath(path))
    if (target.exists() and not target.is_file()) or not os.access(target.parent, os.W_OK):
        target.write_text(text, encoding="utf-8")  # a pipe or device can't be replaced
        return
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)


def header(kind: str) -> dict[str, object]:
    """Return the fields that a file begins with."""
    return {"format": kind, "format_version": VERSIONS[kind]}


def call_fields(failure: "Failure") -> list[dict[str, Any]]:
    """Return the calls that show `failure` as plain data; what makes no sense is marked so."""
    mark = {"makes_sense": False} if failure.law == REFUSES else {}
    return [{"direction": direction, **mark, **to_fields(case)} for case, direction in failure.calls]


def keep_all(folder: Path, subject: str, failures: Iterable["Failure"]) -> list[tuple["Failure", Path]]:
    """Write the calls that show each of some failures into `folder`; return the failures with their files."""
    counts: Counter[tuple[str, str]] = Counter()
    kept = []
    for failure in failures:
        counts[failure.operator, failure.direction] += 1
        kept.append((failure, keep(folder, subject, failure, counts[failure.operator, failure.direction])))
    return kept


def keep(folder: Path, subject: str, failure: "Failure", number: int = 1) -> Path:
    """Write the calls that show `failure` into `folder`, of several in one direction with its `number`."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [re.sub(r"[^\w.@-]+", "_", subject).strip("."), failure.operator, failure.direction]
    words += [str(number)] if number > 1 else []
    path = folder / f"{'-'.join(words)}.json"
    write(path, json.dumps({**header(CASE), "calls": call_fields(failure)}) + "\n")
    return path


def read_calls(path: str | Path) -> list[list[Call]]:
    """Read the calls that a case file holds, or those of each failure in a report.

    Raises
    ------
    FileError
        If the file can't be read, is neither, is of a newer version, or describes a call that makes no sense.
    """
    try:
        content = _content(Path(path))
        if content["format"] == REPORT:
            listed = [failure["calls"] for failure in content["failures"]]
        else:
            listed = [content["calls"]]
        return [_calls(fields) for fields in listed]
    except FieldsError as error:
        raise FileError(f"{path}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path}: neither a case nor a report of refconv") from error


def _content(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise FileError(f"{path}: no such file")
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{path}: larger than {_LARGEST >> 20} MiB")
        content = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: not JSON, or cut off: {str(error).splitlines()[0]}") from error
    newest = VERSIONS[content["format"]]
    if type(content["format_version"]) is not int or not 1 <= content["format_version"] <= newest:
        shown = (
            str(content["format_version"])[:20] if type(content["format_version"]) in {int, float, str} else "another"
        )
        raise FileError(f"{path}: of version {shown}; this refconv reads version {newest}")
    return dict(content)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _calls(fields: object) -> list[Call]:
    if not isinstance(fields, list) or not fields:
        raise FieldsError("calls must be a list of at least one call")
    return [_call(entry) for entry in fields]


def _call(fields: Any) -> Call:
    direction = fields["direction"]
    if direction not in DIRECTIONS:
        raise FieldsError(f"direction must be one of {', '.join(DIRECTIONS)}")
    makes_sense = fields.get("makes_sense", True)
    if type(makes_sense) is not bool:
        raise FieldsError("makes_sense must be true or false")
    described = {name: value for name, value in fields.items() if name not in {"direction", "makes_sense"}}
    return from_fields(described, makes_sense=makes_sense), direction
