"""The measurement behind the verdict's constant: errors of sums beside their bounds, a table and a picture of them.

Sums of data of many kinds, in many orders: an honest one may not pass for wrong, whatever it adds and however.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from refconv import ARITHMETICS, operators
from refconv.arguments import Array
from refconv.bounds import ERRORS_PER_B

LENGTHS = (9, 27, 64, 147, 288, 576, 1152, 2304, 4608, 18432, 65536)
SEEDS = 200
SUMS = 16  # at a time


class Measured(NamedTuple):
    """A float32 dot product's error and its bounds, all three in units of u M: roundoff times magnitude."""

    length: int
    error: float
    statistical: float
    rigorous: float


def sequential(products: Array) -> Array:
    """Sum from the first to the last."""
    sums: Array = np.cumsum(products, axis=-1, dtype=products.dtype)[..., -1]
    return sums


def permuted(products: Array) -> Array:
    """Sum in an order by chance."""
    return sequential(np.random.default_rng(0).permutation(products, axis=-1))


def pairwise(products: Array) -> Array:
    """Sum as NumPy does."""
    sums: Array = np.ascontiguousarray(products).sum(-1)
    return sums


def blocked(products: Array) -> Array:
    """Sum blocks of as many as there are blocks, then their sums."""
    size = math.isqrt(products.shape[-1])
    blocks = range(0, products.shape[-1], size)
    return sequential(np.stack([sequential(products[..., block : block + size]) for block in blocks], -1))


def in_lanes(products: Array) -> Array:
    """Sum every eighth, as the lanes of a vector do, then the eight sums and what is left."""
    whole = products.shape[-1] // 8 * 8
    lanes = sequential(np.moveaxis(products[..., :whole].reshape(*products.shape[:-1], -1, 8), -2, -1))
    return sequential(np.concatenate([lanes, products[..., whole:]], -1))


def fused(x: Array, y: Array) -> Array:
    """Sum from the first to the last, each product and its addition rounded once."""
    sums = np.zeros(x.shape[:-1], np.float32)
    for one, other in zip(np.moveaxis(x.astype(np.float64), -1, 0), np.moveaxis(y, -1, 0), strict=True):
        sums = (sums + one * other).astype(np.float32)
    return sums


ORDERS: Mapping[str, Callable[[Array, Array], Array]] = {
    "sequential": lambda x, y: sequential(x * y),
    "reversed": lambda x, y: sequential((x * y)[..., ::-1]),
    "permuted": lambda x, y: permuted(x * y),
    "pairwise": lambda x, y: pairwise(x * y),
    "blocked": lambda x, y: blocked(x * y),
    "in lanes": lambda x, y: in_lanes(x * y),
    "even, then odd": lambda x, y: sequential(np.concatenate([(x * y)[..., ::2], (x * y)[..., 1::2]], -1)),
    "fused": fused,
}
"""float32 sums of products along the last axis."""

DATA: Mapping[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "constant": lambda rng, n: np.full(n, 0.1),
    "two values": lambda rng, n: rng.choice([0.1, 0.3], n),
    "sorted": lambda rng, n: np.sort(rng.standard_normal(n)),
    "evenly spaced": lambda rng, n: np.linspace(0.1, 0.2, n),
    "one period of a sine": lambda rng, n: np.sin(2 * np.pi * np.arange(n) / n),
    "a sine of short period": lambda rng, n: np.sin(1.9 * np.arange(n)),
    "half and half": lambda rng, n: np.where(np.arange(n) < n // 2, 0.1, -0.1),
    "alternating": lambda rng, n: np.where(np.arange(n) % 2, 0.1, -0.1000001),
    "one large": lambda rng, n: np.where(np.arange(n) == n // 3, 1e4, rng.standard_normal(n)),
    "after a ReLU": lambda rng, n: np.maximum(rng.standard_normal(n), 0),
    "uniform": lambda rng, n: rng.uniform(0, 1, n),
    "uniform near one": lambda rng, n: rng.uniform(0.9, 1.1, n),
    "bytes of an image": lambda rng, n: rng.integers(0, 256, n) / 255,
    "a smooth image": lambda rng, n: 0.5 + 0.5 * np.sin(6 * np.pi * np.arange(n) / n) + 0.02 * rng.standard_normal(n),
    "a random walk": lambda rng, n: np.cumsum(rng.standard_normal(n)),
    "decaying": lambda rng, n: np.exp(-8 * np.arange(n) / n),
    "harmonic": lambda rng, n: 1 / (1 + np.arange(n)),
    "quadratic": lambda rng, n: (np.arange(n) / n - 0.5) ** 2,
    "repeated nine times": lambda rng, n: np.repeat(rng.standard_normal(n // 9 + 1), 9)[:n],
}
"""What is summed: of n values each."""
MIXED = "normal"
"""The data of mixed sign and without a pattern, which tells few bits from many."""
WEIGHTS: Mapping[str, Callable[[np.random.Generator, int], Array]] = {
    "1": lambda rng, n: np.ones(n),
    "normal": lambda rng, n: rng.standard_normal(n),
}
"""What it is multiplied by."""


class Worst(NamedTuple):
    """The largest error of honest sums of one kind of data, as a part of what is let pass."""

    error: float
    length: int
    order: str
    told: float  # of the sums' seeds, the part in which factors of 11 bits don't pass


def worst(data: str, weights: str, lengths: tuple[int, ...], seeds: int) -> Worst:
    """Sum data of all lengths in all orders, and return the largest error."""
    found, told = Worst(0.0, 0, "", 0.0), []
    for length in lengths:
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            x, y = (
                np.stack([kind(rng, length) for _ in range(SUMS)]).astype(np.float32)
                for kind in (DATA[data], WEIGHTS[weights])
            )
            exact = [math.fsum(row) for row in x.astype(np.float64) * y]
            limits = np.array([_limit(*row) for row in zip(exact, x, y, strict=True)])
            for order, summed in ORDERS.items():
                error = float(np.max(abs(summed(x, y) - exact) / limits))
                found = max(found, found._replace(error=error, length=length, order=order))
            coarse = [rounded_to(11)(array) for array in (x, y)]
            told.append((abs(sequential(coarse[0] * coarse[1]) - exact) > limits).any())
    return found._replace(told=float(np.mean(told)))


def _limit(exact: float, x: Array, y: Array) -> float:
    rows = (array.astype(np.float64)[None] for array in (x, y))
    bound = operators["linear"].bound(ARITHMETICS["float32"], np.full((1, 1), exact), *rows, None)
    return float(bound.limit.item())


def rounded_to(bits: int) -> Callable[[Array], Array]:
    """Return what rounds to `bits` significant bits, to nearest."""

    def rounded(array: Array) -> Array:
        mantissa, exponent = np.frexp(array)
        nearest: Array = np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits)
        return nearest.astype(np.float32)

    return rounded


def measured(
    order: Callable[[Array], Array], stored: Callable[[Array], Array] = lambda array: array, seeds: int = SEEDS
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
            error = abs(float(order(stored(x) * stored(y))) - exact)
            unit = arithmetic.accumulation * float(abs(products).sum())
            yield Measured(length, error / unit, bound.statistical.item() / unit, bound.rigorous.item() / unit)


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Of each kind of data.")
@click.option("--longest", type=click.IntRange(min=9), default=LENGTHS[-1], show_default=True, help="Sums of terms.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="docs/pictures/bounds.png")
def main(seeds: int, longest: int, file: Path) -> None:
    """Print errors of honest sums as parts of what is let pass; draw some beside the bounds, to FILE."""
    lengths = tuple(length for length in LENGTHS if length <= longest)
    click.echo(f"{'data':24s}{'times':9s}{'worst error, as a part of the limit':40s}11 bits told")
    for data in DATA:
        for weights in WEIGHTS:
            found = worst(data, weights, lengths, seeds)
            where = f"{found.error:5.2f}   {found.order} sums of {found.length}"
            click.echo(f"{data:24s}{weights:9s}{where:40s}{100 * found.told:10.0f} %")
    _draw(file)


def _draw(file: Path) -> None:
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
