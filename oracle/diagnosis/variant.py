"""A wrong variant of an operator's function: one mistake that people make, by its name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refconv import operators

Function = Callable[..., Any]


@dataclass(frozen=True)
class Variant:
    """What an operator's function computes with one mistake in it."""

    operator: str
    direction: str  # "forward" or "backward"
    name: str  # of the mistake, as a report says it
    cause: str  # how it usually comes about, in a sentence
    function: Function  # with the operator's signature
    thread: str | None  # where a released library has had it: "owner/repository#number", or a commit
    unwritten: bool  # NaN in what it returns stands for elements that it doesn't write: they hold anything
    symptom: bool  # a verdict's reason says it, whatever the values

    def implementation(self) -> Function:
        """Return the function; one that keeps something between calls is made anew."""
        stateful = inspect.isclass(self.function)
        made: Function = self.function() if stateful else self.function
        return made

    @property
    def key(self) -> str:
        """What names this variant alone."""
        return f"{self.operator} {self.direction}: {self.name}"


class Catalogue:
    """Collects variants: an instance decorates their functions."""

    def __init__(self) -> None:
        self.variants: list[Variant] = []

    def __call__(
        self,
        called: str,
        name: str,
        cause: str,
        *,
        thread: str | None = None,
        unwritten: bool = False,
        symptom: bool = False,
    ) -> Callable[[Function], Function]:
        """Take the decorated function for a variant of the one `called` so: an operator, or it and ``_backward``."""
        operator = called.removesuffix("_backward")
        direction = "forward" if called == operator else "backward"
        assert operator in operators, called

        def add(function: Function) -> Function:
            self.variants.append(Variant(operator, direction, name, cause, function, thread, unwritten, symptom))
            return function

        return add
