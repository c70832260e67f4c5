"""Convolutions as products of matrices, with each sum taken in an order of its own.

Windows are copied side by side (im2col). The gradient of the signal is a convolution again: of the gradient, with zeros
between its elements for a stride, and around it, with the kernel rotated by 180° and its channels swapped.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.honest.signals import Algorithm, Plan
from refconv.arguments import Array

Multiply = Callable[[Array, Array], Array]
"""The products of matrices (groups, m, terms) and (groups, terms, n)."""


def reverse(left: Array, right: Array) -> Array:
    """Sum from the last term to the first, each sum rounded to the dtype."""
    total = np.zeros((*left.shape[:2], right.shape[2]), left.dtype)
    for term in reversed(range(left.shape[2])):
        total = total + left[:, :, term, None] * right[:, None, term]
    return total


def pairwise(left: Array, right: Array) -> Array:
    """Sum neighbours, then neighbouring sums, and so on."""
    terms = [left[:, :, term, None] * right[:, None, term] for term in range(left.shape[2])]
    while len(terms) > 1:
        odd = terms[len(terms) // 2 * 2 :]
        terms = [one + other for one, other in zip(terms[::2], terms[1::2], strict=False)] + odd
    return terms[0] if terms else np.zeros((*left.shape[:2], right.shape[2]), left.dtype)


def blas(left: Array, right: Array) -> Array:
    """Leave the order to BLAS."""
    product: Array = left @ right
    return product


def lowered(multiply: Multiply) -> Algorithm:
    """Return the convolution that sums as `multiply` does."""

    def output(plan: Plan) -> Array:
        grouped = plan.weight.reshape(plan.groups, -1, prod(plan.weight.shape[1:]))
        rows = multiply(grouped, _columns(plan))
        batch, out_channels = len(plan.signal), len(plan.weight)
        return np.moveaxis(rows.reshape(out_channels, batch, *plan.size), 1, 0)

    def grad_signal(grad: Array, plan: Plan) -> Array:
        whole = output(_turned(grad, plan))
        behind = [length - reached for length, reached in zip(plan.signal.shape[2:], whole.shape[2:], strict=True)]
        return np.pad(whole, ((0, 0), (0, 0), *((0, rest) for rest in behind)))

    def grad_weight(grad: Array, plan: Plan) -> Array:
        columns = np.swapaxes(_columns(plan), 1, 2)
        rows = _rows(grad).reshape(plan.groups, grad.shape[1] // plan.groups, columns.shape[1])
        return multiply(rows, columns).reshape(plan.weight.shape)

    def total(grad: Array) -> Array:
        rows = _rows(grad)
        return multiply(rows[None], np.ones((1, rows.shape[1], 1), grad.dtype)).ravel()

    return Algorithm(output, grad_signal, grad_weight, total)


def _columns(plan: Plan) -> Array:
    """Return what each window sees, (groups, channels and taps, batch and windows)."""
    rank = plan.signal.ndim - 2
    windows = sliding_window_view(plan.signal, plan.window.extent, tuple(range(2, 2 + rank)))
    steps = [slice(None, None, step) for step in (*plan.window.stride, *plan.window.dilation)]
    taken = windows[(slice(None), slice(None), *steps)]
    order = (1, *range(2 + rank, 2 + 2 * rank), 0, *range(2, 2 + rank))
    places = len(plan.signal) * prod(plan.size)
    terms = plan.signal.shape[1] // plan.groups * prod(plan.window.kernel)
    return taken.transpose(order).reshape(plan.groups, terms, places)


def _rows(grad: Array) -> Array:
    """Return a gradient as (channels, batch and windows)."""
    return np.moveaxis(grad, 1, 0).reshape(grad.shape[1], len(grad) * prod(grad.shape[2:]))


def _turned(grad: Array, plan: Plan) -> Plan:
    """Return the convolution that gives the gradient of the signal."""
    rank = grad.ndim - 2
    spread = [
        (length - 1) * stride + 2 * extent - 1
        for length, stride, extent in zip(grad.shape[2:], plan.window.stride, plan.window.extent, strict=True)
    ]
    signal = np.zeros((*grad.shape[:2], *spread), grad.dtype)
    places: Any = [
        slice(extent - 1, extent - 1 + (length - 1) * stride + 1, stride)
        for length, stride, extent in zip(grad.shape[2:], plan.window.stride, plan.window.extent, strict=True)
    ]
    signal[(..., *places)] = grad
    out_channels, per_group, *kernel = plan.weight.shape
    weight = np.flip(plan.weight, tuple(range(2, 2 + rank)))
    swapped = weight.reshape(plan.groups, out_channels // plan.groups, per_group, *kernel).swapaxes(1, 2)
    weight = swapped.reshape(plan.groups * per_group, out_channels // plan.groups, *kernel)
    return Plan(signal, weight, plan.window._replace(stride=(1,) * rank), plan.groups)
