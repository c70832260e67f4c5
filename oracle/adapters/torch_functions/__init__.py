"""PyTorch's function for each operator, on tensors, and where it is known to be wrong; a module for each kind."""

from collections.abc import Callable, Mapping
from typing import Any

from oracle.adapters.torch_functions import (
    attention,
    averages,
    convolutions,
    maxima,
    norms,
    pointwise,
    products,
    upsampling,
)

_KINDS = (convolutions, maxima, averages, upsampling, norms, pointwise, products, attention)
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: function for kind in _KINDS for name, function in kind.FUNCTIONS.items()
}
DEVIATIONS = tuple(deviation for kind in _KINDS for deviation in kind.DEVIATIONS)
