"""Layers timed on several implementations that take turns, and judged before and after.

A machine drifts, and so does a process: where its code and its arrays happen to lie makes it a percent faster or slower
for as long as it lives. So implementations alternate, turn by turn, and all is done again in several generations of
processes. A turn's least time is what is compared: what disturbs a machine makes calls slower, never faster.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.side import EndedError, Side
from oracle.contract import arguments_of, function_name, names_of
from oracle.judging.judge import Expectation, Observation, expectation, read_arithmetic, verdict
from oracle.running.calls import outcome_of
from properties import Case
from properties.layer import Layer
from refconv import Arithmetic


class NothingError(ValueError):
    """There is nothing to time."""


class Task(NamedTuple):
    """What is timed: a layer in one direction."""

    layer: Layer
    direction: str
    dtype: str
    arithmetic: str | None = None

    @property
    def function(self) -> str:
        """The name of the function that does it."""
        return function_name(self.layer.operator, self.direction)

    def __str__(self) -> str:
        return f"{self.layer} {self.direction}"


class Turn(NamedTuple):
    """The times of single calls in one turn, in seconds."""

    median: float
    least: float


@dataclass
class Timing:
    """What became of a task on one implementation."""

    status: str = "timed"  # or "wrong", "raised", "declined", "absent", or "ended" with its process
    reason: str | None = None
    turns: list[list[Turn]] = field(default_factory=list)  # by generation

    @property
    def timed(self) -> bool:
        """Whether it did what it should, so that its times mean something."""
        return self.status == "timed"

    @property
    def medians(self) -> list[float]:
        """The median of each turn."""
        return [turn.median for turns in self.turns for turn in turns]

    @property
    def median(self) -> float:
        """The median time of a call."""
        return statistics.median(self.medians)


Timings = Mapping[Task, Mapping[str, Timing]]
"""By task and implementation."""
Sides = Callable[[], Iterable[AbstractContextManager[Side]]]
"""Makes the processes of one generation."""


class Measuring:
    """What was measured so far, and what measures more.

    Parameters
    ----------
    sides : callable
        Makes the implementations anew for each generation.
    subjects : sequence of str
        The names of those that must have something to time.
    rounds : int
        The turns of each in a generation.
    advanced : callable
        Is told of each task that a generation has done.
    """

    def __init__(
        self,
        sides: Sides,
        *,
        subjects: Sequence[str] = (),
        rounds: int,
        advanced: Callable[[Task], None] | None = None,
    ) -> None:
        self.found: defaultdict[Task, defaultdict[str, Timing]] = defaultdict(lambda: defaultdict(Timing))
        self.versions: dict[str, str | None] = {}
        self._sides = sides
        self._subjects = subjects
        self._rounds = rounds
        self._advanced = advanced
        self._generation = 0

    def generation(self, tasks: Sequence[Task]) -> None:
        """Time `tasks` in new processes; the first time they are judged.

        Raises
        ------
        NothingError
            Where one of the subjects has none of the functions.
        LoadError
            Where an implementation can't be loaded.
        """
        with ExitStack() as stack:
            sides = [stack.enter_context(side) for side in self._sides()]
            for side in sides:
                side.loaded()  # all at once, as each has a process
                self.versions[side.name] = side.version
                if side.name in self._subjects:
                    _require(side, tasks)
            for task in tasks:
                with self._whole(task):
                    self._time(task, sides, judged=self._generation == 0)
                if self._advanced is not None:
                    self._advanced(task)
        self._generation += 1

    @contextmanager
    def _whole(self, task: Task) -> Iterator[None]:
        """Keep nothing of a task that is cut short: it has not been judged to the end, or not timed on all sides."""
        before = deepcopy(self.found.get(task))
        try:
            yield
        except BaseException:
            if before is None:
                self.found.pop(task, None)
            else:
                self.found[task] = before
            raise

    def _time(self, task: Task, sides: Sequence[Side], *, judged: bool) -> None:
        """Time one task: hold it ready, take turns, and hold it ready on other inputs, which nobody has seen yet."""
        timings = self.found[task]
        running = self._held(task, sides, _FIRST, judged=judged)
        taken: dict[str, list[Turn]] = {side.name: [] for side in running}
        for number in range(self._rounds):
            for side in _rotated([side for side in running if timings[side.name].timed], number):
                with self._noting(task, side):
                    taken[side.name].append(_turn(side.time()))
        for side in running:
            timings[side.name].turns.append(taken[side.name])
        if judged:
            running = self._held(task, running, _FRESH, judged=True)

    def _held(self, task: Task, sides: Sequence[Side], seed: int, *, judged: bool) -> list[Side]:
        """Return those of `sides` that do the task, right, and hold it ready on the content of `seed`."""
        timings = self.found[task]
        running = [side for side in sides if timings[side.name].timed]
        if running:
            case = task.layer.case(task.dtype, seed)
            arithmetic = read_arithmetic(task.arithmetic, task.dtype)
            expected = expectation(case, task.direction, arithmetic) if judged else None
            for side in running:
                with self._noting(task, side):
                    self._hold(task, side, case, expected, arithmetic)
        return [side for side in running if timings[side.name].timed]

    def _hold(self, task: Task, side: Side, case: Case, expected: Expectation | None, arithmetic: Arithmetic) -> None:
        """Have one side hold the call ready; note what is wrong with what it returns."""
        if not side.offers([task.function]):
            self.found[task][side.name] = Timing("absent", f"{side.name} has no {task.function}")
            return
        arrays = list(arguments_of(case, task.direction).values())
        status, returned = side.run(task.function, arrays, case.attributes, names_of(case, task.direction))
        if status != "returned":
            self.found[task][side.name] = Timing(status, returned)
        elif expected is not None:
            observed = Observation(
                case, task.direction, outcome_of(returned, case, task.direction), expected, arithmetic
            )
            judged = verdict(observed)
            if not judged.passed:
                before = self.found[task][side.name].turns
                when = " (on other inputs, after it was timed)" if before else ""
                self.found[task][side.name] = Timing("wrong", f"{judged.reason}{when}")

    @contextmanager
    def _noting(self, task: Task, side: Side) -> Iterator[None]:
        """Note it where a process ends."""
        try:
            yield
        except EndedError as error:
            self.found[task][side.name] = Timing("ended", str(error))


def _require(side: Side, tasks: Sequence[Task]) -> None:
    functions = list(dict.fromkeys(task.function for task in tasks))
    if not side.offers(functions):
        raise NothingError(
            f"{side.name} has none of {', '.join(functions)}: choose what it has with --operator and --direction"
        )


def _rotated(sides: Sequence[Side], number: int) -> list[Side]:
    """Return `sides` in an order that begins with another of them each time."""
    first = number % max(len(sides), 1)
    return [*sides[first:], *sides[:first]]


def _turn(times: Sequence[float]) -> Turn:
    return Turn(statistics.median(times), min(times))


_FIRST, _FRESH = 0, 1  # seeds of what the arrays hold
