"""A failing case for a person: its arrays, and Python that can be pasted and needs NumPy alone."""

from collections.abc import Sequence

import numpy as np

from oracle.contract import Call, arguments_of, function_name
from oracle.judging.judge import Observation, Refused, expectation
from properties import Case
from properties.case import literal
from refconv import Arithmetic
from refconv.arguments import Array

_FEW = 64  # elements of an array that is still shown


def script(made: str | None, calls: Sequence[Call], arithmetic: Arithmetic, broken: str | None = None) -> str:
    """Return a script that runs `calls` on the implementation that is `made` so, and shows what was expected.

    Of a law that is `broken`, it says how.
    """
    lines = [line for case, direction in calls for line in _call(case, direction)]
    imports = {
        "from math import inf": any("=inf" in line for line in lines),
        "import numpy as np": True,
        "import ml_dtypes": any("ml_dtypes." in line for line in lines),
    }
    return "\n".join(
        [
            *(line for line, needed in imports.items() if needed),
            made or "implementation = ...  # what was checked",
            *lines,
            *(_expected(*calls[-1], arithmetic) if broken is None else [f"# {broken}"]),
        ]
    )


def _call(case: Case, direction: str) -> list[str]:
    arguments = arguments_of(case, direction)
    arrays = [f"{name} = {literal(array)}" for name, array in arguments.items()]
    call = f"{function_name(case.operator, direction)}({', '.join([*arguments, *case.spelled_attributes])})"
    return [*arrays, f"print(implementation.{call})"]


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
