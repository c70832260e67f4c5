"""Sums over windows divided by what they count: what average pooling and adaptive average pooling share.

    output[n, c, o] = sum of input[n, c, i] over the window of o / divisor[o]
    grad_input[n, c, i] = sum of grad_output[n, c, o] / divisor[o] over the o whose windows hold i

A window is a box, so its sum is taken axis by axis.
"""

from typing import NamedTuple

import numpy as np

from refconv import bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.resampling import Ranges, resample, transposed


class Averages(NamedTuple):
    """A signal, the windows over it along each axis, and the divisors: one number, or an array of the output's size."""

    signal: Array
    windows: tuple[Ranges, ...]
    divisor: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the output."""
        return (*self.signal.shape[:2], *(window.outputs for window in self.windows))


def averages(call: Averages) -> Array:
    """Return the windows' sums, divided."""
    return resample(call.signal, call.windows, divide_last=call.divisor)


def shares(call: Averages, grad: Array) -> Array:
    """Return the gradient of the signal: each output's is shared among its window's positions."""
    return resample(grad, transposed(call.windows), divide_first=call.divisor)


def averages_bound(arithmetic: Arithmetic, output: Array, call: Averages) -> Bound:
    """Bound the rounding errors of `output`: those of a plain sum, exact on integers, and then of the division.

    Whoever divides by one axis's count after the other, as PyTorch does along three axes, rounds three times, whoever
    multiplies by the reciprocal twice; by powers of two nobody does. So the mean of one value is that value.
    """
    sums: Bound
    (sums,) = bounds.multilinear(
        lambda signal: resample(signal, call.windows), arithmetic, (output * call.divisor,), (call.signal,), {}
    )
    rounded = 3 * (arithmetic.accumulation + bounds.FLOAT64.accumulation) + arithmetic.stored
    roundings = np.where(_power_of_two(call.divisor), 0, rounded)
    lost = bounds.lost_when_stored(arithmetic, output)
    beyond = roundings * abs(output) + lost
    alone = (_counts(call) <= 1) & _power_of_two(call.divisor)
    return Bound(*(np.where(alone, lost, error / call.divisor + beyond) for error in sums))


def shares_bound(arithmetic: Arithmetic, grad_input: Array, grad: Array, call: Averages) -> Bound:
    """Bound the rounding errors of `grad_input`, a sum of quotients.

    Divided by powers of two, integers stay exact: as multiples of the smallest quotient, they are integers again.
    Otherwise each quotient is rounded up to three times, as above.
    """
    exact = bool(_power_of_two(call.divisor).all())
    unit = call.divisor.max() if exact else 1.0
    terms = arithmetic if exact else arithmetic._replace(product=3 * arithmetic.product)
    factors = 1 if exact else 2
    maps = transposed(call.windows)
    sums: Bound
    (sums,) = bounds.multilinear(
        lambda quotients: resample(quotients, maps),
        terms,
        (grad_input * unit,),
        (grad / call.divisor * unit,),
        {},
        factors=factors,
    )
    return Bound(*(error / unit for error in sums))


def _counts(call: Averages) -> Array:
    """Return how many values each window holds."""
    return resample(np.ones((1, 1, *call.signal.shape[2:])), call.windows)


def _power_of_two(divisor: Array) -> Array:
    return np.asarray(np.frexp(divisor)[0] == 0.5)
