"""A covering design: rows of classes in which every pair, and every triple, that can occur together does.

A greedy construction, row by row, as in D. M. Cohen et al., The AETG system: an approach to testing based on
combinatorial design, IEEE Transactions on Software Engineering 23, 1997: a row begins with a triple that is still open;
the other features, in random order, get the class that closes most; of some such rows the best is taken. It takes a
fraction of a second, so that a design can be made for what an implementation takes, when that is known.

Triples are closed where they can't occur: together with what is impossible, with what is not allowed, or where no row
with them is cheap enough.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from properties.models.feature import Model, Row
from refconv.arguments import Array
from refconv.kernels import helper, kernel

_TRIES = 10  # rows of which the best is taken
_REFUSED = 4
_ATTEMPTS = 40  # to complete a triple, before it is taken to be impossible


class Space(NamedTuple):
    """The classes of a model, numbered through."""

    first: Array  # of each feature, the number of its first class; and the number of all
    cost: Array  # by each of the model's costs, of each class: the logarithm of what it multiplies that by
    pair_cost: Array  # of two classes
    budget: Array  # the most that each of the costs may be
    possible: Array  # of three classes, each to be taken in any order, two of them may be the same


def space_of(model: Model, largest: int) -> Space:
    """Return the numbers of a model's classes, their costs, and which can occur together."""
    features = model.counted
    first = np.cumsum([0, *(len(feature.classes) for feature in features)])
    total = int(first[-1])
    number = {
        (feature.name, known.name): int(first[place]) + each
        for place, feature in enumerate(features)
        for each, known in enumerate(feature.classes)
    }
    kinds = len(model.costs)
    cost, pair_cost = np.zeros((kinds, total)), np.zeros((kinds, total, total))
    ranks = [(number["rank", str(rank)], rank) for rank in (1, 2, 3) if ("rank", str(rank)) in number]
    for kind, (_, names) in enumerate(model.costs):
        for feature in features:
            for known in feature.classes if feature.name in names else ():
                each = number[feature.name, known.name]
                size = names.count(feature.name) * math.log2(known.least)
                if not known.each_axis or not ranks:
                    cost[kind, each] = size
                    continue
                for place, rank in ranks:
                    pair_cost[kind, place, each] = pair_cost[kind, each, place] = rank * size
    budget = np.array([math.log2(largest / factor) for factor, _ in model.costs])
    possible = np.ones((total, total, total), np.bool_)
    for place in range(len(features)):  # a feature has one class
        own = slice(int(first[place]), int(first[place + 1]))
        alike = np.zeros((total, total), np.bool_)
        alike[own, own] = ~np.eye(own.stop - own.start, dtype=bool)
        for axes in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
            np.transpose(possible, axes)[alike] = False
    for combination in model.impossible:
        groups = [[number[name, known] for known in names] for name, names in combination.items()]
        _forbid(possible, groups)
    return Space(first, cost, pair_cost, budget, possible)


def _forbid(possible: Array, groups: list[list[int]]) -> None:
    everything = list(range(len(possible)))
    one, two, three = (*groups, everything)[:3]
    for axes in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        np.transpose(possible, axes)[np.ix_(one, two, three)] = False


class Design:
    """Rows that close ever more triples; what was closed by other cases may be noted, what may be used be narrowed."""

    def __init__(self, model: Model, largest: int, seed: int) -> None:
        self.model = model
        self.space = space_of(model, largest)
        self.allowed = np.ones(self.space.cost.shape[1], np.bool_)
        self._seed = np.array([seed * 2 + 1], np.uint64)
        total = self.space.cost.shape[1]
        self._open = np.zeros((total, total, total), np.uint8)
        _open_all(self._open, self.space.possible, self.space.first)
        self._all = self._open.copy()
        self._pairs = np.zeros((total, total), np.bool_)
        self._begun = np.zeros(3, np.int64)  # the triple that the last row began with
        self._refused: Counter[tuple[int, ...]] = Counter()

    def note(self, classes: Mapping[str, str | None]) -> None:
        """Close what a case has covered."""
        row = self._numbers(classes)
        _close(self._open, row)
        known = row[row >= 0]
        self._pairs[np.ix_(known, known)] = True

    def _numbers(self, classes: Mapping[str, str | None]) -> Array:
        numbers = np.full(len(self.model.counted), -1)
        for place, feature in enumerate(self.model.counted):
            name = classes.get(feature.name)
            if name is not None:
                order = next(each for each, known in enumerate(feature.classes) if known.name == name)
                numbers[place] = self.space.first[place] + order
        return numbers

    def allow_only(self, allowed: Mapping[str, set[str]]) -> None:
        """Use no other classes of the features that are named."""
        for place, feature in enumerate(self.model.counted):
            for each, known in enumerate(feature.classes):
                if feature.name in allowed and known.name not in allowed[feature.name]:
                    self.allowed[self.space.first[place] + each] = False

    def forbid(self, *classes: tuple[str, str]) -> None:
        """Use no row with all of two or three classes, each a feature and its class."""
        groups = [[int(self._numbers({feature: name}).max())] for feature, name in classes]
        if len(groups) == 1:
            self.allowed[groups[0][0]] = False
        else:
            _forbid(self.space.possible, groups)

    def possible(self, row: Row) -> bool:
        """Whether all classes of a row may be together."""
        numbers = self._numbers(row)
        return bool(self.space.possible[np.ix_(numbers, numbers, numbers)][_apart(len(numbers))].all())

    def refuse(self) -> None:
        """Take the last row to be impossible: after a few, the triple that they began with is."""
        triple = tuple(self._begun.tolist())
        self._refused[triple] += 1
        if self._refused[triple] > _REFUSED:
            self._open[triple] = self._all[triple] = 0

    def rows(self) -> Iterator[Row]:
        """Yield rows until nothing is open: each must be noted, or refused, before the next is asked for."""
        while True:
            row = np.full(len(self.model.counted), -1)
            best, scratch = row.copy(), row.copy()
            order, least = np.arange(len(row)), np.zeros((len(self.space.cost), len(row)))
            rest = self.allowed, self._seed, self._begun, _TRIES, _ATTEMPTS
            found = _next_row(best, scratch, order, least, self._open, self._all, *self.space, *rest)
            if not found:
                return
            classes = {
                feature.name: feature.classes[int(best[place] - self.space.first[place])].name
                for place, feature in enumerate(self.model.counted)
            }
            yield classes

    @property
    def triples(self) -> tuple[int, int]:
        """How many triples were covered, of how many that can occur."""
        usable = self._all.astype(bool) & self._usable()
        return int((usable & (self._open == 0)).sum()), int(usable.sum())

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs were covered, of how many that can occur: those that are in a triple that can."""
        usable = self._all.astype(bool) & self._usable()
        pairs = usable.any(axis=2) | usable.any(axis=1) | usable.any(axis=0)
        return int((pairs & self._pairs).sum()), int(pairs.sum())

    def _usable(self) -> Array:
        allowed = self.allowed
        usable: Array = allowed[:, None, None] & allowed[None, :, None] & allowed[None, None, :] & self.space.possible
        return usable


def _apart(count: int) -> Array:
    """Return a mask of the places of three different numbers of so many."""
    one, two, three = np.indices((count, count, count))
    apart: Array = (one != two) & (two != three) & (one != three)
    return apart


@kernel
def _open_all(opened, possible, first):
    features = len(first) - 1
    for one in range(features):
        for two in range(one + 1, features):
            for three in range(two + 1, features):
                for a in range(first[one], first[one + 1]):
                    for b in range(first[two], first[two + 1]):
                        for c in range(first[three], first[three + 1]):
                            ab, ac, bc = possible[a, b, b], possible[a, c, c], possible[b, c, c]
                            if possible[a, b, c] and ab and ac and bc:
                                opened[a, b, c] = 1


@kernel
def _close(opened, row):
    for one in range(len(row)):
        for two in range(one + 1, len(row)):
            for three in range(two + 1, len(row)):
                if row[one] >= 0 and row[two] >= 0 and row[three] >= 0:
                    opened[row[one], row[two], row[three]] = 0


@helper
def _random(state, below):
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return np.int64((x >> np.uint64(11)) % np.uint64(below))


@helper
def _fits(row, place, each, cost, pair_cost, budget, possible, least):
    """Whether class `each` of the feature at `place` goes with what is in the row already."""
    for other in range(len(row)):
        if other == place or row[other] < 0:
            continue
        if not possible[row[other], each, each]:
            return False
        for third in range(other + 1, len(row)):
            if third != place and row[third] >= 0 and not possible[row[other], row[third], each]:
                return False
    for kind in range(len(budget)):
        total = cost[kind, each]
        for other in range(len(row)):
            if other == place:
                continue
            if row[other] < 0:
                total += least[kind, other]
                continue
            total += cost[kind, row[other]] + pair_cost[kind, row[other], each]
            for third in range(other + 1, len(row)):
                if third != place and row[third] >= 0:
                    total += pair_cost[kind, row[other], row[third]]
        if total > budget[kind]:
            return False
    return True


@helper
def _gain(row, place, each, opened):
    """How many open triples class `each` closes with what is in the row already."""
    gain = 0
    for other in range(len(row)):
        if other == place or row[other] < 0:
            continue
        for third in range(other + 1, len(row)):
            if third == place or row[third] < 0:
                continue
            if place < other:
                gain += opened[each, row[other], row[third]]
            elif place < third:
                gain += opened[row[other], each, row[third]]
            else:
                gain += opened[row[other], row[third], each]
    return gain


@helper
def _completed(row, order, opened, first, cost, pair_cost, budget, possible, allowed, least, state):
    """Complete a row, a feature after the other in random order; say how much that closes, -1 where nothing fits."""
    for place in range(len(row) - 1, 0, -1):
        other = _random(state, place + 1)
        order[place], order[other] = order[other], order[place]
    closed = 0
    for index in range(len(order)):
        place = order[index]
        if row[place] >= 0:
            continue
        best, chosen, alike = -1, -1, 0
        for each in range(first[place], first[place + 1]):
            if not allowed[each] or not _fits(row, place, each, cost, pair_cost, budget, possible, least):
                continue
            gain = _gain(row, place, each, opened)
            alike = alike + 1 if gain == best else 1
            if gain > best or (gain == best and _random(state, alike) == 0):
                best, chosen = gain, each
        if chosen < 0:
            return -1
        row[place] = chosen
        closed += best
    return closed


@kernel
def _next_row(
    best,
    row,
    order,
    least,
    opened,
    known,
    first,
    cost,
    pair_cost,
    budget,
    possible,
    allowed,
    state,
    begun,
    tries,
    attempts,
):
    features = len(row)
    for kind in range(len(budget)):
        for place in range(features):
            least[kind, place] = np.inf
            for each in range(first[place], first[place + 1]):
                if allowed[each]:
                    least[kind, place] = min(least[kind, place], cost[kind, each])
    for one in range(features):
        for two in range(one + 1, features):
            for three in range(two + 1, features):
                for a in range(first[one], first[one + 1]):
                    for b in range(first[two], first[two + 1]):
                        for c in range(first[three], first[three + 1]):
                            if not opened[a, b, c] or not (allowed[a] and allowed[b] and allowed[c]):
                                continue
                            most, done = -1, 0
                            for _attempt in range(attempts):
                                row[:] = -1
                                row[one], row[two] = a, b
                                if not possible[a, b, c] or not _fits(
                                    row, three, c, cost, pair_cost, budget, possible, least
                                ):
                                    break
                                row[three] = c
                                closed = _completed(
                                    row, order, opened, first, cost, pair_cost, budget, possible, allowed, least, state
                                )
                                if closed >= 0:
                                    done += 1
                                if closed > most:
                                    most = closed
                                    for place in range(features):
                                        best[place] = row[place]
                                if done >= tries:
                                    break
                            if most >= 0:
                                begun[0], begun[1], begun[2] = a, b, c
                                return True
                            opened[a, b, c] = 0  # no row has it
                            known[a, b, c] = 0
    return False
