"""The contract: what an implementation is, what may be asked of it, and what it must return.

Wrappers and adapters import it, and nothing above it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracle.said import line_of, said_by
from properties import Case
from properties.domain import DomainError, alternatives
from refconv.arguments import Array

DIRECTIONS = ("forward", "backward")
Results = Mapping[str, Array | None]
Call = tuple[Case, str]  # with its direction


class Unsupported(Exception):  # noqa: N818  # a refusal that the contract foresees, not an error
    """Raised by an implementation that doesn't offer what a case asks for: the case is declined, not failed."""


class NoResultsError(Exception):
    """What was returned isn't what the contract asks for."""


@dataclass(frozen=True)
class Deviation:
    """A known fault of an implementation; its failures on the cases that match are counted apart, not hidden.

    An implementation declares its deviations in an attribute ``deviations``.
    """

    operator: str
    direction: str  # "forward" or "backward"
    matches: Callable[[Case], bool]
    reason: str
    versions: str  # in which it was seen
    smallest: str  # the smallest case, as a call
    script: str  # Python that shows it, without us
    thread: str | None = None  # where it is reported
    crashes: bool = False  # so that it is only run in a process of its own


def deviation_of(implementation: object, case: Case, direction: str) -> Deviation | None:
    """Return the first deviation of `implementation` that matches `case` in `direction`."""
    declared: tuple[Deviation, ...] = getattr(implementation, "deviations", ())
    for deviation in declared:
        if (deviation.operator, deviation.direction) == (case.operator, direction) and _matches(deviation, case):
            return deviation
    return None


def _matches(deviation: Deviation, case: Case) -> bool:
    try:
        return deviation.matches(case)
    except Exception:
        if case.refusal(deviation.direction) is None:
            raise
        return False  # of a call that makes no sense, not even the sizes are certain


def function_name(operator: str, direction: str) -> str:
    """Return what the function for `operator` in `direction` is called."""
    return operator if direction == "forward" else f"{operator}_backward"


def function_of(implementation: object, operator: str, direction: str) -> Callable[..., Any] | None:
    """Return the implementation's function for `operator` in `direction`, None where it has none."""
    function: Callable[..., Any] | None = getattr(implementation, function_name(operator, direction), None)
    return function


def domain_of(implementation: object) -> dict[str, frozenset[Any]]:
    """Return the part of all calls that an implementation says it is for: its attribute `domain`, all by default.

    Raises
    ------
    DomainError
        For one that is no domain, or can't be read.
    """
    try:
        own = getattr(implementation, "domain", None)
    except Exception as error:  # it may be a property
        raise DomainError(f"the domain can't be read: {type(error).__name__}: {said_by(error)}") from error
    return alternatives({} if own is None else own, "the domain")


def arguments_of(case: Case, direction: str) -> Results:
    """Return the arrays that the function for `direction` takes, by name and in their order."""
    return {name: array for name, array in case.arrays.items() if direction == "backward" or name != "grad_output"}


def names_of(case: Case, direction: str) -> tuple[str, ...]:
    """Return what a function for `direction` returns, by the names of its fields: the outputs, or the gradients."""
    return case.row.outputs(**case.attributes) if direction == "forward" else case.row.differentiable


def results_of(returned: Any, case: Case, direction: str) -> Results:
    """Read what was returned as arrays by name: the outputs, or the gradients."""
    names = names_of(case, direction)
    if direction == "forward":
        if len(names) == 1:
            return {names[0]: _read(names[0], returned)}
        return _named(names, _each(returned, names, f"a forward must return {', '.join(names)}"))
    rule = f"a backward must return a gradient for each of {', '.join(names)}"
    gradients = [returned] if _is_the_gradient(returned, names) else _each(returned, names, rule)
    return _named([f"grad_{name}" for name in names], gradients)


def _is_the_gradient(returned: Any, names: Sequence[str]) -> bool:
    """Whether what was `returned` is the only gradient that there is, without a tuple around it."""
    array = hasattr(returned, "__array__") or hasattr(returned, "__dlpack__")
    return array and len(names) == 1 and not isinstance(returned, tuple | list)


def _each(returned: Any, names: Sequence[str], rule: str) -> list[Any]:
    """Return what was `returned` under each of `names`, or in their order."""
    if all(hasattr(returned, name) for name in names):
        return [getattr(returned, name) for name in names]
    if isinstance(returned, tuple | list) and len(returned) == len(names):
        return list(returned)
    raise NoResultsError(f"{rule}, got {line_of(type(returned).__name__)}")


def _named(names: Sequence[str], values: Sequence[Any]) -> Results:
    return {name: None if value is None else _read(name, value) for name, value in zip(names, values, strict=True)}


def _read(name: str, returned: Any) -> Array:
    kind = line_of(type(returned).__name__)
    if isinstance(returned, list | tuple):
        raise NoResultsError(f"{name} must be an array, got {kind}")
    try:
        array = _as_numpy(returned)
    except Exception as error:  # what lies on another device, say
        rule = "must be an array that NumPy can read (by DLPack or __array__)"
        raise NoResultsError(f"{name} {rule}, got {kind}: {said_by(error)}") from error
    if array.dtype == object and not hasattr(returned, "__array__"):
        raise NoResultsError(f"{name} must be an array, got {kind}")
    return array


def _as_numpy(returned: Any) -> Array:
    by_dlpack = hasattr(returned, "__dlpack__") and not hasattr(returned, "__array__")
    return np.from_dlpack(returned) if by_dlpack else np.asarray(returned)
