"""Padding along the spatial axes: with zeros, with a constant, or with what the input holds elsewhere.

    output[n, c, p] = input[n, c, source(p - before)]

where ``source`` is the position that a mode repeats; beyond the input, "zeros" and "constant" repeat none.
"""

from typing import Any, NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import FLOAT64, Arithmetic, Bound
from refconv.geometry import Padding, Window, read_padding
from refconv.padding import check_mode, extend, fold
from refconv.results import InputGradient

MODES = ("zeros", "constant", "reflect", "replicate", "circular")


def pad(input: Array, *, padding: Padding, mode: str = "zeros", value: float = 0.0) -> Array:
    """Return `input` padded along its spatial axes.

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, with 1, 2 or 3 spatial axes, in any memory layout. The batch may be empty.
    padding : int, one int or (before, after) pair for each spatial axis
        At least 0.
    mode : {"zeros", "constant", "reflect", "replicate", "circular"}
        What is padded: 0, `value`, the input mirrored at its first and last element, those elements themselves, or the
        input from its other end. "reflect" needs a padding smaller than the input's size, "circular" at most that.
    value : float
        Finite, and 0 unless `mode` is "constant".

    Returns
    -------
    array, shape (batch, channels, *size)
        ``size = spatial + before + after``, in the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An argument of a type or dtype that isn't named above, or out of its range.

    Notes
    -----
    ``torch.nn.functional.pad`` takes the sides in one row, the last axis first; ONNX all sides before, then all after,
    with the batch's and channels'; NumPy and TensorFlow a pair for each axis. What is "replicate" here is "edge" in
    NumPy and ONNX, and "circular" is "wrap". The edge itself isn't repeated by "reflect"; it is by NumPy's and
    TensorFlow's "symmetric". Negative paddings, which crop in PyTorch and ONNX, are refused.

    References
    ----------
    ``torch.nn.functional.pad``; ONNX Pad.
    """
    call = _read(input, padding, mode, value)
    if call.mode not in ("zeros", "constant"):
        return extend(call.signal, call.window, call.mode)
    return np.pad(call.signal, [(0, 0), (0, 0), *call.window.padding], constant_values=call.value)


def pad_backward(
    grad_output: Array, input: Array, *, padding: Padding, mode: str = "zeros", value: float = 0.0
) -> InputGradient:
    """Return the gradient of ``sum(pad(input) * grad_output)``: each position's goes back to what it repeats.

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, padding, mode, value
        As for :func:`pad`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`pad`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, padding, mode, value)
    grad = arguments.matching("grad_output", grad_output, call.signal, call.shape)
    if call.mode not in ("zeros", "constant"):
        return InputGradient(fold(grad, call.signal.shape[2:], call.window, call.mode))
    return InputGradient(grad[_inside(call)].copy())


def pad_bound(
    arithmetic: Arithmetic, output: Array, input: Array, *, padding: Padding, mode: str, value: float
) -> Bound:
    """Bound the rounding errors of `output`: elements are moved; only a `value` may have to be rounded."""
    call = _read(input, padding, mode, value)
    error = np.full(output.shape, (arithmetic.storage + FLOAT64.storage) * abs(call.value))
    error[_inside(call)] = 0
    constant = np.array([call.value])
    return bounds.unless_exact(Bound(error, error), arithmetic, (constant,), (abs(constant),))


def pad_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradient, a sum where the mode repeats elements, else moved.

    See :func:`refconv.bounds.multilinear`.
    """
    if attributes["mode"] in ("zeros", "constant"):
        return (bounds.exact(grads.input),)

    def function(grad: Array) -> InputGradient:
        return pad_backward(grad, input, **attributes)  # type: ignore[arg-type]  # they were read

    return bounds.multilinear(function, arithmetic, grads, (grad_output,), {}, factors=1)


class _Call(NamedTuple):
    signal: Array
    window: Window
    mode: str
    value: float
    shape: tuple[int, ...]


def _read(input: object, padding: object, mode: object, value: object) -> _Call:
    signal = arguments.signal("input", input)
    rank = signal.ndim - 2
    window = Window((1,) * rank, (1,) * rank, read_padding(padding, rank), (1,) * rank)
    mode = arguments.one_of("mode", mode, MODES)
    value = arguments.real("value", value)
    if mode != "constant" and value != 0:
        raise InvalidValueError("value", "be 0 unless mode is 'constant'", value)
    if abs(value) > float(np.finfo(signal.dtype).max):
        raise InvalidValueError("value", f"be finite in the dtype of input, {signal.dtype}", value)
    if mode != "constant":
        check_mode(mode, signal, window, "mode")
    sizes = (length + sum(pair) for length, pair in zip(signal.shape[2:], window.padding, strict=True))
    shape = (*signal.shape[:2], *sizes)
    arguments.fits_memory("output", shape, signal.dtype)
    return _Call(signal, window, mode, value, shape)


def _inside(call: _Call) -> Any:
    """Return where the input lies in the output."""
    sizes = zip(call.signal.shape[2:], call.window.padding, strict=True)
    return ..., *(slice(before, before + length) for length, (before, _) in sizes)
