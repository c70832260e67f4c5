"""Wrong Lp pooling: norms of windows with a part of the formula missing."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.windows import (
    STEPS,
    Attributes,
    Misreading,
    floored_outputs,
    held,
    misread,
    places,
    scattered,
    taps_of,
    window_of,
)
from refconv import InputGradient
from refconv.arguments import Array
from refconv.maxima import Taps, flat_planes, window_taps

wrong = Catalogue()


@np.errstate(all="ignore")
def _norms(values: Array, p: float) -> Array:
    """Return the norms of windows' values, ``(planes, windows, taps)``."""
    if p == math.inf:
        return np.asarray(abs(values).max(axis=2, initial=0))
    return np.asarray((abs(values) ** p).sum(axis=2) ** (1 / p))


def _held(input: Array, taps: list[Taps]) -> Array:
    return held(np.ascontiguousarray(input), taps, 0).astype(np.float64)


def _shaped(norms: Array, input: Array, taps: list[Taps]) -> Array:
    shape = (*input.shape[:2], *(len(axis.first) for axis in taps))
    return np.ascontiguousarray(norms).reshape(shape).astype(input.dtype)


@np.errstate(all="ignore")
def _gradient(grad_output: Array, input: Array, taps: list[Taps], p: float, **changes: Any) -> InputGradient:
    """Return the gradient, some of its factors changed: of the values, of the norms, or in how shares are added."""
    values = _held(input, taps)
    norms = _norms(values, p)[..., None]
    if p == math.inf:
        first = (abs(values) == norms) & ((abs(values) == norms).cumsum(axis=2) == 1)
        factors = first * np.sign(values)
    else:
        of_value = changes.get("of_value", lambda x, p: np.sign(x) * abs(x) ** (p - 1))
        of_norm = changes.get("of_norm", lambda norm, p: norm ** (1 - p))
        factors = np.where(norms == 0, 0, of_value(values, p) * of_norm(norms, p))
    at, there = places(taps)
    grad = flat_planes(np.ascontiguousarray(grad_output)).astype(np.float64)[..., None]
    shares = np.where(there & (factors != 0), grad * factors, 0)
    result = scattered(shares, np.where(there, at, -1), np.empty(input.shape), add=changes.get("add", True))
    return InputGradient(result.astype(input.dtype))


# Windows that are misread.


def _misread_forward(misreading: Misreading) -> Callable[..., Array]:
    def function(input: Array, **attributes: Any) -> Array:
        window, outputs = misread(input, attributes, misreading)
        taps = window_taps(input.shape[2:], outputs, window)
        return _shaped(_norms(_held(input, taps), attributes["norm_type"]), input, taps)

    return function


def _misread_backward(misreading: Misreading) -> Callable[..., InputGradient]:
    def function(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
        window = misreading.change(window_of(input, attributes), attributes)
        taps = window_taps(input.shape[2:], grad_output.shape[2:], window)
        return _gradient(grad_output, input, taps, attributes["norm_type"])

    return function


for _misreading in STEPS:
    wrong("lp_pool", _misreading.name, _misreading.cause)(_misread_forward(_misreading))
    if _misreading.sized:
        wrong("lp_pool_backward", _misreading.name, _misreading.cause)(_misread_backward(_misreading))


@wrong("lp_pool", "ceil_mode ignored", "The output's size is always rounded down.")
def _floored(input: Array, **attributes: Any) -> Array:
    taps = window_taps(input.shape[2:], floored_outputs(input, attributes), window_of(input, attributes))
    return _shaped(_norms(_held(input, taps), attributes["norm_type"]), input, taps)


@wrong(
    "lp_pool", "last window of ceil_mode scaled up", "The window's average is multiplied by the kernel's whole size."
)
def _scaled(input: Array, **attributes: Any) -> Array:
    taps = taps_of(input, attributes)
    p = attributes["norm_type"]
    _, there = places(taps)
    whole = int(np.prod(window_of(input, attributes).kernel))
    return _shaped(_norms(_held(input, taps), p) * (whole / there.sum(axis=1)) ** (1 / p), input, taps)


# The formula.


def _formula(input: Array, attributes: Attributes, of_values: Callable[[Array, float], Array]) -> Array:
    """Return `of_values` of what windows hold and the norm's type."""
    taps = taps_of(input, attributes)
    with np.errstate(all="ignore"):
        return _shaped(of_values(_held(input, taps), attributes["norm_type"]), input, taps)


def _finite_only(input: Array, attributes: Attributes, of_values: Callable[[Array, float], Array]) -> Array:
    """Return the same, but the right norms where they are infinite ones."""
    if attributes["norm_type"] == math.inf:
        return refconv.lp_pool(input, **attributes)
    return _formula(input, attributes, of_values)


@wrong("lp_pool", "root missing", "The sum of powers is returned as it is.")
def _root_missing(input: Array, **attributes: Any) -> Array:
    return _finite_only(input, attributes, lambda values, p: (abs(values) ** p).sum(axis=2))


@wrong("lp_pool", "root always a square root", "`sqrt` stands in place of the p-th root.")
def _square_root(input: Array, **attributes: Any) -> Array:
    return _finite_only(input, attributes, lambda values, p: np.sqrt((abs(values) ** p).sum(axis=2)))


@wrong("lp_pool", "norm_type taken for 2", "The attribute is never read.")
def _always_two(input: Array, **attributes: Any) -> Array:
    return _formula(input, attributes, lambda values, _: _norms(values, 2))


@wrong("lp_pool", "norm_type rounded down to an integer", "The norm's type is kept as an int.")
def _truncated(input: Array, **attributes: Any) -> Array:
    return _finite_only(input, attributes, lambda values, p: _norms(values, int(p)))


@wrong("lp_pool", "mean of the powers in place of their sum", "The powers are average pooled, which divides them.")
def _mean(input: Array, **attributes: Any) -> Array:
    whole = int(np.prod(window_of(input, attributes).kernel))
    return _finite_only(input, attributes, lambda values, p: ((abs(values) ** p).sum(axis=2) / whole) ** (1 / p))


@wrong("lp_pool", "powers of the values, not of their magnitudes", "Odd powers keep their sign, others become NaN.")
def _signed(input: Array, **attributes: Any) -> Array:
    return _finite_only(input, attributes, lambda values, p: (values**p).sum(axis=2) ** (1 / p))


@wrong(
    "lp_pool",
    "powers of the values, then the sum's magnitude and sign",
    "The values are raised as they are, and the root is taken of the sum's magnitude.",
)
def _signed_root(input: Array, **attributes: Any) -> Array:
    def norms(values: Array, p: float) -> Array:
        total = (values**p).sum(axis=2)
        return np.asarray(np.sign(total) * abs(total) ** (1 / p))

    return _finite_only(input, attributes, norms)


@wrong("lp_pool", "infinite norm by powers", "The general formula is used, whose root of anything is 1.")
def _infinite_powers(input: Array, **attributes: Any) -> Array:
    return _formula(input, attributes, lambda values, p: (abs(values) ** p).sum(axis=2) ** (1 / p))


@wrong("lp_pool", "infinite norm taken for a large one", "A large finite power stands in for the maximum.")
def _large(input: Array, **attributes: Any) -> Array:
    if attributes["norm_type"] != math.inf:
        return refconv.lp_pool(input, **attributes)
    return refconv.lp_pool(input, **{**attributes, "norm_type": 16.0})


@wrong("lp_pool", "infinite norm without the magnitude", "The windows' largest values are returned.")
def _largest(input: Array, **attributes: Any) -> Array:
    if attributes["norm_type"] != math.inf:
        return refconv.lp_pool(input, **attributes)
    others = {name: value for name, value in attributes.items() if name != "norm_type"}
    return np.asarray(refconv.max_pool(input, **others))


_FACTORS: list[tuple[str, str, dict[str, Callable[[Any, float], Any]]]] = [
    ("sign missing", "The magnitude's derivative is left out.", {"of_value": lambda x, p: abs(x) ** (p - 1)}),
    (
        "powers of the values, not of their magnitudes",
        "x ** (p - 1) has the right sign for even norms only.",
        {"of_value": lambda x, p: x ** (p - 1)},
    ),
    ("not divided by the norm", "The root's derivative is left out.", {"of_norm": lambda norm, _: np.ones_like(norm)}),
    (
        "divided by one power of the norm too many",
        "The power is p where it should be p - 1.",
        {"of_norm": lambda norm, p: norm**-p},
    ),
    (
        "divided by the norm, not its power",
        "The formula of p = 2 is used for all.",
        {"of_norm": lambda norm, _: 1 / norm},
    ),
    (
        "multiplied by norm_type",
        "The power's derivative has its factor p, the root's lacks its 1 / p.",
        {"of_norm": lambda norm, p: p * norm ** (1 - p)},
    ),
    (
        "one power of the value too many",
        "The power isn't lowered by its derivative.",
        {"of_value": lambda x, p: np.sign(x) * abs(x) ** p},
    ),
]

for _name, _cause, _changes in _FACTORS:

    @wrong("lp_pool_backward", _name, _cause)
    def _backward(grad_output: Array, input: Array, changes: Any = _changes, **attributes: Any) -> InputGradient:
        return _gradient(grad_output, input, taps_of(input, attributes), attributes["norm_type"], **changes)


@wrong(
    "lp_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that holds an element wins.",
)
def _assigned(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return _gradient(grad_output, input, taps_of(input, attributes), attributes["norm_type"], add=False)


@wrong(
    "lp_pool_backward", "sign of an infinite norm's gradient missing", "The largest magnitude's place gets it as it is."
)
def _infinite_sign(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    right = refconv.lp_pool_backward(grad_output, input, **attributes)
    if attributes["norm_type"] != math.inf:
        return right
    return InputGradient(np.asarray(right.input * np.sign(input)))


@wrong("lp_pool_backward", "norm_type taken for 2", "The gradient is x / norm for every norm.")
def _always_two_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.lp_pool_backward(grad_output, input, **{**attributes, "norm_type": 2.0})
