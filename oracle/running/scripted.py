"""The calls of a script, made as they are printed, to see whether it does what it is to show."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from oracle.contract import arguments_of, function_name
from oracle.running.calls import Kept, Outcome, call
from oracle.said import said_by
from properties import Case
from properties.case import but
from refconv.arguments import Array


class Step(NamedTuple):
    """One call of a script: Python that makes its arrays, by their names, and that prints what it returns."""

    head: str  # what goes before the first: imports, and what makes the implementation
    arrays: str
    call: str


class Session:
    """A run of one script, step by step; `implementation` is what it has to be given, if it can't make it."""

    def __init__(self, implementation: object | None = None) -> None:
        self._names: dict[str, Any] = {}
        self._implementation = implementation
        self._kept = Kept()

    def outcome(self, step: Step, case: Case, direction: str) -> Outcome:
        """Make the call of `step`, which is to be that of `case`; decline it if it can't be, or isn't."""
        try:
            exec(step.head, self._names)
            exec(step.arrays, self._names)
        except Exception as error:
            return Outcome("declined", reason=f"raised {type(error).__name__}: {said_by(error)}")
        arguments = arguments_of(case, direction)
        made = {name: self._names.get(name) for name in arguments}
        differing = [name for name, array in arguments.items() if not _alike(made[name], array)]
        if differing:
            return Outcome("declined", reason=f"makes another {', '.join(differing)}")
        if self._implementation is not None:
            self._names["implementation"] = self._implementation
        printing = self._printing(step, list(arguments), function_name(case.operator, direction))
        return call(printing, but(case, **made), direction, self._kept)

    def _printing(self, step: Step, names: list[str], function: str) -> SimpleNamespace:
        """Return an implementation whose `function` returns what the step prints; it claims what the script's does."""
        code = compile(step.call, "script", "exec")

        def printed(*arguments: Any, **_: Any) -> Any:
            caught: list[Any] = []
            exec(code, {**self._names, **dict(zip(names, arguments, strict=True)), "print": caught.append})
            return caught[-1]

        claimed = self._names.get("implementation")
        claims = {name: getattr(claimed, name, False) for name in ("deterministic", "thread_safe")}
        return SimpleNamespace(**{function: printed}, **claims)


def own_words(implementation: object, case: Case, direction: str) -> str | None:
    """Return Python by which the library itself makes a call, where an implementation has a function that says it."""
    say: Callable[[Case, str], object] | None = getattr(implementation, "own_words", None)
    try:
        said = None if say is None else say(case, direction)
    except Exception:  # what can't be said so is said by the call of the implementation
        return None
    return said if isinstance(said, str) else None


def _alike(made: Any, array: Array | None) -> bool:
    """Whether two arrays hold the same, and lie the same."""
    if made is None or array is None:
        return made is None and array is None
    same = made.dtype == array.dtype and made.shape == array.shape and _bits(made) == _bits(array)
    return same and _steps(made) == _steps(array)


def _bits(array: Array) -> bytes:
    """Return what an array holds, where one NaN is as good as another."""
    return array.tobytes() if array.dtype.kind == "i" else np.where(np.isnan(array), np.nan, array).tobytes()


def _steps(array: Array) -> list[int]:
    """Return the strides that matter."""
    if not array.size:
        return []
    return [stride for stride, length in zip(array.strides, array.shape, strict=True) if length > 1]
