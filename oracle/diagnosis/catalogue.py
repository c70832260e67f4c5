"""All wrong variants, by the operator's place in the table."""

from oracle.diagnosis import (
    adaptive,
    attention,
    averages,
    blurring,
    convolution_gradients,
    convolutions,
    general,
    graphs,
    locally_connected,
    losses,
    lp_pooling,
    maxima,
    maximum_gradients,
    movers,
    norm_gradients,
    norms,
    pointwise,
    products,
    resizing,
    response_norms,
    running_statistics,
    transposed,
    transposed_gradients,
    unpooling,
    upsampling,
)
from oracle.diagnosis.variant import Variant
from refconv import operators

_MODULES = (
    convolutions,
    convolution_gradients,
    transposed,
    transposed_gradients,
    locally_connected,
    products,
    graphs,
    maxima,
    maximum_gradients,
    unpooling,
    averages,
    adaptive,
    lp_pooling,
    blurring,
    upsampling,
    resizing,
    norms,
    norm_gradients,
    running_statistics,
    response_norms,
    pointwise,
    losses,
    movers,
    attention,
    general,
)
_ORDER = list(operators)

CATALOGUE: tuple[Variant, ...] = tuple(
    sorted(
        (variant for module in _MODULES for variant in module.wrong.variants),
        key=lambda variant: _ORDER.index(variant.operator),
    )
)
