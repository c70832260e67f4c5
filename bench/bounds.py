"""The measurement behind the verdict's constant: errors of dot products beside their bounds, and a picture of them."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from refconv import ARITHMETICS, operators
from refconv.arguments import Array
from refconv.bounds import ERRORS_PER_B

LENGTHS = (9, 27, 64, 147, 288, 576, 1152, 2304, 4608, 18432)
SEEDS = 200


class Measured(NamedTuple):
    """A float32 dot product's error and its bounds, all three in units of u M: roundoff times magnitude."""

    length: int
    error: float
    statistical: float
    rigorous: float


def sequential(products: Array) -> float:
    """Sum from the first to the last."""
    return float(np.cumsum(products)[-1])


def permuted(products: Array) -> float:
    """Sum in an order by chance."""
    return sequential(np.random.default_rng(0).permutation(products))


def pairwise(products: Array) -> float:
    """Sum as NumPy does."""
    return float(products.sum())


def rounded_to(bits: int) -> Callable[[Array], Array]:
    """Return what rounds to `bits` significant bits, to nearest."""

    def rounded(array: Array) -> Array:
        mantissa, exponent = np.frexp(array)
        nearest: Array = np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
        return nearest.astype(np.float32)

    return rounded


def measured(
    order: Callable[[Array], float], stored: Callable[[Array], Array] = lambda array: array, seeds: int = SEEDS
) -> Iterator[Measured]:
    """Yield errors of sums of mixed sign, for each length and seed, of factors as they are `stored`."""
    arithmetic = ARITHMETICS["float32"]
    for length in LENGTHS:
        for seed in range(seeds):
            x, y = np.random.default_rng(seed).standard_normal((2, length)).astype(np.float32)
            doubles = x.astype(np.float64), y.astype(np.float64)
            products = doubles[0] * doubles[1]  # exact, and the sum is rounded once
            exact = math.fsum(products)
            arrays = [array.reshape(1, 1, -1) for array in doubles]
            bound = operators["conv"].bound(arithmetic, np.full((1, 1, 1), exact), *arrays, None)
            error = abs(order(stored(x) * stored(y)) - exact)
            unit = arithmetic.accumulation * float(abs(products).sum())
            yield Measured(length, error / unit, bound.statistical.item() / unit, bound.rigorous.item() / unit)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="docs/pictures/bounds.png")
def main(file: Path) -> None:
    """Draw errors of honest sums, and of factors in TF32's 11 bits, beside the bounds, to FILE."""
    from matplotlib.figure import Figure  # an extra

    honest, coarse = list(measured(sequential, seeds=40)), list(measured(sequential, rounded_to(11), seeds=40))
    figure = Figure(figsize=(8, 5), layout="constrained", dpi=120)
    axes = figure.subplots()
    for found, color, label in ((coarse, "C1", "factors of 11 bits (TF32)"), (honest, "C0", "float32")):
        axes.plot([of.length for of in found], [of.error for of in found], ".", color=color, alpha=0.5, label=label)
    medians = [np.median([of.statistical for of in honest if of.length == length]) for length in LENGTHS]
    axes.plot(LENGTHS, [of.rigorous for of in honest[:: len(honest) // len(LENGTHS)]], "k--", label="rigorous bound")
    axes.plot(LENGTHS, [ERRORS_PER_B * of for of in medians], "k-", label=f"{ERRORS_PER_B:g} B (median)")
    axes.plot(LENGTHS, medians, color="gray", label="B (median)")
    axes.set(xscale="log", yscale="log", ylim=(1e-3, None))
    axes.set(xlabel="products that are summed, of mixed sign", ylabel="error, in roundoffs of the sum of magnitudes")
    axes.set_xticks(LENGTHS, [str(length) for length in LENGTHS], fontsize="small")
    axes.minorticks_off()
    figure.legend(fontsize="small", loc="outside upper center", ncols=5)
    figure.savefig(file)


if __name__ == "__main__":
    main()
