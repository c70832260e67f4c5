"""What is judged in haste: by bounds that are found sooner, and are never wider than the true ones."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import oracle
from oracle.contract import DIRECTIONS
from oracle.judging.judge import expectation, judge, observe, verdict
from oracle.running.runner import InProcess
from properties import Case, cases
from properties.case import all_finite
from refconv import ARITHMETICS, operators
from refconv.bounds import hasty

FLOAT32 = ARITHMETICS["float32"]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operator", operators)
@settings(max_examples=40)
@given(data=st.data())
def test_in_haste_nothing_passes_that_would_fail_with_care(operator, dtype, data):
    arithmetic, case = ARITHMETICS[dtype], data.draw(cases(operator, dtype=dtype, specials=True))
    assume(all_finite(case.arrays.values()))  # what isn't is judged with care at once
    for direction in DIRECTIONS:
        careful, quick = (expectation(case, direction, how) for how in (arithmetic, hasty(arithmetic)))
        for name, item in quick.items():
            for tight, true in zip(item.bound if item else (), careful[name].bound if item else (), strict=True):
                assert (~(tight > true * (1 + 1e-9)) | np.isnan(true)).all(), (direction, name)


def test_what_fails_in_haste_is_judged_with_care():
    tenths = np.full((1, 4096), 0.1, np.float32)
    case = Case("linear", (tenths, tenths, None), {}, np.ones((1, 1), np.float32))

    def linear(input, weight, bias):
        return np.cumsum(input * weight, dtype=np.float32)[-1:, None]

    runner = InProcess(oracle.subject(linear=linear))
    assert verdict(observe(runner, case, "forward", hasty(FLOAT32))).status == "failed"
    assert judge(runner, case, "forward", FLOAT32).passed


def test_an_error_that_is_not_beyond_the_worst_is_told_no_closer():
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((2, 1, 64)).astype(np.float32)
    case = Case("linear", (*arrays, None), {}, np.ones((1, 1), np.float32))
    runner = InProcess(oracle.subject(linear=lambda x, w, b: x @ w.T))
    true = verdict(observe(runner, case, "forward", FLOAT32)).worst
    assert judge(runner, case, "forward", FLOAT32, worst=0.0).worst == true
    assert true <= judge(runner, case, "forward", FLOAT32, worst=8.0).worst < 8.0
    assert judge(runner, case, "forward", FLOAT32).worst >= true
