"""What wrong variants of pooling share: the windows of a call, how people misread them, and what they hold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from refconv.arguments import Array, InvalidValueError
from refconv.geometry import Window, output_size, read_pool_window
from refconv.maxima import Taps, flat_planes, window_taps

Attributes: TypeAlias = Mapping[str, Any]
Sizes: TypeAlias = tuple[int, ...]


class Misreading(NamedTuple):
    """A mistake about the window of a call."""

    name: str
    cause: str
    change: Callable[[Window, Attributes], Window]
    sized: bool = True  # whether the output's size is wrong with it, or only the loop's windows
    after: bool = False  # whether it concerns nothing but the padding after the input


def window_of(input: Array, attributes: Attributes) -> Window:
    """Return the window that a pooling operator's attributes describe."""
    return read_pool_window(
        attributes["kernel_size"],
        input.ndim - 2,
        stride=attributes.get("stride"),
        padding=attributes.get("padding", 0),
        dilation=attributes.get("dilation", 1),
    )


def outputs_of(input: Array, window: Window, attributes: Attributes) -> Sizes:
    """Return how many windows there are along each axis."""
    return output_size(input.shape[2:], window, ceil_mode=attributes.get("ceil_mode", False))


def misread(input: Array, attributes: Attributes, misreading: Misreading) -> tuple[Window, Sizes]:
    """Return the window misread and how many there are: the right number, where the wrong window wouldn't fit."""
    right = window_of(input, attributes)
    wrong = misreading.change(right, attributes)
    try:
        return wrong, outputs_of(input, wrong if misreading.sized else right, attributes)
    except InvalidValueError:
        return wrong, outputs_of(input, right, attributes)


def floored_outputs(input: Array, attributes: Attributes) -> Sizes:
    """Return how many windows there are without `ceil_mode`: along an axis, maybe none."""
    window = window_of(input, attributes)
    axes = zip(input.shape[2:], window.padding, window.extent, window.stride, strict=True)
    return tuple(max((size + sum(pair) - extent) // stride + 1, 0) for size, pair, extent, stride in axes)


def lost_without_ceil(grad_output: Array, input: Array, attributes: Attributes) -> Array:
    """Return `grad_output` with 0 for the windows that there are with `ceil_mode` only."""
    kept = np.zeros_like(grad_output, order="C")
    inside = (slice(None), slice(None), *map(slice, floored_outputs(input, attributes)))
    kept[inside] = grad_output[inside]
    return kept


def outputs_with_windows_in_padding(input: Array, attributes: Attributes) -> Sizes:
    """Return how many windows there are where a last one of `ceil_mode` may begin in the padding after the input."""
    window = window_of(input, attributes)
    if not attributes["ceil_mode"]:
        return outputs_of(input, window, attributes)
    axes = zip(input.shape[2:], window.padding, window.extent, window.stride, strict=True)
    return tuple(-((extent - size - sum(pair)) // stride) + 1 for size, pair, extent, stride in axes)


def swapped(word: str) -> Callable[[Window, Attributes], Window]:
    """Return the mistake to read the entries of the window's field `word` in the reversed order of axes."""
    return lambda window, _: window._replace(**{word: getattr(window, word)[::-1]})


def _first(word: str) -> Callable[[Window, Attributes], Window]:
    def change(window: Window, _: Attributes) -> Window:
        entries = getattr(window, word)
        return window._replace(**{word: entries[:1] * len(entries)})

    return change


def _unit_stride(window: Window, attributes: Attributes) -> Window:
    return window._replace(stride=(1,) * len(window.stride)) if attributes["stride"] is None else window


def _repadded(*sides: int | None) -> Callable[[Window, Attributes], Window]:
    """Return the mistake to read each pair's entry of that number before, and another after; None for 0."""

    def change(window: Window, _: Attributes) -> Window:
        pairs = [[0 if side is None else pair[side] for side in sides] for pair in window.padding]
        return window._replace(padding=tuple((before, after) for before, after in pairs))

    return change


def _undilated(window: Window, _: Attributes) -> Window:
    return window._replace(dilation=(1,) * len(window.dilation))


_IN_LOOP = "swapped between axes in the loop, though not in the output's size"

STEPS = [
    Misreading("kernel swapped between axes", "The kernel's height is taken for its width.", swapped("kernel")),
    Misreading("stride swapped between axes", "The stride's entries are read as (x, y).", swapped("stride")),
    Misreading(f"kernel {_IN_LOOP}", "Two loop bounds are mixed up.", swapped("kernel"), sized=False),
    Misreading(f"stride {_IN_LOOP}", "Two strides in an index are mixed up.", swapped("stride"), sized=False),
    Misreading("stride of the first axis used for all", "stride[0] is copied to every axis.", _first("stride")),
    Misreading("kernel size of the first axis used for all", "The kernel is taken to be square.", _first("kernel")),
    Misreading("stride 1 by default in place of the kernel's size", "The default is a convolution's.", _unit_stride),
    Misreading(
        "stride ignored, windows side by side",
        "The stride is never read: the kernel's size is used in its place.",
        lambda window, _: window._replace(stride=window.kernel),
    ),
]

PADDINGS = [
    Misreading(
        "padding swapped between axes", "Pairs are read from the last axis, as a pad has them.", swapped("padding")
    ),
    Misreading("padding of the first axis used for all", "padding[0] is copied to every axis.", _first("padding")),
    Misreading(
        "padding before and after exchanged",
        "The pairs are read as (after, before).",
        _repadded(1, 0),
    ),
    Misreading("padding ignored", "The windows begin at 0.", _repadded(None, None)),
    Misreading(
        "padding after the input dropped",
        "Only the first of each pair is read.",
        _repadded(0, None),
        after=True,
    ),
    Misreading(
        "padding before the input used after it, too",
        "One number is kept for each axis, which drops the second of each pair.",
        _repadded(0, 0),
        after=True,
    ),
]

DILATIONS = [
    Misreading(
        "dilation ignored",
        "The dilation is never read.",
        _undilated,
    ),
    Misreading(
        "dilation ignored in the loop, though not in the output's size",
        "The size is right, the loop steps by 1.",
        _undilated,
        sized=False,
    ),
    Misreading("dilation of the first axis used for all", "dilation[0] is copied to every axis.", _first("dilation")),
    Misreading("dilation swapped between axes", "The dilation's entries are read as (x, y).", swapped("dilation")),
]


def places(taps: Sequence[Taps]) -> tuple[Array, Array]:
    """Return the flat positions of the windows' taps, ``(windows, taps)``, and which of these there are."""
    at, there = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for axis in taps:
        tap = np.arange(axis.taps.max(initial=0))
        inside = tap < axis.taps[:, None]
        positions = np.where(inside, axis.first[:, None] + tap * axis.step, 0)
        shape = len(at) * len(positions), at.shape[1] * len(tap)
        at = (at[:, None, :, None] * axis.length + positions[:, None, :]).reshape(shape)
        there = (there[:, None, :, None] & inside[:, None, :]).reshape(shape)
    return at, there


def held(signal: Array, taps: Sequence[Taps], fill: float = -np.inf) -> Array:
    """Return what the windows hold, ``(planes, windows, taps)``, `fill` where there is no tap."""
    at, there = places(taps)
    return np.where(there, flat_planes(signal)[:, at], np.asarray(fill, signal.dtype))


def taps_of(input: Array, attributes: Attributes) -> list[Taps]:
    """Return the taps of the windows that a pooling operator's attributes describe, along each axis."""
    window = window_of(input, attributes)
    return window_taps(input.shape[2:], outputs_of(input, window, attributes), window)


def winners(signal: Array, taps: Sequence[Taps]) -> Array:
    """Return which taps hold their window's maximum, ``(planes, windows, taps)``."""
    values, (_, there) = held(np.ascontiguousarray(signal), taps), places(taps)
    largest = values.max(axis=2, keepdims=True, initial=-np.inf)
    return np.asarray(((values == largest) | (np.isnan(values) & np.isnan(largest))) & there)


def last_choices(signal: Array, taps: Sequence[Taps]) -> Array:
    """Return the flat position of each window's last maximum, -1 where it has no tap."""
    (at, _), wins = places(taps), winners(signal, taps)
    last = wins.shape[2] - 1 - wins[..., ::-1].argmax(axis=2) if at.size else np.zeros(wins.shape[:2], np.int64)
    found = np.where(wins.any(axis=2), at[np.arange(len(at)), last] if at.size else 0, -1)
    return found.reshape(*signal.shape[:2], *(len(axis.first) for axis in taps))


def scattered(values: Array, at: Array, like: Array, *, add: bool = True) -> Array:
    """Return an array as `like` of 0, but for `values` at flat positions, where they aren't negative.

    Of those that go to the same place, the sum, or the last. `values` is ``(planes, ...)``, what `at` is broadcast to.
    """
    planes, count = len(values), int(np.prod(like.shape[2:]))
    result = np.zeros((planes, count + 1), like.dtype)
    rows = np.arange(planes).reshape(-1, *[1] * (values.ndim - 1))
    index: Any = (rows, np.broadcast_to(np.where(at < 0, count, at), values.shape))
    if add:
        np.add.at(result, index, values)
    else:
        result[index] = values
    return np.ascontiguousarray(result[:, :count]).reshape(like.shape)
