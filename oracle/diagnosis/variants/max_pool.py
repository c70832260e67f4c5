"""Wrong maximum pooling."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_channel, first_of_batch
from oracle.diagnosis.variants.general import strides_ignored
from oracle.diagnosis.variants.windows import (
    DILATIONS,
    PADDINGS,
    STEPS,
    Attributes,
    Misreading,
    Sizes,
    floored_outputs,
    last_choices,
    misread,
    outputs_of,
    outputs_with_windows_in_padding,
    places,
    taps_of,
    window_of,
)
from refconv import MaxPoolResult
from refconv.arguments import Array
from refconv.maxima import Taps, choices, flat_planes, maxima, window_taps

Result: TypeAlias = Array | MaxPoolResult

wrong = Catalogue()


def _pooled(input: Array, taps: list[Taps], attributes: Attributes) -> Result:
    signal = np.ascontiguousarray(input)
    output = maxima(signal, taps)
    return MaxPoolResult(output, choices(signal, taps)) if attributes["return_indices"] else output


def _with_output(result: Result, change: Callable[[Array], Array]) -> Result:
    if isinstance(result, MaxPoolResult):
        return result._replace(output=change(result.output))
    return change(result)


# Windows that are misread.


def _misread_forward(misreading: Misreading) -> Callable[..., Result]:
    def function(input: Array, **attributes: Any) -> Result:
        window, outputs = misread(input, attributes, misreading)
        return _pooled(input, window_taps(input.shape[2:], outputs, window), attributes)

    return function


for _misreading in (*STEPS, *PADDINGS, *DILATIONS):
    wrong("max_pool", _misreading.name, _misreading.cause)(_misread_forward(_misreading))


@wrong("max_pool", "ceil_mode ignored", "The output's size is always rounded down.")
def _floored(input: Array, **attributes: Any) -> Result:
    taps = window_taps(input.shape[2:], floored_outputs(input, attributes), window_of(input, attributes))
    return _pooled(input, taps, attributes)


@wrong(
    "max_pool",
    "a last window of ceil_mode begins in the padding",
    "The output's size is rounded up without dropping a window that begins beyond the input.",
    thread="pytorch/pytorch#94775",
)
def _window_in_padding(input: Array, **attributes: Any) -> Result:
    outputs = outputs_with_windows_in_padding(input, attributes)
    return _pooled(input, window_taps(input.shape[2:], outputs, window_of(input, attributes)), attributes)


@wrong(
    "max_pool",
    "window cut at the input's begin without regard to the dilation",
    "The begin is moved to max(begin, 0), off the dilation's grid, so valid taps are skipped.",
    thread="microsoft/onnxruntime#29637",
)
def _off_grid(input: Array, **attributes: Any) -> Result:
    window = window_of(input, attributes)
    outputs = outputs_of(input, window, attributes)
    taps = []
    axes = zip(input.shape[2:], outputs, window.stride, window.padding, window.extent, window.dilation, strict=True)
    for size, windows, stride, (before, _), extent, dilation in axes:
        begin = np.arange(windows) * stride - before
        first, end = np.maximum(begin, 0), np.minimum(begin + extent, size)
        taps.append(Taps(first, np.maximum(-((first - end) // dilation), 0), dilation, size))
    return _pooled(input, taps, attributes)


@wrong("max_pool", "last window left out", "A loop over the output's last axis ends one too early.", unwritten=True)
def _last_window_unwritten(input: Array, **attributes: Any) -> Result:
    def change(output: Array) -> Array:
        output[..., -1] = np.nan
        return output

    return _with_output(refconv.max_pool(input, **attributes), change)


@wrong("max_pool", "every element of the batch gets the first one's maxima", "The batch's offset is missing.")
def _first_of_batch(input: Array, **attributes: Any) -> Any:
    return refconv.max_pool(first_of_batch(input), **attributes)


@wrong("max_pool", "every channel gets the first one's maxima", "The channel's offset is missing.")
def _first_channel(input: Array, **attributes: Any) -> Any:
    return refconv.max_pool(first_channel(input), **attributes)


# Where the maximum starts, and what padding and NaN do to it.


@wrong("max_pool", "maximum starts at 0", "The running maximum is initialised with 0, so it is never negative.")
def _starts_at_zero(input: Array, **attributes: Any) -> Result:
    return _with_output(refconv.max_pool(input, **attributes), lambda output: np.maximum(output, 0))


@wrong(
    "max_pool",
    "maximum starts at the lowest finite number",
    "The running maximum is initialised with -FLT_MAX, so it is never -inf.",
)
def _starts_at_lowest(input: Array, **attributes: Any) -> Result:
    lowest = np.finfo(input.dtype).min
    return _with_output(refconv.max_pool(input, **attributes), lambda output: np.maximum(output, lowest))


@wrong("max_pool", "minimum in place of the maximum", "The comparison is the wrong way round.")
def _minimum(input: Array, **attributes: Any) -> Result:
    return _with_output(refconv.max_pool(-input, **attributes), lambda output: -output)


@wrong("max_pool", "largest magnitude in place of the largest value", "The values' magnitudes are compared.")
def _magnitude(input: Array, **attributes: Any) -> Result:
    chosen = choices(np.ascontiguousarray(abs(input)), taps_of(input, attributes))
    there = np.take_along_axis(flat_planes(np.ascontiguousarray(input)), flat_planes(chosen).clip(0), axis=1)
    output = np.where(chosen < 0, np.asarray(-np.inf, input.dtype), there.reshape(chosen.shape))
    return MaxPoolResult(output, chosen) if attributes["return_indices"] else output


@wrong("max_pool", "padding taken for 0", "The input is padded with zeros, which win over negative values.")
def _padded_with_zeros(input: Array, **attributes: Any) -> Result:
    window = window_of(input, attributes)
    outputs = outputs_of(input, window, attributes)
    padded = np.pad(input, ((0, 0), (0, 0), *window.padding))
    taps = window_taps(padded.shape[2:], outputs, window._replace(padding=((0, 0),) * len(outputs)))
    result = _pooled(padded, taps, {"return_indices": False})
    if not attributes["return_indices"]:
        return result
    at = np.unravel_index(choices(padded, taps).clip(0), padded.shape[2:])
    inside = [position - before for position, (before, _) in zip(at, window.padding, strict=True)]
    return MaxPoolResult(np.asarray(result), _ravelled(inside, input.shape[2:]))


def _ravelled(positions: Sequence[Array], sizes: Sizes) -> Array:
    """Return flat positions, of any integers."""
    flat = np.zeros(positions[0].shape, np.int64)
    for position, size in zip(positions, sizes, strict=True):
        flat = flat * size + position
    return flat


def _where_lost(result: Result, input: Array, attributes: Attributes, lost: Callable[[Array], Array]) -> Result:
    """Return `result` with NaN ignored in the windows of the output's mask `lost`."""
    signal = np.array(input)
    signal[np.isnan(signal)] = -np.inf
    other = refconv.max_pool(signal, **attributes)
    if isinstance(result, MaxPoolResult):
        mask = lost(result.output)
        return MaxPoolResult(*(np.where(mask, new, old) for new, old in zip(other, result, strict=True)))
    return np.where(lost(result), other, result)


@wrong(
    "max_pool",
    "NaN ignored",
    "`value > maximum` is false for a NaN, so it never becomes the maximum.",
    thread="pytorch/pytorch#7645",
)
def _nan_ignored(input: Array, **attributes: Any) -> Result:
    return _where_lost(refconv.max_pool(input, **attributes), input, attributes, np.isnan)


@wrong(
    "max_pool",
    "NaN kept only where it comes first in its window",
    "The maximum starts at the first value, and `max(maximum, value)` keeps it in comparisons with NaN.",
)
def _nan_kept_if_first(input: Array, **attributes: Any) -> Result:
    result = refconv.max_pool(input, **attributes)
    at, there = places(taps_of(input, attributes))
    first = at[np.arange(len(at)), there.argmax(axis=1)] if at.shape[1] else np.zeros(len(at), np.int64)
    kept = np.isnan(flat_planes(np.ascontiguousarray(input))[:, first])
    return _where_lost(result, input, attributes, lambda output: np.isnan(output) & ~kept.reshape(output.shape))


_LANES = 4


@wrong(
    "max_pool",
    "NaN ignored in the channels that don't fill a vector",
    "The vector instruction keeps a NaN, and the scalar loop over the remaining channels doesn't.",
    thread="tensorflow/tensorflow#125965",
)
def _nan_ignored_in_tail(input: Array, **attributes: Any) -> Result:
    def lost(output: Array) -> Array:
        lane = np.arange(output.shape[1]).reshape(1, -1, *[1] * (output.ndim - 2))
        return np.asarray(np.isnan(output) & (lane >= output.shape[1] // _LANES * _LANES))

    return _where_lost(refconv.max_pool(input, **attributes), input, attributes, lost)


# Indices.


def _renumbered(input: Array, attributes: Attributes, number: Callable[[Array, tuple[Array, ...]], Array]) -> Any:
    """Return the right result, with the indices, where there are any, changed by `number`.

    It gets them and, for each axis, the positions that they stand for.
    """
    result = refconv.max_pool(input, **attributes)
    if not isinstance(result, MaxPoolResult):
        return result
    positions = np.unravel_index(result.indices.clip(0), input.shape[2:])
    renumbered = number(result.indices, positions)
    return result._replace(indices=np.where(result.indices < 0, result.indices, renumbered))


@wrong("max_pool", "indices count within the window", "The tap's number is stored in place of the input's position.")
def _indices_in_window(input: Array, **attributes: Any) -> Any:
    window = window_of(input, attributes)

    def number(indices: Array, positions: tuple[Array, ...]) -> Array:
        taps = []
        for axis, position in enumerate(positions):
            shape = [1] * indices.ndim
            shape[axis + 2] = -1
            begin = np.arange(indices.shape[axis + 2]).reshape(shape) * window.stride[axis] - window.padding[axis][0]
            taps.append((position - begin) // window.dilation[axis])
        return _ravelled(taps, window.kernel)

    return _renumbered(input, attributes, number)


@wrong("max_pool", "indices count the padding", "They are positions in the padded input.")
def _indices_in_padded(input: Array, **attributes: Any) -> Any:
    pairs = window_of(input, attributes).padding
    sizes = tuple(size + sum(pair) for size, pair in zip(input.shape[2:], pairs, strict=True))
    return _renumbered(
        input,
        attributes,
        lambda _, positions: _ravelled([at + pair[0] for at, pair in zip(positions, pairs, strict=True)], sizes),
    )


@wrong("max_pool", "indices count over the whole input", "They are ONNX's, which go on from channel to channel.")
def _indices_in_whole(input: Array, **attributes: Any) -> Any:
    planes = np.arange(input.shape[0] * input.shape[1]).reshape(*input.shape[:2], *[1] * (input.ndim - 2))
    return _renumbered(input, attributes, lambda indices, _: indices + planes * int(np.prod(input.shape[2:])))


@wrong("max_pool", "indices count down the columns", "They are column-major, as ONNX's with storage_order 1.")
def _indices_in_columns(input: Array, **attributes: Any) -> Any:
    return _renumbered(input, attributes, lambda _, positions: _ravelled(positions[::-1], input.shape[:1:-1]))


@wrong("max_pool", "indices along the last axis only", "The row's offset is missing in the index.")
def _indices_in_row(input: Array, **attributes: Any) -> Any:
    return _renumbered(input, attributes, lambda _, positions: positions[-1])


@wrong("max_pool", "indices of the last of equal maxima", "The comparison is `>=` where it should be `>`.")
def _indices_of_last(input: Array, **attributes: Any) -> Any:
    return _renumbered(input, attributes, lambda *_: last_choices(input, taps_of(input, attributes)))


strides_ignored(wrong, "max_pool", 0, "input")
