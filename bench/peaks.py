"""What the machine can do at most: products of two matrices, and copies, timed as implementations are.

Both have as many threads as the others. On a CPU the product is PyTorch's where it is installed, NumPy's elsewhere.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import config

from bench.side import Apart
from refconv.arguments import Array

LENGTH = 1024
"""Of the sides of the matrices; on a GPU four times that."""
COPIED = 1 << 26
"""Bytes that a copy reads, and writes: beyond any cache; on a GPU 16 times that."""
_TURNS = 5


class Peaks(NamedTuple):
    """The most that was seen."""

    flops: float  # floating-point operations a second: a multiply-add is two
    bandwidth: float  # bytes a second, read and written


class OnCPU:
    """The two calls on a CPU."""

    def __init__(self) -> None:
        self._threads = config.NUMBA_NUM_THREADS
        self._pool = ThreadPoolExecutor(self._threads)

    def prepare(self, function: str, array: Array) -> Callable[[], Any]:
        """Return the call of `function`; what it writes to was written before."""
        result = np.ones_like(array)
        if function == "copy":
            cuts = [len(array) * part // self._threads for part in range(self._threads + 1)]
            return partial(self._copy, [(result[slice(*cut)], array[slice(*cut)]) for cut in pairwise(cuts)])
        if find_spec("torch") is None:
            return partial(np.matmul, array, array, out=result)
        import torch  # an optional extra

        torch.set_num_threads(self._threads)
        matrix = torch.from_numpy(array)
        return partial(torch.matmul, matrix, matrix, out=torch.from_numpy(result))

    def _copy(self, parts: list[tuple[Array, Array]]) -> None:
        list(self._pool.map(lambda pair: np.copyto(*pair), parts))


class OnCUDA:
    """The two calls on a GPU, by PyTorch."""

    def prepare(self, function: str, array: Array) -> Callable[[], Any]:
        """Return the call of `function`; what it writes to was written before."""
        import torch

        from oracle.adapters.torch import PreparedOnDevice

        tensor = torch.from_numpy(array).cuda()
        result = torch.ones_like(tensor)
        run: Callable[[], Any] = partial(result.copy_, tensor)
        if function == "matmul":
            run = partial(torch.matmul, tensor, tensor, out=result)
        return PreparedOnDevice(run, torch.Tensor.numpy, nullcontext)


def peaks(device: str, dtype: str, threads: int | None) -> Peaks:
    """Measure them: of each the fastest call in five turns."""
    scale = 4 if device == "cuda" else 1
    matrix = np.random.default_rng(0).standard_normal((scale * LENGTH,) * 2).astype(dtype)
    row = np.ones(scale**2 * COPIED // 8)
    with Apart(f"bench.peaks:{'OnCUDA' if device == 'cuda' else 'OnCPU'}", threads=threads) as side:
        side.loaded()
        return Peaks(
            2 * len(matrix) ** 3 / _fastest(side, "matmul", matrix), 2 * row.nbytes / _fastest(side, "copy", row)
        )


def _fastest(side: Apart, function: str, array: Array) -> float:
    status, said = side.run(function, [array], {}, [])
    if status != "returned":
        raise RuntimeError(f"the machine's peak can't be measured: {said}")
    return min(min(side.time()) for _ in range(_TURNS))
