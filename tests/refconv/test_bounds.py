import math
from fractions import Fraction

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given

from refconv import ARITHMETICS, Bound, conv
from refconv.bounds import (
    BFLOAT16,
    BFLOAT16_ACCUMULATED,
    ERRORS_PER_B,
    FLOAT16,
    FLOAT16_ACCUMULATED,
    FLOAT32,
    FLOAT64,
    TF32,
    exact,
    hasty,
    multilinear,
    over,
    scaled,
)

EMPTY_ROOM = 1e-300  # of a bound that is 0 where equality is demanded


def dot(x, y):
    """The simplest multilinear function: one sum of products, as a convolution."""
    return conv(x.reshape(1, 1, -1), y.reshape(1, 1, -1))


def bound_of(arithmetic, x, y):
    (bound,) = multilinear(dot, arithmetic, (dot(x, y),), (x, y), {})
    return float(bound.rigorous[0, 0, 0]), float(bound.statistical[0, 0, 0])


def exact_dot(x, y):
    return sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, y, strict=True)), Fraction(0))


def factors(seed, length, dtype=np.float32):
    x, y = np.random.default_rng(seed).standard_normal((2, length))
    return x.astype(dtype), y.astype(dtype)


def sequential(products):
    total = products.dtype.type(0)
    for product in products:
        total += product
    return total


def to_tf32(array):
    """Round to the 11 significant bits of TF32, to nearest."""
    bits = array.view(np.uint32).astype(np.uint64) + (1 << 12)
    return (bits & ~np.uint64((1 << 13) - 1)).astype(np.uint32).view(np.float32)


LENGTHS = st.sampled_from((1, 2, 3, 9, 30, 100, 1000))
SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, LENGTHS, st.sampled_from((sequential, np.sum, lambda products: sequential(products[::-1]))))
def test_float32_sums_keep_both_bounds(seed, length, total):
    x, y = factors(seed, length)
    rigorous, statistical = bound_of(FLOAT32, x.astype(float), y.astype(float))
    error = float(abs(Fraction(float(total(x * y))) - exact_dot(x, y)))
    assert error <= rigorous
    assert error <= ERRORS_PER_B * statistical


@given(SEEDS, LENGTHS)
def test_even_the_worst_order_keeps_the_rigorous_bound(seed, length):
    x, y = factors(seed, length)
    rigorous, _ = bound_of(FLOAT32, x.astype(float), y.astype(float))
    computed = sequential(np.sort(x * y))  # all that is negative first: the partial sums are no random walk
    assert float(abs(Fraction(float(computed)) - exact_dot(x, y))) <= rigorous


def test_the_rigorous_bound_is_higham_s():
    x, y = np.array([3.5, -1.25, 0.5]), np.array([1.5, 2.0, 7.0])
    magnitude = 3.5 * 1.5 + 1.25 * 2 + 0.5 * 7
    n, unit = 3, 2.0**-24 + 2.0**-53
    gamma = (n + 1) * unit / (1 - (n + 1) * unit)
    assert bound_of(FLOAT32, x, y)[0] == pytest.approx(gamma * magnitude, rel=1e-12)


def test_the_statistical_bound_by_hand():
    x, y = np.array([3.5, -1.25]), np.array([1.5, 2.0])
    total, squares, n, unit = 2.75, 5.25**2 + 2.5**2, 2, 2.0**-24 + 2.0**-53
    walk = n * ((squares - total**2 / n) / 6 + total**2 / 3)
    assert bound_of(FLOAT32, x, y)[1] == pytest.approx(unit * (math.sqrt(walk + squares) + total), rel=1e-12)


def test_float32_and_tf32_are_told_apart():
    medians = {}
    for name, rounded in (("float32", lambda array: array), ("tf32", to_tf32)):
        ratios = []
        for seed in range(100):
            x, y = factors(seed, 64)
            _, statistical = bound_of(FLOAT32, x.astype(float), y.astype(float))
            computed = sequential(rounded(x) * rounded(y))
            ratios.append(float(abs(Fraction(float(computed)) - exact_dot(x, y))) / statistical)
        medians[name] = float(np.median(ratios))
    assert medians["float32"] < 1 < 5 * ERRORS_PER_B < medians["tf32"]


@given(SEEDS, LENGTHS)
def test_tf32_products_keep_the_bound_of_tf32(seed, length):
    x, y = factors(seed, length)
    rigorous, statistical = bound_of(TF32, x.astype(float), y.astype(float))
    error = float(abs(Fraction(float(sequential(to_tf32(x) * to_tf32(y)))) - exact_dot(x, y)))
    assert error <= min(rigorous, ERRORS_PER_B * statistical)


@given(SEEDS, LENGTHS)
def test_the_reference_s_own_errors_are_part_of_a_float64_bound(seed, length):
    x, y = factors(seed, length, np.float64)
    rigorous, statistical = bound_of(FLOAT64, x, y)
    reference = float(dot(x, y)[0, 0, 0])
    assert abs(float(np.sum(x * y)) - reference) <= min(rigorous, ERRORS_PER_B * statistical)


def test_small_integers_must_be_met_exactly():
    x, y = np.array([3.0, -4.0, 2.0]), np.array([1.0, 2.0, -2.0])
    assert bound_of(FLOAT32, x, y) == (0, 0)


SHORT = {  # storage, dtype of the sums, arithmetic
    "float16": (np.float16, np.float32, FLOAT16),
    "bfloat16": (ml_dtypes.bfloat16, np.float32, BFLOAT16),
    "float16-accumulated": (np.float16, np.float16, FLOAT16_ACCUMULATED),
    "bfloat16-accumulated": (ml_dtypes.bfloat16, ml_dtypes.bfloat16, BFLOAT16_ACCUMULATED),
}


@pytest.mark.parametrize("native", [False, True], ids=["arrays of float32", "arrays of the format"])
@pytest.mark.parametrize("name", SHORT)
@given(seed=SEEDS, length=st.sampled_from((1, 2, 3, 9, 30, 100)))
def test_short_formats_keep_the_bounds(name, native, seed, length):
    storage, sums, arithmetic = SHORT[name]
    x, y = factors(seed, length, storage if native else np.float32)
    rigorous, statistical = bound_of(arithmetic, x.astype(float), y.astype(float))
    products = x.astype(storage).astype(sums) * y.astype(storage).astype(sums)
    error = float(abs(Fraction(float(sequential(products).astype(storage))) - exact_dot(x, y)))
    assert error <= rigorous
    assert error <= ERRORS_PER_B * statistical


@pytest.mark.parametrize("name", SHORT)
def test_factors_that_fit_are_not_rounded(name):
    storage, _, arithmetic = SHORT[name]
    x, y = np.array([11.1], np.float32), np.array([13.3], np.float32)
    rounded = [array.astype(storage).astype(float) for array in (x, y)]
    assert bound_of(arithmetic, *rounded)[1] < 0.7 * bound_of(arithmetic, x.astype(float), y.astype(float))[1]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_sums_in_float32_and_in_the_format_are_told_apart(name):
    storage, _, arithmetic = SHORT[name]
    ratios = []
    for seed in range(100):
        x, y = factors(seed, 1000, storage)
        total = float(sequential(x * y))
        _, statistical = bound_of(arithmetic, x.astype(float), y.astype(float))
        ratios.append(float(abs(Fraction(total) - exact_dot(x, y))) / statistical)
    assert np.median(ratios) > ERRORS_PER_B


@pytest.mark.parametrize(
    ("arithmetic", "bits"),
    [
        (FLOAT32, 24),
        (FLOAT64, 53),
        (TF32, 11),
        (FLOAT16, 11),
        (BFLOAT16, 8),
        (FLOAT16_ACCUMULATED, 11),
        (BFLOAT16_ACCUMULATED, 8),
    ],
)
def test_an_arithmetic_says_how_many_bits_it_multiplies(arithmetic, bits):
    assert arithmetic.bits == bits


@pytest.mark.parametrize(("arithmetic", "largest"), [(FLOAT16, 2.0**11), (BFLOAT16, 2.0**8)])
def test_sums_are_exact_up_to_the_stored_significand(arithmetic, largest):
    for known in (arithmetic, ARITHMETICS[f"{arithmetic.name}-accumulated"]):
        assert bound_of(known, np.array([largest / 4 - 1, 1.0]), np.array([4.0, 3.0])) == (0, 0)
        assert min(bound_of(known, np.array([largest / 4 - 1, 1.0]), np.array([4.0, 4.0]))) > EMPTY_ROOM


def test_what_is_divided_is_rounded_when_it_is_stored():
    value = np.array([1.0])
    (error, _) = scaled(exact(value), BFLOAT16, value, 1 / 9)
    assert error[0] >= 2.0**-8
    assert scaled(exact(value), BFLOAT16, value, 1 / 8) == Bound(0, 0)


def test_what_is_scaled_below_the_smallest_number_may_be_lost():
    value = np.array([1e-5])
    assert scaled(exact(value), FLOAT16, value, 1e-2).rigorous[0] >= 1e-5
    assert scaled(exact(value), FLOAT32, value, 1e-2).rigorous[0] < 1e-10
    assert scaled(exact(value), FLOAT16, 0 * value, 1 / 4) == Bound(0, 0)


def test_partial_sums_may_leave_the_format_that_they_are_not_stored_in():
    x, y = np.array([300.0, 300.0, 1.5]), np.array([300.0, -300.0, 0.1])
    assert bound_of(FLOAT16, x, y)[0] < 0.1 * 2 * 300**2
    assert bound_of(FLOAT16_ACCUMULATED, x, y) == (math.inf, math.inf)


def test_factors_out_of_the_format_may_be_lost_or_infinite():
    tiny, one = np.array([1e-6]), np.array([1000.0])
    assert bound_of(FLOAT16, tiny, one)[0] > 1e-3
    assert bound_of(FLOAT16, np.array([1e5]), np.array([1e-3])) == (math.inf, math.inf)
    assert bound_of(FLOAT32, np.array([1e5]), np.array([1e-3]))[0] < 1e-4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_normwise_arithmetic_has_the_dtype_s_precision(dtype):
    fast = over(ARITHMETICS["fast"], dtype)
    assert (fast.name, fast.normwise, fast.storage) == ("fast", True, ARITHMETICS[dtype].storage)
    assert over(TF32, dtype) is TF32


@pytest.mark.parametrize(("arithmetic", "largest"), [(FLOAT32, 2.0**24), (FLOAT64, 2.0**53), (TF32, 2.0**10)])
def test_integers_are_exact_up_to_the_significand(arithmetic, largest):
    assert bound_of(arithmetic, np.array([largest - 1]), np.array([1.0])) == (0, 0)
    assert min(bound_of(arithmetic, np.array([largest]), np.array([1.0]))) > EMPTY_ROOM


@pytest.mark.parametrize(("arithmetic", "one", "other"), [(FLOAT32, 2.0**12, 2.0**12), (FLOAT64, 2.0**26, 2.0**27)])
def test_sums_of_small_integers_are_exact_up_to_the_significand(arithmetic, one, other):
    assert bound_of(arithmetic, np.array([one - 1]), np.array([other])) == (0, 0)
    assert min(bound_of(arithmetic, np.array([one, 1]), np.array([other, 1]))) > EMPTY_ROOM


def test_a_sum_too_large_for_the_format_may_be_anything():
    x, y = np.array([1e30, 1.5]), np.array([1e30, 1.5])
    assert bound_of(FLOAT32, x, y) == (math.inf, math.inf)
    assert bound_of(FLOAT64, x, y)[0] < 1e47


def test_a_product_below_the_smallest_number_may_be_lost():
    x, y = np.array([1e-30]), np.array([1e-30])
    assert bound_of(FLOAT32, x, y)[0] > 1e-60


def test_a_window_without_taps_has_no_error():
    x, y = np.array([1.5]), np.array([1.5])
    attributes = {"padding": ((3, 0),)}
    (bound,) = multilinear(
        conv, FLOAT32, (conv(x[None, None], y[None, None], **attributes),), (x[None, None], y[None, None]), attributes
    )
    assert (bound.rigorous == 0).tolist() == [[[True, True, True, False]]]


def test_arithmetics_are_known_by_name():
    assert [arithmetic.name for arithmetic in ARITHMETICS.values()] == list(ARITHMETICS)
    finer = ["float64", "float32", "absolute", "truncated", "tf32x3", "bfloat16x3", "fast", "tf32"]
    assert list(ARITHMETICS) == [*finer, *SHORT]


def test_hasty_bounds_are_no_wider_and_near_the_true_ones():
    rng = np.random.default_rng(0)
    for arithmetic in (FLOAT32, FLOAT64):
        for length in (1, 2, 9, 100, 4096):
            arrays = [array.reshape(1, 1, -1) for array in rng.standard_normal((2, length))]
            value = conv(*arrays)
            (quick,), (true,) = (
                multilinear(conv, how, (value,), arrays, {}) for how in (hasty(arithmetic), arithmetic)
            )
            for tight, wide in zip(quick, true, strict=True):
                assert 0.3 * wide <= tight <= wide * (1 + 1e-9)


def test_in_haste_sums_of_small_integers_are_exact_and_of_larger_ones_too():
    for largest, exactly in ((4, True), (1000, True), (2**20, False)):
        arrays = np.full((1, 1, 10), float(largest)), np.ones((1, 1, 10)) * largest
        (bound,) = multilinear(conv, hasty(FLOAT32), (conv(*arrays),), arrays, {})
        assert (bound.limit == 0).all() == exactly


def test_in_haste_nothing_is_granted_near_the_end_of_the_range_and_what_has_no_value_has_no_bound():
    arrays = np.full((1, 1, 2), 1e19), np.full((1, 1, 2), 2e19)
    (bound,) = multilinear(conv, hasty(FLOAT32), (conv(*arrays),), arrays, {})
    assert bound.limit.tolist() == [[[0.0]]]

    def of_one(x):
        return x.sum(keepdims=True), None

    found = multilinear(of_one, hasty(FLOAT32), (np.array([0.3]), None), (np.array([0.1, 0.2]),), {})
    assert found[1] is None


def test_there_is_no_haste_where_formats_are_mixed():
    assert {name for name, known in ARITHMETICS.items() if hasty(known) is not known} == {
        "float32",
        "float64",
        "absolute",
    }
