"""A failing case made smaller: which of the cases that are tried fail, too, and how long that is tried."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic

from oracle.searching.descent import Descent
from oracle.searching.drawing import S, fingerprint
from properties import Case
from properties.domain import fits
from properties.models import Recipe

SHRINKING = 30.0
"""Seconds after which a failing case is made smaller no further."""


class Reduction(Generic[S]):
    """The search for a smaller case that fails as the `first` did, which came of the case that was `drawn`.

    What has failed is told again as it was, whenever Hypothesis asks; after a while, all others pass.
    """

    def __init__(self, first: S, drawn: Case, again: Callable[[Case], S | None]) -> None:
        self.first = first
        self._again = again
        self._known = {fingerprint(drawn): first}
        self._until = time.perf_counter() + SHRINKING

    def of(self, case: Case) -> S | None:
        """Return how a smaller case fails, if it does."""
        mark = fingerprint(case)
        if mark in self._known or time.perf_counter() > self._until:
            return self._known.get(mark)
        struck = self._again(case)
        if struck is not None:
            self._known[mark] = struck
        return struck

    def descended(self, recipe: Recipe, dtype: str, only: Mapping[str, frozenset[Any]]) -> tuple[S, Descent]:
        """Return the smallest case of the model that fails, and the way down to it."""
        smallest = [self.first]

        def fails(case: Case) -> bool:
            struck = self.of(case) if fits(case, only) else None
            smallest.extend([] if struck is None else [struck])
            return struck is not None

        descent = Descent(recipe, dtype, fails, self._until)
        descent.run()
        return smallest[-1], descent
