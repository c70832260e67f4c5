"""Calls that an implementation may have answered in place of the one that it was given: one thing in them is another.

Each has the words that follow "as if": "dilation were 1", "no bias were given".
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from properties import Case
from properties.case import but
from properties.models import MODELS
from refconv.arguments import Array

_TILES = (4, 8, 16, 32, 64)
_FROM_ZERO = {"padding", "output_padding", "eps", "value"}
"""Attributes that say nothing at 0, as others do at 1."""

Alternative = tuple[str, Case]


def alternatives(case: Case, direction: str) -> Iterator[Alternative]:
    """Yield other calls by their words, those of other attributes first."""
    for name, value in case.attributes.items():
        for words, other in _others(case, name, value):
            if other != value:
                yield words, but(case, **{name: other})
    arrays = {
        name: array
        for name, array in case.arrays.items()
        if array is not None and (direction == "backward" or name != "grad_output")
    }
    for name in list(arrays)[1:] if direction == "forward" else list(arrays)[2:]:
        yield f"no {name} were given", but(case, **{name: None})
    for name, array in arrays.items():
        if array.dtype.kind != "i" and array.size:
            for words, changed in _changed(array):
                yield f"{name} were {words}", but(case, **{name: np.asarray(changed, array.dtype)})
    yield from _swapped(case, arrays)


def _others(case: Case, name: str, value: object) -> Iterator[tuple[str, Any]]:
    """Yield other values of an attribute."""
    default = case.row.attributes[name]
    if isinstance(value, bool):
        yield f"{name} were {not value}", not value
    elif isinstance(value, str):
        feature = MODELS[case.operator].by_name.get(name)
        for known in feature.classes if feature else ():
            yield f"{name} were {known.name!r}", known.name
    elif isinstance(value, tuple | list):
        yield from _of_axes(name, tuple(value))
    elif isinstance(value, int):
        base = int(name not in _FROM_ZERO)
        for number in dict.fromkeys((base, *((default,) if isinstance(default, int) else ()))):
            yield f"{name} were {number}", number
        yield f"{name} were one less", value - 1
        yield f"{name} were one more", value + 1
        if name == "axis":
            yield "axis were the last", -1
            yield "axis were the first", 0
        yield from _of_some_axes(case, name, value, base)
    elif isinstance(value, float):
        for number in dict.fromkeys((0.0, 1.0, 2.0, *((default,) if isinstance(default, float) else ()))):
            yield f"{name} were {number:g}", number
        yield f"{name} were 1 - {name}", 1 - value
        yield f"{name} were its square", value * value
        yield f"{name} were its root", abs(value) ** 0.5
    if value is not None and default is None:
        yield f"no {name} were given", None


def _of_some_axes(case: Case, name: str, value: int, base: int) -> Iterator[tuple[str, Any]]:
    """Yield an attribute given once for all axes, as if it held for some."""
    rank = case.grad_output.ndim - 2
    if rank and name in {"stride", "padding", "dilation", "output_padding", "kernel_size"}:
        yield f"{name} were {base} on the last axis", (*(value,) * (rank - 1), base)
        yield f"{name} were {base} on the first axis", (base, *(value,) * (rank - 1))


def _of_axes(name: str, value: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Yield other values of an attribute that has an entry for each axis."""
    if not value:
        return
    paired = any(isinstance(entry, tuple) for entry in value)
    base: Any = (0, 0) if paired else int(name not in _FROM_ZERO)
    spoken = 0 if paired else base
    yield f"{name} were {spoken}", (base,) * len(value)
    yield f"{name} were read from the last axis to the first", value[::-1]
    yield f"{name} were the first axis' on all axes", value[:1] * len(value)
    yield f"{name} were the last axis' on all axes", value[-1:] * len(value)
    yield f"{name} were {spoken} on the last axis", (*value[:-1], base)
    yield f"{name} were {spoken} on the first axis", (base, *value[1:])
    if paired:
        sides = [entry if isinstance(entry, tuple) else (entry, entry) for entry in value]
        yield f"{name} had its sides swapped", tuple(side[::-1] for side in sides)
        yield f"{name} were what is before on both sides", tuple((side[0], side[0]) for side in sides)
        yield f"{name} were what is after on both sides", tuple((side[1], side[1]) for side in sides)
        yield f"there were no {name} after", tuple((side[0], 0) for side in sides)
        yield f"there were no {name} before", tuple((0, side[1]) for side in sides)


def _changed(array: Array) -> Iterator[tuple[str, Array]]:
    """Yield what an array may be taken for."""
    values = np.ascontiguousarray(array)
    yield "0", np.zeros_like(values)
    with np.errstate(all="ignore"):
        yield "negated", -values
        yield "without its sign", abs(values)
    if not np.isfinite(values).all():
        yield "0 where it is NaN", np.where(np.isnan(values), 0, values)
    for axis, length in enumerate(values.shape):
        if length < 2:
            continue
        where = "the last axis" if axis == values.ndim - 1 else f"axis {axis}"
        yield f"reversed along {where}", np.flip(values, axis)
        for words, part in (("at the end of", slice(-1, None)), ("at the beginning of", slice(0, 1))):
            yield f"0 {words} {where}", _without(values, axis, part)
        yield f"its first entry all along {where}", values.take(np.zeros(length, int), axis)
        for tile in _TILES:
            if length % tile and length > tile:
                part = slice(length // tile * tile, None)
                yield f"0 beyond the last multiple of {tile} along {where}", _without(values, axis, part)
            if length > tile:
                yield f"0 beyond the first {tile} along {where}", _without(values, axis, slice(tile, None))
    for axis in range(values.ndim - 1):
        if values.shape[axis] == values.shape[axis + 1] > 1:
            yield f"transposed in axes {axis} and {axis + 1}", values.swapaxes(axis, axis + 1)


def _without(values: Array, axis: int, part: slice) -> Array:
    changed = values.copy()
    changed[(slice(None),) * axis + (part,)] = 0
    return changed


def _swapped(case: Case, arrays: dict[str, Array]) -> Iterator[Alternative]:
    """Yield calls in which two arrays of one shape have each other's place."""
    names = list(arrays)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            same = arrays[one].ndim == arrays[other].ndim and arrays[one].dtype == arrays[other].dtype
            if same and arrays[one].size and one != "grad_output":
                yield f"{one} and {other} were swapped", but(case, **{one: arrays[other], other: arrays[one]})
