"""The reference: layers of a CNN, forward and backward, with verified gradients and derived error bounds."""

from refconv.arguments import InvalidTypeError, InvalidValueError
from refconv.bounds import ARITHMETICS, Arithmetic, Bound
from refconv.layers.batch_norm import BatchNormResult, batch_norm, batch_norm_backward
from refconv.layers.conv import ConvGradients, conv, conv_backward
from refconv.layers.conv_transpose import conv_transpose, conv_transpose_backward
from refconv.layers.group_norm import group_norm, group_norm_backward
from refconv.layers.instance_norm import instance_norm, instance_norm_backward
from refconv.layers.layer_norm import layer_norm, layer_norm_backward
from refconv.layers.local_response_norm import local_response_norm, local_response_norm_backward
from refconv.results import InputGradient, NormGradients
from refconv.table import Operator, operators

__all__ = [
    "ARITHMETICS",
    "Arithmetic",
    "BatchNormResult",
    "Bound",
    "ConvGradients",
    "InputGradient",
    "InvalidTypeError",
    "InvalidValueError",
    "NormGradients",
    "Operator",
    "batch_norm",
    "batch_norm_backward",
    "conv",
    "conv_backward",
    "conv_transpose",
    "conv_transpose_backward",
    "group_norm",
    "group_norm_backward",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "operators",
]
