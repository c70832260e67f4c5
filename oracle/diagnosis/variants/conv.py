"""Wrong convolutions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.general import (
    in_double,
    in_half,
    in_tf32,
    modifying,
    nan_lost,
    raising_on_an_empty_batch,
    stale,
    strides_ignored,
    symptom,
)
from oracle.diagnosis.variants.kernels import Change, Positions, Size, with_zeros
from refconv.arguments import Array
from refconv.geometry import Window

wrong = Catalogue()


def _over(
    input: Array,
    weight: Array,
    bias: Array | None,
    attributes: dict[str, Any],
    *,
    window: Window | None = None,
    mode: str | None = None,
    seen: Positions | None = None,
    count: Size | None = None,
) -> Array:
    """Return a convolution with what is given in place of what is right."""
    size = input.shape[2:]
    window = window or kernels.read(weight, attributes)
    seen = seen or kernels.positions(size, window, mode or attributes.get("padding_mode", "zeros"))
    count = count or kernels.windows(size, window)
    return kernels.correlated(input, weight, bias, window, attributes.get("groups", 1), seen, count)


def _misread(change: Change) -> Callable[..., Array]:
    """Return a convolution whose window is misread, for the output's size as well."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        return _over(input, weight, bias, attributes, window=change(kernels.read(weight, attributes)))

    return conv


def _misplaced(change: Change) -> Callable[..., Array]:
    """Return a convolution whose window is misread where the taps are placed, in an output of the right size."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        window = kernels.read(weight, attributes)
        count = kernels.windows(input.shape[2:], window)
        return _over(input, weight, bias, attributes, window=change(window), count=count)

    return conv


for mistake, reason, mixed_up in kernels.MIXED_UP:
    wrong("conv", mistake, reason)(_misread(mixed_up))
    reported = "tenstorrent/tt-metal#19542" if mistake == "the first axis' dilation used for all" else None
    wrong("conv", f"{mistake}, but not in the output's size", f"{reason[:-1]} where taps are placed.", thread=reported)(
        _misplaced(mixed_up)
    )

for field in kernels.FIELDS:
    wrong("conv", f"{field} ignored", f"The {field} isn't handed on.")(_misread(kernels.ignored(field)))

wrong("conv", "dilation counted from 0", "The dilation is taken for the number of gaps between two taps.")(
    _misread(lambda window: window._replace(dilation=tuple(dilation + 1 for dilation in window.dilation)))
)
wrong("conv", "padding before and after swapped", "A pair is read as (after, before).")(_misread(kernels.sides_swapped))
wrong("conv", "padding before taken for both sides", "What computes it has one padding for each axis, as cuDNN does.")(
    _misread(kernels.before_for_both)
)
wrong("conv", "padding after dropped", "Only what lies before the input is padded.")(_misread(kernels.end_dropped))
wrong(
    "conv",
    "no step larger than the kernel",
    "Where windows leave gaps, they move by the kernel's size: min(kernel, stride).",
    thread="oneapi-src/oneDNN#5494",
)(_misplaced(kernels.step_within_kernel))


@wrong("conv", "output size rounded up", "The quotient of the output's size is rounded up, as with ceil_mode.")
def _rounded_up(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window = kernels.read(weight, attributes)
    axes = zip(input.shape[2:], window.padding, window.extent, window.stride, strict=True)
    count = tuple(-((extent - length - sum(pair)) // step) + 1 for length, pair, extent, step in axes)
    return _over(input, weight, bias, attributes, count=count)


def _same(change: Change) -> Callable[..., Array]:
    """Return a convolution that misreads the padding "same" alone."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        if attributes.get("padding") != "same":
            return refconv.conv(input, weight, bias, **attributes)
        return _misread(change)(input, weight, bias, **attributes)

    return conv


def _half_of(totals: Callable[[Window], Size]) -> Change:
    """Have each axis padded by what `totals` says, the larger half after."""
    return lambda window: window._replace(padding=tuple((total // 2, total - total // 2) for total in totals(window)))


wrong("conv", "'same' pads the odd one before", "The padding is halved as for SAME_LOWER.")(
    _same(kernels.sides_swapped)
)
wrong("conv", "'same' taken for 'valid'", "The word is never translated to a padding.")(
    _same(kernels.ignored("padding"))
)
wrong(
    "conv",
    "'same' computed from the other axis' dilation",
    "Kernel and dilation are zipped in opposite orders.",
    thread="tinygrad/tinygrad#17805",
)(_same(_half_of(lambda w: tuple(d * (k - 1) for k, d in zip(w.kernel, w.dilation[::-1], strict=True)))))
wrong(
    "conv",
    "'same' computed from the undilated kernel",
    "The kernel's size is taken where its dilated extent belongs.",
    thread="onnx/onnx#2043",
)(_same(_half_of(lambda window: tuple(kernel - 1 for kernel in window.kernel))))


def _of(**changes: Callable[[Array, int], Array]) -> Callable[..., Array]:
    """Return a convolution of other arrays: `changes` take the right ones, and the groups."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        arrays: dict[str, Any] = {"input": input, "weight": weight}
        changed = {name: change(arrays[name], attributes.get("groups", 1)) for name, change in changes.items()}
        return refconv.conv(**{**arrays, **changed}, bias=bias, **attributes)

    return conv


wrong("conv", "kernel flipped", "A convolution as mathematics means it, where deep learning correlates.")(
    _of(weight=lambda weight, _: kernels.rotated(weight))
)
wrong("conv", "kernel stored column by column", "The kernel's memory is read with its last two axes swapped.")(
    _of(weight=lambda weight, _: kernels.column_by_column(weight))
)
wrong("conv", "kernel's channel axes confused", "The memory of (out, in) is read as (in, out).")(
    _of(weight=kernels.channels_relabelled)
)
wrong("conv", "input's memory taken for channels-last", "The input is reshaped where it had to be transposed.")(
    _of(input=lambda signal, _: kernels.relabelled(signal, 0, *range(2, signal.ndim), 1))
)
wrong("conv", "only the last input channel counts", "The sum over channels is assigned, not added to.")(
    _of(weight=lambda weight, _: with_zeros(weight, np.s_[:, :-1]))
)
wrong("conv", "last partial tile of 8 input channels dropped", "The sum over channels ends with the last full tile.")(
    _of(weight=lambda weight, _: with_zeros(weight, np.s_[:, kernels.beyond_tiles(weight.shape[1])]))
)
wrong("conv", "every group reads the first group's channels", "The group's first channel isn't added to the index.")(
    _of(input=kernels.first_group)
)
wrong(
    "conv",
    "input channels interleaved among groups",
    "A channel belongs to the group that is its remainder, not its quotient.",
)(_of(input=lambda signal, groups: signal.take(kernels.interleaved(signal.shape[1], groups), 1)))
wrong("conv", "the first batch element's output for all", "The batch isn't part of the input's index.")(
    _of(input=lambda signal, _: signal[:1].repeat(len(signal), 0))
)
wrong("conv", "batch index kept in 16 bits", "The batch is an axis of the grid, or an index of type uint16.")(
    _of(input=lambda signal, _: signal.take(np.arange(len(signal)) % 2**16, 0))
)


@wrong("conv", "output's memory left channels-last", "What is computed channels-last is reshaped, not transposed.")
def _output_relabelled(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    output = refconv.conv(input, weight, bias, **attributes)
    return np.ascontiguousarray(np.moveaxis(output, 1, -1)).reshape(output.shape)


@wrong("conv", "output channels interleaved among groups", "A channel reads the group that is its remainder.")
def _outputs_interleaved(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    order = kernels.interleaved(len(weight), attributes.get("groups", 1))
    plain = None if bias is None else bias[order]
    return refconv.conv(input, weight[order], plain, **attributes).take(np.argsort(order), 1)


@wrong("conv", "bias missing", "The bias isn't added.")
def _bias_missing(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:  # noqa: ARG001  # the mistake
    return refconv.conv(input, weight, None, **attributes)


@wrong("conv", "bias added for each input channel", "The bias is added inside of the loop over channels.")
def _bias_for_each_channel(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    return refconv.conv(input, weight, kernels.times(bias, weight.shape[1]), **attributes)


@wrong("conv", "bias added for each tap", "The bias is added inside of the loop over taps.")
def _bias_for_each_tap(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    taps = math.prod(weight.shape[2:])
    return refconv.conv(input, weight, kernels.times(bias, taps), **attributes)


@wrong("conv", "first channel's bias for all", "The bias isn't indexed by the output channel.")
def _first_bias(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    return refconv.conv(input, weight, None if bias is None else bias[:1].repeat(len(bias)), **attributes)


@wrong("conv", "no bias where a window sees only padding", "A window without a tap on the input is skipped.")
def _no_bias_on_padding(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    taps = refconv.conv(np.ones_like(input), np.ones_like(weight), **attributes)
    return with_zeros(refconv.conv(input, weight, bias, **attributes), taps == 0)


def _cut(index: Callable[[Size, int], Any]) -> Callable[..., Array]:
    """Return a convolution whose output is zero at an `index` that depends on its shape and the groups."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        output = refconv.conv(input, weight, bias, **attributes)
        return with_zeros(output, index(output.shape, attributes.get("groups", 1)))

    return conv


wrong(
    "conv", "last partial tile of 8 columns left zero", "The loop over tiles of columns ends with the last full one."
)(_cut(lambda shape, _: np.s_[..., kernels.beyond_tiles(shape[-1])]))
wrong(
    "conv", "last partial tile of 8 output channels left zero", "The loop over channels ends with the last full tile."
)(_cut(lambda shape, _: np.s_[:, kernels.beyond_tiles(shape[1])]))
wrong("conv", "zeros beyond the first group", "Only one group is computed.", thread="pytorch/pytorch#19912")(
    _cut(lambda shape, groups: np.s_[:, shape[1] // groups :])
)
wrong("conv", "output channels beyond the first 16 left zero", "One block of channels is computed, not all.")(
    _cut(lambda *_: np.s_[:, 16:])
)


def _padded_as(taken: str, given: str, change: Change = lambda window: window) -> Callable[..., Array]:
    """Return a convolution that takes a padding mode for another one, and its padding for what `change` returns."""

    def conv(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        if attributes.get("padding_mode", "zeros") not in given:
            return refconv.conv(input, weight, bias, **attributes)
        return _over(input, weight, bias, attributes, window=change(kernels.read(weight, attributes)), mode=taken)

    return conv


def _halved(window: Window) -> Window:
    return window._replace(padding=tuple(((before + 1) // 2, after // 2) for before, after in window.padding))


def _none_without_end(window: Window) -> Window:
    return window._replace(padding=tuple(pair if pair[1] else (0, 0) for pair in window.padding))


wrong("conv", "padding mode ignored", "Whatever the mode, zeros are padded.")(
    _padded_as("zeros", "reflect replicate circular")
)
wrong("conv", "'reflect' repeats the edge", "The edge itself is reflected, as in NumPy's 'symmetric'.")(
    _padded_as("symmetric", "reflect")
)
wrong("conv", "'reflect' taken for 'replicate'", "The position is clipped where it had to be reflected.")(
    _padded_as("replicate", "reflect")
)
wrong("conv", "'circular' pads the wrong axes", "Sizes come last axis first.", thread="pytorch/pytorch#37844")(
    _padded_as("circular", "circular", kernels.swapped("padding"))
)
wrong("conv", "'circular' halves the padding", "Each side is taken for the total.", thread="pytorch/pytorch#20981")(
    _padded_as("circular", "circular", _halved)
)
wrong(
    "conv",
    "'circular' pads nothing where there is none after",
    "A slice up to -after is empty where that is 0.",
    thread="pytorch/pytorch#24504",
)(_padded_as("circular", "circular", _none_without_end))
wrong(
    "conv",
    "zeros wrap around to the other end",
    "A product of spectra that aren't padded, or an index modulo the size.",
)(_padded_as("circular", "zeros"))


@wrong(
    "conv", "positions before the input read its end", "Only the upper end of an index is checked, and -1 is the last."
)
def _wraps_before(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    if attributes.get("padding_mode", "zeros") != "zeros":
        return refconv.conv(input, weight, bias, **attributes)
    window, size = kernels.read(weight, attributes), input.shape[2:]
    seen = [
        np.concatenate([kernels.surrounded(length, (before, 0), "circular"), np.full(after, -1)])
        for length, (before, after) in zip(size, window.padding, strict=True)
    ]
    return _over(input, weight, bias, attributes, seen=seen)


@wrong("conv", "padding reads the neighbouring row", "An index is checked as a whole, flat, not axis by axis.")
def _flat_index_checked(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    if attributes.get("padding_mode", "zeros") != "zeros":
        return refconv.conv(input, weight, bias, **attributes)
    window, size = kernels.read(weight, attributes), input.shape[2:]
    flat = np.zeros((), int)
    for length, (before, after) in zip(size, window.padding, strict=True):
        flat = flat[..., None] * length + np.arange(-before, length + after)
    pixels = input.reshape(*input.shape[:2], math.prod(size))
    inside = (flat >= 0) & (flat < pixels.shape[2])
    padded = np.where(inside, pixels[..., np.where(inside, flat, 0)], input.dtype.type(0))
    return refconv.conv(padded, weight, bias, **{**attributes, "padding": 0})


@wrong("conv", "border not written", "Only windows that lie within the input are computed.", unwritten=True)
def _border_unwritten(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    output = refconv.conv(input, weight, bias, **attributes)
    inside = refconv.conv(
        np.ones_like(input[:1, :1]),
        np.ones_like(weight[:1, :1]),
        **{**attributes, "groups": 1, "padding_mode": "zeros"},
    )
    return np.where(inside == math.prod(weight.shape[2:]), output, output.dtype.type(np.nan))


modifying(wrong, "conv", 1)
strides_ignored(wrong, "conv", 0, "input", "pytorch/executorch#22951")
strides_ignored(wrong, "conv", 1, "weight", "pytorch/pytorch#192212")
stale(wrong, "conv", 1)
in_tf32(wrong, "conv")
in_half(wrong, "conv")
in_double(wrong, "conv")
nan_lost(wrong, "conv", "oneapi-src/oneDNN@7400e16156")
raising_on_an_empty_batch(wrong, "conv", "pytorch/pytorch#19599")


@symptom(wrong, "conv", "must refuse", "onnx/onnx#8037")
def _conv_unchecked(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    try:
        return refconv.conv(input, weight, bias, **attributes)
    except refconv.InvalidValueError:
        return np.zeros((len(input), len(weight), *input.shape[2:]), input.dtype)
