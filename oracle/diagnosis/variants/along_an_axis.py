"""What goes wrong with the axis along which an operator works."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from refconv import InputGradient
from refconv.arguments import Array


def last_axis(called: str) -> Callable[..., Any]:
    """Return the function `called` along the last axis, whatever the axis."""

    def function(*arrays: Array, **_: Any) -> Any:
        return getattr(refconv, called)(*arrays, axis=-1)

    return function


def flattened(called: str, *, batch: bool) -> Callable[..., Any]:
    """Return the function `called` along several axes: all, or from `axis` on."""

    def function(*arrays: Array, axis: int) -> Any:
        shape = arrays[-1].shape
        first = 0 if batch else axis % len(shape)
        rows = int(np.prod(shape[:first]))
        if not arrays[-1].size:
            return getattr(refconv, called)(*arrays, axis=axis)
        result = getattr(refconv, called)(*(array.reshape(rows, -1) for array in arrays), axis=1)
        return result.reshape(shape) if len(arrays) == 1 else InputGradient(result.input.reshape(shape))

    return function
