"""Blur pooling: subsampling that blurs first, so that what the stride can't hold doesn't alias.

    output[n, c, o] = sum of weight[k] * input[n, c, reflected(o * stride - (kernel_size - 1) // 2 + k)] over k
    weight[k] = binomial(kernel_size - 1, k) / 2**(kernel_size - 1)       along each axis

`n` counts the batch, `c` the channels, `o` the windows, `k` the taps; `o` and `k` have an entry for each spatial axis,
along which the weights multiply. Positions beyond the border are reflected at the outermost elements.
"""

from typing import NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis
from refconv.padding import sources
from refconv.resampling import Taps, products_bound, resample, taps, transposed
from refconv.results import InputGradient


def blur_pool(input: Array, *, kernel_size: IntPerAxis = 3, stride: IntPerAxis = 2) -> Array:
    """Blur `input` by a binomial filter and keep each `stride`-th value, along 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = sum of weight[k] * input[n, c, reflected(o * stride - (kernel_size - 1) // 2 + k)] over k
        weight[k] = binomial(kernel_size - 1, k) / 2**(kernel_size - 1)       along each axis

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    kernel_size : int or one int for each spatial axis
        From 1, which blurs nothing, to ``2 * spatial - 1``, as far as one reflection reaches. 3 weighs by
        1/4, 2/4, 1/4.
    stride : int or one int for each spatial axis
        At least 1.

    Returns
    -------
    array, shape (batch, channels, *size)
        ``size = ceil(spatial / stride)``, in the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range.

    Notes
    -----
    The paper's reference implementation pads by reflection, ``(kernel_size - 1) // 2`` before and ``kernel_size // 2``
    after: the larger half of an even window comes after. So does timm; Kornia pads with zeros, the same on both sides.
    The paper's "max blur pooling" is a maximum over windows of stride 1, then this. PyTorch, TensorFlow and ONNX have
    no such operator: it is a convolution of each channel by itself.

    References
    ----------
    R. Zhang, Making convolutional networks shift-invariant again, ICML 2019, arXiv:1904.11486, section 3.2.
    """
    call = _read(input, kernel_size, stride)
    return resample(call.signal, call.blurs)


def blur_pool_backward(
    grad_output: Array, input: Array, *, kernel_size: IntPerAxis = 3, stride: IntPerAxis = 2
) -> InputGradient:
    """Return the gradient of ``sum(blur_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of weight[k] * grad_output[n, c, o] over the o and k whose tap is reflected to i

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, kernel_size, stride
        As for :func:`blur_pool`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`blur_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, kernel_size, stride)
    grad = arguments.array("grad_output", grad_output, like=call.signal)
    arguments.shape("grad_output", grad, (*call.signal.shape[:2], *(m.outputs for m in call.blurs)))
    return InputGradient(resample(grad, transposed(call.blurs)))


def blur_pool_bound(arithmetic: Arithmetic, output: Array, input: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`, exact on small integers: see :func:`refconv.resampling.products_bound`."""
    return products_bound(arithmetic, output, input, _read(input, **attributes).blurs)


def blur_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient, of the same kind."""
    blurs = transposed(_read(input, **attributes).blurs)
    return (products_bound(arithmetic, grads.input, grad_output, blurs),)


class _Call(NamedTuple):
    signal: Array
    blurs: tuple[Taps, ...]  # one for each spatial axis


def _read(input: object, kernel_size: object, stride: object) -> _Call:
    signal = arguments.signal("input", input)
    sizes = signal.shape[2:]
    kernel = arguments.per_axis("kernel_size", kernel_size, len(sizes), at_least=1)
    steps = arguments.per_axis("stride", stride, len(sizes), at_least=1)
    limits = tuple(2 * size - 1 for size in sizes)
    if any(taps_ > limit for taps_, limit in zip(kernel, limits, strict=True)):
        raise InvalidValueError("kernel_size", f"be at most 2 * size - 1 = {limits}", kernel)
    for taps_, size, step in zip(kernel, sizes, steps, strict=True):
        arguments.fits_memory("the taps of kernel_size", (-(-size // step), taps_), np.dtype(np.float64))
    return _Call(signal, tuple(_blur(*axis) for axis in zip(sizes, kernel, steps, strict=True)))


def _blur(size: int, kernel: int, stride: int) -> Taps:
    outputs = -(-size // stride)
    padded = sources(size, (kernel - 1) // 2, kernel // 2, "reflect")
    positions = np.arange(outputs)[:, None] * stride + np.arange(kernel)
    return taps(size, padded[positions], np.broadcast_to(_binomial(kernel), positions.shape))


def _binomial(kernel: int) -> Array:
    """Return a row of Pascal's triangle, divided by its sum."""
    row = [1]
    for k in range(1, kernel):
        row.append(row[-1] * (kernel - k) // k)
    return np.array([entry / 2 ** (kernel - 1) for entry in row])
