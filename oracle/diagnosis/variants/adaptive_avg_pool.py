"""Wrong adaptive pooling of averages."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.adaptive_windows import MISTAKES, Bounds, right, sizes_of, taps_between
from oracle.diagnosis.variants.arrays import first_of_batch
from oracle.diagnosis.variants.general import raising_on_an_empty_batch
from oracle.diagnosis.variants.windows import Sizes, places, scattered
from refconv import InputGradient
from refconv.arguments import Array
from refconv.averages import Averages, averages, shares
from refconv.maxima import flat_planes
from refconv.resampling import Ranges

wrong = Catalogue()


def _averages(input: Array, sizes: Sizes, bounds: Callable[[int, int], Bounds]) -> Averages:
    axes = zip(input.shape[2:], sizes, strict=True)
    windows = tuple(Ranges(size, *bounds(size, outputs)) for size, outputs in axes)
    counts = [(window.end - window.begin).astype(np.float64) for window in windows]
    return Averages(np.ascontiguousarray(input), windows, reduce(np.multiply.outer, counts))


_END_ROUNDED, _ONE_SIZE = MISTAKES[0][0], MISTAKES[3][0]
_REPORTED = {_END_ROUNDED: "FlagOpen/FlagGems#4915"}
_REPORTED_BACKWARD = {**_REPORTED, _ONE_SIZE: "PaddlePaddle/Paddle#74077"}

for _name, _cause, _bounds in MISTAKES:

    @wrong("adaptive_avg_pool", _name, _cause, thread=_REPORTED.get(_name))
    def _misplaced(input: Array, bounds: Any = _bounds, **attributes: Any) -> Array:
        return averages(_averages(input, sizes_of(input, attributes), bounds))

    @wrong("adaptive_avg_pool_backward", _name, _cause, thread=_REPORTED_BACKWARD.get(_name))
    def _misplaced_backward(
        grad_output: Array, input: Array, bounds: Any = _bounds, **attributes: Any
    ) -> InputGradient:
        call = _averages(input, sizes_of(input, attributes), bounds)
        return InputGradient(shares(call, np.ascontiguousarray(grad_output)))


@wrong("adaptive_avg_pool", "output_size swapped between axes", "The output's size is read as (x, y).")
def _swapped(input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_avg_pool(input, output_size=sizes_of(input, attributes)[::-1])


@wrong(
    "adaptive_avg_pool",
    "every element of the batch gets the first one's result",
    "The batch's offset is missing.",
    thread="pytorch/pytorch#179931",
)
def _first_of_batch(input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_avg_pool(first_of_batch(input), **attributes)


@wrong(
    "adaptive_avg_pool_backward",
    "every element of the batch gets the first one's gradient",
    "The batch's offset is missing.",
)
def _first_of_batch_backward(grad_output: Array, input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_avg_pool_backward(first_of_batch(grad_output), first_of_batch(input), **attributes)


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
        call = _averages(input, sizes_of(input, attributes), right)
        return averages(call._replace(divisor=divisor(call)))

    @wrong("adaptive_avg_pool_backward", _name, _cause)
    def _divided_backward(
        grad_output: Array, input: Array, divisor: Any = _divisor, **attributes: Any
    ) -> InputGradient:
        call = _averages(input, sizes_of(input, attributes), right)
        return InputGradient(shares(call._replace(divisor=divisor(call)), np.ascontiguousarray(grad_output)))


@wrong(
    "adaptive_avg_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that holds an element wins.",
)
def _assigned(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    call = _averages(input, sizes_of(input, attributes), right)
    at, there = places(taps_between(input, sizes_of(input, attributes), right))
    shared = (np.ascontiguousarray(grad_output) / call.divisor).astype(input.dtype)
    values = np.broadcast_to(flat_planes(shared)[..., None], (*flat_planes(shared).shape, at.shape[1]))
    return InputGradient(scattered(values, np.where(there, at, -1), input, add=False))


raising_on_an_empty_batch(wrong, "adaptive_avg_pool", "pytorch/pytorch#38115")
