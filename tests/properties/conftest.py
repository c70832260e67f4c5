"""Cases as the strategies draw them."""

import functools

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from properties import cases


@pytest.fixture(scope="session")
def collect():
    """A function that draws cases of a strategy."""

    def collect(strategy, count, seed=0):
        collected = []

        @hypothesis.seed(seed)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),  # drawing is all that is done
        )
        @given(strategy)
        def run(case):
            collected.append(case)

        run()
        return collected

    return collect


@pytest.fixture(scope="session")
def smallest():
    """A function that gives what a strategy shrinks to.

    Nothing is explained: for that, Hypothesis would vary what it shrank to a hundred times.
    """

    def smallest(strategy, wanted=lambda drawn: True):
        quiet = settings(database=None, phases=[Phase.generate, Phase.shrink])
        return hypothesis.find(strategy, wanted, settings=quiet)

    return smallest


@pytest.fixture(scope="session")
def drawn(collect):
    """A function that gives 500 cases of an operator, the same ones each time."""
    return functools.cache(lambda operator: collect(cases(operator), 500))
