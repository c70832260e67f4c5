"""A failing case as Python that can be pasted."""

import numpy as np

from oracle.judge import argument_names, expectation, function_name
from properties import Case
from properties.case import literal
from refconv import Arithmetic

_FEW = 64  # elements of an expected array that a script still shows


def script(subject: object, case: Case, direction: str, arithmetic: Arithmetic) -> str:
    """Return a script that runs `case` on `subject`, an implementation or its name, and shows what was expected."""
    names = argument_names(case, direction)
    arrays = [f"{name} = {literal(case.arrays[name])}" for name in names]
    imports = ["import numpy as np", "import oracle"]
    if any("lay_out(" in line for line in arrays):
        imports.append("from properties import lay_out")
    made = f"oracle.load({subject!r})" if isinstance(subject, str) else "...  # what was checked"
    call = f"{function_name(case.operator, direction)}({', '.join([*names, *case.spelled_attributes])})"
    return "\n".join(
        [
            *(line for line in imports if isinstance(subject, str) or line != "import oracle"),
            f"implementation = {made}",
            *arrays,
            f"print(implementation.{call})",
            *_expected(case, direction, arithmetic),
        ]
    )


def _expected(case: Case, direction: str, arithmetic: Arithmetic) -> list[str]:
    lines = []
    for name, expected in expectation(case, direction, arithmetic).items():
        if expected is not None and expected.value.size <= _FEW:
            values = np.array2string(expected.value, separator=", ", max_line_width=10**9)
            lines.append(f"# expected {name}: {' '.join(values.split())}")
    return lines
