"""Running error analysis: arrays that carry, element by element, how far a computation of them may be off.

Operators that aren't multilinear state their formula on :class:`Rounded` arrays, and get a first-order bound on the
rounding errors of whoever computes that formula in a given arithmetic (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., section 3.3):

    x + y     e(x) + e(y) + u |x + y|                x y      |x| e(y) + |y| e(x) + e(x) e(y) + u |x y|
    f(x)      |f'(x)| e(x) + 8 u |f(x)|              x / y    (e(x) + |x / y| e(y)) / |y| + u |x / y|
    sum x     sum e(x) + min(n - 1, 4 sqrt(m)) u sum |x|

where each u also multiplies the error that is passed on, and is the unit roundoff, to which that of the reference's own
float64 is added. Where sums are finer than what is stored, theirs is u, and each step's result is rounded once more: it
may be stored. An elementary function may be off by 8 u: vectorised libraries promise 4 units in the last place. Of a
sum's n - 1 roundings, 4 sqrt(n) is what the random walk of many leaves; terms that are alike are rounded alike, so that
each counts as often as there are terms like it (`refconv.likeness`), and m is the sum of these counts. An exponent that
doesn't fit its format is rounded, too: by the derivative of x^p by p, p (1 + u) makes that |p x^p log x| u. Nothing is
rounded where a factor or a divisor is 1, a term is 0, equal numbers are subtracted, or one is summed.

The formula should be the one whose errors are the largest among good algorithms: a bound states what any of them keeps.

The functions at the end take plain arrays as well, so that a formula can be written once, for its result and its bound.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2
from typing import Any

import numpy as np

from refconv.arguments import Array
from refconv.bounds import FLOAT64, Arithmetic, Bound, fits, lost_when_stored
from refconv.likeness import evenly, like_terms

_FUNCTION = 8  # units in which an elementary function may be off


@dataclass(frozen=True, eq=False)
class Rounded:
    """An array in float64, and a bound on the error of each of its elements."""

    value: Array
    error: Array
    arithmetic: Arithmetic

    __array_ufunc__ = None  # array + Rounded is left to Rounded

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.value.shape

    @property
    def unit(self) -> float:
        """The unit roundoff of one step of a sum, the reference's own included."""
        return self.arithmetic.accumulation + FLOAT64.accumulation

    def _lifted(self, other: Any) -> "Rounded":
        return other if isinstance(other, Rounded) else exactly(np.asarray(other, np.float64), self.arithmetic)

    def _rounded(self, value: Array, error: Array, units: float = 1, exact: Array | bool = False) -> "Rounded":
        size = np.where(np.isinf(value), 0, abs(value))  # an infinity isn't rounded
        flushed = np.where(size < self.arithmetic.flushed, size, 0)  # subnormals may be
        rounding = units * self.unit * (size + error)
        if self.arithmetic.stored:
            rounding += self.arithmetic.stored * np.maximum(size + error, self.arithmetic.smallest)
        return Rounded(value, error + np.where(exact, 0, rounding) + flushed, self.arithmetic)

    def _is(self, number: float) -> Array:
        """Return where the array is that number or its negative, without error."""
        return np.asarray((self.error == 0) & (abs(self.value) == number))

    def __neg__(self) -> "Rounded":
        return Rounded(-self.value, self.error, self.arithmetic)

    def __add__(self, other: Any) -> "Rounded":
        other = self._lifted(other)
        exact = self._is(0) | other._is(0) | ((self.error + other.error == 0) & (self.value == -other.value))
        return self._rounded(self.value + other.value, self.error + other.error, exact=exact)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Rounded":
        return self + -self._lifted(other)

    def __rsub__(self, other: Any) -> "Rounded":
        return self._lifted(other) + -self

    def __mul__(self, other: Any) -> "Rounded":
        other = self._lifted(other)
        error = abs(self.value) * other.error + (abs(other.value) + other.error) * self.error
        exact = self._is(1) | other._is(1) | self._is(0) | other._is(0)
        return self._rounded(self.value * other.value, error, exact=exact)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Rounded":
        other = self._lifted(other)
        value = self.value / other.value
        error = (self.error + abs(value) * other.error) / abs(other.value)
        return self._rounded(value, error, exact=other._is(1) | self._is(0))

    def __rtruediv__(self, other: Any) -> "Rounded":
        return self._lifted(other) / self

    def __pow__(self, exponent: float) -> "Rounded":
        value, size = self.value**exponent, abs(self.value)
        error = abs(exponent * size ** (exponent - 1)) * self.error
        if exponent * 16 % 1:  # it isn't exact in every format
            error = error + self.unit * abs(exponent * value) * abs(np.log(np.where(size > 0, size, 1)))
        return self._rounded(value, error, _FUNCTION)

    def __getitem__(self, index: Any) -> "Rounded":
        return replace(self, value=self.value[index], error=self.error[index])

    def __abs__(self) -> "Rounded":
        return replace(self, value=abs(self.value))

    def moved(self, move: Callable[[Array], Array]) -> "Rounded":
        """Apply what only moves elements, such as a reshape or a transpose."""
        return replace(self, value=move(self.value), error=move(self.error))

    def function(
        self, function: Callable[[Array], Array], slope: Callable[[Array], Array], exact: Array | bool = False
    ) -> "Rounded":
        """Apply an elementary function, whose derivative is `slope`; where it is known to be, it is `exact`."""
        return self._rounded(function(self.value), abs(slope(self.value)) * self.error, _FUNCTION, exact)

    def exp(self) -> "Rounded":
        """Return e to the power of each element; of 0 it is 1 (ISO C, annex F)."""
        return self.function(np.exp, np.exp, self._is(0))

    def log(self) -> "Rounded":
        """Return the natural logarithm of each element; of 1 it is 0."""
        return self.function(np.log, np.reciprocal, self._is(1) & (self.value > 0))

    def sqrt(self) -> "Rounded":
        """Return the square root of each element; of one that can't be told from 0, it is that of its error."""
        value = np.sqrt(self.value)
        error = np.where(self.error < self.value, self.error / (2 * np.where(value > 0, value, 1)), np.sqrt(self.error))
        return self._rounded(value, error)

    def sum(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = True) -> "Rounded":
        """Return the sums along `axis`, in any order; they keep their axes, with size 1, unless told otherwise."""
        value = self.value.sum(axis, keepdims=keepdims)
        error = self.error.sum(axis, keepdims=keepdims)
        terms = self.value.size // max(value.size, 1)
        magnitude = abs(self.value).sum(axis, keepdims=keepdims)
        if terms == 1:
            return replace(self, value=value, error=error)
        most = max(terms - 1, 0)
        walking = most > 4 * terms**0.5 and not self.arithmetic.truncates
        steps = _walks(self.value, axis, terms).reshape(value.shape) if walking else most
        error = error + self.unit * steps * magnitude + _flushed(self.arithmetic, terms, magnitude)
        return replace(self, value=value, error=error + self.arithmetic.stored * (abs(value) + error))

    def mean(self, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = True) -> "Rounded":
        """Return the means along `axis`."""
        total = self.sum(axis, keepdims=keepdims)
        return total / max(self.value.size // max(total.value.size, 1), 1)

    def max(self, axis: int, *, keepdims: bool = True) -> "Rounded":
        """Return the largest elements along `axis`."""
        return replace(
            self,
            value=self.value.max(axis, keepdims=keepdims, initial=-np.inf),
            error=self.error.max(axis, keepdims=keepdims, initial=0),
        )

    def bound(self) -> Bound:
        """Return the bound on what is stored."""
        exact = (self.error == 0) & fits(self.value, round(-log2(self.arithmetic.storage)))
        stored = np.where(exact, 0, self.arithmetic.stored * (abs(self.value) + self.error))
        error = self.error + stored + lost_when_stored(self.arithmetic, self.value)
        limit = np.where(abs(self.value) + error <= self.arithmetic.largest, error, np.inf)
        return Bound(rigorous=limit, statistical=limit)


def _walks(array: Array, axis: int | tuple[int, ...] | None, terms: int) -> Array:
    """Return min(n - 1, 4 sqrt(m)) of the sums of n `terms` along `axis`, one after the other."""
    axes = np.atleast_1d(np.arange(array.ndim) if axis is None else axis)

    def as_rows(each: Array) -> Array:
        rows: Array = np.moveaxis(each, axes, range(-len(axes), 0)).reshape(-1, terms)
        return rows

    rows, runs = np.sort(as_rows(abs(array))), as_rows(evenly(array, axes.tolist()))
    first = np.ones(rows.shape, bool)
    first[:, 1:] = rows[:, 1:] != rows[:, :-1]
    same = np.cumsum(first) - 1
    equal = np.where(rows > 0, np.bincount(same)[same].reshape(rows.shape), 0)
    return _walk(terms, equal.sum(1) + np.where(runs > 1, runs, 0).sum(1))


def _walk(terms: Array | int, alike: Array) -> Array:
    """Return how many roundings of so many terms add up, each of which counts as often as there are terms like it."""
    steps: Array = np.minimum(np.maximum(terms - 1, 0), 4 * np.sqrt(alike))
    return steps


def _flushed(arithmetic: Arithmetic, terms: int, magnitude: Array) -> Array:
    """Return what is lost where each product or partial sum that is subnormal is flushed to zero."""
    return (magnitude > 0) * (terms * arithmetic.flushed)


def exactly(array: Array, arithmetic: Arithmetic) -> Rounded:
    """Return `array`, an input, as it is given: without error."""
    return Rounded(array, np.zeros(array.shape), arithmetic)


def where(condition: Array, x: Any, y: Any) -> Any:
    """Return `x` where `condition` holds, else `y`."""
    like = next((array for array in (x, y) if isinstance(array, Rounded)), None)
    if like is None:
        return np.where(condition, x, y)
    x, y = like._lifted(x), like._lifted(y)
    return Rounded(np.where(condition, x.value, y.value), np.where(condition, x.error, y.error), like.arithmetic)


def einsum(subscripts: str, x: Any, y: Any) -> Any:
    """Return the sums of products of two arrays that NumPy's `subscripts` name."""

    def sums(one: Array, other: Array) -> Array:
        total: Array = np.einsum(subscripts, one, other)
        # Of an empty array with a stride of 0, NumPy 2.4 takes what lies in its memory times 0, which may be NaN.
        return total if one.size and other.size else np.zeros_like(total)

    like = next((array for array in (x, y) if isinstance(array, Rounded)), None)
    if like is None:
        return sums(x, y)
    x, y = like._lifted(x), like._lifted(y)
    terms = sums(np.ones(x.shape), np.ones(y.shape))
    more = like_terms(lambda *arrays: (sums(*arrays),), (x.value, y.value))
    alike = terms if more is None else terms + more[0]
    steps = like.arithmetic.products * (np.maximum(terms - 1, 0) if like.arithmetic.truncates else _walk(terms, alike))
    roundings = like.arithmetic.product + FLOAT64.product + steps * like.unit
    magnitude = sums(abs(x.value), abs(y.value))
    error = sums(abs(x.value), y.error) + sums(x.error, abs(y.value)) + roundings * magnitude
    error += _flushed(like.arithmetic, int(terms.max(initial=0)), magnitude)
    value = sums(x.value, y.value)
    return Rounded(value, error + like.arithmetic.stored * (abs(value) + error), like.arithmetic)


def composed(formula: Callable[[Any], Any], x: Any, carry: Callable[[Array, Array], Array]) -> Any:
    """Return ``formula(x)``; its own errors are found step by step, those of `x` become ``carry(x, errors)`` at once.

    Steps that share an error of `x` would each count it, though they mostly cancel; the formula's derivative knows.
    """
    if not isinstance(x, Rounded):
        return formula(x)
    own = formula(exactly(x.value, x.arithmetic))
    return replace(own, error=own.error + carry(x.value, x.error))


def along(formula: Callable[..., Any], axis: int, x: Any, *others: Any) -> Any:
    """Return ``formula(x, *others)`` as :func:`composed` does, for a formula of each vector along `axis` by itself.

    Its derivatives by `x` are found by complex steps. Of a vector that isn't far larger than its errors they don't say
    what lies around it: there, errors are carried step by step.
    """

    def carry(x: Array, errors: Array) -> Array:
        step, plain, carried = 2.0**-300, [values(other) for other in others], np.zeros(x.shape)
        for k in range(x.shape[axis] if errors.any() else 0):
            moved = x.astype(complex)
            np.moveaxis(moved, axis, 0)[k] += 1j * step
            carried += abs(formula(moved, *plain).imag / step) * errors.take([k], axis)
        return carried

    if not isinstance(x, Rounded):
        return formula(x, *others)
    close = 100 * x.error.max(axis, keepdims=True, initial=0) > abs(x.value).max(axis, keepdims=True, initial=0)
    return where(close, formula(x, *others), composed(lambda x: formula(x, *others), x, carry))


def exp(x: Any) -> Any:
    """Return e to the power of each element."""
    return x.exp() if isinstance(x, Rounded) else np.exp(x)


def log(x: Any) -> Any:
    """Return the natural logarithm of each element."""
    return x.log() if isinstance(x, Rounded) else np.log(x)


def sqrt(x: Any) -> Any:
    """Return the square root of each element."""
    return x.sqrt() if isinstance(x, Rounded) else np.sqrt(x)


def largest(x: Any, axis: int) -> Any:
    """Return the largest real parts along `axis`, which keeps its place with size 1."""
    return x.max(axis) if isinstance(x, Rounded) else x.real.max(axis, keepdims=True, initial=-np.inf)


def zeros_like(x: Any) -> Any:
    """Return zeros of its shape, exact ones."""
    return exactly(np.zeros(x.shape), x.arithmetic) if isinstance(x, Rounded) else np.zeros_like(x)


def values(x: Any) -> Array:
    """Return the elements themselves, without what bounds their errors."""
    plain: Array = x.value if isinstance(x, Rounded) else x
    return plain
