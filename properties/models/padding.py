"""The calls of `pad`: which sides are padded, and how deep."""

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

from numpy.random import Generator

from properties.models import memory, windows
from properties.models.feature import (
    Call,
    Choices,
    Class,
    Contents,
    Feature,
    Model,
    Row,
    among,
    attribute,
    exactly,
    one_of,
    picked,
    spelled,
)
from properties.models.planes import (
    BATCH,
    CHANNELS,
    ELEMENTS,
    FEWER_PLANES,
    is_axes,
    numbers_alone,
    positions,
    signal_of,
)
from properties.models.windows import DIFFERING, IN_FULL, RANK
from refconv.geometry import read_padding

Pairs = tuple[tuple[int, int], ...]


def _sides(given: Any) -> str | None:
    """Return which sides are padded."""
    if not is_axes(given) or not all(map(is_axes, given)):
        return None
    if not any(map(any, given)):
        return "0"
    if any(before != after for before, after in given):
        return "one-sided"
    return "alike" if len({*given}) == 1 else DIFFERING


def _limits(chosen: Choices, row: Row) -> list[int]:
    """Return the most that each axis may be padded by."""
    less = {"reflect": 1, "circular": 0}.get(row["mode"])
    return [max(length, 3) if less is None else length - less for length in chosen["positions"]]


def _side(rng: Generator, limit: int) -> int:
    """Draw how far a side is padded: a little, or as far as may be."""
    return limit if rng.random() < 0.2 and limit < 40 else int(rng.integers(0, min(limit, 5) + 1))


def _padded_alike(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limit = max(min(_limits(chosen, row)), 1)
    return ((max(_side(rng, limit), 1),) * 2,) * len(chosen["positions"])


def _padded_apart(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limits = _limits(chosen, row)
    drawn = [_side(rng, limit) for limit in limits]
    if len({*drawn}) == 1:
        deepest = max(range(len(limits)), key=lambda axis: limits[axis])
        drawn[deepest] = drawn[deepest] - 1 if drawn[deepest] else 1
    return tuple((side, side) for side in drawn)


def _padded_on_one_side(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limits = _limits(chosen, row)
    drawn = [(_side(rng, limit), _side(rng, limit)) for limit in limits]
    if all(before == after for before, after in drawn):
        deepest = max(range(len(limits)), key=lambda axis: limits[axis])
        drawn[deepest] = picked(rng, ((0, 1), (1, 0), (0, limits[deepest])))
    return tuple(drawn)


def _padding(name: str, draw: Callable[[Generator, dict[str, Any], Row], Pairs]) -> Class:
    return Class(name, draw, lambda given, chosen: _sides(given) == name)


def _longer(chosen: Choices) -> Iterable[int]:
    sides = zip(chosen["positions"], chosen["padding"], strict=True)
    return (length + sum(pair) for length, pair in sides)


def _build_pad(contents: Contents, chosen: Choices) -> Call:
    shape, padding = (chosen["batch"], chosen["channels"]), chosen["padding"]
    out = tuple(_longer(chosen))
    even = all(before == after for before, after in padding)
    terms = prod(-(-after // before) + 1 for before, after in zip(chosen["positions"], out, strict=True))
    if chosen["mode"] == "replicate":  # the edge gets all that is beyond it
        terms = prod(max(*pair, 1) + 1 for pair in padding)
    attributes = {
        "padding": spelled(tuple(before for before, _ in padding), chosen["in full"]) if even else padding,
        "mode": chosen["mode"],
        "value": chosen["value"],
    }
    arrays = {
        "grad_output": memory.filled(numbers_alone(contents), (*shape, *out), terms),
        "input": signal_of(contents, (*shape, *chosen["positions"])),
    }
    return Call(attributes, arrays, terms)


def _least_padded(row: Row) -> tuple[int, int]:
    """Return what a reflection needs along each axis: one more position than is padded."""
    return (2, 2) if row["mode"] == "reflect" and row["padding"] == "alike" else (1, 1)


PAD = Model(
    "pad",
    (
        RANK,
        BATCH,
        CHANNELS,
        one_of("mode", attribute("mode"), "zeros", "constant", "reflect", "replicate", "circular"),
        Feature(
            "value",
            (exactly(0.0, "0"), among("another", 1.0, -2.0, 0.1, -1e3)),
            lambda case: float(case.attributes["value"]),  # type: ignore[arg-type]  # a number
        ),
        positions(*FEWER_PLANES, least=_least_padded),
        Feature(
            "padding",
            (
                _padding("alike", _padded_alike),
                _padding("0", lambda rng, chosen, row: ((0, 0),) * chosen["rank"]),
                _padding(DIFFERING, _padded_apart),
                _padding("one-sided", _padded_on_one_side),
            ),
            lambda case: read_padding(case.attributes["padding"], windows.rank_of(case)),
        ),
        IN_FULL,
        *memory.features("input", "grad_output", contents=("integer", "normal", memory.WIDE_INTEGERS, "nan")),
    ),
    _build_pad,
    costs=(ELEMENTS,),
    impossible=(
        {"mode": ("zeros", "reflect", "replicate", "circular"), "value": ("another",)},
        {"mode": ("reflect",), "positions": ("1",), "padding": ("alike", DIFFERING, "one-sided")},
        {"rank": ("1",), "padding": (DIFFERING,)},
    ),
    elements=lambda chosen: int(chosen["batch"] * chosen["channels"] * prod(_longer(chosen))),
)
