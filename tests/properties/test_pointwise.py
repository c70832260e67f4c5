"""What the strategies of pointwise operators, movements and losses reach."""

import math

import numpy as np
import pytest

from properties import cases
from properties.pointwise import STRATEGIES
from refconv.geometry import read_padding

OPERATORS = tuple(STRATEGIES)


def axes_of(case):
    return case.inputs[0].ndim


def some(claim):
    """A predicate on a case: `claim` holds for an element of the input."""
    return lambda case: claim(case.inputs[0]).any()


def attribute(name, claim):
    return lambda case: claim(case.attributes[name])


def sides(case):
    return read_padding(case.attributes["padding"], case.inputs[0].ndim - 2)


def padded(mode, claim=lambda size, pair: max(pair) > 0):
    """A predicate on a case: padded as `mode` says, and `claim` holds for an axis' size and padding pair."""
    return lambda case: case.attributes["mode"] == mode and any(map(claim, case.inputs[0].shape[2:], sides(case)))


def joined(case):
    """The axis along which a case concatenates, counted from the front."""
    return case.attributes["axis"] % case.inputs[0].ndim


def per_group(case):
    return case.inputs[0].shape[1] // case.attributes["groups"]


def shares(case):
    """The largest share that a target has."""
    scores, target = case.inputs[0].astype(float), np.expand_dims(case.inputs[1], 1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (np.take_along_axis(powers, target, 1) / powers.sum(axis=1, keepdims=True)).max(initial=0)


SHAPES = {
    "an empty batch": lambda case: case.inputs[0].shape[0] == 0,
    "a batch of several": lambda case: case.inputs[0].shape[0] > 1,
    "one position": lambda case: math.prod(case.inputs[0].shape[2:]) == 1,
    "more than a vector register": lambda case: case.inputs[0].size > 64,
    "one spatial axis": lambda case: axes_of(case) == 3,
    "three spatial axes": lambda case: axes_of(case) == 5,
}
ANY_AXES = {"the batch alone": lambda case: axes_of(case) == 1, "no spatial axis": lambda case: axes_of(case) == 2}
WITH_ANY_AXES = set(OPERATORS) - {"pad", "channel_shuffle", "concat", "cross_entropy"}
EDGES = {
    "relu": {"what is cut off": some(lambda x: x < 0), "what isn't": some(lambda x: x > 0)},
    "leaky_relu": {
        "no slope": attribute("negative_slope", lambda slope: slope == 0),
        "a falling slope": attribute("negative_slope", lambda slope: slope < 0),
        "a slope beyond 1": attribute("negative_slope", lambda slope: slope > 1),
        "the default": attribute("negative_slope", lambda slope: slope == 0.01),
    },
    **{
        name: {
            "where exp overflows": some(lambda x: x > 1e3),
            "where its reciprocal does": some(lambda x: x < -1e3),
            "0": some(lambda x: x == 0),
            "nearly 0": some(lambda x: (abs(x) < 1e-2) & (x != 0)),
            "nearly saturated": some(lambda x: (abs(x) > 5) & (abs(x) < 20)),
        }
        for name in ("sigmoid", "tanh")
    },
    "dropout": {
        "nothing dropped": attribute("p", lambda p: p == 0),
        "a scale that is no power of two": attribute("p", lambda p: p == 0.3),
        "most dropped": attribute("p", lambda p: p == 0.9),
        "some dropped": lambda case: 0 < case.inputs[1].mean() < 1 if case.inputs[1].size else False,
    },
    "flatten": {"sizes that differ": lambda case: len(set(case.inputs[0].shape)) == axes_of(case) > 2},
    "add": {"a sum that cancels": lambda case: (abs(case.inputs[0] + case.inputs[1]) < 1e-2 * abs(case.inputs[0])).any()},
    "concat": {
        "the batch": lambda case: joined(case) == 0,
        "the channels": lambda case: joined(case) == 1,
        "a spatial axis": lambda case: joined(case) > 1,
        "counted from the end": attribute("axis", lambda axis: axis < 0),
        "sizes that differ": lambda case: case.inputs[0].shape[joined(case)] != case.inputs[1].shape[joined(case)],
        "an empty batch and another": lambda case: [len(array) > 0 for array in case.inputs] == [False, True],
    },
    "pad": {
        **{f"{mode} on one side alone": padded(mode, lambda _, pair: min(pair) == 0 < max(pair)) for mode in ("zeros", "constant", "reflect", "replicate", "circular")},
        **{f"{mode} by more than the size": padded(mode, lambda size, pair: max(pair) > size) for mode in ("zeros", "replicate")},
        "reflect as far as it goes": padded("reflect", lambda size, pair: max(pair) == size - 1 > 0),
        "circular as far as it goes": padded("circular", lambda size, pair: max(pair) == size),
        "an int": attribute("padding", lambda padding: isinstance(padding, int) and padding > 0),
        "axes padded unlike": lambda case: len(set(sides(case))) == axes_of(case) - 2 > 1,
        "a constant that is rounded": attribute("value", lambda value: float(np.float32(value)) != value),
        "no padding": lambda case: not any(map(any, sides(case))),
    },
    "channel_shuffle": {
        "one group": attribute("groups", lambda groups: groups == 1),
        "one channel in each": lambda case: per_group(case) == 1 < case.attributes["groups"],
        "what isn't its own inverse": lambda case: per_group(case) != case.attributes["groups"] > 1 < per_group(case),
    },
    "cross_entropy": {
        "no spatial axis": lambda case: axes_of(case) == 2,
        "one class": lambda case: case.inputs[0].shape[1] == 1,
        "more classes than a vector register holds": lambda case: case.inputs[0].shape[1] > 16,
        "where exp overflows": some(lambda x: x > 1e3),
        "the last class": lambda case: (case.inputs[1] == case.inputs[0].shape[1] - 1).any(),
        "a certain class": lambda case: case.inputs[0].shape[1] > 1 and shares(case) > 0.999,
    },
    "mse_loss": {"equal elements": lambda case: (case.inputs[0] == case.inputs[1]).any()},
    "highway": {
        "an open gate": lambda case: (case.inputs[2] == 1).any(),
        "a gate between": lambda case: ((case.inputs[2] > 0) & (case.inputs[2] < 1)).any(),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "edge"),
    [
        (operator, edge)
        for operator in OPERATORS
        for edge in (*SHAPES, *(ANY_AXES if operator in WITH_ANY_AXES else ()), *EDGES[operator])
    ],
)
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    holds = {**SHAPES, **ANY_AXES, **EDGES[operator]}[edge]
    assert any(holds(case) for case in drawn(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_cases_shrink_to_one_of_everything(operator, smallest):
    case = smallest(cases(operator))
    assert case.inputs[0].size == 1 if operator != "cross_entropy" else case.inputs[0].shape == (1, 2)
    assert all(abs(array).max() <= 4 for array in (*case.inputs, case.grad_output))


@pytest.mark.parametrize("operator", OPERATORS)
def test_few_batches_are_empty(operator, drawn):
    empty = sum(case.inputs[0].size == 0 for case in drawn(operator))
    assert 0 < empty <= 0.1 * len(drawn(operator))
