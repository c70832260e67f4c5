"""What is wrong with an implementation that failed: its simplest case, when it fails, and the name of the mistake."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import hypothesis
from hypothesis import Phase, given

from oracle.diagnosis import Diagnosis, diagnose
from oracle.diagnosis.conditions import Condition, Explanation, Facts, condition_of, nearly, parting
from oracle.diagnosis.facts import facts_of
from oracle.judging.judge import Observation, Verdict, judge, observe, verdict
from oracle.reporting.arrays import Shown, shown
from oracle.running.runner import Runner
from oracle.searching.drawing import searching
from oracle.searching.neighbours import neighbours
from oracle.searching.shrinking import simplified
from properties import Case, cases, refilled
from properties.domain import fits
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
_CONSIDERED = 24  # conditions, of which a case shall tell one from another
_TELLING = 0.02  # share of what is likely that a case must speak against
_SAME = 2  # cases that are like the failing one but for what they hold
_FAR_FETCHED = 2.5  # conditions that cost more are believed after what speaks against simpler ones was tried again
_FEW = 12  # of so many that passed, one may have done so against what nearly explains
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


class Evidence:
    """What was observed of an implementation in one direction: failures, the simplest first, and what passed."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.observations: list[Observation] = []
        self.failed: list[Observation] = []
        self.passed: list[Observation] = []  # and proved something
        self.firm: set[int] = set()  # what passed, and was tried again with other contents
        self._facts: dict[int, Facts] = {}

    def add(self, observation: Observation) -> bool:
        """Take note of it; return whether it failed."""
        self.observations.append(observation)
        judged = verdict(observation)
        if judged.unknown_failure:
            self.failed.append(observation)
        elif judged.passed and not judged.vacuous and not judged.empty:
            self.passed.append(observation)
        return judged.unknown_failure

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
        """What parts those that failed from those that passed, the simplest first."""
        return parting(self._facts_of(self.failed), self._facts_of(self.passed))

    @property
    def condition(self) -> Condition | None:
        """When it fails; if nothing explains that, what comes near."""
        explanations = self.explanations
        if explanations:
            return condition_of(explanations[0], self.direction)
        near = self.near
        return near and condition_of(near[0], self.direction, exact=False)

    @property
    def near(self) -> tuple[Explanation, list[Observation]] | None:
        """What nearly explains when it fails, and the few that passed all the same."""
        most = 2 + len(self.passed) // _FEW
        found = nearly(self._facts_of(self.failed), self._facts_of(self.passed), most)
        return found and (found[0], [self.passed[place] for place in found[1]])

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
        diagnosis = diagnose(evidence.observations, judged.reason)
        return Studied(simplest, judged, diagnosis, shown(observation), condition)

    def _fails(self, case: Case) -> bool:
        return judge(self.runner, case, self.direction, self.arithmetic).unknown_failure

    def _observed(self, case: Case) -> Observation:
        return observe(self.runner, case, self.direction, self.arithmetic)

    def _probe(self, evidence: Evidence, operator: str, dtype: str, seed: int) -> None:
        """Observe the implementation on cases at random, those of no known deviation."""
        until = time.perf_counter() + PROBING

        @searching(PROBES, [Phase.generate])
        @hypothesis.seed(seed + 1)
        @given(cases(operator, dtype=dtype, specials=True))
        def probe(case: Case) -> None:
            if time.perf_counter() < until and fits(case, self.only):
                self._tried(evidence, case)

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
            explanations = evidence.explanations[:_CONSIDERED]
            if not explanations or explanations[0].cost > _FAR_FETCHED:
                self._try_again(evidence)
                explanations = evidence.explanations[:_CONSIDERED]
            place = _most_telling([facts for _, facts in pool], explanations)
            if not evidence.passed and number < _UNTOLD and pool:
                place = 0
            if place is None:
                break
            self._tried(evidence, pool.pop(place)[0])

    def _try_again(self, evidence: Evidence) -> None:
        """Observe what passed by chance, maybe, with other contents: if some of them fails, it did."""
        _, passed = evidence.near or (None, [])
        for observation in passed:
            if id(observation) not in evidence.firm:
                evidence.firm.add(id(observation))
                others = [refilled(observation.case, number) for number in range(_REFILLS)]
                if any(self._tried(evidence, other) for other in others):
                    evidence.drop(observation)


def _most_telling(pool: Sequence[Facts], explanations: Sequence[Explanation]) -> int | None:
    """Return which of some cases speaks against most of what is likely, whether it fails or passes."""
    weights = [2.0**-each.cost for each in explanations]
    total = sum(weights)

    def against(facts: Facts) -> float:
        share = sum(weight for each, weight in zip(explanations, weights, strict=True) if each.holds(facts))
        return min(share, total - share)

    shares = [against(facts) for facts in pool]
    best = max(range(len(shares)), key=shares.__getitem__, default=None)
    return best if best is not None and shares[best] > _TELLING * total else None
