"""An implementation of another hand, honest but for one mistake, and what may be said of it."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.contract import function_name

Make = Callable[[str], Callable[..., Any]]
"""Returns the function with the mistake that is asked for, or the honest one for ``""``."""


class Stranger(NamedTuple):
    """A function with one mistake.

    Words are alternatives, each a few regular expressions joined by `` & ``, all of which must be found, whatever the
    case of letters.
    """

    operator: str
    direction: str  # "forward" or "backward"
    mistake: str  # what is wrong, and when
    make: Make
    names: tuple[str, ...]  # words for what a right name says; any other name is a wrong one
    conditions: tuple[str, ...]  # words for what a right condition says
    domain: dict[str, Any]  # what it is for
    isolated: bool  # what one call does to another is seen in a process of its own

    @property
    def key(self) -> str:
        """What names it alone."""
        return f"{self.operator} {self.direction}: {self.mistake}"

    @property
    def identifier(self) -> str:
        """What it is called in Python."""
        return re.sub(r"\W+", "_", self.key)

    def subject(self, *, honest: bool = False) -> SimpleNamespace:
        """Return it as an implementation, with its mistake or without."""
        called = function_name(self.operator, self.direction)
        function = _guarded(called, self.make("" if honest else self.mistake))
        return SimpleNamespace(**{called: function}, name=self.key, domain=self.domain)


def _guarded(called: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, refusing what the reference refuses: that isn't what is measured here."""
    reference = getattr(refconv, called)

    def guarded(*arrays: Any, **attributes: Any) -> Any:
        reference(*arrays, **attributes)
        with np.errstate(all="ignore"):
            return function(*arrays, **attributes)

    return guarded


class Collection:
    """Collects strangers: an instance is called with what they have in common."""

    def __init__(self) -> None:
        self.strangers: list[Stranger] = []

    def __call__(
        self,
        called: str,
        make: Make,
        mistake: str,
        *,
        names: str | tuple[str, ...] = (),
        when: str | tuple[str, ...] = (),
        domain: dict[str, Any] | None = None,
        isolated: bool = False,
    ) -> None:
        """Take the `mistake` of the function that `make` makes, `called` as in the contract."""
        operator = called.removesuffix("_backward")
        direction = "forward" if called == operator else "backward"
        right, true = ((word,) if isinstance(word, str) else word for word in (names, when))
        self.strangers.append(Stranger(operator, direction, mistake, make, right, true, domain or {}, isolated))


def says(text: str | None, words: tuple[str, ...]) -> bool:
    """Whether `text` says one of `words`."""
    return text is not None and any(
        all(re.search(part, text, re.IGNORECASE) for part in word.split(" & ")) for word in words
    )


def near(number: int) -> str:
    """Return words for a size about as large: the exact one needs calls just below it and above."""
    return rf"\b({'|'.join(map(str, range(int(number * 0.85), int(number * 1.25) + 2)))})\b"
