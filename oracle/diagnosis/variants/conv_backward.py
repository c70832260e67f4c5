"""Wrong gradients of convolutions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.general import in_half, in_tf32, strides_ignored
from oracle.diagnosis.variants.kernels import Change, only, with_zeros
from refconv import ConvGradients
from refconv.arguments import Array
from refconv.geometry import Window

wrong = Catalogue()


def _misread(change: Change, *parts: str, mode: str | None = None) -> Callable[..., ConvGradients]:
    """Return gradients of which `parts` are those of a misread window."""

    def conv_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        window = change(kernels.read(weight, attributes))
        seen = kernels.positions(input.shape[2:], window, mode or attributes.get("padding_mode", "zeros"))
        misread = kernels.gradients(grad_output, input, weight, bias, window, attributes.get("groups", 1), seen)
        grads = refconv.conv_backward(grad_output, input, weight, bias, **attributes)
        return grads._replace(**{part: getattr(misread, part) for part in parts})

    return conv_backward


for mistake, reason, mixed_up in kernels.MIXED_UP:
    wrong("conv_backward", mistake, reason)(_misread(mixed_up, "input", "weight"))

wrong("conv_backward", "padding before and after swapped", "A pair is read as (after, before).")(
    _misread(kernels.sides_swapped, "input", "weight")
)
wrong("conv_backward", "no step larger than the kernel", "Where windows leave gaps, they move by the kernel's size.")(
    _misread(kernels.step_within_kernel, "input", "weight")
)
wrong("conv_backward", "stride not undone in the gradient of the input", "No zeros are put between the windows.")(
    _misread(kernels.ignored("stride"), "input")
)
wrong("conv_backward", "padding not taken off the gradient of the input", "The padded input's gradient isn't cropped.")(
    _misread(kernels.ignored("padding"), "input")
)
wrong(
    "conv_backward",
    "dilation ignored in the gradient of the input",
    "The rule for the gradient hands on the stride alone.",
    thread="jax-ml/jax#563",
)(_misread(kernels.ignored("dilation"), "input"))
for field in kernels.FIELDS:
    wrong("conv_backward", f"{field} ignored in the gradient of the weight", f"The {field} isn't handed on.")(
        _misread(kernels.ignored(field), "weight")
    )
wrong("conv_backward", "padding mode ignored in the gradient of the input", "What the padding repeats gets no share.")(
    _misread(lambda window: window, "input", mode="zeros")
)
wrong("conv_backward", "padding mode ignored in the gradient of the weight", "The input is padded with zeros.")(
    _misread(lambda window: window, "weight", mode="zeros")
)


def _grouped_in_3d(grad_output: Array, input: Array, *arrays: Array | None, **attributes: Any) -> ConvGradients:
    """Return gradients by strides and paddings of 1 in the case that was written last."""
    if input.ndim < 5 or attributes.get("groups", 1) == 1:
        return refconv.conv_backward(grad_output, input, *arrays, **attributes)  # type: ignore[arg-type]  # weight isn't None
    ones = _misread(lambda window: window._replace(stride=(1, 1, 1), padding=((1, 1),) * 3), "input", "weight")
    return ones(grad_output, input, *arrays, **attributes)


wrong(
    "conv_backward",
    "stride and padding taken for 1 with groups in 3-D",
    "The kernel for this case was tried with strides and paddings of 1 alone.",
    thread="ROCm/MIOpen#2560",
)(_grouped_in_3d)


def _of(part: str, **changes: Callable[[Array, int], Array]) -> Callable[..., ConvGradients]:
    """Return gradients of which one is that of other arrays: `changes` take the right ones, and the groups."""

    def conv_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        arrays: dict[str, Any] = {"grad_output": grad_output, "input": input, "weight": weight}
        changed = {name: change(arrays[name], attributes.get("groups", 1)) for name, change in changes.items()}
        other = refconv.conv_backward(**{**arrays, **changed}, bias=bias, **attributes)
        grads = refconv.conv_backward(**arrays, bias=bias, **attributes)
        return grads._replace(**{part: getattr(other, part)})

    return conv_backward


def _first_kernels(weight: Array, groups: int) -> Array:
    return np.concatenate([weight[: len(weight) // groups]] * groups)


wrong("conv_backward", "kernel not rotated in the gradient of the input", "The forward's kernel is used as it is.")(
    _of("input", weight=lambda weight, _: kernels.rotated(weight))
)
wrong("conv_backward", "channels reshaped in the gradient of the input", "The channel axes had to be transposed.")(
    _of("input", weight=kernels.channels_relabelled)
)
wrong("conv_backward", "last window missing in the gradient of the input", "The loop ends one column early.")(
    _of("input", grad_output=lambda grad, _: with_zeros(grad, np.s_[..., -1]))
)
wrong("conv_backward", "first group's kernels used in the gradient of the input", "The group isn't in the index.")(
    _of("input", weight=_first_kernels)
)
wrong("conv_backward", "first group's channels read in the gradient of the weight", "The group isn't in the index.")(
    _of("weight", input=kernels.first_group)
)
wrong(
    "conv_backward",
    "only the last batch element in the gradient of the weight",
    "The gradient is assigned for each element of the batch, not added to.",
)(_of("weight", grad_output=lambda grad, _: with_zeros(grad, np.s_[:-1])))
wrong("conv_backward", "only the last window in the gradient of the weight", "The gradient is assigned, not added to.")(
    _of("weight", grad_output=lambda grad, _: only(grad, (..., *[-1] * (grad.ndim - 2))))
)
wrong(
    "conv_backward",
    "last partial tile of 8 columns missing in the gradient of the weight",
    "The loop over tiles ends with the last full one.",
)(_of("weight", grad_output=lambda grad, _: with_zeros(grad, np.s_[..., kernels.beyond_tiles(grad.shape[-1])])))
wrong(
    "conv_backward",
    "batch size kept in 16 bits in the gradient of the weight",
    "The batch is an axis of the grid, or counted by a uint16.",
    thread="pytorch/pytorch#96225",
)(_of("weight", grad_output=lambda grad, _: with_zeros(grad, np.s_[len(grad) % 2**16 :])))
wrong("conv_backward", "gradient of the bias from the first batch element alone", "The batch isn't summed over.")(
    _of("bias", grad_output=lambda grad, _: with_zeros(grad, np.s_[1:]))
)
wrong("conv_backward", "gradient of the bias from the first position alone", "The batch is summed over, space isn't.")(
    _of("bias", grad_output=lambda grad, _: only(grad, (..., *[0] * (grad.ndim - 2))))
)


class _Call(NamedTuple):
    grad_output: Array
    input: Array
    weight: Array
    window: Window
    groups: int
    mode: str


def _but(change: Callable[[ConvGradients, _Call], ConvGradients]) -> Callable[..., ConvGradients]:
    """Return gradients that are right but for what `change` does to them."""

    def conv_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        grads = refconv.conv_backward(grad_output, input, weight, bias, **attributes)
        window, mode = kernels.read(weight, attributes), attributes.get("padding_mode", "zeros")
        return change(grads, _Call(grad_output, input, weight, window, attributes.get("groups", 1), mode))

    return conv_backward


wrong("conv_backward", "gradient of the weight averaged over the batch", "A mean is taken in place of a sum.")(
    _but(lambda grads, call: grads._replace(weight=kernels.shared(grads.weight, len(call.input))))
)
wrong("conv_backward", "gradient of the bias averaged over the batch", "A mean is taken in place of a sum.")(
    _but(lambda grads, call: grads._replace(bias=kernels.shared(grads.bias, len(call.input))))
)
wrong("conv_backward", "gradient of the bias averaged over batch and space", "A mean is taken in place of a sum.")(
    _but(lambda grads, call: grads._replace(bias=kernels.shared(grads.bias, call.grad_output[:, 0].size)))
)
wrong("conv_backward", "gradient of the weight rotated", "Both signals or none had to be flipped.")(
    _but(lambda grads, _: grads._replace(weight=kernels.rotated(grads.weight)))
)
wrong("conv_backward", "gradient of the weight written as (in, out)", "It is reshaped where it had to be transposed.")(
    _but(lambda grads, call: grads._replace(weight=kernels.channels_transposed(grads.weight, call.groups)))
)
wrong("conv_backward", "zeros beyond the first group", "Only one group is computed.")(
    _but(
        lambda grads, call: grads._replace(
            input=with_zeros(grads.input, np.s_[:, grads.input.shape[1] // call.groups :]),
            weight=with_zeros(grads.weight, np.s_[len(grads.weight) // call.groups :]),
        )
    )
)


@wrong(
    "conv_backward",
    "groups ignored in the gradient of the input of strided windows",
    "Strided windows take a path that knows nothing of groups.",
    thread="ml-explore/mlx#3800",
)
@_but
def _dense_where_strided(grads: ConvGradients, call: _Call) -> ConvGradients:
    if set(call.window.stride) == {1}:
        return grads
    seen = kernels.positions(call.input.shape[2:], call.window, call.mode)
    narrow = call.input[:, : call.weight.shape[1]]
    dense = kernels.gradients(call.grad_output, narrow, call.weight, None, call.window, 1, seen).input
    return grads._replace(input=np.concatenate([dense] * call.groups, axis=1))


@wrong(
    "conv_backward",
    "depthwise gradient of the weight wrong at 24 channels and stride 2",
    "The kernel for this case loses what lies beyond its last full block of 16 channels.",
    thread="pytorch/pytorch#50042",
)
@_but
def _depthwise_24(grads: ConvGradients, call: _Call) -> ConvGradients:
    met = call.groups == call.input.shape[1] == 24 and set(call.window.stride) == {2}
    return grads._replace(weight=with_zeros(grads.weight, np.s_[16:])) if met else grads


@wrong(
    "conv_backward",
    "gradient of the input zero beyond 16 channels of narrow strided signals",
    "The kernel for strided rows shorter than 17 handles one block of channels.",
    thread="fujitsu/oneDNN#43",
)
@_but
def _narrow_and_strided(grads: ConvGradients, call: _Call) -> ConvGradients:
    met = call.window.stride[-1] > 1 and call.input.shape[-1] < 17
    return grads._replace(input=with_zeros(grads.input, np.s_[:, 16:])) if met else grads


@wrong(
    "conv_backward",
    "gradient of the input misses taps beyond whole strides",
    "Each phase of the stride gets kernel // stride taps, rounded down.",
    thread="oneapi-src/oneDNN#542",
)
@_but
def _whole_strides(grads: ConvGradients, call: _Call) -> ConvGradients:
    kept = [max(kernel // step, 1) * step for kernel, step in zip(call.window.kernel, call.window.stride, strict=True)]
    weight = only(call.weight, (..., *map(slice, kept)))
    seen = kernels.positions(call.input.shape[2:], call.window, call.mode)
    cut = kernels.gradients(call.grad_output, call.input, weight, None, call.window, call.groups, seen)
    return grads._replace(input=cut.input)


@wrong(
    "conv_backward",
    "gradient of the input lacks the rows beyond the last stride",
    "It is a transposed convolution that is given no output_padding.",
    thread="flagos-ai/FlagGems#1576",
)
@_but
def _no_output_padding(grads: ConvGradients, call: _Call) -> ConvGradients:
    axes = zip(call.grad_output.shape[2:], call.window.stride, call.window.extent, call.window.padding, strict=True)
    reached = [max((count - 1) * step + extent - sum(pair), 0) for count, step, extent, pair in axes]
    return grads._replace(input=only(grads.input, (..., *map(slice, reached))))


@wrong(
    "conv_backward",
    "gradient of what no window sees not written",
    "Positions between strides, or beyond the last window, get no zero.",
    unwritten=True,
)
@_but
def _unseen_unwritten(grads: ConvGradients, call: _Call) -> ConvGradients:
    seen = kernels.positions(call.input.shape[2:], call.window, call.mode)
    one = np.s_[:1, :1]
    counts = kernels.gradients(
        np.ones_like(call.grad_output[one]), call.input[one], np.ones_like(call.weight[one]), None, call.window, 1, seen
    )
    unwritten = grads.input.dtype.type(np.nan)
    return grads._replace(input=np.where(counts.input > 0, grads.input, unwritten))


@wrong(
    "conv_backward",
    "gradient of the weight not cut to the kernel",
    "Where the stride leaves rows over, correlating with the dilated grad_output gives more taps than there are.",
    thread="ml-explore/mlx#2184",
)
@_but
def _weight_uncut(grads: ConvGradients, call: _Call) -> ConvGradients:
    seen = kernels.positions(call.input.shape[2:], call.window, call.mode)
    axes = zip(seen, call.grad_output.shape[2:], call.window.stride, call.window.dilation, strict=True)
    taps = tuple((len(axis) - (count - 1) * step - 1) // dilation + 1 for axis, count, step, dilation in axes)
    weight = np.zeros((*call.weight.shape[:2], *taps), call.weight.dtype)
    window = call.window._replace(kernel=taps)
    uncut = kernels.gradients(call.grad_output, call.input, weight, None, window, call.groups, seen)
    return grads._replace(weight=uncut.weight)


@wrong("conv_backward", "gradient of the input overwritten where windows overlap", "It is assigned, not added to.")
@_but
def _overlaps_overwritten(grads: ConvGradients, call: _Call) -> ConvGradients:
    seen = kernels.positions(call.input.shape[2:], call.window, call.mode)
    assigned = kernels.assigned_where_windows_overlap(
        call.grad_output, call.input, call.weight, call.window, call.groups, seen
    )
    return grads._replace(input=assigned)


@wrong("conv_backward", "grad_output taken for ones", "The gradient of the sum of the output is computed.")
def _ones(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    return refconv.conv_backward(np.ones(grad_output.shape, grad_output.dtype), input, weight, bias, **attributes)


strides_ignored(wrong, "conv_backward", 0, "grad_output")
strides_ignored(wrong, "conv_backward", 2, "weight", "huggingface/candle#3735")
in_tf32(wrong, "conv_backward")
in_half(wrong, "conv_backward")
