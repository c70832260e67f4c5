"""A layer norm in Triton: a program for each row of values that share a mean, forward and backward."""

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

import oracle

name = "triton_kernel"
version = triton.__version__
_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"  # a CPU runs the kernels where TRITON_INTERPRET=1


@triton.jit
def _forward(x, y, length, eps, block: tl.constexpr):
    row, columns = tl.program_id(0), tl.arange(0, block)
    inside = columns < length
    values = tl.load(x + row * length + columns, inside, other=0.0)
    mean = tl.sum(values, 0) / length
    centred = tl.where(inside, values - mean, 0.0)
    deviation = tl.sqrt(tl.sum(centred * centred, 0) / length + eps)
    tl.store(y + row * length + columns, centred / deviation, inside)


@triton.jit
def _backward(g, x, gx, length, eps, block: tl.constexpr):
    row, columns = tl.program_id(0), tl.arange(0, block)
    inside = columns < length
    values = tl.load(x + row * length + columns, inside, other=0.0)
    grads = tl.load(g + row * length + columns, inside, other=0.0)
    mean = tl.sum(values, 0) / length
    centred = tl.where(inside, values - mean, 0.0)
    deviation = tl.sqrt(tl.sum(centred * centred, 0) / length + eps)
    normed = centred / deviation
    along = tl.sum(grads * normed, 0) / length
    result = (grads - tl.sum(grads, 0) / length - normed * along) / deviation
    tl.store(gx + row * length + columns, result, inside)


def _read(input: Any, normalized_shape: Any, eps: float, **parameters: Any) -> tuple[int, ...]:
    """Return the axes that share a mean, by their sizes; refuse what makes no sense."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or input.shape[input.ndim - len(shape) :] != shape:
        raise ValueError(f"normalized_shape must be the last axes of input {input.shape}, got {normalized_shape}")
    if not (np.isfinite(eps) and eps >= 0):
        raise ValueError(f"eps must be finite and at least 0, got {eps}")
    for name, array in parameters.items():
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    if input.dtype != np.float32 or not input.size:
        raise oracle.Unsupported("float32, not empty")
    return shape


def _rows(array: Any, shape: tuple[int, ...]) -> Any:
    """Return the values that share a mean as rows, on the device."""
    return torch.tensor(np.ascontiguousarray(array).reshape(-1, int(np.prod(shape))), device=_DEVICE)


def _run(kernel: Any, arrays: list[Any], eps: float) -> Any:
    rows, length = arrays[0].shape
    result = torch.empty_like(arrays[0])
    kernel[(rows,)](*arrays, result, length, eps, block=triton.next_power_of_2(length))
    return result.cpu().numpy()


def layer_norm(input: Any, weight: Any = None, bias: Any = None, *, normalized_shape: Any, eps: float = 1e-5) -> Any:
    """Normalise each row; weight and bias come last."""
    shape = _read(input, normalized_shape, eps, weight=weight, bias=bias)
    output = _run(_forward, [_rows(input, shape)], eps).reshape(input.shape)
    output = output if weight is None else output * weight
    return output if bias is None else output + bias


def layer_norm_backward(
    grad_output: Any, input: Any, weight: Any = None, bias: Any = None, *, normalized_shape: Any, eps: float = 1e-5
) -> Any:
    """Return the gradients; those of weight and bias are sums over the rows."""
    shape = _read(input, normalized_shape, eps, weight=weight, bias=bias)
    if grad_output.shape != input.shape or grad_output.dtype != input.dtype:
        raise ValueError(f"grad_output must be of the input's shape and dtype, got {grad_output.shape}")
    rows = _rows(input, shape)
    scaled = grad_output if weight is None else grad_output * weight
    grad_input = _run(_backward, [_rows(scaled, shape), rows], eps).reshape(input.shape)
    others = tuple(range(input.ndim - len(shape)))
    normed = _run(_forward, [rows], eps).reshape(input.shape)
    grad_weight = None if weight is None else (grad_output * normed).sum(others, dtype=input.dtype)
    grad_bias = None if bias is None else grad_output.sum(others, dtype=input.dtype)
    return grad_input, grad_weight, grad_bias
