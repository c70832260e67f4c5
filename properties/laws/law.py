"""A law: an identity between results of one implementation, which holds whatever the arrays hold.

What a law compares are results, with the bounds on their rounding errors, as arrays that carry errors
(:class:`refconv.rounding.Rounded`); no reference value is needed. Laws take the cases of `properties.cases` as they
are, and make other calls of them: what NumPy cuts out of an array, masks, or multiplies by a power of two is exact.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from math import prod
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from properties.axes import within
from properties.case import Case
from refconv import operators
from refconv.arguments import Array
from refconv.bounds import FLOAT64
from refconv.rounding import Rounded, exactly

Results: TypeAlias = Mapping[str, Rounded]


class Calls(Protocol):
    """The functions of an implementation, as laws call them."""

    def forward(self, case: Case) -> Rounded:
        """Return the first output of a call."""

    def outputs(self, case: Case) -> Results:
        """Return all outputs of a call by name, those that aren't None."""

    def backward(self, case: Case) -> Results:
        """Return the gradients of a call by the names of the inputs, those that aren't None."""


class Equation(NamedTuple):
    """Two results that must be equal, but for rounding errors; what is plain is exact."""

    left: Rounded
    right: Rounded | Array
    name: str = "output"


Statement: TypeAlias = Callable[[Calls, Case], Iterator[Equation]]


@dataclass(frozen=True)
class Law:
    """An identity that an operator obeys, stated by a function that yields equations; none where it doesn't apply."""

    operator: str
    direction: str  # "backward" where a gradient takes part
    statement: Statement
    needs: tuple[str, ...]  # the functions that it calls

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.statement.__name__.replace("_", " ")

    @property
    def text(self) -> str:
        """The identity, and why it holds."""
        return cleandoc(self.statement.__doc__ or "")

    def __str__(self) -> str:
        return f"{self.operator} {self.direction}: {self.name}"


class Laws:
    """Collects laws: an instance decorates the functions that state them."""

    def __init__(self) -> None:
        self.laws: list[Law] = []

    def __call__(
        self, *names: str, backward: bool = False, forward: bool = True, needs: Sequence[str] = ()
    ) -> Callable[[Statement], Statement]:
        """Take the decorated function for a law of the operators called `names`.

        It calls the operator's forward, its `backward`, or both; and whatever else it `needs`.
        """

        def add(statement: Statement) -> Statement:
            for name in names:
                assert name in operators, name
                own = [name] * forward + [f"{name}_backward"] * backward
                direction = "backward" if backward else "forward"
                self.laws.append(Law(name, direction, statement, (*own, *needs)))
            return statement

        return add


def call(operator: str, *inputs: Array | None, **attributes: object) -> Case:
    """Return a call of an operator's forward: its `grad_output` is a placeholder."""
    row = operators[operator]
    given = (*inputs, *[None] * (len(row.inputs) - len(inputs)))
    first = next(array for array in inputs if array is not None)
    return Case(operator, given, {**row.attributes, **attributes}, np.zeros((), first.dtype))


def generator(case: Case) -> np.random.Generator:
    """Return a generator of random numbers that depends on the case alone."""
    return np.random.default_rng(case.number)


def exact(values: Array | np.generic) -> Rounded:
    """Return `values` as a result without error."""
    return exactly(np.asarray(values, np.float64), FLOAT64)


def joined(parts: Sequence[Rounded], axis: int) -> Rounded:
    """Return `parts` one behind the other along `axis`."""
    values, errors = ([getattr(part, name) for part in parts] for name in ("value", "error"))
    return Rounded(np.concatenate(values, axis), np.concatenate(errors, axis), FLOAT64)


def product(one: Rounded, other: Array) -> Rounded:
    """Return the sum of the products of their elements."""
    return (one * other.astype(np.float64)).sum(None, keepdims=False)


def take(values: Array, axis: int, part: slice) -> Array:
    """Return a part of an array along one of its axes, a view."""
    taken: Array = values[(slice(None),) * axis + (part,)]
    return taken


def at(*index: Any) -> Any:
    """Return the index of all samples and channels, with `index` along the spatial axes."""
    return within(slice(None), slice(None), *index)


def planes(values: Array) -> Array:
    """Return `values` with all spatial axes laid out as one."""
    return values.reshape(*values.shape[:2], prod(values.shape[2:]))


def halves(values: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return two arrays whose sum is `values`, exactly: each element is in one of them, and 0 in the other."""
    mask = rng.random(values.shape) < 0.5
    zero = np.zeros((), values.dtype)
    return np.where(mask, values, zero), np.where(mask, zero, values)
