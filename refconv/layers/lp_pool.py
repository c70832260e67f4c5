"""Lp pooling: the Lp norm of each window.

    output[n, c, o] = (sum of |input[n, c, i]| ** p over the positions i of the window o) ** (1 / p)

and the largest |input[n, c, i]| where p is infinite. `n` counts the batch, `c` the channels.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis, output_size, read_pool_window
from refconv.kernels import helper, kernel
from refconv.maxima import (
    Taps,
    choices,
    flat_planes,
    grad_chosen,
    lift_taps,
    maxima,
    planes_of,
    reads_of,
    window_taps,
)
from refconv.results import InputGradient
from refconv.rounding import Rounded, exactly
from refconv.threads import spread


@np.errstate(all="ignore")  # what over- or underflows is computed again
def lp_pool(
    input: Array,
    *,
    norm_type: float,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Return the Lp norm of each window of `input`, over 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = (sum of |input[n, c, i]| ** norm_type over the window of o) ** (1 / norm_type)

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty. The magnitude of a complex number
        is it, or its negative, whichever has a positive real part.
    norm_type : float
        At least 1, and it may be infinite: then the norm is the largest magnitude.
    kernel_size : int or one int for each spatial axis
        At least 1.
    stride : int or one int for each spatial axis, optional
        At least 1; by default `kernel_size`.
    ceil_mode : bool
        Whether a last window may reach beyond the input; what is there is summed.

    Returns
    -------
    array, shape (batch, channels, *size)
        ``size = floor((spatial - kernel_size) / stride) + 1``, or that with ceil, in the dtype of `input`. Where
        their powers would over- or underflow, magnitudes are divided by the largest of the window first.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An argument of a type or dtype that isn't named above, or out of its range; windows that don't fit.

    Notes
    -----
    ONNX takes the magnitudes, too. PyTorch raises the values as they are, so that odd norms of negative values are sums
    of mixed sign, and others NaN; it gives NaN for an infinite norm. On positive values, and for even norms, it is the
    same. PyTorch scales what a window of `ceil_mode` finds inside the input up to the whole window's size.

    References
    ----------
    ``torch.nn.functional.lp_pool1d`` to ``lp_pool3d``; ONNX LpPool.
    P. Sermanet, S. Chintala, Y. LeCun, Convolutional neural networks applied to house numbers digit classification,
    ICPR 2012.
    """
    call = _read(input, norm_type, kernel_size, stride, ceil_mode)
    if call.p == math.inf:
        return maxima(_magnitudes(call.signal), call.taps)
    output = np.empty(call.shape, call.signal.dtype)
    planes = [planes_of(array) for array in (output, call.signal)]
    spread(_fill_output, len(planes[0]), _STEPS * call.reads, *planes, call.exponent, *lift_taps(call.taps))
    return output


@np.errstate(all="ignore")
def lp_pool_backward(
    grad_output: Array,
    input: Array,
    *,
    norm_type: float,
    kernel_size: IntPerAxis,
    stride: IntPerAxis | None = None,
    ceil_mode: bool = False,
) -> InputGradient:
    """Return the gradient of ``sum(lp_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of grad_output[n, c, o] * sign(input[n, c, i])
                                     * (|input[n, c, i]| / output[n, c, o]) ** (norm_type - 1)
                              over the windows o that hold i

    An infinite norm's goes to the first of the largest magnitudes. Where all of a window is 0, it has no gradient.

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, norm_type, kernel_size, stride, ceil_mode
        As for :func:`lp_pool`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`lp_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, norm_type, kernel_size, stride, ceil_mode)
    grad = arguments.matching("grad_output", grad_output, call.signal, call.shape)
    output = lp_pool(call.signal, norm_type=call.p, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)
    if call.p == math.inf:
        chosen = choices(_magnitudes(call.signal), call.taps)
        grads = grad_chosen(grad, chosen, call.taps)
        return InputGradient(grads * np.sign(call.signal.real))
    grads = np.empty_like(call.signal)
    arrays = [planes_of(array) for array in (grads, grad, call.signal, output)]
    spread(_fill_grad_input, len(arrays[0]), _STEPS * call.reads, *arrays, call.exponent, *lift_taps(call.taps))
    return InputGradient(grads)


def lp_pool_bound(arithmetic: Arithmetic, output: Array, input: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of powers, their sum, a factor that may be divided out and put back, and the root."""
    call = _read(input, **attributes)
    if call.p == math.inf:
        return bounds.exact(output)
    total, _ = _powers(call, arithmetic)
    return Bound(*map(_finite, (total ** (1 / call.p)).moved(lambda array: array.reshape(output.shape)).bound()))


def lp_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradient, a sum of ``grad_output * total ** (1/p - 1) * |input| ** (p - 1)``.

    `total` is that of the powers, the output's p-th. An infinite norm's is a plain sum.
    """
    call = _read(input, **attributes)
    if call.p == math.inf:

        def function(grad: Array) -> InputGradient:
            return lp_pool_backward(grad, abs(input), **attributes)  # type: ignore[arg-type]  # but for the signs

        return bounds.multilinear(function, arithmetic, grads, (grad_output,), {}, factors=1)
    total, taken = _powers(call, arithmetic)
    values, places, there = taken
    scale = exactly(flat_planes(grad_output), arithmetic) * total ** (1 / call.p - 1) / call.p * call.p
    terms = scale.moved(lambda array: array[..., None]) * exactly(values, arithmetic) ** (call.p - 1)
    counts, errors, magnitudes = (np.zeros(flat_planes(input).shape) for _ in range(3))
    everywhere = np.broadcast_to(places, terms.shape)
    rows = np.arange(len(counts))[:, None, None]
    lost = (total.value == 0) & (values != 0).any(-1)  # their powers are too small for any number
    off = np.where(lost[..., None], np.inf, _finite(terms.error))
    for collected, shares in ((counts, 1.0), (errors, off), (magnitudes, _finite(abs(terms.value)))):
        np.add.at(collected, (rows, everywhere), np.where(there, shares, 0))
    bound = errors + terms.unit * np.maximum(counts - 1, 0) * magnitudes
    return (Bound(*[bound.reshape(input.shape)] * 2),)


class _Call(NamedTuple):
    signal: Array
    p: float
    taps: list[Taps]
    shape: tuple[int, ...]

    @property
    def exponent(self) -> Any:
        """The norm's, in the precision of the signal."""
        return self.signal.real.dtype.type(self.p)

    @property
    def reads(self) -> int:
        """The elements that all windows read."""
        return reads_of(self.signal, self.taps)


SMALL = 1e-25
"""A sum of powers beyond which those that underflow, below 1e-38 in float32, don't count."""

_STEPS = 10  # that a power takes


def _read(input: object, norm_type: object, kernel_size: object, stride: object, ceil_mode: object) -> _Call:
    signal = arguments.signal("input", input)
    p = _read_norm_type(norm_type)
    window = read_pool_window(kernel_size, signal.ndim - 2, stride=stride, padding=0)
    ceil = arguments.boolean("ceil_mode", ceil_mode)
    size = output_size(signal.shape[2:], window, ceil_mode=ceil, argument="kernel_size")
    shape = (*signal.shape[:2], *size)
    arguments.fits_memory("output", shape, signal.dtype)
    return _Call(signal, p, window_taps(signal.shape[2:], size, window), shape)


def _read_norm_type(value: object) -> float:
    p = math.inf if isinstance(value, float) and value == math.inf else arguments.real("norm_type", value)
    if p < 1:
        raise InvalidValueError("norm_type", "be at least 1", p)
    return p


def _powers(call: _Call, arithmetic: Arithmetic) -> tuple[Rounded, tuple[Array, Array, Array]]:
    """Return the sum of each window's powers; and the magnitudes, their places, and whether there is one, by tap."""
    places, there = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for axis in call.taps:
        taps = np.arange(axis.taps.max(initial=0))
        at = axis.first[:, None] + taps
        inside = taps < axis.taps[:, None]
        outer = places[:, None, :, None] * axis.length + np.where(inside, at, 0)[:, None, :]
        places = outer.reshape(len(places) * len(at), -1)
        there = (there[:, None, :, None] & inside[:, None, :]).reshape(places.shape)
    values = np.where(there, abs(flat_planes(call.signal))[:, places], 1)  # an infinity elsewhere has no part in it
    powers = exactly(values, arithmetic) ** call.p * there
    whole = float(there.shape[1])
    return powers.sum(-1, keepdims=False) / whole * whole, (values, places, there)


def _magnitudes(signal: Array) -> Array:
    return np.where(signal.real >= 0, signal, -signal)


def _finite(errors: Array) -> Array:
    """Return `errors`, 0 where all of a window is 0, or its norm infinite, so that nothing is rounded."""
    return np.where(np.isnan(errors), 0, errors)


@helper
def _magnitude(x):
    return x if x.real >= 0 else -x


@helper
def _power(x, p):
    if p == 1:
        return x
    if p == 2:
        return x * x
    return np.sqrt(x) if p == 0.5 else x**p


@helper
def _scaled_norm_of(window, p):
    # Every magnitude divided by the largest, so that no power over- or underflows.
    KD, KH, KW = window.shape
    largest = abs(window[0, 0, 0].real)
    for kd in range(KD):
        for kh in range(KH):
            for kw in range(KW):
                largest = max(largest, abs(window[kd, kh, kw].real))
    scale = largest if 0 < largest < np.inf else window.dtype.type(1).real
    total = window.dtype.type(0)
    for kd in range(KD):
        for kh in range(KH):
            for kw in range(KW):
                total += _power(_magnitude(window[kd, kh, kw]) / scale, p)
    return scale * _power(total, 1 / p)


@helper
def _output_at(n, od, oh, ow, input, p, depth, height, width):
    (first_d, count_d, _), (first_h, count_h, _), (first_w, count_w, _) = depth, height, width
    d, h, w = first_d[od], first_h[oh], first_w[ow]
    window = input[n, d : d + count_d[od], h : h + count_h[oh], w : w + count_w[ow]]
    KD, KH, KW = window.shape
    total = input.dtype.type(0)
    for kd in range(KD):
        for kh in range(KH):
            for kw in range(KW):
                total += _power(_magnitude(window[kd, kh, kw]), p)
    return _power(total, 1 / p) if SMALL < total.real < np.inf else _scaled_norm_of(window, p)


@kernel
def _fill_output(first, last, output, input, p, depth, height, width):
    _, OD, OH, OW = output.shape
    for n in range(first, last):
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    output[n, od, oh, ow] = _output_at(n, od, oh, ow, input, p, depth, height, width)


@kernel
def _fill_grad_input(first, last, grad_input, grad_output, input, output, p, depth, height, width):
    # One thread has all of a plane, so that several windows may add to a position, in their order.
    (first_d, count_d, _), (first_h, count_h, _), (first_w, count_w, _) = depth, height, width
    _, OD, OH, OW = output.shape
    for n in range(first, last):
        grad_input[n] = 0
        for od in range(OD):
            for oh in range(OH):
                for ow in range(OW):
                    norm = output[n, od, oh, ow]
                    if norm == 0:
                        continue
                    for d in range(first_d[od], first_d[od] + count_d[od]):
                        for h in range(first_h[oh], first_h[oh] + count_h[oh]):
                            for w in range(first_w[ow], first_w[ow] + count_w[ow]):
                                x = input[n, d, h, w]
                                share = grad_output[n, od, oh, ow] * _power(_magnitude(x) / norm, p - 1)
                                if x.real > 0:
                                    grad_input[n, d, h, w] += share
                                elif x != 0:
                                    grad_input[n, d, h, w] -= share if x.real <= 0 else x  # NaN
