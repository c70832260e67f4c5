"""Correct convolutions by other algorithms: none fails, and none passes for more accurate than it is."""

import hypothesis
import numpy as np
import pytest
from hypothesis import Phase, given, settings

import oracle
from bench.honest import HONEST
from bench.honest.cases import small_kernels
from properties import cases

DIRECT = [name for name in HONEST if not name.startswith("winograd")]


def check(name, **changed):
    implementation, arithmetic, dtype = HONEST[name]
    return oracle.check(
        implementation, ["conv"], **{"examples": 30, "arithmetic": arithmetic, "dtype": dtype, **changed}
    )


@pytest.mark.parametrize("name", DIRECT)
def test_an_honest_convolution_passes(name):
    report = check(name)
    assert report.passed, str(report)
    assert not report.declined


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [
        ("tf32 float32", "float32"),
        ("tf32 float32", "fast"),
        ("bfloat16 float32", "tf32"),
        ("bfloat16 float32", "float16"),
        ("bfloat16_accumulated bfloat16", "bfloat16"),
        ("float16_accumulated float16", "float16"),
        ("fft float32", "float32"),
    ],
)
def test_none_passes_for_more_accurate_than_it_is(name, arithmetic):
    implementation, _, dtype = HONEST[name]

    def fails(case):
        return not oracle.compare(implementation, case, arithmetic=arithmetic).passed

    hypothesis.find(cases("conv", dtype=dtype), fails, settings=settings(max_examples=1000, phases=[Phase.generate]))


@settings(max_examples=60)
@given(small_kernels())
def test_winograd_passes_where_it_does_not_decline(case):
    implementation, arithmetic, _ = HONEST["winograd float32"]
    verdict = oracle.compare(implementation, case, arithmetic=arithmetic)
    assert verdict.passed, verdict.reason


def test_winograd_declines_what_it_is_not_for():
    report = check("winograd float32")
    assert not report.failures
    assert report.declined["conv"] > 30


@pytest.mark.parametrize("name", ["reverse", "fft"])
@pytest.mark.parametrize(
    ("arguments", "attributes", "message"),
    [
        ((np.ones((1, 2, 3)), np.ones((2, 2, 4))), {}, r"^weight must span at most "),
        ((np.ones((1, 2, 3)), np.ones((2, 2, 1))), {"groups": 3}, r"^groups must divide "),
        ((np.ones((1, 2, 3)), np.ones((2, 2, 1))), {"stride": 0}, r"^stride must be "),
        ((np.ones((1, 2, 3)), np.ones((2, 2, 1), np.float32)), {}, r"^weight must have the dtype of input"),
        ((1.0, np.ones((2, 2, 1))), {}, r"^input must be a NumPy array"),
    ],
)
def test_what_makes_no_sense_is_refused(name, arguments, attributes, message):
    implementation, *_ = HONEST[f"{name} float32"]
    with pytest.raises((ValueError, TypeError), match=message):
        implementation.conv(*arguments, **attributes)


def test_a_gradient_of_another_shape_is_refused():
    implementation, *_ = HONEST["im2col float32"]
    with pytest.raises(ValueError, match=r"^grad_output must have shape \(1, 2, 3\)"):
        implementation.conv_backward(np.ones((1, 1, 3)), np.ones((1, 2, 3)), np.ones((2, 2, 1)))
