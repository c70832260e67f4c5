"""What is declared of PyTorch is so."""

import functools
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import oracle
from oracle.contract import deviation_of
from properties import Case
from refconv import conv, conv_transpose, max_pool, operators, upsample, upsample_backward

torch = pytest.importorskip("torch", reason="needs PyTorch")

from oracle.adapters.torch import Torch  # noqa: E402  # needs PyTorch
from oracle.adapters.torch_functions import DEVIATIONS  # noqa: E402  # needs PyTorch no more than this does

SHOWN = {
    "conv forward crashes": (-11, ""),
    "conv backward crashes": (-11, ""),
    "conv forward overruns": (-11, ""),
    "conv backward overruns": (-11, ""),
    "conv_transpose backward overruns": (-11, ""),
    "max_pool backward writes": (-11, ""),
    "max_unpool backward raises": (1, "view size is not compatible"),
    "conv backward raises": (1, "slow_conv2d: grad_weight must be contiguous"),
    "conv_transpose backward raises": (1, "grad_weight needs to be contiguous"),
    "instance_norm forward raises": (1, "select(): index 0 out of range"),
    "instance_norm backward raises": (1, "select(): index 0 out of range"),
    "group_norm backward raises": (1, "tensor does not have a device"),
    "local_response_norm forward raises": (1, "view size is not compatible"),
    "local_response_norm backward raises": (1, "view size is not compatible"),
}


GARBAGE = {**os.environ, "MALLOC_PERTURB_": "165"}  # in memory that isn't initialised
# Forks itself for each script that it reads, so that PyTorch is loaded once, and no script sees what another has done.
FORKING = """
import json, os, sys, traceback
import torch

for line in sys.stdin:
    script, *files = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        try:
            exec(script, {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache  # forward and backward may have the same
def run_alone(script):
    """Run a script in a process of its own: what a crash takes depends on what else lies in memory."""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=GARBAGE)
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a script; return its exit status, and what it printed to stdout and stderr."""
    files = [tmp_path_factory.mktemp("printed") / name for name in ("stdout", "stderr")]
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=GARBAGE
    ) as forking:

        def ran(script):
            for file in files:
                file.write_text("")
            forking.stdin.write(json.dumps([script, *map(str, files)]) + "\n")
            forking.stdin.flush()
            status = int(forking.stdout.readline())
            return status, *(file.read_text() for file in files)

        yield ran


@pytest.mark.skipif(not torch.__version__.startswith("2.13.0"), reason="seen in PyTorch 2.13.0")
@pytest.mark.parametrize(
    "deviation", DEVIATIONS, ids=lambda known: f"{known.operator} {known.direction} {known.reason[:24]}"
)
def test_a_script_shows_it(deviation, run):
    ended, printed, complained = (run_alone if deviation.crashes else run)(deviation.script)
    status, said = SHOWN.get(f"{deviation.operator} {deviation.direction} {deviation.reason.split()[0]}", (0, ""))
    assert (ended, said in complained) == (status, True), complained
    if "# should be the same twice" in deviation.script:
        one, other = printed.splitlines()
        assert one != other
    elif "# should be " in deviation.script:
        numbers = [float(number) for number in deviation.script.rpartition("# should be ")[2].split(",")]
        shown = [float(number) for number in re.findall(r"-?[\d.]+(?:e[+-]\d+)?", printed)]
        assert len(shown) == len(numbers)
        assert shown != numbers


def channels_last(*shape):
    return np.moveaxis(np.zeros((shape[0], *shape[2:], shape[1]), np.float32), -1, 1)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "known"),
    [
        ((8201, 2), (1, 2), (8200, 1), 1, True),  # rows that no window sees are copied, too
        ((88, 88), (1, 3), (3, 1), (2, 1), True),
        ((20, 88, 8), (1, 1, 2), (3, 3, 1), 1, True),
        ((88, 40, 3), (3, 2, 2), (1, 3, 1), (2, 1, 1), True),
        ((88, 88), (3, 3), (3, 1), 1, False),  # no stride exceeds its kernel
        ((88, 88), (1, 3), (3, 1), (1, 2), False),  # a dilated row of taps isn't taken at once
        ((88, 88), (2, 3), (3, 1), 1, False),  # all taps are
        ((8, 8), (1, 3), (3, 1), 1, False),  # a page holds the input
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_an_overrun_is_known_of_one_channel_where_a_stride_exceeds_its_kernel(
    size, kernel, stride, dilation, known, channels
):
    input, weight = channels_last(2, channels, *size), np.zeros((1, channels, *kernel), np.float32)
    output = conv(input, weight, stride=stride, dilation=dilation)
    attributes = {"stride": stride, "padding": 0, "dilation": dilation, "groups": 1, "padding_mode": "zeros"}
    found = deviation_of(Torch(), Case("conv", (input, weight, None), attributes, output), "forward")
    assert (found is not None and found.crashes) == (known and channels == 1)


@pytest.mark.parametrize(
    ("channels", "size", "kernel", "stride", "padding", "known"),
    [
        (1, (8, 8), 1, 2, 0, True),
        (15, (9, 8), 1, (3, 2), 0, True),
        (1, (16,), 1, 2, 0, True),
        (16, (8, 8), 1, 2, 0, False),
        (1, (9, 8), 1, 2, 0, False),
        (1, (8, 8), 1, 1, 0, False),
        (1, (8, 8), 2, 2, 0, False),
        (1, (6, 6), 1, 2, 1, False),
    ],
)
def test_an_overrun_is_known_where_a_kernel_of_size_1_meets_few_channels(
    channels, size, kernel, stride, padding, known
):
    input, weight = channels_last(2, channels, *size), np.zeros((3, channels, *[kernel] * len(size)), np.float32)
    attributes = {"stride": stride, "padding": padding, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
    output = conv(input, weight, **attributes)
    for direction, expected in (("forward", False), ("backward", known)):
        found = deviation_of(Torch(), Case("conv", (input, weight, None), attributes, output), direction)
        assert (found is not None and found.crashes) == expected


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("padding", "dilation", "known"), [(1, 3, True), (1, 2, False), ([(1, 2)], 4, False)])
def test_an_index_outside_is_known_where_pytorch_is_handed_a_window_of_padding(padding, dilation, known, direction):
    input = np.ones((1, 1, 2), np.float32)
    attributes = {"kernel_size": 2, "stride": 1, "padding": padding, "dilation": dilation, "ceil_mode": False}
    output = max_pool(input, **attributes)
    case = Case("max_pool", (input,), {**attributes, "return_indices": True}, output)
    found = deviation_of(Torch(), case, direction)
    assert (found is not None) == known
    assert not known or found.crashes == (direction == "backward")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inputs", [26, 300, 8429, 15000])
def test_where_the_nearest_is_another_is_known(inputs, dtype):
    input, known, wrong = np.arange(inputs, dtype=dtype).reshape(1, 1, -1), [], []
    for outputs in (22, 299, 8700, 14999):
        attributes = {**operators["upsample"].attributes, "size": outputs}
        output = upsample(input, size=outputs)
        known.append(deviation_of(Torch(), Case("upsample", (input,), attributes, output), "forward") is not None)
        wrong.append(bool((Torch().upsample(input, **attributes) != output).any()))
    assert known == wrong


@pytest.mark.parametrize(("dilation", "output_padding", "known"), [(1, 0, False), (2, 0, False), (2, 1, True)])
def test_a_single_filter_is_known_where_the_output_s_padding_is_no_less_than_the_stride(
    dilation, output_padding, known
):
    """So far oneDNN, which asks for nothing, takes batches of several."""
    input = channels_last(2, 1, 2)
    weight = np.ones((1, 2, 2), np.float32).copy(order="F")
    attributes = {"stride": 1, "padding": 0, "output_padding": output_padding, "dilation": dilation, "groups": 1}
    output = conv_transpose(input, weight, **attributes)
    case = Case("conv_transpose", (input, weight, None), attributes, np.ones_like(output))
    assert (deviation_of(Torch(), case, "backward") is not None) == known
    assert oracle.compare(Torch(), case).passed != known


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"scale_factor": 2.5 / (1.5 - 2e-8)}, True),
        ({"scale_factor": 2.5 / (1.5 + 2e-8)}, False),  # beyond the input: rounded within the same pair
        ({"scale_factor": 2.5 / 1.5}, False),
        ({"scale_factor": 2.5 / (1.5 - 1e-6)}, False),
        ({"scale_factor": 0.75, "align_corners": True}, False),  # 15 * (15 / 11) is an input but for an ulp
    ],
)
def test_a_position_that_is_rounded_over_is_known(attributes, wrong, direction):
    attributes = {**operators["upsample"].attributes, "mode": "linear", **attributes}
    input = np.cos(np.arange(16.0)).reshape(1, 1, -1)
    output = upsample(input, **attributes)
    case = Case("upsample", (input,), attributes, np.ones_like(output))
    found, should = Torch().upsample(input, **attributes), output
    if direction == "backward":
        (found,) = Torch().upsample_backward(case.grad_output, *case.inputs, **attributes)
        (should,) = upsample_backward(case.grad_output, *case.inputs, **attributes)
    differs = not np.allclose(
        found, should, rtol=1e-12, atol=1e-12
    )  # roundings are 1e-15, a position's to float32 1e-8
    assert differs == (deviation_of(Torch(), case, direction) is not None) == wrong
