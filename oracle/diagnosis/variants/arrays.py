"""Arrays in place of others."""

from typing import Any

import numpy as np

from refconv.arguments import Array


def like(array: Array, values: Any) -> Array:
    """Return `values` as a new array in the dtype of `array`."""
    with np.errstate(all="ignore"):
        return np.array(values, array.dtype, order="C")


def first_of_batch(array: Array) -> Array:
    """Return `array` with the first of the batch in place of each."""
    return np.ascontiguousarray(np.broadcast_to(array[:1], array.shape))


def first_channel(array: Array) -> Array:
    """Return `array` with the first channel in place of each."""
    return np.ascontiguousarray(np.broadcast_to(array[:, :1], array.shape))
