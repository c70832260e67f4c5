"""A failing case as Python that can be pasted."""

from collections.abc import Sequence

import numpy as np

from oracle.judge import expectation
from oracle.running import Call, arguments_of, function_name
from properties import Case
from properties.case import literal
from refconv import Arithmetic

_FEW = 64  # elements of an expected array that a script still shows


def script(subject: object, calls: Sequence[Call], arithmetic: Arithmetic) -> str:
    """Return a script that runs `calls` on `subject`, an implementation or its name, and shows what was expected."""
    lines = [line for case, direction in calls for line in _call(case, direction)]
    made = f"oracle.load({subject!r})" if isinstance(subject, str) else "...  # what was checked"
    imports = {
        "import numpy as np": True,
        "import oracle": isinstance(subject, str),
        "from properties import lay_out": any("lay_out(" in line for line in lines),
    }
    return "\n".join(
        [
            *(line for line, needed in imports.items() if needed),
            f"implementation = {made}",
            *lines,
            *_expected(*calls[-1], arithmetic),
        ]
    )


def _call(case: Case, direction: str) -> list[str]:
    arguments = arguments_of(case, direction)
    arrays = [f"{name} = {literal(array)}" for name, array in arguments.items()]
    call = f"{function_name(case.operator, direction)}({', '.join([*arguments, *case.spelled_attributes])})"
    return [*arrays, f"print(implementation.{call})"]


def _expected(case: Case, direction: str, arithmetic: Arithmetic) -> list[str]:
    lines = []
    for name, expected in expectation(case, direction, arithmetic).items():
        if expected is not None and expected.value.size <= _FEW:
            values = np.array2string(expected.value, separator=", ", max_line_width=10**9)
            lines.append(f"# expected {name}: {' '.join(values.split())}")
    return lines
