"""The calls of batch, layer, instance, group and local response norm.

Errors of norms come from what the values are like: a mean far from 0 takes the bits of the variance, and `eps` hides a
variance that is small. How many values share a mean says which algorithm an implementation takes for it.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.arrays import content, near
from properties.case import Case, array
from properties.models import memory, windows
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
    ranged,
    sizes,
    uncounted,
)
from properties.models.windows import RANK
from refconv.arguments import Array

FAR = "far mean"
"""A content: means of up to 10,000 standard deviations, another one for each channel."""
CONSTANT = "constant"
"""A content: some channels, groups or rows hold one value alone, and have no variance."""
TINY = "tiny variance"
"""A content: variances below the usual eps."""
NORMALIZED = ("normal", "integer", "wide", FAR, CONSTANT, TINY)
"""The contents of what is normalised."""
_PLANES = ("17-256", "1", "2-16", "257-1024", "1025-70000")
_REPEATED = "expanded"
_LAYOUTS = ("channels_last", "sliced", "transposed or reversed", _REPEATED)


def _batch(*ranges: str) -> Feature:
    return sizes("batch", lambda case: len(array(case, "input")), *ranges)


def _channels(*ranges: str) -> Feature:
    return sizes("channels", lambda case: array(case, "input").shape[1], *ranges)


def _positions(*ranges: str) -> Feature:
    """Return the feature of the spatial sizes, of which there may be none."""
    plain = windows.positions_feature(lambda case: array(case, "input").shape[2:], *ranges)
    return replace(plain, classes=tuple(map(_or_none, plain.classes)))


def _or_none(known: Class) -> Class:
    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> Any:
        return known.draw(rng, chosen, row) if chosen["rank"] else ()

    def up_to(most: int) -> Class:
        assert known.up_to is not None
        return _or_none(known.up_to(most))

    return replace(known, draw=draw, up_to=up_to)


_RANK = one_of("rank", windows.rank_of, 2, 0, 1, 3)
"""Of what may have no spatial axes."""


def _read_parameters(case: Case) -> str:
    given = [name for name in ("weight", "bias") if case.arrays[name] is not None]
    return " and ".join(given) or "none"


_PARAMETERS = one_of("parameters", _read_parameters, "weight and bias", "none", "weight", "bias")


def _eps(*, zero: bool) -> Feature:
    """Return the feature of eps: 0 among the small ones, where libraries take it and no variance is 0."""

    def small(rng: Generator, chosen: dict[str, Any], row: Row) -> float:
        values = (1e-6, 1e-12, 1e-8, 1e-7, *([0.0] * (zero and row["content"] == "normal")))
        return float(picked(rng, values))

    classes = (
        exactly(1e-5),
        Class("below", small, lambda value, chosen: value < 1e-5),
        Class("above", lambda rng, chosen, row: picked(rng, (1e-3, 0.1, 1.0)), lambda value, chosen: value > 1e-5),
    )
    return Feature("eps", classes, lambda case: float(case.attributes["eps"]))  # type: ignore[arg-type]  # a number


def _filled(contents: Contents, shape: tuple[int, ...]) -> Array:
    """Return what is no input of a norm: numbers of a plain kind."""
    rng, dtype, kind = contents
    return content(kind if kind in ("integer", "wide") else "normal", shape, dtype, rng)


def _signal(contents: Contents, shape: tuple[int, ...]) -> Array:
    """Return values in rows that are normalised together, of a kind of content, ``(..., values)``."""
    rng, dtype, kind = contents
    if kind in ("integer", "wide"):
        return content(kind, shape, dtype, rng)
    signal, rows = rng.standard_normal(shape), (*shape[:-1], 1)
    if kind == FAR:
        distance = np.exp2(rng.uniform(np.log2(near(100, dtype)), np.log2(near(1e4, dtype)), rows))
        signal = signal + distance * rng.choice((-1, 1), rows)
    elif kind == CONSTANT:
        constant = rng.random(rows) < 0.5
        constant.flat[0], constant.flat[-1] = True, prod(rows) == 1
        signal = np.where(constant, rng.integers(-4, 5, rows), signal)
    elif kind == TINY:
        signal = signal * np.exp2(rng.uniform(-12, -8, rows))
    return signal.astype(dtype)


def _parameters(contents: Contents, chosen: Choices, shape: tuple[int, ...]) -> dict[str, Array | None]:
    """Return the weight and the bias."""
    return {
        name: _filled(contents, shape) if name in chosen["parameters"].split() else None for name in ("weight", "bias")
    }


def _call(
    contents: Contents, chosen: Choices, signal: Array, channels: tuple[int, ...], attributes: dict[str, object]
) -> Call:
    arrays = {
        "grad_output": _filled(contents, signal.shape),
        "input": signal,
        **_parameters(contents, chosen, channels),
    }
    return Call({"eps": chosen["eps"], **attributes}, arrays)


# Batch norm.


def _momentum(case: Case) -> float:
    return float(case.attributes["momentum"])  # type: ignore[arg-type]  # a number


def _any_momentum(rng: Generator, chosen: dict[str, Any], row: Row) -> float:
    return float(picked(rng, (0.01, 0.003, 0.3, 0.9)))


def _build_batch(contents: Contents, chosen: Choices) -> Call:
    batch, channels, positions = chosen["batch"], chosen["channels"], chosen["positions"]
    rows = _signal(contents, (channels, batch * prod(positions)))
    signal = np.ascontiguousarray(np.moveaxis(rows.reshape(channels, batch, *positions), 0, 1))
    attributes: dict[str, object] = {"training": chosen["training"], "momentum": chosen["momentum"]}
    call = _call(contents, chosen, signal, (channels,), attributes)
    if chosen["running"]:
        call.arrays.update(_running(contents, rows))
    return call


def _running(contents: Contents, rows: Array) -> dict[str, Array]:
    """Return running statistics as they are after other batches: near those of these values."""
    rng, dtype, kind = contents
    if kind in ("integer", "wide"):
        mean, variance = content(kind, rows.shape[:1], dtype, rng), content(kind, rows.shape[:1], dtype, rng)
        return {"running_mean": mean, "running_var": abs(variance)}
    values = rows.astype(np.float64)
    variance = values.var(axis=1) if rows.shape[1] > 1 else rng.uniform(0.5, 2, len(rows))
    mean = values.mean(axis=1) + rng.standard_normal(len(rows)) * np.sqrt(variance)
    variance = variance * rng.uniform(0.5, 2, len(rows))
    return {"running_mean": mean.astype(dtype), "running_var": variance.astype(dtype)}


BATCH_NORM = Model(
    "batch_norm",
    (
        _RANK,
        _batch("3-8", "1", "2", "9-1024"),
        _channels("2-8", "1", "9-33", "34-128", "129-2048"),
        _positions(*_PLANES),
        one_of("training", attribute("training"), True, False),
        one_of("running", lambda case: case.arrays["running_mean"] is not None, True, False),
        Feature(
            "momentum",
            (exactly(0.1), among("0 or 1", 0.0, 1.0), Class("another", _any_momentum, lambda value, chosen: True)),
            _momentum,
        ),
        _PARAMETERS,
        _eps(zero=False),
        *memory.features("input", "grad_output", contents=NORMALIZED, fixed=("grad_output",)),
    ),
    _build_batch,
    costs=((ELEMENT, ("batch", "channels", "positions")),),
    impossible=(
        {"rank": ("0",), "positions": ("17-256", "2-16", "257-1024", "1025-70000")},
        {"training": ("False",), "running": ("False",)},
        {"batch": ("1",), "positions": ("1",), "training": ("True",)},
        {"batch": ("2",), "positions": ("1",), "eps": ("below",)},  # such two normalise to -1 and 1, whatever they are
        {"positions": ("1",), "layout of input": (_REPEATED,)},
        {"channels": ("1",), "content": (CONSTANT,)},
    ),
)


# Layer norm.


def _shape(name: str, read: Callable[[Case], Any], rank: Callable[[Generator, Choices], int], *ranges: str) -> Feature:
    """Return the feature of a shape with so many elements, its axes as many as are drawn."""
    return Feature(name, tuple(_of_elements(known, *bounds_of(known), rank) for known in ranges), read)


def _of_elements(name: str, low: int, high: int, rank: Callable[[Generator, Choices], int]) -> Class:
    least = max(low, min(high, 3))  # two values normalise to -1 and 1, whatever they are

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        return windows.lengths(rng, number_in(rng, least, max(least, high)), rank(rng, chosen), least)

    first, last = bounds_of(name)
    return Class(
        name,
        draw,
        lambda given, chosen: isinstance(given, tuple) and bool(given) and first <= prod(given) <= last,
        least=least,
        up_to=lambda most: _of_elements(name, low, max(low + low // 4, min(high, most)), rank),
    )


def _normalized(case: Case) -> tuple[int, ...]:
    given: Any = case.attributes["normalized_shape"]
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _others(case: Case) -> tuple[int, ...]:
    shape = array(case, "input").shape
    return shape[: len(shape) - len(_normalized(case))]


_OTHERS = _shape("others", _others, lambda rng, chosen: int(rng.integers(1, 4)), "2-8", "1", "9-64", "65-1024")
_ALONE = exactly((), "none")
_AXES = Feature(
    "axes",
    (exactly(1), Class("2-4", lambda rng, chosen, row: int(rng.integers(2, 5)), lambda value, chosen: value > 1)),
    lambda case: len(_normalized(case)),
)


def _build_layer(contents: Contents, chosen: Choices) -> Call:
    others, normalized = chosen["others"], chosen["normalized_shape"]
    signal = _signal(contents, (*others, prod(normalized))).reshape(*others, *normalized)
    given = normalized[0] if len(normalized) == 1 and not chosen["in full"] else normalized
    return _call(contents, chosen, signal, normalized, {"normalized_shape": given})


LAYER_NORM = Model(
    "layer_norm",
    (
        replace(_OTHERS, classes=(*_OTHERS.classes, _ALONE)),
        _AXES,
        _shape(
            "normalized_shape",
            _normalized,
            lambda rng, chosen: int(chosen["axes"]),
            *("34-128", "1", "2-33", "129-1024", "1025-4096", "4097-70000"),
        ),
        uncounted("in full", lambda rng, chosen, row: bool(rng.integers(2)), lambda case: None),
        _PARAMETERS,
        _eps(zero=True),
        *memory.features("input", "weight", "grad_output", contents=NORMALIZED, fixed=("grad_output",)),
    ),
    _build_layer,
    costs=((ELEMENT, ("others", "normalized_shape")),),
    impossible=(
        {"normalized_shape": ("1",), "parameters": ("none", "weight")},  # all is 0
        {"normalized_shape": ("1",), "content": (FAR, CONSTANT, TINY, "wide")},
        {"normalized_shape": ("1",), "axes": ("2-4",)},  # its gradient is: a few cases do
        {"normalized_shape": ("1",), "layout of input": _LAYOUTS},
        {"normalized_shape": ("1",), "layout of grad_output": _LAYOUTS[:-1]},
        {"content": (CONSTANT,), "layout of input": (_REPEATED,)},
        {"others": ("none", "1"), "content": (CONSTANT,)},
        {"others": ("none", "1"), "layout of input": (_REPEATED,)},
        {"axes": ("1",), "layout of weight": _LAYOUTS},
    ),
)


# Instance and group norm.


def _build_instance(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["batch"], chosen["channels"], *chosen["positions"]
    signal = _signal(contents, (*shape[:2], prod(shape[2:]))).reshape(shape)
    return _call(contents, chosen, signal, shape[1:2], {})


INSTANCE_NORM = Model(
    "instance_norm",
    (
        RANK,
        _batch("1", "2-8", "9-1024"),
        _channels("2-8", "1", "9-33", "34-2048"),
        _shape(
            "positions",
            lambda case: array(case, "input").shape[2:],
            lambda rng, chosen: int(chosen["rank"]),
            *("17-256", "2-16", "257-1024", "1025-70000"),
        ),
        _PARAMETERS,
        _eps(zero=True),
        *memory.features("input", "grad_output", contents=NORMALIZED, fixed=("grad_output",)),
    ),
    _build_instance,
    costs=((ELEMENT, ("batch", "channels", "positions")),),
    impossible=(
        {"batch": ("1",), "channels": ("1",), "content": (CONSTANT,)},
        {"content": (CONSTANT,), "layout of input": (_REPEATED,)},
    ),
)


def _groups(case: Case) -> int:
    groups: Any = case.attributes["num_groups"]
    return int(groups)


def _per_group(case: Case) -> int:
    return int(array(case, "input").shape[1] // _groups(case))


def _few_channels(most: int) -> Class:
    """Return the class of a few channels in a group, which are more than two where there is nothing else in it."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> int:
        return number_in(rng, 3 if row["positions"] == "1" else 2, max(most, 3))

    return Class(
        "2-8", draw, lambda value, chosen: 2 <= value <= 8, 2, up_to=lambda fewer: _few_channels(min(fewer, most))
    )


def _build_group(contents: Contents, chosen: Choices) -> Call:
    batch, groups, channels = chosen["batch"], chosen["num_groups"], chosen["channels of a group"]
    positions = chosen["positions"]
    signal = _signal(contents, (batch, groups, channels * prod(positions)))
    signal = signal.reshape(batch, groups * channels, *positions)
    return _call(contents, chosen, signal, (groups * channels,), {"num_groups": groups})


GROUP_NORM = Model(
    "group_norm",
    (
        _RANK,
        _batch("1", "2-8", "9-1024"),
        Feature("num_groups", (ranged("2-31"), ranged("1"), ranged("32"), ranged("33-1024")), _groups),
        Feature("channels of a group", (_few_channels(8), ranged("1"), ranged("9-33"), ranged("34-2048")), _per_group),
        _positions(*_PLANES),
        _PARAMETERS,
        _eps(zero=True),
        *memory.features("input", "grad_output", contents=NORMALIZED, fixed=("grad_output",)),
    ),
    _build_group,
    costs=((ELEMENT, ("batch", "num_groups", "channels of a group", "positions")),),
    impossible=(
        {"rank": ("0",), "positions": ("17-256", "2-16", "257-1024", "1025-70000")},
        {"positions": ("1",), "channels of a group": ("1",)},
        {"batch": ("1",), "num_groups": ("1",), "content": (CONSTANT,)},
        {"content": (CONSTANT,), "layout of input": (_REPEATED,)},
    ),
)


# Local response norm.


def _width(given: int, chosen: Choices) -> str:
    """Return how wide the window over the channels is."""
    if given >= 2 * chosen["channels"]:
        return "all channels"
    if given in (1, 5):
        return str(given)
    return "odd" if given % 2 else "even"


def _window(name: str, *values: int) -> Class:
    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> int:
        fitting = [value for value in values if _width(value, chosen) == name]
        return int(picked(rng, fitting or values))

    return Class(name, draw, lambda given, chosen: _width(given, chosen) == name)


def _all_channels(rng: Generator, chosen: dict[str, Any], row: Row) -> int:
    return int(2 * chosen["channels"] + rng.integers(0, 4))


def _constant(name: str, *classes: Class) -> Feature:
    return Feature(name, classes, lambda case: float(case.attributes[name]))  # type: ignore[arg-type]  # a number


def _build_response(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["batch"], chosen["channels"], *chosen["positions"]
    attributes: dict[str, object] = {name: chosen[name] for name in ("size", "alpha", "beta", "k")}
    return Call(attributes, {"grad_output": shape, "input": shape})


LOCAL_RESPONSE_NORM = Model(
    "local_response_norm",
    (
        RANK,
        _batch("1", "2-8", "9-1024"),
        _channels("9-33", "1", "2-8", "34-2048"),
        _positions("17-256", "1", "2-16", "257-70000"),
        Feature(
            "size",
            (
                _window("5", 5),
                _window("1", 1),
                _window("even", 2, 4, 6, 8),
                _window("odd", 3, 7, 9),
                Class("all channels", _all_channels, lambda given, chosen: _width(given, chosen) == "all channels"),
            ),
            attribute("size"),
        ),
        _constant("alpha", exactly(1e-4), among("another", 1.0, 0.5, 3.0)),
        _constant("beta", exactly(0.75), among("another", 0.5, 1.0, 0.3)),
        _constant("k", exactly(1.0), exactly(0.0), among("another", 2.0, 0.5)),
        *memory.features("input", "grad_output", contents=("integer", "normal", "wide", "cancelling")),
    ),
    _build_response,
    costs=((ELEMENT, ("batch", "channels", "positions")),),
    impossible=(
        {"k": ("0.0",), "content": ("wide",)},  # powers of their squares leave float32's range
        {"channels": ("1",), "size": ("5", "even", "odd")},
        {"channels": ("2-8",), "size": ("5",)},
        {"k": ("0.0",), "beta": ("another",)},  # a root gives the sign of what is alone in its window
    ),
)
