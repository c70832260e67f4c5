"""When it fails, as a person would put it: the simplest of what is true where it failed, and nowhere where it passed.

A test asks one thing of a fact: is it so, is it more, is it a multiple. What holds in every case that failed is a
candidate; one that holds in none that passed explains all, or two together, or what holds wherever it passed, negated.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import combinations
from math import floor, log2, log10
from typing import NamedTuple

from oracle.diagnosis.facts import Fact, Value, facts_of
from properties import Case

_MULTIPLES = (2, 4, 8, 16, 32, 64)
_BEFORE = {">": 0.0, "==": 0.25, "<": 0.5, "!=": 0.5, "%": 0.75, "!%": 0.75}
"""How far-fetched a test is, beside its fact."""
_PAIR, _EITHER = 1.5, 0.5
"""What a second test costs, and that one of both is enough."""
_ALIKE = 4  # candidates that exclude the same cases, of which no more are looked at
_SAID, _BITS = 3.0, 2.0
"""How many bits it takes to say that there is a condition, and each unit of its cost."""
_WORTH = 6.0  # bits that a condition must save where some pass all the same
_CHOSEN = 6.0  # bits by which what isn't plain is dearer then: it was chosen among thousands
_PLAIN = 2.5  # cost of what is plain
_CONSIDERED = 24  # explanations
_RARE = 0.15  # of those that failed: no more may pass of what nearly always fails
_ONE_OF_MANY = 2.5
"""What it costs that it is any number but one."""
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
    exact = [found for found in explanations(known_failed, known_passed) if not found.exceptions]
    return condition_of(exact[0], direction) if exact else None


def condition_of(explanation: "Explanation", direction: str) -> Condition:
    """Return an explanation as a condition on cases."""
    exact = not explanation.exceptions
    if not explanation.tests:
        return ALWAYS if exact else replace(ALWAYS, words="nearly always", exact=False)
    words = explanation.words if exact else f"{explanation.words}, though not always"
    return Condition(words, lambda case: explanation.holds(facts_of(case, direction)), exact)


class Explanation(NamedTuple):
    """Tests of which all, or any, hold where it fails, and hardly anywhere where it passes."""

    length: float
    """How long it takes to say, in bits, with which of the cases passed all the same: the shortest is believed."""
    tests: tuple["_Test", ...]  # none of what always fails
    left: int  # bits for those that passed all the same
    either: bool = False

    @property
    def exceptions(self) -> tuple[int, ...]:
        """The places of those that passed all the same."""
        return tuple(place for place in range(self.left.bit_length()) if self.left >> place & 1)

    @property
    def words(self) -> str:
        """How a person says it."""
        return (" or " if self.either else " and ").join(test.words for test in self.tests)

    def holds(self, facts: Facts) -> bool:
        """Whether it is so in a case of which `facts` are true."""
        found = (test.holds(facts) for test in self.tests)
        return any(found) if self.either else all(found)


def explanations(failed: Sequence[Facts], passed: Sequence[Facts]) -> list[Explanation]:
    """Return what tells cases that failed from those that passed, by what is true of them, the likeliest first.

    That it always fails is one of them. Others must hold in all that failed, and explain enough of what passed.
    """
    surprises = [_surprise(len(failed), count) for count in range(len(passed) + 1)]
    always = Explanation(surprises[-1], (), (1 << len(passed)) - 1)
    if not passed:
        return [always]
    found: list[Explanation] = []
    for cost, tests, left in _conjunctions(failed, passed):
        length = _SAID + _BITS * cost + surprises[left.bit_count()] + _CHOSEN * bool(left and cost > _PLAIN)
        if length < always.length - (_WORTH if left else 0):
            found.append(Explanation(length, tests, left))
    for cost, tests, left in _conjunctions(passed, failed):
        if len(tests) > 1 and not left:
            length = _SAID + _BITS * (cost + _EITHER)
            found.append(Explanation(length, tuple(test.negated for test in tests), 0, either=True))
    nearly = [always] if len(passed) <= _RARE * len(failed) else []
    return nsmallest(_CONSIDERED, [*nearly, *found], key=lambda each: each.length)


def _surprise(failed: int, exceptions: int) -> float:
    """Return how many bits it takes to say which of the cases that should fail passed."""
    every, share = failed + exceptions, exceptions / (failed + exceptions)
    return -every * (share * log2(share) + (1 - share) * log2(1 - share)) if 0 < share < 1 else 0.0


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


def _conjunctions(failed: Sequence[Facts], passed: Sequence[Facts]) -> Iterator[tuple[float, tuple[_Test, ...], int]]:
    """Yield one or two tests that hold in all that failed, their cost, and bits for what passed where they hold, too.

    Of two tests each must rule out something that the other doesn't.
    """
    alike: dict[int, list[_Test]] = defaultdict(list)
    for test in _necessary(failed, passed):
        alike[sum(test.holds(facts) << place for place, facts in enumerate(passed))].append(test)
    cheapest = [
        (left, test) for left, tests in alike.items() for test in sorted(tests, key=lambda test: test.cost)[:_ALIKE]
    ]
    cheapest.sort(key=lambda each: each[1].cost)
    for left, test in cheapest:
        yield test.cost, (test,), left
    for (one, first), (other, second) in combinations(cheapest, 2):
        both = one & other
        apart = first.fact != second.fact or "%" in (first.asked + second.asked)  # a size, and its remainder
        if both != one and both != other and apart:
            yield first.cost + second.cost + _PAIR, (first, second), both


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
            yield _test(fact, "!=", other, _ONE_OF_MANY)
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
        return [passes] if passes == 0 else [_shortest_between(passes, fails)]
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
