"""What foreign code says, cut and escaped where it enters: whatever it is, a report can show it."""

import os
import sys
import traceback

LINE = 200
"""Characters that are kept of one line."""
CHARACTERS = 2000
"""Characters that are kept of a message."""
LINES = 20
"""Lines that are kept of a message."""
_FRAMES = 4  # the last of a traceback
_RUNNING = os.path.join(os.path.dirname(__file__), "running") + os.sep  # what calls the implementation


def line_of(text: str) -> str:
    """Return the first line of `text` that isn't empty, cut and escaped."""
    lines = text[:CHARACTERS].strip().splitlines()
    return _cut(escaped(lines[0]), LINE) if lines else ""


def lines_of(text: str) -> str:
    """Return the lines of `text`, cut and escaped; where some are left out, it says so."""
    kept = text[: CHARACTERS + 1]
    lines = [escaped(line) for line in kept.expandtabs(4).strip("\n").splitlines()]
    shown = _cut("\n".join(lines[:LINES]), CHARACTERS)
    more = len(lines) > LINES or (len(text) > len(kept) and not shown.endswith("..."))
    return shown + "\n..." * more


def escaped(text: str) -> str:
    """Return `text` with what can't be printed spelled out: control characters, NUL, lone surrogates."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def said_by(error: BaseException) -> str:
    """Return the first line of what an exception says; nothing where it says nothing."""
    return line_of(_message(error))


def whole(error: BaseException) -> str:
    """Return an exception as a whole: type, message, the last frames of the implementation, and what caused it."""
    kind, message = type(error).__name__, _message(error)
    frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
    theirs = [frame for frame in frames if not frame.filename.startswith(_RUNNING)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = [
        lines_of(f"{kind}: {message}" if message else kind),
        *(line for frame in theirs for line in _frame(frame)),
        *([f"because of {line_of(f'{type(cause).__name__}: {_message(cause)}')}"] if cause else []),
    ]
    return "\n".join(parts)


def _frame(frame: traceback.FrameSummary) -> list[str]:
    place = f"  File {_importable(frame.filename)!r}, line {frame.lineno}, in {frame.name}"
    return [_cut(escaped(line), LINE) for line in (place, f"    {frame.line}") if line.strip()]


def _importable(path: str) -> str:
    """Return a path from the folder on that it is imported from."""
    folders = [os.path.join(os.path.abspath(folder), "") for folder in sys.path]
    return path[max((len(folder) for folder in folders if path.startswith(folder)), default=0) :]


def _message(error: BaseException) -> str:
    try:
        return str(error).strip()
    except Exception as second:
        return f"its message can't be read: {type(second).__name__}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
