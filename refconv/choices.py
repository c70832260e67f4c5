"""What an option takes that has one of some words."""

from collections.abc import Callable, Iterable
from typing import Any

import click

from refconv.words import did_you_mean


class Known(click.Choice[str]):
    """One of some words; where it is none of them, the refusal says which may have been meant.

    Parameters
    ----------
    words : iterable of str
        All that there are.
    meant : callable, optional
        Returns how the refusal ends, for what was given and all words.
    """

    def __init__(self, words: Iterable[str], meant: Callable[[str, Iterable[str]], str] = did_you_mean) -> None:
        super().__init__(list(words))
        self._meant = meant

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the refusal."""
        refusal = super().get_invalid_choice_message(value, ctx).removesuffix(".")
        return f"{refusal}{self._meant(str(value), self.choices)}"
