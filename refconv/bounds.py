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

A plain sum has no products: its u_product is 0, and of one term it is that term.

An arithmetic that rounds its factors, as TF32 does, makes exact products of factors that fit: then u_product is that of
the sums. Factors that don't fit into its range may be lost, or overflow: each product is off by what that moves it.

One that *splits* its factors adds three products for each: of x = h + l + r and y alike, with h and l in a short format
of p bits, h h', h l' and l h', all exact. What is left out is l l' + x r' + r y. However h and l are rounded, abs(l) is
at most 2^(1-p) abs(x), and abs(r) is that of abs(l). So u_product is 3 * 2^(2-2p): 3 * 2^-14 of bfloat16's 8 bits,
3 * 2^-20 of TF32's 11. Sums have 3 n terms. Neither error walks at random: if h is cut off, what is left out has the
sign of x y, and B has u_product abs(T) / 8 more; and h l' may vanish beside the partial sum that it is added to, each
time, so that B has an eighth of what these roundings are together, as below.

One that *truncates* its sums, as tensor cores do, is off by up to 2 u of each partial sum, towards zero; and where
some terms are aligned to the largest before they are added, as there, by as much of it for each term (Fasi, Higham,
Mikaitis, Pranesh, Numerical behavior of NVIDIA tensor cores, PeerJ Computer Science 7, 2021): u_accumulation is 4 u.
These errors don't walk at random: half of it of each partial sum adds up, in the mean, which is no more than the root
of n times the sum of their squares.
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
    split: int = 0  # bits of the two parts of a factor, where three products of them stand for one
    truncates: bool = False  # partial sums, towards zero
    absolute: bool = False  # functions and differences are accurate beside what they are made of, not beside themselves
    words: str = ""  # what it is

    @property
    def bits(self) -> int:
        """The significand's bits of the numbers that are multiplied."""
        return round(-math.log2(self.factors / 2 if self.factors else self.product))

    @property
    def fitting(self) -> int:
        """The most bits that factors may have so that their product is exact, but for a rounding of its own."""
        return self.split or self.bits

    @property
    def products(self) -> int:
        """How many products stand for one."""
        return 3 if self.split else 1

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


def _ieee(name: str, dtype: Any, words: str) -> Arithmetic:
    info: Any = ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]  # ml_dtypes has no types
    unit = float(info.eps) / 2
    return Arithmetic(name, unit, unit, unit, float(info.smallest_normal), float(info.max), words=words)


def _rounding_factors(arithmetic: Arithmetic, unit: float) -> Arithmetic:
    """Return `arithmetic` over inputs that are rounded first, with roundoff `unit`."""
    return arithmetic._replace(product=2 * unit + arithmetic.product, factors=2 * unit)


def _summed_in_float32(name: str, arithmetic: Arithmetic) -> Arithmetic:
    """Return `arithmetic` with exact products, of which two significands fit into one of float32, and its sums."""
    words = f"{name}, sums in float32"
    return arithmetic._replace(name=name, product=arithmetic.factors, accumulation=FLOAT32.accumulation, words=words)


def _split(name: str, bits: int, words: str) -> Arithmetic:
    """Return the arithmetic of three products of factors of so many bits, with sums in float32."""
    left_out = 3 * 2.0 ** (2 - 2 * bits)
    largest = (2 - 2.0 ** (1 - bits)) * 2.0**127
    return FLOAT32._replace(name=name, product=left_out, factors=left_out, largest=largest, split=bits, words=words)


FLOAT32 = _ieee("float32", np.float32, "single precision")
FLOAT64 = _ieee("float64", np.float64, "double precision")
TF32 = FLOAT32._replace(
    name="tf32", product=2.0**-10, factors=2.0**-10, words="factors rounded to 11 bits, sums in float32"
)
TF32X3 = _split("tf32x3", 11, "three products of TF32 for one, as CUTLASS's")
BFLOAT16X3 = _split("bfloat16x3", 8, "three products of bfloat16 for one, as XLA's HIGH")
FLOAT16_ACCUMULATED, BFLOAT16_ACCUMULATED = (
    _rounding_factors(own, own.storage)
    for own in (
        _ieee("float16-accumulated", np.float16, "float16, sums as well"),
        _ieee("bfloat16-accumulated", ml_dtypes.bfloat16, "bfloat16, sums as well"),
    )
)
FLOAT16 = _summed_in_float32("float16", FLOAT16_ACCUMULATED)
BFLOAT16 = _summed_in_float32("bfloat16", BFLOAT16_ACCUMULATED)


def _absolute(own: Arithmetic) -> Arithmetic:
    words = "functions accurate beside 1 and their arguments, as 0.5 tanh(x / 2) + 0.5"
    return own._replace(name="absolute", absolute=True, words=words)


def _truncated(own: Arithmetic) -> Arithmetic:
    words = "sums rounded towards zero, as tensor cores'"
    product, accumulation = own.product + own.accumulation, 4 * own.accumulation
    return own._replace(name="truncated", truncates=True, product=product, accumulation=accumulation, words=words)


def _fast(own: Arithmetic) -> Arithmetic:
    return own._replace(name="fast", normwise=True, words="errors bounded by norms, as Winograd's")


_OVER: Mapping[str, Callable[[Arithmetic], Arithmetic]] = {
    "absolute": _absolute,
    "truncated": _truncated,
    "fast": _fast,
}
"""Those that compute in the precision of the dtype."""
ARITHMETICS = {
    arithmetic.name: arithmetic
    for arithmetic in (
        FLOAT64,
        FLOAT32,
        _absolute(FLOAT32),
        _truncated(FLOAT32),
        TF32X3,
        BFLOAT16X3,
        _fast(FLOAT32),
        TF32,
        FLOAT16,
        BFLOAT16,
        FLOAT16_ACCUMULATED,
        BFLOAT16_ACCUMULATED,
    )
}
"""By name, from the most to the least accurate."""


def over(arithmetic: Arithmetic, dtype: str) -> Arithmetic:
    """Return `arithmetic` for arrays of `dtype`: some compute in the dtype's own precision."""
    change = _OVER.get(arithmetic.name)
    return arithmetic if change is None else change(ARITHMETICS[dtype])


def hasty(arithmetic: Arithmetic) -> Arithmetic:
    """Return an arithmetic by whose bounds, found in half of the time, what passes would pass by the true ones, too.

    Where there is none, it is `arithmetic` itself.
    """
    plain = not (arithmetic.normwise or arithmetic.factors or arithmetic.stored or arithmetic.truncates)
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
    factors: int | tuple[int, ...] = 2,
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
    factors : int, or one for each result
        The most factors that a term has. Each beyond the first is a product, rounded and, if there are more, rounded
        again as a factor of the next. Of 1, results are plain sums.

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
    of_each = (factors,) * len(values) if isinstance(factors, int) else factors
    most = max(of_each)
    with np.errstate(all="ignore"):  # what isn't finite is judged apart
        if arithmetic.normwise:  # what is not transformed is summed as elsewhere
            plain = arithmetic._replace(normwise=False)
            summed = multilinear(function, plain, values, inputs, attributes, factors=factors)
            pairs = zip(_normwise(arithmetic, sums, inputs), summed, strict=True)
            return tuple(one if one is None or other is None else either(one, other) for one, other in pairs)
        if arithmetic.hasty and _surely_exact(arithmetic, inputs, most):
            return tuple(None if value is None else exact(value) for value in values)
        magnitudes = sums(np.abs)
        if _exact(arithmetic, inputs, magnitudes, most):
            return tuple(None if value is None else exact(value) for value in values)
        if arithmetic.hasty:
            known = zip(values, magnitudes, sums(np.ones_like), of_each, strict=True)
            return tuple(
                None if value is None else _least(arithmetic, value, magnitude, count, own)
                for value, magnitude, count, own in known
            )
        counts, squares = sums(np.ones_like), sums(np.square)
        lost = _lost(arithmetic, sums, inputs, magnitudes)
        fitting = _fitting(arithmetic, inputs) if most <= 2 else arithmetic  # sums that are factors may not fit
        likeness = _likeness(sums_of, inputs, counts)
        of_result = zip(values, magnitudes, counts, squares, likeness, lost, of_each, strict=True)
        return tuple(
            None if value is None else _bound(fitting, value, *sums_, factors=own, lost=more)
            for value, *sums_, more, own in of_result
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
    wide = arithmetic.product if factors > 2 else 0.0
    unit = max(arithmetic.accumulation, arithmetic.storage, wide)
    limits = [(inputs, 2.0**arithmetic.split if arithmetic.split else 1 / arithmetic.product), (magnitudes, 1 / unit)]
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
    small = largest * terms ** max(factors - 2, 0) * (terms + 1) < 1 / unit
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
    rounded = (count > 1) | (factors > 1)
    within = np.where(rounded & (2 * magnitude < arithmetic.largest), 1.0, 0.0)
    return Bound(roundings * magnitude * within, (spread + (factors - 1) * storage * abs(value)) * within)


def _fitting(arithmetic: Arithmetic, inputs: Iterable[Array | None]) -> Arithmetic:
    """Return `arithmetic` without the rounding of factors, if all `inputs` fit into its significand as they are."""
    given = [array for array in inputs if array is not None]
    fit = bool(arithmetic.factors) and all(fits(array, arithmetic.fitting).all() for array in given)
    product = max(arithmetic.product - arithmetic.factors, arithmetic.accumulation)
    return arithmetic._replace(product=product) if fit else arithmetic


def fits(array: Array, bits: int) -> Array:
    """Return which elements have no more significant bits, or aren't finite."""
    scaled = np.ldexp(np.frexp(array)[0], bits)
    return np.asarray((scaled == np.rint(scaled)) | ~np.isfinite(array))


def _lost(
    arithmetic: Arithmetic,
    sums: Callable[[Callable[[Array], Array]], tuple[Any, ...]],
    inputs: Iterable[Array | None],
    magnitudes: tuple[Any, ...],
) -> tuple[Any, ...]:
    """Return by how much each result may be off since factors that are rounded under- or overflow."""
    smallest = arithmetic.smallest * 2.0 ** (2 * arithmetic.split)  # of what has a second part

    def moved(array: Array) -> Array:
        sizes = abs(array)
        return np.where((sizes > 0) & (sizes < smallest), sizes + arithmetic.smallest, sizes)

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
    if factors == 1 and arithmetic.product > arithmetic.accumulation:
        factors = 2  # sums may be products with ones, whose factors are rounded
    product = (factors - 1) * (arithmetic.product + FLOAT64.product)
    accumulation = arithmetic.accumulation + FLOAT64.accumulation
    storage = max(factors - 1, 1) * (arithmetic.storage + FLOAT64.storage)
    terms = arithmetic.products * count
    roundings = np.where(count > 0, product + (terms - 1) * accumulation + storage, 0)
    gamma = np.where(roundings < 1, roundings / (1 - roundings), np.inf)
    largest = gamma * magnitude + (abs(value) if arithmetic.stored else magnitude)
    overflown = (largest > arithmetic.largest) | (magnitude * (1 + gamma) > arithmetic.summed)
    beyond = count * arithmetic.flushed + lost + np.where(overflown, np.inf, 0)  # the format's range
    if arithmetic.stored:
        beyond += np.where(count > 0, arithmetic.smallest, 0)
    mean_square = value**2 / np.maximum(count, 1)
    walk = alike * terms * (np.maximum(alike * square - mean_square, 0) / 6 + value**2 / 3)
    spread = np.sqrt(accumulation**2 * walk + product**2 * alike * square)
    if arithmetic.split:
        spread = spread + (product * abs(value) + accumulation * np.sqrt(terms * walk)) / ERRORS_PER_B
    if arithmetic.truncates:
        spread = spread + accumulation / 4 * np.sqrt(terms * walk)
    errors = gamma * magnitude + beyond, spread + storage * abs(value) + beyond
    if factors == 1:
        moved_ = lost_when_stored(arithmetic, value)
        errors = np.where(count > 1, errors[0], moved_), np.where(count > 1, errors[1], moved_)
    return Bound(*errors)
