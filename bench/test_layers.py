"""Pooling, normalization and upsampling at ResNet-50's sizes beside PyTorch: float64, batch 8, as many threads.

A backward that is a function of the inputs finds out again what the forward knew. PyTorch keeps that in its graph, so
two times are its own: of forward and backward, which is what our backward does, and of the backward alone.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numba import config

from bench.timing import interleaved
from oracle.adapters.torch_functions import FUNCTIONS
from properties import content
from refconv import operators
from refconv.arguments import Array

BATCH = 8
ROUNDS = 7


class Layer(NamedTuple):
    """A layer by its operator, its input's shape but for the batch, and its attributes."""

    operator: str
    shape: tuple[int, ...]
    attributes: Mapping[str, object]


_STEM = {"kernel_size": 3, "stride": 2, "padding": 1}
LAYERS = [
    Layer("max_pool", (64, 112, 112), _STEM),
    Layer("max_unpool", (64, 112, 112), {"output_size": 112}),
    Layer("avg_pool", (64, 112, 112), _STEM),
    Layer("avg_pool", (256, 56, 56), {"kernel_size": 2}),
    Layer("lp_pool", (64, 112, 112), {"norm_type": 2.0, "kernel_size": 3, "stride": 2}),
    Layer("adaptive_avg_pool", (2048, 7, 7), {"output_size": 1}),
    Layer("adaptive_avg_pool", (256, 56, 56), {"output_size": 7}),
    Layer("adaptive_max_pool", (256, 56, 56), {"output_size": 7}),
    Layer("blur_pool", (64, 112, 112), {}),
    *[
        Layer("upsample", (256, 28, 28), {"scale_factor": 2, "mode": mode, "align_corners": corners})
        for mode, corners in (("nearest", False), ("linear", False), ("linear", True), ("cubic", False))
    ],
    *[
        Layer("batch_norm", shape, {"training": training})
        for shape in ((64, 112, 112), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7))
        for training in (True, False)
    ],
    Layer("layer_norm", (256, 56, 56), {"normalized_shape": (256, 56, 56)}),
    Layer("instance_norm", (256, 56, 56), {}),
    Layer("group_norm", (256, 56, 56), {"num_groups": 32}),
    Layer("local_response_norm", (64, 56, 56), {"size": 5}),
]


def _named(layer: Layer) -> str:
    attributes = ", ".join(f"{name}={value}" for name, value in layer.attributes.items())
    return f"{layer.operator}({'x'.join(map(str, layer.shape))}{', ' if attributes else ''}{attributes})"


@pytest.fixture(scope="module", autouse=True)
def _head(figure: Callable[[str], None]) -> None:
    figure("          refconv | PyTorch, and that over ours | its backward alone |")


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("layer", LAYERS, ids=_named)
def test_a_layer_beside_pytorch(
    benchmark: Any,
    figure: Callable[[str], None],
    ratios: Mapping[str, dict[str, float]],
    layer: Layer,
    direction: str,
) -> None:
    torch.set_num_threads(config.NUMBA_NUM_THREADS)
    row = operators[layer.operator]
    inputs = _inputs(layer)
    attributes = {**row.attributes, **layer.attributes}
    tensors: dict[str, Any] = {
        name: None if array is None else torch.from_numpy(array) for name, array in zip(row.inputs, inputs, strict=True)
    }
    output = _first(row.forward(*inputs, **attributes))
    grad_output = content("normal", output.shape, "float64", 1)

    def forward() -> torch.Tensor:
        result: torch.Tensor = _first(FUNCTIONS[layer.operator](*tensors.values(), **attributes))
        return result

    calls: dict[str, Callable[[], Any]]
    if direction == "forward":
        calls = {"ours": lambda: row.forward(*inputs, **attributes), "PyTorch": forward}
    else:
        leaves = [tensors[name].requires_grad_() for name in row.differentiable if tensors[name] is not None]
        pulled = torch.from_numpy(grad_output)
        result = forward()
        calls = {
            "ours": lambda: row.backward(grad_output, *inputs, **attributes),
            "PyTorch": lambda: torch.autograd.grad(forward(), leaves, pulled),
            "backward alone": lambda: torch.autograd.grad(result, leaves, pulled, retain_graph=True),
        }
    medians = interleaved(calls, rounds=ROUNDS)
    benchmark.pedantic(calls["ours"], rounds=1)
    ours, *others = medians.values()
    ratios[direction][_named(layer)] = others[0] / ours
    beside = [f"{other * 1e3:6.1f} ms {other / ours:5.2f}" for other in others]
    figure(f"{direction:8} {ours * 1e3:6.1f} ms | {' | '.join([*beside, ' ' * 15][:2])} | {_named(layer)}")


def _first(returned: Any) -> Any:
    return returned[0] if isinstance(returned, tuple) else returned


def _inputs(layer: Layer) -> list[Array | None]:
    """Return the operator's inputs: parameters of a channel each, indices as `max_pool` returns them."""
    shape = (BATCH, *layer.shape)
    if layer.operator == "max_unpool":
        pooled = operators["max_pool"].forward(
            content("normal", shape, "float64", 0), kernel_size=2, return_indices=True
        )
        return [*pooled]
    per_channel = layer.shape if layer.operator == "layer_norm" else layer.shape[:1]
    arrays: dict[str, Array] = {
        "input": content("normal", shape, "float64", 0),
        "weight": content("normal", per_channel, "float64", 1),
        "bias": content("normal", per_channel, "float64", 2),
        "running_mean": content("normal", per_channel, "float64", 3),
        "running_var": np.ones(per_channel),
    }
    return [arrays[name] for name in operators[layer.operator].inputs]
