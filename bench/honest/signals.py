"""What every algorithm begins and ends with: calls are read and refused, signals padded, and gradients put back.

Between them an algorithm sees a :class:`Plan`: a padded signal of shape (batch, in_channels, *spatial), and a kernel.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import refconv
from refconv.arguments import Array, shape
from refconv.geometry import Window, read_window
from refconv.layers.conv import ConvGradients
from refconv.padding import extend, fold

Round = Callable[[Array], Array]


class Plan(NamedTuple):
    """A convolution over a signal that is padded already."""

    signal: Array
    weight: Array
    window: Window  # how the kernel moves; its padding is in the signal
    groups: int

    @property
    def size(self) -> tuple[int, ...]:
        """The windows along each axis."""
        axes = zip(self.signal.shape[2:], self.window.extent, self.window.stride, strict=True)
        return tuple((length - extent) // stride + 1 for length, extent, stride in axes)


class Algorithm(NamedTuple):
    """A convolution and its two gradients; channels' sums for the bias."""

    output: Callable[[Plan], Array]
    grad_signal: Callable[[Array, Plan], Array]  # of the padded signal
    grad_weight: Callable[[Array, Plan], Array]
    total: Callable[[Array], Array]  # of a gradient, for each channel


class Implementation:
    """`conv` and `conv_backward` by one algorithm: arrays are `rounded` on their way in, and results are `stored`."""

    def __init__(self, name: str, algorithm: Algorithm, rounded: Round = np.asarray, stored: Round | None = None):
        self.name = name
        self.algorithm = algorithm
        self.rounded = rounded
        self.stored = stored or rounded

    @np.errstate(all="ignore")  # what overflows is infinite
    def conv(self, input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        """Correlate, as :func:`refconv.conv` does."""
        _checked(input, weight, bias, attributes)
        plan, _ = self._planned(input, weight, attributes)
        output = self.algorithm.output(plan)
        if bias is not None:
            output = output + self.rounded(bias).reshape(-1, *(1,) * (input.ndim - 2))
        return self._stored(output, input)

    @np.errstate(all="ignore")
    def conv_backward(
        self, grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        """Return the gradients, as :func:`refconv.conv_backward` does."""
        shape("grad_output", grad_output, (len(input), *_checked(input, weight, bias, attributes)))
        plan, window = self._planned(input, weight, attributes)
        grad = self.rounded(grad_output)
        mode = attributes.get("padding_mode", "zeros")
        grad_input = _unpadded(self.algorithm.grad_signal(grad, plan), input.shape[2:], window, mode)
        return ConvGradients(
            self._stored(grad_input, input),
            self._stored(self.algorithm.grad_weight(grad, plan), input),
            None if bias is None else self._stored(self.algorithm.total(grad), input),
        )

    def _planned(self, input: Array, weight: Array, attributes: dict[str, Any]) -> tuple[Plan, Window]:
        given = {name: attributes.get(name, 1) for name in ("stride", "dilation")}
        window = read_window(weight.shape[2:], **given, padding=attributes.get("padding", 0), words=True)
        mode = attributes.get("padding_mode", "zeros")
        signal = self.rounded(input)
        sides = ((0, 0), (0, 0), *window.padding)
        padded = np.pad(signal, sides) if mode == "zeros" else extend(signal, window, mode)
        return Plan(padded, self.rounded(weight), window, attributes.get("groups", 1)), window

    def _stored(self, result: Array, like: Array) -> Array:
        return self.stored(result).astype(like.dtype)


def _checked(input: Any, weight: Any, bias: Any, attributes: dict[str, Any]) -> tuple[int, ...]:
    """Refuse what the reference does, which sees an empty batch; return the shape of one sample's output."""
    arrays = [_doubled(array) for array in (input, weight, bias)]
    if isinstance(input, np.ndarray) and input.ndim:
        arrays[0] = arrays[0][:0]
    return refconv.conv(*arrays, **attributes).shape[1:]


def _doubled(array: Any) -> Any:
    """Return `array` in a dtype that the reference takes, if it is one of the short formats."""
    short = isinstance(array, np.ndarray) and array.dtype.name in {"float16", "bfloat16"}
    return array.astype(np.float64) if short else array


def _unpadded(grad: Array, size: tuple[int, ...], window: Window, mode: str) -> Array:
    if mode != "zeros":
        return fold(grad, size, window, mode)
    inner: Any = [slice(before, before + length) for length, (before, _) in zip(size, window.padding, strict=True)]
    return grad[(..., *inner)]
