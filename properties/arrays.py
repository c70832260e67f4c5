"""What arrays hold, and how they lie in memory: content from a seed, and layouts."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.random import Generator

from refconv.arguments import Array
from refconv.words import did_you_mean

DTYPES = ("float32", "float64", "float16", "bfloat16")
"""Of the arrays of a case; ``np.dtype`` knows bfloat16 where ml_dtypes is imported."""


def read_dtype(dtype: str) -> str:
    """Return `dtype`; refuse what isn't known."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}{did_you_mean(dtype, DTYPES)}")
    return dtype


def _integer(rng: Generator, shape: tuple[int, ...], _: str) -> Array:
    values = rng.integers(-4, 4, shape)
    return values + (values >= 0)


def _normal(rng: Generator, shape: tuple[int, ...], _: str) -> Array:
    return rng.standard_normal(shape)


def _wide(rng: Generator, shape: tuple[int, ...], dtype: str) -> Array:
    span = min(20, _format(dtype).maxexp // 4)
    return rng.standard_normal(shape) * np.exp2(rng.uniform(-span, span, shape))


def _cancelling(rng: Generator, shape: tuple[int, ...], dtype: str) -> Array:
    large = 2.0 ** min(10, bits(dtype) // 2 - 1)
    return rng.choice((-large, large), shape) + rng.standard_normal(shape)


CONTENTS: dict[str, Callable[[Generator, tuple[int, ...], str], Array]] = {
    "integer": _integer,  # from -4 to 4 but for 0: every partial sum is exact
    "normal": _normal,
    "wide": _wide,  # magnitudes from 2**-20 to 2**20, less in float16: hardly any product under- or overflows
    "cancelling": _cancelling,  # ±1024, less where it has few bits, with a little noise: sums far smaller than terms
}


def content(kind: str, shape: tuple[int, ...], dtype: str, seed: int | Generator) -> Array:
    """Return a contiguous array of one of `CONTENTS`, of mixed sign, the same for the same seed."""
    return np.asarray(CONTENTS[kind](np.random.default_rng(seed), shape, dtype), dtype)


def bits(dtype: str) -> int:
    """Return the bits of the significand, the hidden one included."""
    return int(_format(dtype).nmant) + 1


def _format(dtype: str) -> Any:
    return ml_dtypes.finfo(np.dtype(dtype))  # type: ignore[no-untyped-call]  # ml_dtypes has no types


def near(offset: float, dtype: str) -> float:
    """Return `offset`, or what is left of it where `dtype` must still hold some bits of what is added to it."""
    largest = 2.0 ** (bits(dtype) * 3 // 5)
    return min(max(offset, -largest), largest)


def _channels_last(array: Array) -> Array:
    return np.moveaxis(np.moveaxis(array, 1, -1).copy(), -1, 1)  # a copy: strides of axes of size 1, too


def _sliced(array: Array) -> Array:
    poison = np.iinfo(array.dtype).min if array.dtype.kind == "i" else np.nan
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
