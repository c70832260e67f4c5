"""The calls of `max_pool`, `avg_pool` and `lp_pool`.

A window that is as large as the input is global pooling: one position, no padding, and a kernel of many taps.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.case import Case, array
from properties.models import memory, windows
from properties.models.convolutions import seen
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
    exactly,
    one_of,
    picked,
    sizes,
    spelled,
    uncounted,
)
from properties.models.windows import DIFFERING, IN_FULL, RANK
from refconv.arguments import Array
from refconv.geometry import read_padding

_TAPS = {
    "4 to 64 taps": {1: (4, 5, 7, 8, 16, 64), 2: (7, 4, 5, 7, 8), 3: (4,)},
    "65 to 256 taps": {1: (65, 100, 128, 255, 256), 2: (9, 13, 14, 16), 3: (5, 6)},
    "257 taps or more": {1: (257, 300, 513, 1000), 2: (17, 20, 28), 3: (7, 8)},
}
"""Kernels that are the same along all axes, by rank: those of global windows among them, 7x7, 14x14, 8x8x8."""


def _kernel(case: Case) -> tuple[int, ...]:
    return windows.entries(case, "kernel_size")


def _stride(case: Case) -> tuple[int, ...]:
    return _kernel(case) if case.attributes["stride"] is None else windows.entries(case, "stride")


def _outputs(case: Case) -> tuple[int, ...]:
    return case.grad_output.shape[2:]


def _many_taps(name: str) -> Class:
    values = _TAPS[name]
    least, most = {"4": (4, 64), "6": (65, 256)}.get(name[0], (257, math.inf))
    return Class(
        name,
        draw=lambda rng, chosen, row: (picked(rng, values[chosen["rank"]]),) * chosen["rank"],
        has=lambda given, chosen: len({*given}) == 1 and given[0] > 3 and least <= prod(given) <= most,
        least=least,
    )


def _uneven(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    """Draw a kernel that is not the same along all axes, at least 3 along one."""
    most = {2: 6, 3: 4}[chosen["rank"]]
    drawn = [int(taps) for taps in rng.integers(1, most + 1, chosen["rank"])]
    longest = max(range(len(drawn)), key=lambda axis: drawn[axis])
    drawn[longest] = max(drawn[longest], 3)
    if len({*drawn}) == 1:
        drawn[longest - 1] -= 1 if drawn[longest] == 3 else 2
    return tuple(drawn)


_KERNEL = Feature(
    "kernel",
    (
        windows.alike("3", 3),
        windows.alike("2", 2),
        windows.alike("1", 1),
        *map(_many_taps, _TAPS),
        Class(DIFFERING, _uneven, lambda given, chosen: len({*given}) > 1, least=3),
    ),
    _kernel,
)


def _unlike_kernel(known: Class) -> Class:
    """Return a class of strides without those that are the kernel."""
    return replace(known, has=lambda given, chosen: known.has(given, chosen) and given != chosen["kernel"])


def _large_stride(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    return (picked(rng, [step for step in (3, 4, 5, 6) if step != chosen["kernel"][0]]),) * int(chosen["rank"])


def _uneven_stride(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    """Draw steps that differ, the largest along the longest axis of the window: there it may hang over."""
    kernel = chosen["kernel"]
    drawn = [int(step) for step in rng.integers(1, 4, chosen["rank"])]
    longest, largest = (max(range(len(each)), key=lambda axis: each[axis]) for each in (kernel, drawn))
    drawn[longest], drawn[largest] = drawn[largest], drawn[longest]
    if len({*drawn}) == 1 or tuple(drawn) == kernel:
        drawn = [1] * len(drawn)
        drawn[longest] = 2 if kernel[longest] != 2 else 3
    return tuple(drawn)


_STRIDE = Feature(
    "stride",
    (
        Class(
            "kernel",
            lambda rng, chosen, row: chosen["kernel"],
            lambda given, chosen: given == chosen["kernel"],
        ),
        _unlike_kernel(windows.alike("2", 2)),
        _unlike_kernel(windows.alike("1", 1)),
        _unlike_kernel(
            replace(
                windows.alike("3-", 3),
                draw=_large_stride,
                has=lambda given, chosen: len({*given}) == 1 and given[0] >= 3,
            )
        ),
        _unlike_kernel(Class(DIFFERING, _uneven_stride, lambda given, chosen: len({*given}) > 1, least=2.0)),
    ),
    _stride,
)
_STRIDE_GIVEN = uncounted(
    "stride given",
    lambda rng, chosen, row: chosen["stride"] != chosen["kernel"] or bool(rng.integers(2)),
    lambda case: case.attributes["stride"] is not None,
)
"""Whether the stride is given, though it is the kernel."""


# How far a last window may be from the end of the padded input: "hangs over", or one more is "dropped" since it would
# begin beyond the input.
_OVER, _DROPPED = "hangs over", "dropped"
_LONGEST = {"half": 3, "one-sided": 2, "beyond half": 6}  # windows that an axis has, that there be room for padding


def _positions(*ranges: str) -> Feature:
    """Return the feature of the output's positions: there are several along the longest axis of a padded window."""
    plain = windows.positions_feature(_outputs, *ranges)

    def deep(known: Class) -> Class:
        def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
            shape: list[int] = list(known.draw(rng, chosen, row))
            least = _LONGEST.get(row.get("padding", "0"), 1)
            if least == 1:
                return tuple(shape)
            if max(shape) < least:
                shape = [*(1,) * (len(shape) - 1), max(prod(shape), least)]
            most, longest = shape.index(max(shape)), _place(chosen["kernel"])
            if shape[longest] < least:
                shape[most], shape[longest] = shape[longest], shape[most]
            return tuple(shape)

        narrow = known.up_to
        return replace(known, draw=draw, up_to=None if narrow is None else lambda most: deep(narrow(most)))

    return Feature(plain.name, tuple(map(deep, plain.classes)), plain.read)


def _place(numbers: Sequence[int]) -> int:
    """Return the place of the largest."""
    return max(range(len(numbers)), key=lambda axis: numbers[axis])


def _spans(chosen: Choices) -> list[int]:
    """Return the positions that all windows span along each axis."""
    axes = zip(chosen["positions"], chosen["stride"], windows.extents(chosen), strict=True)
    return [(count - 1) * step + extent for count, step, extent in axes]


def _padded(name: str, rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[tuple[int, int], ...]:
    """Draw the padding of a class: there is one position of the input at least, and one more to hang over."""
    rooms = [max(span - 1 - (row["ceil_mode"] == _OVER), 0) for span in _spans(chosen)]
    drawn = {"half": _half, "beyond half": _beyond, "one-sided": _one_sided}[name](rng, chosen, rooms, row)
    fewer = seen(drawn, chosen)
    if name != "beyond half" and _padding_name(fewer, chosen) != name:
        fewer[_place(chosen["kernel"])] = (1, 1) if name == "half" else picked(rng, [(0, 1), (1, 0)])
    return tuple(fewer if _padding_name(fewer, chosen) == name else drawn)


def _half(rng: Generator, chosen: Choices, rooms: list[int], row: Row) -> list[tuple[int, int]]:
    mosts = [min(extent // 2, room // 2) for extent, room in zip(windows.extents(chosen), rooms, strict=True)]
    drawn = mosts if rng.random() < 0.7 else [int(rng.integers(most + 1)) for most in mosts]
    return [(side, side) for side in drawn]


def _beyond(rng: Generator, chosen: Choices, rooms: list[int], row: Row) -> list[tuple[int, int]]:
    drawn = []
    for extent, room in zip(windows.extents(chosen), rooms, strict=True):
        # Rounded up, no last window begins in the padding after the input.
        least, most = extent // 2 + 1, min(room // 2, extent if row["ceil_mode"] == "False" else extent - 1)
        side = int(rng.integers(least, most + 1)) if least <= most else min(extent // 2, room // 2)
        drawn.append((side, side))
    return drawn


def _one_sided(rng: Generator, chosen: Choices, rooms: list[int], row: Row) -> list[tuple[int, int]]:
    drawn = []
    for extent, room in zip(windows.extents(chosen), rooms, strict=True):
        most = min(extent // 2, room)
        before = int(rng.integers(most + 1))
        drawn.append((before, int(rng.integers(most - before + 1))))
    return drawn


def _padding_name(given: Sequence[tuple[int, int]], chosen: Choices) -> str:
    if not any(map(any, given)):
        return "0"
    if any(before != after for before, after in given):
        return "one-sided"
    deep = any(side > extent // 2 for (side, _), extent in zip(given, windows.extents(chosen), strict=True))
    return "beyond half" if deep else "half"


def _padding_class(name: str) -> Class:
    return Class(name, partial(_padded, name), lambda given, chosen: _padding_name(given, chosen) == name)


_NONE = Class("0", lambda rng, chosen, row: ((0, 0),) * chosen["rank"], lambda given, chosen: not any(map(any, given)))
_PADDING = Feature(
    "padding",
    (_NONE, *map(_padding_class, ("half", "beyond half", "one-sided"))),
    lambda case: read_padding(case.attributes.get("padding", 0), windows.rank_of(case)),
)


def _read_slack(case: Case) -> tuple[int, ...]:
    rank = windows.rank_of(case)
    dilation = windows.entries(case, "dilation") if "dilation" in case.attributes else (1,) * rank
    chosen = {"kernel": _kernel(case), "dilation": dilation, "stride": _stride(case), "positions": _outputs(case)}
    padding = read_padding(case.attributes.get("padding", 0), rank)
    axes = zip(array(case, "input").shape[2:], padding, _spans(chosen), strict=True)
    return tuple(length + sum(pair) - span for length, pair, span in axes)


def _slack(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
    """Draw the positions beyond the last window, fewer than a stride; negative where it hangs over."""
    how = chosen["ceil_mode"]
    if how == "False":
        return tuple(int(rng.integers(step)) for step in chosen["stride"])
    padding = chosen.get("padding", ((0, 0),) * chosen["rank"])
    mosts = []
    axes = zip(chosen["stride"], windows.extents(chosen), padding, _spans(chosen), strict=True)
    for step, extent, pair, span in axes:
        over = min(step, extent - pair[1], span - sum(pair)) - 1  # it begins in the input, or in the padding before it
        dropped = min(step - 1, step - extent + pair[1])  # the next one would begin after that
        mosts.append(max({_OVER: over, _DROPPED: dropped}.get(how, 0), 0))
    drawn = [int(rng.integers(most + 1)) for most in mosts]
    if not any(drawn):
        drawn[_place(mosts)] = max(mosts)
    return tuple(-more if how == _OVER else more for more in drawn)


def _read_ceil_mode(case: Case) -> str:
    if not case.attributes["ceil_mode"]:
        return "False"
    slack = _read_slack(case)
    return _OVER if min(slack) < 0 else _DROPPED if max(slack) > 0 else "fits"


_CEIL_MODE = one_of("ceil_mode", _read_ceil_mode, "False", "fits", _OVER, _DROPPED)
"""Whether sizes are rounded up, and what that does to the last window of any axis."""
_SLACK = uncounted("slack", _slack, _read_slack)


def _size(chosen: Choices) -> tuple[int, ...]:
    padding = chosen.get("padding", ((0, 0),) * chosen["rank"])
    axes = zip(_spans(chosen), padding, chosen["slack"], strict=True)
    return tuple(span + slack - sum(pair) for span, pair, slack in axes)


def _elements(chosen: Choices) -> int:
    return int(chosen["batch"] * chosen["channels"] * max(prod(_size(chosen)), prod(chosen["positions"])))


def _shapes(chosen: Choices) -> dict[str, Any]:
    planes = chosen["batch"], chosen["channels"]
    return {"grad_output": (*planes, *chosen["positions"]), "input": (*planes, *_size(chosen))}


def _window(chosen: Choices) -> dict[str, object]:
    in_full = chosen["in full"]
    attributes: dict[str, object] = {
        "kernel_size": spelled(chosen["kernel"], in_full),
        "stride": spelled(chosen["stride"], in_full) if chosen["stride given"] else None,
        "ceil_mode": chosen["ceil_mode"] != "False",
    }
    if "padding" in chosen:
        padding = chosen["padding"]
        even = all(before == after for before, after in padding)
        attributes["padding"] = spelled(tuple(before for before, _ in padding), in_full) if even else padding
    if "dilation" in chosen:
        attributes["dilation"] = spelled(chosen["dilation"], in_full)
    return attributes


def _planes() -> tuple[Feature, ...]:
    return (
        sizes("batch", lambda case: len(array(case, "input")), "1", "2-8", "9-1024"),
        sizes("channels", lambda case: array(case, "input").shape[1], "2-8", "1", "9-33", "34-600"),
    )


_COSTS = (
    (1, ("batch", "channels", "kernel", "positions")),
    (ELEMENT, ("batch", "channels", "positions", "stride")),
    (ELEMENT // 2, ("batch", "channels", "kernel")),
)
_POSITIONS = "17-256", "1", "2-16", "257-1024"
_SOME, _MANY, _MOST = _TAPS
_EVEN = tuple(known.name for known in _KERNEL.classes if known.name != DIFFERING)
_IMPOSSIBLE: tuple[dict[str, tuple[str, ...]], ...] = (
    {"rank": ("1",), "kernel": (DIFFERING,)},
    {"rank": ("1",), "stride": (DIFFERING,)},
    {"kernel": ("1",), "stride": ("1",)},
    {"kernel": ("2",), "stride": ("2",)},
    {"kernel": ("1",), "ceil_mode": (_OVER,)},
    {"stride": ("1",), "ceil_mode": (_OVER, _DROPPED)},
    # a window is dropped that would begin beyond the input: the last one and the padding reach less far than a stride
    {"stride": (DIFFERING,), "ceil_mode": (_DROPPED,)},
    {"stride": ("2",), "kernel": tuple(name for name in _EVEN if name != "1"), "ceil_mode": (_DROPPED,)},
    {"stride": ("2", "3-"), "kernel": (DIFFERING,), "ceil_mode": (_DROPPED,)},
    {"stride": ("3-",), "kernel": ("3", _SOME, _MANY, _MOST), "ceil_mode": (_DROPPED,)},
)
"""What can't be together in any of them."""
_IMPOSSIBLE_PADDED: tuple[dict[str, tuple[str, ...]], ...] = (
    {"padding": ("half", "beyond half", "one-sided"), "positions": ("1",)},
    {"padding": ("half", "beyond half", "one-sided"), "kernel": ("1",)},
    {"padding": ("beyond half",), "positions": ("2-16",)},
    {"padding": ("beyond half", "one-sided"), "ceil_mode": (_OVER, _DROPPED)},
    {"kernel": ("2",), "padding": ("half",), "ceil_mode": (_OVER,)},
    {"kernel": ("2",), "padding": ("beyond half",), "ceil_mode": ("fits",)},
    {"stride": ("kernel",), "padding": ("0",), "ceil_mode": (_DROPPED,)},
)


def _special(rng: Generator, shape: tuple[int, ...], kind: str, dtype: str) -> Array:
    """Return normal values with special ones: a NaN in each channel, or a channel, or half of it, of -inf."""
    values = np.asarray(rng.standard_normal(shape), dtype)
    if kind == "negative":
        return -abs(values)
    batch, channels, *size = shape
    planes: Array = values.reshape(batch * channels, -1)
    width, rows = size[-1], prod(size[:-1])
    if kind == "-inf":
        chosen = planes[:: min(len(planes), 3)]
        chosen[:, : chosen.shape[1] if len(planes) > 1 else (chosen.shape[1] + 1) // 2] = -math.inf
        return values
    tail = width % 8 if width > 8 else 0  # where no whole vector fits any more
    for plane in planes if planes.shape[1] > 1 else planes[::2]:
        column = width - 1 - rng.integers(tail) if tail and rng.random() < 0.5 else rng.integers(width)
        plane[rng.integers(rows) * width + column] = math.nan
    return values


def _build_max_pool(contents: Contents, chosen: Choices) -> Call:
    arrays = _shapes(chosen)
    rng, dtype, kind = contents
    if kind in ("negative", "nan", "-inf"):
        arrays["input"] = _special(rng, arrays["input"], kind, dtype)
        arrays["grad_output"] = memory.filled(Contents(rng, dtype, "normal"), arrays["grad_output"], 1)
    return Call({**_window(chosen), "return_indices": chosen["return_indices"]}, arrays)


_DILATION = Feature(
    "dilation",
    (
        windows.alike("1", 1),
        replace(windows.alike("2-", 2, 3, 4), has=lambda given, chosen: len({*given}) == 1 and given[0] > 1),
        windows.differing(1, {2: 4, 3: 3}),
    ),
    lambda case: windows.entries(case, "dilation"),
)

MAX_POOL = Model(
    "max_pool",
    (
        RANK,
        *_planes(),
        _KERNEL,
        _DILATION,
        _STRIDE,
        _STRIDE_GIVEN,
        _positions(*_POSITIONS, "1025-32767", "32768-70000"),  # indices may be of 16 bits
        _PADDING,
        _CEIL_MODE,
        _SLACK,
        one_of("return_indices", attribute("return_indices"), False, True),
        IN_FULL,
        *memory.features("input", "grad_output", contents=("integer", "normal", "negative", "nan", "-inf")),
    ),
    _build_max_pool,
    costs=(*_COSTS[:-1], (ELEMENT // 2, ("batch", "channels", "kernel", "dilation"))),
    impossible=(
        *_IMPOSSIBLE,
        *_IMPOSSIBLE_PADDED,
        {"rank": ("1",), "dilation": (DIFFERING,)},
        {"dilation": ("2-", DIFFERING), "ceil_mode": (_DROPPED,)},
    ),
    elements=_elements,
)


def _read_divisor(case: Case) -> int:
    divisor = case.attributes["divisor_override"]
    return 0 if divisor is None else int(divisor)  # type: ignore[call-overload]  # an int


def _build_avg_pool(contents: Contents, chosen: Choices) -> Call:
    more = {"count_include_pad": chosen["count_include_pad"], "divisor_override": chosen["divisor_override"] or None}
    return Call({**_window(chosen), **more}, _shapes(chosen))


AVG_POOL = Model(
    "avg_pool",
    (
        RANK,
        *_planes(),
        _KERNEL,
        _STRIDE,
        _STRIDE_GIVEN,
        _positions(*_POSITIONS, "1025-70000"),
        _PADDING,
        _CEIL_MODE,
        _SLACK,
        one_of("count_include_pad", attribute("count_include_pad"), True, False),
        Feature("divisor_override", (exactly(0, "none"), among("given", 1, 2, 3, 7, 16)), _read_divisor),
        IN_FULL,
        *memory.features(
            "input", "grad_output", contents=("integer", "normal", "wide", "cancelling"), fixed=("input",)
        ),
    ),
    _build_avg_pool,
    costs=_COSTS,
    impossible=(
        *_IMPOSSIBLE,
        *_IMPOSSIBLE_PADDED,
    ),
    elements=_elements,
)


def _build_lp_pool(contents: Contents, chosen: Choices) -> Call:
    arrays = _shapes(chosen)
    rng, dtype, kind = contents
    if kind in ("positive", "rectified"):
        normal = rng.standard_normal(arrays["input"])
        arrays["input"] = np.asarray(abs(normal) if kind == "positive" else np.maximum(normal, 0), dtype)
        arrays["grad_output"] = memory.filled(Contents(rng, dtype, "normal"), arrays["grad_output"], 1)
    return Call({**_window(chosen), "norm_type": chosen["norm_type"]}, arrays)


LP_POOL = Model(
    "lp_pool",
    (
        RANK,
        *_planes(),
        _KERNEL,
        _STRIDE,
        _STRIDE_GIVEN,
        _positions(*_POSITIONS, "1025-70000"),
        _CEIL_MODE,
        _SLACK,
        Feature(
            "norm_type",
            (
                exactly(2.0, "2"),
                exactly(1.0, "1"),
                among("3 or 4", 3.0, 4.0),
                among("a fraction", 1.5, 3.5),
                exactly(math.inf, "inf"),
            ),
            attribute("norm_type"),
        ),
        IN_FULL,
        *memory.features(
            "input", "grad_output", contents=("integer", "positive", "rectified", "normal", "wide"), fixed=("input",)
        ),
    ),
    _build_lp_pool,
    costs=(
        *_COSTS,
        (ELEMENT // 4, ("batch", "channels", "kernel", "positions")),
    ),  # the bound has all taps in one array
    impossible=(*_IMPOSSIBLE, {"stride": ("kernel",), "ceil_mode": (_DROPPED,)}),
    elements=_elements,
)
