"""Bounds on the errors of fast algorithms, whose errors are relative to norms of all that is transformed together.

A convolution by FFT or by Winograd's algorithm spreads the rounding errors of large elements over small ones: no bound
relative to an output's own terms holds. With x and w what is transformed of an input and a weight, the errors keep

    FFT         |computed - exact| <= 20 log2(N) u ||x||_2 ||w||_1 for three transforms of length N, each of which is
                off by (u + 4 sqrt(2) u) log2(N) in the 2-norm (Higham, Accuracy and Stability of Numerical Algorithms,
                2nd ed., theorem 24.2; Parseval and Cauchy-Schwarz for the product)
    Winograd    |computed - exact| <= 1100 u ||x||_F ||w||_F for F(2x2, 3x3): the product of the norms of its matrices,
                (sqrt(3) * 1.87 * 2.83)^2 = 84, times the 13 roundings of the nested transforms (Barabasz, Anderson,
                Soodhalter, Gregg, Error analysis and improving the accuracy of Winograd convolution for deep neural
                networks, ACM TOMS 46(4), 2020, theorem 7; matrices of Lavin, Gray, arXiv:1509.09308)

and, on top of either, the roundings of the sum over channels. The norms are those along the spatial axes, of each
sample and channel. Put in the place of every element, they give both norms' products by the operator itself: its
largest output is at least ||x||_2 ||w||_1, summed over the channels. That is the rigorous bound.

Most errors are random, and evenly spread. The statistical bound takes the squared norms instead,

    B = CONSTANT u log2(N) sqrt(largest output of the operator on squared norms)
"""

from collections.abc import Callable, Iterable
from math import log2, prod
from typing import Any

import numpy as np

from refconv.arguments import Array

CONSTANT = 1.0
"""Of the statistical bound; a verdict allows ``bounds.ERRORS_PER_B`` times as much.

Measured in float32: `conv` by FFT was never off by more than 4.2 B, forward and backward, in three checks of 1,000 to
5,000 generated cases, and by Winograd's algorithm by no more than 0.7 B in 3,000; weights rounded to TF32 are off by
more than 16 B as a rule (``bench.honest``).
"""

_FFT, _WINOGRAD = 20.0, 1100.0  # of the rigorous bounds


def normwise_errors(
    sums: Callable[[Callable[[Array], Array]], tuple[Any, ...]], inputs: Iterable[Array | None], unit: float
) -> list[tuple[Array, Array, Array] | None]:
    """Return what bounds the errors of a multilinear operator's results in arithmetic of roundoff `unit`.

    Parameters
    ----------
    sums : callable
        ``sums(transform)`` gives the operator's results on transformed inputs.
    inputs : iterable of array or None
        The inputs as they are.
    unit : float
        The unit roundoff.

    Returns
    -------
    list of (rigorous, statistical, magnitude) or None
        For each result, None where the operator gives none: the two bounds, and the most that its partial sums may be.
    """
    shapes = [array.shape[2:] for array in inputs if array is not None]
    levels = 1 + max(len(shape) + log2(max(prod(shape), 1)) for shape in shapes)  # a transform may be twice as long
    found = zip(sums(_norms), sums(lambda array: _norms(array) ** 2), sums(np.ones_like), strict=True)
    return [
        None
        if norms is None
        else (
            unit * (_WINOGRAD + _FFT * levels + _largest(counts)) * _largest(norms),
            CONSTANT * unit * levels * np.sqrt(_largest(squares)),
            _largest(norms),
        )
        for norms, squares, counts in found
    ]


def _norms(array: Array) -> Array:
    """Put the 2-norm along the spatial axes in the place of each element."""
    axes = tuple(range(2, array.ndim))
    return np.broadcast_to(np.sqrt(np.sum(array**2, axis=axes, keepdims=True)), array.shape)


def _largest(results: Array) -> Array:
    """Put the largest along the spatial axes in the place of each element."""
    axes = tuple(range(2, results.ndim))
    return np.broadcast_to(results.max(axis=axes, keepdims=True, initial=0), results.shape)
