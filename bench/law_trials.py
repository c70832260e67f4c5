"""Every law on many calls of what is right: a law that such an implementation breaks is wrong itself.

``python -m bench.law_trials`` applies each law a thousand times to the reference and to PyTorch, on cases by chance,
and prints a table. It takes hours for all operators; ``--operator`` says which.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import click
import hypothesis
from hypothesis import Phase, given
from rich.console import Console
from rich.table import Table

from oracle.checking import runner_of
from oracle.judging.judge import read_arithmetic
from oracle.judging.laws import judge_law
from oracle.running.isolation import MEMORY_LIMIT, TIME_LIMIT
from oracle.running.runner import Runner, offers_all
from oracle.searching.drawing import by_seed_alone, searching
from properties import LAWS, Case, Law, cases
from refconv import operators

APPLICATIONS = 1000
SUBJECTS = ("refconv", "torch")
DRAWN = 10
"""How many cases are drawn at most, for each application that is asked for: a law is silent about some."""
_FAILED = ("broken", "faulty")


class Trial(NamedTuple):
    """What became of a law."""

    law: Law
    applied: int  # to calls that it says something about, and that weren't declined
    declined: int
    failed: int
    first: str | None  # what failed first


def trials(subject: str, operator: str, dtype: str, applications: int, seed: int, isolate: bool) -> list[Trial]:
    """Apply each law of `operator` to `subject`, as long as there are cases for it."""
    with contextlib.closing(runner_of(subject, None, isolate, TIME_LIMIT, MEMORY_LIMIT)) as runner:
        laws = [law for law in LAWS[operator] if offers_all(runner, law.needs)]
        return _trials(runner, laws, operator, dtype, applications, seed)


def _trials(runner: Runner, laws: list[Law], operator: str, dtype: str, applications: int, seed: int) -> list[Trial]:
    counts: dict[Law, Counter[str]] = {law: Counter() for law in laws}
    first: dict[Law, str] = {}
    arithmetic = read_arithmetic(None, dtype)

    @searching(DRAWN * applications, [Phase.generate])
    @hypothesis.seed(seed)
    @given(cases(operator, dtype=dtype))
    def apply(case: Case) -> None:
        for law, count in counts.items():
            if count["held"] + sum(count[status] for status in _FAILED) >= applications:
                continue
            judged = judge_law(law, runner, case, arithmetic)
            count[judged.status] += 1
            if judged.status in _FAILED:
                first.setdefault(law, f"{case!r}: {judged.reason}")

    with by_seed_alone():
        apply()
    return [_counted(law, count, first.get(law)) for law, count in counts.items()]


def _counted(law: Law, count: Counter[str], first: str | None) -> Trial:
    failed = sum(count[status] for status in _FAILED)
    return Trial(law, count["held"] + failed, count["declined"], failed, first)


def told(subject: str, found: list[Trial]) -> Iterator[object]:
    """Yield what is printed of a subject's operator."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{subject}, law")
    for column in ("applied", "declined", "failed"):
        table.add_column(column, justify="right")
    for trial in found:
        table.add_row(str(trial.law), str(trial.applied), str(trial.declined), str(trial.failed))
    yield table
    yield from (f"{trial.law} fails: {trial.first}" for trial in found if trial.failed)


@click.command()
@click.option("--operator", "chosen", multiple=True, type=click.Choice(list(operators)), metavar="OPERATOR")
@click.option("--subject", "subjects", multiple=True, default=SUBJECTS, show_default=True)
@click.option(
    "--applications", type=click.IntRange(min=1), default=APPLICATIONS, show_default=True, help="Of each law."
)
@click.option("--dtype", default="float32", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--isolate", is_flag=True, help="In a process of its own, which takes several times as long.")
def main(
    chosen: tuple[str, ...], subjects: tuple[str, ...], applications: int, dtype: str, seed: int, isolate: bool
) -> None:
    """Apply each law many times to what is right; exit with 1 if one fails."""
    console = Console(highlight=False, markup=False, soft_wrap=True, width=120)
    every: list[Trial] = []
    for operator in chosen or operators:
        for subject in subjects:
            began = time.perf_counter()
            found = trials(subject, operator, dtype, applications, seed, isolate)
            every += found
            for part in told(subject, found):
                console.print(part)
            console.print(f"{time.perf_counter() - began:.0f} s\n")
    failed = [trial for trial in every if trial.failed]
    console.print(f"{len(every)} laws, {sum(trial.applied for trial in every):,} applications, {len(failed)} fail")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
