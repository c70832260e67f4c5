"""Spatial axes of a case: one more of size 1, or one less, which is valid as each attribute has its own axis."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.case import Case, array, but
from refconv.arguments import Array

NEUTRAL: Mapping[str, object] = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "output_padding": 0,
    "kernel_size": 1,
    "output_size": 1,
    "size": 1,
    "scale_factor": 1,
}
"""The attributes that have an entry for each axis, and what an axis of size 1 has, so that it stays as it is."""

WINDOWED: Mapping[str, tuple[str, ...]] = {
    "conv": ("input", "weight"),
    "conv_transpose": ("input", "weight"),
    "locally_connected": ("input",),
    "max_pool": ("input",),
    "max_unpool": ("input", "indices"),
    "avg_pool": ("input",),
    "lp_pool": ("input",),
    "adaptive_avg_pool": ("input",),
    "adaptive_max_pool": ("input",),
    "upsample": ("input",),
    "blur_pool": ("input",),
    "pad": ("input",),
}
"""Operators whose attributes have axes, and the inputs that have spatial axes behind the first two."""


def rank_of(case: Case) -> int:
    """Return the number of spatial axes of the input."""
    first = case.inputs[0]
    assert first is not None
    return first.ndim - 2


def lifted(case: Case, place: int) -> Case:
    """Return a case of a windowed operator with an axis of size 1 more, at `place` among the spatial ones."""
    rank = rank_of(case)
    changed = {name: np.expand_dims(array(case, name), 2 + place) for name in ("grad_output", *WINDOWED[case.operator])}
    if case.operator == "locally_connected":  # (out, *output, in, *kernel) and (out, *output)
        changed["weight"] = np.expand_dims(array(case, "weight"), (1 + place, 3 + rank + place))
        bias = case.arrays["bias"]
        changed |= {} if bias is None else {"bias": np.expand_dims(bias, 1 + place)}
    attributes = {}
    for name, entries in per_axis(case).items():
        attributes[name] = (*entries[:place], NEUTRAL[name], *entries[place:])
    return but(case, **changed, **attributes)


def lowered(case: Case, place: int) -> Case:
    """Return a case of a windowed operator without one of its axes: what stands first along it."""
    rank = rank_of(case)
    names = [name for name in ("grad_output", *WINDOWED[case.operator]) if name != "indices"]
    changed = {name: _first(array(case, name), 2 + place) for name in names}
    if case.operator == "locally_connected":
        changed["weight"] = _first(_first(array(case, "weight"), 2 + rank + place), 1 + place)
        bias = case.arrays["bias"]
        changed |= {} if bias is None else {"bias": _first(bias, 1 + place)}
    if case.operator == "max_unpool":
        changed["indices"] = _lowered_indices(case, place)
    attributes = {name: (*entries[:place], *entries[place + 1 :]) for name, entries in per_axis(case).items()}
    return but(case, **changed, **attributes)


def _lowered_indices(case: Case, place: int) -> Array:
    """Return flat indices into what is left without an axis."""
    sizes = case.grad_output.shape[2:]
    found = np.unravel_index(_first(array(case, "indices"), 2 + place), sizes)
    left = [axis for axis in range(len(sizes)) if axis != place]
    return np.ravel_multi_index([found[axis] for axis in left], [sizes[axis] for axis in left])


def per_axis(case: Case) -> dict[str, tuple[Any, ...]]:
    """Return the attributes that have an entry for each axis, spelled out; those that are words or None have none."""
    given = {name: case.attributes[name] for name in NEUTRAL if name in case.attributes}
    return {
        name: tuple(value) if isinstance(value, tuple | list) else (value,) * rank_of(case)
        for name, value in given.items()
        if value is not None and not isinstance(value, str)
    }


def within(*index: Any) -> Any:
    """Return an index by its entries, each of its own kind."""
    return index


def _first(values: Array, axis: int) -> Array:
    first: Array = values[(slice(None),) * axis + (0,)]
    return first
