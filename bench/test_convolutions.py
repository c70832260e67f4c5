"""The convolutions of well-known networks beside PyTorch's, and beside what the machine can do, as many threads each.

The machine's limit is a product of two matrices of 1024x1024, which PyTorch has its BLAS do, timed in the same rounds.
"""

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numba import config

import refconv
from bench.timing import interleaved
from properties import content
from refconv import conv, conv_backward, conv_transpose, dispatch, plans
from refconv.arguments import Array
from refconv.geometry import read_window

ROUNDS = 7
BATCHES = 1, 8
DTYPES = "float64", "float32"
GROUPS = [f"{dtype} {direction}" for dtype in DTYPES for direction in ("forward", "backward")]


class Layer(NamedTuple):
    """A convolution: its channels, the size of its input, and its attributes, the same along all axes."""

    network: str
    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def output(self) -> tuple[int, ...]:
        """The output's spatial size."""
        return tuple((length + 2 * self.padding - self.kernel) // self.stride + 1 for length in self.size)

    @property
    def products(self) -> int:
        """The multiply-adds of a batch of 1."""
        taps: int = self.kernel ** len(self.size)
        return self.out_channels * math.prod(self.output) * self.in_channels // self.groups * taps

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the call."""
        return {"stride": self.stride, "padding": self.padding, "groups": self.groups}

    def __str__(self) -> str:
        """Return its network, channels, size, kernel and attributes."""
        size, kernel = ("x".join(map(str, entries)) for entries in (self.size, (self.kernel,) * len(self.size)))
        words = [f"{self.network} {self.in_channels}x{size}, {self.out_channels} of {kernel}"]
        words += [f"stride {self.stride}"] * (self.stride > 1) + ["depthwise"] * (self.groups > 1)
        return ", ".join(words)


def _resnet() -> list[Layer]:
    """Return the convolutions of ResNet-50: of each stage, the first block's and another's."""
    layers = [Layer("ResNet-50", 3, 64, (224, 224), 7, 2, 3)]
    before = 64
    for width, length in ((64, 56), (128, 28), (256, 14), (512, 7)):
        stride = 1 if width == 64 else 2
        outer, inner = (length * stride,) * 2, (length,) * 2
        layers += [
            Layer("ResNet-50", before, width, outer, 1),
            Layer("ResNet-50", width, width, outer, 3, stride, 1),
            Layer("ResNet-50", before, 4 * width, outer, 1, stride),
            Layer("ResNet-50", width, 4 * width, inner, 1),
            Layer("ResNet-50", 4 * width, width, inner, 1),
            Layer("ResNet-50", width, width, inner, 3, 1, 1),
        ]
        before = 4 * width
    return list(dict.fromkeys(layers))


def _vgg() -> list[tuple[Layer, int]]:
    """Return the convolutions of VGG-16, and how often it has each."""
    shapes = [
        ((3, 64, 224), 1),
        ((64, 64, 224), 1),
        ((64, 128, 112), 1),
        ((128, 128, 112), 1),
        ((128, 256, 56), 1),
        ((256, 256, 56), 2),
        ((256, 512, 28), 1),
        ((512, 512, 28), 2),
        ((512, 512, 14), 3),
    ]
    return [(Layer("VGG-16", ins, outs, (length, length), 3, 1, 1), times) for (ins, outs, length), times in shapes]


def _mobilenet() -> list[Layer]:
    """Return the convolutions of MobileNet-V1: pairs of a depthwise and a 1x1 one."""
    layers = [Layer("MobileNet-V1", 3, 32, (224, 224), 3, 2, 1)]
    length = 112
    for ins, outs, stride in (
        (32, 64, 1),
        (64, 128, 2),
        (128, 128, 1),
        (128, 256, 2),
        (256, 256, 1),
        (256, 512, 2),
        (512, 512, 1),
        (512, 1024, 2),
        (1024, 1024, 1),
    ):
        layers.append(Layer("MobileNet-V1", ins, ins, (length, length), 3, stride, 1, groups=ins))
        length //= stride
        layers.append(Layer("MobileNet-V1", ins, outs, (length, length), 1))
    return layers


LAYERS = [
    *_resnet(),
    *(layer for layer, _ in _vgg()),
    *_mobilenet(),
    Layer("AlexNet", 3, 64, (224, 224), 11, 4, 2),
    Layer("GoogLeNet", 64, 192, (56, 56), 3, 1, 1),  # its 7x7 is ResNet-50's
    Layer("C3D", 64, 128, (16, 56, 56), 3, 1, 1),
    Layer("1-D", 64, 64, (16000,), 9, 1, 4),
]


@pytest.fixture(scope="module", autouse=True)
def _tables(figure: Callable[[str], None], ratios: Mapping[str, dict[str, float]]) -> Iterator[None]:
    """Print two tables: of all that was measured, and of the ratios, which is the README's."""
    figure("| forward | of peak | PyTorch | ratio | backward | of peak | PyTorch | ratio | dtype, batch, layer |")
    yield
    columns = {group: [_of_batch(named, batch) for batch in BATCHES] for group, named in ratios.items()}
    columns = {group: columns[group] for group in GROUPS if group in columns}
    if columns:
        figure(_row("PyTorch's time over ours, batch 1 and 8", *columns))
        figure(_row(*["---"] * (1 + len(columns))))
        for layer in map(str, LAYERS):
            found = [[named[layer] for named in column if layer in named] for column in columns.values()]
            if any(found):
                figure(_row(layer, *map(_shown, found)))
        means = [[statistics.geometric_mean(of.values()) for of in column if of] for column in columns.values()]
        figure(_row("geometric mean", *map(_shown, means)))


def _of_batch(named: Mapping[str, float], batch: int) -> dict[str, float]:
    """Return the ratios of a batch by layer."""
    parts = [(name.split(", ", 2), ratio) for name, ratio in named.items()]
    return {layer: ratio for (_, number, layer), ratio in parts if number == str(batch)}


def _shown(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.2f}" for number in numbers)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_convolution_beside_pytorch(
    benchmark: Any,
    figure: Callable[[str], None],
    ratios: Mapping[str, dict[str, float]],
    layer: Layer,
    batch: int,
    dtype: str,
) -> None:
    input, weight, grad_output = _arrays(layer, batch, dtype)
    calls = _calls(layer, input, weight, grad_output)
    assert (
        abs(calls["ours"]() - calls["PyTorch"]()) <= _limit(layer, input, weight)
    ).all()  # the same was asked of both
    medians = interleaved(calls, rounds=ROUNDS)
    benchmark.pedantic(calls["ours"], rounds=1)
    ours, pytorch, backward, pytorch_backward, product = medians.values()
    peak = 1024**3 / product
    shares = batch * layer.products / ours / peak, 2 * batch * layer.products / backward / peak
    name = f"{dtype}, {batch}, {layer}"
    ratios[f"{dtype} forward"][name] = pytorch / ours
    ratios[f"{dtype} backward"][name] = pytorch_backward / backward
    if layer.groups > 1:
        ratios[f"{dtype} depthwise backward"][name] = pytorch_backward / backward
    figure(
        f"| {ours * 1e3:.2f} ms | {shares[0]:.2f} | {pytorch * 1e3:.2f} ms | {pytorch / ours:.2f} "
        f"| {backward * 1e3:.2f} ms | {shares[1]:.2f} | {pytorch_backward * 1e3:.2f} ms "
        f"| {pytorch_backward / backward:.2f} | {name} |"
    )


def _arrays(layer: Layer, batch: int, dtype: str) -> tuple[Array, Array, Array]:
    kernel = (layer.kernel,) * len(layer.size)
    return (
        content("normal", (batch, layer.in_channels, *layer.size), dtype, 0),
        content("normal", (layer.out_channels, layer.in_channels // layer.groups, *kernel), dtype, 1),
        content("normal", (batch, layer.out_channels, *layer.output), dtype, 2),
    )


def _limit(layer: Layer, input: Array, weight: Array) -> float:
    """Bound the errors of two sums of n products, each by Higham's gamma(n + 1) times n of the largest products."""
    terms: int = layer.in_channels // layer.groups * layer.kernel ** len(layer.size)
    unit = float(np.finfo(input.dtype).eps) / 2
    return 2 * (terms + 1) * unit / (1 - (terms + 1) * unit) * terms * float(abs(input).max() * abs(weight).max())


def _calls(layer: Layer, input: Array, weight: Array, grad_output: Array) -> dict[str, Callable[[], Any]]:
    torch.set_num_threads(config.NUMBA_NUM_THREADS)
    tensors = [torch.from_numpy(array) for array in (input, weight, grad_output)]
    rank = len(layer.size)
    function = getattr(torch, f"conv{rank}d")
    per_axis = [(entry,) * rank for entry in (layer.stride, layer.padding, 1, 0)]
    stride, padding, dilation, output_padding = per_axis
    options = stride, padding, dilation, False, output_padding, layer.groups, (True, True, False)
    matrix = torch.from_numpy(content("normal", (1024, 1024), str(input.dtype), 3))
    return {
        "ours": lambda: conv(input, weight, **layer.attributes),
        "PyTorch": lambda: function(*tensors[:2], None, layer.stride, layer.padding, 1, layer.groups).numpy(),
        "our backward": lambda: conv_backward(grad_output, input, weight, **layer.attributes),
        "PyTorch's backward": lambda: torch.ops.aten.convolution_backward(tensors[2], *tensors[:2], None, *options),
        "product": lambda: matrix @ matrix,
    }


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
    layers = [(layer.in_channels, layer.out_channels, *layer.size[:1], times) for layer, times in _vgg()]

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
    layers = [Layer("", 64, 64, (length, length), 3, 1, 1) for length in lengths]
    cases = [(layer, batch) for layer in layers for batch in ((1,) if layer is not layers[-1] else (1, 3))]
    calls = {}
    for layer, batch in cases:
        input, weight, _ = _arrays(layer, batch, dtype)
        calls[f"{batch * layer.products / 1e6:.0f} M"] = partial(conv, input, weight, **layer.attributes)
    medians = interleaved(calls, rounds=ROUNDS)
    benchmark.pedantic(next(iter(calls.values())), rounds=1)
    costs = {name: seconds / float(name.split()[0]) * 1e3 for name, seconds in medians.items()}
    shown = ", ".join(f"{name}: {cost:.4f}" for name, cost in costs.items())
    spread = max(costs.values()) / min(costs.values())
    figure(f"{dtype}: nanoseconds for a product, by their number: {shown}; within {spread:.2f} times")


def test_what_is_laid_out(figure: Callable[[str], None]) -> None:
    shares, held = [], []
    for layer, batch, itemsize in product(LAYERS, BATCHES, (4, 8)):
        rank, threads = len(layer.size), config.NUMBA_NUM_THREADS
        window = read_window((layer.kernel,) * rank, stride=layer.stride, padding=layer.padding, dilation=1)
        signal, grad = (batch, layer.in_channels, *layer.size), (batch, layer.out_channels, *layer.output)
        weight = layer.out_channels, layer.in_channels // layer.groups, *window.kernel
        found: list[plans.Sums | plans.Products] = [
            plans.correlation(signal, weight, window, layer.groups, layer.output, itemsize, threads),
            *plans.transposed(grad, weight, window, layer.groups, layer.size, itemsize, threads).sweeps,
            plans.products(grad, signal, window, layer.groups, itemsize, threads),
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
        layer = Layer("", channels, channels, (length, length), 3, 1, 1)
        input, weight, grad_output = _arrays(layer, 1, "float64")
        calls = {
            "definition": partial(_forced, "definition", layer, input, weight, grad_output),
            "fast": partial(_forced, "fast", layer, input, weight, grad_output),
            "planned": partial(_planned_anew, layer, input, weight, grad_output),
        }
        medians = interleaved(calls, ROUNDS)
        found[layer.products] = [medians["definition"] / medians[name] for name in ("fast", "planned")]
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


def _planned_anew(layer: Layer, input: Array, weight: Array, grad_output: Array) -> None:
    for remembered in (plans.correlation, plans.transposed, plans.products):
        remembered.cache_clear()
    _forced("fast", layer, input, weight, grad_output)


def _forced(path: str, layer: Layer, input: Array, weight: Array, grad_output: Array) -> None:
    with refconv.using(path):
        conv(input, weight, **layer.attributes)
        conv_backward(grad_output, input, weight, **layer.attributes)


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
