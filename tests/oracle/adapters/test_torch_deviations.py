"""What is declared of PyTorch is so."""

import os
import re
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")

from oracle.adapters.torch_functions import DEVIATIONS  # noqa: E402  # needs PyTorch no more than this does

SHOWN = {
    "conv forward crashes": (-11, ""),
    "conv backward crashes": (-11, ""),
    "conv backward raises": (1, "slow_conv2d: grad_weight must be contiguous"),
    "conv_transpose backward raises": (1, "grad_weight needs to be contiguous"),
    "instance_norm forward raises": (1, "select(): index 0 out of range"),
    "instance_norm backward raises": (1, "select(): index 0 out of range"),
    "group_norm backward raises": (1, "tensor does not have a device"),
    "local_response_norm forward raises": (1, "view size is not compatible"),
    "local_response_norm backward raises": (1, "view size is not compatible"),
}


@pytest.mark.skipif(not torch.__version__.startswith("2.13.0"), reason="seen in PyTorch 2.13.0")
@pytest.mark.parametrize(
    "deviation", DEVIATIONS, ids=lambda known: f"{known.operator} {known.direction} {known.reason[:24]}"
)
def test_a_script_shows_it(deviation):
    garbage = {**os.environ, "MALLOC_PERTURB_": "165"}  # in memory that isn't initialised
    run = subprocess.run([sys.executable, "-c", deviation.script], capture_output=True, text=True, env=garbage)
    status, said = SHOWN.get(f"{deviation.operator} {deviation.direction} {deviation.reason.split()[0]}", (0, ""))
    assert (run.returncode, said in run.stderr) == (status, True), run.stderr
    if "# should be the same twice" in deviation.script:
        one, other = run.stdout.splitlines()
        assert one != other
    elif "# should be " in deviation.script:
        numbers = [float(number) for number in deviation.script.rpartition("# should be ")[2].split(",")]
        printed = [float(number) for number in re.findall(r"-?[\d.]+(?:e[+-]\d+)?", run.stdout)]
        assert len(printed) == len(numbers)
        assert printed != numbers
