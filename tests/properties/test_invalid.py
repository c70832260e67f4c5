import functools

import hypothesis
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from properties import cases, invalid_cases
from properties.invalid import ROWS, broken
from refconv import operators


@functools.cache
def drawn(operator):
    collected = []

    @hypothesis.seed(0)
    @settings(
        max_examples=50,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),  # drawing is all that is done
    )
    @given(cases(operator))
    def run(case):
        collected.append(case)

    run()
    return collected


@pytest.mark.parametrize(
    ("operator", "row"),
    [(operator, row) for operator in operators for row in ROWS[operator]],
    ids=lambda value: getattr(value, "argument", value),
)
def test_the_reference_refuses_what_breaks_each_rule(operator, row):
    fitting = [case for case in drawn(operator) if row.change(case)]
    assert fitting
    for case in fitting[:5]:
        invalid = broken(case, row)
        assert invalid.argument == row.argument
        with pytest.raises((ValueError, TypeError)) as caught:
            operators[operator].backward(invalid.grad_output, *invalid.inputs, **invalid.attributes)
        assert str(caught.value).startswith(f"{invalid.argument} must {invalid.rule}")


@given(st.sampled_from(list(operators)).flatmap(invalid_cases))
def test_a_call_says_which_rule_it_breaks(case):
    assert repr(case).endswith(f": {case.argument} must {case.rule}")
