"""A failing case made smaller in what its arrays hold: zeros, ones, small integers, wherever it still fails."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from properties import Case, lay_out
from properties.case import layout_of
from refconv.arguments import Array

Fails = Callable[[Case], bool]


def simplified(case: Case, fails: Fails, until: float) -> Case:
    """Return `case` with simpler content that still `fails`, as far as that goes before `until`.

    Arrays become contiguous, and small integers; then all elements but one that the failure can do without become 0, in
    ever smaller pieces; what is left becomes 1, or loses digits. Of a multilinear operator, if the implementation is
    multilinear, too, one element of each array is left: what is wrong with a sum is wrong with one of its terms.
    """
    for name in _floating(case):
        for simpler in _simpler_wholes(case, name):
            if time.perf_counter() < until and fails(simpler):
                case = simpler
                break
    for name in _floating(case):
        if _writable(case.arrays[name]):
            case = _with_zeros(case, name, fails, until)
            case = _with_small_numbers(case, name, fails, until)
    return case


def _floating(case: Case) -> list[str]:
    """Return the names of the arrays that aren't indices, those first that others are multiplied with."""
    names = [name for name, array in case.arrays.items() if array is not None and array.dtype.kind != "i"]
    return [*names[1:], *names[:1]]


def _writable(array: Array | None) -> bool:
    """Whether elements are apart in memory."""
    return array is not None and all(
        stride or length < 2 for length, stride in zip(array.shape, array.strides, strict=True)
    )


def _simpler_wholes(case: Case, name: str) -> Iterator[Case]:
    array = case.arrays[name]
    assert array is not None
    if array.size == 0:
        return
    layout = layout_of(array)
    integers = np.clip(np.nan_to_num(np.rint(array.astype(np.float64))), -4, 4).astype(array.dtype)
    if layout != "contiguous":
        yield _replaced(case, name, integers, "contiguous")
        yield _replaced(case, name, array, "contiguous")
    if (integers != array).any():
        yield _replaced(case, name, integers, layout)


def _with_zeros(case: Case, name: str, fails: Fails, until: float) -> Case:
    """Set to 0 what the failure can do without, in halves, quarters, and so on down to single elements."""
    array = case.arrays[name]
    assert array is not None
    values, layout = np.array(array), layout_of(array)
    piece = values.size
    while piece and time.perf_counter() < until:
        for start in range(0, values.size, piece):
            fewer = values.copy()
            fewer.ravel()[start : start + piece] = 0
            useful = fewer.any() and (fewer != values).any() and time.perf_counter() < until
            if useful and fails(simpler := _replaced(case, name, fewer, layout)):
                case, values = simpler, fewer
        piece //= 2
    return case


def _with_small_numbers(case: Case, name: str, fails: Fails, until: float) -> Case:
    """Make elements that aren't 0 as short as they can be, one after the other."""
    array = case.arrays[name]
    assert array is not None
    values, layout = np.array(array), layout_of(array)
    for place in np.flatnonzero(values).tolist():
        for number in _shorter(float(values.ravel()[place])):
            shorter = values.copy()
            shorter.ravel()[place] = number
            if time.perf_counter() < until and fails(simpler := _replaced(case, name, shorter, layout)):
                case, values = simpler, shorter
                break
    return case


def _shorter(number: float) -> Iterator[float]:
    """Yield numbers that are simpler than `number`, the simplest first."""
    if not np.isfinite(number):
        return
    for candidate in (1.0, 2.0, round(number), 0.1, round(number, 1), round(number, 3)):
        if candidate == number:
            return
        if abs(candidate) < 1e6:
            yield candidate


def _replaced(case: Case, name: str, values: Array, layout: str) -> Case:
    arrays = {**case.arrays, name: lay_out(values, layout)}
    grad_output: Any = arrays["grad_output"]  # which is never None
    return Case(case.operator, tuple(arrays[key] for key in case.row.inputs), case.attributes, grad_output)
