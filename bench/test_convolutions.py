"""The reference's convolutions: what they cost by size, what they hold, and where the fast path begins to pay."""

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from numba import config

import refconv
from bench.timing import interleaved
from bench.workloads import workload
from properties import content
from properties.layer import Layer
from refconv import conv, conv_backward, conv_transpose, dispatch, plans
from refconv.arguments import Array
from refconv.geometry import read_window

ROUNDS = 7
BATCHES = 1, 8
DTYPES = "float64", "float32"
LAYERS = [
    *(layer for name in ("resnet50", "vgg16", "mobilenet", "alexnet") for layer in workload(name).layers),
    Layer("conv", ((1, 64, 16, 56, 56), (128, 64, 3, 3, 3)), (("padding", 1),)),  # of C3D
    Layer("conv", ((1, 64, 16000), (64, 64, 9)), (("padding", 4),)),
]
CONVOLUTIONS = [layer for layer in LAYERS if layer.operator == "conv"]


def _square(channels: int, length: int, batch: int = 1) -> Layer:
    """Return a 3x3 convolution that keeps its input's shape."""
    return Layer("conv", ((batch, channels, length, length), (channels, channels, 3, 3)), (("padding", 1),))


def _shown(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)


_VGG = """
import json, sys, time
import numpy as np
from refconv import conv, conv_backward
layers = json.loads(sys.argv[1])
random = np.random.default_rng(0)
times = []
for ins, outs, length, number in layers[:1] + layers[:2] + layers:  # the first ones compile, or load what is compiled
    input, weight = random.standard_normal((1, ins, length, length)), random.standard_normal((outs, ins, 3, 3))
    grad_output = random.standard_normal((1, outs, length, length))
    began = time.perf_counter()
    for _ in range(number):
        conv(input, weight, padding=1), conv_backward(grad_output, input, weight, padding=1)
    times.append(time.perf_counter() - began)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # Linux alone knows its own
print(sum(times[3:]), int(peak.split()[1]) / 2**20)
"""


def test_all_of_vgg(benchmark: Any, figure: Callable[[str], None]) -> None:
    layers = [
        (layer.input[1], layer.output[1], layer.input[2], layer.times)
        for layer in workload("vgg16").layers
        if layer.operator == "conv"
    ]

    def run() -> list[float]:
        command = [sys.executable, "-c", _VGG, json.dumps(layers)]
        return [float(word) for word in subprocess.run(command, capture_output=True, check=True).stdout.split()]

    seconds, memory = benchmark.pedantic(run, rounds=1)
    figure(
        f"VGG-16's convolutions, batch 1, float64, forward and backward: {seconds:.2f} s, "
        f"in a process of at most {memory:.2f} GiB"
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cost_of_a_product_at_any_size(benchmark: Any, figure: Callable[[str], None], dtype: str) -> None:
    lengths = (17, 30, 53, 95, 169, 300)  # 64 channels, 3x3: 10 million to 3.3 billion products, then more by the batch
    calls = {}
    for layer in [*(_square(64, length) for length in lengths), _square(64, lengths[-1], batch=3)]:
        case = layer.case(dtype, 0)
        calls[f"{layer.multiply_adds('forward') / 1e6:.0f} M"] = partial(case.row.forward, *case.inputs, padding=1)
    medians = interleaved(calls, rounds=ROUNDS)
    benchmark.pedantic(next(iter(calls.values())), rounds=1)
    costs = {name: seconds / float(name.split()[0]) * 1e3 for name, seconds in medians.items()}
    shown = ", ".join(f"{name}: {cost:.4f}" for name, cost in costs.items())
    spread = max(costs.values()) / min(costs.values())
    figure(f"{dtype}: nanoseconds for a product, by their number: {shown}; within {spread:.2f} times")


def test_what_is_laid_out(figure: Callable[[str], None]) -> None:
    shares, held = [], []
    for layer, batch, itemsize in product(CONVOLUTIONS, BATCHES, (4, 8)):
        threads, weight = config.NUMBA_NUM_THREADS, layer.weight
        assert weight is not None
        attributes: dict[str, Any] = {"stride": 1, "padding": 0, "groups": 1, **dict(layer.attributes)}
        groups = attributes.pop("groups")
        window = read_window(weight[2:], **attributes, dilation=1)
        signal, grad = layer.of_batch(batch).input, layer.of_batch(batch).output
        found: list[plans.Sums | plans.Products] = [
            plans.correlation(signal, weight, window, groups, grad[2:], itemsize, threads),
            *plans.transposed(grad, weight, window, groups, signal[2:], itemsize, threads).sweeps,
            plans.products(grad, signal, window, groups, itemsize, threads),
        ]
        for plan in found:
            workers = plans.workers(plan.load)
            shares.append(workers * plan.cut.room / (math.prod(signal) + math.prod(grad)))
            held.append(workers * plan.load.held * itemsize / 2**20)
    figure(
        f"laid out by all threads at once, in elements of input and output: at most {max(shares):.2f} times, by the "
        f"median {statistics.median(shares):.2f}; with sums and weights at most {max(held):.0f} MiB"
    )


def test_the_crossover(benchmark: Any, figure: Callable[[str], None]) -> None:
    found = {}
    for channels, length in ((2, 8), (4, 8), (4, 16), (8, 12), (8, 16), (8, 24), (16, 24)):
        layer = _square(channels, length)
        arrays = [array for array in layer.case("float64", 0).arrays.values() if array is not None]
        calls = {
            "definition": partial(_forced, "definition", *arrays),
            "fast": partial(_forced, "fast", *arrays),
            "planned": partial(_planned_anew, *arrays),
        }
        medians = interleaved(calls, ROUNDS)
        found[layer.multiply_adds("forward")] = [medians["definition"] / medians[name] for name in ("fast", "planned")]
    benchmark.pedantic(calls["fast"], rounds=1)
    shown = "; ".join(f"{products}: {_shown(ratios)}" for products, ratios in found.items())
    figure(
        f"definition's time over the fast path's, of a shape seen before and of a new one, by products "
        f"(taken from {dispatch.ENOUGH}): {shown}"
    )


def test_the_crossover_of_sweeps(figure: Callable[[str], None]) -> None:
    found = {}
    for channels, kernel, length in ((8, 8, 4), (64, 16, 2), (32, 8, 8), (64, 8, 8), (64, 4, 16)):
        signal = content("normal", (1, channels, length, length), "float64", 0)
        weight = content("normal", (channels, channels, kernel, kernel), "float64", 1)
        calls = {path: partial(_transposed, path, signal, weight, kernel) for path in ("definition", "fast")}
        medians = interleaved(calls, ROUNDS)
        found[signal.size * channels] = medians["definition"] / medians["fast"]
    shown = ", ".join(f"{products}: {ratio:.2f}" for products, ratio in found.items())
    figure(f"the same, transposed, with a stride of the kernel's size, by products of each sweep: {shown}")


def _transposed(path: str, signal: Array, weight: Array, stride: int) -> None:
    with refconv.using(path):
        conv_transpose(signal, weight, stride=stride)


def _planned_anew(grad_output: Array, input: Array, weight: Array) -> None:
    for remembered in (plans.correlation, plans.transposed, plans.products):
        remembered.cache_clear()
    _forced("fast", grad_output, input, weight)


def _forced(path: str, grad_output: Array, input: Array, weight: Array) -> None:
    with refconv.using(path):
        conv(input, weight, padding=1)
        conv_backward(grad_output, input, weight, padding=1)


_FIRST = """
import sys, time
import numpy as np
import refconv
x, w = np.ones((1, 32, 32, 32), sys.argv[1]), np.ones((32, 32, 3, 3), sys.argv[1])
times = []
for groups in (1, 32):
    weight = w[:, :32 // groups].copy()
    began = time.perf_counter()
    with refconv.using("fast"):
        y = refconv.conv(x, weight, groups=groups)
        refconv.conv_backward(y, x, weight, groups=groups)
    times.append(time.perf_counter() - began)
print(*times)
"""


@pytest.mark.parametrize("dtype", DTYPES)
def test_compiling_the_fast_path(benchmark: Any, figure: Callable[[str], None], tmp_path: Path, dtype: str) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> list[float]:
        command = [sys.executable, "-c", _FIRST, dtype]
        output = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        return [float(word) for word in output.split()]

    (first, _), (again, _) = benchmark.pedantic(run, rounds=1), run()
    figure(f"{dtype}: the first call of conv and conv_backward takes {first:.2f} s, in another process {again:.2f} s")
