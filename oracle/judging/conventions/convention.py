"""What a convention is: another definition of a part of an operator's calls, that correct code may follow.

An accepted one stands in the definition's place for a whole call: a result that is by the one here and by the other
there is by neither. Another one only explains a result, which stays wrong by the rule that it breaks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from oracle.judging.values import Expected
from properties import Case
from refconv import Arithmetic

Results: TypeAlias = Mapping[str, Expected | None]


@dataclass(frozen=True)
class Asked:
    """A call that isn't answered by the definition, and what is expected of it."""

    case: Case
    direction: str
    arithmetic: Arithmetic
    expected: Results | None  # by the definition; None where that refuses the call
    expect: Callable[[Case], Results | None]  # the same of another call, in the same direction


@dataclass(frozen=True)
class Convention:
    """Another definition of a part of an operator's calls."""

    name: str  # as reports tell it: "takes: ties split evenly"
    functions: frozenset[tuple[str, str]]  # operators with directions
    results: Callable[[Asked], Results | None]  # by the convention; None of calls of which it says nothing else
    rule: str | None = None  # by which it isn't accepted
