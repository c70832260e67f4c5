"""Mean and variance of groups of values, and what is normalised by them: the loops under every norm.

Every norm is seen as an array ``x[n, s, c, p]``: the values of one `s` share their statistics, those of one `c` their
weight and bias, which are entry ``s * C % len(weight) + c``.

    output = (x - mean) / sqrt(variance + eps) * weight + bias

========  ====  =====  ==========  =======================
norm      n     s      c           p
========  ====  =====  ==========  =======================
batch     N     C      1           *spatial
instance  1     N * C  1           *spatial
group     1     N * G  C / G       *spatial
layer     1     rows   values      1
========  ====  =====  ==========  =======================

Where each value of a row has a weight of its own, as in layer norm, the loops over the rows are others.

A mean is rounded, and where it is large beside the standard deviation its last bit is, too. So it is kept as a sum
``near + correction``: what a plain sum gives, and the mean of the deviations from that, which is exact to the unit
roundoff of the deviations. The variance is the two-pass formula with the same correction (T. F. Chan, G. H. Golub,
R. J. LeVeque, Algorithms for computing the sample variance: analysis and recommendations, The American Statistician 37,
1983, equation 1.7). Values of mean 1e6 and variance 1 come out right in float32.
"""

from typing import NamedTuple

import numpy as np

from refconv.arguments import Array
from refconv.kernels import helper, kernel, summing
from refconv.threads import spread

_BLOCK = 1024  # values that are summed at once, and entries of a weight: they stay in the processor's first cache


class Moments(NamedTuple):
    """The statistics of each `s`; `variance` is the biased one, ``mean((x - mean)**2)``."""

    near: Array
    correction: Array
    variance: Array

    @property
    def mean(self) -> Array:
        """The means, rounded."""
        mean: Array = self.near + self.correction
        return mean


@np.errstate(all="ignore")  # eps may be beyond the range of float32
def normalize(x: Array, weight: Array, bias: Array, eps: float, given: Moments | None = None) -> tuple[Array, Moments]:
    """Return `x` normalised, and its moments; where they are `given`, by those."""
    output, moments = np.empty_like(x), _moments(x, given)
    number = x.dtype.type(eps)
    if given is None and _is_rows(x, weight):
        rows = x.reshape(x.shape[1:3])
        spread(
            _fill_row_output, x.shape[1], 4 * x.size, output.reshape(rows.shape), *moments, rows, weight, bias, number
        )
    else:
        arrays = output, *moments, x, weight, bias
        spread(_fill_output, x.shape[1], 4 * x.size, *arrays, number, given is not None)
    return output, moments


@np.errstate(all="ignore")
def normalize_backward(
    grad: Array, x: Array, weight: Array, eps: float, given: Moments | None = None
) -> tuple[Array, Array, Array]:
    """Return the gradients of `x`, `weight` and `bias` in :func:`normalize`; moments that are `given` are constants."""
    grad_input, moments = np.empty_like(x), _moments(x, given)
    number = x.dtype.type(eps)
    if given is None and _is_rows(x, weight):
        rows, grads = x.reshape(x.shape[1:3]), grad.reshape(x.shape[1:3])
        sums = np.empty((2, weight.size), x.dtype)
        grad_rows = grad_input.reshape(rows.shape)
        spread(_fill_row_grad_input, x.shape[1], 8 * x.size, grad_rows, *moments, grads, rows, weight, number)
        spread(_fill_row_grad_weight, weight.size, 2 * x.size, *sums, *moments, grads, rows, number)
        return grad_input, sums[0], sums[1]
    sums = np.empty((2, *x.shape[1:3]), x.dtype)
    arrays = grad_input, sums, *moments, grad, x, weight
    spread(_fill_grads, x.shape[1], 8 * x.size, *arrays, number, given is not None)
    grad_weight, grad_bias = sums.reshape(2, x.shape[1] * x.shape[2] // weight.size, weight.size).sum(axis=1)
    return grad_input, grad_weight, grad_bias


def _is_rows(x: Array, weight: Array) -> bool:
    """Whether each value of an `s` has a weight of its own, the same for every `s`."""
    return x.shape == (1, x.shape[1], weight.size, 1)


def _moments(x: Array, given: Moments | None) -> Moments:
    return Moments(*np.empty((3, x.shape[1]), x.dtype)) if given is None else given


@helper
def _deviation(value, near):
    return value - near  # compiled apart, so that no sum takes `near` out of itself


# Sums are made of those of blocks, so that what is added is never far smaller than the sum.


@summing
def _sum_of(values):
    total = values.dtype.type(0)
    for i in range(values.size):
        total += values[i]
    return total


@helper
def _near_at(s, x):
    N, _, C, P = x.shape
    total = x.dtype.type(0)
    for n in range(N):
        for c in range(C):
            for start in range(0, P, _BLOCK):
                total += _sum_of(x[n, s, c, start : start + _BLOCK])
    return total / x.dtype.type(N * C * P)


@summing
def _deviations_of(values, near):
    first = second = values.dtype.type(0)
    for i in range(values.size):
        deviation = _deviation(values[i], near)
        first += deviation
        second += deviation * deviation
    return first, second


@helper
def _deviations_at(s, x, near):
    N, _, C, P = x.shape
    first = second = x.dtype.type(0)
    for n in range(N):
        for c in range(C):
            for start in range(0, P, _BLOCK):
                one, other = _deviations_of(x[n, s, c, start : start + _BLOCK], near)
                first += one
                second += other
    return first, second


@helper
def _correct(count, first, second):
    # The mean beyond `near` and the variance, from the sums of the deviations and of their squares; and whether `near`
    # is so far from the mean that the squares' difference loses digits.
    correction = first / count
    square = correction * correction
    variance = second / count - square
    if variance.real < 0:  # rounded, where all values are equal
        variance = variance - variance
    return correction, variance, square.real > variance.real


@helper
def _moments_at(s, x):
    N, _, C, P = x.shape
    count = x.dtype.type(N * C * P)
    near = _near_at(s, x)
    again = False
    while True:
        first, second = _deviations_at(s, x, near)
        correction, variance, far = _correct(count, first, second)
        if again or not far:
            return near, correction, variance
        near += correction
        again = True


@helper
def _reciprocal_root(variance, eps):
    return np.reciprocal(np.sqrt(variance + eps))  # of 0, infinity: a division would raise


@kernel
def _fill_output(first, last, output, near, correction, variance, x, weight, bias, eps, given):
    N, _, C, P = x.shape
    for s in range(first, last):
        if not given:
            near[s], correction[s], variance[s] = _moments_at(s, x)
        mean, rest, reciprocal = near[s], correction[s], _reciprocal_root(variance[s], eps)
        for n in range(N):
            for c in range(C):
                k = s * C % weight.size + c
                scale, offset = reciprocal * weight[k], bias[k]
                for p in range(P):
                    output[n, s, c, p] = (x[n, s, c, p] - mean - rest) * scale + offset


@summing
def _sums_of(values, grads, near):
    # What needs no more than `near`: the sums of the deviations, their squares, the gradient, its products.
    first = second = total = product = values.dtype.type(0)
    for i in range(values.size):
        deviation = _deviation(values[i], near)
        first += deviation
        second += deviation * deviation
        total += grads[i]
        product += grads[i] * deviation
    return first, second, total, product


@helper
def _sums_at(s, c, grad_output, x, near):
    N, _, _, P = x.shape
    first = second = total = product = x.dtype.type(0)
    for n in range(N):
        for start in range(0, P, _BLOCK):
            stop = start + _BLOCK
            sums = _sums_of(x[n, s, c, start:stop], grad_output[n, s, c, start:stop], near)
            first += sums[0]
            second += sums[1]
            total += sums[2]
            product += sums[3]
    return first, second, total, product


@helper
def _all_sums_at(s, sums, grad_output, x, near):
    # The sums of the gradient and of its products go to `sums`, an entry for each c; the others are returned.
    first = second = x.dtype.type(0)
    for c in range(x.shape[2]):
        one, other, sums[1, s, c], sums[0, s, c] = _sums_at(s, c, grad_output, x, near)
        first += one
        second += other
    return first, second


@kernel
def _fill_grads(first, last, grad_input, sums, near, correction, variance, grad_output, x, weight, eps, given):
    # With z = (x - mean) / sqrt(variance + eps) and h = grad_output * weight,
    #     grad_input = (h - mean(h) - z * mean(h * z)) / sqrt(variance + eps),  the means 0 where the moments are given
    N, _, C, P = x.shape
    count = x.dtype.type(N * C * P)
    for s in range(first, last):
        if not given:
            near[s] = _near_at(s, x)
        again = False
        while True:
            one, other = _all_sums_at(s, sums, grad_output, x, near[s])
            if given:
                break
            correction[s], variance[s], far = _correct(count, one, other)
            if again or not far:
                break
            near[s] += correction[s]
            again = True
        reciprocal = _reciprocal_root(variance[s], eps)
        mean_h = mean_hz = x.dtype.type(0)
        for c in range(C):
            sums[0, s, c] = (sums[0, s, c] - correction[s] * sums[1, s, c]) * reciprocal
            scale = weight[s * C % weight.size + c]
            mean_h += scale * sums[1, s, c]
            mean_hz += scale * sums[0, s, c]
        if not given:
            mean_h, mean_hz = mean_h / count, mean_hz / count
        slope, offset = reciprocal * reciprocal * mean_hz, reciprocal * mean_h
        mean, rest = near[s], correction[s]
        for n in range(N):
            for c in range(C):
                scale = reciprocal * weight[s * C % weight.size + c]
                if given:
                    for p in range(P):
                        grad_input[n, s, c, p] = scale * grad_output[n, s, c, p]
                else:
                    for p in range(P):
                        deviation = x[n, s, c, p] - mean - rest
                        grad_input[n, s, c, p] = scale * grad_output[n, s, c, p] - offset - slope * deviation


@kernel
def _fill_row_output(first, last, output, near, correction, variance, x, weight, bias, eps):
    rows = x.reshape(1, x.shape[0], 1, x.shape[1])
    for s in range(first, last):
        near[s], correction[s], variance[s] = _moments_at(s, rows)
        mean, rest, reciprocal = near[s], correction[s], _reciprocal_root(variance[s], eps)
        for m in range(x.shape[1]):
            output[s, m] = (x[s, m] - mean - rest) * reciprocal * weight[m] + bias[m]


@summing
def _weighted_sums_of(values, grads, weights, near):
    # As `_sums_of`, of the gradient times the weight.
    first = second = total = product = values.dtype.type(0)
    for i in range(values.size):
        deviation, h = _deviation(values[i], near), grads[i] * weights[i]
        first += deviation
        second += deviation * deviation
        total += h
        product += h * deviation
    return first, second, total, product


@helper
def _row_sums_at(s, grad_output, x, weight, near):
    first = second = total = product = x.dtype.type(0)
    for start in range(0, x.shape[1], _BLOCK):
        stop = start + _BLOCK
        sums = _weighted_sums_of(x[s, start:stop], grad_output[s, start:stop], weight[start:stop], near)
        first += sums[0]
        second += sums[1]
        total += sums[2]
        product += sums[3]
    return first, second, total, product


@kernel
def _fill_row_grad_input(first, last, grad_input, near, correction, variance, grad_output, x, weight, eps):
    rows = x.reshape(1, x.shape[0], 1, x.shape[1])
    count = x.dtype.type(x.shape[1])
    for s in range(first, last):
        near[s] = _near_at(s, rows)
        again = False
        while True:
            one, other, total, product = _row_sums_at(s, grad_output, x, weight, near[s])
            correction[s], variance[s], far = _correct(count, one, other)
            if again or not far:
                break
            near[s] += correction[s]
            again = True
        reciprocal = _reciprocal_root(variance[s], eps)
        mean_h, mean_hz = total / count, (product - correction[s] * total) * reciprocal / count
        slope, offset = reciprocal * reciprocal * mean_hz, reciprocal * mean_h
        mean, rest = near[s], correction[s]
        for m in range(x.shape[1]):
            deviation = x[s, m] - mean - rest
            grad_input[s, m] = grad_output[s, m] * weight[m] * reciprocal - offset - slope * deviation


@kernel
def _fill_row_grad_weight(first, last, grad_weight, grad_bias, near, correction, variance, grad_output, x, eps):
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        weights, biases = grad_weight[start:stop], grad_bias[start:stop]
        weights[:] = x.dtype.type(0)
        biases[:] = x.dtype.type(0)
        for s in range(x.shape[0]):
            mean, rest, reciprocal = near[s], correction[s], _reciprocal_root(variance[s], eps)
            grads, values = grad_output[s, start:stop], x[s, start:stop]
            for m in range(stop - start):
                weights[m] += grads[m] * ((values[m] - mean - rest) * reciprocal)
                biases[m] += grads[m]
