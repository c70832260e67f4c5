"""How much is searched."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from properties.plan import LARGEST

FREE = 60
"""Cases that are drawn at random after those of the plan, where the number of cases isn't said."""
FAILURES = 5
"""Failures that are looked into in each direction of an operator, where their number isn't said."""
_QUICK = 20  # the cases of a check of so and so many are smaller by this factor


class Extent(NamedTuple):
    """How much is searched: the number of cases, the sizes, the part of all calls, and when to stop."""

    examples: int | None = None  # by default the whole plan, and `FREE` others
    most: int | None = None  # multiply-adds of a case
    only: Mapping[str, frozenset[Any]] = MappingProxyType({})
    until: float = math.inf  # by ``time.perf_counter``
    specials: bool = True  # whether cases have special values
    failures: int = FAILURES  # that are looked into in each direction, at most

    @property
    def largest(self) -> int:
        """The multiply-adds of a case, at most: where only some cases are asked for, they are small."""
        return self.most or (LARGEST if self.examples is None else LARGEST // _QUICK)

    def shares(self, layers: int) -> tuple[int | None, int | None, int]:
        """Return how many layers, cases of the design, and others there are: of few cases, half are others."""
        if self.examples is None:
            return None, None, FREE
        free = -(-self.examples // 2)
        of_layers = min(layers, (self.examples - free + 1) // 2)
        return of_layers, self.examples - free - of_layers, free
