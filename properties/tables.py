"""Draws from long tables, and of large numbers, that depend on the seed alone.

Where a range of integers reaches beyond 99, Hypothesis now and then draws a constant of whatever modules happen to be
imported: the same seed would draw other cases in another program. So large numbers are made of small ones.
"""

from collections.abc import Sequence
from typing import TypeVar

import hypothesis.strategies as st

T = TypeVar("T")
_DIGITS = st.integers(0, 99)

SEEDS = st.tuples(*[_DIGITS] * 4).map(lambda digits: sum(digit * 100**place for place, digit in enumerate(digits)))
"""Numbers that arrays are made from; they shrink towards 0."""


def picked(table: Sequence[T]) -> st.SearchStrategy[T]:
    """Draw an entry of a table of up to some thousand entries; it shrinks towards the first."""
    return st.tuples(_DIGITS, _DIGITS).map(lambda digits: table[(100 * digits[0] + digits[1]) % len(table)])
