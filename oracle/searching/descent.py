"""A failing case of a plan made smaller: each feature to the simplest value with which it still fails.

Sizes are bisected, so that what is left is the least that fails, and the report can say where that begins.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from properties import Case
from properties.models import Feature, Recipe
from properties.models.feature import seeded

Fails = Callable[[Case], bool]
_ROUNDS = 3  # through all features


class Threshold(NamedTuple):
    """From which size of a feature on it fails; with one less, it passes."""

    feature: str
    size: int

    def __str__(self) -> str:
        """Say it."""
        return f"fails from {self.feature} {self.size} on; {self.size - 1} passes"


class Descent:
    """The way down from a failing recipe, as far as that goes before `until`."""

    def __init__(self, recipe: Recipe, dtype: str, fails: Fails, until: float) -> None:
        self.recipe = recipe
        self.dtype = dtype
        self._fails = fails
        self._until = until
        self._known: dict[str, bool] = {}

    def run(self) -> Recipe:
        """Return the simplest recipe that was found."""
        for _ in range(_ROUNDS):
            before = self.recipe
            for feature in reversed(self.recipe.model.features):  # memory and flags before sizes, the rank last
                self._simplify(feature)
            if self.recipe == before:
                break
        return self.recipe

    def thresholds(self) -> list[Threshold]:
        """Return the sizes from which on it fails, each of them alone."""
        found = []
        for feature in self.recipe.model.features:
            value = self.recipe.choices[feature.name]
            sized = any(known.up_to is not None for known in feature.classes)
            if not sized or type(value) is not int or value < 3:
                continue
            less = self.recipe.but(**{feature.name: value - 1})
            if sensible_case(less, self.dtype) is not None and not self._still(less):
                found.append(Threshold(feature.name, value))
        return found

    def _still(self, recipe: Recipe) -> bool:
        """Whether a recipe fails; one that makes no case doesn't."""
        key = repr(recipe.choices)
        if key not in self._known:
            if time.perf_counter() > self._until:
                return False
            case = sensible_case(recipe, self.dtype)
            self._known[key] = case is not None and self._fails(case)
        return self._known[key]

    def _accepted(self, **changes: Any) -> bool:
        smaller = self.recipe.but(**changes)
        if self._still(smaller):
            self.recipe = smaller
            return True
        return False

    def _simplify(self, feature: Feature) -> None:
        name, value = feature.name, self.recipe.choices[feature.name]
        if name == "rank":
            self._drop_axes()
        elif isinstance(value, tuple):
            self._shorten(name)
        elif isinstance(value, bool):
            self._accepted(**{name: False})
        elif type(value) is int and any(known.up_to is not None for known in feature.classes):
            self._bisect(name, lambda size: size, value)
        else:
            self._simpler_class(feature)

    def _simpler_class(self, feature: Feature) -> None:
        own = feature.class_of(self.recipe.choices)
        for known in feature.classes:
            if known.name == own:
                break
            row = {name: known or "" for name, known in self.recipe.classes.items()}
            try:
                value = known.draw(
                    seeded(self.recipe.seed, 3), dict(self.recipe.choices), {**row, feature.name: known.name}
                )
            except (ValueError, IndexError, KeyError):
                continue
            if self._accepted(**{feature.name: value}):
                break

    def _shorten(self, name: str) -> None:
        """Bring all entries of a tuple down to the least, or else one after the other as far as it goes."""
        value = self.recipe.choices[name]
        for least in _least(value):
            if least != value and self._accepted(**{name: least}):
                return
        for place in range(len(value)):
            entry = self.recipe.choices[name][place]
            if isinstance(entry, tuple):
                for side in range(len(entry)):
                    self._bisect(name, _with_entry(self.recipe.choices[name], place, side), entry[side], least=0)
            elif type(entry) is int:
                self._bisect(name, _with_entry(self.recipe.choices[name], place), entry, least=int(name != "slack"))

    def _bisect(self, name: str, value_of: Callable[[int], Any], size: int, *, least: int = 1) -> None:
        """Bring a size down to the least that fails: it is taken to fail from there on."""
        if size <= least or self._accepted(**{name: value_of(least)}):
            return
        passes, fails = least, size
        while fails - passes > 1:
            middle = (passes + fails) // 2
            if self._accepted(**{name: value_of(middle)}):
                fails = middle
            else:
                passes = middle

    def _drop_axes(self) -> None:
        """Leave out one axis after the other."""
        while (rank := self.recipe.choices["rank"]) > 1:
            if not any(self._accepted(**changes) for changes in _without_an_axis(self.recipe, rank)):
                return


def _least(value: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if all(isinstance(entry, tuple) for entry in value):
        yield tuple((0,) * len(entry) for entry in value)
    elif all(type(entry) is int for entry in value):
        yield (0,) * len(value)
        yield (1,) * len(value)


def _with_entry(value: tuple[Any, ...], place: int, side: int | None = None) -> Callable[[int], tuple[Any, ...]]:
    def with_size(size: int) -> tuple[Any, ...]:
        entry: Any = size
        if side is not None:
            entry = (*value[place][:side], size, *value[place][side + 1 :])
        return (*value[:place], entry, *value[place + 1 :])

    return with_size


def _without_an_axis(recipe: Recipe, rank: int) -> Iterator[dict[str, Any]]:
    per_axis = [name for name, value in recipe.choices.items() if isinstance(value, tuple) and len(value) == rank]
    for place in range(rank):
        fewer = {name: (*recipe.choices[name][:place], *recipe.choices[name][place + 1 :]) for name in per_axis}
        yield {**fewer, "rank": rank - 1}


def sensible_case(recipe: Recipe, dtype: str) -> Case | None:
    """Make the case of choices that may not go together; None where they don't."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what doesn't go together, too
            case = recipe.case(dtype)
        sensible = all(array is None or min(array.shape, default=1) >= 0 for array in case.arrays.values())
        return case if sensible and case.refusal("backward") is None else None
    except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, OverflowError, AssertionError):
        return None
