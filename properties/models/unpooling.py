"""The calls of `max_unpool`.

Each element has a window of its own where the output's axes are cut into as many parts.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.case import Case, array
from properties.models import memory, windows
from properties.models.feature import ELEMENT, Call, Choices, Class, Contents, Feature, Model, Row, one_of, spelled
from properties.models.planes import BATCH, CHANNELS, ELEMENTS, PLANES, is_axes, numbers_alone, positions, signal_of
from properties.models.windows import IN_FULL, RANK
from refconv.arguments import Array


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
    if not is_axes(given):
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
        "grad_output": memory.filled(numbers_alone(contents), (*planes, *size), 1),
        "input": signal_of(contents, shape),
        "indices": _places(contents.rng, chosen["places"], shape, size),
    }
    return Call({"output_size": spelled(size, chosen["in full"])}, arrays)


MAX_UNPOOL = Model(
    "max_unpool",
    (
        RANK,
        BATCH,
        CHANNELS,
        positions(*PLANES),
        _UNPOOLED,
        one_of("places", _read_places, "in windows", "anywhere", "shared"),
        IN_FULL,
        *memory.features("input", "indices", "grad_output", contents=("integer", "normal", "nan")),
    ),
    _build_unpool,
    costs=(ELEMENTS, (ELEMENT, ("batch", "channels", "output_size"))),
    impossible=({"positions": ("1",), "places": ("anywhere", "shared")},),
)
