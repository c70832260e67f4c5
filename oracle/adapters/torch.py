"""PyTorch, seen as an implementation: its functionals forward, its autograd backward."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

import ml_dtypes
import numpy as np
import torch

from oracle.adapters.torch_functions import DEVIATIONS, FUNCTIONS
from oracle.running import Unsupported
from refconv import operators
from refconv.arguments import Array


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

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the function called `name`, an operator's, or an operator's and ``_backward``."""
        operator = name.removesuffix("_backward")
        if operator not in FUNCTIONS:
            raise AttributeError(f"{self.name} has no {name}")
        return partial(self._forward if name == operator else self._backward, operator)

    def _forward(self, operator: str, *arrays: Array | None, **attributes: Any) -> Any:
        tensors = self._tensors(operator, arrays)
        with torch.no_grad(), self._precision(), _declining():
            results = _called(operator, tensors, attributes)
        return tuple(map(_array, results)) if isinstance(results, tuple) else _array(results)

    def _backward(self, operator: str, grad_output: Array, *arrays: Array | None, **attributes: Any) -> Any:
        row = operators[operator]
        tensors = self._tensors(operator, arrays)
        leaves = {name: tensors[name].requires_grad_() for name in row.differentiable if tensors[name] is not None}
        with self._precision(), _declining():
            results = _called(operator, tensors, attributes)
            output = results[0] if isinstance(results, tuple) else results
            if output.shape != grad_output.shape:
                raise ValueError(f"grad_output must have shape {tuple(output.shape)}, got {grad_output.shape}")
            pulled: Any = _Pulled.apply(output, self._tensor(grad_output))  # type: ignore[no-untyped-call]  # PyTorch has none
            gradients = dict(zip(leaves, torch.autograd.grad(pulled, list(leaves.values())), strict=True))
        return row.gradients(*(_array(gradients.get(name)) for name in row.differentiable))

    def _tensors(self, operator: str, arrays: Sequence[Array | None]) -> dict[str, Any]:
        return {name: self._tensor(array) for name, array in zip_longest(operators[operator].inputs, arrays)}

    def _tensor(self, array: Array | None) -> Any:
        if array is None:
            return None
        if min(array.strides, default=0) < 0:  # PyTorch has no negative strides
            array = array.copy()
        if array.dtype == ml_dtypes.bfloat16:  # which torch.from_numpy doesn't know
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(self.device)
        return torch.from_numpy(array).to(self.device)

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        if self.device == "cpu":
            yield
            return
        matmul = torch.backends.cuda.matmul
        before = matmul.allow_tf32
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=self.tf32):
            matmul.allow_tf32 = self.tf32
            try:
                yield
            finally:
                matmul.allow_tf32 = before


@contextlib.contextmanager
def _declining() -> Iterator[None]:
    """Decline what PyTorch has no kernel for."""
    try:
        yield
    except RuntimeError as error:
        if "not implemented for" in str(error):
            raise Unsupported(str(error)) from error
        raise


def _called(operator: str, tensors: dict[str, Any], attributes: dict[str, Any]) -> Any:
    return FUNCTIONS[operator](*tensors.values(), **{**operators[operator].attributes, **attributes})


def _array(tensor: Any) -> Array | None:
    if tensor is None:
        return None
    plain = tensor.detach().cpu()
    if plain.dtype == torch.bfloat16:
        return np.asarray(plain.view(torch.int16).numpy().view(ml_dtypes.bfloat16))
    return np.asarray(plain.numpy())
