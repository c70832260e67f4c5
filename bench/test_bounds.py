"""How far honest sums are off, and sums of factors of fewer bits, in units of the statistical bound B."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.bounds import measured, pairwise, permuted, rounded_to, sequential
from refconv.arguments import Array
from refconv.bounds import ERRORS_PER_B


@pytest.mark.parametrize("order", [sequential, permuted, pairwise], ids=lambda order: order.__name__)
def test_honest_sums_lie_within_the_constant(
    benchmark: Any, figure: Callable[[str], None], order: Callable[[Array], Array]
) -> None:
    found = benchmark.pedantic(lambda: list(measured(order)), rounds=1)
    errors = [of.error / of.statistical for of in found]
    assert max(errors) < ERRORS_PER_B
    figure(
        f"float32, {order.__name__}: {len(errors)} dot products, "
        f"median {np.median(errors):.2f} B, largest {max(errors):.1f} B"
    )


@pytest.mark.parametrize("bits", [11, 8], ids=["tf32", "bfloat16"])
def test_inputs_of_fewer_bits_lie_beyond_it(benchmark: Any, figure: Callable[[str], None], bits: int) -> None:
    found = benchmark.pedantic(lambda: list(measured(sequential, rounded_to(bits))), rounds=1)
    errors = [of.error / of.statistical for of in found]
    assert np.median(errors) > ERRORS_PER_B
    figure(f"inputs of {bits} bits: {len(errors)} dot products, median {np.median(errors):.0f} B")
