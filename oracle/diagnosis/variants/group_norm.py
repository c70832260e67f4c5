"""Wrong group norms."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import incomplete_key
from oracle.diagnosis.variants.norm_gradients import collect_gradients, parts_of
from oracle.diagnosis.variants.norms import collect, regrouped
from refconv import NormGradients
from refconv.arguments import Array

wrong = Catalogue()

collect(wrong, "group_norm", {"variance in one pass": "pytorch/pytorch#54293"})
regrouped(
    wrong,
    "group_norm",
    "statistics of each position by itself",
    "The spatial axes don't take part in the sums.",
    lambda axes, _: axes[:1],
)
regrouped(
    wrong,
    "group_norm",
    "statistics of each channel by itself",
    "The sums start anew for each channel, as in instance norm.",
    lambda axes, _: axes[1:],
)
regrouped(
    wrong,
    "group_norm",
    "statistics shared by the groups",
    "The sums run over all channels, as with one group.",
    lambda axes, _: (1, *axes),
)


@wrong(
    "group_norm", "channels dealt out to the groups", "Channel c is in group c % num_groups, not in one of neighbours."
)
@np.errstate(all="ignore")
def _interleaved(
    input: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float
) -> Array:
    channels = np.arange(input.shape[1]).reshape(-1, num_groups).T.ravel()  # those of each group, side by side
    chosen = [None if array is None else array[channels] for array in (weight, bias)]
    dealt = refconv.group_norm(input[:, channels], *chosen, num_groups=num_groups, eps=eps)
    return dealt[:, np.argsort(channels)].copy()


@wrong("group_norm", "groups and channels of a group swapped", "num_groups is read as the channels of each group.")
def _groups_swapped(input: Array, *parameters: Array | None, num_groups: int, eps: float) -> Array:
    return refconv.group_norm(input, *parameters, num_groups=input.shape[1] // num_groups, eps=eps)


@wrong("group_norm", "weight and bias by group", "They are indexed by the group, not by the channel.")
def _parameters_of_groups(
    input: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float
) -> Array:
    groups = np.arange(input.shape[1]) // (input.shape[1] // num_groups)
    chosen = [None if array is None else array[groups] for array in (weight, bias)]
    return refconv.group_norm(input, *chosen, num_groups=num_groups, eps=eps)


@wrong("group_norm", "weight and bias by channel of the group", "They are indexed from 0 again in each group.")
def _parameters_of_group(
    input: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float
) -> Array:
    channels = np.arange(input.shape[1]) % (input.shape[1] // num_groups)
    chosen = [None if array is None else array[channels] for array in (weight, bias)]
    return refconv.group_norm(input, *chosen, num_groups=num_groups, eps=eps)


collect_gradients(wrong, "group_norm")


@wrong(
    "group_norm_backward",
    "rows counted for images",
    "The size of a channel is read off the last axis: the sums are those of the first row.",
    thread="linkedin/Liger-Kernel#1376",
)
@np.errstate(all="ignore")
def _first_row(
    grad_output: Array, input: Array, weight: Any = None, bias: Any = None, **attributes: Any
) -> NormGradients:
    right = refconv.group_norm_backward(grad_output, input, weight, bias, **attributes)
    if input.ndim < 4 or not input.size:
        return right
    parts = parts_of("group_norm", grad_output, input, weight, attributes)
    row: Any = (..., *[slice(1)] * (input.ndim - 3), slice(None))
    products, sums = ((parts.h * parts.z)[row], parts.h[row])
    means = [array.mean(parts.axes, keepdims=True) for array in (products, sums)]
    grad = parts.reciprocal * (parts.h - means[1] - parts.z * means[0])
    first = parts.grad.reshape(input.shape)[row]
    standard = parts.z.reshape(input.shape)[row]
    axes = (0, *range(2, input.ndim))
    return NormGradients(
        like(input, grad.reshape(input.shape)),
        None if weight is None else like(input, (first * standard).sum(axes)),
        None if bias is None else like(input, first.sum(axes)),
    )


@wrong("group_norm_backward", "groups and channels of a group swapped", "num_groups is read as the channels of each.")
def _groups_swapped_backward(
    grad_output: Array, input: Array, *others: Any, num_groups: int, eps: float
) -> NormGradients:
    channels = input.shape[1] // num_groups
    return refconv.group_norm_backward(grad_output, input, *others, num_groups=channels, eps=eps)


incomplete_key(wrong, "group_norm", "eps")
