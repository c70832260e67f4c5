"""Which terms of a sum are alike: rounding errors of such have one sign, and add up where others walk at random.

Of n terms whose last digits have nothing to do with one another, in whatever order, the rounding errors of the partial
sums leave the square root of n of them (N. J. Higham, T. Mary, A new approach to probabilistic rounding error analysis,
SIAM Journal on Scientific Computing 41, 2019, whose assumption this is). Of terms that have one value, or that grow
evenly, each is rounded as the one before: while the partial sums stay within a binade, n errors are n times one. So a
term counts as many times as there are terms like it: the n steps of the walk become n k, each sqrt(k) times as long,
for k alike. Terms are products; one that has a factor of which no two are alike is like no other.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refconv.arguments import Array

FEW = 4
"""Elements of one value that are taken to be so by chance."""
RUN = 16
"""Neighbours each of which is nearly as large as the one before, from which on they are taken to be alike."""
_NEAR = 4.0  # how much they differ, as a part of their size: its reciprocal


def alike(array: Array) -> Array:
    """Return, for each element, how many of the array are like it: of its magnitude, or in one even run with it."""
    total = float(max(array.size, 1))
    return np.minimum(np.maximum(equals(array), evenly(array, range(array.ndim))), total)


def equals(array: Array) -> Array:
    """Return, for each element, how many have its magnitude; 1 for the few that do so by chance, and for zeros."""
    sizes = abs(array)
    ordered = np.sort(sizes, axis=None)
    if not ((ordered[FEW:] == ordered[:-FEW]) & (ordered[FEW:] > 0)).any():
        return np.ones(array.shape)
    values, places, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    known: Array = np.where((counts > FEW) & (values > 0), counts, 1.0)
    return known[places].reshape(array.shape)


def evenly(array: Array, axes: Iterable[int]) -> Array:
    """Return, for each element, how many are in one run with it along `axes`: as many as an axis is long, at most."""
    sizes, found = abs(array), np.ones(array.shape)
    for axis in axes:
        ends = np.moveaxis(sizes, axis, -1)
        if ends.shape[-1] <= RUN:
            continue
        near = _NEAR * abs(np.diff(ends)) < np.minimum(ends[..., 1:], ends[..., :-1])
        length = 1
        while length < RUN:  # of a run that begins here
            near = near[..., :-length] & near[..., length:]
            length *= 2
        if near.any():
            within = np.zeros(ends.shape, bool)
            for place in range(RUN + 1):
                within[..., place : place + near.shape[-1]] |= near
            found *= np.moveaxis(np.where(within, ends.shape[-1], 1.0), -1, axis)
    return found


def like_terms(sums: Callable[..., tuple[Any, ...]], inputs: Iterable[Array | None]) -> tuple[Any, ...] | None:
    """Return by how much each sum's count of terms grows where a term counts as often as there are such; None: nothing.

    `sums` takes an array for each input, and returns the sums of their products.
    """
    counts = [None if array is None else alike(array) for array in inputs]
    if all(count is None or (count == 1).all() for count in counts):
        return None
    # A term with a factor of which no two are alike adds nothing.
    return sums(*(count if count is None or (count > 1).any() else np.zeros_like(count) for count in counts))
