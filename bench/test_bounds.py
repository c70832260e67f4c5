"""The measurement behind the verdict's constant: errors of dot products in units of the statistical bound B."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refconv import ARITHMETICS, operators
from refconv.arguments import Array
from refconv.bounds import ERRORS_PER_B

LENGTHS = (9, 27, 64, 147, 288, 576, 1152, 2304, 4608, 18432)
SEEDS = 200


def _sequential(products: Array) -> float:
    return float(np.cumsum(products)[-1])


def _permuted(products: Array) -> float:
    return _sequential(np.random.default_rng(0).permutation(products))


def _pairwise(products: Array) -> float:
    return float(products.sum())


def _rounded(bits: int) -> Callable[[Array], Array]:
    """Round to `bits` significant bits, to nearest."""

    def rounded(array: Array) -> Array:
        mantissa, exponent = np.frexp(array)
        nearest: Array = np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
        return nearest.astype(np.float32)

    return rounded


@pytest.mark.parametrize("order", [_sequential, _permuted, _pairwise], ids=lambda order: order.__name__.strip("_"))
def test_honest_sums_lie_within_the_constant(
    benchmark: Any, figure: Callable[[str], None], order: Callable[[Array], float]
) -> None:
    errors = benchmark.pedantic(lambda: _errors(order, lambda array: array), rounds=1)
    assert max(errors) < ERRORS_PER_B
    name = order.__name__.strip("_")
    figure(
        f"float32, {name}: {len(errors)} dot products, median {np.median(errors):.2f} B, largest {max(errors):.1f} B"
    )


@pytest.mark.parametrize("bits", [11, 8], ids=["tf32", "bfloat16"])
def test_inputs_of_fewer_bits_lie_beyond_it(benchmark: Any, figure: Callable[[str], None], bits: int) -> None:
    errors = benchmark.pedantic(lambda: _errors(_sequential, _rounded(bits)), rounds=1)
    assert np.median(errors) > ERRORS_PER_B
    figure(f"inputs of {bits} bits: {len(errors)} dot products, median {np.median(errors):.0f} B")


def _errors(order: Callable[[Array], float], stored: Callable[[Array], Array]) -> list[float]:
    """Return ``error / B`` of float32 sums of mixed sign, for each length and seed."""
    found = []
    for length in LENGTHS:
        for seed in range(SEEDS):
            x, y = np.random.default_rng(seed).standard_normal((2, length)).astype(np.float32)
            doubles = x.astype(np.float64), y.astype(np.float64)
            exact = math.fsum(doubles[0] * doubles[1])  # the products are exact, the sum is rounded once
            arrays = [array.reshape(1, 1, -1) for array in doubles]
            bound = operators["conv"].bound(ARITHMETICS["float32"], np.full((1, 1, 1), exact), *arrays, None)
            error = abs(order(stored(x) * stored(y)) - exact)
            found.append(error / float(bound.statistical[0, 0, 0]))
    return found
