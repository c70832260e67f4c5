"""Calls that make no sense, each with the rule that it breaks: a valid case of which one thing is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import hypothesis.strategies as st
import numpy as np

from properties.case import Case
from properties.invalid import attention, contradictions, convolutions, maxima, norms, pointwise, products, resampling
from properties.invalid.vocabulary import Breakage, array_rows, rank, shape
from properties.strategies import STRATEGIES, apart, cases
from properties.tables import SEEDS
from refconv import operators

_OWN: Mapping[str, list[Breakage]] = {
    **convolutions.ROWS,
    **maxima.ROWS,
    **norms.ROWS,
    **pointwise.ROWS,
    **resampling.ROWS,
    **products.ROWS,
    **attention.ROWS,
}
ROWS: Mapping[str, list[Breakage]] = {name: [*array_rows(name), *_OWN[name]] for name in operators}
"""What can be broken, by operator; the first row fits every case."""


@dataclass(frozen=True, repr=False)
class InvalidCase:
    """A call that must be refused because `argument` breaks `rule`.

    What the refusal says begins ``{argument} must {rule}``.
    """

    operator: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, object]
    grad_output: Any
    argument: str
    rule: str

    def __repr__(self) -> str:
        """Show the call and the rule that it breaks."""
        inputs = [f"{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value) for value in self.inputs]
        attributes = [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"{self.operator}({', '.join([*inputs, *attributes])}): {self.argument} must {self.rule}"


def invalid_cases(operator: str, *, dtype: str = "float32") -> st.SearchStrategy[InvalidCase]:
    """Draw calls of `operator` that make no sense.

    Each differs from a valid case in one argument, or in those that don't go together. Shrinks towards the smallest
    case.
    """
    return _broken_cases(operator, dtype)


@cache
def _broken_cases(operator: str, dtype: str) -> st.SearchStrategy[InvalidCase]:
    return st.builds(broken, cases(operator, dtype=dtype), st.sampled_from(ROWS[operator]))


def contradictory_cases(operator: str, *, dtype: str = "float32") -> st.SearchStrategy[Case]:
    """Draw calls of `operator` that contradict themselves, so that any implementation must refuse them.

    Their arrays are of `dtype`, their attributes of the right type: what breaks is what goes together. Where that is
    the shape of `grad_output` alone, the forward makes sense. Shrinks towards the smallest case.
    """
    return _contradictory_cases(operator, dtype)


@cache
def _contradictory_cases(operator: str, dtype: str) -> st.SearchStrategy[Case]:
    return apart(st.builds(contradiction, STRATEGIES[operator](dtype), SEEDS))


def contradiction(case: Case, number: int) -> Case:
    """Return `case` changed so that it contradicts itself, in one of many ways by `number`."""
    case = contradictions.of_a_batch(case)
    rows = ROWS[case.operator]
    shuffled = Random(number).sample(rows, len(rows))
    fitting = (row for row in shuffled if contradictions.contradicts(case, row))
    return _broken_by(case, next(fitting, contradictions.ANOTHER_GRADIENT))


def all_contradictions(case: Case) -> list[Case]:
    """Return `case` changed in each of the ways by which it can contradict itself."""
    case = contradictions.of_a_batch(case)
    return [_broken_by(case, row) for row in ROWS[case.operator] if contradictions.contradicts(case, row)]


def _broken_by(case: Case, row: Breakage) -> Case:
    changed = row.change(case)
    attributes = {name: changed.get(name, value) for name, value in case.attributes.items()}
    given: dict[str, Any] = {**case.arrays, **changed}
    return Case(case.operator, tuple(given[name] for name in case.row.inputs), attributes, given["grad_output"])


def broken(case: Case, breakage: Breakage) -> InvalidCase:
    """Return `case` broken as `breakage` says, or as the first row does if it doesn't fit the case."""
    if not breakage.change(case):
        breakage = ROWS[case.operator][0]
    changed = breakage.change(case)
    axes = rank(case)
    first = next(iter(case.row.inputs))
    channels = shape(case, first)[1] if axes >= 0 else 0
    rule = breakage.rule.format(rank=axes, ndim=axes + 2, in_channels=channels)
    return InvalidCase(
        case.operator,
        tuple(changed.get(name, array) for name, array in zip(case.row.inputs, case.inputs, strict=True)),
        {name: changed.get(name, value) for name, value in case.attributes.items()},
        changed.get("grad_output", case.grad_output),
        breakage.argument,
        rule,
    )
