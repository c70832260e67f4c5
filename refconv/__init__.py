"""The reference: layers of a CNN, forward and backward, with verified gradients and derived error bounds."""

from refconv.arguments import InvalidTypeError, InvalidValueError
from refconv.bounds import ARITHMETICS, Arithmetic, Bound
from refconv.layers.conv import ConvGradients, conv, conv_backward
from refconv.layers.conv_transpose import conv_transpose, conv_transpose_backward
from refconv.table import Operator, operators

__all__ = [
    "ARITHMETICS",
    "Arithmetic",
    "Bound",
    "ConvGradients",
    "InvalidTypeError",
    "InvalidValueError",
    "Operator",
    "conv",
    "conv_backward",
    "conv_transpose",
    "conv_transpose_backward",
    "operators",
]
