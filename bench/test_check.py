"""How fast the check is: cases a second, what a case costs to make, and a verdict beside PyTorch's gradcheck."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings

import oracle
import refconv
from bench.timing import interleaved
from oracle.contract import DIRECTIONS
from oracle.judging.judge import judge, read_arithmetic
from oracle.running.isolation import Isolated
from oracle.running.runner import InProcess, Runner
from properties import Case, cases, content

CASES = 200


@pytest.mark.parametrize("subject", ["torch", "refconv"])
@pytest.mark.parametrize("operator", refconv.operators)
def test_cases_a_second(benchmark: Any, figure: Callable[[str], None], subject: str, operator: str) -> None:
    implementation = oracle.load(subject)
    report = benchmark.pedantic(
        lambda: oracle.check(implementation, [operator], examples=CASES), rounds=3, warmup_rounds=1
    )
    assert report.passed
    figure(f"{subject}: {CASES / benchmark.stats['median']:.0f} cases of {operator} a second, forward and backward")


@pytest.mark.parametrize("operator", refconv.operators)
def test_making_a_case(benchmark: Any, figure: Callable[[str], None], operator: str) -> None:
    @hypothesis.seed(0)
    @settings(
        max_examples=CASES,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),  # a benchmark may be slow
    )
    @given(cases(operator))
    def make(case: Case) -> None:
        pass

    benchmark.pedantic(make, rounds=3, warmup_rounds=1)
    figure(f"a case of {operator} is made in {benchmark.stats['median'] / CASES * 1e3:.2f} ms")


@pytest.mark.parametrize("subject", ["torch", "refconv"])
def test_isolation_of_a_case(benchmark: Any, figure: Callable[[str], None], subject: str) -> None:
    drawn = [case for operator in refconv.operators for case in _drawn(operator, CASES // 10)]
    arithmetic = read_arithmetic(None, "float32")

    def judged(runner: Runner) -> bool:
        return all(judge(runner, case, way, arithmetic).status != "absent" for case in drawn for way in DIRECTIONS)

    with closing(Isolated(subject)) as isolated:
        in_process = InProcess(oracle.load(subject))
        calls = {"isolated": lambda: judged(isolated), "in process": lambda: judged(in_process)}
        medians = {name: taken / len(drawn) / 2 for name, taken in interleaved(calls, rounds=7).items()}
        benchmark.pedantic(calls["isolated"], rounds=1)
    own, ours = medians["isolated"] * 1e3, medians["in process"] * 1e3
    figure(f"{subject}: a call is judged in {own:.2f} ms isolated, {ours:.2f} ms in process: {own - ours:+.2f} ms")


def test_isolation_of_a_check(benchmark: Any, figure: Callable[[str], None], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("refconv")), "check", "torch"]

    def run(*options: str) -> bool:
        return subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, check=True).returncode == 0

    calls = {"isolated": run, "in process": lambda: run("--no-isolate")}
    medians = interleaved(calls, rounds=3)
    benchmark.pedantic(run, rounds=1)
    figure(
        f"refconv check torch: {medians['isolated']:.2f} s isolated, {medians['in process']:.2f} s in process: "
        f"{medians['isolated'] / medians['in process']:.2f} times"
    )


def _drawn(operator: str, examples: int) -> list[Case]:
    drawn: list[Case] = []

    @hypothesis.seed(0)
    @settings(max_examples=examples, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(cases(operator))
    def draw(case: Case) -> None:
        drawn.append(case)

    draw()
    return drawn


LAYERS = {"3 to 4 channels, 8x8": (2, 3, 4, 8), "8 to 8 channels, 16x16": (2, 8, 8, 16)}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("fast_mode", [True, False], ids=["fast", "slow"])
def test_a_verdict_on_gradients_beside_gradcheck(
    benchmark: Any, figure: Callable[[str], None], layer: str, fast_mode: bool
) -> None:
    case = _layer(*LAYERS[layer])
    implementation = oracle.load("torch")
    tensors = [torch.from_numpy(array).requires_grad_() for array in case.inputs]
    grad_output = torch.from_numpy(case.grad_output)
    calls = {
        "PyTorch": lambda: len(torch.autograd.grad(_torch_layer(*tensors), tensors, grad_output)) == 3,
        "ours": lambda: oracle.compare(implementation, case, directions=["backward"]).passed,
        "gradcheck": lambda: torch.autograd.gradcheck(_torch_layer, tensors, fast_mode=fast_mode),
    }
    medians = interleaved(calls, rounds=21 if fast_mode else 5)
    benchmark.pedantic(calls["ours"], rounds=7, warmup_rounds=1)
    mode = "fast" if fast_mode else "slow"
    figure(
        f"3x3 convolution, {layer}: a verdict on the gradients in {medians['ours'] * 1e3:.2f} ms; "
        f"gradcheck ({mode} mode) takes {medians['gradcheck'] / medians['ours']:.1f} times that, "
        f"or {medians['gradcheck'] / medians['PyTorch']:.0f} bare forward and backward passes"
    )


def _torch_layer(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.conv2d(input, weight, bias, stride=(2, 1), padding=1)


def _layer(batch: int, in_channels: int, out_channels: int, side: int) -> Case:
    shapes = [(batch, in_channels, side, side), (out_channels, in_channels, 3, 3), (out_channels,)]
    inputs = tuple(content("normal", shape, "float64", seed) for seed, shape in enumerate(shapes))
    attributes: dict[str, Any] = {"stride": (2, 1), "padding": 1, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    output = refconv.conv(*inputs, **attributes)
    return Case("conv", inputs, attributes, content("normal", output.shape, "float64", 3))
