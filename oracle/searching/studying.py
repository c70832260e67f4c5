"""What is wrong with an implementation that failed: the simplest content, and the name of the mistake."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import hypothesis
from hypothesis import Phase, given

from oracle.diagnosis import Diagnosis, diagnose
from oracle.judging.conformity import conforms_with
from oracle.judging.judge import Observation, Verdict, judge, observe, verdict
from oracle.reporting.script import shown
from oracle.running.runner import Runner
from oracle.searching.drawing import searching
from oracle.searching.shrinking import simplified
from properties import Case, cases
from properties.domain import fits
from refconv import Arithmetic

SIMPLIFYING = 5.0
"""Seconds after which what a case holds is simplified no further."""
PROBES = 60
"""Cases on which what is named as the mistake must do what the implementation does, beside those that failed."""
PROBING = 5.0
"""Seconds after which no more of them are run."""


class Studied(NamedTuple):
    """What was learned of a failure."""

    case: Case
    verdict: Verdict
    diagnosis: Diagnosis | None
    shown: str
    conforms_with: str | None  # another arithmetic


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

        What is named must agree on other cases, too: those of an operator, a dtype and a seed, where there are any.
        """
        self.runner.hurried = True
        simplest = simplified(smallest, self._fails, time.perf_counter() + SIMPLIFYING)
        observations = [self._observed(case) for case in (simplest, smallest, first)]
        observations += self._probes(*probed) if probed else []
        self.runner.hurried = False
        judged = verdict(observations[0])
        if not judged.unknown_failure:
            return None
        assert judged.reason
        diagnosis = diagnose(observations, judged.reason)
        return Studied(simplest, judged, diagnosis, shown(observations[0]), conforms_with(observations))

    def _fails(self, case: Case) -> bool:
        return judge(self.runner, case, self.direction, self.arithmetic).unknown_failure

    def _observed(self, case: Case) -> Observation:
        return observe(self.runner, case, self.direction, self.arithmetic)

    def _probes(self, operator: str, dtype: str, seed: int) -> list[Observation]:
        """Observe the implementation on new cases, those of no known deviation."""
        observations: list[Observation] = []
        until = time.perf_counter() + PROBING

        @searching(PROBES, [Phase.generate])
        @hypothesis.seed(seed + 1)
        @given(cases(operator, dtype=dtype, specials=True))
        def probe(case: Case) -> None:
            if time.perf_counter() < until and fits(case, self.only):
                observation = self._observed(case)
                if observation.outcome.deviation is None:
                    observations.append(observation)

        probe()
        return observations
