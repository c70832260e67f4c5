"""A failing case for a person: its arrays, and Python that can be pasted and needs NumPy alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oracle.contract import Call, arguments_of, function_name
from oracle.judging.judge import Observation, Refused, expectation
from oracle.running.scripted import Step
from properties import Case
from properties.case import literal
from refconv import Arithmetic
from refconv.arguments import Array

_FEW = 64  # elements of an array that is still shown


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
    return Script(steps, _expected(*calls[-1], arithmetic) if broken is None else [f"# {broken}"])


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


def _expected(case: Case, direction: str, arithmetic: Arithmetic) -> list[str]:
    expected = expectation(case, direction, arithmetic)
    if isinstance(expected, Refused):
        return [f"# expected an error: {expected.rule}"]
    return [
        f"# expected {name}: {_values(item.value)}"
        for name, item in expected.items()
        if item is not None and item.value.size <= _FEW
    ]


def shown(observation: Observation) -> str:
    """Return the arrays of a case, what was returned, and what should have been; those that are small enough."""
    arguments = arguments_of(observation.case, observation.direction)
    lines = [f"{name} {_described(array)}" for name, array in arguments.items() if array is not None]
    expected = observation.expected
    if isinstance(expected, Refused):
        return "\n".join([*lines, f"expected an error: {expected.rule}"])
    for name, item in expected.items():
        got = observation.outcome.results.get(name)
        if got is not None:
            lines.append(f"got {name} {_described(got)}")
        if item is not None:
            lines.append(f"expected {name} {_described(item.value)}")
    return "\n".join(lines)


def _described(array: Array) -> str:
    shape = f"[{', '.join(map(str, array.shape))}]"
    return f"{shape} = {_values(array)}" if array.size <= _FEW else shape


def _values(array: Array) -> str:
    return " ".join(np.array2string(array, separator=", ", max_line_width=10**9, precision=9).split())
