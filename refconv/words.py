"""What somebody may have meant by a word that isn't known."""

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.7
"""From which ratio on, of :class:`difflib.SequenceMatcher`, a word may be meant by another."""


def nearest(given: object, known: Iterable[str]) -> str | None:
    """Return which of `known` comes nearest to `given`, whatever the case of its letters; None where none does."""
    spelled = {_plain(word): word for word in known}
    found = get_close_matches(_plain(str(given)), spelled, 1, _ALIKE)
    return spelled[found[0]] if found else None


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return what ends a message that `given` isn't known: a question, or nothing."""
    word = nearest(given, known)
    return f"; did you mean {word}?" if word else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")
