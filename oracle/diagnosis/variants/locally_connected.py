"""Wrong locally connected layers, and wrong gradients of them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.kernels import Change, Positions, Size, with_zeros
from refconv import ConvGradients
from refconv.arguments import Array
from refconv.geometry import Window, read_window
from refconv.rounding import einsum

wrong = Catalogue()


def _read(weight: Array, attributes: dict[str, Any]) -> tuple[Window, Size]:
    """Return the window, and how many of them there are."""
    rank = (weight.ndim - 2) // 2
    given = {"stride": 1, "padding": 0, "dilation": 1, **attributes}
    return read_window(weight.shape[2 + rank :], **given), weight.shape[1 : 1 + rank]


def _taps(size: Size, window: Window, count: Size) -> Positions:
    """Return along each axis what each window sees at each tap, flattened."""
    seen = kernels.fitted(kernels.positions(size, window), window, count)
    axes = zip(seen, count, window.kernel, window.stride, window.dilation, strict=True)
    return [
        axis[np.add.outer(np.arange(n) * step, np.arange(taps) * dilation).ravel()]
        for axis, n, taps, step, dilation in axes
    ]


def _patches(signal: Array, window: Window, count: Size) -> Array:
    """Return what each window sees, ``(batch, channels, windows, taps)``."""
    rank = len(count)
    pairs = [length for both in zip(count, window.kernel, strict=True) for length in both]
    looked_at = kernels.gathered(signal, _taps(signal.shape[2:], window, count)).reshape(*signal.shape[:2], *pairs)
    apart = looked_at.transpose(0, 1, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2))
    return apart.reshape(*signal.shape[:2], math.prod(count), math.prod(window.kernel))


def _misread(change: Change) -> Callable[..., Array]:
    """Return a locally connected layer whose window is misread; the weight says how many there are."""

    def locally_connected(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        window, count = _read(weight, attributes)
        patches = _patches(input, change(window), count)
        matrix = weight.reshape(len(weight), patches.shape[2], *patches.shape[1:4:2])
        output = einsum("ncsk,osck->nos", patches, matrix).reshape(len(input), len(weight), *count)
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(output if bias is None else output + bias)

    return locally_connected


def _misread_backward(change: Change) -> Callable[..., ConvGradients]:
    """Return the gradients of :func:`_misread`."""

    def locally_connected_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        window, count = _read(weight, attributes)
        window, rank = change(window), len(count)
        patches = _patches(input, window, count)
        grad = grad_output.reshape(*grad_output.shape[:2], patches.shape[2])
        matrix = weight.reshape(len(weight), patches.shape[2], *patches.shape[1:4:2])
        shares = einsum("nos,osck->ncsk", grad, matrix).reshape(*input.shape[:2], *count, *window.kernel)
        paired = shares.transpose(0, 1, *(axis for pair in range(rank) for axis in (2 + pair, 2 + pair + rank)))
        flat = paired.reshape(*input.shape[:2], *(n * taps for n, taps in zip(count, window.kernel, strict=True)))
        return ConvGradients(
            input=kernels.scattered(flat, _taps(input.shape[2:], window, count), input.shape[2:]),
            weight=np.ascontiguousarray(einsum("nos,ncsk->osck", grad, patches)).reshape(weight.shape),
            bias=refconv.locally_connected_backward(grad_output, input, weight, bias, **attributes).bias,
        )

    return locally_connected_backward


_MISREAD = [
    *kernels.MIXED_UP,
    ("padding before and after swapped", "A pair is read as (after, before).", kernels.sides_swapped),
    ("padding ignored", "The windows begin at the input's first position.", kernels.ignored("padding")),
    ("dilation ignored", "The dilation isn't handed on.", kernels.ignored("dilation")),
    ("no step larger than the kernel", "Windows move by the kernel's size at most.", kernels.step_within_kernel),
]
for mistake, reason, misreading in _MISREAD:
    wrong("locally_connected", mistake, reason)(_misread(misreading))
    wrong("locally_connected_backward", mistake, reason)(_misread_backward(misreading))


def _first_window(array: Array, rank: int) -> Array:
    """Return `array`, ``(out, *windows, ...)``, with the first window's entry for all."""
    return np.broadcast_to(array[(slice(None), *[slice(1)] * rank)], array.shape).copy()


def _rank(weight: Array) -> int:
    return (weight.ndim - 2) // 2


def _rotated(weight: Array) -> Array:
    return np.ascontiguousarray(np.flip(weight, tuple(range(2 + _rank(weight), weight.ndim))))


def _column_by_column(weight: Array) -> Array:
    """Return kernels whose windows are read in column-major order."""
    rank = _rank(weight)
    return kernels.relabelled(weight, 0, *range(rank, 0, -1), *range(rank + 1, weight.ndim))


def _channels_last(weight: Array) -> Array:
    """Return kernels whose memory, of (in, taps) for each window, is read as (taps, in)."""
    first = 1 + _rank(weight)
    return kernels.relabelled(weight, *range(first), *range(first + 1, weight.ndim), first)


def _of(change: Callable[[Array], Array]) -> Callable[..., Array]:
    """Return a locally connected layer of another weight."""

    def locally_connected(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
        return refconv.locally_connected(input, change(weight), bias, **attributes)

    return locally_connected


def _back_of(change: Callable[[Array], Array]) -> Callable[..., ConvGradients]:
    """Return gradients of which the input's is that of another weight."""

    def locally_connected_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        grads = refconv.locally_connected_backward(grad_output, input, weight, bias, **attributes)
        other = refconv.locally_connected_backward(grad_output, input, change(weight), **attributes)
        return grads._replace(input=other.input)

    return locally_connected_backward


_KERNELS: list[tuple[str, str, Callable[[Array], Array]]] = [
    ("first window's kernel for all", "The weight is shared.", lambda weight: _first_window(weight, _rank(weight))),
    ("kernel flipped", "It is a convolution as mathematics means it.", _rotated),
    ("windows' kernels stored column by column", "The window's flat index counts its axes wrong.", _column_by_column),
    ("kernel's memory taken for channels-last", "The weight has the layout of another library.", _channels_last),
]
for mistake, reason, other_kernel in _KERNELS:
    wrong("locally_connected", mistake, reason)(_of(other_kernel))
    in_gradient = f"{mistake} in the gradient of the input"
    wrong("locally_connected_backward", in_gradient, reason)(_back_of(other_kernel))


@wrong("locally_connected", "bias missing", "The bias isn't added.")
def _bias_missing(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:  # noqa: ARG001  # the mistake
    return refconv.locally_connected(input, weight, None, **attributes)


@wrong("locally_connected", "first window's bias for all", "The bias is taken for one value for each output channel.")
def _bias_shared(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    shared = None if bias is None else _first_window(bias, bias.ndim - 1)
    return refconv.locally_connected(input, weight, shared, **attributes)


def _but(change: Callable[[ConvGradients, Array], dict[str, Any]]) -> Callable[..., ConvGradients]:
    """Return gradients that are right but for those that `change` makes of them and grad_output."""

    def locally_connected_backward(
        grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
    ) -> ConvGradients:
        grads = refconv.locally_connected_backward(grad_output, input, weight, bias, **attributes)
        changed = change(grads, grad_output)
        return grads._replace(**changed)

    return locally_connected_backward


def _summed_over_windows(array: Array, rank: int) -> Array:
    with np.errstate(all="ignore"):
        total = array.sum(axis=tuple(range(1, 1 + rank)), keepdims=True)
    return np.broadcast_to(total, array.shape).copy()


wrong("locally_connected_backward", "gradient of the weight summed over the windows", "The weight is shared.")(
    _but(lambda grads, _: {"weight": _summed_over_windows(grads.weight, _rank(grads.weight))})
)
wrong("locally_connected_backward", "gradient of the bias summed over the windows", "The bias is shared.")(
    _but(
        lambda grads, _: {"bias": None if grads.bias is None else _summed_over_windows(grads.bias, grads.bias.ndim - 1)}
    )
)
wrong("locally_connected_backward", "gradient of the weight averaged over the batch", "A mean is taken, not a sum.")(
    _but(lambda grads, grad_output: {"weight": kernels.shared(grads.weight, len(grad_output))})
)
wrong("locally_connected_backward", "gradient of the bias averaged over the batch", "A mean is taken, not a sum.")(
    _but(lambda grads, grad_output: {"bias": kernels.shared(grads.bias, len(grad_output))})
)
wrong("locally_connected_backward", "gradient of the weight rotated", "It is that of the flipped kernel.")(
    _but(lambda grads, _: {"weight": _rotated(grads.weight)})
)


@wrong(
    "locally_connected_backward",
    "only the last batch element in the gradients of weight and bias",
    "They are assigned for each element of the batch, not added to.",
)
def _last_of_batch(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    grads = refconv.locally_connected_backward(grad_output, input, weight, bias, **attributes)
    last = with_zeros(grad_output, np.s_[:-1])
    return refconv.locally_connected_backward(last, input, weight, bias, **attributes)._replace(input=grads.input)


@wrong("locally_connected_backward", "grad_output taken for ones", "The gradient of the output's sum is computed.")
def _ones(
    grad_output: Array, input: Array, weight: Array, bias: Array | None = None, **attributes: Any
) -> ConvGradients:
    ones = np.ones(grad_output.shape, grad_output.dtype)
    return refconv.locally_connected_backward(ones, input, weight, bias, **attributes)
