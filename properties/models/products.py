"""The calls of what multiplies matrices: `linear`, `graph_conv`, `non_local` and `capsule_routing`."""

from collections.abc import Callable
from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.arrays import content, near
from properties.case import Case, array
from properties.models import memory, rows, windows
from properties.models.convolutions import BIAS
from properties.models.feature import (
    ELEMENT,
    Call,
    Choices,
    Class,
    Contents,
    Feature,
    Model,
    Row,
    attribute,
    exactly,
    one_of,
    ranged,
    sizes,
)
from refconv.arguments import Array

# --- linear

_UNIT = 8
"""Features that vectors and matrix units take at once: a multiple of them leaves no rest."""


def _shape(case: Case, name: str = "input") -> tuple[int, ...]:
    return array(case, name).shape


def _alignment(case: Case) -> str:
    whole = [size % _UNIT == 0 for size in _shape(case, "weight")]
    return "whole" if all(whole) else "mixed" if any(whole) else "ragged"


_ALIGNMENT = one_of("multiples of 8", _alignment, "ragged", "whole", "mixed")
"""Whether the features in, and those out, are a whole number of units: neither, both, or one of them."""


def _features(name: str, read: Callable[[Case], int], other: str, *ranges: str) -> Feature:
    """Return the feature of how many features one side of the weight has; `other` is that of the other side."""

    def aligned(known: Class) -> Class:
        def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> int:
            drawn: int = known.draw(rng, chosen, row)
            if _is_whole(rng, name, other, chosen, row):
                least = -(-int(known.least) // _UNIT) * _UNIT
                return max(drawn // _UNIT * _UNIT, least)
            return drawn if drawn % _UNIT else drawn - 1 if drawn > known.least else drawn + 1

        narrowed = known.up_to

        def up_to(most: int) -> Class:
            assert narrowed is not None
            part = aligned(narrowed(most))
            return part if most > 2 * _UNIT else replace(part, up_to=None)  # a unit is the least, at times

        return replace(known, draw=draw, up_to=up_to)

    return Feature(name, tuple(aligned(ranged(each)) for each in ranges), read)


def _is_whole(rng: Generator, name: str, other: str, chosen: Choices, row: Row) -> bool:
    alignment = chosen["multiples of 8"]
    if alignment != "mixed":
        return bool(alignment == "whole")
    if row[name] == "1":
        return False
    if other in chosen:
        return bool(chosen[other] % _UNIT)
    return row[other] == "1" or bool(rng.integers(2))


def _build_linear(contents: Contents, chosen: Choices) -> Call:
    leading, into, out = chosen["rows"], chosen["features in"], chosen["features out"]
    arrays = {
        "grad_output": (*leading, out),
        "input": (*leading, into),
        "weight": (out, into),
        "bias": (out,) if chosen["bias"] else None,
    }
    return Call({}, arrays, max(into + 1, out, prod(leading)))


_ROWS = ("2-16", "1", "17-128", "129-1024", "1025-70000")
_SIDE = ("17-128", "1", "2-16", "129-600", "601-4096")
_LINEAR_MEMORY = (
    *memory.features("input", contents=memory.SUMMED)[:-1],
    rows.some_layout("weight"),
    rows.some_layout("grad_output"),
)

LINEAR = Model(
    "linear",
    (
        one_of("axes", lambda case: len(_shape(case)), 2, 1, 3, 4),
        _ALIGNMENT,
        Feature(
            "rows",
            tuple(rows.spread(name, lambda chosen: int(chosen["axes"]) - 1) for name in _ROWS),
            lambda case: _shape(case)[:-1],
        ),
        _features("features in", lambda case: _shape(case)[-1], "features out", *_SIDE, "4097-25088"),
        _features("features out", lambda case: case.grad_output.shape[-1], "features in", *_SIDE),
        BIAS,
        *_LINEAR_MEMORY,
        memory.ADDRESS,
    ),
    _build_linear,
    costs=(
        (1, ("rows", "features in", "features out")),
        (ELEMENT, ("rows", "features in")),
        (ELEMENT, ("rows", "features out")),
        (ELEMENT, ("features in", "features out")),
    ),
    impossible=(
        {"axes": ("1",), "rows": tuple(name for name in _ROWS if name != "1")},
        {"multiples of 8": ("whole",), "features in": ("1",)},
        {"multiples of 8": ("whole",), "features out": ("1",)},
        {"multiples of 8": ("mixed",), "features in": ("1",), "features out": ("1",)},
        *(rule for rule in rows.lies_flat(*_LINEAR_MEMORY) if "layout of weight" not in rule),
    ),
)


# --- graph_conv


def _neighbours(case: Case) -> str:
    return "all" if array(case, "adjacency").all() else "some"


def _build_graph_conv(contents: Contents, chosen: Choices) -> Call:
    rng, dtype, kind = contents
    nodes, into, out = chosen["nodes"], chosen["features in"], chosen["features out"]
    linked = np.ones((nodes, nodes), bool)
    if chosen["neighbours"] == "some":  # one way; each node has one, and is one
        linked = rng.random((nodes, nodes)) < min(0.5, 8 / nodes)
        linked |= np.roll(np.eye(nodes, dtype=bool), 1, axis=1)
        linked[-1, -1] = False
    plain = "normal" if kind == "mean" else kind
    if kind == "mean":
        adjacency = np.asarray(linked / linked.sum(axis=1, keepdims=True), dtype)
    else:
        factors = "normal" if kind == "cancelling" else kind  # of three large ones, float16 has no product
        adjacency = np.asarray(content(factors, (nodes, nodes), dtype, rng) * linked, dtype)
    shapes = {
        "grad_output": (chosen["batch"], nodes, out),
        "input": (chosen["batch"], nodes, into),
        "weight": (out, into),
        "self_weight": (out, into) if chosen["self_weight"] else None,
        "bias": (out,) if chosen["bias"] else None,
    }
    arrays = {name: shape and content(plain, shape, dtype, rng) for name, shape in shapes.items()}
    terms = max(nodes * into, nodes * out, chosen["batch"] * nodes * nodes)
    return Call({}, {**arrays, "adjacency": adjacency}, terms)


_PER_NODE = ("2-16", "1", "17-128", "129-600")

GRAPH_CONV = Model(
    "graph_conv",
    (
        sizes("batch", lambda case: _shape(case)[0], "1", "2-8", "9-256"),
        sizes("nodes", lambda case: _shape(case)[1], "2-16", "1", "17-64", "65-600"),
        sizes("features in", lambda case: _shape(case)[2], *_PER_NODE),
        sizes("features out", lambda case: case.grad_output.shape[2], *_PER_NODE),
        one_of("neighbours", _neighbours, "some", "all"),
        one_of("self_weight", lambda case: case.arrays["self_weight"] is not None, True, False),
        BIAS,
        *memory.features("input", contents=("integer", "mean", "normal", "wide", "cancelling"))[:-1],
        rows.some_layout("adjacency", repeated=False),
        rows.some_layout("weight"),
        rows.some_layout("grad_output"),
        memory.ADDRESS,
    ),
    _build_graph_conv,
    costs=(
        (1, ("batch", "nodes", "nodes", "features in")),
        (1, ("batch", "nodes", "nodes", "features out")),
        (2, ("batch", "nodes", "features in", "features out")),
        (ELEMENT, ("batch", "nodes", "features in")),
        (ELEMENT, ("batch", "nodes", "features out")),
        (ELEMENT, ("features in", "features out")),
        (ELEMENT, ("nodes", "nodes")),
    ),
    impossible=({"nodes": ("1",), "neighbours": ("some",)},),
)


# --- non_local

_SPREAD = 1.0
"""How far scores are apart, about: where they are farther, all but one of the shares are 0, and so are gradients."""
_FAR = 256.0  # from 0


def _scaled(values: Array, factor: float) -> Array:
    """Return values times a power of two near `factor`."""
    scaled: Array = values * values.dtype.type(2.0 ** round(np.log2(factor)))
    return scaled


def _build_non_local(contents: Contents, chosen: Choices) -> Call:
    rng, dtype, kind = contents
    embedded = chosen["mode"] == "embedded_gaussian"
    channels, inner = chosen["channels"], chosen["inner"]
    plain = "integer" if kind == "integer" else "normal"
    unit = 1 if plain == "normal" else 1 / sqrt(7.5)  # the mean square of the integers is 7.5
    shape = (chosen["batch"], channels, *chosen["positions"])
    signal = _scaled(content(plain, shape, dtype, rng), unit * (1 if embedded else sqrt(_SPREAD / channels)))
    weights = {
        name: _scaled(content(plain, (inner, channels), dtype, rng), unit * sqrt(_SPREAD / channels / sqrt(inner)))
        for name in ("theta", "phi")
    }
    if kind == "far":
        signal[:, 0] = sqrt(near(_FAR, dtype))
        for name, first in (("theta", int(rng.choice((1, 50, -50)))), ("phi", 1 if not embedded else 1 / 16)):
            weights[name][0] = weights[name][:, 0] = 0
            weights[name][0, 0] = first
    arrays = {
        "grad_output": content(plain, (shape[0], inner, *shape[2:]), dtype, rng),
        "input": signal,
        **{name: weight if embedded else None for name, weight in weights.items()},
        "g": content(plain, (inner, channels), dtype, rng),
    }
    return Call({"mode": chosen["mode"]}, arrays, max(channels, inner, prod(shape[2:]), shape[0]))


NON_LOCAL = Model(
    "non_local",
    (
        windows.RANK,
        one_of("mode", attribute("mode"), "embedded_gaussian", "gaussian"),
        sizes("batch", lambda case: _shape(case)[0], "1", "2-3", "4-64"),
        sizes("channels", lambda case: _shape(case)[1], "2-16", "1", "17-64", "65-300"),
        sizes("inner", lambda case: case.grad_output.shape[1], "2-16", "1", "17-64", "65-300"),
        windows.positions_feature(lambda case: _shape(case)[2:], "17-64", "1", "2-16", "65-256", "257-600"),
        memory.content_feature("integer", "normal", "far"),
        memory.layout_feature("input"),
        rows.some_layout("theta"),
        rows.some_layout("g"),
        rows.some_layout("grad_output"),
        memory.ADDRESS,
    ),
    _build_non_local,
    costs=(
        (2, ("batch", "positions", "positions", "channels")),
        (2, ("batch", "positions", "positions", "inner")),
        (3, ("batch", "positions", "channels", "inner")),
        (ELEMENT, ("batch", "positions", "positions")),
        (ELEMENT, ("batch", "positions", "channels")),
        (ELEMENT, ("batch", "positions", "inner")),
        (ELEMENT, ("channels", "inner")),
    ),
    impossible=(
        {"mode": ("gaussian",), "layout of theta": ("strided", "expanded")},
        {"mode": ("embedded_gaussian",), "positions": ("1",)},  # theta and phi would change nothing
        {"content": ("far",), "channels": ("1",)},
        {"content": ("far",), "inner": ("1",)},
        {"content": ("far",), "layout of theta": ("expanded",)},
    ),
)


# --- capsule_routing


def _build_capsule_routing(contents: Contents, chosen: Choices) -> Call:
    rng, dtype, kind = contents
    batch, out, dim = chosen["batch"], chosen["capsules out"], chosen["dim"]
    plain = "integer" if kind == "integer" else "normal"
    long = min(0.25, out / sqrt(chosen["capsules in"] * dim))  # then neither sums nor agreements are long
    factor = (long if plain == "normal" else long / 4) * (1 / 16 if kind == "short" else 1)
    votes = _scaled(content(plain, (batch, chosen["capsules in"], out, dim), dtype, rng), factor)
    gradient = content(plain, (batch, out, dim), dtype, rng)
    arrays = {"grad_output": gradient, "votes": votes}
    return Call({"iterations": chosen["iterations"]}, arrays, max(chosen["capsules in"], out, dim))


def _votes(axis: int) -> Callable[[Case], int]:
    return lambda case: _shape(case, "votes")[axis]


CAPSULE_ROUTING = Model(
    "capsule_routing",
    (
        sizes("batch", _votes(0), "2-8", "1", "9-256"),
        sizes("capsules in", _votes(1), "2-16", "1", "17-128", "129-1024", "1025-4096"),
        sizes("capsules out", _votes(2), "2-16", "1", "17-128"),
        sizes("dim", _votes(3), "2-8", "1", "9-33", "34-128"),
        Feature(
            "iterations",
            (exactly(3), exactly(1), exactly(2), ranged("4-6")),
            attribute("iterations"),
        ),
        memory.content_feature("integer", "normal", "short"),
        memory.layout_feature("votes"),
        rows.some_layout("grad_output"),
        memory.ADDRESS,
    ),
    _build_capsule_routing,
    costs=((4 * ELEMENT, ("batch", "capsules in", "capsules out", "dim")),),  # the bound goes through every iteration
)
