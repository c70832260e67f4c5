"""Wrong adaptive pooling, of averages and of maxima: most mistakes are about where windows begin and end."""

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.windows import Sizes, first_of_batch, last_choices, places, scattered, winners
from refconv import InputGradient
from refconv.arguments import Array, per_axis
from refconv.averages import Averages, averages, shares
from refconv.maxima import Taps, adaptive_taps, choices, flat_planes, grad_chosen, maxima
from refconv.resampling import Ranges

Bounds: TypeAlias = tuple[Array, Array]  # where windows begin, and where they end

wrong = Catalogue()


def _right(size: int, outputs: int) -> Bounds:
    o = np.arange(outputs)
    return o * size // outputs, -(-(o + 1) * size // outputs)


def _end_rounded_down(size: int, outputs: int) -> Bounds:
    begin, _ = _right(size, outputs)
    return begin, np.maximum((np.arange(outputs) + 1) * size // outputs, begin + 1)


def _begin_rounded_up(size: int, outputs: int) -> Bounds:
    _, end = _right(size, outputs)
    return np.minimum(-(-np.arange(outputs) * size // outputs), end - 1), end


def _both_rounded(size: int, outputs: int) -> Bounds:
    edges = (2 * np.arange(outputs + 1) * size + outputs) // (2 * outputs)
    begin = np.minimum(edges[:-1], size - 1)
    return begin, np.maximum(edges[1:], begin + 1)


def _one_size(size: int, outputs: int) -> Bounds:
    stride = size // outputs
    if stride == 0:
        return _right(size, outputs)
    begin = np.arange(outputs) * stride
    return begin, begin + size - (outputs - 1) * stride


def _side_by_side(size: int, outputs: int) -> Bounds:
    kernel = -(-size // outputs)
    begin = np.minimum(np.arange(outputs) * kernel, size - 1)
    return begin, np.minimum(begin + kernel, size)


_MISTAKES: list[tuple[str, str, Callable[[int, int], Bounds], str | None]] = [
    (
        "window's end rounded down in place of up",
        "The end is computed by the integer division that the begin needs.",
        _end_rounded_down,
        "FlagOpen/FlagGems#4915",
    ),
    ("window's begin rounded up in place of down", "The begin is computed as the end is.", _begin_rounded_up, None),
    (
        "window's begin and end rounded to the nearest",
        "Both are rounded, so windows never overlap.",
        _both_rounded,
        None,
    ),
    (
        "one size and stride for all windows",
        "A pooling with stride size // output_size takes its place, right only where the sizes divide.",
        _one_size,
        None,
    ),
    (
        "windows of the rounded-up size side by side",
        "A pooling with kernel and stride ceil(size / output_size) takes its place.",
        _side_by_side,
        None,
    ),
]


def _sizes(input: Array, attributes: dict[str, Any]) -> Sizes:
    return per_axis("output_size", attributes["output_size"], input.ndim - 2, at_least=1)


def _taps(input: Array, sizes: Sizes, bounds: Callable[[int, int], Bounds]) -> list[Taps]:
    axes = [(size, *bounds(size, outputs)) for size, outputs in zip(input.shape[2:], sizes, strict=True)]
    return [Taps(begin, end - begin, 1, size) for size, begin, end in axes]


def _averages(input: Array, sizes: Sizes, bounds: Callable[[int, int], Bounds]) -> Averages:
    axes = zip(input.shape[2:], sizes, strict=True)
    windows = tuple(Ranges(size, *bounds(size, outputs)) for size, outputs in axes)
    counts = [(window.end - window.begin).astype(np.float64) for window in windows]
    return Averages(np.ascontiguousarray(input), windows, reduce(np.multiply.outer, counts))


for _name, _cause, _bounds, _thread in _MISTAKES:
    _paddle = "PaddlePaddle/Paddle#74077" if _bounds is _one_size else _thread

    @wrong("adaptive_avg_pool", _name, _cause, thread=_thread)
    def _avg(input: Array, bounds: Any = _bounds, **attributes: Any) -> Array:
        return averages(_averages(input, _sizes(input, attributes), bounds))

    @wrong("adaptive_avg_pool_backward", _name, _cause, thread=_paddle)
    def _avg_backward(grad_output: Array, input: Array, bounds: Any = _bounds, **attributes: Any) -> InputGradient:
        call = _averages(input, _sizes(input, attributes), bounds)
        return InputGradient(shares(call, np.ascontiguousarray(grad_output)))

    @wrong("adaptive_max_pool", _name, _cause)
    def _max(input: Array, bounds: Any = _bounds, **attributes: Any) -> Array:
        return maxima(np.ascontiguousarray(input), _taps(input, _sizes(input, attributes), bounds))

    @wrong("adaptive_max_pool_backward", _name, _cause)
    def _max_backward(grad_output: Array, input: Array, bounds: Any = _bounds, **attributes: Any) -> InputGradient:
        taps = _taps(input, _sizes(input, attributes), bounds)
        chosen = choices(np.ascontiguousarray(input), taps)
        return InputGradient(grad_chosen(np.ascontiguousarray(grad_output), chosen, taps))


for _called in ("adaptive_avg_pool", "adaptive_max_pool"):

    @wrong(_called, "output_size swapped between axes", "The output's size is read as (x, y).")
    def _swapped(input: Array, called: str = _called, **attributes: Any) -> Any:
        return refconv.operators[called].forward(input, output_size=_sizes(input, attributes)[::-1])

    @wrong(
        _called,
        "every element of the batch gets the first one's result",
        "The batch's offset is missing.",
        thread="pytorch/pytorch#179931" if _called == "adaptive_avg_pool" else None,
    )
    def _first_of_batch(input: Array, called: str = _called, **attributes: Any) -> Any:
        return refconv.operators[called].forward(first_of_batch(input), **attributes)

    @wrong(
        f"{_called}_backward",
        "every element of the batch gets the first one's gradient",
        "The batch's offset is missing.",
    )
    def _first_of_batch_backward(grad_output: Array, input: Array, called: str = _called, **attributes: Any) -> Any:
        grads = first_of_batch(grad_output), first_of_batch(input)
        return refconv.operators[called].backward(*grads, **attributes)


# Averages: the divisor, and how gradients add up.


def _fixed_divisor(call: Averages) -> Array:
    """Return the size of each window if all had that of the quotient, rounded down."""
    return np.array(np.prod([max(window.inputs // window.outputs, 1) for window in call.windows]), np.float64)


def _mean_divisor(call: Averages) -> Array:
    return np.array(np.prod([window.inputs / window.outputs for window in call.windows]))


_DIVISORS: list[tuple[str, str, Callable[[Averages], Array]]] = [
    ("not divided", "The windows' sums are returned, or their gradients.", lambda _: np.ones(())),
    ("divided by one size for all windows", "The divisor is size // output_size.", _fixed_divisor),
    (
        "divided by the mean size of windows",
        "The divisor is size / output_size, though windows overlap.",
        _mean_divisor,
    ),
]

for _name, _cause, _divisor in _DIVISORS:

    @wrong("adaptive_avg_pool", _name, _cause)
    def _divided(input: Array, divisor: Any = _divisor, **attributes: Any) -> Array:
        call = _averages(input, _sizes(input, attributes), _right)
        return averages(call._replace(divisor=divisor(call)))

    @wrong("adaptive_avg_pool_backward", _name, _cause)
    def _divided_backward(
        grad_output: Array, input: Array, divisor: Any = _divisor, **attributes: Any
    ) -> InputGradient:
        call = _averages(input, _sizes(input, attributes), _right)
        return InputGradient(shares(call._replace(divisor=divisor(call)), np.ascontiguousarray(grad_output)))


@wrong(
    "adaptive_avg_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that holds an element wins.",
)
def _assigned_average(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    call = _averages(input, _sizes(input, attributes), _right)
    at, there = places(_taps(input, _sizes(input, attributes), _right))
    shared = (np.ascontiguousarray(grad_output) / call.divisor).astype(input.dtype)
    values = np.broadcast_to(flat_planes(shared)[..., None], (*flat_planes(shared).shape, at.shape[1]))
    return InputGradient(scattered(values, np.where(there, at, -1), input, add=False))


# Maxima: NaN, and which elements get the gradient.


@wrong(
    "adaptive_max_pool",
    "NaN ignored",
    "`value > maximum` is false for a NaN, so it never becomes the maximum.",
    thread="pytorch/pytorch#7645",
)
def _nan_ignored(input: Array, **attributes: Any) -> Array:
    return refconv.adaptive_max_pool(np.where(np.isnan(input), -np.inf, input).astype(input.dtype), **attributes)


@wrong(
    "adaptive_max_pool", "maximum starts at 0", "The running maximum is initialised with 0, so it is never negative."
)
def _starts_at_zero(input: Array, **attributes: Any) -> Array:
    return np.maximum(refconv.adaptive_max_pool(input, **attributes), 0)


@wrong("adaptive_max_pool_backward", "NaN gets no gradient", "No element equals a maximum that is NaN.")
def _nan_without_gradient(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    output = refconv.adaptive_max_pool(input, **attributes)
    return refconv.adaptive_max_pool_backward(np.where(np.isnan(output), 0, grad_output), input, **attributes)


@wrong(
    "adaptive_max_pool_backward",
    "every one of equal maxima gets the whole gradient",
    "The gradient is masked with `input == output`.",
)
def _ties_all(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    taps = adaptive_taps(input.shape[2:], _sizes(input, attributes))
    at, _ = places(taps)
    wins = winners(input, taps)
    values = (flat_planes(np.ascontiguousarray(grad_output))[..., None] * wins).astype(input.dtype)
    return InputGradient(scattered(values, np.where(wins, at, -1), input))


@wrong("adaptive_max_pool_backward", "gradient goes to the last of equal maxima", "The comparison is `>=`, not `>`.")
def _ties_last(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = last_choices(input, adaptive_taps(input.shape[2:], _sizes(input, attributes)))
    grad = flat_planes(np.ascontiguousarray(grad_output))
    return InputGradient(scattered(grad, flat_planes(chosen), input))


@wrong(
    "adaptive_max_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that chose an element wins.",
    thread="FluxML/NNlib.jl#205",
)
def _assigned_maximum(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = choices(np.ascontiguousarray(input), adaptive_taps(input.shape[2:], _sizes(input, attributes)))
    grad = flat_planes(np.ascontiguousarray(grad_output))
    return InputGradient(scattered(grad, flat_planes(chosen), input, add=False))
