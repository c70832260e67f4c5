"""What arrays hold, and how they lie in memory: content from a seed, and layouts."""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.random import Generator

from refconv.arguments import Array


def _integer(rng: Generator, shape: tuple[int, ...]) -> Array:
    values = rng.integers(-4, 4, shape)
    return values + (values >= 0)


def _normal(rng: Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _wide(rng: Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape) * np.exp2(rng.uniform(-20, 20, shape))


def _cancelling(rng: Generator, shape: tuple[int, ...]) -> Array:
    return rng.choice((-1024.0, 1024.0), shape) + rng.standard_normal(shape)


CONTENTS: dict[str, Callable[[Generator, tuple[int, ...]], Array]] = {
    "integer": _integer,  # from -4 to 4 but for 0: every partial sum is exact
    "normal": _normal,
    "wide": _wide,  # magnitudes from 2**-20 to 2**20, none of whose products under- or overflows
    "cancelling": _cancelling,  # ±1024 with a little noise: sums far smaller than their terms
}


def content(kind: str, shape: tuple[int, ...], dtype: str, seed: int | Generator) -> Array:
    """Return a contiguous array of one of `CONTENTS`, of mixed sign, the same for the same seed."""
    return np.asarray(CONTENTS[kind](np.random.default_rng(seed), shape), dtype)


def _channels_last(array: Array) -> Array:
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(), -1, 1)  # a copy: strides of axes of size 1, too


def _sliced(array: Array) -> Array:
    poison = np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).min
    room = np.full((array.shape[0], array.shape[1] + 2, *array.shape[2:]), poison, array.dtype)
    room[:, 1:-1] = array
    return room[:, 1:-1]


def _transposed(array: Array) -> Array:
    return array.copy(order="F")


def _reversed(array: Array) -> Array:
    return array[..., ::-1].copy()[..., ::-1]


def _expanded(array: Array) -> Array:
    first = np.ascontiguousarray(array[:1])
    return as_strided(first, array.shape, (0, *first.strides[1:]))


def _constant(array: Array) -> Array:
    return as_strided(np.array(array.ravel()[:1]), array.shape, (0,) * array.ndim)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.ascontiguousarray,
    "channels_last": _channels_last,
    "sliced": _sliced,  # some channels of a larger array whose others are NaN: whoever reads beyond sees it
    "transposed": _transposed,
    "reversed": _reversed,  # a negative stride along the last axis
    "expanded": _expanded,  # a stride of 0 along the first axis: its first entry, repeated
    "constant": _constant,  # a stride of 0 along every axis: the gradient that a plain sum hands over
}


def lay_out(array: Array, layout: str) -> Array:
    """Return `array`, ``(·, ·, *spatial)``, in one of `LAYOUTS`: all but those with a stride of 0 keep its values.

    With fewer than two axes, it stays contiguous.
    """
    return LAYOUTS[layout](array) if array.ndim > 1 else np.asarray(array, order="C")
