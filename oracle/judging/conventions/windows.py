"""Conventions of what is taken over windows: the mean of nothing, and where the gradient of equal maxima goes."""

from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import numpy as np

from oracle.judging.conventions.convention import Asked, Convention, Results
from oracle.judging.values import Expected
from properties import Case
from properties.case import array
from refconv import Bound, avg_pool, bounds
from refconv.arguments import Array
from refconv.geometry import output_size, read_pool_window
from refconv.maxima import Taps, adaptive_taps, window_taps


def _means_of_nothing(asked: Asked) -> Results | None:
    """Return NaN, 0 / 0, as the mean of windows that hold nothing but padding that doesn't count."""
    attributes: Any = asked.case.attributes
    if asked.expected is None or attributes["count_include_pad"] or attributes["divisor_override"] is not None:
        return None
    expected = asked.expected["output"]
    assert expected is not None
    nothing = avg_pool(np.ones(array(asked.case, "input").shape), **attributes) == 0
    return {"output": expected._replace(value=np.where(nothing, np.nan, expected.value))} if nothing.any() else None


class _Windows(NamedTuple):
    """The elements of all windows."""

    place: Array  # (windows, taps): where they stand, flat over the spatial axes
    there: Array  # which of them there are: windows at the border have fewer
    positions: int

    def of(self, signal: Array) -> Array:
        """Return the elements, ``(planes, windows, taps)``, -inf where there is none."""
        planes = signal.reshape(signal.shape[0] * signal.shape[1], self.positions)
        return np.where(self.there, planes[:, self.place], -np.inf)

    def sums(self, terms: Array) -> Array:
        """Return the sums of such elements by their positions, ``(planes, positions)``."""
        plane = np.arange(len(terms))[:, None, None] * self.positions
        flat = np.bincount((plane + self.place).ravel(), terms.ravel(), len(terms) * self.positions)
        return flat.reshape(len(terms), self.positions)


def _windows(taps: list[Taps]) -> _Windows:
    strides = [1, *accumulate((axis.length for axis in taps[:0:-1]), lambda x, y: x * y)][::-1]
    place, there = np.zeros((1, 1), int), np.ones((1, 1), bool)
    for axis, stride in zip(taps, strides, strict=True):
        k = np.arange(axis.taps.max(initial=0))
        own = k < axis.taps[:, None]
        along = np.where(own, axis.first[:, None] + k * axis.step, 0) * stride
        shape = len(place) * len(own), place.shape[1] * len(k)
        place = (place[:, None, :, None] + along[None, :, None]).reshape(shape)
        there = (there[:, None, :, None] & own[None, :, None]).reshape(shape)
    return _Windows(place, there, prod(axis.length for axis in taps))


def _taps(asked: Asked) -> list[Taps]:
    attributes: Any = asked.case.attributes
    size = array(asked.case, "input").shape[2:]
    if asked.case.operator == "adaptive_max_pool":
        return adaptive_taps(size, asked.case.grad_output.shape[2:])
    given = {name: attributes[name] for name in ("stride", "padding", "dilation")}
    window = read_pool_window(attributes["kernel_size"], len(size), **given)
    return window_taps(size, output_size(size, window, ceil_mode=attributes["ceil_mode"]), window)


def _ties_split(asked: Asked, *, nan_is_equal: bool = False, padding_counts: bool = False) -> Results | None:
    """Return the gradient of maxima that is split evenly among equal ones.

    NaN is equal to none, so that its window gets 0 / 0, or to every other; what is -inf may be as large as padding.
    """
    input = array(asked.case, "input").astype(np.float64)
    if asked.expected is None or (nan_is_equal and not np.isnan(input).any()):
        return None
    if padding_counts and not np.isneginf(input).any():
        return None
    windows = _windows(_taps(asked))
    values = windows.of(input)
    largest = values.max(axis=-1, keepdims=True, initial=-np.inf)
    nan = np.isnan(largest)
    tied = windows.there & ((values == largest) | (np.isnan(values) & nan_is_equal))
    count = tied.sum(axis=-1, keepdims=True)
    if padding_counts:
        count = np.where(np.isneginf(largest), _positions(asked.case), count)
    if count.max(initial=0) < 2 and not nan.any():
        return None
    share = asked.case.grad_output.astype(np.float64).reshape(count.shape) / np.maximum(count, 1)
    gradient, bound = _shared(asked, windows, tied, count, share)
    lost = windows.sums((windows.there & nan & (count == 0)).astype(float)) > 0
    shaped = [each.reshape(input.shape) for each in (np.where(lost, np.nan, gradient), *bound)]
    return {"grad_input": Expected(shaped[0], Bound(*shaped[1:]))}


def _positions(case: Case) -> int:
    """Return how many positions a window has, padding among them."""
    size: Any = case.attributes["kernel_size"]
    return prod(size) if isinstance(size, tuple | list) else size ** (case.grad_output.ndim - 2)


def _shared(asked: Asked, windows: _Windows, tied: Array, count: Array, share: Array) -> tuple[Array, Bound]:
    """Return the sums of the shares, and their bounds.

    A share is a quotient, or a product with a rounded one. Of powers of two it is exact, so that integers stay so.
    """
    exact = bool((np.frexp(np.maximum(count, 1))[0] == 0.5).all())
    unit = float(count.max(initial=1)) if exact else 1.0
    terms = asked.arithmetic if exact else asked.arithmetic._replace(product=2 * asked.arithmetic.product)

    def sums(shares: Array) -> Array:
        return windows.sums(np.where(tied, shares, 0))

    gradient = sums(share * unit)
    bound: Bound
    (bound,) = bounds.multilinear(sums, terms, (gradient,), (share * unit,), {})
    return gradient / unit, Bound(*(error / unit for error in bound))


def _half_at_zero(asked: Asked) -> Results | None:
    """Return the gradient of max(x, 0) that is split evenly at 0."""
    input, grad = array(asked.case, "input"), asked.case.grad_output.astype(np.float64)
    if asked.expected is None or not (input == 0).any():
        return None
    expected = asked.expected["grad_input"]
    assert expected is not None
    return {"grad_input": expected._replace(value=np.where(input == 0, grad / 2, expected.value))}


def conventions() -> Iterator[Convention]:
    """Yield those of windows."""
    yield Convention("the mean of nothing is NaN", frozenset({("avg_pool", "forward")}), _means_of_nothing)
    pool, adaptive = ("max_pool", "backward"), ("adaptive_max_pool", "backward")
    for nan in (False, True):
        split = partial(_ties_split, nan_is_equal=nan)
        yield Convention("ties split evenly", frozenset({pool, adaptive}), split)
        yield Convention("ties split evenly", frozenset({pool}), partial(split, padding_counts=True))
    yield Convention("half of the gradient at 0", frozenset({("relu", "backward")}), _half_at_zero)
