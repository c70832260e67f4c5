"""How much laws alone find: every wrong variant in place of the reference's function, and which laws it breaks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import NamedTuple

import hypothesis
from hypothesis import Phase, given
from rich.table import Table

import refconv
from oracle.contract import function_name
from oracle.diagnosis import CATALOGUE
from oracle.judging.judge import read_arithmetic
from oracle.judging.laws import judge_law
from oracle.running.runner import InProcess
from oracle.searching.drawing import searching
from properties import LAWS, Case, cases
from refconv import operators

FEW = 20
"""Cases of a variant that are run on all laws; more, until one of them is broken, if none was."""


class LawScore(NamedTuple):
    """What laws said of one variant."""

    key: str
    operator: str
    needed: int | None  # cases until a law was broken; None where none was
    broken: tuple[str, ...]


@cache
def _drawn(operator: str, examples: int) -> list[Case]:
    found: list[Case] = []

    @searching(examples, [Phase.generate])
    @hypothesis.seed(0)
    @given(cases(operator))
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def law_score(number: int, examples: int) -> LawScore:
    """Find out which laws are broken by the variant of that `number` in the catalogue."""
    variant = CATALOGUE[number]
    name = function_name(variant.operator, variant.direction)
    functions = {known: getattr(refconv, known) for known in refconv.__all__}
    runner = InProcess(SimpleNamespace(**{**functions, name: variant.implementation()}))
    arithmetic = read_arithmetic(None, "float32")
    laws = [law for law in LAWS[variant.operator] if name in law.needs]
    broken: dict[str, int] = {}
    for tried, case in enumerate(_drawn(variant.operator, examples), start=1):
        if broken and tried > FEW:
            break
        for law in laws:
            if law.name not in broken and judge_law(law, runner, case, arithmetic).status in ("broken", "faulty"):
                broken[law.name] = tried
    return LawScore(variant.key, variant.operator, min(broken.values(), default=None), tuple(broken))


def lawcard(scores: Sequence[LawScore]) -> Iterator[object]:
    """Yield what is printed."""
    yield _by_operator(scores)
    yield from (f"breaks no law: {score.key}" for score in scores if score.needed is None)
    teeth = Counter(name for score in scores for name in score.broken)
    chosen = {score.operator for score in scores}
    names = {law.name for operator in chosen for law in LAWS[operator]}
    yield from (f"broken by no variant: {name}" for name in sorted(names - set(teeth)))
    found = sum(score.needed is not None for score in scores)
    yield f"{found} of {len(scores)} variants break a law ({found / len(scores):.0%}); {len(names)} laws"


def _by_operator(scores: Sequence[LawScore]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("operator")
    for column in ("laws", "variants", "found", "cases needed at most"):
        table.add_column(column, justify="right")
    for operator in operators:
        own = [score for score in scores if score.operator == operator]
        needed = [score.needed for score in own if score.needed is not None]
        if own:
            counts = (len(LAWS[operator]), len(own), len(needed), max(needed, default=""))
            table.add_row(operator, *map(str, counts))
    return table
