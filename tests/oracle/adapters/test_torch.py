import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

import oracle
from bench.workloads import workload
from oracle.adapters.torch import Torch
from oracle.contract import DIRECTIONS, arguments_of, function_name
from oracle.judging.judge import Observation, expectation, verdict
from oracle.running.calls import outcome_of
from properties import cases
from refconv import ARITHMETICS, operators, using

SUBJECT = Torch()
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("operator", operators)
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


@pytest.mark.parametrize(("padding", "index"), [(1, 2), ([(1, 2)], -1)])
def test_the_index_of_a_window_of_padding_is_pytorch_s_own_where_it_pads(padding, index):
    attributes = {"kernel_size": 2, "stride": 1, "padding": padding, "dilation": 3, "ceil_mode": False}
    _, indices = Torch().max_pool(np.array([[[1.0, 2.0]]]), **attributes, return_indices=True)
    assert indices[0, 0, 0] == index  # in an input of length 2


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


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("layer", workload("operators").layers, ids=str)
def test_a_prepared_call_is_right_again_and_again(layer, direction):
    case, arithmetic = layer.case("float32", 0), ARITHMETICS["float32"]
    arrays = arguments_of(case, direction).values()
    call = SUBJECT.prepare(function_name(case.operator, direction), *arrays, **case.attributes)
    expected = expectation(case, direction, arithmetic)
    for _ in range(2):
        outcome = outcome_of(call.fetch(call()), case, direction)
        judged = verdict(Observation(case, direction, outcome, expected, arithmetic))
        assert judged.passed, judged.reason


def test_what_pytorch_has_no_kernel_for_is_declined_when_it_is_prepared():
    with pytest.raises(oracle.Unsupported, match="not implemented for"):
        Torch().prepare("softmax", np.ones((1, 1, 4), np.int8))


@pytest.mark.cuda
@CUDA
def test_a_gpu_times_calls_by_its_own_clock():
    call = Torch("cuda").prepare("relu", np.ones((64, 64, 56, 56), np.float32))
    once, often = call.elapsed(1), call.elapsed(100)
    assert 0 < once < 0.1
    assert 0 < often < 1
    assert (call.fetch(call()) == 1).all()
