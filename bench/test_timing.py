"""What timing costs, and whether its medians are those of an independent clock."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

import refconv
from bench.worker import batch, elapsed, prepared
from bench.workloads import workload
from properties.layer import Layer

LAYERS = [
    layer
    for layer in workload("resnet50").layers
    if layer.operator == "conv" and layer.multiply_adds("forward") > 10**8
]
ROUNDS = 40


def test_the_harness_adds_less_than_two_microseconds(figure: Callable[[str], None]) -> None:
    def nothing() -> None:
        """Return."""

    added = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(1000):
            nothing()
        bare = (time.perf_counter() - began) / 1000
        added.append([elapsed(nothing, 1) - bare, statistics.median(batch(nothing)) - bare])
    alone, together = (1e6 * statistics.median(column) for column in zip(*added, strict=True))
    figure(f"timing adds {alone:.2f} us to a call that is timed alone, {together:.3f} us to one of many")
    assert alone < 2


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_medians_are_those_of_a_plain_clock(benchmark: Any, figure: Callable[[str], None], layer: Layer) -> None:
    case = layer.case("float32", 0)
    call = prepared(refconv, "conv", case.inputs, dict(case.attributes))
    plainly: Any = refconv.conv
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(ROUNDS):
        ours += batch(call)
        for _ in range(5):
            began = time.perf_counter()
            plainly(*case.inputs, **case.attributes)
            plain.append(time.perf_counter() - began)
    benchmark.pedantic(call, rounds=1)
    off = statistics.median(ours) / statistics.median(plain) - 1
    figure(f"{layer}: {statistics.median(plain) * 1e3:.2f} ms by a plain clock, {off:+.1%} by ours")
    assert abs(off) < 0.03
