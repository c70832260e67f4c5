"""The table of all operators: what iterates over operators iterates over this."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType, ModuleType, NoneType
from typing import Any, get_args

from refconv.layers import (
    adaptive_avg_pool,
    adaptive_max_pool,
    add,
    avg_pool,
    batch_norm,
    blur_pool,
    capsule_routing,
    channel_shuffle,
    concat,
    conv,
    conv_transpose,
    cross_entropy,
    dropout,
    flatten,
    graph_conv,
    group_norm,
    highway,
    instance_norm,
    layer_norm,
    linear,
    local_response_norm,
    locally_connected,
    lp_pool,
    max_pool,
    max_unpool,
    mse_loss,
    non_local,
    pad,
    pointwise,
    softmax,
    squash,
    upsample,
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


def _operator(module: ModuleType, name: str, **more: Any) -> Operator:
    """Return the row of the operator called `name`: its four functions are in `module`, by their names."""
    functions = (getattr(module, f"{name}{suffix}") for suffix in ("", "_backward", "_bound", "_backward_bound"))
    return Operator(*functions, **more)


def _max_pool_outputs(*, return_indices: bool, **_: object) -> tuple[str, ...]:
    return max_pool.MaxPoolResult._fields if return_indices else ("output",)


def _batch_norm_outputs(**_: object) -> tuple[str, ...]:
    return batch_norm.BatchNormResult._fields


operators: Mapping[str, Operator] = MappingProxyType(
    {
        row.name: row
        for row in (
            _operator(conv, "conv"),
            _operator(conv_transpose, "conv_transpose"),
            _operator(locally_connected, "locally_connected"),
            _operator(linear, "linear"),
            _operator(max_pool, "max_pool", outputs=_max_pool_outputs),
            _operator(max_unpool, "max_unpool"),
            _operator(avg_pool, "avg_pool"),
            _operator(lp_pool, "lp_pool"),
            _operator(adaptive_avg_pool, "adaptive_avg_pool"),
            _operator(adaptive_max_pool, "adaptive_max_pool"),
            _operator(upsample, "upsample"),
            _operator(blur_pool, "blur_pool"),
            _operator(batch_norm, "batch_norm", outputs=_batch_norm_outputs),
            _operator(layer_norm, "layer_norm"),
            _operator(instance_norm, "instance_norm"),
            _operator(group_norm, "group_norm"),
            _operator(local_response_norm, "local_response_norm"),
            _operator(pointwise, "relu"),
            _operator(pointwise, "leaky_relu"),
            _operator(pointwise, "sigmoid"),
            _operator(pointwise, "tanh"),
            _operator(softmax, "softmax"),
            _operator(softmax, "log_softmax"),
            _operator(squash, "squash"),
            _operator(dropout, "dropout"),
            _operator(flatten, "flatten", views=True),
            _operator(add, "add", views=True),
            _operator(concat, "concat", views=True),
            _operator(pad, "pad"),
            _operator(channel_shuffle, "channel_shuffle"),
            _operator(cross_entropy, "cross_entropy"),
            _operator(mse_loss, "mse_loss"),
            _operator(highway, "highway"),
            _operator(graph_conv, "graph_conv"),
            _operator(non_local, "non_local"),
            _operator(capsule_routing, "capsule_routing"),
        )
    }
)
