import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

import oracle
from oracle.adapters.torch import Torch
from properties import cases
from refconv import operators, using

SUBJECT = Torch()
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operator", operators)
@settings(max_examples=200)
@given(data=st.data())
def test_pytorch_and_the_reference_agree(operator, dtype, data):
    verdict = oracle.compare(SUBJECT, data.draw(cases(operator, dtype=dtype)))
    assert not verdict.unknown_failure, verdict.reason


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operator", ["conv", "conv_transpose", "linear"])
@settings(max_examples=200)
@given(data=st.data())
def test_pytorch_and_the_fast_path_agree(operator, dtype, data):
    case = data.draw(cases(operator, dtype=dtype))
    with using("fast"):
        verdict = oracle.compare(SUBJECT, case)
    assert not verdict.unknown_failure, verdict.reason


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("operator", operators)
def test_no_bound_is_looser_than_a_hundred_errors_of_pytorch_at_the_median(operator, direction):
    ratios = []

    @hypothesis.seed(0)
    @settings(max_examples=200, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(cases(operator))
    def judge(case):
        verdict = oracle.compare(SUBJECT, case, directions=[direction])
        if verdict.passed and not verdict.exact and verdict.worst > 0:
            ratios.append(verdict.worst)

    judge()
    assert not ratios or np.median(ratios) > 0.01


def test_same_is_pytorch_s_own():
    input, weight = np.ones((1, 1, 5), np.float32), np.array([[[1.0, 10.0]]], np.float32)
    attributes = {"stride": 1, "padding": "same", "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    assert Torch().conv(input, weight, **attributes).tolist() == [[[11, 11, 11, 11, 1]]]


@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_is_switched_during_a_call_alone(tf32):
    switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [switch.allow_tf32 for switch in switches]
    subject = Torch(tf32=tf32)
    subject.device = "cuda"
    with subject._precision():
        assert [switch.allow_tf32 for switch in switches] == [tf32, tf32]
    assert [switch.allow_tf32 for switch in switches] == before


def test_a_device_that_isnt_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("PyTorch sees a CUDA device")
    with pytest.raises(RuntimeError, match=r"^PyTorch sees no CUDA device$"):
        Torch("cuda")


@pytest.mark.cuda
@CUDA
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cuda_conforms_with_tf32_off(dtype):
    report = oracle.check("torch@cuda", dtype=dtype, examples=500)
    assert report.passed, report


@pytest.mark.cuda
@CUDA
def test_tf32_is_found_where_it_was_not_asked_for():
    report = oracle.check(Torch("cuda", tf32=True), ["conv"], examples=2000)
    assert not report.passed
    assert oracle.check("torch@cuda", ["conv"], arithmetic="tf32", examples=500).passed
