"""A failing case as Python that can be pasted and needs NumPy alone."""

from collections.abc import Sequence
from typing import NamedTuple

from oracle.contract import Call, arguments_of, function_name
from oracle.judging.judge import Refused, expectation
from oracle.reporting.arrays import on_a_line
from oracle.reporting.plain import plain
from oracle.running.scripted import Step
from properties import Case
from properties.case import literal
from refconv import Arithmetic

_FEW = 64  # elements of an array that is still written


class Script(NamedTuple):
    """Python that makes calls, and says what was expected of the last."""

    steps: Sequence[Step]
    ending: Sequence[str]

    @property
    def text(self) -> str:
        """The script as a whole."""
        lines = [line for step in self.steps for line in step if line]
        return "\n".join([*lines, *self.ending])


def script(made: str | None, calls: Sequence[Call], arithmetic: Arithmetic, broken: str | None = None) -> Script:
    """Return the script that runs `calls` on the implementation that is `made` so, and shows what was expected.

    Of a law that is `broken`, it says how.
    """
    pairs = [(_arrays(case, direction), _call(case, direction)) for case, direction in calls]
    head = "\n".join([*_imports(pairs), made or "implementation = ...  # what was checked"])
    steps = [Step(head * (number == 0), *pair) for number, pair in enumerate(pairs)]
    return Script(steps, _expected(*calls[-1], arithmetic) if broken is None else _comment(broken))


def in_own_words(words: str, call: Call, arithmetic: Arithmetic) -> Script:
    """Return the script that makes a call in `words` of the library itself, which begin with its imports."""
    lines = words.splitlines()
    own = [line for line in lines if line.startswith(("import ", "from "))]
    arrays, made = _arrays(*call), "\n".join(line for line in lines if line not in own)
    head = "\n".join([*_imports([(arrays, made)]), *own])
    return Script([Step(head, arrays, made)], _expected(*call, arithmetic))


def _imports(pairs: Sequence[tuple[str, str]]) -> list[str]:
    imports = {
        "from math import inf": any("=inf" in call for _, call in pairs),
        "import numpy as np": True,
        "import ml_dtypes": any("ml_dtypes." in arrays for arrays, _ in pairs),
    }
    return [line for line, needed in imports.items() if needed]


def _arrays(case: Case, direction: str) -> str:
    return "\n".join(f"{name} = {literal(array)}" for name, array in arguments_of(case, direction).items())


def _call(case: Case, direction: str) -> str:
    """Return the call as it was made, with all attributes: a function may have other defaults, or none."""
    given = [f"{name}={value!r}" for name, value in case.attributes.items()]
    arguments = ", ".join([*arguments_of(case, direction), *given])
    return f"print(implementation.{function_name(case.operator, direction)}({arguments}))"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in plain(text).splitlines()]


def _expected(case: Case, direction: str, arithmetic: Arithmetic) -> list[str]:
    expected = expectation(case, direction, arithmetic)
    if isinstance(expected, Refused):
        return _comment(f"expected an error: {expected.rule}")
    return [
        f"# expected {name}: {on_a_line(item.value)}"
        for name, item in expected.items()
        if item is not None and item.value.size <= _FEW
    ]
