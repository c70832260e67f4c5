"""What every array has: a content, a layout, and an address."""

from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from properties.arrays import CONTENTS, bits, content
from properties.case import Case, layout_of
from properties.models.feature import Contents, Feature, among, exactly, one_of
from refconv.arguments import Array

WIDE_INTEGERS = "wide integer"
"""A content: integers as large as exact sums allow."""
SUMMED = ("integer", WIDE_INTEGERS, "normal", "wide", "cancelling")
"""The contents of what sums products."""
_BLOCK = 64  # bytes: a line of the cache, and more than any vector register


def filled(contents: Contents, shape: tuple[int, ...], terms: int) -> Array:
    """Return an array of a kind of content; wide integers are such that sums of so many products are exact."""
    rng, dtype, kind = contents
    if kind != WIDE_INTEGERS:
        return content(kind, shape, dtype, rng)
    largest = max(isqrt(2 ** bits(dtype) // max(terms, 1)), 1)
    largest = min(largest, 2 ** (bits(dtype) // 2 + 1))
    values = rng.integers(-largest, largest, shape)
    return np.asarray(values + (values >= 0), dtype)


def content_feature(*kinds: str) -> Feature:
    """Return the feature of what arrays hold, which can't be told from a case."""
    return one_of("content", lambda case: None, *(kinds or tuple(CONTENTS)))


def layout_feature(array: str, *, repeated: bool = True) -> Feature:
    """Return the feature of how an array lies in memory, `repeated` ones with a stride of 0 among them."""
    packed = exactly("contiguous")
    others = [exactly(name) for name in ("channels_last", "sliced")]
    odd = among("transposed or reversed", "transposed", "reversed")
    stretched = [exactly("expanded")] if repeated else []
    return Feature(f"layout of {array}", (packed, *others, odd, *stretched), _layout_in(array))


def _layout_in(array: str) -> Callable[[Case], str | None]:
    def read(case: Case) -> str | None:
        found = case.arrays[array]
        return None if found is None or not found.size else layout_of(found)

    return read


ADDRESS = Feature(
    "address",
    (exactly(0, "a multiple of 64 bytes"), among("1 or 2 elements beyond", 1, 2), among("4 or 8 beyond", 4, 8)),
    lambda case: None,
)
"""How many elements the arrays begin beyond a multiple of 64 bytes."""


def at_address(array: Array, elements: int) -> Array:
    """Return `array` as it lies, its first byte so many elements beyond a multiple of 64 bytes; around it is NaN."""
    if not array.size:
        return array
    reach = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    low, high = sum(step for step in reach if step < 0), sum(step for step in reach if step > 0) + array.itemsize
    room: Array = np.full(high - low + 4 * _BLOCK, 0xFF, np.uint8)
    begin = _BLOCK + -room.ctypes.data % _BLOCK + elements * array.itemsize
    moved: Array = np.ndarray(array.shape, array.dtype, room, begin - low, array.strides)
    _elements(moved)[...] = _elements(array)
    return moved


def _elements(array: Array) -> Array:
    """Return each element that lies apart once: axes along which it repeats are left out."""
    shape = [length if stride else 1 for length, stride in zip(array.shape, array.strides, strict=True)]
    return as_strided(array, shape, array.strides)


def address_of(array: Array) -> int:
    """Return how many bytes the first one of `array` lies beyond a multiple of 64."""
    reach = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    return int(array.ctypes.data + sum(step for step in reach if step < 0)) % _BLOCK


def features(*arrays: str, contents: tuple[str, ...] = (), fixed: tuple[str, ...] = ()) -> tuple[Feature, ...]:
    """Return the features of memory: of the content, of the layout of `arrays`, and of the address.

    Those that are `fixed` never repeat what they hold: nothing could be learned of it.
    """
    layouts = [layout_feature(name, repeated=name not in fixed) for name in arrays]
    return content_feature(*contents), *layouts, ADDRESS


def layouts_of(choices: Any, *arrays: str) -> tuple[str, ...]:
    """Return the layouts that were chosen for `arrays`."""
    return tuple(choices[f"layout of {name}"] for name in arrays)
