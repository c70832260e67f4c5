"""What batch, layer, instance and group norm have in common: arguments, gradients and error bounds.

Each is a choice of the values that share a mean and a variance, which :class:`Norm` states as a shape; the formula is
stated in :mod:`refconv.statistics`.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.results import NormGradients
from refconv.rounding import Rounded, exactly
from refconv.statistics import Moments, normalize, normalize_backward


@dataclass(frozen=True, eq=False)
class Norm:
    """A call of a norm, its arguments checked."""

    input: Array
    weight: Array | None
    bias: Array | None
    eps: float
    channels: tuple[int, ...]  # shape of the weight and of the bias
    shape: tuple[int, int, int, int]  # of the input as refconv.statistics sees it
    given: Moments | None = None  # by which it is normalised, in place of its own

    @cached_property
    def x(self) -> Array:
        """The input in that shape."""
        return self.input.reshape(self.shape)

    def by(self, moments: Moments) -> "Norm":
        """Return the same norm by `moments` that are given."""
        return replace(self, given=moments)

    def parameter(self, array: Array | None, default: float) -> Array:
        """Return the weight or the bias as a row, filled with the `default` where it is None."""
        size = int(np.prod(self.channels))
        return np.full(size, default, self.input.dtype) if array is None else array.reshape(size)

    def forward(self) -> tuple[Array, Moments]:
        """Return the output, and the moments of the input."""
        weight, bias = self.parameter(self.weight, 1), self.parameter(self.bias, 0)
        output, moments = normalize(self.x, weight, bias, self.eps, self.given)
        return output.reshape(self.input.shape), moments

    def backward(self, grad_output: object) -> NormGradients:
        """Return the gradients; `grad_output` is checked."""
        grad = arguments.matching("grad_output", grad_output, self.input, self.input.shape)
        weight = self.parameter(self.weight, 1)
        gradients = normalize_backward(grad.reshape(self.shape), self.x, weight, self.eps, self.given)
        return NormGradients(
            gradients[0].reshape(self.input.shape),
            None if self.weight is None else gradients[1].reshape(self.channels),
            None if self.bias is None else gradients[2].reshape(self.channels),
        )


def read_norm(
    signal: Array,
    weight: object,
    bias: object,
    eps: object,
    *,
    channels: tuple[int, ...],
    shape: tuple[int, int, int, int],
) -> Norm:
    """Check what every norm takes; `signal` is the input, `channels` the shape that its weight and bias must have."""
    return Norm(
        signal,
        _read_parameter("weight", weight, signal, channels),
        _read_parameter("bias", bias, signal, channels),
        arguments.real("eps", eps, at_least=0),
        channels,
        shape,
    )


def _read_parameter(name: str, value: object, signal: Array, channels: tuple[int, ...]) -> Array | None:
    return None if value is None else arguments.matching(name, value, signal, channels)


_AXES = (0, 2, 3)  # that share a mean


@dataclass(frozen=True, eq=False)
class RoundedNorm:
    """Running error analysis of a norm, for any of the formulas that are in use.

    The mean has the error e(m) of a sum in any order. Libraries centre a value in one of two ways: x - m, or
    x * (w r) + (b - m * (w r)), where r is the reciprocal root. The second rounds x w r, m w r and the bracket; in
    units of w r that is an error of u (abs(x) + 3 abs(m)), so a centred value d = x - m has

        e(d) = e(m) + u (abs(x) + 3 abs(m))

    The variance, a mean of d**2, has the error of that sum, with e(d) in each term to the first order, as in Welford's
    recurrence, and to the second, since the correct two-pass formula has that. No good algorithm gives a negative
    variance, so that r lies between the values that v + e(v) and max(v - e(v), 0) give: an interval and not a slope,
    since e(v) may be as large as v.

    Of one value, the mean is that value, which nothing rounds: it is normalised to 0, whatever it is, the output is the
    bias, and there is no gradient but the bias's. Who computes the second formula there has u abs(x) w r of nothing
    but x: that is accurate beside x, as an `absolute` arithmetic is, and not beside what the formula is for.
    """

    norm: Norm
    arithmetic: Arithmetic

    @cached_property
    def single(self) -> bool:
        """Whether each mean is of one value, from which it differs by 0."""
        groups, every = self.norm.shape[1], self.norm.x.size
        flushed = self.norm.eps <= self.arithmetic.flushed  # then it is 0 / 0
        return self.norm.given is None and groups == every and not flushed and not self.arithmetic.absolute

    @cached_property
    def x(self) -> Rounded:
        """The input, exact."""
        return exactly(self.norm.x, self.arithmetic)

    @cached_property
    def mean(self) -> Rounded:
        """The means."""
        given = self.norm.given
        if given is not None:
            return exactly(given.mean.reshape(1, -1, 1, 1), self.arithmetic)
        return self.x.mean(_AXES)

    @cached_property
    def centred(self) -> Rounded:
        """The values less their mean."""
        x, mean = self.x, self.mean
        error = mean.error + x.unit * (abs(x.value) + 3 * abs(mean.value))
        return Rounded(x.value - mean.value, error, self.arithmetic)

    @cached_property
    def variance(self) -> Rounded:
        """The biased variances."""
        given = self.norm.given
        if given is not None:
            return exactly(given.variance.reshape(1, -1, 1, 1), self.arithmetic)
        return (self.centred * self.centred).mean(_AXES)

    @cached_property
    def reciprocal(self) -> Rounded:
        """One over the root of the variance and eps."""
        variance, eps = self.variance, self.norm.eps
        value = 1 / np.sqrt(variance.value + eps)
        least = np.where(variance.error > 0, np.maximum(variance.value - variance.error, 0), variance.value)
        error = 1 / np.sqrt(least + eps) - value
        return Rounded(value, np.where(np.isnan(error), np.inf, error) + 4 * variance.unit * value, self.arithmetic)

    def per_channel(self, array: Array | None, default: float) -> Array:
        """Return the weight or the bias, an entry for each channel of each `s`."""
        return np.resize(self.norm.parameter(array, default), (1, *self.norm.shape[1:3], 1))

    @cached_property
    def weight(self) -> Array:
        """The weight."""
        return self.per_channel(self.norm.weight, 1)

    def output_bound(self) -> Bound:
        """Bound the errors of the output."""
        bias = self.per_channel(self.norm.bias, 0)
        if self.single:
            output = exactly(np.broadcast_to(bias, self.norm.shape), self.arithmetic)
            return _shaped(output, self.norm.input.shape)
        output = self.centred * self.reciprocal * self.weight + bias
        rounded = output.unit * abs(bias)  # b - m w r
        return _shaped(Rounded(output.value, output.error + rounded, self.arithmetic), self.norm.input.shape)

    def backward_bounds(self, grad_output: Array) -> tuple[Bound | None, ...]:
        """Bound the errors of the gradients.

        With h = grad_output * weight, they are made of sums of h and of h d. Some libraries compute the second as
        sum(h x) - m sum(h), from sums over each channel, whose errors are those of h x. Then

            grad_input = h r - r mean(h) - d r**3 mean(h d)
        """
        if self.single:
            nothing = None if self.norm.weight is None else bounds.exact(self.norm.weight)
            own = None if self.norm.bias is None else self._bias_bound(grad_output)
            return bounds.exact(grad_output), nothing, own
        grad = exactly(grad_output.reshape(self.norm.shape), self.arithmetic)
        centred, reciprocal = self.centred, self.reciprocal
        total = grad.sum((0, 3))
        product = (grad * self.x).sum((0, 3)) - self.mean * total
        grad_input = grad * self.weight * reciprocal
        if self.norm.given is None:
            count = max(grad.value.size // max(reciprocal.value.size, 1), 1)
            slope = (product * self.weight).sum(2) / count * reciprocal * reciprocal * reciprocal
            grad_input = grad_input - (total * self.weight).sum(2) / count * reciprocal - centred * slope
        return (
            _shaped(grad_input, self.norm.input.shape),
            None if self.norm.weight is None else self._summed(product * reciprocal),
            None if self.norm.bias is None else self._bias_bound(grad_output),
        )

    def _summed(self, planes: Rounded) -> Bound:
        """Bound the sums over the `s` of what each has for its channels."""
        size = int(np.prod(self.norm.channels))
        return _shaped(planes.moved(lambda array: array.reshape(-1, size)).sum(0), self.norm.channels)

    def _bias_bound(self, grad_output: Array) -> Bound:
        """Bound the gradient of the bias, a plain sum."""

        def function(grad: Array) -> Array:
            size = int(np.prod(self.norm.channels))
            planes = grad.reshape(self.norm.shape).sum((0, 3)).reshape(-1, size)
            total: Array = planes.sum(0)
            return total.reshape(self.norm.channels)

        bound: Bound
        (bound,) = bounds.multilinear(
            function, self.arithmetic, (function(grad_output),), (grad_output,), {}, factors=1
        )
        return bound


def _shaped(array: Rounded, shape: tuple[int, ...]) -> Bound:
    return array.moved(lambda values: values.reshape(shape)).bound()
