"""Wrong gradients of transposed convolutions."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.kernels import Change, only, with_zeros
from refconv import ConvGradients
from refconv.arguments import Array

wrong = Catalogue()


def _misread(change: Change, *parts: str) -> Callable[..., ConvGradients]:
    """Return gradients of which `parts` are those of a misread window."""

    def conv_transpose_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        window, groups = change(kernels.read(weight, attributes)), attributes.get("groups", 1)
        seen = kernels.positions(grad_output.shape[2:], window)
        grads = refconv.conv_transpose_backward(grad_output, input, weight, bias, **attributes)
        misread = {
            "input": kernels.correlated(grad_output, weight, None, window, groups, seen, input.shape[2:]),
            "weight": kernels.gradients(input, grad_output, weight, None, window, groups, seen).weight,
        }
        return grads._replace(**{part: misread[part] for part in parts})

    return conv_transpose_backward


for mistake, reason, mixed_up in kernels.MIXED_UP:
    wrong("conv_transpose_backward", mistake, reason)(_misread(mixed_up, "input", "weight"))
wrong("conv_transpose_backward", "padding before and after swapped", "A pair is read as (after, before).")(
    _misread(kernels.sides_swapped, "input", "weight")
)
for field in kernels.FIELDS:
    for part in ("input", "weight"):
        name, cause = f"{field} ignored in the gradient of the {part}", f"The {field} isn't handed on."
        wrong("conv_transpose_backward", name, cause)(_misread(kernels.ignored(field), part))


def _of(part: str, **changes: Callable[[Array, int], Array]) -> Callable[..., ConvGradients]:
    """Return gradients of which one is that of other arrays: `changes` take the right ones, and the groups."""

    def conv_transpose_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        arrays: dict[str, Any] = {"grad_output": grad_output, "input": input, "weight": weight}
        changed = {name: change(arrays[name], attributes.get("groups", 1)) for name, change in changes.items()}
        other = refconv.conv_transpose_backward(**{**arrays, **changed}, bias=bias, **attributes)
        grads = refconv.conv_transpose_backward(**arrays, bias=bias, **attributes)
        return grads._replace(**{part: getattr(other, part)})

    return conv_transpose_backward


wrong("conv_transpose_backward", "kernel rotated in the gradient of the input", "A convolution needs no rotation.")(
    _of("input", weight=lambda weight, _: kernels.rotated(weight))
)
wrong(
    "conv_transpose_backward",
    "channels reshaped in the gradient of the input",
    "The channel axes are reshaped, not transposed.",
)(_of("input", weight=kernels.channels_relabelled))
wrong(
    "conv_transpose_backward",
    "first group's channels read in the gradient of the input",
    "The group isn't part of the index.",
)(_of("input", grad_output=kernels.first_group))
wrong(
    "conv_transpose_backward",
    "first group's channels read in the gradient of the weight",
    "The group isn't part of the index.",
)(_of("weight", grad_output=kernels.first_group))
wrong(
    "conv_transpose_backward",
    "only the last batch element in the gradient of the weight",
    "The gradient is assigned for each element of the batch, not added to.",
)(_of("weight", input=lambda signal, _: with_zeros(signal, np.s_[:-1])))
wrong(
    "conv_transpose_backward",
    "only the last position in the gradient of the weight",
    "The gradient is assigned for each position of the input, not added to.",
)(_of("weight", input=lambda signal, _: only(signal, (..., *[-1] * (signal.ndim - 2)))))
wrong(
    "conv_transpose_backward",
    "last partial tile of 8 columns missing in the gradient of the weight",
    "The loop over tiles ends with the last full one.",
)(_of("weight", input=lambda signal, _: with_zeros(signal, np.s_[..., kernels.beyond_tiles(signal.shape[-1])])))
wrong("conv_transpose_backward", "gradient of the bias from the first batch element alone", "The batch isn't summed.")(
    _of("bias", grad_output=lambda grad, _: with_zeros(grad, np.s_[1:]))
)
wrong("conv_transpose_backward", "gradient of the bias from the first position alone", "Space isn't summed over.")(
    _of("bias", grad_output=lambda grad, _: only(grad, (..., *[0] * (grad.ndim - 2))))
)


def _but(
    change: Callable[[ConvGradients, Array, Array, dict[str, Any]], ConvGradients],
) -> Callable[..., ConvGradients]:
    """Return gradients that are right but for what `change` does to them: it takes grad_output and weight, too."""

    def conv_transpose_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        grads = refconv.conv_transpose_backward(grad_output, input, weight, bias, **attributes)
        return change(grads, grad_output, weight, attributes)

    return conv_transpose_backward


wrong("conv_transpose_backward", "gradient of the weight averaged over the batch", "A mean is taken, not a sum.")(
    _but(lambda grads, grad_output, *_: grads._replace(weight=kernels.shared(grads.weight, len(grad_output))))
)
wrong("conv_transpose_backward", "gradient of the bias averaged over the batch", "A mean is taken, not a sum.")(
    _but(lambda grads, grad_output, *_: grads._replace(bias=kernels.shared(grads.bias, len(grad_output))))
)
wrong(
    "conv_transpose_backward", "gradient of the weight rotated", "It is that of a convolution with the flipped kernel."
)(_but(lambda grads, *_: grads._replace(weight=kernels.rotated(grads.weight))))


wrong("conv_transpose_backward", "gradient of the weight written as (out, in)", "It is reshaped, not transposed.")(
    _but(
        lambda grads, _, __, attributes: grads._replace(
            weight=kernels.channels_transposed(grads.weight, attributes.get("groups", 1))
        )
    )
)


@wrong("conv_transpose_backward", "zeros beyond the first group", "Only one group is computed.")
@_but
def _first_group_alone(grads: ConvGradients, _: Array, weight: Array, attributes: dict[str, Any]) -> ConvGradients:
    of_group = len(weight) // attributes.get("groups", 1)
    cut = {"input": with_zeros(grads.input, np.s_[:, of_group:]), "weight": with_zeros(grads.weight, np.s_[of_group:])}
    return grads._replace(**cut)


def _without_extra(grad_output: Array, attributes: dict[str, Any]) -> Array:
    extra = attributes.get("output_padding", 0)
    extra = (extra,) * (grad_output.ndim - 2) if isinstance(extra, int) else extra
    kept = [max(length - more, 0) for length, more in zip(grad_output.shape[2:], extra, strict=True)]
    return only(grad_output, (..., *map(slice, kept)))


@wrong("conv_transpose_backward", "output_padding left out of the gradients", "What it adds is cut from grad_output.")
def _extra_left_out(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    cut = _without_extra(grad_output, attributes)
    return refconv.conv_transpose_backward(cut, input, weight, bias, **attributes)


@wrong(
    "conv_transpose_backward", "output_padding left out of the gradient of the bias", "It is summed before the padding."
)
def _extra_left_out_of_bias(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    grads = refconv.conv_transpose_backward(grad_output, input, weight, bias, **attributes)
    cut = _without_extra(grad_output, attributes)
    return grads._replace(bias=refconv.conv_transpose_backward(cut, input, weight, bias, **attributes).bias)


@wrong(
    "conv_transpose_backward",
    "gradient of the input not cut to the input",
    "An output_padding that is no smaller than the stride leaves room for further windows.",
)
@_but
def _uncut(grads: ConvGradients, grad_output: Array, weight: Array, attributes: dict[str, Any]) -> ConvGradients:
    window, groups = kernels.read(weight, attributes), attributes.get("groups", 1)
    count = kernels.windows(grad_output.shape[2:], window)
    seen = kernels.positions(grad_output.shape[2:], window)
    return grads._replace(input=kernels.correlated(grad_output, weight, None, window, groups, seen, count))


@wrong(
    "conv_transpose_backward",
    "gradient of the input reads the next column where kernel 1 meets stride 2",
    "The kernel for this case begins within the gap between two windows.",
    thread="pytorch/pytorch#63314",
)
def _next_column(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    grads = refconv.conv_transpose_backward(grad_output, input, weight, bias, **attributes)
    window = kernels.read(weight, attributes)
    if (window.kernel[-1], window.stride[-1]) != (1, 2):
        return grads
    shifted = np.concatenate([grad_output[..., 1:], with_zeros(grad_output[..., :1], ...)], axis=-1)
    return grads._replace(input=refconv.conv_transpose_backward(shifted, input, weight, bias, **attributes).input)


@wrong("conv_transpose_backward", "grad_output taken for ones", "The gradient of the sum of the output is computed.")
def _ones(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    ones = np.ones(grad_output.shape, grad_output.dtype)
    return refconv.conv_transpose_backward(ones, input, weight, bias, **attributes)
