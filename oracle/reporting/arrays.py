"""The arrays of a failing case, to be checked by hand: what was given, what came back, and what should have."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oracle.contract import arguments_of
from oracle.judging.judge import Observation, Refused
from oracle.judging.values import Expected, wrong
from refconv.arguments import Array

_KEPT = 256  # elements of an array whose values are kept
_FEW = 64  # of one that is written on a line


class Shown(NamedTuple):
    """One of the arrays."""

    role: str  # "given", "got" or "expected"
    name: str
    dtype: str
    shape: tuple[int, ...]
    values: Array | None  # None where they are too many, or no numbers
    wrong: Array | None = None  # which elements of what was got are wrong, where it can be compared

    def __str__(self) -> str:
        """Return its name, shape and values on a line."""
        role = "" if self.role == "given" else f"{self.role} "
        values = "" if self.values is None or self.values.size > _FEW else f" = {on_a_line(self.values)}"
        return f"{role}{self.name} [{', '.join(map(str, self.shape))}]{values}"


def shown(observation: Observation) -> tuple[Shown, ...]:
    """Return the arrays of a case, what was returned, and what should have been."""
    return tuple(_shown(observation))


def _shown(observation: Observation) -> Iterator[Shown]:
    for name, array in arguments_of(observation.case, observation.direction).items():
        if array is not None:
            yield _kept("given", name, array)
    if isinstance(observation.expected, Refused):
        return
    for name, item in observation.expected.items():
        got = observation.outcome.results.get(name)
        if got is not None:
            yield _kept("got", name, got)._replace(wrong=_wrong(name, got, item, observation))
        if item is not None:
            yield _kept("expected", name, item.value)


def _kept(role: str, name: str, array: Array) -> Shown:
    """Copy an array, whose memory the next call may use, if it is small."""
    values = array.copy() if array.size <= _KEPT and _of_numbers(array) else None
    return Shown(role, name, str(array.dtype), array.shape, values)


def _of_numbers(array: Array) -> bool:
    return array.dtype.kind in "fiub" or array.dtype.name == "bfloat16"


def _wrong(name: str, got: Array, expected: Expected | None, observation: Observation) -> Array | None:
    if expected is None or got.size > _KEPT or got.shape != expected.value.shape or not _of_numbers(got):
        return None
    return wrong(name, got, expected, observation.case, observation.direction, observation.arithmetic)


def on_a_line(array: Array) -> str:
    """Return the values of an array as NumPy shows them, on one line."""
    return " ".join(np.array2string(array, separator=", ", max_line_width=10**9, precision=9).split())
