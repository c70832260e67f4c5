"""Which of two ways a correlation is computed: by its definition, or fast where there is enough to do.

`refconv.correlation` is the definition, `refconv.flat` the fast path, which is held to it: equal on integers, within
the error bound on all else; what isn't finite there is computed by the definition. All convolutions and `linear`
come through here.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from refconv import arguments, correlation, flat
from refconv.arguments import Array
from refconv.geometry import Window

PATHS = ("auto", "definition", "fast")
ENOUGH = 20_000
"""Products from which on the fast path is faster: before it, planning costs more than the loops.

Measured (``pytest bench/test_convolutions.py -k crossover``), forward and backward: of shapes that were seen before,
the definition takes 1.0 times as long at 9,000 products and 2.0 times at 37,000; of new ones, which have to be planned,
0.4 times at 9,000 and 0.9 times at 37,000. A transposed correlation has a sweep for each phase of its stride, and is
faster where each of them has as much to do: 0.6 times at 16,000 products a sweep, 4 times at 66,000.
"""

_path: ContextVar[str] = ContextVar("refconv.path", default="auto")


@contextmanager
def using(path: str) -> Iterator[None]:
    """Force one of the two ways in which convolutions and `linear` can be computed, within a ``with`` block.

    Parameters
    ----------
    path : {"auto", "definition", "fast"}
        "definition" is the textbook's loop nest; "fast" gives the same bits on integers, and elsewhere a result within
        the error bound, whose non-finite elements are computed by the definition; "auto", outside of any block, is the
        faster for the size at hand. It holds for this thread, or asynchronous task, alone.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For a `path` that is none of these.
    """
    token = _path.set(arguments.one_of("path", path, PATHS))
    try:
        yield
    finally:
        _path.reset(token)


def correlate(signal: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]) -> Array:
    """Return the correlation of `signal` with `weight`, of spatial `size`."""
    products = signal.shape[0] * math.prod(size) * weight.size
    return _chosen(products, 1, correlation.correlate, flat.correlate, signal, weight, window, groups, size)


def correlate_transposed(grad: Array, weight: Array, window: Window, groups: int, size: tuple[int, ...]) -> Array:
    """Return the gradient of `signal` in :func:`correlate`, of spatial `size`: the transposed convolution of `grad`."""
    products = grad.size * math.prod(weight.shape[1:])
    sweeps = math.prod(map(min, window.stride, window.kernel))
    both = correlation.correlate_transposed, flat.correlate_transposed
    return _chosen(products, sweeps, *both, grad, weight, window, groups, size)


def correlate_signals(grad: Array, signal: Array, window: Window, groups: int) -> Array:
    """Return the gradient of `weight` in :func:`correlate`."""
    products = grad.size * signal.shape[1] // groups * math.prod(window.kernel)
    return _chosen(products, 1, correlation.correlate_signals, flat.correlate_signals, grad, signal, window, groups)


@np.errstate(all="ignore")  # the loops don't warn of what overflows, either
def _chosen(
    products: int,
    sweeps: int,
    definition: Callable[..., Array],
    fast: Callable[..., tuple[Array, bool]],
    left: Array,
    right: Array,
    *others: Any,
) -> Array:
    path = _path.get()
    if products == 0 or path == "definition" or (path == "auto" and products < ENOUGH * sweeps):
        return definition(left, right, *others)
    result, finite = _complex(fast, left, right, others) if left.dtype.kind == "c" else fast(left, right, *others)
    return result if finite else definition(left, right, *others, result)


def _complex(
    fast: Callable[..., tuple[Array, bool]], left: Array, right: Array, others: tuple[Any, ...]
) -> tuple[Array, bool]:
    """Return the result for complex arrays: it is linear in both."""
    (a, b), (c, d) = ([np.ascontiguousarray(part) for part in (each.real, each.imag)] for each in (left, right))
    (ac, bd, ad, bc), finite = zip(*(fast(*pair, *others) for pair in ((a, c), (b, d), (a, d), (b, c))), strict=True)
    result = np.empty(ac.shape, left.dtype)
    result.real, result.imag = ac - bd, ad + bc
    return result, all(finite) and bool(np.isfinite(result).all())
