"""Where the windows of `conv` and its kin lie, and arrays that are 1 in one place: what their laws are stated with."""

from typing import Any

import numpy as np

from properties.case import Case, array
from refconv.arguments import Array
from refconv.geometry import Window, read_window

_NUMPY_MODES: dict[str, Any] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def window_of(case: Case) -> Window:
    """Return where the kernel's windows lie."""
    weight, attributes = array(case, "weight"), case.attributes
    rank = array(case, "input").ndim - 2
    how = {name: attributes[name] for name in ("stride", "padding", "dilation")}
    return read_window(weight.shape[-rank:], **how, words=True)


def padded(case: Case, window: Window) -> Array:
    """Return the input, padded by NumPy."""
    mode: Any = case.attributes.get("padding_mode", "zeros")
    return np.pad(array(case, "input"), [(0, 0), (0, 0), *window.padding], _NUMPY_MODES[mode])


def positions(case: Case, window: Window, tap: tuple[int, ...]) -> tuple[slice, ...]:
    """Return where in the padded input each window has a tap of its kernel."""
    size = case.grad_output.shape[2:]
    return tuple(
        slice(k * dilation, k * dilation + (count - 1) * stride + 1, stride)
        for k, dilation, count, stride in zip(tap, window.dilation, size, window.stride, strict=True)
    )


def some_place(case: Case, rng: np.random.Generator) -> tuple[int, ...]:
    """Return a place in the weight."""
    return tuple(int(rng.integers(length)) for length in array(case, "weight").shape)


def one_hot(shape: tuple[int, ...], place: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros, but for a 1 in one place."""
    made = np.zeros(shape, dtype)
    made[place] = 1
    return made


def extras(case: Case, window: Window) -> list[tuple[int, int]]:
    """Return the output padding of each axis, beside its stride."""
    extra: Any = case.attributes.get("output_padding", 0)
    return list(zip(np.broadcast_to(extra, len(window.stride)).tolist(), window.stride, strict=True))
