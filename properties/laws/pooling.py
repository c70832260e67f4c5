"""Laws of `max_pool`, `avg_pool` and `lp_pool`, whose windows slide."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf, prod
from typing import Any

import numpy as np

from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, at, call, exact, generator, planes
from refconv.arguments import Array
from refconv.geometry import Window, read_pool_window
from refconv.rounding import Rounded

law = Laws()

_POOLS = ("max_pool", "avg_pool", "lp_pool")


def _window(case: Case) -> Window:
    attributes = case.attributes
    rank = array(case, "input").ndim - 2
    how = {name: attributes.get(name, default) for name, default in (("padding", 0), ("dilation", 1))}
    return read_pool_window(attributes["kernel_size"], rank, stride=attributes["stride"], **how)


def _without_indices(case: Case) -> Case:
    return but(case, return_indices=False) if case.operator == "max_pool" else case


def _shared(one: Rounded, other: Rounded) -> tuple[Rounded, Rounded]:
    """Return of both what stands at the places that both have."""
    index = at(*(slice(None, min(counts)) for counts in zip(one.shape[2:], other.shape[2:], strict=True)))
    return one[index], other[index]


@law(*_POOLS)
def stride_skips(calls: Calls, case: Case) -> Iterator[Equation]:
    """Stride s keeps each s-th output of stride 1: window o begins at position o * s."""
    window, plain = _window(case), but(_without_indices(case), ceil_mode=False)
    axes = zip(array(case, "input").shape[2:], window.padding, window.extent, strict=True)
    if any(length + sum(pair) < extent for length, pair, extent in axes):
        return
    dense = calls.forward(but(plain, stride=1))
    index = tuple(slice(None, None, stride) for stride in window.stride)
    yield Equation(calls.forward(plain), dense[at(*index)])


@law(*_POOLS)
def ceil_mode_moves_no_window(calls: Calls, case: Case) -> Iterator[Equation]:
    """`ceil_mode` decides which windows there are; those that are there with it and without it are the same."""
    window = _window(case)
    axes = zip(array(case, "input").shape[2:], window.padding, window.extent, strict=True)
    if case.attributes["ceil_mode"] and all(length + sum(pair) >= extent for length, pair, extent in axes):
        plain = _without_indices(case)
        yield Equation(*_shared(calls.forward(plain), calls.forward(but(plain, ceil_mode=False))))


@law(*_POOLS)
def window_decides(calls: Calls, case: Case) -> Iterator[Equation]:
    """An output is the maximum, the average or the norm of what its window sees of the input, and of nothing else.

    The average is over the whole window, padding included, or over what lies inside, as `count_include_pad` has it.
    """
    if case.grad_output.size == 0:
        return
    window, plain = _window(case), _without_indices(case)
    rng, signal = generator(case), array(case, "input")
    place = [int(rng.integers(length)) for length in case.grad_output.shape[2:]]
    seen, counted = [], 1
    axes = zip(place, signal.shape[2:], *window, window.extent, strict=True)
    for o, length, kernel, stride, (before, after), dilation, extent in axes:
        begin = o * stride - before
        taps = [begin + k * dilation for k in range(kernel)]
        seen.append([tap for tap in taps if 0 <= tap < length])
        counted *= min(begin + extent, length + after) - begin if case.operator == "avg_pool" else 1
    crop = signal[np.ix_(*map(range, signal.shape[:2]), *seen)].astype(np.float64)
    rows = exact(planes(crop))
    output = calls.forward(plain)[at(*place)]
    if not rows.value.shape[-1]:
        empty = -inf if case.operator == "max_pool" else 0.0
        if case.operator == "max_pool" or case.attributes.get("count_include_pad"):
            yield Equation(output, np.full(output.shape, empty), f"output at {place}")
        return
    norm: Any = case.attributes.get("norm_type")
    if case.operator == "max_pool" or norm == inf:
        values = rows if norm is None else exact(abs(rows.value))
        expected = values.max(-1, keepdims=False)
    elif case.operator == "avg_pool":
        inside = counted if case.attributes["count_include_pad"] else rows.shape[-1]
        expected = rows.sum(-1, keepdims=False) / (case.attributes["divisor_override"] or inside)
    else:
        magnitude = abs(rows.value).max(-1, keepdims=True, initial=0)
        scale = np.where(magnitude > 0, magnitude, 1)
        powers = (exact(abs(rows.value)) / scale) ** norm
        expected = powers.sum(-1, keepdims=False) ** (1 / norm) * scale[..., 0]
    yield Equation(output, expected, f"output at {place}")


@law(*_POOLS)
def tiles_are_reduced(calls: Calls, case: Case) -> Iterator[Equation]:
    """Windows side by side, without padding, are the rows of a reshaped input, each reduced by itself."""
    window, signal = _window(case), array(case, "input")
    counts = [length // kernel for length, kernel in zip(signal.shape[2:], window.kernel, strict=True)]
    if 0 in counts:
        return
    whole = tuple(slice(0, count * kernel) for count, kernel in zip(counts, window.kernel, strict=True))
    cut = signal[at(*whole)]
    changes: dict[str, Any] = {"padding": 0, "dilation": 1, "ceil_mode": False, "stride": None, "return_indices": False}
    plain = but(case, input=cut, **{name: value for name, value in changes.items() if name in case.attributes})
    pairs = [size for pair in zip(counts, window.kernel, strict=True) for size in pair]
    rank = len(counts)
    tiles = cut.reshape(*cut.shape[:2], *pairs).transpose(0, 1, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))
    rows = tiles.reshape(*cut.shape[:2], prod(counts), prod(window.kernel))
    by_row = but(plain, input=rows, kernel_size=(1, prod(window.kernel)))
    shape = (*cut.shape[:2], *counts)
    yield Equation(calls.forward(plain), calls.forward(by_row).moved(lambda values: values.reshape(shape)))


@law("avg_pool", needs=["conv"])
def average_is_a_depthwise_convolution(calls: Calls, case: Case) -> Iterator[Equation]:
    """The sum over each window is a depthwise convolution whose kernel is 1 everywhere."""
    attributes, signal = case.attributes, array(case, "input")
    if attributes["ceil_mode"] or not attributes["count_include_pad"] or not signal.shape[1]:
        return
    window = _window(case)
    channels = signal.shape[1]
    ones = np.ones((channels, 1, *window.kernel), case.dtype)
    sums = calls.forward(call("conv", signal, ones, stride=window.stride, padding=window.padding, groups=channels))
    divisor: Any = attributes["divisor_override"] or prod(window.kernel)
    yield Equation(calls.forward(case), sums / float(divisor))


@law("max_pool", "adaptive_max_pool")
def increasing_functions_pass_through(calls: Calls, case: Case) -> Iterator[Equation]:
    """The maximum of 2 x is twice that of x, and what is cut off at 0 before has its maximum cut off: max commutes.

    With every function that doesn't decrease.
    """
    case = _without_indices(case)
    signal = array(case, "input")
    output = calls.forward(case)
    if not np.isneginf(output.value).any():  # where a window sees nothing, there is nothing to cut off
        cut = output.moved(lambda values: np.maximum(values, 0))
        yield Equation(calls.forward(but(case, input=np.maximum(signal, 0))), cut, "output of relu")
    doubled = signal * signal.dtype.type(2)
    yield Equation(calls.forward(but(case, input=doubled)), output * 2.0, "output of 2 x")


@law("max_pool")
def index_is_where_the_maximum_is(calls: Calls, case: Case) -> Iterator[Equation]:
    """The input at the index that is returned is the output: indices are flat over the spatial axes."""
    if not case.attributes["return_indices"]:
        return
    signal, outputs = array(case, "input"), calls.outputs(case)
    indices = outputs["indices"].value.astype(np.int64)
    rows = planes(signal)
    inside = (indices >= 0) & (indices < max(rows.shape[-1], 1))
    if not indices.size:
        return
    at = np.where(inside, indices, 0).reshape(*signal.shape[:2], -1)
    found = np.take_along_axis(rows, at, -1).reshape(indices.shape).astype(np.float64)
    yield Equation(outputs["output"], np.where(inside, found, -inf), "output, by its indices")


def _ranks(signal: Array) -> Array:
    """Return the place of each element among those of its channel, by size."""
    order = np.argsort(np.argsort(planes(signal), axis=-1, kind="stable"), axis=-1)
    return order.reshape(signal.shape).astype(signal.dtype)


def _some_goes_to_the_index(calls: Calls, case: Case) -> Iterator[Equation]:
    indices = calls.outputs(but(case, return_indices=True))["indices"].value.astype(np.int64)
    at, positions = planes(indices), prod(array(case, "input").shape[2:])
    if not at.size or not ((at >= 0) & (at < positions)).all():
        return
    window = int(generator(case).integers(at.shape[-1]))
    grad_output = np.zeros(at.shape, case.dtype)
    grad_output[..., window] = 1
    gradient = calls.backward(but(case, grad_output=grad_output.reshape(case.grad_output.shape)))["input"]
    there = gradient.moved(lambda values: np.take_along_axis(planes(values), at[..., window, None], -1))
    yield Equation(there, np.where(there.value <= 0, 1.0, there.value), "grad_input at an index")


@law("max_pool", backward=True)
def gradient_goes_to_the_index(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each element of grad_output goes back to where its maximum came from, and adds up with others there.

    Equal maxima may share it: so elements are replaced by their ranks, of which no two are equal. As they are, some of
    the gradient of one window goes to its index.
    """
    yield from _some_goes_to_the_index(calls, case)
    signal = _ranks(array(case, "input"))
    case = but(case, input=signal)
    if _tied(signal):  # there are more than the format tells apart
        return
    indices = calls.outputs(but(case, return_indices=True))["indices"].value.astype(np.int64)
    rows = planes(signal)
    if not indices.size or not ((indices >= 0) & (indices < rows.shape[-1])).all():
        return
    laid = exact(np.zeros(rows.shape))
    at = planes(indices)
    gradient = case.grad_output.astype(np.float64).reshape(at.shape)
    for sample, channel in np.ndindex(*signal.shape[:2]):
        np.add.at(laid.value[sample, channel], at[sample, channel], gradient[sample, channel])
        np.add.at(laid.error[sample, channel], at[sample, channel], 2.0**-50 * abs(gradient[sample, channel]))
    yield Equation(calls.backward(case)["input"], laid.moved(lambda values: values.reshape(signal.shape)), "grad_input")


@law("max_pool", "adaptive_max_pool", backward=True, forward=False)
def gradient_is_handed_on_whole(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradient of the input sums up to grad_output: each of its elements goes to one place.

    That of a window of nothing but padding goes nowhere. NaN, which is equal to none, may make it 0 / 0.
    """
    signal, grad_output = array(case, "input"), case.grad_output
    if case.operator == "max_pool":
        for seeing in np.meshgrid(*_seeing(case), indexing="ij", sparse=True):
            grad_output = np.where(seeing, grad_output, grad_output.dtype.type(0))
    axes = tuple(range(2, signal.ndim))
    gradient = calls.backward(case)["input"].sum(axes, keepdims=False)
    total = exact(grad_output).sum(axes, keepdims=False)
    lost = np.isnan(signal.astype(np.float64)).any(axes) & np.isnan(gradient.value)
    yield Equation(gradient, replace(total, value=np.where(lost, np.nan, total.value)), "sum of grad_input")


def _tied(signal: Array) -> bool:
    """Whether any two elements of a channel are equal."""
    return bool((np.diff(np.sort(planes(signal).astype(np.float64))) == 0).any())


def _seeing(case: Case) -> list[Array]:
    """Return, for each axis, which windows see any of the input."""
    window = _window(case)
    seeing: list[Array] = []
    lengths = zip(array(case, "input").shape[2:], case.grad_output.shape[2:], strict=True)
    for axis, (length, windows) in enumerate(lengths):
        first = np.arange(windows) * window.stride[axis] - window.padding[axis][0]
        taps = first[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
        seeing.append(((taps >= 0) & (taps < length)).any(1))
    return seeing
