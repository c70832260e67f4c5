"""What wrong norms are made of: an input as its norm sees it, its statistics, and the formula that they go into."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Function
from oracle.diagnosis.variants.arrays import like
from refconv.arguments import Array

Axes = tuple[int, ...]


def seen(operator: str, input: Array, attributes: dict[str, Any]) -> tuple[Array, Axes]:
    """Return `input` in float64 as the norm called `operator` sees it, and the axes whose values share a mean.

    Group norm's has an axis for the groups, and one for the channels of each.
    """
    x = input.astype(np.float64)
    if operator == "batch_norm":
        return x, (0, *range(2, x.ndim))
    if operator == "layer_norm":
        return x, tuple(range(x.ndim - np.size(attributes["normalized_shape"]), x.ndim))
    if operator == "group_norm":
        groups = attributes["num_groups"]
        x = x.reshape(len(x), groups, input.shape[1] // groups, *x.shape[2:])
    return x, tuple(range(2, x.ndim))


def moments(x: Array, axes: Axes, dtype: Any) -> tuple[Array, Array]:
    """Return the mean and the biased variance, in float64 whatever the `dtype` of the input."""
    del dtype
    return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)


def per_channel(operator: str, array: Array | None, ndim: int) -> Any:
    """Return a weight or a bias in the shape in which it applies to an input of `ndim` axes; None stays None."""
    if array is None or operator == "layer_norm":
        return array
    return array.reshape(-1, *[1] * (ndim - 2))


def count(x: Array, axes: Axes) -> int:
    """Return how many values share a mean."""
    return int(np.prod([x.shape[axis] for axis in axes]))


class Measured(NamedTuple):
    """What a norm's formula is made of; the statistics may be running ones."""

    x: Array
    mean: Array
    variance: Array
    eps: float
    bessel: Any  # count / (count - 1), by which a variance is made unbiased; 1 for one that is given


def standard(m: Measured) -> Array:
    """Return the right formula: mean 0 and variance 1."""
    values: Array = (m.x - m.mean) / np.sqrt(m.variance + m.eps)
    return values


def norm_by(
    operator: str,
    formula: Callable[[Measured], Array] = standard,
    *,
    over: Callable[[Axes, int], Axes] = lambda axes, _: axes,
    found: Callable[[Array, Axes, Any], tuple[Array, Array]] = moments,
) -> Function:
    """Return a norm by another `formula`, with statistics `over` other axes, or `found` in another way."""

    @np.errstate(all="ignore")
    def function(
        input: Array, weight: Array | None = None, bias: Array | None = None, *running: Array | None, **attributes: Any
    ) -> Any:
        right = getattr(refconv, operator)(input, weight, bias, *running, **attributes)
        x, axes = seen(operator, input, attributes)
        axes = over(axes, x.ndim)
        if not input.size or not axes:
            return right
        mean, variance = found(x, axes, input.dtype)
        bessel = np.divide(count(x, axes), count(x, axes) - 1)
        if not attributes.get("training", True):
            mean, variance = (per_channel(operator, array, x.ndim) for array in running)
            bessel = np.float64(1)
        output = formula(Measured(x, mean, variance, attributes["eps"], bessel)).reshape(input.shape)
        if weight is not None:
            output = output * per_channel(operator, weight, input.ndim)
        if bias is not None:
            output = output + per_channel(operator, bias, input.ndim)
        result = like(input, output)
        return right._replace(output=result) if operator == "batch_norm" else result

    return function
