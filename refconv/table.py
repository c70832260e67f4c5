"""The table of all operators: what iterates over operators iterates over this."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Any, get_args

from refconv.layers.add import (
    add,
    add_backward,
    add_backward_bound,
    add_bound,
)
from refconv.layers.batch_norm import (
    BatchNormResult,
    batch_norm,
    batch_norm_backward,
    batch_norm_backward_bound,
    batch_norm_bound,
)
from refconv.layers.capsule_routing import (
    capsule_routing,
    capsule_routing_backward,
    capsule_routing_backward_bound,
    capsule_routing_bound,
)
from refconv.layers.channel_shuffle import (
    channel_shuffle,
    channel_shuffle_backward,
    channel_shuffle_backward_bound,
    channel_shuffle_bound,
)
from refconv.layers.concat import (
    concat,
    concat_backward,
    concat_backward_bound,
    concat_bound,
)
from refconv.layers.conv import conv, conv_backward, conv_backward_bound, conv_bound
from refconv.layers.conv_transpose import (
    conv_transpose,
    conv_transpose_backward,
    conv_transpose_backward_bound,
    conv_transpose_bound,
)
from refconv.layers.cross_entropy import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_backward_bound,
    cross_entropy_bound,
)
from refconv.layers.dropout import (
    dropout,
    dropout_backward,
    dropout_backward_bound,
    dropout_bound,
)
from refconv.layers.flatten import (
    flatten,
    flatten_backward,
    flatten_backward_bound,
    flatten_bound,
)
from refconv.layers.graph_conv import (
    graph_conv,
    graph_conv_backward,
    graph_conv_backward_bound,
    graph_conv_bound,
)
from refconv.layers.group_norm import group_norm, group_norm_backward, group_norm_backward_bound, group_norm_bound
from refconv.layers.highway import (
    highway,
    highway_backward,
    highway_backward_bound,
    highway_bound,
)
from refconv.layers.instance_norm import (
    instance_norm,
    instance_norm_backward,
    instance_norm_backward_bound,
    instance_norm_bound,
)
from refconv.layers.layer_norm import layer_norm, layer_norm_backward, layer_norm_backward_bound, layer_norm_bound
from refconv.layers.linear import (
    linear,
    linear_backward,
    linear_backward_bound,
    linear_bound,
)
from refconv.layers.local_response_norm import (
    local_response_norm,
    local_response_norm_backward,
    local_response_norm_backward_bound,
    local_response_norm_bound,
)
from refconv.layers.locally_connected import (
    locally_connected,
    locally_connected_backward,
    locally_connected_backward_bound,
    locally_connected_bound,
)
from refconv.layers.mse_loss import (
    mse_loss,
    mse_loss_backward,
    mse_loss_backward_bound,
    mse_loss_bound,
)
from refconv.layers.non_local import (
    non_local,
    non_local_backward,
    non_local_backward_bound,
    non_local_bound,
)
from refconv.layers.pad import (
    pad,
    pad_backward,
    pad_backward_bound,
    pad_bound,
)
from refconv.layers.pointwise import (
    leaky_relu,
    leaky_relu_backward,
    leaky_relu_backward_bound,
    leaky_relu_bound,
    relu,
    relu_backward,
    relu_backward_bound,
    relu_bound,
    sigmoid,
    sigmoid_backward,
    sigmoid_backward_bound,
    sigmoid_bound,
    tanh,
    tanh_backward,
    tanh_backward_bound,
    tanh_bound,
)
from refconv.layers.softmax import (
    log_softmax,
    log_softmax_backward,
    log_softmax_backward_bound,
    log_softmax_bound,
    softmax,
    softmax_backward,
    softmax_backward_bound,
    softmax_bound,
)
from refconv.layers.squash import (
    squash,
    squash_backward,
    squash_backward_bound,
    squash_bound,
)


def _output_alone(**_: object) -> tuple[str, ...]:
    return ("output",)


@dataclass(frozen=True)
class Operator:
    """One operator: its functions and bounds. Its name, inputs and attributes are read off the signatures."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    bound: Callable[..., Any]  # bound(arithmetic, output, *inputs, **attributes)
    backward_bound: Callable[..., Any]  # backward_bound(arithmetic, gradients, grad_output, *inputs, **attributes)
    outputs: Callable[..., tuple[str, ...]] = _output_alone  # outputs(**attributes): what the forward returns, by name
    views: bool = False  # results may be views of the arguments, whose elements are only moved or handed on

    @property
    def name(self) -> str:
        """The forward's name; the backward's is that and ``_backward``."""
        return self.forward.__name__

    @cached_property
    def inputs(self) -> Mapping[str, bool]:
        """The positional arrays in their order, and whether each may be None."""
        return MappingProxyType(
            {p.name: NoneType in get_args(p.annotation) for p in self._parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
        )

    @cached_property
    def attributes(self) -> Mapping[str, object]:
        """The keyword-only attributes and their defaults; ``inspect.Parameter.empty`` marks a required one."""
        return MappingProxyType({p.name: p.default for p in self._parameters if p.kind is p.KEYWORD_ONLY})

    @cached_property
    def gradients(self) -> Any:
        """The NamedTuple that `backward` returns."""
        return inspect.signature(self.backward).return_annotation

    @cached_property
    def differentiable(self) -> tuple[str, ...]:
        """The inputs that have gradients, in the order in which `backward` returns them."""
        return tuple(self.gradients._fields)

    @property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.forward).parameters.values())


operators: Mapping[str, Operator] = MappingProxyType(
    {
        row.name: row
        for row in (
            Operator(conv, conv_backward, conv_bound, conv_backward_bound),
            Operator(conv_transpose, conv_transpose_backward, conv_transpose_bound, conv_transpose_backward_bound),
            Operator(
                locally_connected, locally_connected_backward, locally_connected_bound, locally_connected_backward_bound
            ),
            Operator(linear, linear_backward, linear_bound, linear_backward_bound),
            Operator(
                batch_norm,
                batch_norm_backward,
                batch_norm_bound,
                batch_norm_backward_bound,
                outputs=lambda **_: BatchNormResult._fields,
            ),
            Operator(layer_norm, layer_norm_backward, layer_norm_bound, layer_norm_backward_bound),
            Operator(instance_norm, instance_norm_backward, instance_norm_bound, instance_norm_backward_bound),
            Operator(group_norm, group_norm_backward, group_norm_bound, group_norm_backward_bound),
            Operator(
                local_response_norm,
                local_response_norm_backward,
                local_response_norm_bound,
                local_response_norm_backward_bound,
            ),
            Operator(relu, relu_backward, relu_bound, relu_backward_bound),
            Operator(leaky_relu, leaky_relu_backward, leaky_relu_bound, leaky_relu_backward_bound),
            Operator(sigmoid, sigmoid_backward, sigmoid_bound, sigmoid_backward_bound),
            Operator(tanh, tanh_backward, tanh_bound, tanh_backward_bound),
            Operator(softmax, softmax_backward, softmax_bound, softmax_backward_bound),
            Operator(log_softmax, log_softmax_backward, log_softmax_bound, log_softmax_backward_bound),
            Operator(squash, squash_backward, squash_bound, squash_backward_bound),
            Operator(dropout, dropout_backward, dropout_bound, dropout_backward_bound),
            Operator(flatten, flatten_backward, flatten_bound, flatten_backward_bound, views=True),
            Operator(add, add_backward, add_bound, add_backward_bound, views=True),
            Operator(concat, concat_backward, concat_bound, concat_backward_bound, views=True),
            Operator(pad, pad_backward, pad_bound, pad_backward_bound),
            Operator(channel_shuffle, channel_shuffle_backward, channel_shuffle_bound, channel_shuffle_backward_bound),
            Operator(cross_entropy, cross_entropy_backward, cross_entropy_bound, cross_entropy_backward_bound),
            Operator(mse_loss, mse_loss_backward, mse_loss_bound, mse_loss_backward_bound),
            Operator(highway, highway_backward, highway_bound, highway_backward_bound),
            Operator(graph_conv, graph_conv_backward, graph_conv_bound, graph_conv_backward_bound),
            Operator(non_local, non_local_backward, non_local_bound, non_local_backward_bound),
            Operator(capsule_routing, capsule_routing_backward, capsule_routing_bound, capsule_routing_backward_bound),
        )
    }
)
