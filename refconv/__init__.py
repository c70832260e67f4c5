"""The reference: layers of a CNN, forward and backward, with verified gradients and derived error bounds."""

from refconv.arguments import InvalidTypeError, InvalidValueError
from refconv.bounds import ARITHMETICS, Arithmetic, Bound
from refconv.layers.adaptive_avg_pool import adaptive_avg_pool, adaptive_avg_pool_backward
from refconv.layers.avg_pool import avg_pool, avg_pool_backward
from refconv.layers.blur_pool import blur_pool, blur_pool_backward
from refconv.layers.conv import ConvGradients, conv, conv_backward
from refconv.layers.conv_transpose import conv_transpose, conv_transpose_backward
from refconv.layers.upsample import upsample, upsample_backward
from refconv.results import InputGradient
from refconv.table import Operator, operators

__all__ = [
    "ARITHMETICS",
    "Arithmetic",
    "Bound",
    "ConvGradients",
    "InputGradient",
    "InvalidTypeError",
    "InvalidValueError",
    "Operator",
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "avg_pool",
    "avg_pool_backward",
    "blur_pool",
    "blur_pool_backward",
    "conv",
    "conv_backward",
    "conv_transpose",
    "conv_transpose_backward",
    "operators",
    "upsample",
    "upsample_backward",
]
