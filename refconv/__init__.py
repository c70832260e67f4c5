"""The reference: layers of a CNN, forward and backward, with verified gradients and derived error bounds."""

from refconv.arguments import InvalidTypeError, InvalidValueError
from refconv.bounds import ARITHMETICS, Arithmetic, Bound
from refconv.dispatch import using
from refconv.layers.adaptive_avg_pool import adaptive_avg_pool, adaptive_avg_pool_backward
from refconv.layers.adaptive_max_pool import adaptive_max_pool, adaptive_max_pool_backward
from refconv.layers.add import AddGradients, add, add_backward
from refconv.layers.avg_pool import avg_pool, avg_pool_backward
from refconv.layers.batch_norm import BatchNormResult, batch_norm, batch_norm_backward
from refconv.layers.blur_pool import blur_pool, blur_pool_backward
from refconv.layers.capsule_routing import CapsuleRoutingGradients, capsule_routing, capsule_routing_backward
from refconv.layers.channel_shuffle import channel_shuffle, channel_shuffle_backward
from refconv.layers.concat import ConcatGradients, concat, concat_backward
from refconv.layers.conv import ConvGradients, conv, conv_backward
from refconv.layers.conv_transpose import conv_transpose, conv_transpose_backward
from refconv.layers.cross_entropy import cross_entropy, cross_entropy_backward
from refconv.layers.dropout import dropout, dropout_backward
from refconv.layers.flatten import flatten, flatten_backward
from refconv.layers.graph_conv import GraphConvGradients, graph_conv, graph_conv_backward
from refconv.layers.group_norm import group_norm, group_norm_backward
from refconv.layers.highway import HighwayGradients, highway, highway_backward
from refconv.layers.instance_norm import instance_norm, instance_norm_backward
from refconv.layers.layer_norm import layer_norm, layer_norm_backward
from refconv.layers.linear import linear, linear_backward
from refconv.layers.local_response_norm import local_response_norm, local_response_norm_backward
from refconv.layers.locally_connected import locally_connected, locally_connected_backward
from refconv.layers.lp_pool import lp_pool, lp_pool_backward
from refconv.layers.max_pool import MaxPoolResult, max_pool, max_pool_backward
from refconv.layers.max_unpool import max_unpool, max_unpool_backward
from refconv.layers.mse_loss import mse_loss, mse_loss_backward
from refconv.layers.non_local import NonLocalGradients, non_local, non_local_backward
from refconv.layers.pad import pad, pad_backward
from refconv.layers.pointwise import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from refconv.layers.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from refconv.layers.squash import squash, squash_backward
from refconv.layers.upsample import upsample, upsample_backward
from refconv.results import InputGradient, NormGradients
from refconv.table import Operator, operators

__all__ = [
    "ARITHMETICS",
    "AddGradients",
    "Arithmetic",
    "BatchNormResult",
    "Bound",
    "CapsuleRoutingGradients",
    "ConcatGradients",
    "ConvGradients",
    "GraphConvGradients",
    "HighwayGradients",
    "InputGradient",
    "InvalidTypeError",
    "InvalidValueError",
    "MaxPoolResult",
    "NonLocalGradients",
    "NormGradients",
    "Operator",
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "adaptive_max_pool",
    "adaptive_max_pool_backward",
    "add",
    "add_backward",
    "avg_pool",
    "avg_pool_backward",
    "batch_norm",
    "batch_norm_backward",
    "blur_pool",
    "blur_pool_backward",
    "capsule_routing",
    "capsule_routing_backward",
    "channel_shuffle",
    "channel_shuffle_backward",
    "concat",
    "concat_backward",
    "conv",
    "conv_backward",
    "conv_transpose",
    "conv_transpose_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout_backward",
    "flatten",
    "flatten_backward",
    "graph_conv",
    "graph_conv_backward",
    "group_norm",
    "group_norm_backward",
    "highway",
    "highway_backward",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "locally_connected",
    "locally_connected_backward",
    "log_softmax",
    "log_softmax_backward",
    "lp_pool",
    "lp_pool_backward",
    "max_pool",
    "max_pool_backward",
    "max_unpool",
    "max_unpool_backward",
    "mse_loss",
    "mse_loss_backward",
    "non_local",
    "non_local_backward",
    "operators",
    "pad",
    "pad_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "squash",
    "squash_backward",
    "tanh",
    "tanh_backward",
    "upsample",
    "upsample_backward",
    "using",
]
