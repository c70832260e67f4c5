"""Wrong batch norms: much of what only they can get wrong is about running statistics."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue, Function
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import in_half, modifying, stale, strides_ignored
from oracle.diagnosis.variants.norm_gradients import collect_gradients, parts_of
from oracle.diagnosis.variants.normalized import (
    Axes,
    Measured,
    moments,
    norm_by,
    per_channel,
    standard,
)
from oracle.diagnosis.variants.norms import collect, regrouped
from refconv import BatchNormResult, NormGradients
from refconv.arguments import Array

wrong = Catalogue()

collect(wrong, "batch_norm", {"variance in one pass": "tensorflow/tensorflow#118701"})
regrouped(
    wrong,
    "batch_norm",
    "statistics of each position by itself",
    "The spatial axes don't take part in the sums.",
    lambda axes, _: axes[:1],
)
regrouped(
    wrong,
    "batch_norm",
    "statistics of each image by itself",
    "The sums start anew for each image, as in instance norm.",
    lambda axes, _: axes[1:],
    thread="apache/tvm#18609",
)
regrouped(wrong, "batch_norm", "all axes normalised", "Everything shares one mean.", lambda _, ndim: tuple(range(ndim)))


wrong(
    "batch_norm",
    "divided by the square, not by the root",
    "square(variance + eps) in place of sqrt(variance + eps).",
    thread="jax-ml/jax#442",
)(norm_by("batch_norm", lambda m: (m.x - m.mean) / np.square(m.variance + m.eps)))


def _keeping(change: Callable[..., tuple[Any, Any]]) -> Function:
    """Return a batch norm that keeps other running statistics.

    `change` gets the old and the new mean and variance, the latter biased, Bessel's factor, and the momentum.
    """

    @np.errstate(all="ignore")
    def function(input: Array, weight: Any, bias: Any, *running: Any, **attributes: Any) -> BatchNormResult:
        right = refconv.batch_norm(input, weight, bias, *running, **attributes)
        if running[0] is None or not input.size or not attributes["training"]:
            return right
        axes = (0, *range(2, input.ndim))
        new = [array.ravel() for array in moments(input.astype(np.float64), axes, None)]
        values = input.size // input.shape[1]
        mean, variance = change(*running, *new, values / (values - 1), attributes["momentum"])
        return right._replace(running_mean=like(input, mean), running_var=like(input, variance))

    return function


def _mixed(old: Array, new: Any, momentum: float) -> Any:
    return (1 - momentum) * old + momentum * new


_KEPT: tuple[tuple[str, str, Callable[..., tuple[Any, Any]], str | None], ...] = (
    (
        "running variance biased",
        "It is updated by the variance that the output is made with.",
        lambda m, v, mean, variance, _, new: (_mixed(m, mean, new), _mixed(v, variance, new)),
        "ml-explore/mlx#3817",
    ),
    (
        "running standard deviation kept",
        "What is kept is the root of the variance.",
        lambda m, v, mean, variance, bessel, new: (_mixed(m, mean, new), _mixed(v, np.sqrt(variance * bessel), new)),
        None,
    ),
    (
        "momentum inverted",
        "It is the weight of the old statistics, as in Keras and ONNX.",
        lambda m, v, mean, variance, bessel, new: (_mixed(m, mean, 1 - new), _mixed(v, variance * bessel, 1 - new)),
        None,
    ),
    (
        "momentum ignored",
        "It is 0.1 whatever is asked for.",
        lambda m, v, mean, variance, bessel, _: (_mixed(m, mean, 0.1), _mixed(v, variance * bessel, 0.1)),
        None,
    ),
    (
        "running statistics not updated",
        "They are returned as they came.",
        lambda m, v, *_: (m, v),
        "apache/tvm#18518",
    ),
    (
        "running statistics replaced",
        "The old ones are forgotten.",
        lambda *found: (found[2], found[3] * found[4]),
        None,
    ),
)


for _name, _cause, _change, _thread in _KEPT:
    wrong("batch_norm", _name, _cause, thread=_thread)(_keeping(_change))


@wrong("batch_norm", "running statistics normalise in training", "The output is made as in inference.")
def _running_in_training(input: Array, weight: Any, bias: Any, *running: Any, **attributes: Any) -> BatchNormResult:
    right = refconv.batch_norm(input, weight, bias, *running, **attributes)
    if running[0] is None:
        return right
    inference = refconv.batch_norm(input, weight, bias, *running, **{**attributes, "training": False})
    return right._replace(output=inference.output)


@wrong("batch_norm", "updated statistics normalise in training", "The running ones are updated first, and then used.")
def _updated_in_training(input: Array, weight: Any, bias: Any, *running: Any, **attributes: Any) -> BatchNormResult:
    right = refconv.batch_norm(input, weight, bias, *running, **attributes)
    if right.running_mean is None or not attributes["training"]:
        return right
    updated = (right.running_mean, right.running_var)
    inference = refconv.batch_norm(input, weight, bias, *updated, **{**attributes, "training": False})
    return right._replace(output=inference.output)


@wrong(
    "batch_norm",
    "batch's statistics normalise in inference",
    "The output is made as in training.",
    thread="apache/tvm#18609",
)
def _batch_in_inference(input: Array, *inputs: Any, **attributes: Any) -> BatchNormResult:
    right = refconv.batch_norm(input, *inputs, **attributes)
    training = norm_by("batch_norm")(input, *inputs, **{**attributes, "training": True}) if _varied(input) else right
    return right._replace(output=training.output)


@wrong("batch_norm", "running statistics updated in inference", "They are updated whenever they are given.")
def _updated_in_inference(input: Array, *inputs: Any, **attributes: Any) -> BatchNormResult:
    right = refconv.batch_norm(input, *inputs, **attributes)
    if not _varied(input):
        return right
    training = refconv.batch_norm(input, *inputs, **{**attributes, "training": True})
    return training._replace(output=right.output)


def _varied(input: Array) -> bool:
    """Whether there are statistics of `input`, of more than one value in each channel."""
    return bool(input.size > input.shape[1])


@wrong(
    "batch_norm",
    "running statistics NaN after an empty batch",
    "The mean of no values is 0 / 0, and is mixed into the running one.",
    thread="pytorch/pytorch#12013",
)
def _empty_batch(input: Array, *inputs: Any, **attributes: Any) -> BatchNormResult:
    right = refconv.batch_norm(input, *inputs, **attributes)
    if input.size or right.running_mean is None or right.running_var is None or not attributes["training"]:
        return right
    unknown = np.full_like(right.running_mean, np.nan)
    return right._replace(running_mean=unknown, running_var=unknown.copy())


@wrong("batch_norm", "positions not counted", "The sums over batch and positions are divided by the batch alone.")
def _positions_not_counted(input: Array, *inputs: Any, **attributes: Any) -> BatchNormResult:
    def found(x: Array, axes: Axes, _: Any) -> tuple[Array, Array]:
        mean = x.mean(axes[:1], keepdims=True).sum(axes[1:], keepdims=True)
        return mean, ((x - mean) ** 2).mean(axes[:1], keepdims=True).sum(axes[1:], keepdims=True)

    result: BatchNormResult = norm_by("batch_norm", found=found)(input, *inputs, **attributes)
    return result


@wrong("batch_norm", "weight applied before centring", "The mean of the plain input is subtracted from weight * input.")
@np.errstate(all="ignore")
def _weighted_first(input: Array, weight: Array | None, bias: Array | None, *others: Any, **attributes: Any) -> Any:
    if weight is None:
        return refconv.batch_norm(input, weight, bias, *others, **attributes)

    def formula(m: Measured) -> Array:
        factor = per_channel("batch_norm", weight, input.ndim)
        return standard(m._replace(x=m.x * factor))

    return norm_by("batch_norm", formula)(input, None, bias, *others, **attributes)


collect_gradients(wrong, "batch_norm")


@wrong("batch_norm_backward", "running statistics normalise in training", "The backward is that of inference.")
def _running_in_training_backward(*arrays: Any, **attributes: Any) -> NormGradients:
    training = attributes["training"] and arrays[-1] is None
    return refconv.batch_norm_backward(*arrays, **{**attributes, "training": training})


@wrong("batch_norm_backward", "batch's statistics normalise in inference", "The backward is that of training.")
def _batch_in_inference_backward(grad_output: Array, input: Array, *others: Any, **attributes: Any) -> NormGradients:
    training = attributes["training"] or input.size > input.shape[1]
    return refconv.batch_norm_backward(grad_output, input, *others, **{**attributes, "training": training})


@wrong("batch_norm_backward", "running statistics not held constant", "In inference, nothing goes back through them.")
@np.errstate(all="ignore")
def _running_differentiated(
    grad_output: Array, input: Array, weight: Any, bias: Any, *running: Any, **attributes: Any
) -> NormGradients:
    right = refconv.batch_norm_backward(grad_output, input, weight, bias, *running, **attributes)
    if attributes["training"] or not input.size:
        return right
    mean, variance = (per_channel("batch_norm", array, input.ndim).astype(np.float64) for array in running)
    reciprocal = 1 / np.sqrt(variance + attributes["eps"])
    parts = parts_of("batch_norm", grad_output, input, weight, attributes)._replace(z=(input - mean) * reciprocal)
    return right._replace(input=like(input, reciprocal * (parts.h - parts.mean(parts.h) - parts.through(parts.h))))


modifying(wrong, "batch_norm", 0)
strides_ignored(wrong, "batch_norm", 0, "input", "pytorch/pytorch#62594")
strides_ignored(wrong, "batch_norm_backward", 0, "grad_output", "pytorch/pytorch#175189")
stale(wrong, "batch_norm_backward", 1)
in_half(wrong, "batch_norm")
