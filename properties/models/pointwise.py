"""The calls of what works on each element by itself, moves elements, or sums them up to a loss.

How many elements there are matters more than how many an axis has: whoever sees that they lie side by side takes them
for one axis, in vectors, with a rest. A value has the length of each axis.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.arrays import CONTENTS, content
from properties.case import Case, array
from properties.models import memory, rows, windows
from properties.models.feature import (
    ELEMENT,
    Call,
    Choices,
    Class,
    Contents,
    Feature,
    Model,
    Row,
    among,
    attribute,
    bounds_of,
    exactly,
    number_in,
    one_of,
    picked,
    sizes,
)
from refconv.arguments import Array

_VECTOR = 16
"""Elements that a vector register has, or a whole number of registers."""
_TRIES = 40
_APART = 13  # special values: each place of a vector has one, if there are enough vectors
_SPECIAL = (np.nan, -0.0, np.inf, 0.0, -np.inf)
_SATURATED = (20.0, -20.0, 88.5, -88.5, 1e4, -1e4, 40.0, -110.0)  # beyond where exp, or what is left, has a value


def _shape(case: Case) -> tuple[int, ...]:
    return array(case, "input").shape


def _drawn(rng: Generator, low: int, high: int, axes: int) -> tuple[int, ...]:
    """Draw the lengths of axes with `low` to `high` elements: alike, in any order, or all of them along one axis."""
    total = number_in(rng, low, high)
    if rng.random() < 0.5:
        return tuple(int(length) for length in rng.permutation(windows.lengths(rng, total, axes, low)))
    others = rng.integers(1, 3, axes - 1).tolist()
    if prod(others) * (total // prod(others)) < low:
        others = [1] * (axes - 1)
    longest = total // prod(others)
    return (longest, *others) if rng.random() < 0.5 else (*others, longest)


def _elements(name: str, low: int, high: int) -> Class:
    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        axes = chosen["axes"]
        if chosen["multiple of 16"]:
            shape = list(_drawn(rng, -(-low // _VECTOR), max(high // _VECTOR, -(-low // _VECTOR)), axes))
            shape[int(rng.integers(axes))] *= _VECTOR
            return tuple(shape)
        for _ in range(_TRIES):
            found = _drawn(rng, low, high, axes)
            if prod(found) % _VECTOR:
                return found
        return (low + (low % _VECTOR == 0), *(1,) * (axes - 1))

    def up_to(most: int) -> Class:
        part = _elements(name, low, max(low + low // 4, min(high, most)))
        return part if most > 2 * _VECTOR else replace(part, up_to=None)  # a vector is the least, at times

    return Class(name, draw, lambda given, chosen: low <= prod(given) <= high, least=low, up_to=up_to)


AXES = Feature("axes", (exactly(4), exactly(2), exactly(1), among("3 or 5", 3, 5)), lambda case: len(_shape(case)))
_WHOLE = one_of("multiple of 16", lambda case: prod(_shape(case)) % _VECTOR == 0, False, True)
_ELEMENTS = ("17-1024", "1", "2-16", "1025-65536", "65537-300000")
_MOVED = ("integer", "normal", "special")
_COST = ((ELEMENT, ("elements",)),)


def _model(operator: str, build: Callable[[Contents, Choices], Call], *features: Feature) -> Model:
    """Return the model of an operator of arrays of one shape."""
    elements = Feature("elements", tuple(_elements(name, *bounds_of(name)) for name in _ELEMENTS), _shape)
    return Model(
        operator,
        (AXES, _WHOLE, elements, *features, memory.ADDRESS),
        build,
        costs=_COST,
        impossible=({"elements": ("1",), "multiple of 16": ("True",)}, *rows.lies_flat(*features)),
    )


def _memory(contents: tuple[str, ...], *arrays: str) -> tuple[Feature, ...]:
    """Return the features of content, and of the layouts: of the first array one by one, of the others in few classes.

    What is together in triples are then few enough.
    """
    first, *others = arrays
    return (
        memory.content_feature(*contents),
        memory.layout_feature(first),
        *(rows.some_layout(name) for name in others),
    )


def _plain(contents: Contents, shape: tuple[int, ...]) -> Array:
    """Return an array without special values, whatever others hold."""
    kind = contents.kind if contents.kind in CONTENTS else "normal"
    return content(kind, shape, contents.dtype, contents.rng)


def _signal(contents: Contents, shape: tuple[int, ...]) -> Array:
    """Return an array that isn't cut off, or saturated, everywhere."""
    rng, _, kind = contents
    made = _plain(contents, shape)
    flat = made.reshape(-1)
    if kind == "special":
        places = flat[int(rng.integers(min(_APART, len(flat)))) :: _APART]
        places[:] = np.resize(np.array(_SPECIAL), len(places))
        flat[-1] = picked(rng, _SPECIAL)
        return made
    if kind == "zeros":
        flat[1::2] = 0  # where the slope is contested
        flat[3::4] = -0.0
    if kind == "saturated":
        flat[1::2] = np.resize(np.array(_SATURATED), len(flat[1::2]))
    flat[0] = 0.75 if kind == "wide" else abs(flat[0])
    return made


# --- functions of each element


def _pointwise(*attributes: str) -> Callable[[Contents, Choices], Call]:
    def build(contents: Contents, chosen: Choices) -> Call:
        shape = chosen["elements"]
        arrays = {"grad_output": _plain(contents, shape), "input": _signal(contents, shape)}
        return Call({name: chosen[name] for name in attributes}, arrays)

    return build


_CUT = ("integer", "normal", "zeros", "special")
_SMOOTH = ("integer", "normal", "wide", "saturated", "special")
_SLOPES = (
    exactly(0.01),
    among("0.1-0.3", 0.1, 0.2, 0.25, 0.3),
    exactly(0.0, "0"),
    among("1-", 1.0, 2.0),
    among("negative", -0.5, -1.0),
)

RELU = _model("relu", _pointwise(), *_memory(_CUT, "input", "grad_output"))
LEAKY_RELU = _model(
    "leaky_relu",
    _pointwise("negative_slope"),
    Feature("negative_slope", _SLOPES, attribute("negative_slope")),
    *_memory(_CUT, "input", "grad_output"),
)
SIGMOID = _model("sigmoid", _pointwise(), *_memory(_SMOOTH, "input", "grad_output"))
TANH = _model("tanh", _pointwise(), *_memory(_SMOOTH, "input", "grad_output"))


def _build_dropout(contents: Contents, chosen: Choices) -> Call:
    shape, p = chosen["elements"], chosen["p"]
    mask = np.asarray(contents.rng.random(shape) >= p, contents.dtype)
    mask.reshape(-1)[0] = 1  # something is kept
    return Call({"p": p}, {"grad_output": _plain(contents, shape), "input": _signal(contents, shape), "mask": mask})


DROPOUT = _model(
    "dropout",
    _build_dropout,
    Feature(
        "p",
        (exactly(0.5), exactly(0.0, "0"), among("0.1-0.3", 0.1, 0.2, 0.25, 0.3), among("0.75-", 0.75, 0.9)),
        attribute("p"),
    ),
    *_memory(_MOVED, "input", "mask", "grad_output"),
)


# --- of several arrays


def _build_add(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["elements"]
    arrays = {"grad_output": _plain(contents, shape), "input": _signal(contents, shape)}
    return Call({}, {**arrays, "other": _plain(contents, shape)})


ADD = _model(
    "add",
    _build_add,
    *_memory(("integer", "normal", "wide", "special"), "input", "other", "grad_output"),
)


def _build_highway(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["elements"]
    names = ("grad_output", "input", "transform", "gate")
    arrays = {name: _plain(contents, shape) for name in names}
    if contents.kind == "gates":
        arrays["gate"] = np.asarray(1 / (1 + np.exp(-arrays["gate"].astype(np.float64))), contents.dtype)
    if contents.kind == "open or closed":
        arrays["gate"] = np.asarray(contents.rng.integers(0, 2, shape), contents.dtype)
        arrays["gate"].reshape(-1)[0] = 1
    return Call({}, arrays)


HIGHWAY = _model(
    "highway",
    _build_highway,
    *_memory(("integer", "gates", "open or closed", "wide", "cancelling"), "input", "transform", "gate", "grad_output"),
)


def _build_mse_loss(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["elements"]
    gradient = np.asarray(contents.rng.choice((1.0, -2.0, 0.7)), contents.dtype)
    return Call({}, {"grad_output": gradient, "input": shape, "target": shape}, prod(shape))


MSE_LOSS = _model("mse_loss", _build_mse_loss, *_memory(("integer", "normal", "wide", "cancelling"), "input", "target"))


# --- what moves elements


def _build_flatten(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["elements"]
    flat = (shape[0], prod(shape[1:]))
    return Call({}, {"grad_output": _plain(contents, flat), "input": _signal(contents, shape)})


FLATTEN = _model("flatten", _build_flatten, *_memory(_MOVED, "input", "grad_output"))


def _build_concat(contents: Contents, chosen: Choices) -> Call:
    def shape(length: int) -> tuple[int, ...]:
        return (*chosen["before"], length, *chosen["after"])

    own, other = chosen["length of input"], chosen["length of other"]
    arrays = {
        "grad_output": _plain(contents, shape(own + other)),
        "input": _signal(contents, shape(own)),
        "other": _plain(contents, shape(other)),
    }
    return Call({"axis": chosen["axis"]}, arrays)


def _length_of(name: str) -> Feature:
    def read(case: Case) -> int:
        found = array(case, name)
        size: int = found.shape[attribute("axis")(case) % found.ndim]
        return size

    return sizes(f"length of {name}", read, "2-16", "1", "17-128", "129-1025")


def _concat() -> Model:
    features = (
        rows.AXES,
        rows.AXIS,
        rows.before("2-16", "1", "17-1024", "1025-70000"),
        _length_of("input"),
        _length_of("other"),
        rows.after("17-1024", "1", "2-16", "1025-70000"),
        *_memory(_MOVED, "input", "other", "grad_output"),
        memory.ADDRESS,
    )
    names = ("input", "other")
    costs = tuple((ELEMENT, ("before", f"length of {name}", "after")) for name in names)
    return Model("concat", features, _build_concat, costs, tuple(rows.impossible_axes(*features)))


CONCAT = _concat()


def _build_channel_shuffle(contents: Contents, chosen: Choices) -> Call:
    groups = chosen["groups"]
    shape = (chosen["batch"], groups * chosen["channels of a group"], *chosen["positions"])
    arrays = {"grad_output": _plain(contents, shape), "input": _signal(contents, shape)}
    return Call({"groups": groups}, arrays)


_groups = attribute("groups")


CHANNEL_SHUFFLE = Model(
    "channel_shuffle",
    (
        windows.RANK,
        sizes("batch", lambda case: _shape(case)[0], "2-8", "1", "9-1024"),
        sizes("groups", _groups, "2", "1", "3-4", "5-16", "17-128"),
        sizes("channels of a group", lambda case: int(_shape(case)[1] // _groups(case)), "2-8", "1", "9-33", "34-256"),
        windows.positions_feature(lambda case: _shape(case)[2:], "17-1024", "1", "2-16", "1025-70000"),
        *_memory(_MOVED, "input", "grad_output"),
        memory.ADDRESS,
    ),
    _build_channel_shuffle,
    costs=((ELEMENT, ("batch", "groups", "channels of a group", "positions")),),
)
