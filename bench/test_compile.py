"""What an operator's forward and backward compile for one dtype, in a new process: in a first call, and in many."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import refconv

_CALLS = """
import sys, time, warnings
warnings.simplefilter("ignore")
import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
import properties

drawn = []

@hypothesis.seed(0)
@settings(max_examples=30, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
@given(properties.cases(sys.argv[1], dtype="float32"))
def draw(case):
    drawn.append(case)

def taken(cases):
    began = time.perf_counter()
    for case in cases:
        case.row.forward(*case.inputs, **case.attributes)
        case.row.backward(case.grad_output, *case.inputs, **case.attributes)
    return time.perf_counter() - began

draw()
first, others = taken(drawn[-1:]), taken(drawn)
print(first, first + others - taken(drawn))
"""


@pytest.mark.parametrize("operator", refconv.operators)
def test_compiling(benchmark: Any, figure: Callable[[str], None], tmp_path: Path, operator: str) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> list[float]:
        command = [sys.executable, "-c", _CALLS, operator]
        return [
            float(seconds)
            for seconds in subprocess.run(command, env=environment, capture_output=True, check=True).stdout.split()
        ]

    first, all_ = benchmark.pedantic(run, rounds=1)
    figure(f"{operator}: compiled in {first:.2f} s, forward and backward; {all_:.2f} s with what other attributes need")
