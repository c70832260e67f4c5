"""How far a correct computation may lie from the exact result: error bounds in place of tolerances.

Every output of a multilinear operator is a sum of n products. With T its exact value, M the sum of the products'
magnitudes and S2 the sum of their squares, all three computed by the operator itself, two bounds hold element by
element, for any order of summation, with or without fused multiply-adds:

    rigorous      |computed - T| <= gamma M,  gamma = t / (1 - t),  t = u_product + (n - 1) u_accumulation + u_storage
    statistical   B = sqrt(u_accumulation^2 k n (max(k S2 - T^2/n, 0)/6 + T^2/3) + u_product^2 S2) + u_storage |T|

The first is Higham's (Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 3; the sum of n rounded
products passes each through at most n + 1 roundings). The second models the random walk of rounding errors, whose
steps are as large as the partial sums: honest errors are a small multiple of it for any n, where gamma M grows out of
sight. Where terms are alike, they are rounded alike, and their errors add up: k says how many are (`refconv.likeness`).
It is 1 for data without a pattern, whatever their order, and n where all are equal, or in an even row: there the first
bound is the smaller one, and judges.

On small integers every partial sum is representable, so all correct direct algorithms give the same bits: there, both
bounds are 0.

An arithmetic that rounds its factors, as TF32 does, makes exact products of factors that fit: then u_product is that of
the sums. Factors that don't fit into its range may be lost, or overflow: each product is off by what that moves it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from refconv.arguments import Array
from refconv.likeness import like_terms
from refconv.normwise import normwise_errors

ERRORS_PER_B = 8.0
"""The verdict's constant: an error beyond this many B means less accuracy than the arithmetic promises.

Measured: PyTorch 2.13 on a CPU never passed 4.5 B in a default check of all operators, forward and backward, in float32
(``refconv check torch``), nor 2.1 B in float64. Of float32 sums of 20 kinds of data in 8 orders, of 9 to 65,536 terms,
none passed 0.6 of the limit, while TF32's factors, of 11 bits, were always told where signs are mixed
(``python -m bench.bounds``).
"""


class Arithmetic(NamedTuple):
    """The unit roundoffs with which an implementation computes, and the range of the format that it stores."""

    name: str
    product: float  # relative error of one product, that of rounding its factors included
    accumulation: float
    storage: float
    smallest: float  # normal number: below it, results may be flushed to zero
    largest: float
    factors: float = 0.0  # the part of `product` that comes from rounding two factors, none where they fit
    normwise: bool = False  # errors are bounded by norms of the whole input, as those of FFT and Winograd are
    hasty: bool = False  # sums are bounded by their numbers and magnitudes alone, more tightly than need be

    @property
    def bits(self) -> int:
        """The significand's bits of the numbers that are multiplied."""
        return round(-math.log2(self.factors / 2 if self.factors else self.product))

    @property
    def stored(self) -> float:
        """The roundoff of storing a result, beyond that of the operation that gave it."""
        return max(self.storage - self.accumulation, 0.0)

    @property
    def summed(self) -> float:
        """The largest number that sums may reach before they are stored: finer ones have the range of float32."""
        return FLOAT32.largest if self.stored else self.largest

    @property
    def flushed(self) -> float:
        """Below it, what isn't stored yet may be flushed to zero: finer sums have the range of float32."""
        return FLOAT32.smallest if self.stored else self.smallest


def _ieee(name: str, dtype: Any) -> Arithmetic:
    info: Any = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]  # ml_dtypes has no types
    unit = float(info.eps) / 2
    return Arithmetic(name, unit, unit, unit, float(info.smallest_normal), float(info.max))


def _rounding_factors(arithmetic: Arithmetic, unit: float) -> Arithmetic:
    """Return `arithmetic` over inputs that are rounded first, with roundoff `unit`."""
    return arithmetic._replace(product=2 * unit + arithmetic.product, factors=2 * unit)


def _summed_in_float32(name: str, arithmetic: Arithmetic) -> Arithmetic:
    """Return `arithmetic` with exact products, of which two significands fit into one of float32, and its sums."""
    return arithmetic._replace(name=name, product=arithmetic.factors, accumulation=FLOAT32.accumulation)


FLOAT32 = _ieee("float32", np.float32)
FLOAT64 = _ieee("float64", np.float64)
TF32 = FLOAT32._replace(name="tf32", product=2.0**-10, factors=2.0**-10)  # both rounded to 11 bits, sums in float32
FLOAT16_ACCUMULATED, BFLOAT16_ACCUMULATED = (
    _rounding_factors(own, own.storage)
    for own in (_ieee("float16-accumulated", np.float16), _ieee("bfloat16-accumulated", ml_dtypes.bfloat16))
)
FLOAT16 = _summed_in_float32("float16", FLOAT16_ACCUMULATED)
BFLOAT16 = _summed_in_float32("bfloat16", BFLOAT16_ACCUMULATED)
FAST = FLOAT32._replace(name="fast", normwise=True)
ARITHMETICS = {
    arithmetic.name: arithmetic
    for arithmetic in (FLOAT32, FLOAT64, TF32, FLOAT16, BFLOAT16, FLOAT16_ACCUMULATED, BFLOAT16_ACCUMULATED, FAST)
}


def over(arithmetic: Arithmetic, dtype: str) -> Arithmetic:
    """Return `arithmetic` for arrays of `dtype`: a normwise one computes in the dtype's own precision."""
    if not arithmetic.normwise:
        return arithmetic
    return ARITHMETICS[dtype]._replace(name=arithmetic.name, normwise=True)


def hasty(arithmetic: Arithmetic) -> Arithmetic:
    """Return an arithmetic by whose bounds, found in half of the time, what passes would pass by the true ones, too.

    Where there is none, it is `arithmetic` itself.
    """
    plain = not (arithmetic.normwise or arithmetic.factors or arithmetic.stored)
    return arithmetic._replace(hasty=True) if plain else arithmetic


class Bound(NamedTuple):
    """The two bounds on the errors of an array, each of its shape."""

    rigorous: Array
    statistical: Array

    @property
    def limit(self) -> Array:
        """The largest error that passes: what breaks it is wrong, or less accurate than it should be."""
        limit: Array = np.fmin(self.rigorous, ERRORS_PER_B * self.statistical)  # squares may overflow, to NaN
        return limit


def multilinear(
    function: Callable[..., Any],
    arithmetic: Arithmetic,
    values: Iterable[Array | None],
    inputs: Iterable[Array | None],
    attributes: Mapping[str, object],
    *,
    factors: int = 2,
) -> tuple[Any, ...]:
    """Bound how far what `arithmetic` gives for a multilinear operator lies from the reference in float64.

    Parameters
    ----------
    function : callable
        A forward or backward of the reference: each of its results a sum of products of one element of each input.
    arithmetic : Arithmetic
        That of the implementation. The reference's own, float64, is added to it.
    values : iterable of array or None
        The results of ``function(*inputs, **attributes)`` in float64.
    inputs : iterable of array or None
        float64 arrays.
    attributes : mapping
        The attributes of the call.
    factors : int
        The most factors that a term has. Each beyond the first is a product, rounded and, if there are more, rounded
        again as a factor of the next.

    Returns
    -------
    tuple of Bound or None
        One for each of `values`, None where the value is.
    """

    def sums_of(*arrays: Array | None) -> tuple[Any, ...]:
        results: Any = function(*arrays, **attributes)
        return results if isinstance(results, tuple) else (results,)

    def sums(transform: Callable[[Array], Array]) -> tuple[Any, ...]:
        return sums_of(*(None if array is None else transform(array) for array in inputs))

    values, inputs = tuple(values), tuple(inputs)
    with np.errstate(all="ignore"):  # what isn't finite is judged apart
        if arithmetic.normwise:  # what is not transformed is summed as elsewhere
            plain = arithmetic._replace(normwise=False)
            summed = multilinear(function, plain, values, inputs, attributes, factors=factors)
            pairs = zip(_normwise(arithmetic, sums, inputs), summed, strict=True)
            return tuple(one if one is None or other is None else either(one, other) for one, other in pairs)
        if arithmetic.hasty and _surely_exact(arithmetic, inputs, factors):
            return tuple(None if value is None else exact(value) for value in values)
        magnitudes = sums(np.abs)
        if _exact(arithmetic, inputs, magnitudes, factors):
            return tuple(None if value is None else exact(value) for value in values)
        if arithmetic.hasty:
            of_each = zip(values, magnitudes, sums(np.ones_like), strict=True)
            return tuple(
                None if value is None else _least(arithmetic, value, magnitude, count, factors)
                for value, magnitude, count in of_each
            )
        counts, squares = sums(np.ones_like), sums(np.square)
        lost = _lost(arithmetic, sums, inputs, magnitudes)
        fitting = _fitting(arithmetic, inputs) if factors == 2 else arithmetic  # sums that are factors may not fit
        of_result = zip(values, magnitudes, counts, squares, _likeness(sums_of, inputs, counts), lost, strict=True)
        return tuple(
            None if value is None else _bound(fitting, value, *known, factors=factors, lost=more)
            for value, *known, more in of_result
        )


def exact(value: Array) -> Bound:
    """Return the bound on what is computed without rounding, such as what is only moved or selected: 0."""
    return Bound(*[np.zeros(value.shape)] * 2)


def moved(_arithmetic: Arithmetic, results: Any, *_inputs: Array | None, **_attributes: object) -> Any:
    """Bound the rounding errors of an operator that only moves or selects elements: there are none."""
    if isinstance(results, tuple):
        return tuple(None if value is None else exact(value) for value in results)
    return exact(results)


def unless_exact(
    bound: Bound, arithmetic: Arithmetic, inputs: Iterable[Array | None], magnitudes: Iterable[Array | None]
) -> Bound:
    """Return `bound`, or 0 where the inputs are integers so small that sums of these `magnitudes` are exact."""
    return exact(bound.rigorous) if _exact(arithmetic, tuple(inputs), tuple(magnitudes)) else bound


def either(one: Bound, other: Bound) -> Bound:
    """Bound what may be computed in either of two ways."""
    return Bound(*(np.maximum(*errors) for errors in zip(one, other, strict=True)))


def scaled(bound: Bound, arithmetic: Arithmetic, value: Array, scale: Array | float, roundings: float = 2) -> Bound:
    """Bound ``value = scale * sum`` by the `bound` of the sum, whether by a division or by the rounded reciprocal."""
    exponent = np.frexp(np.asarray(scale, np.float64))[0]
    rounded = roundings * (arithmetic.accumulation + arithmetic.stored + FLOAT64.accumulation)  # each may be stored
    unit = np.where(abs(exponent) == 0.5, 0, rounded)  # a power of two scales exactly
    return Bound(*(error * abs(scale) + unit * abs(value) + lost_when_stored(arithmetic, value) for error in bound))


def lost_when_stored(arithmetic: Arithmetic, value: Array) -> Array:
    """Bound what a result below the format's smallest normal number is off by: it may be flushed, or has fewer bits."""
    below = (value != 0) & (abs(value) < arithmetic.smallest)
    return np.where(below, abs(value) + arithmetic.storage * arithmetic.smallest, 0)


def _exact(
    arithmetic: Arithmetic, inputs: tuple[Array | None, ...], magnitudes: tuple[Array | None, ...], factors: int = 2
) -> bool:
    """Whether the inputs are integers so small that every product and every partial sum is representable.

    Strictly below the limit, since a magnitude beyond it may have been rounded to it. Of more than two `factors`, sums
    of the first products are factors themselves, none larger than what they contribute to, unless it is 0.
    """
    integers = all((array == np.rint(array)).all() for array in inputs if array is not None)
    unit = max(arithmetic.accumulation, arithmetic.storage, arithmetic.product if factors > 2 else 0)
    limits = [(inputs, 1 / arithmetic.product), (magnitudes, 1 / unit)]
    return integers and all(
        np.abs(array).max(initial=0) < limit for arrays, limit in limits for array in arrays if array is not None
    )


def _surely_exact(arithmetic: Arithmetic, inputs: Iterable[Array | None], factors: int) -> bool:
    """Whether all sums are exact, as can be told at a glance.

    A sum of products of two has a term for each element of one array, and one more, at most; each further factor has it
    that many times.
    """
    given = [array for array in inputs if array is not None]
    largest = math.prod(float(abs(array).max(initial=1)) for array in given)
    terms = max((array.size for array in given), default=0)
    unit = max(arithmetic.accumulation, arithmetic.storage, arithmetic.product)
    small = largest * terms ** (factors - 2) * (terms + 1) < 1 / unit
    return small and all((array == np.rint(array)).all() for array in given)


def _least(arithmetic: Arithmetic, value: Array, magnitude: Array, count: Array, factors: int) -> Bound:
    """Return the least that both bounds can be, whatever S2 is: n S2 >= M^2, by Cauchy and Schwarz."""
    product, accumulation, storage = (
        own + FLOAT64.accumulation for own in (arithmetic.product, arithmetic.accumulation, arithmetic.storage)
    )
    roundings = (factors - 1) * (product + storage) + np.maximum(count - 1, 0) * accumulation
    terms, mean_square = np.maximum(count, 1), magnitude**2 / np.maximum(count, 1)
    walk = np.maximum(terms * mean_square - value**2, 0) / 6 + terms * value**2 / 3
    spread = np.sqrt(accumulation**2 * walk + ((factors - 1) * product) ** 2 * mean_square)
    within = np.where(2 * magnitude < arithmetic.largest, 1.0, 0.0)
    return Bound(roundings * magnitude * within, (spread + (factors - 1) * storage * abs(value)) * within)


def _fitting(arithmetic: Arithmetic, inputs: Iterable[Array | None]) -> Arithmetic:
    """Return `arithmetic` without the rounding of factors, if all `inputs` fit into its significand as they are."""
    fit = all(_fits(array, arithmetic.bits) for array in inputs if array is not None) if arithmetic.factors else False
    product = max(arithmetic.product - arithmetic.factors, arithmetic.accumulation)
    return arithmetic._replace(product=product) if fit else arithmetic


def _fits(array: Array, bits: int) -> bool:
    scaled = np.ldexp(np.frexp(array)[0], bits)
    return bool(np.all((scaled == np.rint(scaled)) | ~np.isfinite(array)))


def _lost(
    arithmetic: Arithmetic,
    sums: Callable[[Callable[[Array], Array]], tuple[Any, ...]],
    inputs: Iterable[Array | None],
    magnitudes: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Return by how much each result may be off since factors that are rounded under- or overflow."""

    def moved(array: Array) -> Array:
        sizes = abs(array)
        return np.where((sizes > 0) & (sizes < arithmetic.smallest), sizes + arithmetic.smallest, sizes)

    given = [array for array in inputs if array is not None]
    if not arithmetic.factors or all((moved(array) == abs(array)).all() for array in given):
        lost: tuple[Any, ...] = (0.0,) * len(magnitudes)
    else:
        pairs = zip(sums(moved), magnitudes, strict=True)
        lost = tuple(None if one is None else one - other for one, other in pairs)
    beyond = any(((abs(array) > arithmetic.largest) & np.isfinite(array)).any() for array in given)
    # An infinity makes NaN of the zeros that pad, whatever the window: where there is one, nothing is known.
    return (np.inf,) * len(magnitudes) if arithmetic.factors and beyond else lost


def _normwise(
    arithmetic: Arithmetic,
    sums: Callable[[Callable[[Array], Array]], tuple[Any, ...]],
    inputs: tuple[Array | None, ...],
) -> Iterator[Bound | None]:
    for errors in normwise_errors(sums, inputs, arithmetic.accumulation + FLOAT64.accumulation):
        if errors is None:
            yield None
            continue
        rigorous, statistical, magnitude = errors
        beyond = arithmetic.smallest + np.where(magnitude + rigorous > arithmetic.largest, np.inf, 0)
        yield Bound(rigorous=rigorous + beyond, statistical=statistical + beyond)


def _likeness(
    sums_of: Callable[..., tuple[Any, ...]], inputs: Iterable[Array | None], counts: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return how many terms of each result are like one of them, in the mean, from 1 to all."""
    more = like_terms(sums_of, inputs)
    if more is None:
        return (1.0,) * len(counts)
    return tuple(
        None if count is None else np.clip(1 + added / np.maximum(count, 1), 1, np.maximum(count, 1))
        for added, count in zip(more, counts, strict=True)
    )


def _bound(
    arithmetic: Arithmetic,
    value: Array,
    magnitude: Array,
    count: Array,
    square: Array,
    alike: Array | float,
    *,
    factors: int,
    lost: Array,
) -> Bound:
    # Adding the reference's roundoffs to the implementation's covers both: gamma(s + t) >= gamma(s) + gamma(t).
    product = (factors - 1) * (arithmetic.product + FLOAT64.product)
    accumulation = arithmetic.accumulation + FLOAT64.accumulation
    storage = (factors - 1) * (arithmetic.storage + FLOAT64.storage)
    roundings = np.where(count > 0, product + (count - 1) * accumulation + storage, 0)
    gamma = np.where(roundings < 1, roundings / (1 - roundings), np.inf)
    largest = gamma * magnitude + (abs(value) if arithmetic.stored else magnitude)
    overflown = (largest > arithmetic.largest) | (magnitude * (1 + gamma) > arithmetic.summed)
    beyond = count * arithmetic.flushed + lost + np.where(overflown, np.inf, 0)  # the format's range
    if arithmetic.stored:
        beyond += np.where(count > 0, arithmetic.smallest, 0)
    mean_square = value**2 / np.maximum(count, 1)
    walk = alike * count * (np.maximum(alike * square - mean_square, 0) / 6 + value**2 / 3)
    spread = np.sqrt(accumulation**2 * walk + product**2 * square)
    return Bound(rigorous=gamma * magnitude + beyond, statistical=spread + storage * abs(value) + beyond)
