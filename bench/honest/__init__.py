"""Convolutions that are right, by other algorithms and in other arithmetics than the reference's: all must pass.

What fails one of them is a false alarm. Each has `conv` and `conv_backward`, and the arithmetic that it keeps.
"""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from bench.honest.fast import FFT, WINOGRAD
from bench.honest.lowered import blas, lowered, pairwise, reverse
from bench.honest.signals import Implementation, Round
from refconv.arguments import Array


def _through(storage: Any, work: Any) -> Round:
    """Return what rounds to one dtype, and goes on in another."""
    return lambda array: array.astype(storage).astype(work)


def _tf32(array: Array) -> Array:
    """Round float32 to the 11 significant bits of TF32, to nearest."""
    bits = array.view(np.uint32).astype(np.uint64) + (1 << 12)
    return (bits & ~np.uint64((1 << 13) - 1)).astype(np.uint32).view(np.float32)


_BFLOAT16, _FLOAT16 = (_through(dtype, np.float32) for dtype in (ml_dtypes.bfloat16, np.float16))
_IMPLEMENTATIONS = (
    Implementation("reverse", lowered(reverse)),
    Implementation("pairwise", lowered(pairwise)),
    Implementation("im2col", lowered(blas)),
    Implementation("fft", FFT),
    Implementation("winograd", WINOGRAD),
    Implementation("tf32", lowered(blas), _tf32, np.asarray),
    Implementation("bfloat16", lowered(blas), _BFLOAT16),
    Implementation("float16", lowered(blas), _FLOAT16),
    Implementation("bfloat16_accumulated", lowered(reverse), lambda array: array.astype(ml_dtypes.bfloat16)),
    Implementation("float16_accumulated", lowered(pairwise), lambda array: array.astype(np.float16)),
)
_BY_NAME = {implementation.name: implementation for implementation in _IMPLEMENTATIONS}
_CLAIMS = (
    ("reverse", "float32", "float32"),
    ("reverse", "float64", "float64"),
    ("pairwise", "float32", "float32"),
    ("im2col", "float32", "float32"),
    ("im2col", "float64", "float64"),
    ("fft", "fast", "float32"),
    ("winograd", "fast", "float32"),
    ("tf32", "tf32", "float32"),
    ("bfloat16", "bfloat16", "float32"),
    ("bfloat16", "bfloat16", "bfloat16"),
    ("float16", "float16", "float32"),
    ("float16", "float16", "float16"),
    ("bfloat16_accumulated", "bfloat16-accumulated", "float32"),
    ("bfloat16_accumulated", "bfloat16-accumulated", "bfloat16"),
    ("float16_accumulated", "float16-accumulated", "float32"),
    ("float16_accumulated", "float16-accumulated", "float16"),
)
HONEST: Mapping[str, tuple[Implementation, str, str]] = {
    f"{name} {dtype}": (_BY_NAME[name], arithmetic, dtype) for name, arithmetic, dtype in _CLAIMS
}
"""Implementation, the arithmetic that it keeps, and the dtype of the arrays, by a name for both."""
