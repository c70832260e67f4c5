"""A failing case as Python that can be pasted and needs NumPy alone."""

from collections.abc import Sequence

from oracle.contract import Call, arguments_of, function_name
from oracle.judging.judge import Refused, expectation
from oracle.reporting.arrays import on_a_line
from oracle.reporting.plain import plain
from properties import Case
from properties.case import literal
from refconv import Arithmetic

_FEW = 64  # elements of an array that is still written


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
            *(_expected(*calls[-1], arithmetic) if broken is None else _comment(broken)),
        ]
    )


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in plain(text).splitlines()]


def _call(case: Case, direction: str) -> list[str]:
    arguments = arguments_of(case, direction)
    arrays = [f"{name} = {literal(array)}" for name, array in arguments.items()]
    call = f"{function_name(case.operator, direction)}({', '.join([*arguments, *case.spelled_attributes])})"
    return [*arrays, f"print(implementation.{call})"]


def _expected(case: Case, direction: str, arithmetic: Arithmetic) -> list[str]:
    expected = expectation(case, direction, arithmetic)
    if isinstance(expected, Refused):
        return _comment(f"expected an error: {expected.rule}")
    return [
        f"# expected {name}: {on_a_line(item.value)}"
        for name, item in expected.items()
        if item is not None and item.value.size <= _FEW
    ]
