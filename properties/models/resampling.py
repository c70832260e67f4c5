"""The calls of adaptive pooling, `upsample`, `blur_pool`, `max_unpool` and `pad`.

What comes out along an axis depends on how the sizes before and after go together: whether one divides the other,
whether a scale is what it seems, how deep a reflection reaches. That is what their features are.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

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
    one_of,
    picked,
    sizes,
    spelled,
)
from properties.models.windows import DIFFERING, IN_FULL, RANK
from refconv.arguments import Array
from refconv.geometry import read_padding

_PLANES = ("17-256", "1", "2-16", "257-1024", "1025-70000")
_FEWER_PLANES = ("17-256", "1", "2-16", "257-70000")
_BATCH = sizes("batch", lambda case: len(array(case, "input")), "1", "2-8", "9-1024")
_CHANNELS = sizes("channels", lambda case: array(case, "input").shape[1], "1", "2-8", "9-33", "34-2048")
_ELEMENTS = (ELEMENT, ("batch", "channels", "positions"))


def _inputs(case: Case) -> tuple[int, ...]:
    return array(case, "input").shape[2:]


def _is_axes(given: object) -> bool:
    """Whether a value has an entry for each axis, as those of features do: domains may ask for others."""
    return isinstance(given, tuple)


def _positions(*ranges: str, least: Callable[[Row], tuple[int, int]] = lambda row: (1, 1)) -> Feature:
    """Return the feature of the input's sizes; each axis, and the longest, have so many positions at `least`."""
    plain = windows.positions_feature(_inputs, *ranges)
    return replace(plain, classes=tuple(_roomy(known, bounds_of(known.name)[1], least) for known in plain.classes))


def _roomy(known: Class, most: int, least: Callable[[Row], tuple[int, int]]) -> Class:
    low, high = bounds_of(known.name)

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        shape: tuple[int, ...] = known.draw(rng, chosen, row)
        if low <= 49 <= most and rng.random() < 0.3:  # what most networks pool as a whole
            shape = {1: (49,), 2: (7, 7), 3: (1, 7, 7)}[chosen["rank"]]
        each, longest = least(row)
        *others, last = (max(length, each) for length in shape)
        last = last if max([*others, last]) >= longest else longest
        if prod(others) * last > high:
            others = [each] * len(others)
            last = max(each, longest, -(-low // prod(others)))
        return (*others, last)

    def up_to(fewer: int) -> Class:
        assert known.up_to is not None
        narrower = _roomy(known.up_to(fewer), fewer, least)
        return narrower if fewer < most else replace(narrower, up_to=None)  # there is no way to have fewer

    return replace(known, draw=draw, up_to=up_to)


def _signal(contents: Contents, shape: tuple[int, ...], terms: int = 1) -> Array:
    """Return an input; where it is for maxima, each channel has a NaN, or the first one holds nothing but -inf."""
    rng, _, kind = contents
    if kind not in ("nan", "-inf"):
        return memory.filled(contents, shape, terms)
    signal = memory.filled(_plain(contents), shape, terms)
    if kind == "-inf":
        signal[:, 0] = -np.inf
        return signal
    *others, width = shape[2:]
    tail = width % 8 if width > 8 and rng.random() < 0.5 else width  # beyond the last whole vector
    column = width - 1 - int(rng.integers(max(tail, 1)))
    place: Any = ..., *(int(rng.integers(length)) for length in others), column
    signal[place] = np.nan
    return signal


def _plain(contents: Contents) -> Contents:
    """Return what other arrays are filled with beside special values: numbers."""
    return contents._replace(kind="normal") if contents.kind in ("nan", "-inf") else contents


# Adaptive pooling.


def _cut(size: tuple[int, ...], given: Any) -> str | None:
    """Return how windows cut the axes."""
    if not _is_axes(given):
        return None
    if all(windows_ == 1 for windows_ in given):
        return "1"
    axes = [*zip(size, given, strict=False)]
    if any(windows_ > length for length, windows_ in axes):
        return "larger"
    return "overlapping" if any(length % windows_ for length, windows_ in axes) else "dividing"


def _divisors(length: int) -> list[int]:
    return [number for number in range(1, length + 1) if length % number == 0]


def _overlapping(length: int) -> list[int]:
    return [number for number in range(2, length) if length % number] or _divisors(length)


def _larger(length: int) -> list[int]:
    return [length + 1, length + 2, 2 * length, 2 * length + 1]


def _cutting(name: str, possible: Callable[[int], list[int]]) -> Class:
    """Return a class of output sizes, each axis cut in one of the `possible` ways, or left, or pooled as a whole."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        size = chosen["positions"]
        for _ in range(20):
            drawn = tuple(picked(rng, possible(length) if rng.random() < 0.7 else [1, length]) for length in size)
            if _cut(size, drawn) == name:
                return drawn
        longest = max(range(len(size)), key=lambda axis: size[axis])
        return tuple(possible(length)[-1] if axis == longest else 1 for axis, length in enumerate(size))

    return Class(name, draw, lambda given, chosen: _cut(chosen["positions"], given) == name)


_OUTPUT_SIZE = Feature(
    "output_size",
    (
        Class(
            "1",
            lambda rng, chosen, row: (1,) * chosen["rank"],
            lambda given, chosen: _cut(chosen["positions"], given) == "1",
        ),
        _cutting("dividing", _divisors),
        _cutting("overlapping", _overlapping),
        _cutting("larger", _larger),
    ),
    lambda case: windows.entries(case, "output_size"),
)


def _of_size(chosen: Choices) -> int:
    """Return the elements of an output of that size."""
    return int(chosen["batch"] * chosen["channels"] * prod(chosen["output_size"]))


def _build_adaptive(contents: Contents, chosen: Choices) -> Call:
    shape = chosen["batch"], chosen["channels"]
    out = chosen["output_size"]
    axes = zip(chosen["positions"], out, strict=True)
    terms = prod(max(-(-length // windows_) + 1, -(-windows_ // length) + 1) for length, windows_ in axes)
    arrays = {
        "grad_output": memory.filled(_plain(contents), (*shape, *out), terms),
        "input": _signal(contents, (*shape, *chosen["positions"]), terms),
    }
    return Call({"output_size": spelled(out, chosen["in full"])}, arrays, terms)


def _adaptive(operator: str, *contents: str) -> Model:
    return Model(
        operator,
        (
            RANK,
            _BATCH,
            _CHANNELS,
            _positions(*_PLANES, least=lambda row: (1, 3) if row["output_size"] == "overlapping" else (1, 1)),
            _OUTPUT_SIZE,
            IN_FULL,
            *memory.features("input", "grad_output", contents=contents),
        ),
        _build_adaptive,
        costs=(_ELEMENTS,),
        impossible=({"positions": ("1",), "output_size": ("dividing", "overlapping")},),
        elements=_of_size,
    )


ADAPTIVE_AVG_POOL = _adaptive("adaptive_avg_pool", *memory.SUMMED)
ADAPTIVE_MAX_POOL = _adaptive("adaptive_max_pool", "integer", "normal", "nan", "-inf")


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
    if not _is_axes(given):
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
        _BATCH,
        _CHANNELS,
        _positions(*_FEWER_PLANES),
        one_of("mode", attribute("mode"), "nearest", "linear", "cubic"),
        one_of("align_corners", attribute("align_corners"), False, True),
        _RESIZE,
        IN_FULL,
        *memory.features("input", "grad_output", contents=memory.SUMMED),
    ),
    _build_upsample,
    costs=(_ELEMENTS,),
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
        return _is_axes(given) and len({*given}) == 1 and given[0] in values

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
        Class(DIFFERING, _blurring_apart, lambda given, chosen: _is_axes(given) and len({*given}) > 1, 2),
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
        _BATCH,
        _CHANNELS,
        _positions(*_FEWER_PLANES, least=lambda row: _LEAST_BLURRED.get(row["kernel"], (1, 1))),
        _BLURS,
        _BLUR_STRIDES,
        IN_FULL,
        *memory.features("input", "grad_output", contents=memory.SUMMED),
    ),
    _build_blur,
    costs=(_ELEMENTS, (1, ("batch", "channels", "positions", "kernel"))),
    impossible=(
        {"positions": ("1",), "kernel": ("3", "even", "5-9", DIFFERING)},
        {"rank": ("3",), "kernel": ("5-9",), "positions": ("2-16",)},
        {"rank": ("1",), "kernel": (DIFFERING,)},
        {"rank": ("1",), "stride": (DIFFERING,)},
    ),
)


# Max unpooling: each element has a window of its own where the output's axes are cut into as many parts.


def _read_places(case: Case) -> str | None:
    """Return where elements go."""
    indices, size = array(case, "indices"), windows.entries(case, "output_size")
    if not indices.size:
        return None
    ordered = np.sort(indices.reshape(*indices.shape[:2], -1), axis=-1)
    if (ordered[..., 1:] == ordered[..., :-1]).any():
        return "shared"
    return "in windows" if _in_windows(indices, size) else "anywhere"


def _in_windows(indices: Array, size: tuple[int, ...]) -> bool:
    """Whether each element goes to its own window."""
    rank = len(size)
    for axis, (place, after) in enumerate(zip(_unraveled(indices, size), size, strict=True)):
        before = indices.shape[2 + axis]
        i = np.arange(before).reshape(-1, *(1,) * (rank - 1 - axis))
        if not ((i * after // before <= place) & (place < (i + 1) * after // before)).all():
            return False
    return True


def _unraveled(indices: Array, size: tuple[int, ...]) -> tuple[Array, ...]:
    """Return the position along each axis; NumPy's function reads beyond an array that is a slice."""
    return np.unravel_index(np.ascontiguousarray(indices), size)


def _enlarged(given: Any, chosen: Choices) -> str:
    if not _is_axes(given):
        return "other"
    axes = [*zip(chosen["positions"], given, strict=False)]
    if all(after == 2 * before for before, after in axes):
        return "twice"
    return "same" if all(after == before for before, after in axes) else "other"


def _enlarging(name: str, draw: Callable[[Generator, dict[str, Any], Row], Any], least: int) -> Class:
    return Class(name, draw, lambda given, chosen: _enlarged(given, chosen) == name, least, each_axis=True)


def _other_size(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    size = chosen["positions"]
    drawn = [int(rng.integers(length, 3 * length + 2)) for length in size]
    if _enlarged(tuple(drawn), chosen) != "other":
        drawn[-1] = 2 * size[-1] + 1
    return tuple(drawn)


_UNPOOLED = Feature(
    "output_size",
    (
        _enlarging("twice", lambda rng, chosen, row: tuple(2 * length for length in chosen["positions"]), 2),
        _enlarging("same", lambda rng, chosen, row: chosen["positions"], 1),
        _enlarging("other", _other_size, 1),
    ),
    lambda case: windows.entries(case, "output_size"),
)


def _places(rng: Generator, how: str, shape: tuple[int, ...], size: tuple[int, ...]) -> Array:
    """Return flat places in an output of that `size`."""
    planes, count, places = prod(shape[:2]), prod(shape[2:]), prod(size)
    if how == "in windows":
        found = []
        for axis, (before, after) in enumerate(zip(shape[2:], size, strict=True)):
            i = np.arange(before).reshape(-1, *(1,) * (len(size) - 1 - axis))
            low, high = i * after // before, (i + 1) * after // before
            found.append(low + np.floor(rng.random(shape) * (high - low)).astype(np.int64))
        return np.asarray(np.ravel_multi_index(tuple(found), size), np.int64)
    if how == "shared":
        indices = rng.integers(0, places, (planes, count))
        indices[:, 0] = indices[:, -1]
        return indices.reshape(shape)
    indices = rng.permuted(np.tile(np.arange(places), (planes, 1)), axis=1)[:, :count]
    if _in_windows(indices.reshape(shape)[:1], size):  # nor does any layout bring that about
        indices = np.roll(indices, 1, axis=1)
    return np.ascontiguousarray(indices.reshape(shape))


def _build_unpool(contents: Contents, chosen: Choices) -> Call:
    planes = chosen["batch"], chosen["channels"]
    shape, size = (*planes, *chosen["positions"]), chosen["output_size"]
    arrays = {
        "grad_output": memory.filled(_plain(contents), (*planes, *size), 1),
        "input": _signal(contents, shape),
        "indices": _places(contents.rng, chosen["places"], shape, size),
    }
    return Call({"output_size": spelled(size, chosen["in full"])}, arrays)


MAX_UNPOOL = Model(
    "max_unpool",
    (
        RANK,
        _BATCH,
        _CHANNELS,
        _positions(*_PLANES),
        _UNPOOLED,
        one_of("places", _read_places, "in windows", "anywhere", "shared"),
        IN_FULL,
        *memory.features("input", "indices", "grad_output", contents=("integer", "normal", "nan")),
    ),
    _build_unpool,
    costs=(_ELEMENTS, (ELEMENT, ("batch", "channels", "output_size"))),
    impossible=({"positions": ("1",), "places": ("anywhere", "shared")},),
)


# Padding.

Pairs = tuple[tuple[int, int], ...]


def _sides(given: Any) -> str | None:
    """Return which sides are padded."""
    if not _is_axes(given) or not all(map(_is_axes, given)):
        return None
    if not any(map(any, given)):
        return "0"
    if any(before != after for before, after in given):
        return "one-sided"
    return "alike" if len({*given}) == 1 else DIFFERING


def _limits(chosen: Choices, row: Row) -> list[int]:
    """Return the most that each axis may be padded by."""
    less = {"reflect": 1, "circular": 0}.get(row["mode"])
    return [max(length, 3) if less is None else length - less for length in chosen["positions"]]


def _side(rng: Generator, limit: int) -> int:
    """Draw how far a side is padded: a little, or as far as may be."""
    return limit if rng.random() < 0.2 and limit < 40 else int(rng.integers(0, min(limit, 5) + 1))


def _padded_alike(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limit = max(min(_limits(chosen, row)), 1)
    return ((max(_side(rng, limit), 1),) * 2,) * len(chosen["positions"])


def _padded_apart(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limits = _limits(chosen, row)
    drawn = [_side(rng, limit) for limit in limits]
    if len({*drawn}) == 1:
        deepest = max(range(len(limits)), key=lambda axis: limits[axis])
        drawn[deepest] = drawn[deepest] - 1 if drawn[deepest] else 1
    return tuple((side, side) for side in drawn)


def _padded_on_one_side(rng: Generator, chosen: dict[str, Any], row: Row) -> Pairs:
    limits = _limits(chosen, row)
    drawn = [(_side(rng, limit), _side(rng, limit)) for limit in limits]
    if all(before == after for before, after in drawn):
        deepest = max(range(len(limits)), key=lambda axis: limits[axis])
        drawn[deepest] = picked(rng, ((0, 1), (1, 0), (0, limits[deepest])))
    return tuple(drawn)


def _padding(name: str, draw: Callable[[Generator, dict[str, Any], Row], Pairs]) -> Class:
    return Class(name, draw, lambda given, chosen: _sides(given) == name)


def _longer(chosen: Choices) -> Iterable[int]:
    sides = zip(chosen["positions"], chosen["padding"], strict=True)
    return (length + sum(pair) for length, pair in sides)


def _build_pad(contents: Contents, chosen: Choices) -> Call:
    shape, padding = (chosen["batch"], chosen["channels"]), chosen["padding"]
    out = tuple(_longer(chosen))
    even = all(before == after for before, after in padding)
    terms = prod(-(-after // before) + 1 for before, after in zip(chosen["positions"], out, strict=True))
    if chosen["mode"] == "replicate":  # the edge gets all that is beyond it
        terms = prod(max(*pair, 1) + 1 for pair in padding)
    attributes = {
        "padding": spelled(tuple(before for before, _ in padding), chosen["in full"]) if even else padding,
        "mode": chosen["mode"],
        "value": chosen["value"],
    }
    arrays = {
        "grad_output": memory.filled(_plain(contents), (*shape, *out), terms),
        "input": _signal(contents, (*shape, *chosen["positions"])),
    }
    return Call(attributes, arrays, terms)


def _least_padded(row: Row) -> tuple[int, int]:
    """Return what a reflection needs along each axis: one more position than is padded."""
    return (2, 2) if row["mode"] == "reflect" and row["padding"] == "alike" else (1, 1)


PAD = Model(
    "pad",
    (
        RANK,
        _BATCH,
        _CHANNELS,
        one_of("mode", attribute("mode"), "zeros", "constant", "reflect", "replicate", "circular"),
        Feature(
            "value",
            (exactly(0.0, "0"), among("another", 1.0, -2.0, 0.1, -1e3)),
            lambda case: float(case.attributes["value"]),  # type: ignore[arg-type]  # a number
        ),
        _positions(*_FEWER_PLANES, least=_least_padded),
        Feature(
            "padding",
            (
                _padding("alike", _padded_alike),
                _padding("0", lambda rng, chosen, row: ((0, 0),) * chosen["rank"]),
                _padding(DIFFERING, _padded_apart),
                _padding("one-sided", _padded_on_one_side),
            ),
            lambda case: read_padding(case.attributes["padding"], windows.rank_of(case)),
        ),
        IN_FULL,
        *memory.features("input", "grad_output", contents=("integer", "normal", memory.WIDE_INTEGERS, "nan")),
    ),
    _build_pad,
    costs=(_ELEMENTS,),
    impossible=(
        {"mode": ("zeros", "reflect", "replicate", "circular"), "value": ("another",)},
        {"mode": ("reflect",), "positions": ("1",), "padding": ("alike", DIFFERING, "one-sided")},
        {"rank": ("1",), "padding": (DIFFERING,)},
    ),
    elements=lambda chosen: int(chosen["batch"] * chosen["channels"] * prod(_longer(chosen))),
)
