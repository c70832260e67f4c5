"""The table of all operators: what iterates over operators iterates over this."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from refconv.layers.adaptive_avg_pool import (
    adaptive_avg_pool,
    adaptive_avg_pool_backward,
    adaptive_avg_pool_backward_bound,
    adaptive_avg_pool_bound,
)
from refconv.layers.avg_pool import avg_pool, avg_pool_backward, avg_pool_backward_bound, avg_pool_bound
from refconv.layers.blur_pool import blur_pool, blur_pool_backward, blur_pool_backward_bound, blur_pool_bound
from refconv.layers.conv import conv, conv_backward, conv_backward_bound, conv_bound
from refconv.layers.conv_transpose import (
    conv_transpose,
    conv_transpose_backward,
    conv_transpose_backward_bound,
    conv_transpose_bound,
)
from refconv.layers.upsample import upsample, upsample_backward, upsample_backward_bound, upsample_bound


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
            {p.name: p.default is None for p in self._parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
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
            Operator(avg_pool, avg_pool_backward, avg_pool_bound, avg_pool_backward_bound),
            Operator(
                adaptive_avg_pool,
                adaptive_avg_pool_backward,
                adaptive_avg_pool_bound,
                adaptive_avg_pool_backward_bound,
            ),
            Operator(upsample, upsample_backward, upsample_bound, upsample_backward_bound),
            Operator(blur_pool, blur_pool_backward, blur_pool_bound, blur_pool_backward_bound),
        )
    }
)
