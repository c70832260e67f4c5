"""Arithmetics as others carry them out, bit by bit: each keeps its own bound, and breaks that of a finer one."""

import math

import ml_dtypes
import numpy as np
import pytest

import refconv
from refconv import ARITHMETICS, linear
from refconv.bounds import multilinear, over
from refconv.layers.pointwise import sigmoid_bound, tanh_bound

ROWS = 16
DATA = {
    "normal": lambda rng, n: rng.standard_normal((ROWS, n)),
    "positive": lambda rng, n: rng.uniform(0, 1, (ROWS, n)),
    "constant": lambda rng, n: np.full((ROWS, n), 0.1),
    "sorted": lambda rng, n: np.sort(rng.standard_normal((ROWS, n))),
    "ones": lambda rng, n: np.ones((ROWS, n)),
}


def cut(values, bits):
    """Leave the highest bits of a float32's significand."""
    mask = np.uint32(0xFFFFFFFF << (24 - bits) & 0xFFFFFFFF)
    return (values.view(np.uint32) & mask).view(np.float32)


def rounded(values):
    return values.astype(ml_dtypes.bfloat16).astype(np.float32)


def two_parts(values, kind):
    high = {"rounded": rounded, "cut": lambda x: cut(x, 8), "tf32": lambda x: cut(x, 11)}[kind](values)
    low = values - high
    return high, cut(low, 11) if kind == "tf32" else rounded(low)


def three_products(kind):
    def dots(x, y):
        (a, b), (c, d) = two_parts(x, kind), two_parts(y, kind)
        total = np.zeros(len(x), np.float32)
        for k in range(x.shape[1]):
            for product in (b[:, k] * c[:, k], a[:, k] * d[:, k], a[:, k] * c[:, k]):
                total = total + product
        return total

    return dots


def towards_zero(values, dtype=np.float32):
    near = values.astype(dtype)
    return np.where(abs(near.astype(np.float64)) > abs(values), np.nextafter(near, dtype(0)), near)


def one_by_one(x, y):
    total = np.zeros(len(x))
    for k in range(x.shape[1]):
        total = towards_zero(total + x[:, k].astype(np.float64) * y[:, k]).astype(np.float64)
    return total


def four_by_four(x, y):
    """Align four products and the sum to the largest of them, cut off what is below its last bit, and add."""
    products, total = x.astype(np.float64) * y, np.zeros(len(x))
    for k in range(0, x.shape[1], 4):
        terms = np.concatenate([total[:, None], products[:, k : k + 4]], axis=1)
        unit = np.ldexp(1.0, np.frexp(abs(terms).max(axis=1))[1] - 24)[:, None]
        total = towards_zero((np.trunc(terms / unit) * unit).sum(axis=1)).astype(np.float64)
    return total


def limit(name, x, y):
    rows = []
    for one, other in zip(x.astype(np.float64), y.astype(np.float64), strict=True):
        value = np.array([[math.fsum(one * other)]])
        (bound,) = multilinear(linear, ARITHMETICS[name], (value,), (one[None], other[None]), {})
        rows.append((value.item(), bound.limit.item()))
    return np.array(rows).T


def worst(dots, name, data, length, weights="normal"):
    """Return the largest error of dot products, as a part of what passes."""
    rng = np.random.default_rng(length)
    x, y = (DATA[kind](rng, length).astype(np.float32) for kind in (data, weights))
    value, most = limit(name, x, y)
    return float(np.max(abs(dots(x, y) - value) / most))


SIMULATED = {
    "bfloat16x3": [three_products("rounded"), three_products("cut")],
    "tf32x3": [three_products("tf32")],
    "truncated": [one_by_one, four_by_four],
}


@pytest.mark.parametrize("length", [1, 3, 64, 576])
@pytest.mark.parametrize("weights", ["normal", "ones"])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, found in SIMULATED.items() for n in range(len(found))]
)
def test_it_keeps_its_bound(name, number, data, weights, length):
    if data != "ones" or weights != "ones":
        assert worst(SIMULATED[name][number], name, data, length, weights) < 0.8


@pytest.mark.parametrize("number", [0, 1])
def test_three_products_of_bfloat16_are_no_float32(number):
    dots = SIMULATED["bfloat16x3"][number]
    for finer in ("float32", "tf32x3", "truncated"):
        assert worst(dots, finer, "normal", 1) > 3


def test_three_products_of_tf32_are_no_float32():
    assert worst(three_products("tf32"), "float32", "normal", 1) > 2


def test_tf32_and_bfloat16_are_no_three_products():
    def tf32(x, y):
        return (cut(x, 11) * cut(y, 11)).sum(axis=1, dtype=np.float64)

    def bfloat16(x, y):
        return (rounded(x) * rounded(y)).sum(axis=1, dtype=np.float64)

    assert worst(tf32, "tf32x3", "normal", 1) > 100
    assert worst(tf32, "bfloat16x3", "normal", 1) > 2
    assert worst(bfloat16, "bfloat16x3", "normal", 64) > 2
    assert worst(bfloat16, "tf32", "normal", 1) > 1


def test_sums_towards_zero_are_no_float32():
    assert worst(one_by_one, "float32", "normal", 4096) > 1
    assert worst(one_by_one, "truncated", "normal", 4096) < 0.8
    assert worst(one_by_one, "truncated", "positive", 4096, "ones") < 0.8


def test_small_integers_are_exact_as_long_as_their_parts_are():
    for name, most in (("bfloat16x3", 2**8), ("tf32x3", 2**11)):
        for size, exact in ((most - 1, True), (most + 1, False)):
            x = np.full((1, 1), float(size))
            (bound,) = multilinear(linear, ARITHMETICS[name], (x * x,), (x, x), {})
            assert (bound.limit == 0).all() == exact, (name, size)


def test_second_parts_below_the_smallest_number_may_be_lost():
    tiny = np.full((ROWS, 1), 1.0 + 2.0**-9, np.float32) * np.float32(2.0**-120)
    ones = np.full((ROWS, 1), 1.5, np.float32)
    lost = three_products("cut")(np.where(abs(cut(tiny, 8)) > 0, cut(tiny, 8), 0), ones)
    value, most = limit("bfloat16x3", tiny, ones)
    assert (abs(lost - value) <= most).all()


@pytest.mark.parametrize("name", ["absolute", "truncated", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_it_has_the_precision_of_the_dtype(name, dtype):
    found, own = over(ARITHMETICS[name], dtype), ARITHMETICS[dtype]
    assert (found.name, found.storage, found.factors) == (name, own.storage, own.factors)
    assert found.accumulation == own.accumulation * (4 if name == "truncated" else 1)


def test_each_says_what_it_is():
    assert all(arithmetic.words for arithmetic in ARITHMETICS.values())


def test_functions_that_are_accurate_absolutely_keep_absolute_alone():
    """A sigmoid by a tangent, a tangent by a power: near their smallest values they lose all digits."""
    input = np.linspace(-30, 30, 1001, dtype=np.float32)
    half, one = np.float32(0.5), np.float32(1)
    sigmoid = half * np.tanh(half * input) + half
    tanh = np.float32(2) / (one + np.exp(-np.float32(2) * np.maximum(input, -40))) - one
    for found, forward, bound in ((sigmoid, refconv.sigmoid, sigmoid_bound), (tanh, refconv.tanh, tanh_bound)):
        right = forward(input.astype(np.float64))
        errors = abs(found - right)
        assert (errors <= bound(ARITHMETICS["absolute"], right, input).limit).all()
        assert not (errors <= bound(ARITHMETICS["float32"], right, input).limit).all()
