"""One layer of a network: what it computes on, how much work that is at least, and a case of it."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import zip_longest
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from properties.arrays import content
from properties.case import Case
from properties.filling import Described, Filling
from refconv import Operator, max_pool, operators
from refconv.arguments import Array
from refconv.geometry import output_size, read_window

Shape = tuple[int, ...]
_SUMS = frozenset({"conv", "conv_transpose", "locally_connected", "linear"})
_KEEP_THEIR_SHAPE = frozenset({"batch_norm", "layer_norm", "instance_norm", "group_norm", "local_response_norm"})
_BATCHED = frozenset({"input", "indices", "mask", "other", "target", "transform", "gate", "votes"})


class Layer(NamedTuple):
    """An operator with the shapes of its inputs, None where it gets none, and the attributes that matter."""

    operator: str
    shapes: tuple[Shape | None, ...]
    attributes: tuple[tuple[str, object], ...] = ()
    times: int = 1  # how often a network has it

    @property
    def row(self) -> Operator:
        """The operator's row in the table."""
        return operators[self.operator]

    @property
    def input(self) -> Shape:
        """The first input's shape."""
        assert self.shapes[0] is not None
        return self.shapes[0]

    @property
    def integers(self) -> frozenset[str]:
        """The inputs that hold integers."""
        return frozenset({"indices", "target"} if self.operator != "mse_loss" else ())

    @property
    def weight(self) -> Shape | None:
        """The weight's shape, None where there is none."""
        return self._named_shapes.get("weight")

    @property
    def output(self) -> Shape:
        """The output's shape."""
        return _output(self)

    def of_batch(self, batch: int) -> "Layer":
        """Return the layer on `batch` times as many samples."""
        shapes = [
            (shape[0] * batch, *shape[1:]) if shape is not None and name in _BATCHED else shape
            for name, shape in zip(self.row.inputs, self.shapes, strict=False)
        ]
        return self._replace(shapes=tuple(shapes))

    def multiply_adds(self, direction: str) -> int:
        """Return the products that are summed, 0 where the operator isn't made of them.

        The backward has two such sums: the gradients of the input and of the weight.
        """
        if self.operator not in _SUMS or self.weight is None:
            return 0
        first = len(self.input) - 1 if self.operator == "locally_connected" else 1  # axis of what an output sums over
        terms = prod(self.weight[first:])
        once = terms * prod(self.input if self.operator == "conv_transpose" else self.output)
        return once if direction == "forward" else 2 * once

    def bytes_moved(self, direction: str, itemsize: int) -> int:
        """Return the least that goes from and to memory: each array is read or written once."""
        inputs = {name: prod(shape) for name, shape in self._named_shapes.items() if shape is not None}
        moved = sum(inputs.values()) + prod(self.output)
        if direction == "backward":
            moved += sum(inputs.get(name, 0) for name in self.row.differentiable)
        return moved * itemsize

    def case(self, dtype: str, seed: int) -> Case:
        """Return a case of normal numbers, other ones for another seed."""
        rng = np.random.default_rng(seed)
        arrays: dict[str, Described] = {
            name: _CHOSEN[name](self, shape, dtype, rng) if shape is not None and name in _CHOSEN else shape
            for name, shape in self._named_shapes.items()
        }
        return Filling("normal", seed, ()).case(
            self.operator, dict(self.attributes), {"grad_output": self.output, **arrays}, dtype
        )

    @property
    def _named_shapes(self) -> dict[str, Shape | None]:
        return dict(zip_longest(self.row.inputs, self.shapes))

    def __str__(self) -> str:
        """Return the operator, the input's shape, and what else matters."""
        words = [f"{self.operator} {_by(self.input[1:])}"]
        if self.weight is not None and self.operator in _SUMS:
            words.append(_kernels(self.operator, self.weight, len(self.input) - 2))
        words += [f"batch {self.input[0]}"] * (self.input[0] > 1)
        words += [_spelled(name, value) for name, value in self.attributes if value != self.row.attributes[name]]
        return ", ".join(words)


@cache
def _output(layer: Layer) -> Shape:
    """Return what the reference makes of an empty batch, which costs nothing but where the weights are copied."""
    if layer.operator in _KEEP_THEIR_SHAPE:
        return layer.input
    if layer.operator in ("linear", "locally_connected"):
        assert layer.weight is not None
        own = layer.weight[: len(layer.input) - 1]  # weight (out, *output, in, *kernel)
        return (*layer.input[:-1], layer.weight[0]) if layer.operator == "linear" else (layer.input[0], *own)
    if layer.operator == "conv":
        assert layer.weight is not None
        attributes = {**layer.row.attributes, **dict(layer.attributes)}
        given = {name: attributes[name] for name in ("stride", "padding", "dilation")}
        window = read_window(layer.weight[2:], **given, words=True)
        return (layer.input[0], layer.weight[0], *output_size(layer.input[2:], window))
    empty = [
        None if shape is None else np.broadcast_to(np.int64(0) if name in layer.integers else np.float32(0), shape)
        for name, shape in zip(layer.row.inputs, layer.of_batch(0).shapes, strict=False)
    ]
    returned = layer.row.forward(*empty, **dict(layer.attributes))
    output = returned[0] if isinstance(returned, tuple) else returned
    return (layer.input[0], *output.shape[1:]) if output.ndim else ()


def _kernels(operator: str, weight: Shape, rank: int) -> str:
    if operator == "linear":
        return f"to {weight[0]}"
    return f"{weight[operator == 'conv_transpose']} of {_by(weight[-rank:])}"


def _by(lengths: Iterable[int]) -> str:
    return "x".join(map(str, lengths))


def _spelled(name: str, value: Any) -> str:
    return name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value}"


def _variances(_layer: Layer, shape: Shape, dtype: str, rng: Generator) -> Array:
    return np.asarray(0.5 + abs(rng.standard_normal(shape)), dtype)


def _kept(_layer: Layer, shape: Shape, dtype: str, rng: Generator) -> Array:
    return np.asarray(rng.integers(0, 2, shape), dtype)


def _neighbours(_layer: Layer, shape: Shape, dtype: str, rng: Generator) -> Array:
    return np.asarray(rng.random(shape) / shape[-1], dtype)


def _classes(layer: Layer, shape: Shape, dtype: str, rng: Generator) -> Array:
    if "target" not in layer.integers:
        return content("normal", shape, dtype, rng)
    return np.asarray(rng.integers(0, layer.input[1], shape))


def _places(_layer: Layer, shape: Shape, dtype: str, rng: Generator) -> Array:
    """Return where maxima were found in windows of 2."""
    pooled = content("normal", (*shape[:2], *(2 * length for length in shape[2:])), dtype, rng)
    _, indices = max_pool(pooled, kernel_size=2, return_indices=True)  # output and indices
    return indices


_CHOSEN: Mapping[str, Callable[[Layer, Shape, str, Generator], Array]] = {
    "running_var": _variances,
    "mask": _kept,
    "adjacency": _neighbours,
    "target": _classes,
    "indices": _places,
}
"""What can't hold just any number."""
