"""What is wrong with an implementation that failed: its simplest case, when it fails, and the name of the mistake."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import hypothesis
from hypothesis import Phase, given
from hypothesis.errors import Unsatisfiable

from oracle.contract import arguments_of
from oracle.diagnosis import Diagnosis, diagnose, named
from oracle.diagnosis.conditions import Condition, Explanation, Facts, condition_of, explanations
from oracle.diagnosis.facts import facts_of
from oracle.diagnosis.patterns import symptom
from oracle.judging.conformity import conforms_with
from oracle.judging.judge import Observation, Refused, Verdict, judge, observe, verdict
from oracle.reporting.arrays import Shown, shown
from oracle.running.runner import Runner
from oracle.searching.drawing import searching
from oracle.searching.neighbours import neighbours
from oracle.searching.repeating import wavering
from oracle.searching.shrinking import simplified
from properties import Case, refilled
from properties.domain import fits, narrowed_cases
from refconv import Arithmetic

SIMPLIFYING = 5.0
"""Seconds after which what a case holds is simplified no further."""
PROBES = 60
"""Cases at random on which it is seen when it fails, and what the mistake does, beside those that failed."""
PROBING = 2.0
"""Seconds after which no more of them are run."""
PARTED = 40
"""Cases that are made to tell which of several conditions it is."""
PARTING = 2.0
"""Seconds after which no more of them are run."""
_TELLING = 0.02  # share of what is likely that a case must speak against
_SAME = 2  # cases that are like the failing one but for what they hold
_FEW = 8  # cases that passed against a condition, and are tried again at once
_UNTOLD = 8  # cases that are like the failing one, where none has passed so far
_REFILLS = 3  # other contents of a case that passed against all reason


class Studied(NamedTuple):
    """What was learned of a failure."""

    case: Case
    verdict: Verdict
    diagnosis: Diagnosis | None
    shown: tuple[Shown, ...]
    condition: Condition | None = None  # when it fails
    symptom: str | None = None  # what comes out there
    wavers: str = ""  # how, of a call that now fails, now passes
    conforms_with: str | None = None  # another arithmetic


class Evidence:
    """What was observed of an implementation in one direction: failures, the simplest first, and what passed."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.observations: list[Observation] = []
        self.failed: list[Observation] = []
        self.passed: list[Observation] = []  # and proved something
        self.others: list[Observation] = []  # failures of another kind
        self.firm: set[int] = set()  # what passed, and was tried again with other contents
        self._facts: dict[int, Facts] = {}

    def add(self, observation: Observation) -> bool:
        """Take note of it; return whether it failed."""
        self.observations.append(observation)
        judged = verdict(observation)
        if judged.unknown_failure:
            alike = not self.failed or _kind(observation) == _kind(self.failed[0])
            (self.failed if alike else self.others).append(observation)
        elif judged.passed and not judged.vacuous and not judged.empty and not _repeats(observation):
            self.passed.append(observation)
        return judged.unknown_failure

    @property
    def alike(self) -> list[Observation]:
        """What was observed but for failures of another kind."""
        others = {id(observation) for observation in self.others}
        return [observation for observation in self.observations if id(observation) not in others]

    def drop(self, observation: Observation) -> None:
        """Forget that it passed: it did so by chance."""
        self.passed = [passed for passed in self.passed if passed is not observation]

    def facts(self, case: Case) -> Facts:
        """Return what is true of a case."""
        if id(case) not in self._facts:
            self._facts[id(case)] = facts_of(case, self.direction)
        return self._facts[id(case)]

    @property
    def explanations(self) -> list[Explanation]:
        """What tells those that failed from those that passed, the likeliest first."""
        return explanations(self._facts_of(self.failed), self._facts_of(self.passed))

    @property
    def condition(self) -> Condition | None:
        """When it fails."""
        found = self.explanations
        return condition_of(found[0], self.direction) if found else None

    def _facts_of(self, observations: Iterable[Observation]) -> list[Facts]:
        return [self.facts(observation.case) for observation in observations]


class Study:
    """The study of failures in one direction, over cases of a domain."""

    def __init__(
        self, runner: Runner, arithmetic: Arithmetic, direction: str, only: Mapping[str, frozenset[Any]]
    ) -> None:
        self.runner = runner
        self.arithmetic = arithmetic
        self.direction = direction
        self.only = only

    def of(self, smallest: Case, first: Case, probed: tuple[str, str, int] | None) -> Studied | None:
        """Study a case that fails, and the first that did; None if it passes now.

        When it fails is learned from other cases, and what is named must agree with these, too: those of an operator,
        a dtype and a seed, where there are any.
        """
        self.runner.hurried = True
        wavers = wavering(self.runner, smallest, self.direction, self.arithmetic)
        if wavers is not None:
            self.runner.hurried = False
            return Studied(smallest, wavers.verdict, named(wavers.note), (), wavers=wavers.note)
        simplest = simplified(smallest, self._fails, time.perf_counter() + SIMPLIFYING)
        evidence = Evidence(self.direction)
        for case in (simplest, smallest, first):
            evidence.add(self._observed(case))
        if probed and evidence.failed:
            self._probe(evidence, *probed)
            self._part(evidence, smallest, probed[2])
        self.runner.hurried = False
        observation = evidence.observations[0]
        judged = verdict(observation)
        if not judged.unknown_failure:
            return None
        assert judged.reason
        condition = evidence.condition if probed else None
        diagnosis = self._diagnosed(evidence, judged.reason, condition)
        return Studied(
            simplest,
            judged,
            diagnosis,
            shown(observation),
            condition,
            symptom(evidence.failed),
            conforms_with=conforms_with(evidence.observations),
        )

    def _diagnosed(self, evidence: Evidence, reason: str, condition: Condition | None) -> Diagnosis | None:
        """Name the mistake; what fails in other ways is a mistake of its own, where nothing explains all."""
        every = diagnose(evidence.observations, reason, condition)
        if every is not None or not evidence.others:
            return every
        return diagnose(evidence.alike, reason, condition)

    def _fails(self, case: Case) -> bool:
        return judge(self.runner, case, self.direction, self.arithmetic).unknown_failure

    def _observed(self, case: Case) -> Observation:
        return observe(self.runner, case, self.direction, self.arithmetic)

    def _probe(self, evidence: Evidence, operator: str, dtype: str, seed: int) -> None:
        """Observe the implementation on cases at random, those of no known deviation."""
        until = time.perf_counter() + PROBING

        @searching(PROBES, [Phase.generate])
        @hypothesis.seed(seed + 1)
        @given(narrowed_cases(operator, dtype, self.only, specials=True))
        def probe(case: Case) -> None:
            if time.perf_counter() < until:
                self._tried(evidence, case)

        with suppress(Unsatisfiable):  # hardly any case is within the domain
            probe()

    def _tried(self, evidence: Evidence, case: Case) -> bool:
        """Observe a case; return whether it failed."""
        observation = self._observed(case)
        return observation.outcome.deviation is None and evidence.add(observation)

    def _part(self, evidence: Evidence, case: Case, seed: int) -> None:
        """Observe calls like a failing one that tell which of several conditions it is."""
        until = time.perf_counter() + PARTING
        pool = [(other, evidence.facts(other)) for other in neighbours(case, seed) if fits(other, self.only)]
        for other, _ in pool[:_SAME]:
            self._tried(evidence, other)
        del pool[:_SAME]
        for number in range(PARTED):
            if time.perf_counter() > until:
                break
            found = evidence.explanations
            if found and self._tried_again(evidence, found[0]):
                continue
            place = _most_telling([facts for _, facts in pool], found)
            if not evidence.passed and number < _UNTOLD and pool:
                place = 0
            if place is None:
                break
            self._tried(evidence, pool.pop(place)[0])

    def _tried_again(self, evidence: Evidence, explanation: Explanation) -> bool:
        """Observe what passed against an explanation with other contents: if one fails, it has passed by chance."""
        exceptions = [evidence.passed[place] for place in explanation.exceptions[:_FEW]]
        again = [observation for observation in exceptions if id(observation) not in evidence.firm]
        for observation in again:
            evidence.firm.add(id(observation))
            others = (self._observed(refilled(observation.case, number)) for number in range(_REFILLS))
            failed = next((other for other in others if verdict(other).unknown_failure), None)
            if failed is not None:
                evidence.drop(observation)
                evidence.add(failed)
        return bool(again)


def _kind(observation: Observation) -> tuple[str, bool | str]:
    """Return what tells failures apart at sight: what was raised, or whether results have other shapes."""
    outcome, expected = observation.outcome, observation.expected
    if isinstance(expected, Refused) or outcome.status != "returned":
        return outcome.status, (outcome.reason or "").partition(":")[0]
    pairs = [(outcome.results.get(name), item) for name, item in expected.items()]
    return outcome.status, any(got is not None and item and got.shape != item.value.shape for got, item in pairs)


def _repeats(observation: Observation) -> bool:
    """Whether an array that the call takes holds the same again and again, by which mistakes are hidden."""
    arrays = arguments_of(observation.case, observation.direction).values()
    return any(
        array is not None
        and any(not stride and length > 1 for stride, length in zip(array.strides, array.shape, strict=True))
        for array in arrays
    )


def _most_telling(pool: Sequence[Facts], found: Sequence[Explanation]) -> int | None:
    """Return which of some cases speaks against most of what is likely, whether it fails or passes."""
    weights: list[float] = [2.0 ** (found[0].length - each.length) for each in found]
    total = sum(weights)

    def against(facts: Facts) -> float:
        share: float = sum(weight for each, weight in zip(found, weights, strict=True) if each.holds(facts))
        return min(share, total - share)

    shares = [against(facts) for facts in pool]
    best = max(range(len(shares)), key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] > _TELLING * total else None
