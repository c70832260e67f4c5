"""The vocabulary of a model: features of a call, the classes of their values, and how a call is made of them.

A feature is what implementations make a difference by: the rank, the kernel, how many channels a group has. Its classes
are the ranges between the sizes at which they change their ways. A choice is a value of each feature; a call is a pure
function of it. So a case that fails is made smaller one feature at a time, and what it fails by has a name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from properties.case import Case

Choices = Mapping[str, Any]
"""A value for each feature, by name."""
Row = Mapping[str, str]
"""The name of a class for each feature."""

EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 192, 255, 256, 257, 384,
         511, 512, 513, 1000, 1023, 1024, 1025, 2048, 2049, 4096, 4097, 32767, 32768, 65535, 65536, 65537)  # fmt: skip
"""Sizes at which implementations change their ways, and one beside them: vectors, tiles, blocks, types of indices."""


@dataclass(frozen=True)
class Class:
    """Values of a feature that implementations are expected to treat alike."""

    name: str
    draw: Callable[[Generator, dict[str, Any], Row], Any]
    """A value, given those of the features before it, and the classes of all."""
    has: Callable[[Any, Choices], bool]
    """Whether a value, beside those of the other features, is of this class."""
    least: float = 1.0
    """What it multiplies the work by, at the least."""
    each_axis: bool = False
    """Whether it does so once for each spatial axis."""
    up_to: Callable[[int], "Class"] | None = None
    """Of a range of sizes: its part up to some size."""


@dataclass(frozen=True)
class Feature:
    """What calls differ by; the simplest, or commonest, of its classes comes first."""

    name: str
    classes: tuple[Class, ...]
    read: Callable[[Case], Any]
    """The value in a case, None where it can't be told."""
    counted: bool = True
    """Whether it takes part in the pairs and triples that a plan covers."""

    def class_of(self, choices: Choices) -> str | None:
        """Return the name of the class of this feature's value, None where it is in none."""
        value = choices.get(self.name)
        if value is None:
            return None
        return next((known.name for known in self.classes if known.has(value, choices)), None)

    def named(self, name: str) -> Class:
        """Return the class of that name."""
        return next(known for known in self.classes if known.name == name)


ELEMENT = 32
"""The multiply-adds that take as long as all that is done with one element of an array beside them."""


class Call(NamedTuple):
    """A call as its choices make it: attributes, and for each array its shape, or itself, or None."""

    attributes: dict[str, object]
    arrays: dict[str, Any]
    terms: int = 1
    """How many products the longest of all sums has."""


@dataclass(frozen=True)
class Model:
    """What the calls of an operator are like."""

    operator: str
    features: tuple[Feature, ...]
    build: Callable[["Contents", Choices], Call]
    costs: tuple[tuple[int, tuple[str, ...]], ...]
    """Numbers, and the features whose sizes multiply them: the multiply-adds, and what arrays take beside these."""
    impossible: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """Classes, of two or three features, that can't occur together."""
    elements: Callable[[Choices], int] = lambda chosen: 0
    """Those of the largest array, where the costs don't tell."""

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """The features by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def counted(self) -> tuple[Feature, ...]:
        """The features that a plan combines."""
        return tuple(feature for feature in self.features if feature.counted)

    def work(self, choices: Choices) -> int:
        """Return how much a forward has to do, in multiply-adds."""
        costs = (factor * math.prod(size_of(choices[name]) for name in names) for factor, names in self.costs)
        return max(*costs, ELEMENT * self.elements(choices))

    def largest_array(self, choices: Choices) -> int:
        """Return how many elements the largest array of a call has, at most."""
        arrays = [math.prod(size_of(choices[name]) for name in names) for factor, names in self.costs if factor > 1]
        return max([self.elements(choices), *arrays])

    def read(self, case: Case) -> dict[str, Any]:
        """Return the choices that a case was made by, as far as they show."""
        return {feature.name: feature.read(case) for feature in self.features}

    def classes(self, choices: Choices) -> dict[str, str | None]:
        """Return the class of each feature that counts."""
        return {feature.name: feature.class_of(choices) for feature in self.counted}


class Contents(NamedTuple):
    """What a call's arrays are filled with: a kind of content from a generator."""

    rng: Generator
    dtype: str
    kind: str


def edges(low: int, high: int) -> list[int]:
    """Return the sizes from `low` to `high` at which implementations change their ways, these two among them."""
    return sorted({low, high, *(size for size in EDGES if low <= size <= high)})


def number_in(rng: Generator, low: int, high: int) -> int:
    """Draw a number of a range: mostly where implementations change their ways, or any, the small ones more often."""
    if low == high or rng.random() < 0.7:
        known = edges(low, high)
        return known[int(rng.integers(len(known)))]
    return round(math.exp(rng.uniform(math.log(max(low, 1)), math.log(high))))


def bounds_of(name: str) -> tuple[int, int]:
    """Return the first and last number of a class that is named as a range: "1", or "34-128"."""
    low, _, high = name.partition("-")
    return int(low), int(high or low)


def size_of(value: Any) -> int:
    """Return what a value multiplies the work by: a number, or the product of those of all axes."""
    return math.prod(value) if isinstance(value, tuple) else int(value)


def ranged(name: str, most: int | None = None) -> Class:
    """Return the class of the whole numbers in a range, by which the work is multiplied."""
    low, high = bounds_of(name)
    return between(name, low, high if most is None else most)


def between(name: str, low: int, high: int, has: Callable[[Any, Choices], bool] | None = None) -> Class:
    """Return the class of the whole numbers from `low` to `high`, by which the work is multiplied."""
    return Class(
        name,
        draw=lambda rng, chosen, row: number_in(rng, low, high),
        has=has or (lambda value, chosen: low <= value <= high),
        least=max(low, 1),
        up_to=lambda most: between(name, low, max(low, min(high, most)), has),
    )


def sizes(name: str, read: Callable[[Case], Any], *ranges: str) -> Feature:
    """Return a feature whose classes are ranges of whole numbers."""
    return Feature(name, tuple(ranged(known) for known in ranges), read)


def one_of(name: str, read: Callable[[Case], Any], *values: object) -> Feature:
    """Return a feature each of whose classes has one value."""
    return Feature(name, tuple(exactly(value) for value in values), read)


def exactly(value: object, name: str | None = None) -> Class:
    """Return the class of a single value."""
    return Class(
        str(value) if name is None else name,
        draw=lambda rng, chosen, row: value,
        has=lambda given, chosen: type(given) is type(value) and given == value,
    )


def among(name: str, *values: Any) -> Class:
    """Return the class of some values."""
    return Class(
        name,
        draw=lambda rng, chosen, row: values[int(rng.integers(len(values)))],
        has=lambda given, chosen: given in values,
    )


def uncounted(name: str, draw: Callable[[Generator, dict[str, Any], Row], Any], read: Callable[[Case], Any]) -> Feature:
    """Return a feature that makes no difference of its own, but has a value: positions beyond the last window."""
    return Feature(name, (Class("any", draw, lambda value, chosen: True),), read, counted=False)


def picked(rng: Generator, values: Sequence[Any]) -> Any:
    """Draw one of some values, as it is."""
    return values[int(rng.integers(len(values)))]


def attribute(name: str) -> Callable[[Case], Any]:
    """Return what reads an attribute."""
    return lambda case: case.attributes[name]


def spelled(entries: tuple[Any, ...], in_full: bool) -> Any:
    """Return one entry for all axes where that says the same, or all of them `in_full`."""
    short = not in_full and len(set(entries)) == 1 and not isinstance(entries[0], tuple)
    return entries[0] if short else entries


def seeded(*numbers: int) -> Generator:
    """Return a generator that depends on these numbers alone."""
    return np.random.default_rng(list(numbers))
