"""Wrong transposed convolutions, and wrong gradients of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.general import strides_ignored
from oracle.diagnosis.variants.kernels import Change, Size, with_zeros
from refconv.arguments import Array
from refconv.geometry import Window

wrong = Catalogue()


def _extra(weight: Array, attributes: dict[str, Any]) -> Size:
    given = attributes.get("output_padding", 0)
    return (given,) * (weight.ndim - 2) if isinstance(given, int) else tuple(given)


def _size(size: Size, window: Window, extra: Size) -> Size:
    axes = zip(size, window.stride, window.padding, window.extent, extra, strict=True)
    return tuple(max((n - 1) * step - sum(pair) + extent + more, 0) for n, step, pair, extent, more in axes)


def _over(
    input: Array, weight: Array, bias: Array | None, attributes: dict[str, Any], window: Window, size: Size
) -> Array:
    """Return a transposed convolution by any window, of an output of any size."""
    groups = attributes.get("groups", 1)
    output = np.zeros((len(input), weight.shape[1] * groups, *size), input.dtype)
    if 0 not in size:
        output += kernels.spread(input, weight, window, groups, kernels.positions(size, window), size)
    return _biased(output, bias)


def _biased(output: Array, bias: Array | None) -> Array:
    with np.errstate(all="ignore"):
        return output if bias is None else output + bias.reshape(-1, *(1,) * (output.ndim - 2))


def _misread(change: Change) -> Callable[..., Array]:
    """Return a transposed convolution whose window is misread, for the output's size as well."""

    def conv_transpose(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        window = change(kernels.read(weight, attributes))
        size = _size(input.shape[2:], window, _extra(weight, attributes))
        return _over(input, weight, bias, attributes, window, size)

    return conv_transpose


def _misplaced(change: Change, resized: Change = lambda window: window) -> Callable[..., Array]:
    """Return a transposed convolution whose window is misread where taps are placed, and `resized` for the size."""

    def conv_transpose(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        window = kernels.read(weight, attributes)
        size = _size(input.shape[2:], resized(window), _extra(weight, attributes))
        return _over(input, weight, bias, attributes, change(window), size)

    return conv_transpose


for mistake, reason, mixed_up in kernels.MIXED_UP:
    wrong("conv_transpose", mistake, reason)(_misread(mixed_up))
    misplaced = _misplaced(mixed_up)
    wrong("conv_transpose", f"{mistake}, but not in the output's size", f"{reason[:-1]} where taps are placed.")(
        misplaced
    )

wrong("conv_transpose", "stride ignored", "No zeros are put between the input's elements.")(
    _misread(kernels.ignored("stride"))
)
wrong("conv_transpose", "padding ignored", "The full output isn't cropped.", thread="microsoft/onnxruntime#4086")(
    _misread(kernels.ignored("padding"))
)
wrong("conv_transpose", "dilation ignored", "The dilation isn't handed on.")(_misread(kernels.ignored("dilation")))
wrong("conv_transpose", "dilation ignored in the output's size", "The kernel's size stands for its extent.")(
    _misplaced(lambda window: window, kernels.ignored("dilation"))
)
wrong(
    "conv_transpose",
    "padding before and after swapped",
    "A pair is read as (after, before).",
    thread="tinygrad/tinygrad#840",
)(_misread(kernels.sides_swapped))
wrong("conv_transpose", "padding before taken for both sides", "What computes it has one padding for each axis.")(
    _misread(kernels.before_for_both)
)


@wrong(
    "conv_transpose",
    "padding added to the input",
    "The padding is handed on to a convolution, where it had to be cropped from the output.",
    thread="Samsung/TICO#420",
)
def _input_padded(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    padding = kernels.read(weight, attributes).padding
    return refconv.conv_transpose(
        np.pad(input, ((0, 0), (0, 0), *padding)), weight, bias, **attributes | {"padding": 0}
    )


@wrong("conv_transpose", "a convolution in its place", "What runs is conv.", thread="pytorch/pytorch#48400")
def _convolution(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window, groups, size = kernels.read(weight, attributes), attributes.get("groups", 1), input.shape[2:]
    forward = kernels.channels_swapped(weight, groups)
    seen = kernels.positions(size, window)
    return kernels.correlated(input, forward, bias, window, groups, seen, kernels.windows(size, window))


def _without_extra(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window = kernels.read(weight, attributes)
    size = _size(input.shape[2:], window, (0,) * len(window.kernel))
    return _over(input, weight, bias, attributes, window, size)


def _filled_up(output: Array, input: Array, weight: Array, attributes: dict[str, Any]) -> Array:
    """Return `output` with zeros after its end, up to the right size."""
    size = _size(input.shape[2:], kernels.read(weight, attributes), _extra(weight, attributes))
    more = [(0, length - given) for length, given in zip(size, output.shape[2:], strict=True)]
    return np.pad(output, [(0, 0), (0, 0), *more])


wrong("conv_transpose", "output_padding ignored", "It isn't handed on.", thread="apache/tvm#18635")(_without_extra)


@wrong("conv_transpose", "output_padding filled with zeros", "The result itself is padded.", thread="apache/tvm#5758")
def _extra_zeros(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    return _filled_up(_without_extra(input, weight, bias, **attributes), input, weight, attributes)


@wrong("conv_transpose", "output_padding filled with the bias", "Zeros are appended before the bias is added.")
def _extra_bias(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    return _biased(_filled_up(_without_extra(input, weight, **attributes), input, weight, attributes), bias)


@wrong("conv_transpose", "output_padding at the beginning", "The output is cropped less before, not after.")
def _extra_before(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window, extra = kernels.read(weight, attributes), _extra(weight, attributes)
    size, whole = (_size(input.shape[2:], w, extra) for w in (window, kernels.ignored("padding")(window)))
    full = _over(input, weight, None, attributes, kernels.ignored("padding")(window), whole)
    starts = [before - more for (before, _), more in zip(window.padding, extra, strict=True)]
    seen = [np.maximum(np.arange(start, start + length), -1) for start, length in zip(starts, size, strict=True)]
    return _biased(kernels.gathered(full, seen), bias)


@wrong("conv_transpose", "output_padding swapped between axes", "It is read from the last axis to the first.")
def _extra_swapped(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window = kernels.read(weight, attributes)
    size = _size(input.shape[2:], window, _extra(weight, attributes)[::-1])
    return _over(input, weight, bias, attributes, window, size)


@wrong(
    "conv_transpose",
    "stride's zeros put after the last element as well",
    "Every element gets its zeros, and those beyond the last aren't cut off.",
    thread="tinygrad/tinygrad#823",
)
def _trailing_zeros(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    window = kernels.read(weight, attributes)
    more = tuple(extra + step - 1 for extra, step in zip(_extra(weight, attributes), window.stride, strict=True))
    return _over(input, weight, bias, attributes, window, _size(input.shape[2:], window, more))


def _of(**changes: Callable[[Array, int], Array]) -> Callable[..., Array]:
    """Return a transposed convolution of other arrays: `changes` take the right ones, and the groups."""

    def conv_transpose(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        arrays: dict[str, Any] = {"input": input, "weight": weight}
        changed = {name: change(arrays[name], attributes.get("groups", 1)) for name, change in changes.items()}
        return refconv.conv_transpose(**{**arrays, **changed}, bias=bias, **attributes)

    return conv_transpose


wrong("conv_transpose", "kernel rotated", "It is computed as a convolution, whose kernel had to be rotated.")(
    _of(weight=lambda weight, _: kernels.rotated(weight))
)
wrong("conv_transpose", "kernel's channel axes confused", "The memory of (in, out) is read as (out, in).")(
    _of(weight=kernels.channels_relabelled)
)
wrong("conv_transpose", "every group reads the first group's channels", "The group's first channel isn't added.")(
    _of(input=kernels.first_group)
)
wrong("conv_transpose", "input channels interleaved among groups", "The group is a channel's remainder.")(
    _of(input=lambda signal, groups: signal.take(kernels.interleaved(signal.shape[1], groups), 1))
)
wrong("conv_transpose", "only the last input channel counts", "The sum over channels is assigned, not added to.")(
    _of(weight=lambda weight, groups: _last_of_each(weight, groups))
)
wrong("conv_transpose", "the first batch element's output for all", "The batch isn't part of the input's index.")(
    _of(input=lambda signal, _: signal[:1].repeat(len(signal), 0))
)


def _last_of_each(weight: Array, groups: int) -> Array:
    blocks = weight.reshape(groups, -1, *weight.shape[1:])
    return with_zeros(blocks, np.s_[:, :-1]).reshape(weight.shape)


def _cut(index: Callable[[Size, int], Any]) -> Callable[..., Array]:
    """Return a transposed convolution whose output is zero at an `index` that depends on its shape and the groups."""

    def conv_transpose(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        output = refconv.conv_transpose(input, weight, bias, **attributes)
        return with_zeros(output, index(output.shape, attributes.get("groups", 1)))

    return conv_transpose


wrong("conv_transpose", "zeros beyond the first group", "Only one group is computed.")(
    _cut(lambda shape, groups: np.s_[:, shape[1] // groups :])
)
wrong("conv_transpose", "last partial tile of 8 columns left zero", "The loop over tiles ends with the last full one.")(
    _cut(lambda shape, _: np.s_[..., kernels.beyond_tiles(shape[-1])])
)


@wrong("conv_transpose", "bias missing", "The bias isn't added.")
def _bias_missing(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:  # noqa: ARG001  # the mistake
    return refconv.conv_transpose(input, weight, None, **attributes)


@wrong("conv_transpose", "overlapping windows overwritten", "Each window is assigned to the output, not added to it.")
def _overlaps_overwritten(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    blank = np.zeros_like(refconv.conv_transpose(input, weight, **attributes))
    window = kernels.read(weight, attributes)
    seen = kernels.positions(blank.shape[2:], window)
    groups = attributes.get("groups", 1)
    return _biased(kernels.assigned_where_windows_overlap(input, blank, weight, window, groups, seen), bias)


@wrong(
    "conv_transpose",
    "what no window reaches not written",
    "Gaps between windows, and output_padding beyond the last of them, get neither zero nor bias.",
    unwritten=True,
)
def _gaps_unwritten(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    output = refconv.conv_transpose(input, weight, bias, **attributes)
    one = np.s_[:1, :1]
    ones = np.ones((1, 1, *input.shape[2:]), input.dtype), np.ones_like(weight[one])
    taps = refconv.conv_transpose(*ones, **{**attributes, "groups": 1})
    return np.where(taps > 0, output, output.dtype.type(np.nan))


strides_ignored(wrong, "conv_transpose", 1, "weight", "pytorch/pytorch#99519")
