"""The calls of adaptive pooling: whether the sizes after divide those before, along each axis."""

from collections.abc import Callable
from math import prod
from typing import Any

from numpy.random import Generator

from properties.models import memory, windows
from properties.models.feature import Call, Choices, Class, Contents, Feature, Model, Row, picked, spelled
from properties.models.planes import BATCH, CHANNELS, ELEMENTS, PLANES, is_axes, numbers_alone, positions, signal_of
from properties.models.windows import IN_FULL, RANK


def _cut(size: tuple[int, ...], given: Any) -> str | None:
    """Return how windows cut the axes."""
    if not is_axes(given):
        return None
    if all(windows_ == 1 for windows_ in given):
        return "1"
    axes = [*zip(size, given, strict=False)]
    if any(windows_ > length for length, windows_ in axes):
        return "larger"
    return "overlapping" if any(length % windows_ for length, windows_ in axes) else "dividing"


def _divisors(length: int) -> list[int]:
    return [number for number in range(1, length + 1) if length % number == 0]


def _overlapping(length: int) -> list[int]:
    return [number for number in range(2, length) if length % number] or _divisors(length)


def _larger(length: int) -> list[int]:
    return [length + 1, length + 2, 2 * length, 2 * length + 1]


def _cutting(name: str, possible: Callable[[int], list[int]]) -> Class:
    """Return a class of output sizes, each axis cut in one of the `possible` ways, or left, or pooled as a whole."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        size = chosen["positions"]
        for _ in range(20):
            drawn = tuple(picked(rng, possible(length) if rng.random() < 0.7 else [1, length]) for length in size)
            if _cut(size, drawn) == name:
                return drawn
        longest = max(range(len(size)), key=lambda axis: size[axis])
        return tuple(possible(length)[-1] if axis == longest else 1 for axis, length in enumerate(size))

    return Class(name, draw, lambda given, chosen: _cut(chosen["positions"], given) == name)


_OUTPUT_SIZE = Feature(
    "output_size",
    (
        Class(
            "1",
            lambda rng, chosen, row: (1,) * chosen["rank"],
            lambda given, chosen: _cut(chosen["positions"], given) == "1",
        ),
        _cutting("dividing", _divisors),
        _cutting("overlapping", _overlapping),
        _cutting("larger", _larger),
    ),
    lambda case: windows.entries(case, "output_size"),
)


def _of_size(chosen: Choices) -> int:
    """Return the elements of an output of that size."""
    return int(chosen["batch"] * chosen["channels"] * prod(chosen["output_size"]))


def _build_adaptive(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["batch"], chosen["channels"]
    out = chosen["output_size"]
    axes = zip(chosen["positions"], out, strict=True)
    terms = prod(max(-(-length // windows_) + 1, -(-windows_ // length) + 1) for length, windows_ in axes)
    arrays = {
        "grad_output": memory.filled(numbers_alone(contents), (*shape, *out), terms),
        "input": signal_of(contents, (*shape, *chosen["positions"]), terms),
    }
    return Call({"output_size": spelled(out, chosen["in full"])}, arrays, terms)


def _adaptive(operator: str, *contents: str) -> Model:
    return Model(
        operator,
        (
            RANK,
            BATCH,
            CHANNELS,
            positions(*PLANES, least=lambda row: (1, 3) if row["output_size"] == "overlapping" else (1, 1)),
            _OUTPUT_SIZE,
            IN_FULL,
            *memory.features("input", "grad_output", contents=contents),
        ),
        _build_adaptive,
        costs=(ELEMENTS,),
        impossible=({"positions": ("1",), "output_size": ("dividing", "overlapping")},),
        elements=_of_size,
    )


ADAPTIVE_AVG_POOL = _adaptive("adaptive_avg_pool", *memory.SUMMED)
ADAPTIVE_MAX_POOL = _adaptive("adaptive_max_pool", "integer", "normal", "nan", "-inf")
