"""A convolution in JAX, its backward by ``jax.vjp``: what JAX computes, and what it differentiates."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

import oracle
from refconv.geometry import output_size, read_window

name = "jax_function"
version = jax.__version__
_LAYOUTS = {1: ("NCH", "OIH", "NCH"), 2: ("NCHW", "OIHW", "NCHW"), 3: ("NCDHW", "OIDHW", "NCDHW")}


@partial(jax.jit, static_argnames=("stride", "padding", "dilation", "groups"))
def _conv(input: Any, weight: Any, bias: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    output = jax.lax.conv_general_dilated(
        input,
        weight,
        window_strides=stride,
        padding=padding,
        rhs_dilation=dilation,
        dimension_numbers=_LAYOUTS[input.ndim - 2],
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )
    return output if bias is None else output + bias.reshape(-1, *[1] * (input.ndim - 2))


def _bound(
    input: Any, weight: Any, bias: Any, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
    padding_mode: str = "zeros",
) -> Callable[..., Any]:  # fmt: skip
    """Return the convolution with its attributes read, as a function of the arrays."""
    if padding_mode != "zeros":
        raise oracle.Unsupported("padded with zeros")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {weight.shape[:1]}, got {bias.shape}")
    window = read_window(weight.shape[2:], stride=stride, padding=padding, dilation=dilation, words=True)
    output_size(input.shape[2:], window)
    return partial(_conv, stride=window.stride, padding=window.padding, dilation=window.dilation, groups=groups)


def conv(input: Any, weight: Any, bias: Any = None, **attributes: Any) -> Any:
    """Convolve, on the CPU."""
    return np.asarray(_bound(input, weight, bias, **attributes)(input, weight, bias))


def conv_backward(grad_output: Any, input: Any, weight: Any, bias: Any = None, **attributes: Any) -> Any:
    """Have JAX differentiate it."""
    function = _bound(input, weight, bias, **attributes)
    given = [array for array in (input, weight, bias) if array is not None]
    _, pulled_back = jax.vjp(lambda *arrays: function(*arrays, *[None] * (3 - len(arrays))), *given)
    gradients = list(map(np.asarray, pulled_back(grad_output)))
    return tuple(gradients + [None] * (3 - len(gradients)))
