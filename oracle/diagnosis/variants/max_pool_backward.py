"""Wrong gradients of maximum pooling."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_of_batch
from oracle.diagnosis.variants.windows import (
    DILATIONS,
    PADDINGS,
    STEPS,
    Misreading,
    last_choices,
    lost_without_ceil,
    places,
    scattered,
    taps_of,
    window_of,
    winners,
)
from refconv import InputGradient
from refconv.arguments import Array
from refconv.maxima import Taps, choices, flat_planes, grad_chosen, window_taps

wrong = Catalogue()


def _to_chosen(grad_output: Array, input: Array, taps: list[Taps]) -> InputGradient:
    chosen = choices(np.ascontiguousarray(input), taps)
    return InputGradient(grad_chosen(np.ascontiguousarray(grad_output), chosen, taps))


def _flat(grad_output: Array) -> Array:
    return flat_planes(np.ascontiguousarray(grad_output))


def _misread(misreading: Misreading) -> Callable[..., InputGradient]:
    def function(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
        window = misreading.change(window_of(input, attributes), attributes)
        return _to_chosen(grad_output, input, window_taps(input.shape[2:], grad_output.shape[2:], window))

    return function


for _misreading in (*STEPS, *PADDINGS, *DILATIONS):
    if _misreading.sized and not _misreading.after:  # no maximum depends on the padding after the input
        wrong("max_pool_backward", _misreading.name, _misreading.cause)(_misread(_misreading))


# Which elements get it.


@wrong(
    "max_pool_backward",
    "every one of equal maxima gets the whole gradient",
    "The gradient is masked with `input == output`.",
)
def _ties_all(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    taps = taps_of(input, attributes)
    return _to_taps(_flat(grad_output)[..., None] * winners(input, taps), input, taps)


def _to_taps(shares: Array, input: Array, taps: list[Taps]) -> InputGradient:
    """Return the gradient where each tap of a window gets a share, ``(planes, windows, taps)``."""
    at, there = places(taps)
    return InputGradient(scattered(shares.astype(input.dtype), np.where(there, at, -1), input))


@wrong(
    "max_pool_backward", "gradient goes to the last of equal maxima", "The comparison is `>=` where it should be `>`."
)
def _ties_last(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = last_choices(input, taps_of(input, attributes))
    return InputGradient(scattered(_flat(grad_output), flat_planes(chosen), input))


@wrong("max_pool_backward", "gradient goes to all of the window", "The gradient is an average pooling's, not divided.")
def _all_taps(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    taps = taps_of(input, attributes)
    _, there = places(taps)
    return _to_taps(_flat(grad_output)[..., None] * there, input, taps)


@wrong("max_pool_backward", "gradient goes to the window's first element", "The tap's offset is missing in the index.")
def _first_tap(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    taps = taps_of(input, attributes)
    _, there = places(taps)
    first = there & (there.cumsum(axis=1) == 1)
    return _to_taps(_flat(grad_output)[..., None] * first, input, taps)


@wrong("max_pool_backward", "negative maxima get no gradient", "The maximum starts at 0 when it is looked for again.")
def _positive_only(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    output = refconv.max_pool(input, **{**attributes, "return_indices": False})
    return _to_chosen(np.where(np.asarray(output) < 0, 0, grad_output), input, taps_of(input, attributes))


@wrong(
    "max_pool_backward",
    "NaN gets no gradient",
    "No element equals a maximum that is NaN, or none is larger.",
    thread="pytorch/pytorch#7645",
)
def _nan_without_gradient(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    output = refconv.max_pool(input, **{**attributes, "return_indices": False})
    return _to_chosen(np.where(np.isnan(output), 0, grad_output), input, taps_of(input, attributes))


@wrong(
    "max_pool_backward",
    "gradient of NaN goes to the largest number",
    "The maximum is looked for again with comparisons that a NaN never wins.",
)
def _nan_to_largest(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    numbers = np.where(np.isnan(input), -np.inf, input).astype(input.dtype)
    return _to_chosen(grad_output, numbers, taps_of(input, attributes))


@wrong("max_pool_backward", "gradient one padding too far", "Indices into the padded input are used on the input.")
def _in_padded(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    right = refconv.max_pool_backward(grad_output, input, **attributes).input
    window = window_of(input, attributes)
    padded = np.pad(right, ((0, 0), (0, 0), *((before, 0) for before, _ in window.padding)))
    return InputGradient(np.ascontiguousarray(padded[(slice(None), slice(None), *map(slice, input.shape[2:]))]))


@wrong("max_pool_backward", "padding taken for 0", "Where the maximum is negative, the gradient goes to the padding.")
def _padded_with_zeros(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    window = window_of(input, attributes)
    padded = np.pad(input, ((0, 0), (0, 0), *window.padding))
    unpadded = window._replace(padding=((0, 0),) * len(window.padding))
    found = _to_chosen(grad_output, padded, window_taps(padded.shape[2:], grad_output.shape[2:], unpadded)).input
    inside = (slice(before, before + size) for (before, _), size in zip(window.padding, input.shape[2:], strict=True))
    return InputGradient(np.ascontiguousarray(found[(slice(None), slice(None), *inside)]))


# How it is added up.


@wrong(
    "max_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that chose an element wins.",
    thread="FluxML/NNlib.jl#205",
)
def _assigned(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    chosen = choices(np.ascontiguousarray(input), taps_of(input, attributes))
    return InputGradient(scattered(_flat(grad_output), flat_planes(chosen), input, add=False))


@wrong("max_pool_backward", "gradient divided by the window's size", "The gradient is scaled as an average pooling's.")
def _divided(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    size = int(np.prod(window_of(input, attributes).kernel))
    return InputGradient(refconv.max_pool_backward(grad_output, input, **attributes).input / size)


@wrong(
    "max_pool_backward",
    "gradient of the last windows of ceil_mode lost",
    "The backward computes the number of windows with the floor.",
)
def _floored(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.max_pool_backward(lost_without_ceil(grad_output, input, attributes), input, **attributes)


@wrong(
    "max_pool_backward", "every element of the batch gets the first one's gradient", "The batch's offset is missing."
)
def _first_of_batch(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.max_pool_backward(first_of_batch(grad_output), first_of_batch(input), **attributes)
