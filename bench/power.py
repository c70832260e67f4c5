"""The command ``refconv power``: what the oracle finds, whether it names it rightly, how often it is wrong.

Every wrong variant of the catalogue is run as an implementation: with several seeds to see whether, and after how many
cases, it is found; once more to see what the report calls it, and how small its case is. Correct implementations that
compute in other ways must pass.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import click
import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from rich.console import Console
from rich.table import Table

import oracle
from bench.honest import HONEST
from bench.honest.cases import small_kernels
from bench.law_power import law_score, lawcard
from bench.scoring import nothing_remembered, studied
from oracle.diagnosis import CATALOGUE, Variant
from oracle.diagnosis.matching import OR
from oracle.diagnosis.planted import name_of, planted
from properties import Case
from properties.cli import OPERATOR
from refconv import operators

PRECISIONS = {
    "im2col": [],
    "tf32": ["computed in TF32"],
    "float16": ["computed in float16"],
    "bfloat16": ["computed in bfloat16"],
}
"""What the report must say of the same convolution in float32, TF32, float16 and bfloat16."""
FEW = 20
"""Cases; variants that needed more are listed."""


class Score(NamedTuple):
    """What became of one variant."""

    key: str
    needed: tuple[int | None, ...]  # cases until it was found, by seed; None where it wasn't
    named: str | None  # what the report calls it
    rightly: bool
    elements: int  # of the inputs of the smallest case
    seconds: float  # from the failure to the report

    @property
    def found(self) -> int:
        """In how many seeds it was found."""
        return sum(count is not None for count in self.needed)


class Alarm(NamedTuple):
    """What became of one correct implementation."""

    name: str
    arithmetic: str
    cases: int
    failures: tuple[str, ...]


class Precision(NamedTuple):
    """How often an arithmetic was told from the others."""

    name: str
    told: int
    seeds: int


def score(number: int, seeds: int, examples: int) -> Score:
    """Check the variant of that `number` in the catalogue."""
    variant = CATALOGUE[number]
    with nothing_remembered():
        needed = tuple(_needed(variant, examples, seed) for seed in range(seeds))
        report, seconds = _studied(variant, examples)
    failure = next(iter(report.failures), None)
    if failure is None:
        return Score(variant.key, needed, None, False, 0, 0.0)
    elements = sum(array.size for array in failure.case.inputs if array is not None)
    rightly = variant.name in (failure.diagnosis or "").split(OR)
    return Score(variant.key, needed, failure.diagnosis, rightly, elements, seconds)


def _needed(variant: Variant, examples: int, seed: int) -> int | None:
    """Return how many cases it took to find `variant`; None if it wasn't."""
    report = oracle.check(planted(variant), [variant.operator], examples=examples, seed=seed, shrink=False, failures=1)
    return sum(tally.cases for tally in report.tallies) if report.failures else None


def _studied(variant: Variant, examples: int) -> tuple[oracle.Report, float]:
    if variant.symptom:  # what one call does to another is seen in a new process
        name = f"oracle.diagnosis.planted:{name_of(variant)}"
        return studied(lambda: name, [variant.operator], examples=examples, isolate=True)
    return studied(lambda: planted(variant), [variant.operator], examples=examples)


def alarm(name: str, examples: int) -> Alarm:
    """Check the correct implementation called `name`, one of few kernels on the cases that it is for."""
    implementation, arithmetic, dtype = HONEST[name]
    with nothing_remembered():
        if name.startswith("winograd"):
            return _alarm_on_small_kernels(name, implementation, arithmetic, examples)
        report = oracle.check(implementation, ["conv"], dtype=dtype, arithmetic=arithmetic, examples=examples, seed=1)
    judged = sum(tally.passed for tally in report.tallies)
    return Alarm(name, arithmetic, judged, tuple(map(str, report.failures)))


def _alarm_on_small_kernels(name: str, implementation: object, arithmetic: str, examples: int) -> Alarm:
    verdicts: list[oracle.Verdict] = []

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),  # a benchmark may be slow
        deadline=None,
    )
    @hypothesis.seed(1)
    @given(small_kernels())
    def judge(case: Case) -> None:
        for direction in ("forward", "backward"):
            verdicts.append(oracle.compare(implementation, case, directions=[direction], arithmetic=arithmetic))

    judge()
    failures = tuple(str(verdict.reason) for verdict in verdicts if verdict.status == "failed")
    return Alarm(name, arithmetic, sum(verdict.passed for verdict in verdicts), failures)


def precision(name: str, seeds: int) -> Precision:
    """Say how often the report tells in which arithmetic the convolution called `name` works."""
    implementation, *_ = HONEST[f"{name} float32"]
    told = 0
    with nothing_remembered():
        for seed in range(seeds):
            report = oracle.check(oracle.subject(conv=implementation.conv), ["conv"], seed=seed, failures=1)
            named = [failure.diagnosis for failure in report.failures]
            told += named == PRECISIONS[name]
    return Precision(name, told, seeds)


def scorecard(
    scores: Sequence[Score], alarms: Sequence[Alarm], precisions: Sequence[Precision], seeds: int
) -> Iterator[object]:
    """Yield what is printed."""
    if scores:
        yield _by_operator(scores, seeds)
        yield from _exceptions(scores, seeds)
        yield _summary(scores, seeds)
    if alarms:
        yield _alarms(alarms)
    for name, told, of in precisions:
        yield f"{name}: precision told rightly in {told} of {of} seeds"


def _by_operator(scores: Sequence[Score], seeds: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("operator")
    for column in ("variants", "found", "cases needed", "at most", "named rightly", "elements", "seconds"):
        table.add_column(column, justify="right")
    for operator in operators:
        own = [score for score in scores if score.key.split()[0] == operator]
        if own:
            table.add_row(operator, *_figures(own, seeds))
    table.add_row("all", *_figures(scores, seeds), style="bold")
    return table


def _figures(scores: Sequence[Score], seeds: int) -> list[str]:
    needed = [count for score in scores for count in score.needed if count is not None]
    return [
        str(len(scores)),
        f"{sum(score.found for score in scores)} of {len(scores) * seeds}",
        f"{statistics.median(needed):.0f}" if needed else "",
        str(max(needed, default="")),
        str(sum(score.rightly for score in scores)),
        f"{statistics.median(score.elements for score in scores):.0f}",
        f"{statistics.median(score.seconds for score in scores):.1f}",
    ]


def _exceptions(scores: Sequence[Score], seeds: int) -> Iterator[str]:
    """Say which variants were not found, needed many cases, or have another name in the report."""
    for score in scores:
        needed = [count for count in score.needed if count is not None]
        if score.found < seeds:
            yield f"found in {score.found} of {seeds} seeds: {score.key}"
        elif max(needed) > FEW:
            yield f"needed up to {max(needed)} cases: {score.key}"
    for score in scores:
        if not score.rightly:
            yield f"named {score.named!r}: {score.key}"


def _summary(scores: Sequence[Score], seeds: int) -> str:
    found = sum(score.found == seeds for score in scores)
    rightly = sum(score.rightly for score in scores)
    return (
        f"{len(scores)} variants: {found} found with each of {seeds} seeds, {rightly} named rightly "
        f"({rightly / len(scores):.0%}); median smallest case {statistics.median(s.elements for s in scores):.0f} "
        f"elements, median time to the report {statistics.median(s.seconds for s in scores):.1f} s"
    )


def _alarms(alarms: Iterable[Alarm]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("correct implementation", "arithmetic", "verdicts", "false alarms"):
        table.add_column(column)
    for found in alarms:
        said = "; ".join([str(len(found.failures)), *found.failures])
        table.add_row(found.name, found.arithmetic, str(found.cases), said)
    return table


@click.command("power")
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", default=5, show_default=True, help="Checks of each variant."
)
@click.option(
    "--examples", type=click.IntRange(min=1), metavar="N", default=100, show_default=True, help="Cases of each check."
)
@click.option(
    "--honest",
    type=click.IntRange(min=0),
    metavar="N",
    default=1000,
    show_default=True,
    help="Cases of correct implementations.",
)
@click.option(
    "--precision", "tellings", type=click.IntRange(min=0), metavar="N", default=20, show_default=True,
    help="Checks of each of four precisions.",
)  # fmt: skip
@click.option(
    "--operator",
    "chosen",
    multiple=True,
    type=OPERATOR,
    metavar="OPERATOR",
    help="Only variants of this one; may be given again.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Only every N-th variant.",
)
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", default=1, show_default=True, help="Processes.")
@click.option("--laws", is_flag=True, help="Measure instead how many variants break a law, with one seed.")
def power_command(
    seeds: int, examples: int, honest: int, tellings: int, chosen: tuple[str, ...], every: int, jobs: int, laws: bool
) -> int:
    """Measure the oracle: whether it finds wrong variants, names them, and lets correct implementations pass."""
    numbers = [n for n, variant in enumerate(CATALOGUE) if not chosen or variant.operator in chosen][::every]
    console = Console(highlight=False, markup=False, width=110)
    if laws:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            found = pool.map(partial(law_score, examples=examples), numbers)
            for part in lawcard(list(_told(found, len(numbers), "variants"))):
                console.print(part)
        return 0
    names = list(HONEST) if honest else []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        scores = list(
            _told(pool.map(partial(score, seeds=seeds, examples=examples), numbers), len(numbers), "variants")
        )
        alarms = list(_told(pool.map(partial(alarm, examples=honest), names), len(names), "correct implementations"))
        precisions = list(pool.map(partial(precision, seeds=tellings), PRECISIONS)) if tellings else []
    for part in scorecard(scores, alarms, precisions, seeds):
        console.print(part)
    all_found = all(score.found == seeds for score in scores)
    quiet = not any(heard.failures for heard in alarms)
    told = all(precision.told == precision.seeds for precision in precisions)
    return 0 if all_found and quiet and told else 1


def _told(results: Iterable[Any], total: int, what: str) -> Iterator[Any]:
    """Say now and then how far it is."""
    for number, result in enumerate(results, start=1):
        if number % 20 == 0 or number == total:
            click.echo(f"{number} of {total} {what}", err=True)
        yield result
