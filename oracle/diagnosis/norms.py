"""Wrong batch, layer, instance and group norms, forward: what they have in common."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.normalized import NORMS, Axes, Measured, norm_by, standard
from oracle.diagnosis.variant import Catalogue, Function
from refconv.arguments import Array

wrong = Catalogue()


def _eps_outside(m: Measured) -> Array:
    values: Array = (m.x - m.mean) / (np.sqrt(m.variance) + m.eps)
    return values


def _uncentred(m: Measured) -> Array:
    values: Array = m.x / np.sqrt(m.variance + m.eps)
    return values


def _without_root(m: Measured) -> Array:
    values: Array = (m.x - m.mean) / (m.variance + m.eps)
    return values


_FORMULAS: tuple[tuple[str, str, Callable[[Measured], Array]], ...] = (
    ("eps outside of the root", "eps is added to the standard deviation, not to the variance.", _eps_outside),
    ("eps forgotten", "Nothing is added to the variance.", lambda m: standard(m._replace(eps=0.0))),
    ("eps ignored", "eps is 1e-5 whatever is asked for.", lambda m: standard(m._replace(eps=1e-5))),
    (
        "normalised by the unbiased variance",
        "The variance is divided by count - 1, as statistics packages do by default.",
        lambda m: standard(m._replace(variance=m.variance * m.bessel)),
    ),
    ("root forgotten", "What is centred is divided by the variance, not by its root.", _without_root),
    ("mean not subtracted", "The norm only scales, as RMS norm.", _uncentred),
)

_REPORTED = {("layer_norm", "eps ignored"): "tensorflow/tensorflow#58863"}
for _operator in NORMS:
    for _name, _cause, _formula in _FORMULAS:
        wrong(_operator, _name, _cause, thread=_REPORTED.get((_operator, _name)))(norm_by(_operator, _formula))


def _one_pass(x: Array, axes: Axes, dtype: Any) -> tuple[Array, Array]:
    """Return the mean, and the variance as a difference of large numbers, rounded to `dtype`."""
    values = x.astype(dtype)
    mean = values.mean(axes, keepdims=True)
    return mean, (values * values).mean(axes, keepdims=True) - mean * mean


_LOST = {
    "batch_norm": "tensorflow/tensorflow#118701",
    "layer_norm": "pytorch/pytorch#51102",
    "instance_norm": None,
    "group_norm": "pytorch/pytorch#54293",
}
for _operator, _thread in _LOST.items():
    _cause = "The variance is the mean of the squares less the squared mean, which cancels far from 0."
    wrong(_operator, "variance lost far from 0", _cause, thread=_thread)(norm_by(_operator, found=_one_pass))


def _changed(operator: str, change: Callable[[Any, Any], tuple[Any, Any]]) -> Function:
    """Return a norm whose weight and bias are changed, where both are given."""

    @np.errstate(all="ignore")
    def function(
        input: Array, weight: Array | None = None, bias: Array | None = None, *running: Array | None, **attributes: Any
    ) -> Any:
        if weight is not None and bias is not None:
            weight, bias = change(weight, bias)
        return getattr(refconv, operator)(input, weight, bias, *running, **attributes)

    return function


def _without(operator: str, index: int) -> Function:
    """Return a norm that is never given its weight, input 1, or its bias, input 2."""

    def function(*inputs: Array | None, **attributes: Any) -> Any:
        return getattr(refconv, operator)(*inputs[:index], None, *inputs[index + 1 :], **attributes)

    return function


for _operator in NORMS:
    wrong(_operator, "weight ignored", "The weight is never multiplied by.")(_without(_operator, 1))
    wrong(_operator, "bias ignored", "The bias is never added.")(_without(_operator, 2))
    wrong(_operator, "bias scaled, too", "The bias is added before the weight is multiplied by.")(
        _changed(_operator, lambda weight, bias: (weight, weight * bias))
    )
    wrong(_operator, "weight and bias swapped", "The two are handed on in the wrong order.")(
        _changed(_operator, lambda weight, bias: (bias, weight))
    )


def _regrouped(
    operator: str, name: str, cause: str, over: Callable[[Axes, int], Axes], *, thread: str | None = None
) -> None:
    wrong(operator, name, cause, thread=thread)(norm_by(operator, over=over))


for _operator in ("batch_norm", "group_norm"):
    _name, _cause = "statistics of each position by itself", "The spatial axes don't take part in the sums."
    _regrouped(_operator, _name, _cause, lambda axes, _: axes[:1])
_regrouped(
    "batch_norm",
    "statistics of each image by itself",
    "The sums start anew for each image, as in instance norm.",
    lambda axes, _: axes[1:],
    thread="apache/tvm#18609",
)
_regrouped(
    "group_norm",
    "statistics of each channel by itself",
    "The sums start anew for each channel, as in instance norm.",
    lambda axes, _: axes[1:],
)
_regrouped(
    "group_norm",
    "statistics shared by the groups",
    "The sums run over all channels, as with one group.",
    lambda axes, _: (1, *axes),
)
_regrouped(
    "instance_norm",
    "statistics of the whole batch",
    "The sums run over the batch, too, as in batch norm.",
    lambda axes, _: (0, *axes),
)
_regrouped(
    "instance_norm",
    "statistics shared by the channels",
    "The sums run over the channels, too.",
    lambda axes, _: (1, *axes),
)

for _operator in ("instance_norm", "layer_norm"):
    _cause = "Of several axes that share a mean, only the last takes part in the sums."
    _regrouped(_operator, "last axis normalised alone", _cause, lambda axes, _: axes[-1:])
for _operator in ("batch_norm", "layer_norm"):
    _regrouped(_operator, "all axes normalised", "Everything shares one mean.", lambda _, ndim: tuple(range(ndim)))

_regrouped(
    "layer_norm",
    "all axes but the batch's normalised",
    "normalized_shape is taken for the shape of a whole image.",
    lambda axes, ndim: tuple(range(min(1, axes[0]), ndim)),
)
_regrouped(
    "layer_norm",
    "the other axes normalised",
    "The axes before normalized_shape are taken for those that it names.",
    lambda axes, _: tuple(range(axes[0])),
)


def _eps_inside_the_mean(input: Array, *parameters: Array | None, normalized_shape: Any, eps: float) -> Array:
    values = int(np.prod(normalized_shape))

    def formula(m: Measured) -> Array:
        return standard(m._replace(variance=m.variance * values / (values + eps), eps=0.0))

    function = norm_by("layer_norm", formula)
    result: Array = function(input, *parameters, normalized_shape=normalized_shape, eps=eps)
    return result


wrong(
    "layer_norm",
    "eps added to the count",
    "The sum of squares is divided by (count + eps): a bracket is misplaced.",
    thread="xlite-dev/LeetCUDA#317",
)(_eps_inside_the_mean)


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
