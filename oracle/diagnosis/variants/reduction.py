"""What goes wrong with the mean that a loss takes."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variants.arrays import like
from refconv import InputGradient
from refconv.arguments import Array


def rescaled(called: str, divisor: Callable[[Array, Array], float]) -> Callable[..., Any]:
    """Return a loss, or its backward, divided by another number than that of its terms."""

    @np.errstate(all="ignore")
    def function(*arrays: Array) -> Any:
        input, target = arrays[-2:]
        result = getattr(refconv, called)(*arrays)
        factor = np.divide(target.size, divisor(input, target))
        if isinstance(result, InputGradient):
            return InputGradient(like(input, result.input * factor))
        return like(input, result * factor)

    return function
