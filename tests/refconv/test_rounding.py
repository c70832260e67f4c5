from fractions import Fraction

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from numpy.lib.stride_tricks import as_strided

from refconv.bounds import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32
from refconv.rounding import (
    Rounded,
    along,
    composed,
    einsum,
    exactly,
    exp,
    largest,
    log,
    sqrt,
    values,
    where,
    zeros_like,
)

SEEDS = st.integers(0, 2**32 - 1)
UNIT = 2.0**-24 + 2.0**-53


def test_a_sum_of_no_products_is_zero_whatever_lies_in_memory():
    nan = np.full(1, np.nan)
    x, y = (as_strided(nan, (0, length, 1), (stride, 0, 0)) for length, stride in ((2, 0), (1, 8)))
    assert einsum("ncp,nkp->ck", x, y).tolist() == [[0], [0]]


def lifted(*values):
    return exactly(np.array(values), FLOAT32)


def with_error(value, error):
    return Rounded(np.array([value]), np.array([error]), FLOAT32)


@pytest.mark.parametrize(
    ("result", "value", "passed_on", "units"),
    [
        (with_error(3.0, 0.5) + with_error(4.0, 0.25), 7, 0.75, 1),
        (with_error(3.0, 0.5) - with_error(4.0, 0.25), -1, 0.75, 1),
        (10 - with_error(4.0, 0.25), 6, 0.25, 1),
        (with_error(3.0, 0.5) * with_error(-4.0, 0.25), -12, 3 * 0.25 + (4 + 0.25) * 0.5, 1),
        (2 * with_error(4.0, 0.25), 8, 0.5, 1),
        (with_error(3.0, 0.5) / with_error(-4.0, 0.25), -0.75, (0.5 + 0.75 * 0.25) / 4, 1),
        (1 / with_error(4.0, 0.25), 0.25, 0.25 * 0.25 / 4, 1),
        (with_error(4.0, 0.25) ** 3, 64, 48 * 0.25, 8),
        (with_error(4.0, 0.25).sqrt(), 2, 0.25 / 4, 1),
        (with_error(1e-12, 1e-6).sqrt(), 1e-6, 1e-3, 1),
        (with_error(0.0, 0.25).exp(), 1, 0.25, 8),
        (with_error(2.0, 0.25).log(), np.log(2), 0.125, 8),
        (abs(-with_error(2.0, 0.25)), 2, 0.25, 0),
        (lifted(1.0, -2.0, 4.0).sum(), 3, 2 * 7 * UNIT, 0),
        (lifted(1.0, -2.0, 4.0).mean(), 1, 2 * 7 * UNIT / 3, 1),
        (Rounded(np.array([1.0, 3.0, 2.0]), np.array([4.0, 1.0, 2.0]), FLOAT32).max(0), 3, 4, 0),
        (with_error(2.0, 0.25).moved(lambda array: array[::-1])[0:1], 2, 0.25, 0),
    ],
)  # fmt: skip
def test_errors_by_hand(result, value, passed_on, units):
    assert result.value.ravel().tolist() == [value]
    assert result.error.ravel() == pytest.approx(passed_on + units * UNIT * (abs(value) + passed_on), rel=1e-12)
    assert result.shape == result.value.shape


def test_products_are_rounded_in_the_arithmetic_s_own_way():
    x = np.array([[1.0, -2.0]])
    total = einsum("ij,j->i", exactly(x, TF32), np.array([3.0, 4.0]))
    assert total.value.tolist() == [-5]
    assert total.error.tolist() == pytest.approx([(2.0**-10 + 2.0**-53 + UNIT) * 11], rel=1e-12)
    assert einsum("ij,j->i", x, exactly(np.array([3.0, 4.0]), TF32)).error.tolist() == total.error.tolist()


def test_what_may_be_flushed_to_zero_is_part_of_the_error():
    product = lifted(2.0**-100) * 2.0**-30
    assert product.error.item() >= 2.0**-130


def test_an_exponent_that_fits_no_format_is_rounded_too():
    exact, rounded = lifted(4.0) ** 0.5, lifted(4.0) ** 0.3
    assert exact.error.item() == pytest.approx(8 * UNIT * 2)
    assert rounded.error.item() == pytest.approx((8 + 0.3 * np.log(4)) * UNIT * 4**0.3)


def test_what_is_flushed_in_sums_is_part_of_the_error():
    small = lifted(2.0**-100, 2.0**-100)
    for total in (einsum("i,i->", small, small), (small * 2.0**-100).sum()):
        assert total.error.item() >= 2.0**-125
    assert einsum("i,i->", small, lifted(0.0, 0.0)).error.item() == 0


def test_terms_of_a_sum_that_are_alike_may_be_rounded_alike():
    distinct, equal, most_zero = np.random.default_rng(0).uniform(size=100), np.ones(100), np.eye(1, 100)[0]
    steps = Rounded(np.stack([distinct, equal, most_zero, np.linspace(1, 2, 100)]), np.zeros((4, 100)), FLOAT32).sum(1)
    assert (steps.error / steps.value / UNIT).ravel().tolist() == pytest.approx([40, 99, 4, 99])
    for factor, expected in ((distinct, 40), (equal, 99)):
        product = einsum("i,i->", exactly(equal, FLOAT32), exactly(factor, FLOAT32))
        assert product.error / product.value / UNIT == pytest.approx(expected + 1)
    terms = np.full(10_000, 0.1, np.float32)
    bound = exactly(terms.astype(np.float64), FLOAT32).sum(0).bound().limit
    error = abs(np.add.accumulate(terms)[-1] - terms.sum(dtype=np.float64))
    assert 400 * UNIT * terms.sum(dtype=np.float64) < error <= bound


def test_what_is_beyond_the_format_s_range_may_be_anything():
    assert (lifted(1e30) * 1e30).bound().limit.tolist() == [np.inf]
    assert (lifted(1e30) + 1e30).bound().limit[0] < 1e24


def test_a_coarser_storage_is_part_of_the_bound():
    half = FLOAT32._replace(storage=2.0**-11)
    assert exactly(np.array([3.0001]), half).bound().rigorous[0] == pytest.approx(3.0001 * 2.0**-11, rel=1e-3)
    assert exactly(np.array([3.0]), half).bound().rigorous[0] == 0  # it is stored as it is
    assert lifted(3.0).bound().rigorous[0] == 0


@given(SEEDS, st.sampled_from((2, 3, 30, 300)))
def test_a_norm_in_float32_keeps_its_bound(seed, length):
    x = np.random.default_rng(seed).standard_normal((1, length)).astype(np.float32)

    def norm(array):
        return (array * array).sum(1, keepdims=True)

    def normalized(array, root):
        return array / root(norm(array) + np.float32(0.5))

    expected = normalized(exactly(x.astype(np.float64), FLOAT32), Rounded.sqrt)
    error = abs(normalized(x, np.sqrt) - expected.value)
    assert (error <= expected.bound().limit).all()
    assert expected.bound().limit.max() < 1e-4


@given(SEEDS)
def test_float64_s_own_error_is_within_the_bound_of_float64(seed):
    values = np.random.default_rng(seed).standard_normal(50)
    total = exactly(values, FLOAT64).sum()
    exact = sum(map(Fraction, values.tolist()), Fraction(0))
    assert abs(Fraction(total.value.item()) - exact) <= Fraction(total.error.item())


def test_errors_of_the_argument_are_carried_at_once():
    def formula(x):
        return x / (x + 1)  # step by step, the error of x counts twice

    x = with_error(3.0, 0.5)
    found = composed(formula, x, lambda x, errors: errors / (x + 1) ** 2)
    assert found.value.tolist() == [0.75]
    assert found.error.tolist() == pytest.approx([formula(lifted(3.0)).error.item() + 0.5 / 16], rel=1e-12)
    assert composed(formula, np.array([3.0]), None).tolist() == [0.75]


def test_derivatives_along_an_axis_are_found_one_by_one():
    def formula(x, y):
        return x * (x * y).sum(1, keepdims=True)

    value, error = np.array([[1.0, -3.0], [2.0, 5.0]]), 2.0**-20 * np.array([[2.0, 1.0], [0.0, 0.0]])
    y = exactly(np.array([[1.0, 1.0], [1.0, 1.0]]), FLOAT32)
    found = along(formula, 1, Rounded(value, error, FLOAT32), y)
    own = formula(exactly(value, FLOAT32), y).error
    assert (found.value == formula(value, values(y))).all()
    # (x1 + x2) x1 has the slopes 2 x1 + x2 = -1 and x1 = 1, (x1 + x2) x2 those x2 = -3 and x1 + 2 x2 = -5.
    assert found.error - own == pytest.approx(2.0**-20 * np.array([[2 + 1, 6 + 5], [0, 0]]), rel=1e-9)
    assert along(formula, 1, value, values(y)).tolist() == found.value.tolist()


def test_a_vector_no_larger_than_its_errors_carries_them_step_by_step():
    def square(x):
        return x * x  # of slope 0 at 0

    x = Rounded(np.array([[0.0], [1.0]]), np.array([[0.5], [0.25]]), FLOAT32)
    assert along(square, 1, x).error.tolist() == square(x).error.tolist()
    assert along(square, 1, x).error[0, 0] >= 0.25


def test_the_functions_take_plain_arrays_as_well():
    x = np.array([[4.0, 1.0]])
    for function in (exp, log, sqrt):
        assert (values(function(exactly(x, FLOAT32))) == function(x)).all()
    assert largest(x, 1).tolist() == values(largest(exactly(x, FLOAT32), 1)).tolist() == [[4]]
    assert largest(x + 5j, 1).tolist() == [[4]]
    assert einsum("ij,kj->ik", x, x).tolist() == [[17]]
    assert where(x > 2, x, -x).tolist() == [[4, -1]]
    zeros = zeros_like(with_error(3.0, 0.5))
    assert (zeros.value.tolist(), zeros.error.tolist()) == ([0], [0])
    assert zeros_like(x.astype(np.float32)).dtype == np.float32


@given(SEEDS)
def test_steps_that_are_stored_in_bfloat16_keep_its_bound(seed):
    x, y, z = np.random.default_rng(seed).standard_normal((3, 50)).astype(ml_dtypes.bfloat16)
    difference = x * y - z  # each step rounded to the format
    total = (difference * difference).astype(np.float32).sum().astype(ml_dtypes.bfloat16)
    exact = [exactly(array.astype(float), BFLOAT16) for array in (x, y, z)]
    expected = exact[0] * exact[1] - exact[2]
    bound = (expected * expected).sum().bound()
    assert abs(float(total) - (expected * expected).sum().value[0]) <= bound.rigorous[0]
    assert bound.rigorous[0] < abs(float(total))


def test_results_below_float16_s_smallest_number_are_only_lost_when_stored():
    product = exactly(np.array([1e-3]), FLOAT16) * exactly(np.array([1e-3]), FLOAT16)
    assert product.error[0] < 1e-7
    assert product.bound().rigorous[0] > 1e-6
