"""Padding that repeats the input's own values: the modes reflect, replicate and circular, and their gradient.

Padding with zeros needs no copy: the loops skip the taps that fall on it. The other modes are carried out before the
loops, by reading each padded position from its source; the gradient of a source is the sum over the positions that
read it.
"""

from typing import Any

import numpy as np

from refconv.arguments import LARGEST, Array, InvalidValueError, fits_memory
from refconv.geometry import Window

MODES = ("zeros", "reflect", "replicate", "circular")


def check_mode(mode: str, signal: Array, window: Window, argument: str = "padding_mode") -> None:
    """Refuse a padding that `mode` has no values for, or whose copy is too large.

    Reflect needs sides below the signal's size, circular at most that.
    """
    if mode == "zeros":
        return
    size = signal.shape[2:]
    words, slack = {"reflect": ("smaller than", -1), "circular": ("at most", 0)}.get(mode, ("", LARGEST))
    if any(max(pair) > length + slack for length, pair in zip(size, window.padding, strict=True)):
        raise InvalidValueError(
            "padding", f"be {words} the input's size {size} where {argument} is {mode!r}", window.padding
        )
    padded = (length + before + after for length, (before, after) in zip(size, window.padding, strict=True))
    fits_memory("padded input", (*signal.shape[:2], *padded), signal.dtype)


def sources(length: int, before: int, after: int, mode: str) -> Array:
    """Return, for each position of an axis of `length` padded by `before` and `after`, the position that it repeats."""
    positions = np.arange(-before, length + after)
    if mode == "replicate":
        return positions.clip(0, length - 1)
    if mode == "circular":
        return positions % length
    return length - 1 - abs(length - 1 - abs(positions))


def extend(signal: Array, window: Window, mode: str) -> Array:
    """Return `signal`, ``(·, ·, *spatial)``, padded along its spatial axes by the values that `mode` repeats."""
    for axis, pair in enumerate(window.padding, start=2):
        signal = signal.take(sources(signal.shape[axis], *pair, mode), axis)
    return signal


@np.errstate(all="ignore")  # sums may overflow
def fold(grad_padded: Array, size: tuple[int, ...], window: Window, mode: str) -> Array:
    """Return the gradient of `signal` in :func:`extend`: each position's goes back to the position that it repeats."""
    for axis, (length, pair) in enumerate(zip(size, window.padding, strict=True), start=2):
        before, _ = pair
        source = sources(length, *pair, mode)
        folded = _at(grad_padded, axis, slice(before, before + length)).copy()
        for position in (*range(before), *range(before + length, len(source))):
            target = _at(folded, axis, source[position])
            target += _at(grad_padded, axis, position)
        grad_padded = folded
    return grad_padded


def _at(array: Array, axis: int, place: Any) -> Array:
    """Return a view of `array` at a place of one axis."""
    index: Any = (*[slice(None)] * axis, place)
    view: Array = array[(*index, ...)]
    return view
