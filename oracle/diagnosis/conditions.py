"""When it fails, as a person would put it: the simplest of what is true where it failed, and nowhere where it passed.

A test asks one thing of a fact: is it so, is it more, is it a multiple. What holds in every case that failed is a
candidate; one that holds in none that passed explains all, or two together, or what holds wherever it passed, negated.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import floor, log10
from typing import NamedTuple

from oracle.diagnosis.facts import Fact, Value, facts_of
from properties import Case

_MULTIPLES = (2, 4, 8, 16, 32, 64)
_BEFORE = {">": 0.0, "==": 0.25, "<": 0.5, "!=": 0.5, "%": 0.75, "!%": 0.75}
"""How far-fetched a test is, beside its fact."""
_PAIR, _EITHER = 1.5, 2.0
"""What a second test costs, of which both, or either, must hold."""
_ALIKE = 4  # candidates that exclude the same cases, of which no more are looked at
_PAIRED = 100  # candidates, the plainest, of which pairs are looked at for what nearly explains
_DIGITS = 6

Facts = Mapping[Fact, Value]


@dataclass(frozen=True)
class Condition:
    """When an implementation fails."""

    words: str
    holds: Callable[[Case], bool]
    exact: bool = True
    """Whether it fails wherever that holds; or else only there, but for some."""


ALWAYS = Condition("always", lambda _: True)
"""The condition of what never passed."""


def learned(failed: Sequence[Case], passed: Sequence[Case], direction: str = "backward") -> Condition | None:
    """Return the simplest condition that holds in all cases that failed and in none that passed.

    It is `ALWAYS` where none passed, and None where nothing explains all of them. Cases that prove nothing, since
    their results are empty or all zero, are neither.
    """
    known_failed, known_passed = ([facts_of(case, direction) for case in some] for some in (failed, passed))
    found = parting(known_failed, known_passed)
    return condition_of(found[0], direction) if found else None


def condition_of(explanation: "Explanation", direction: str, *, exact: bool = True) -> Condition:
    """Return an explanation as a condition on cases."""
    if not explanation.tests:
        return ALWAYS if exact else replace(ALWAYS, words="always, but by chance", exact=False)
    words = explanation.words if exact else f"{explanation.words}, though not always"
    return Condition(words, lambda case: explanation.holds(facts_of(case, direction)), exact)


class Explanation(NamedTuple):
    """Tests of which all, or any, hold where it fails, and not where it passes."""

    tests: tuple["_Test", ...]  # none of what always fails
    either: bool = False

    @property
    def cost(self) -> float:
        """How far-fetched it is."""
        more = _EITHER if self.either else _PAIR
        return sum(test.cost for test in self.tests) + more * (len(self.tests) - 1)

    @property
    def words(self) -> str:
        """How a person says it."""
        return (" or " if self.either else " and ").join(test.words for test in self.tests)

    def holds(self, facts: Facts) -> bool:
        """Whether it is so in a case of which `facts` are true."""
        found = (test.holds(facts) for test in self.tests)
        return any(found) if self.either else all(found)


def parting(failed: Sequence[Facts], passed: Sequence[Facts]) -> list[Explanation]:
    """Return what parts cases that failed from those that passed, by what is true of them, the simplest first."""
    if not passed:
        return [Explanation(())]
    found = [Explanation(tests) for tests in _conjunctions(failed, passed)]
    found += [
        Explanation(tuple(test.negated for test in tests), either=True)
        for tests in _conjunctions(passed, failed)
        if len(tests) > 1
    ]
    return sorted(found, key=lambda each: each.cost)


def nearly(failed: Sequence[Facts], passed: Sequence[Facts], most: int) -> tuple[Explanation, list[int]] | None:
    """Return what all that failed have in common and hardly any that passed has, and the places of these.

    That nothing is asked comes first, where no more than `most` passed. What is far-fetched must explain more.
    """
    if len(passed) <= most:
        return Explanation(()), list(range(len(passed)))
    candidates = sorted(_necessary(failed, passed), key=lambda test: test.cost)[:_PAIRED]
    alike = {test: {place for place, facts in enumerate(passed) if test.holds(facts)} for test in candidates}
    found = [(places, Explanation((test,))) for test, places in alike.items()]
    found += [
        (alike[one] & alike[other], Explanation((one, other)))
        for one, other in combinations(candidates, 2)
        if len(alike[one] & alike[other]) < min(len(alike[one]), len(alike[other]))
    ]
    few = [(places, each) for places, each in found if len(places) <= most]
    best = min(few, key=lambda found: len(found[0]) + found[1].cost, default=None)
    return best and (best[1], sorted(best[0]))


class _Test(NamedTuple):
    """What is asked of a fact."""

    fact: Fact
    asked: str  # one of `_BEFORE`
    value: Value
    cost: float

    def holds(self, facts: Facts) -> bool:
        """Whether it is so; where there is no such fact, it isn't."""
        given = facts.get(self.fact)
        if given is None:
            return False
        if self.asked in {"==", "!="}:
            return (given == self.value) == (self.asked == "==")
        assert not isinstance(given, str)
        assert not isinstance(self.value, str)
        if self.asked in {"%", "!%"}:
            return (given % self.value == 0) == (self.asked == "%")
        return given > self.value if self.asked == ">" else given < self.value

    @property
    def negated(self) -> "_Test":
        """The test of the opposite."""
        asked = {"==": "!=", "!=": "==", "%": "!%", "!%": "%", ">": "<", "<": ">"}[self.asked]
        value = self.value
        if self.asked in {">", "<"}:
            assert not isinstance(value, str)
            one = int(isinstance(value, int))
            value = value + (one if self.asked == ">" else -one)
        return self._replace(asked=asked, value=value)

    @property
    def words(self) -> str:
        """How a person says it."""
        fact, value = self.fact, self.value
        phrase = {
            ">": fact.at_least,
            "<": fact.at_most,
            "==": fact.equal,
            "!=": fact.unequal,
            "%": fact.multiple,
            "!%": fact.ragged,
        }[self.asked]
        if isinstance(value, str | bool) or self.asked not in {">", "<"}:
            return phrase.format(name=fact.name, n=_spelled(value))
        one = int(isinstance(value, int)) * (1 if self.asked == ">" else -1)
        numbers = {"n": value + one, "less": value, "more": value}
        return phrase.format(name=fact.name, **{name: _spelled(number) for name, number in numbers.items()})


def _spelled(value: Value) -> str:
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)


def _conjunctions(failed: Sequence[Facts], passed: Sequence[Facts]) -> Iterator[tuple[_Test, ...]]:
    """Yield one or two tests that hold together in all that failed, and in none that passed."""
    everything = (1 << len(passed)) - 1
    alike: dict[int, list[_Test]] = defaultdict(list)
    for test in _necessary(failed, passed):
        excluded = sum(1 << place for place, facts in enumerate(passed) if not test.holds(facts))
        if excluded == everything:
            yield (test,)
        elif excluded:
            alike[excluded].append(test)
    cheapest = [
        (excluded, test)
        for excluded, tests in alike.items()
        for test in sorted(tests, key=lambda test: test.cost)[:_ALIKE]
    ]
    for (one, first), (other, second) in combinations(cheapest, 2):
        if one | other == everything and first.fact != second.fact:
            yield tuple(sorted((first, second), key=lambda test: test.cost))


def _necessary(failed: Sequence[Facts], passed: Sequence[Facts]) -> Iterator[_Test]:
    """Yield the tests that hold in all that failed: the narrowest, since those exclude most."""
    for fact, given in failed[0].items():
        values = [facts[fact] for facts in failed if fact in facts]
        if len(values) < len(failed):
            continue
        others = [facts[fact] for facts in passed if fact in facts]
        if isinstance(given, bool):
            if len({*values}) == 1:
                yield _test(fact, "==" if given else "!=", value=True, extra=-0.25)
        elif isinstance(given, str):
            yield from _of_words(fact, {*map(str, values)}, {*map(str, others)})
        else:
            numbers = [float(value) if isinstance(value, float) else int(value) for value in values]
            yield from _of_numbers(fact, numbers, [value for value in others if not isinstance(value, str)])


def _test(fact: Fact, asked: str, value: Value, extra: float = 0.0) -> _Test:
    return _Test(fact, asked, value, fact.cost + _BEFORE[asked] + extra)


def _of_words(fact: Fact, values: set[str], others: set[str]) -> Iterator[_Test]:
    if len(values) == 1:
        yield _test(fact, "==", next(iter(values)))
    for other in sorted(others - values):
        yield _test(fact, "!=", other)


def _of_numbers(fact: Fact, values: Sequence[float], others: Sequence[float]) -> Iterator[_Test]:
    least, most = min(values), max(values)
    below = [other for other in others if other < least]
    above = [other for other in others if other > most]
    if below and fact.at_least:
        for place, threshold in enumerate(_thresholds(max(below), least)):
            yield _test(fact, ">", threshold, 0.1 * place)
    if above and fact.at_most:
        for place, threshold in enumerate(_thresholds(min(above), most)):
            yield _test(fact, "<", threshold, 0.1 * place)
    if least == most and fact.equal:
        yield _test(fact, "==", least, 0.25)
    if fact.unequal:
        for other in sorted({other for other in others if least < other < most} - {*values}):
            yield _test(fact, "!=", other, 0.5)
    if fact.multiple and not any(isinstance(value, float) for value in values):
        yield from _of_multiples(fact, values)


def _of_multiples(fact: Fact, values: Sequence[float]) -> Iterator[_Test]:
    for factor in _MULTIPLES:
        divided = [value % factor == 0 for value in values]
        if all(divided):
            yield _test(fact, "%", factor)
        elif not any(divided):
            yield _test(fact, "!%", factor)


def _thresholds(passes: float, fails: float) -> list[float]:
    """Return numbers that part what `passes` from what `fails`, itself never equal to the latter, the likeliest first.

    Of whole numbers that are far apart, those at which implementations change their ways are powers of two.
    """
    if isinstance(passes, float) or isinstance(fails, float):
        return [_shortest_between(passes, fails)]
    step = 1 if fails > passes else -1
    last = fails - step
    powers = [1 << power for power in range(int(max(passes, last)).bit_length()) if min(passes, last) <= 1 << power]
    inside = [power for power in powers if power <= max(passes, last)]
    natural = [passes] if passes in (0, 1) else inside[-1:]
    return list(dict.fromkeys([*natural, last, passes]))


def _shortest_between(passes: float, fails: float) -> float:
    """Return the number of fewest digits between two, or the first of them."""
    gap = abs(fails - passes)
    low, high = min(passes, fails), max(passes, fails)
    if not gap or gap == float("inf"):
        return passes
    for digits in range(floor(-log10(gap)), 20):
        candidate = round(low + gap / 2, digits)
        if low < candidate < high:
            return candidate
    return passes
