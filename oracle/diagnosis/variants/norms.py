"""What any norm may get wrong, forward."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue, Function
from oracle.diagnosis.variants.normalized import Axes, Measured, norm_by, standard
from refconv.arguments import Array


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
        "eps no less than 1e-5",
        "A smaller eps is taken for a mistake, and raised, as cuDNN asks for.",
        lambda m: standard(m._replace(eps=max(m.eps, 1e-5))),
    ),
    (
        "normalised by the unbiased variance",
        "The variance is divided by count - 1, as statistics packages do by default.",
        lambda m: standard(m._replace(variance=m.variance * m.bessel)),
    ),
    ("root forgotten", "What is centred is divided by the variance, not by its root.", _without_root),
    ("mean not subtracted", "The norm only scales, as RMS norm.", _uncentred),
)


def _one_pass(x: Array, axes: Axes, dtype: Any) -> tuple[Array, Array]:
    """Return the mean, and the variance as a difference of large numbers, rounded to `dtype`."""
    values = x.astype(dtype)
    mean = values.mean(axes, keepdims=True)
    return mean, (values * values).mean(axes, keepdims=True) - mean * mean


_LOST = (
    "variance in one pass",
    "The variance is the mean of the squares less the squared mean, which cancels far from 0.",
)


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


_WEIGHT_AND_BIAS: tuple[tuple[str, str, Callable[[str], Function]], ...] = (
    ("weight ignored", "The weight is never multiplied by.", lambda operator: _without(operator, 1)),
    ("bias ignored", "The bias is never added.", lambda operator: _without(operator, 2)),
    (
        "bias scaled, too",
        "The bias is added before the weight is multiplied by.",
        lambda operator: _changed(operator, lambda weight, bias: (weight, weight * bias)),
    ),
    (
        "weight and bias swapped",
        "The two are handed on in the wrong order.",
        lambda operator: _changed(operator, lambda weight, bias: (bias, weight)),
    ),
)


def collect(wrong: Catalogue, operator: str, threads: Mapping[str, str]) -> None:
    """Collect what any norm may get wrong; `threads` say by the mistakes' names where they were reported."""
    for name, cause, formula in _FORMULAS:
        wrong(operator, name, cause, thread=threads.get(name))(norm_by(operator, formula))
    name, cause = _LOST
    wrong(operator, name, cause, thread=threads.get(name))(norm_by(operator, found=_one_pass))
    for name, cause, function in _WEIGHT_AND_BIAS:
        wrong(operator, name, cause)(function(operator))


def regrouped(
    wrong: Catalogue,
    operator: str,
    name: str,
    cause: str,
    over: Callable[[Axes, int], Axes],
    *,
    thread: str | None = None,
) -> None:
    """Collect a norm whose statistics are `over` other axes; it gets the right ones, and the input's number of axes."""
    wrong(operator, name, cause, thread=thread)(norm_by(operator, over=over))
