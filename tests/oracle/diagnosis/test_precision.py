import numpy as np
import pytest

import oracle
from bench.honest import HONEST
from oracle.diagnosis.precision import stored_bits

FORMATS = {"tf32": "computed in TF32", "float16": "computed in float16", "bfloat16": "computed in bfloat16"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMATS)
def test_the_report_says_in_which_precision_a_convolution_worked(name, seed):
    implementation, *_ = HONEST[f"{name} float32"]
    report = oracle.check(oracle.subject(conv=implementation.conv), seed=seed, examples=100)
    (failure,) = report.failures
    assert failure.diagnosis == FORMATS[name]
    assert failure.cause.startswith("float32, but ")


@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 24), (np.float64, 53)])
def test_stored_bits_are_those_of_the_element_that_uses_most(dtype, bits):
    assert stored_bits([np.array([1.0, 0.0, -2.0], dtype)]) == 1
    assert stored_bits([np.array([1.0, 1.5], dtype), np.array([1.75, np.inf], dtype)]) == 3
    assert stored_bits([np.array([1 + np.finfo(dtype).eps], dtype)]) == bits
    assert stored_bits([np.zeros((0,), dtype)]) == 0
    third = np.array([1 / 3], np.float16)
    assert stored_bits([third.astype(dtype)]) <= 11
