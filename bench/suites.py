"""Workloads as tests of pytest-benchmark, for anybody's own suite."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from bench.history import entry_of, kept
from bench.measuring import Measuring, Task
from bench.settings import Settings, best_yardstick
from bench.side import Apart, Here
from oracle.subjects import name_of, resolve

_YARDSTICK = "the yardstick"


def suite(
    implementation: object,
    *,
    workload: str = "resnet50",
    operators: Sequence[str] = (),
    direction: str = "both",
    dtype: str = "float32",
    batch: int = 1,
    arithmetic: str | None = None,
    rounds: int = 15,
    yardstick: str | None = None,
) -> type:
    """Return a class of tests that time an implementation: ``TestSpeed = bench.suite(mine)``.

    Each layer in each direction is a test. It is judged first, takes turns with the yardstick, is judged again on other
    inputs, and is then timed as pytest-benchmark's options say. A wrong result fails; what the implementation lacks or
    declines is skipped. Files that ``--benchmark-json`` writes can be drawn by ``refconv bench draw``. With
    ``--benchmark-disable`` results are judged, and nothing is timed.

    Parameters
    ----------
    implementation : object or str
        Anything that offers functions named as the operators, or its name, as :func:`oracle.load` takes it.
    workload : str
        One of ``bench.WORKLOADS``.
    operators : sequence of str
        Only layers of these; all by default.
    direction : str
        "forward", "backward" or "both".
    dtype : str
        Of the arrays.
    batch : int
        So many times the batch.
    arithmetic : str, optional
        By whose error bounds to judge; that of the dtype by default.
    rounds : int
        Turns beside the yardstick.
    yardstick : str, optional
        What ratios are taken to; PyTorch by default, the reference where there is none.

    Raises
    ------
    ValueError
        For a workload that there is none of, or that has none of the operators.
    """
    mine = name_of(implementation)
    settings = Settings(
        workload=workload,
        operators=tuple(operators),
        direction=direction,
        dtype=dtype,
        batch=batch,
        arithmetic=arithmetic,
        processes=1,
        rounds=rounds,
        yardstick=yardstick or best_yardstick([mine]),
    )

    class TestSpeed:
        """Times the layers of a workload."""

        @pytest.fixture(scope="class")
        @classmethod
        def sides(cls) -> Iterator[tuple[Here, Apart]]:
            here = Here(resolve(implementation, arithmetic), mine)
            with settings.side(settings.yardstick, _YARDSTICK)() as beside:
                yield here, beside

        @pytest.mark.parametrize("task", settings.tasks(), ids=str)
        def test_speed(self, benchmark: Any, sides: tuple[Here, Apart], task: Task) -> None:
            _time(benchmark, sides, task, settings)

    return TestSpeed


def _time(benchmark: Any, sides: tuple[Here, Apart], task: Task, settings: Settings) -> None:
    """Judge a task and time it beside the yardstick; then as pytest-benchmark does."""
    mine, yardstick = sides
    judged_alone = not benchmark.enabled
    measuring = Measuring(
        lambda: [nullcontext(side) for side in (sides[:1] if judged_alone else sides)],
        rounds=0 if judged_alone else settings.rounds,
    )
    measuring.generation([task])
    timing = measuring.found[task][mine.name]
    if timing.status in {"absent", "declined"}:
        pytest.skip(str(timing.reason))  # it says so itself: nothing is wrong
    if not timing.timed:
        pytest.fail(f"{task}: {timing.status}: {timing.reason}", pytrace=False)
    if not judged_alone:
        versions = {settings.yardstick: yardstick.version, mine.name: mine.version}
        entry = entry_of(task, mine.name, timing, measuring.found[task][yardstick.name])
        benchmark.extra_info.update(kept(entry, settings, versions))
    benchmark.group = str(task)
    benchmark(mine.ready)
