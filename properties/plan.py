"""Which cases a check runs, in which order: the layers that networks have, then every triple of classes.

What an implementation declines is learned as it goes: where it turns down one class, or several together, whatever the
rest is, no more cases are spent on that, and the design goes on over what is left.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from properties.case import Case
from properties.covering import Design
from properties.domain import allowed_classes, fits
from properties.layers import layers, recipe_of
from properties.models import MODELS, Model, Recipe, Row, drawn

LARGEST = 20_000_000
"""The multiply-adds of a case, at most."""
_SPARED = 6  # cases of the design are smaller by this factor: there are hundreds of them
_OVER = 4  # times that: the least sizes of a row's classes may take as much
_REDRAWN = 12  # times, until a case is within the domain


@dataclass
class Coverage:
    """What was covered of an operator's calls: counts of what was run, and of what there is."""

    operator: str
    layers: int = 0
    of_layers: int = 0
    pairs: int = 0
    of_pairs: int = 0
    triples: int = 0
    of_triples: int = 0
    free: int = 0  # cases that were drawn at random
    tried: int = 0  # cases, so far
    expected: int = 0  # cases, about
    left_out: int = 0  # cases that wouldn't fit into memory
    largest: tuple[int, ...] = ()  # the shape of the input with the most elements
    sum: int = 0  # the longest, in products
    declined: list[str] = field(default_factory=list)  # what the implementation doesn't offer, in classes
    seconds: float = 0.0

    def see(self, case: Case, terms: int) -> None:
        """Note how large a case was."""
        first = case.inputs[0]
        if first is not None and first.size > math.prod(self.largest or (0,)):
            self.largest = first.shape
        self.sum = max(self.sum, terms)


@dataclass(frozen=True)
class Planned:
    """A case of the plan, before it is made, and which part it is of."""

    recipe: Recipe
    part: str  # "layer" or "design"


class Plan:
    """The cases of an operator. Each that is yielded must be noted before the next is asked for."""

    def __init__(
        self,
        operator: str,
        dtype: str,
        seed: int,
        *,
        largest: int = LARGEST,
        only: Mapping[str, frozenset[Any]] | None = None,
    ) -> None:
        self.model: Model = MODELS[operator]
        self.dtype = dtype
        self.seed = seed
        self.largest = max(largest // _SPARED, 1)  # of the design's
        self.only = only or {}
        self.coverage = Coverage(operator)
        self.design = Design(self.model, self.largest, seed)
        self.design.allow_only(allowed_classes(self.model, self.only))
        self._layers = layers(operator, largest)
        self.coverage.of_layers = len(self._layers)
        self._accepted: Recipe | None = None  # the last that was
        self._simplest: Row | None = None  # that is accepted; empty if there is none
        self._known: set[tuple[str, str]] = set()  # classes that occurred in what was accepted
        self._turned_down: list[tuple[tuple[str, str], ...]] = []  # classes that are declined, alone or together
        self._doubts: Counter[tuple[str, str]] = Counter()
        self._number = 0
        self._rows = 0  # of the design, so far

    def of_layers(self) -> Iterator[Planned]:
        """Yield the layers of networks, but for those that are known to be declined."""
        for layer in self._layers:
            recipe = recipe_of(layer, self.seed)
            if self.only and not fits(recipe.case(self.dtype), self.only):
                self.coverage.of_layers -= 1
            elif not self._declines(recipe.classes):
                yield Planned(recipe, "layer")

    def of_design(self) -> Iterator[Planned]:
        """Yield cases in which every pair and every triple of classes occurs."""
        missed = 0
        for row in self.design.rows():
            self._rows += 1
            recipe = self._drawn(row)
            missed += recipe is None
            if missed == self._rows == _MISSED:  # a domain of values that hardly any draw has: left to the free cases
                return
            if recipe is None or recipe.work > _OVER * self.largest:
                self.design.refuse()
                continue
            yield Planned(recipe, "design")

    def _drawn(self, row: Row) -> Recipe | None:
        for _ in range(_REDRAWN if self.only else 1):
            self._number += 1
            recipe = drawn(self.model, row, self.seed * 1_000_003 + self._number, self.largest)
            if not self.only or fits(recipe.case(self.dtype), self.only):
                return recipe
        return None

    def rows(self) -> int:
        """Return how many rows the design will have, about: each closes fewer triples than the one before."""
        closed, known = self.design.triples
        if not closed:
            most = sorted(len(feature.classes) for feature in self.model.counted)[-3:]
            return _ROWS * math.prod(most)
        done: float = 1 - (1 - closed / known) ** _SLOWING
        return math.ceil(self._rows / done)

    def ran(self, planned: Planned, case: Case, terms: int) -> None:
        """Note that a case was run, and not declined."""
        recipe = planned.recipe
        self._accepted = recipe
        self._known.update((name, known) for name, known in recipe.classes.items() if known is not None)
        self.design.note(recipe.classes)
        self.coverage.layers += planned.part == "layer"
        self.coverage.see(case, terms)

    def left_out(self, planned: Planned) -> None:
        """Note that a case was not run: what only such cases have counts neither as covered nor as lacking."""
        if planned.part == "design":
            self.design.refuse()

    def unwanted(self, planned: Planned) -> None:
        """Note that a case holds what wasn't asked for: no other is made of its class of content."""
        self.left_out(planned)
        content = planned.recipe.classes["content"]
        if planned.part == "design" and content is not None:
            self.design.forbid(("content", content))

    def declined(self, planned: Planned, accepts: Callable[[Case], bool]) -> None:
        """Find out which class it is, or which of them together, that made the implementation decline a case."""
        row = {name: known for name, known in planned.recipe.classes.items() if known is not None}
        base = self._base(accepts)
        if planned.part == "design":
            self.design.refuse()
        if base is None:
            return
        culprits = self._culprits(row, base, accepts) or self._suspect(row)
        if culprits:
            self._turned_down.append(culprits)
            self.design.forbid(*culprits)
            self.coverage.declined = self._words()

    def _base(self, accepts: Callable[[Case], bool]) -> Row | None:
        """Return the classes of a case that is accepted: the simplest of some rank, or the last one."""
        if self._simplest is None:
            self._simplest = next((row for row in self._simplest_rows() if self._takes(row, accepts)), {})
        if self._simplest or self._accepted is None:
            return self._simplest or None
        return {name: known for name, known in self._accepted.classes.items() if known is not None}

    def _simplest_rows(self) -> Iterator[Row]:
        """Yield the rows of the first class of each feature, by rank."""
        row = {feature.name: feature.classes[0].name for feature in self.model.counted}
        rank = self.model.by_name.get("rank")
        yield from ({**row, "rank": known.name} for known in rank.classes) if rank else [row]

    def _takes(self, row: Row, accepts: Callable[[Case], bool]) -> bool:
        recipe = self._drawn(row)
        return recipe is not None and accepts(recipe.case(self.dtype))

    def _culprits(self, row: Row, base: Row, accepts: Callable[[Case], bool]) -> tuple[tuple[str, str], ...]:
        """Return the fewest classes of `row` that make `base` declined: one, if there is such a one, or some."""

        def declines(changed: list[tuple[str, str]]) -> bool:
            mixed = {**base, **dict(changed)}
            recipe = self._drawn(mixed) if self.design.possible(mixed) else None
            if recipe is None or recipe.classes != mixed or recipe.work > _OVER * self.largest:
                return False
            return not accepts(recipe.case(self.dtype))

        different = [(name, known) for name, known in row.items() if base.get(name) != known]
        unknown = [pair for pair in different if pair not in self._known]
        for pair in unknown:
            if declines([pair]):
                return (pair,)
        if not declines(different):
            return ()
        needed = different
        for pair in different:  # one after the other is left out that isn't needed
            fewer = [each for each in needed if each != pair]
            if declines(fewer):
                needed = fewer
        return tuple(needed) if 1 < len(needed) <= _TOGETHER else ()

    def declines(self, case: Case) -> bool:
        """Whether a case is of classes that are known to be declined."""
        return bool(self._turned_down) and self._declines(self.model.classes(self.model.read(case)))

    def _suspect(self, row: Row) -> tuple[tuple[str, str], ...]:
        """Return a class that was in several cases that were declined, and in none that was accepted."""
        for pair in row.items():
            self._doubts[pair] += pair not in self._known
            if self._doubts[pair] >= _DOUBTED:
                return (pair,)
        return ()

    def _declines(self, classes: Mapping[str, str | None]) -> bool:
        return any(all(classes.get(name) == known for name, known in group) for group in self._turned_down)

    def _words(self) -> list[str]:
        """Say what is declined, by feature: classes alone, or together with others."""
        alone: dict[str, list[str]] = {}
        for group in self._turned_down:
            if len(group) == 1:
                alone.setdefault(group[0][0], []).append(group[0][1])
        said = [f"{name} {' or '.join(known)}" for name, known in alone.items()]
        together = (group for group in self._turned_down if len(group) > 1)
        return [*said, *(" with ".join(f"{name} {known}" for name, known in group) for group in together)]

    def counted(self) -> Coverage:
        """Return the coverage so far."""
        coverage = self.coverage
        coverage.pairs, coverage.of_pairs = self.design.pairs
        coverage.triples, coverage.of_triples = self.design.triples
        return coverage


_ROWS = 2  # times as many as are needed at least
_SLOWING = 0.25  # what is open goes with the fourth power of the rows that are left
_DOUBTED = 4  # cases with a class that is never accepted
_MISSED = 30  # rows, all of them from the first, of which no draw is within the domain
_TOGETHER = 3  # classes that are declined together, at most: of more, nothing is learned
