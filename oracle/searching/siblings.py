"""Calls that are like a given one but for one thing: its content, an attribute, or one value that is special.

What an implementation keeps between calls, it takes from the wrong one of two that are alike. What isn't finite, -0.0,
and the ends of the format's range come one at a time, in each array in turn.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from properties import SPECIALS, Case, refilled, with_special
from properties.case import all_finite
from properties.special import places
from refconv import Operator

_SEED = 1000  # beyond what is used to fill a case again
_ALIKE = 40  # one case in so many has a sibling of other content
_CHANGED = 80  # one case in so many has a sibling by each attribute
_FEW = 4  # results, which may be equal by chance
_CLEAR = 0.01  # relative difference of results; beyond the roundings of bfloat16, 2**-9 each
_LARGE = 4096  # elements of an array; cases with more are costly, and few
_SPECIAL = 10  # one case in so many has a sibling with a special value, in the first input and the others by turns
_PATIENCE = 3  # cases
_ORDER = ("nan", "inf", "-0.0", "-inf", "largest", "subnormal", "-largest")
assert set(_ORDER) == set(SPECIALS)


class Sibling(NamedTuple):
    """What is different."""

    kind: str  # "content", "attribute" or "special"
    name: str = ""  # of the attribute, or of the array
    special: str = ""
    place: int = 0

    def of(self, case: Case) -> Case | None:
        """Return the sibling of `case`; None if it has none of this kind."""
        if self.kind == "content":
            return refilled(case, _SEED)
        if self.kind == "special":
            if self.name not in places(case):
                return None
            value = SPECIALS[self.special](case.dtype)
            return with_special(refilled(case, _SEED), self.name, value, self.place)
        given = case.attributes[self.name]
        changed = _other(given)
        other = Case(case.operator, case.inputs, {**case.attributes, self.name: changed}, case.grad_output)
        return other if changed is not given and other.refusal("backward") is None else None


_CONTENT = Sibling("content")


class Siblings:
    """Chooses siblings, one now and then, where it makes a difference; attributes and special values take turns."""

    def __init__(self, row: Operator, direction: str) -> None:
        self._direction = direction
        self._attributes = deque(row.attributes)
        self._seen = 0  # cases with more than a few results
        self._attribute_due = self._special_due = False
        self._waited = 0  # cases, for one that hands a special value on
        first, *others = [*row.inputs, *["grad_output"] * (direction == "backward")]
        self._turns = [deque((name, special) for special in _ORDER for name in names) for names in ([first], others)]

    def of(self, case: Case, *, specials: bool = True) -> Iterator[tuple[Sibling, Case]]:
        """Yield the siblings of `case`, if it has any, and what each of them is."""
        if case.grad_output.size <= _FEW or any(
            array is not None and array.size > _LARGE for array in case.arrays.values()
        ):
            return
        self._seen += 1
        if self._seen % _ALIKE == _ALIKE // 3:
            yield _CONTENT, refilled(case, _SEED)
        self._attribute_due |= self._seen % max(_CHANGED // max(len(self._attributes), 1), 1) == 0
        if self._attribute_due:
            yield from self._with_an_attribute(case)
        self._special_due |= self._seen % _SPECIAL == 0
        if self._special_due and specials:
            yield from self._with_a_special(case)

    def _with_a_special(self, case: Case) -> Iterator[tuple[Sibling, Case]]:
        """Yield a sibling with a special value; wait a little for a case that hands it on."""
        turns, present = self._turns[0], places(case)
        turn = next((turn for turn in turns if turn[0] in present), None)
        sibling = turn and Sibling("special", *turn, case.number)
        other = sibling and sibling.of(case)
        self._waited += 1
        if self._waited < _PATIENCE and not (other and self._hands_on(other)):
            return
        self._special_due, self._waited = False, 0
        self._turns.reverse()
        if turn and sibling and other:
            turns.remove(turn)
            turns.append(turn)  # it is the last to come up again
            yield sibling, other

    def _hands_on(self, case: Case) -> bool:
        """Whether something that isn't finite comes out, if there is any."""
        return all_finite(case.arrays.values()) or not all_finite(case.reference(self._direction))

    def _with_an_attribute(self, case: Case) -> Iterator[tuple[Sibling, Case]]:
        """Yield the sibling by the attribute whose turn it is, of those that make a difference here."""
        for name in self._attributes:
            sibling = Sibling("attribute", name)
            other = sibling.of(case)
            if other is not None and _differ(case, other, self._direction):
                self._attribute_due = False
                self._attributes.remove(name)
                self._attributes.append(name)
                yield sibling, other
                return


def _differ(case: Case, other: Case, direction: str) -> bool:
    """Whether the reference gives other results, by more than any rounding."""
    results, others = case.reference(direction), other.reference(direction)
    return len(results) != len(others) or any(
        one is not None and not np.allclose(one, another, rtol=_CLEAR, equal_nan=True)
        for one, another in zip(results, others, strict=True)
    )


def _other(value: object) -> object:
    """Return another value of the same kind; the same where there is no telling."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value / 2 + 0.25
    return 3 if value is None else value
