"""How something is measured: what is kept with the figures, and must be the same to compare them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench.measuring import NothingError, Task
from bench.side import Apart
from bench.workloads import NAMES, workload
from oracle.contract import DIRECTIONS
from oracle.judging.judge import read_arithmetic
from properties.arrays import DTYPES
from properties.naming import meant
from refconv import operators
from refconv.words import did_you_mean


class SettingsError(ValueError):
    """Something can't be measured in that way."""


@dataclass(frozen=True)
class Settings:
    """What is timed, beside what, and how often.

    Raises
    ------
    SettingsError
        For a value that makes no sense.
    """

    workload: str = "resnet50"
    operators: tuple[str, ...] = ()  # all, where there are none
    direction: str = "both"
    dtype: str = "float32"
    batch: int = 1
    threads: int | None = None  # as many as an implementation likes
    arithmetic: str | None = None  # that of the dtype
    processes: int = 3
    rounds: int = 5
    yardstick: str = "torch"

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {"workload": NAMES, "direction": (*DIRECTIONS, "both"), "dtype": DTYPES}
        chosen = [(name, getattr(self, name), allowed) for name, allowed in known.items()]
        for name, value, allowed in [*chosen, *(("operators", operator, operators) for operator in self.operators)]:
            if value not in allowed:
                hint = meant([value]) if allowed is operators else did_you_mean(value, allowed)
                raise SettingsError(f"{name} must be of {', '.join(allowed)}, got {value!r}{hint}")
        for name in ("batch", "processes", "rounds"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 1 or more, got {getattr(self, name)}")
        try:
            read_arithmetic(self.arithmetic, self.dtype)
        except ValueError as error:
            raise SettingsError(str(error)) from error

    def tasks(self) -> list[Task]:
        """Return what is timed.

        Raises
        ------
        NothingError
            Where the workload has none of the operators.
        """
        layers = workload(self.workload).layers
        chosen = [layer for layer in layers if not self.operators or layer.operator in self.operators]
        if not chosen:
            known = ", ".join(dict.fromkeys(layer.operator for layer in layers))
            raise NothingError(f"{self.workload} has no {' or '.join(self.operators)}; it has {known}")
        directions = DIRECTIONS if self.direction == "both" else (self.direction,)
        return [
            Task(layer.of_batch(self.batch), direction, self.dtype, self.arithmetic)
            for direction in directions
            for layer in chosen
        ]

    def side(self, subject: str, name: str | None = None, folders: Sequence[Path] = ()) -> Callable[[], Apart]:
        """Return what makes a process of an implementation."""
        return partial(Apart, subject, name=name, folders=folders, arithmetic=self.arithmetic, threads=self.threads)


def best_yardstick(subjects: Sequence[str]) -> str:
    """Return beside what `subjects` are timed: PyTorch on their device, or the reference where there is no PyTorch."""
    if find_spec("torch") is None:
        return "refconv"
    return "torch@cuda" if any(subject.endswith("@cuda") for subject in subjects) else "torch"
