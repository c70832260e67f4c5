"""Convolutions by FFT and by Winograd's algorithm, with fewer multiplications than the definition has."""

from math import prod
from typing import Any

import numpy as np

from bench.honest.signals import Algorithm, Plan
from oracle import Unsupported
from refconv.arguments import Array

_INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])  # F(2x2, 3x3) of Lavin and Gray
_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])


def total(grad: Array) -> Array:
    """Return the sums over all but the channels."""
    return np.asarray(grad.sum((0, *range(2, grad.ndim))))


def _spectrum(array: Array, size: tuple[int, ...]) -> Array:
    import scipy.fft

    return np.asarray(scipy.fft.rfftn(array, size, tuple(range(array.ndim - len(size), array.ndim))))


def _signal(spectrum: Array, size: tuple[int, ...]) -> Array:
    import scipy.fft

    return np.asarray(scipy.fft.irfftn(spectrum, size, tuple(range(spectrum.ndim - len(size), spectrum.ndim))))


def _spread(array: Array, steps: tuple[int, ...]) -> Array:
    """Put zeros between the elements along the last axes."""
    lead = array.shape[: array.ndim - len(steps)]
    size = [(length - 1) * step + 1 for length, step in zip(array.shape[len(lead) :], steps, strict=True)]
    spread = np.zeros((*lead, *size), array.dtype)
    places: Any = [slice(None, None, step) for step in steps]
    spread[(..., *places)] = array
    return spread


def _grouped(array: Array, axis: int, groups: int) -> Array:
    """Split the channels on `axis` by groups."""
    return array.reshape(*array.shape[:axis], groups, array.shape[axis] // groups, *array.shape[axis + 1 :])


def _shape(plan: Plan) -> tuple[int, int]:
    """Return the batch and the output channels."""
    return len(plan.signal), len(plan.weight)


def _kernel_spectrum(plan: Plan, size: tuple[int, ...]) -> Array:
    return _spectrum(_spread(_grouped(plan.weight, 0, plan.groups), plan.window.dilation), size)


def _fft_output(plan: Plan) -> Array:
    size = plan.signal.shape[2:]
    signal = _spectrum(_grouped(plan.signal, 1, plan.groups), size)
    product = np.einsum("ngc...,goc...->ngo...", signal, _kernel_spectrum(plan, size).conj())
    whole = _signal(product, size).reshape(*_shape(plan), *size)
    taken: Any = [slice(0, count * step, step) for count, step in zip(plan.size, plan.window.stride, strict=True)]
    return whole[(..., *taken)]


def _grad_spectrum(grad: Array, plan: Plan) -> Array:
    return _spectrum(_spread(_grouped(grad, 1, plan.groups), plan.window.stride), plan.signal.shape[2:])


def _fft_grad_signal(grad: Array, plan: Plan) -> Array:
    size = plan.signal.shape[2:]
    product = np.einsum("ngo...,goc...->ngc...", _grad_spectrum(grad, plan), _kernel_spectrum(plan, size))
    return _signal(product, size).reshape(plan.signal.shape)


def _fft_grad_weight(grad: Array, plan: Plan) -> Array:
    size = plan.signal.shape[2:]
    signal = _spectrum(_grouped(plan.signal, 1, plan.groups), size)
    product = np.einsum("ngo...,ngc...->goc...", _grad_spectrum(grad, plan).conj(), signal)
    whole = _signal(product, size)
    taken: Any = [slice(0, extent, step) for extent, step in zip(plan.window.extent, plan.window.dilation, strict=True)]
    return whole[(..., *taken)].reshape(plan.weight.shape)


def _refuse(plan: Plan) -> None:
    window = plan.window
    if window.kernel != (3, 3) or {*window.stride, *window.dilation} != {1}:
        raise Unsupported("Winograd's algorithm is for kernels of 3x3, without stride or dilation")


def _squares(plan: Plan) -> Array:
    """Return the transformed tiles, 4x4 each and 2 apart, (batch, groups, channels, rows, columns, 4, 4)."""
    _refuse(plan)
    rows, columns = plan.size
    padded = np.pad(plan.signal, ((0, 0), (0, 0), (0, rows % 2), (0, columns % 2)))
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (2, 3))[:, :, ::2, ::2]
    return _sandwiched(_INPUT, _grouped(tiles, 1, plan.groups))


def _sandwiched(matrix: Array, tiles: Array) -> Array:
    matrix = matrix.astype(tiles.dtype)
    return np.asarray(matrix @ tiles @ matrix.T)


def _winograd_output(plan: Plan) -> Array:
    squares = _squares(plan)
    kernels = _sandwiched(_KERNEL, _grouped(plan.weight, 0, plan.groups))
    products: Any = np.einsum("ngcyxij,gocij->ngoyxij", squares, kernels)
    tiles = _sandwiched(_OUTPUT, products)
    rows, columns = plan.size
    whole = np.moveaxis(tiles, 5, 4).reshape(*_shape(plan), rows + rows % 2, columns + columns % 2)
    return whole[..., :rows, :columns]


def _winograd_grad_signal(grad: Array, plan: Plan) -> Array:
    _refuse(plan)
    grouped = _grouped(plan.weight, 0, plan.groups)
    turned = np.flip(grouped, (3, 4)).swapaxes(1, 2)
    weight = turned.reshape(prod(turned.shape[:2]), *turned.shape[2:])
    signal = np.pad(grad, ((0, 0), (0, 0), (2, 2), (2, 2)))
    return _winograd_output(plan._replace(signal=signal, weight=weight))


def _winograd_grad_weight(grad: Array, plan: Plan) -> Array:
    """Transpose the forward: its steps, which are linear in the kernel, backwards."""
    squares = _squares(plan)
    rows, columns = plan.size
    padded = np.pad(grad, ((0, 0), (0, 0), (0, rows % 2), (0, columns % 2)))
    tiles = padded.reshape(*grad.shape[:2], -(-rows // 2), 2, -(-columns // 2), 2).swapaxes(3, 4)
    spread = _sandwiched(_OUTPUT.T, _grouped(tiles, 1, plan.groups))
    products: Any = np.einsum("ngcyxij,ngoyxij->gocij", squares, spread)
    return _sandwiched(_KERNEL.T, products).reshape(plan.weight.shape)


FFT = Algorithm(_fft_output, _fft_grad_signal, _fft_grad_weight, total)
WINOGRAD = Algorithm(_winograd_output, _winograd_grad_signal, _winograd_grad_weight, total)
