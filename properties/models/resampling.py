"""The calls of `upsample` and `blur_pool`.

What comes out along an axis depends on how the sizes before and after go together: whether a scale is what it seems,
how deep a reflection reaches. That is what their features are.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from numpy.random import Generator

from properties.case import Case
from properties.models import memory, windows
from properties.models.feature import (
    Call,
    Choices,
    Class,
    Contents,
    Feature,
    Model,
    Row,
    attribute,
    one_of,
    picked,
    spelled,
)
from properties.models.planes import BATCH, CHANNELS, ELEMENTS, FEWER_PLANES, is_axes, positions
from properties.models.windows import DIFFERING, IN_FULL, RANK

# Upsampling: to sizes, which are ints, or by scales, which are floats.

_WHOLE = (0.5, 3.0, 0.25, 4.0, 1 / 3, 1.0, 2.0)
_SIMPLE = (1.5, 0.75, 2.5, 1.25, 2 / 3, 5 / 3, 1.4, 0.4, 2.25, 0.7)


def _resized(size: tuple[int, ...], resize: tuple[float, ...]) -> tuple[int, ...]:
    """Return the sizes that come out."""
    return tuple(
        factor if isinstance(factor, int) else math.floor(length * factor)
        for length, factor in zip(size, resize, strict=False)
    )


def _is_whole(factor: float) -> bool:
    return factor == int(factor)


def _resizing(size: tuple[int, ...], given: Any) -> str | None:
    """Return the way from `size` to one that is given, or by scales."""
    if not is_axes(given):
        return None
    out = _resized(size, given)
    if out == size:
        return "same size"
    if all(isinstance(factor, int) for factor in given):
        axes = [*zip(size, out, strict=False)]
        if any(after > 256 and after > 2 * before for before, after in axes):
            return "far up"
        return "down" if any(after < before for before, after in axes) else "up"
    if all(factor == 2 for factor in given):
        return "by 2"
    whole = [_is_whole(factor) or _is_whole(1 / factor) for factor in given]
    if all(whole):
        return "by k or 1 / k"
    simple = all(factor in _SIMPLE or each for factor, each in zip(given, whole, strict=True))
    return "by fractions" if simple else "by out / in"


def _way(name: str, entry: Callable[[Generator, int], float], otherwise: Callable[[int], float]) -> Class:
    """Return a class of sizes or scales: an `entry` for each axis, or one of them of the longest one."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[float, ...]:
        size = chosen["positions"]
        for _ in range(100):
            drawn = tuple(entry(rng, length) for length in size)
            if rng.random() < 0.5 and isinstance(drawn[0], float):  # as in networks: the same along all axes
                drawn = drawn[-1:] * len(drawn)
            if min(_resized(size, drawn)) > 0 and _resizing(size, drawn) == name:
                return drawn
        longest = max(range(len(size)), key=lambda axis: size[axis])
        rest = type(otherwise(size[longest]))
        kept = [length if rest is int else 1.0 for length in size]
        return tuple(otherwise(length) if axis == longest else kept[axis] for axis, length in enumerate(size))

    return Class(name, draw, lambda given, chosen: _resizing(chosen["positions"], given) == name)


def _uneven(length: int) -> float:
    """Return a scale that is a ratio of sizes, and no simple one."""
    return {2: 3.5, 3: 4 / 3, 4: 1.75}.get(length, (length + 1) / length)


def _between(rng: Generator, low: float, high: float) -> int:
    return int(rng.integers(max(int(low), 1), max(int(high), int(low), 1) + 1))


def _keeping(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[float, ...]:
    size: tuple[int, ...] = chosen["positions"]
    return size if rng.random() < 0.5 else tuple(1 + 0.5 / length for length in size)


def _far_up(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    size = chosen["positions"]
    shortest = min(range(len(size)), key=lambda axis: size[axis])
    far = max(2 * size[shortest] + 1, picked(rng, (257, 288, 320, 385)))
    return tuple(far if axis == shortest else length for axis, length in enumerate(size))


_RESIZE = Feature(
    "resize",
    (
        Class(
            "by 2",
            lambda rng, chosen, row: (2.0,) * chosen["rank"],
            lambda given, chosen: _resizing(chosen["positions"], given) == "by 2",
        ),
        _way("up", lambda rng, n: _between(rng, n, 2 * n + 4), lambda n: n + 1),
        _way(
            "down",
            lambda rng, n: _between(rng, n / 3, n) if rng.random() < 0.7 else _between(rng, n, 2 * n + 2),
            lambda n: n - 1,
        ),
        Class("far up", _far_up, lambda given, chosen: _resizing(chosen["positions"], given) == "far up"),
        Class("same size", _keeping, lambda given, chosen: _resizing(chosen["positions"], given) == "same size"),
        _way("by k or 1 / k", lambda rng, n: picked(rng, _WHOLE if n > 4 else (*_WHOLE, 16.0)), lambda n: 3.0),
        _way("by fractions", lambda rng, n: picked(rng, _SIMPLE), lambda n: 1.5 if n > 1 else 2.5),
        _way("by out / in", lambda rng, n: _between(rng, n / 3, 2 * n + 1) / n, _uneven),
    ),
    lambda case: _read_resize(case),
)


def _read_resize(case: Case) -> tuple[float, ...]:
    if case.attributes["scale_factor"] is None:
        return windows.entries(case, "size")
    return tuple(float(factor) for factor in windows.entries(case, "scale_factor"))


def _upsampled(chosen: Choices) -> int:
    return int(chosen["batch"] * chosen["channels"] * prod(_resized(chosen["positions"], chosen["resize"])))


def _build_upsample(contents: Contents, chosen: Choices) -> Call:
    shape, size, resize = (chosen["batch"], chosen["channels"]), chosen["positions"], chosen["resize"]
    out = _resized(size, resize)
    terms = prod(2 * -(-after // before) for before, after in zip(size, out, strict=True))
    name = "size" if isinstance(resize[0], int) else "scale_factor"
    attributes = {
        name: spelled(resize, chosen["in full"]),
        "mode": chosen["mode"],
        "align_corners": chosen["align_corners"],
    }
    return Call(attributes, {"grad_output": (*shape, *out), "input": (*shape, *size)}, terms)


UPSAMPLE = Model(
    "upsample",
    (
        RANK,
        BATCH,
        CHANNELS,
        positions(*FEWER_PLANES),
        one_of("mode", attribute("mode"), "nearest", "linear", "cubic"),
        one_of("align_corners", attribute("align_corners"), False, True),
        _RESIZE,
        IN_FULL,
        *memory.features("input", "grad_output", contents=memory.SUMMED),
    ),
    _build_upsample,
    costs=(ELEMENTS,),
    impossible=(
        {"mode": ("cubic",), "rank": ("1", "3")},
        {"mode": ("nearest",), "align_corners": ("True",)},
        {"positions": ("1",), "resize": ("down", "by out / in")},
    ),
    elements=_upsampled,
)


# Blur pooling.


def _most_blurred(chosen: Choices) -> list[int]:
    """Return the largest kernel along each axis: one reflection must reach as far."""
    return [2 * length - 1 for length in chosen["positions"]]


def _blurring(name: str, *values: int) -> Class:
    """Return the class of the same kernel along each axis, one of `values`."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        fitting = [value for value in values if value <= min(_most_blurred(chosen))]
        return (int(picked(rng, fitting or values[:1])),) * len(chosen["positions"])

    def has(given: Any, chosen: Choices) -> bool:
        return is_axes(given) and len({*given}) == 1 and given[0] in values

    return Class(name, draw, has, values[0], each_axis=True)


def _blurring_apart(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    most = [min(limit, 7) for limit in _most_blurred(chosen)]
    drawn = [int(rng.integers(1, limit + 1)) for limit in most]
    if len({*drawn}) == 1:
        longest = max(range(len(most)), key=lambda axis: most[axis])
        drawn[longest] = 1 if drawn[longest] > 1 else most[longest]
    return tuple(drawn)


_BLURS = Feature(
    "kernel",
    (
        _blurring("3", 3),
        _blurring("1", 1),
        _blurring("even", 2, 4, 6),
        _blurring("5-9", 5, 7, 9),
        Class(DIFFERING, _blurring_apart, lambda given, chosen: is_axes(given) and len({*given}) > 1, 2),
    ),
    lambda case: windows.entries(case, "kernel_size"),
)
_STRIDES = windows.stride_feature(lambda case: windows.entries(case, "stride"))
_BLUR_STRIDES = replace(_STRIDES, classes=tuple(_STRIDES.named(name) for name in ("2", "1", "3-", DIFFERING)))


def _build_blur(contents: Contents, chosen: Choices) -> Call:
    shape, size = (chosen["batch"], chosen["channels"]), chosen["positions"]
    out = (-(-length // step) for length, step in zip(size, chosen["stride"], strict=True))
    attributes = {
        "kernel_size": spelled(chosen["kernel"], chosen["in full"]),
        "stride": spelled(chosen["stride"], chosen["in full"]),
    }
    return Call(attributes, {"grad_output": (*shape, *out), "input": (*shape, *size)}, prod(chosen["kernel"]))


_LEAST_BLURRED = {"3": (2, 2), "even": (2, 2), "5-9": (3, 3)}

BLUR_POOL = Model(
    "blur_pool",
    (
        RANK,
        BATCH,
        CHANNELS,
        positions(*FEWER_PLANES, least=lambda row: _LEAST_BLURRED.get(row["kernel"], (1, 1))),
        _BLURS,
        _BLUR_STRIDES,
        IN_FULL,
        *memory.features("input", "grad_output", contents=memory.SUMMED),
    ),
    _build_blur,
    costs=(ELEMENTS, (1, ("batch", "channels", "positions", "kernel"))),
    impossible=(
        {"positions": ("1",), "kernel": ("3", "even", "5-9", DIFFERING)},
        {"rank": ("3",), "kernel": ("5-9",), "positions": ("2-16",)},
        {"rank": ("1",), "kernel": (DIFFERING,)},
        {"rank": ("1",), "stride": (DIFFERING,)},
    ),
)
