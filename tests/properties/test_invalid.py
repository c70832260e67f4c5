import re

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from properties import invalid_cases
from properties.invalid import _COMMON, _OWN


def without_numbers(rule):
    return re.sub(r"\d+|\{\w+\}", "#", rule)


@pytest.mark.parametrize("operator", list(_OWN))
def test_every_rule_is_broken_within_2000_calls(operator):
    broken = set()

    @hypothesis.seed(0)
    @settings(max_examples=2000, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(invalid_cases(operator))
    def run(case):
        broken.add((case.argument, without_numbers(case.rule)))

    run()
    assert broken == {(row.argument, without_numbers(row.rule)) for row in [*_COMMON, *_OWN[operator]]}


@given(invalid_cases("conv"))
def test_a_call_says_which_rule_it_breaks(case):
    assert repr(case).endswith(f": {case.argument} must {case.rule}")
