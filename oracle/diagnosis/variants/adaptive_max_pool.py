"""Wrong adaptive pooling of maxima."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.adaptive_windows import MISTAKES, sizes_of, taps_between
from oracle.diagnosis.variants.arrays import first_of_batch
from oracle.diagnosis.variants.windows import last_choices, places, scattered, winners
from refconv import InputGradient
from refconv.arguments import Array
from refconv.maxima import adaptive_taps, choices, flat_planes, grad_chosen, maxima

wrong = Catalogue()


for _name, _cause, _bounds in MISTAKES:

    @wrong("adaptive_max_pool", _name, _cause)
    def _misplaced(input: Array, bounds: Any = _bounds, **attributes: Any) -> Array:
        return maxima(np.ascontiguousarray(input), taps_between(input, sizes_of(input, attributes), bounds))

    @wrong("adaptive_max_pool_backward", _name, _cause)
    def _misplaced_backward(
        grad_output: Array, input: Array, bounds: Any = _bounds, **attributes: Any
    ) -> InputGradient:
        taps = taps_between(input, sizes_of(input, attributes), bounds)
        chosen = choices(np.ascontiguousarray(input), taps)
        return InputGradient(grad_chosen(np.ascontiguousarray(grad_output), chosen, taps))


@wrong("adaptive_max_pool", "output_size swapped between axes", "The output's size is read as (x, y).")
def _swapped(input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_max_pool(input, output_size=sizes_of(input, attributes)[::-1])


@wrong(
    "adaptive_max_pool",
    "every element of the batch gets the first one's result",
    "The batch's offset is missing.",
)
def _first_of_batch(input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_max_pool(first_of_batch(input), **attributes)


@wrong(
    "adaptive_max_pool_backward",
    "every element of the batch gets the first one's gradient",
    "The batch's offset is missing.",
)
def _first_of_batch_backward(grad_output: Array, input: Array, **attributes: Any) -> Any:
    return refconv.adaptive_max_pool_backward(first_of_batch(grad_output), first_of_batch(input), **attributes)


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


@wrong(
    "adaptive_max_pool",
    "maximum starts at the lowest finite number",
    "The running maximum is initialised with -FLT_MAX, so it is never -inf.",
)
def _starts_at_lowest(input: Array, **attributes: Any) -> Array:
    return np.asarray(np.maximum(refconv.adaptive_max_pool(input, **attributes), np.finfo(input.dtype).min))


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
    taps = adaptive_taps(input.shape[2:], sizes_of(input, attributes))
    at, _ = places(taps)
    wins = winners(input, taps)
    values = (flat_planes(np.ascontiguousarray(grad_output))[..., None] * wins).astype(input.dtype)
    return InputGradient(scattered(values, np.where(wins, at, -1), input))


@wrong("adaptive_max_pool_backward", "gradient goes to the last of equal maxima", "The comparison is `>=`, not `>`.")
def _ties_last(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = last_choices(input, adaptive_taps(input.shape[2:], sizes_of(input, attributes)))
    grad = flat_planes(np.ascontiguousarray(grad_output))
    return InputGradient(scattered(grad, flat_planes(chosen), input))


@wrong(
    "adaptive_max_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that chose an element wins.",
    thread="FluxML/NNlib.jl#205",
)
def _assigned(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = choices(np.ascontiguousarray(input), adaptive_taps(input.shape[2:], sizes_of(input, attributes)))
    grad = flat_planes(np.ascontiguousarray(grad_output))
    return InputGradient(scattered(grad, flat_planes(chosen), input, add=False))
