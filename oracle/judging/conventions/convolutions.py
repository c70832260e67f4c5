"""Conventions of convolutions and of padding: zeros that are inserted and multiplied, and padding beyond the size."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

import refconv
from oracle.judging.conventions.convention import Asked, Convention, Results
from oracle.judging.values import Expected
from properties import Case
from properties.axes import within
from properties.case import array, but
from refconv import Bound, InvalidTypeError, InvalidValueError
from refconv.arguments import Array
from refconv.geometry import Window, read_padding, read_window

_LARGEST = 1 << 24  # elements that padding makes: nobody means more

Sources: TypeAlias = list[Array]
"""Along each spatial axis, the position of the input that each padded one repeats."""


def _inserted(array: Array, steps: Sequence[int]) -> Array:
    """Return 1 where zeros are inserted between the elements of `array` along its spatial axes, else 0."""
    sizes = [(size - 1) * step + 1 for size, step in zip(array.shape[2:], steps, strict=True)]
    zeros = np.ones((*array.shape[:2], *sizes))
    zeros[within(slice(None), slice(None), *(slice(None, None, step) for step in steps))] = 0
    return zeros


def _zeros_multiplied(asked: Asked) -> Results | None:
    """Return NaN where a zero meets what isn't finite, one inserted into a kernel, or into the output's gradient."""
    input, weight = array(asked.case, "input"), array(asked.case, "weight")
    if asked.expected is None or np.isfinite(input).all():
        return None
    window = read_window(weight.shape[2:], **_windowed(asked.case), words=True)
    marked = refconv.pad((~np.isfinite(input)).astype(float), padding=window.padding, mode=_mode(asked.case))
    groups: Any = asked.case.attributes["groups"]
    if asked.direction == "forward":
        zeros = _inserted(weight, window.dilation)
        met = refconv.conv(marked, zeros, stride=window.stride, groups=groups) > 0
    else:
        zeros = _inserted(asked.case.grad_output, window.stride)
        last = zip(zeros.shape[2:], window.extent, strict=True)
        seen = marked[within(slice(None), slice(None), *(slice(size + extent - 1) for size, extent in last))]
        plain = np.zeros(weight.shape)
        met = refconv.conv_backward(zeros, seen, plain, dilation=window.dilation, groups=groups).weight > 0
    if not met.any():
        return None
    name = "output" if asked.direction == "forward" else "grad_weight"
    expected = asked.expected[name]
    assert expected is not None
    return {**asked.expected, name: expected._replace(value=np.where(met, np.nan, expected.value))}


def _windowed(case: Case) -> dict[str, Any]:
    return {name: case.attributes[name] for name in ("stride", "padding", "dilation")}


def _mode(case: Case) -> str:
    mode: Any = case.attributes["padding_mode"]
    return str(mode)


def _sources(case: Case, mode: str, padding: Sequence[tuple[int, int]]) -> Sources | None:
    """Return what a padding repeats that is larger than the definition allows, by NumPy; None where it isn't."""
    sizes = array(case, "input").shape[2:]
    slack = {"reflect": -1, "circular": 0}.get(mode)
    padded = [size + before + after for size, (before, after) in zip(sizes, padding, strict=True)]
    planes = int(np.prod(array(case, "input").shape[:2]))
    if slack is None or min(sizes) < 1 or planes * np.prod(padded, dtype=float) > _LARGEST:
        return None
    if all(max(pair) <= size + slack for size, pair in zip(sizes, padding, strict=True)):
        return None
    words: Any = {"reflect": "reflect", "circular": "wrap"}[mode]
    return [np.pad(np.arange(size), pair, words) for size, pair in zip(sizes, padding, strict=True)]


def _extended(signal: Array, sources: Sources) -> Array:
    for axis, source in enumerate(sources, start=2):
        signal = signal.take(source, axis)
    return signal


def _folded(gradient: Array, sources: Sources, size: Sequence[int]) -> Array:
    """Return the gradient of what was extended: the sum of all positions that repeat one."""
    for axis, (source, length) in enumerate(zip(sources, size, strict=True), start=2):
        folded = np.zeros((*gradient.shape[:axis], length, *gradient.shape[axis + 1 :]))
        np.add.at(np.moveaxis(folded, axis, 0), source, np.moveaxis(gradient, axis, 0))
        gradient = folded
    return gradient


def _folded_result(asked: Asked, expected: Expected, sources: Sources) -> Expected:
    """Return the gradient of what was extended, with its bounds: an addition is rounded for each repetition."""
    size = array(asked.case, "input").shape[2:]
    terms = np.prod([np.bincount(source).max() for source in sources])
    unit = asked.arithmetic.accumulation + asked.arithmetic.storage
    exact = not expected.bound.rigorous.any() and bool((expected.value == np.rint(expected.value)).all())
    added = (0 if exact else terms * unit) * _folded(abs(expected.value), sources, size)
    errors = (_folded(error, sources, size) + added for error in expected.bound)
    return Expected(_folded(expected.value, sources, size), Bound(*errors))


def _repeated(asked: Asked) -> Results | None:
    """Return what comes of a reflection, or a repetition, that begins anew where the input ends, as NumPy's."""
    try:
        mode, window = _padded(asked.case)
    except (InvalidTypeError, InvalidValueError):
        return None
    sources = _sources(asked.case, mode, window.padding)
    if sources is None:
        return None
    extended = _extended(array(asked.case, "input"), sources)
    changes = {"mode": "zeros"} if asked.case.operator == "pad" else {"padding_mode": "zeros"}
    expected = asked.expect(but(asked.case, input=extended, padding=0, **changes))
    if expected is None or asked.direction == "forward":
        return expected
    grad_input = expected["grad_input"]
    assert grad_input is not None
    return {**expected, "grad_input": _folded_result(asked, grad_input, sources)}


def _padded(case: Case) -> tuple[str, Window]:
    rank = array(case, "input").ndim - 2
    if case.operator == "pad":
        ones = (1,) * rank
        return str(case.attributes["mode"]), Window(ones, ones, read_padding(case.attributes["padding"], rank), ones)
    return _mode(case), read_window(array(case, "weight").shape[2:], **_windowed(case), words=True)


def conventions() -> Iterator[Convention]:
    """Yield those of convolutions and of padding."""
    both = ("forward", "backward")
    conv = frozenset(("conv", direction) for direction in both)
    yield Convention("inserted zeros are multiplied", conv, _zeros_multiplied)
    yield Convention("padding beyond the size repeats", conv | {("pad", direction) for direction in both}, _repeated)
