"""How often the gate errs: ``python -m bench.error_rates --tries 100``.

A gate over 12 convolutions of ResNet-50 is run on one and the same code, and on code whose fourth layer takes longer,
each call of it by 10 % of its time.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

import refconv
from bench.gate import SLOWER, UNDECIDED, Limits, changes_by, gated
from bench.measuring import Task
from bench.settings import Settings

LAYERS = 12
SLOWED = 3
"""Which of the layers takes longer."""
_VARIABLE = "REFCONV_SLOWED"
_SUBJECT = "bench.error_rates:Slowed"


class Slowed:
    """The reference; its convolution takes longer where the input has the shape that the environment says."""

    def __init__(self) -> None:
        shape, share = json.loads(os.environ.get(_VARIABLE, "[null, 0]"))
        self._shape, self._share = shape and tuple(map(tuple, shape)), float(share)

    def conv(self, *arrays: Any, **attributes: Any) -> Any:
        """Convolve."""
        began = time.perf_counter()
        result = refconv.conv(*arrays, **attributes)
        if tuple(array.shape for array in arrays[:2]) == self._shape:
            now = time.perf_counter()
            until = now + self._share * (now - began)
            while time.perf_counter() < until:
                pass
        return result


@contextmanager
def _slowing(task: Task | None, share: float) -> Iterator[None]:
    """Have new processes of `Slowed` take longer for a task."""
    if task is not None:
        os.environ[_VARIABLE] = json.dumps([task.layer.shapes[:2], share])
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)


def tried(settings: Settings, slowed: bool, limits: Limits, share: float) -> dict[str, str]:
    """Run one gate; return the verdict on each task."""
    tasks = settings.tasks()[::2][:LAYERS]
    new, old = settings.side(_SUBJECT, "new"), settings.side(_SUBJECT, "old")

    def one() -> Any:
        with _slowing(tasks[SLOWED] if slowed else None, share):
            return new()

    changes, _ = gated(settings, "new", [one, old], lambda found: changes_by(found, "new", limits), tasks=tasks)
    return {change.task: change.verdict for change in changes}


@click.command()
@click.option("--tries", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--share", type=float, default=0.1, show_default=True, help="By which the layer is slowed.")
@click.option("--only", type=click.Choice(["same", "slowed"]), help="One of the two; each takes some 100 minutes.")
def main(tries: int, share: float, only: str | None) -> None:
    """Print how often the gate raises a false alarm, and how often it finds a layer that takes longer."""
    limits = Limits(slower=0.05, confidence=0.95)
    settings = Settings("resnet50", ("conv",), "forward", processes=5, rounds=6, yardstick="old")
    slow = str(settings.tasks()[::2][SLOWED])
    for slowed in [False] * (only != "slowed") + [True] * (only != "same"):
        found, undecided, false, longest = Counter[str](), 0, 0, 0.0
        for number in range(1, tries + 1):
            began = time.monotonic()
            verdicts = tried(settings, slowed, limits, share)
            longest = max(longest, time.monotonic() - began)
            alarms = [task for task, verdict in verdicts.items() if verdict == SLOWER]
            found.update(alarms)
            false += any(task != slow or not slowed for task in alarms)
            undecided += UNDECIDED in verdicts.values()
            click.echo(
                f"{'slowed' if slowed else 'the same'}: {number} tries, {false} with a false alarm, "
                f"{found[slow] if slowed else 0} that found the slower layer, {undecided} with an undecided layer; "
                f"the longest took {longest:.0f} s"
            )
        click.echo(f"alarms: {dict(found)}")


if __name__ == "__main__":
    main()
