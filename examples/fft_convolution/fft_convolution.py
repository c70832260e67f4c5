"""A convolution by FFT, with SciPy: a product of spectra for each pair of channels.

Its errors are no sums of products' rounding errors: each element's is as large as the largest of the image, so it is
judged by the arithmetic ``fast``, whose bounds are norms.
"""

from typing import Any

import numpy as np
from scipy import fft

import oracle
from refconv.geometry import output_size, read_window

name = "fft_convolution"


def _spread(values: Any, steps: tuple[int, ...]) -> Any:
    """Return `values` with ``step - 1`` zeros between neighbours along each spatial axis."""
    sizes = [(size - 1) * step + 1 for size, step in zip(values.shape[2:], steps, strict=True)]
    spread = np.zeros((*values.shape[:2], *sizes), values.dtype)
    spread[(..., *(slice(None, None, step) for step in steps))] = values
    return spread


def _product(one: Any, other: Any, subscripts: str, *, correlate: bool) -> Any:
    """Return the full convolution of two images, or their correlation, whose first elements are the valid ones."""
    axes = range(2, one.ndim)
    sizes = [a + b - 1 for a, b in zip(one.shape[2:], other.shape[2:], strict=True)]
    first, second = (fft.rfftn(image, sizes, axes) for image in (one, other))
    spectrum = np.einsum(subscripts, first, second.conj() if correlate else second)
    return fft.irfftn(spectrum, sizes, axes)


def _cut(values: Any, sizes: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    """Return so many elements along each spatial axis, a step apart."""
    index = (slice(0, (size - 1) * step + 1, step) for size, step in zip(sizes, steps, strict=True))
    return values[(..., *index)]


def _read(input: Any, weight: Any, bias: Any, groups: int, padding_mode: str, **window: Any) -> Any:
    if padding_mode != "zeros" or not input.size:
        raise oracle.Unsupported("images that aren't empty, padded with zeros")
    if groups < 1 or input.shape[1] != groups * weight.shape[1] or weight.shape[0] % groups:
        raise ValueError(f"groups must divide the channels of input and weight, got {groups}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {weight.shape[:1]}, got {bias.shape}")
    read = read_window(weight.shape[2:], words=True, **window)
    return read, output_size(input.shape[2:], read)


def conv(
    input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1, padding_mode: str = "zeros",
) -> Any:  # fmt: skip
    """Correlate each group's images with its kernels, and keep each stride-th element."""
    window, sizes = _read(input, weight, bias, groups, padding_mode, stride=stride, padding=padding, dilation=dilation)
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding])
    kernels = _spread(weight, window.dilation)
    pairs = zip(np.split(padded, groups, 1), np.split(kernels, groups, 0), strict=True)
    outputs = [_product(image, kernel, "nc...,oc...->no...", correlate=True) for image, kernel in pairs]
    output = _cut(np.concatenate(outputs, 1), sizes, window.stride)
    return output if bias is None else output + bias.reshape(-1, *[1] * len(sizes))


def conv_backward(
    grad_output: Any, input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros",
) -> Any:  # fmt: skip
    """Convolve the gradient with the kernels for the input's, correlate the input with it for the kernels'."""
    window, sizes = _read(input, weight, bias, groups, padding_mode, stride=stride, padding=padding, dilation=dilation)
    if grad_output.shape != (input.shape[0], weight.shape[0], *sizes) or grad_output.dtype != input.dtype:
        raise ValueError(f"grad_output must be of the output's shape and dtype, got {grad_output.shape}")
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding])
    spread, kernels = _spread(grad_output, window.stride), _spread(weight, window.dilation)
    of_inputs, of_weights = [], []
    for image, grad, kernel in zip(
        np.split(padded, groups, 1), np.split(spread, groups, 1), np.split(kernels, groups, 0), strict=True
    ):
        of_inputs.append(_product(grad, kernel, "no...,oc...->nc...", correlate=False))
        of_weights.append(_product(image, grad, "nc...,no...->oc...", correlate=True))
    grad_weight = _cut(np.concatenate(of_weights, 0), window.kernel, window.dilation)
    grad_padded = np.zeros(padded.shape, input.dtype)
    reached = np.concatenate(of_inputs, 1)
    grad_padded[tuple(map(slice, reached.shape))] = reached
    inside = (slice(side, side + size) for (side, _), size in zip(window.padding, input.shape[2:], strict=True))
    grad_bias = None if bias is None else grad_output.sum((0, *range(2, input.ndim)), dtype=input.dtype)
    return grad_padded[(..., *inside)], grad_weight, grad_bias
