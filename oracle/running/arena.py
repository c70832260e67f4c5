"""The memory that the oracle shares with a worker: arrays cross over as they lie, strides and all.

It has no name, so none is left over however the processes end. An array is put there with a margin of poison on either
side; the gaps between its elements are poison, too: whoever reads it sees NaN, whoever writes it is found out.
"""

import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from refconv.arguments import Array

POISON = 0xFF  # in every byte, it is NaN in every format
MARGIN = 256
CLOSED = 0  # the flag for: the implementation closed what its process writes to
DEVIATION = 1  # the flag that holds the number of the known deviation that the case matches, from 1
_STEP = 64  # where arrays begin
_FLAGS = 64  # bytes for the flags, which a worker sets when it can't say anything any more


class Placed(NamedTuple):
    """Where an array lies: contiguous if it has no strides; its first element at `offset`, None if it had no room."""

    dtype: str
    shape: Sequence[int]
    strides: Sequence[int] | None
    offset: int | None


class Arena:
    """A mapping of the shared memory; it grows with what is put into it."""

    def __init__(self, file: int | None = None) -> None:
        self.file = _anonymous() if file is None else file
        self.memory: Any = None
        self.resize(max(os.fstat(self.file).st_size, mmap.ALLOCATIONGRANULARITY))

    def close(self) -> None:
        """Let go of the memory."""
        os.close(self.file)
        del self.flags, self.bytes, self.memory

    def resize(self, size: int) -> None:
        """Map `size` bytes."""
        if os.fstat(self.file).st_size < size:
            os.ftruncate(self.file, size)
        if self.memory is None or len(self.memory) < size:
            self.memory = mmap.mmap(self.file, size)
            self.flags = np.frombuffer(self.memory, np.int32, _FLAGS // 4)
            self.bytes = np.frombuffer(self.memory, np.uint8)

    def put(self, arrays: Sequence[Array | None], room: int) -> tuple[list[Placed | None], int]:
        """Copy `arrays` as they lie; return where they are, and where the free memory begins, of `room` bytes."""
        placed: list[Placed | None] = []
        end = _FLAGS
        for array in arrays:
            if array is None:
                placed.append(None)
                continue
            low, high = _span(array)
            begin = _aligned(end + MARGIN) + (array.ctypes.data + low) % _STEP  # as far from a line of the cache
            placed.append(Placed(_spelled(array.dtype), array.shape, array.strides, begin - low))
            end = begin + high - low
        end = _aligned(end + MARGIN)
        if end + room > len(self.memory):
            self.resize(2 * (end + room))
        self.bytes[_FLAGS:end] = POISON
        for place, array in zip(placed, arrays, strict=True):
            if place is not None:
                self.get(place)[...] = array
        return placed, end

    def store(self, arrays: Mapping[str, Array | None], begin: int) -> dict[str, Placed | None]:
        """Copy `arrays` one after the other from `begin`; one for which there is no room is only described."""
        placed: dict[str, Placed | None] = {}
        for name, array in arrays.items():
            if array is None:
                placed[name] = None
                continue
            fits = begin + array.nbytes <= len(self.memory)
            placed[name] = place = Placed(_spelled(array.dtype), array.shape, None, begin if fits else None)
            if fits:
                self.get(place)[...] = array
                begin = _aligned(begin + array.nbytes)
        return placed

    def get(self, placed: Placed) -> Array:
        """Return the array at a place, in the shared memory; zeros where there was no room for it."""
        dtype, shape, strides, offset = placed
        if offset is None:
            return np.broadcast_to(np.zeros((), dtype), tuple(shape))
        return np.ndarray(tuple(shape), dtype, self.memory, offset, None if strides is None else tuple(strides))


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("refconv")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _spelled(dtype: np.dtype[Any]) -> str:
    """Return what ``np.dtype`` makes `dtype` of: its name, where ml_dtypes is what NumPy knows it by."""
    return dtype.name if dtype.kind == "V" and hasattr(ml_dtypes, dtype.name) else dtype.str


def _span(array: Array) -> tuple[int, int]:
    """Return the first byte, and that after the last, of an array's elements, from its first element on."""
    if array.size == 0:
        return 0, 0
    reach = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    return sum(step for step in reach if step < 0), sum(step for step in reach if step > 0) + array.itemsize


def _aligned(offset: int) -> int:
    return -(-offset // _STEP) * _STEP
