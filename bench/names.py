"""What reports say of mistakes of another hand: ``python -m bench.names``.

Each of `bench.strangers` is checked; what the report calls it, and when it says that it fails, is compared with words
that a right name or a right condition has. ``--faults`` takes others: a JSON object (or a folder with a
``faults.json``) of ``{name: {"operators": [...], "what": ..., "code": ..., "names": [...], "conditions": [...]}}``,
where `code` is a module's, and the last two are optional: without them, what is said is printed, and not scored.
"""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click

from bench.scoring import nothing_remembered, studied
from bench.strangers import STRANGERS, Stranger, says

VERDICTS = ("right name", "right condition", "symptom only", "nothing said", "wrong name", "not found", "to be read")
LEAST_RIGHT, MOST_WRONG = 0.9, 0.02
"""Shares of the mistakes: those with a right name or a right condition, and those with a wrong name."""


class Mistake(NamedTuple):
    """Something to be checked, and what may be said of it."""

    key: str
    operators: tuple[str, ...]
    subject: Callable[[], object]
    names: tuple[str, ...]
    conditions: tuple[str, ...]
    isolated: bool
    judged: bool  # whether the words are known


class Told(NamedTuple):
    """What was said of one mistake, with one seed."""

    key: str
    verdict: str
    name: str | None
    condition: str | None
    symptom: str | None
    right_condition: bool
    seconds: float  # from the failure to the report


def of_stranger(stranger: Stranger) -> Mistake:
    """Return one of the package's own."""
    subject: Callable[[], object] = stranger.subject
    if stranger.isolated:  # a new process needs its name
        subject = partial(str, f"bench.strangers:{stranger.identifier}")
    words = (stranger.names, stranger.conditions)
    return Mistake(stranger.key, (stranger.operator,), subject, *words, stranger.isolated, judged=True)


def of_faults(path: Path) -> Iterator[Mistake]:
    """Yield those of a file."""
    read = json.loads((path / "faults.json" if path.is_dir() else path).read_text())
    for name, fault in read.items():
        words = (tuple(fault.get("names", ())), tuple(fault.get("conditions", ())))
        subject = partial(_module, name, fault["code"])
        yield Mistake(f"{name}: {fault['what']}", tuple(fault["operators"]), subject, *words, False, any(words))


def _module(name: str, code: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(code, name, "exec"), module.__dict__)
    return module


def told(number: int, faults: Path | None, seed: int, examples: int | None) -> Told:
    """Check the mistake of that `number`."""
    mistake = _all(faults)[number]
    with nothing_remembered():
        options = {"seed": seed, "examples": examples, "isolate": mistake.isolated}
        report, seconds = studied(mistake.subject, mistake.operators, **options)
    failure = next(iter(report.failures), None)
    if failure is None:
        return Told(mistake.key, "not found", None, None, None, False, 0.0)
    name, threshold = failure.diagnosis, failure.threshold
    condition, symptom = (getattr(failure, said, None) for said in ("condition", "symptom"))
    when = "; ".join(filter(None, (condition, threshold))) or None
    right = says(when, mistake.conditions)
    verdict = _verdict(mistake, name, right, bool(when or symptom)) if mistake.judged else "to be read"
    return Told(mistake.key, verdict, name, when, symptom, right, seconds)


def _verdict(mistake: Mistake, name: str | None, right_condition: bool, anything: bool) -> str:
    if name is not None:
        return "right name" if says(name, mistake.names) else "wrong name"
    if right_condition:
        return "right condition"
    return "symptom only" if anything else "nothing said"


def _all(faults: Path | None) -> list[Mistake]:
    return [of_stranger(stranger) for stranger in STRANGERS] if faults is None else list(of_faults(faults))


def row(one: Told) -> Iterator[str]:
    """Yield what is printed of one check."""
    yield f"{one.verdict:15} {one.key}  ({one.seconds:.1f} s)"
    parts = (("name", one.name), ("when", one.condition), ("what", one.symptom))
    yield from (f"{'':15}   {part}: {words}" for part, words in parts if words)


def totals(said: Sequence[Told]) -> Iterator[str]:
    """Yield what is printed of all checks."""
    counts = Counter(one.verdict for one in said)
    yield ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    times = [one.seconds for one in said if one.verdict != "not found"]
    if times:
        yield f"from the failure to the report: median {statistics.median(times):.1f} s, at most {max(times):.1f} s"
    if counts["to be read"] < len(said):
        right, wrong = shares(said)
        yield f"{sum(one.right_condition for one in said)} right conditions"
        yield f"{right:.0%} have a right name or a right condition, {wrong:.1%} a wrong name"


def shares(said: Sequence[Told]) -> tuple[float, float]:
    """Return which part of what is scored has a right name or a right condition, and which a wrong name."""
    scored = [one.verdict for one in said if one.verdict != "to be read"]
    if not scored:
        return 1.0, 0.0
    right = sum(verdict in {"right name", "right condition"} for verdict in scored)
    return right / len(scored), scored.count("wrong name") / len(scored)


def _told(tries: Sequence[tuple[int, int]], jobs: int, faults: Path | None, examples: int | None) -> Iterator[Told]:
    """Check mistakes, each a number and a seed, here or in processes."""
    check = partial(told, faults=faults, examples=examples)
    if jobs == 1:
        yield from (check(number, seed=seed) for number, seed in tries)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(check, number, seed=seed) for number, seed in tries]
        yield from (one.result() for one in running)


@click.command()
@click.option("-k", "part", default="", help="Only the mistakes whose names have this in them.")
@click.option("--seeds", default=1, type=click.IntRange(min=1), show_default=True, help="Checks of each mistake.")
@click.option("--examples", type=click.IntRange(min=1), help="Cases of each check; the whole plan by default.")
@click.option("--faults", type=click.Path(exists=True, path_type=Path), help="A file of other mistakes.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), show_default=True, help="Processes.")
@click.pass_context
def main(context: click.Context, part: str, seeds: int, examples: int | None, faults: Path | None, jobs: int) -> None:
    """Measure whether reports call mistakes of another hand by a right name, and say rightly when they show."""
    numbers = [number for number, mistake in enumerate(_all(faults)) if part in mistake.key]
    tries = [(number, seed) for number in numbers for seed in range(seeds)]
    said = []
    for one in _told(tries, jobs, faults, examples):
        said.append(one)
        click.echo("\n".join(row(one)))
    click.echo("\n".join(totals(said)))
    right, wrong = shares(said)
    context.exit(0 if right >= LEAST_RIGHT and wrong <= MOST_WRONG else 1)


if __name__ == "__main__":
    main()
