"""Text of others, fit to be shown: what would steer a terminal or break a file is escaped, and what is long is cut."""

from oracle.said import escaped

LONGEST = 2000
"""Characters of a text that are shown."""


def plain(text: str, longest: int | None = LONGEST) -> str:
    r"""Return `text` with all that isn't printable, but for ends of lines, as Python spells it (``\x1b``).

    What is longer than `longest` lacks its middle. What is plain stays as it is.
    """
    if longest is None or len(text) <= longest:
        escaped = _escaped(text)
        if longest is None or len(escaped) <= longest:
            return escaped
    middle = f" ... ({len(text):,} characters) ... "
    end = longest // 4
    return _escaped(text[:longest])[: longest - end - len(middle)] + middle + _escaped(text[-end:])[-end:]


def one_line(text: str) -> str:
    r"""Return `text` as :func:`plain` does, with ends of lines as ``\n``."""
    return plain(text.replace("\r\n", "\n").replace("\n", r"\n"))


def _escaped(text: str) -> str:
    return "\n".join(map(escaped, text.replace("\r\n", "\n").split("\n")))
