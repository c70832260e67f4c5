"""PyTorch, seen as an implementation: its functionals forward, its autograd backward."""

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from oracle.adapters.torch_deviations import DEVIATIONS
from refconv import ConvGradients
from refconv.arguments import Array
from refconv.geometry import Window, read_window

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


class _Pulled(torch.autograd.Function):
    """A scalar whose gradient with respect to `output` is `grad_output`, in its own memory layout.

    ``torch.autograd.grad(output, inputs, grad_output)`` does the same, but imports SymPy, which takes half a second.
    """

    @staticmethod
    def forward(ctx: Any, output: Any, grad_output: Any) -> Any:
        """Keep `grad_output` for the backward."""
        ctx.grad_output = grad_output
        return output.new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Any) -> Any:
        """Hand it over."""
        return ctx.grad_output, None


class Torch:
    """PyTorch on one device. It is handed arrays in their memory layouts; TF32 is off unless asked for."""

    def __init__(self, device: str = "cpu", *, tf32: bool = False) -> None:
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch sees no CUDA device")
        self.device = device
        self.tf32 = tf32
        self.name = "torch" if device == "cpu" else f"torch@{device}"
        self.version = torch.__version__
        self.deviations = DEVIATIONS if device == "cpu" else ()

    def conv(self, input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        """See :func:`refconv.conv`."""
        return self._forward(_conv, (input, weight, bias), attributes)

    def conv_backward(
        self, grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        """See :func:`refconv.conv_backward`."""
        return ConvGradients(*self._backward(_conv, grad_output, (input, weight, bias), attributes))

    def conv_transpose(self, input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        """See :func:`refconv.conv_transpose`."""
        return self._forward(_conv_transpose, (input, weight, bias), attributes)

    def conv_transpose_backward(
        self, grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        """See :func:`refconv.conv_transpose_backward`."""
        return ConvGradients(*self._backward(_conv_transpose, grad_output, (input, weight, bias), attributes))

    def _forward(
        self, function: Callable[..., Any], arrays: tuple[Array | None, ...], attributes: dict[str, Any]
    ) -> Array:
        with torch.no_grad(), self._precision():
            return _array(function(*map(self._tensor, arrays), **attributes))

    def _backward(
        self,
        function: Callable[..., Any],
        grad_output: Array,
        arrays: tuple[Array | None, ...],
        attributes: dict[str, Any],
    ) -> list[Any]:
        tensors = [self._tensor(array) for array in arrays]
        leaves = [tensor.requires_grad_() for tensor in tensors if tensor is not None]
        with self._precision():
            output = function(*tensors, **attributes)
            pulled: Any = _Pulled.apply(output, self._tensor(grad_output))  # type: ignore[no-untyped-call]
            gradients = iter(torch.autograd.grad(pulled, leaves))
        return [None if tensor is None else _array(next(gradients)) for tensor in tensors]

    def _tensor(self, array: Array | None) -> Any:
        if array is None:
            return None
        if min(array.strides, default=0) < 0:  # PyTorch has no negative strides
            array = array.copy()
        return torch.from_numpy(array).to(self.device)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.device == "cpu":
            return contextlib.nullcontext()
        return torch.backends.cudnn.flags(enabled=True, allow_tf32=self.tf32)


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().cpu().numpy()
    return array


def _conv(input: Any, weight: Any, bias: Any, *, padding: Any, padding_mode: str, **attributes: Any) -> Any:
    function = _CONV[input.ndim - 2]
    if isinstance(padding, str) and padding_mode == "zeros":
        with warnings.catch_warnings():  # that "same" may copy where its total is odd
            warnings.simplefilter("ignore", UserWarning)
            return function(input, weight, bias, padding=padding, **attributes)
    window = _window(weight, padding, attributes)
    before, after = zip(*window.padding, strict=True)
    if before == after and padding_mode == "zeros":
        return function(input, weight, bias, padding=before, **attributes)
    sides = [side for pair in reversed(window.padding) for side in pair]  # F.pad begins with the last axis
    padded = F.pad(input, sides, mode="constant" if padding_mode == "zeros" else padding_mode)
    return function(padded, weight, bias, **attributes)


def _conv_transpose(input: Any, weight: Any, bias: Any, *, padding: Any, **attributes: Any) -> Any:
    window = _window(weight, padding, attributes)
    alike = tuple(min(pair) for pair in window.padding)  # is PyTorch's padding; the rest is cropped
    output = _CONV_TRANSPOSE[input.ndim - 2](input, weight, bias, padding=alike, **attributes)
    crops: Any = [
        slice(before - side, length - (after - side))
        for (before, after), side, length in zip(window.padding, alike, output.shape[2:], strict=True)
    ]
    return output[(..., *crops)]


def _window(weight: Any, padding: Any, attributes: dict[str, Any]) -> Window:
    return read_window(
        tuple(weight.shape[2:]),
        stride=attributes["stride"],
        padding=padding,
        dilation=attributes["dilation"],
        words=True,
    )
