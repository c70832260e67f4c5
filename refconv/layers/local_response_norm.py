"""Local response norm: each value divided by a power of the squares around it, along the channels.

    scale[n, c, p]  = k + alpha / size * sum of input[n, d, p]**2 over the channels d from c - size // 2
                                         to c + (size - 1) // 2, those that there are
    output[n, c, p] = input[n, c, p] / scale[n, c, p]**beta

`n` counts the batch, `c` and `d` the channels, `p` the positions.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.kernels import helper, kernel
from refconv.results import InputGradient
from refconv.rounding import Rounded, einsum, exactly
from refconv.threads import spread


def local_response_norm(input: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """Divide each value by a power of the squares at its position in the `size` channels around it.

    ::

        output[n, c, p] = input[n, c, p] / (k + alpha / size * sum of input[n, d, p]**2)**beta
                          over d from c - size // 2 to c + (size - 1) // 2

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout, with 1 to 3 spatial axes. The batch may be empty.
    size : int
        At least 1: the channels that are summed. Channels that aren't there count as zeros: `alpha` is divided by
        `size` at the edges, too.
    alpha, beta, k : float
        Finite, at least 0.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`. Where `k` is 0, a value amid zeros alone gives NaN.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range.

    Notes
    -----
    Of an even `size`, the window has the odd channel before `c`, as in PyTorch and Caffe2; ONNX has it after:
    from ``c - (size - 1) // 2`` to ``c + size // 2``. PyTorch, ONNX and Caffe divide `alpha` by `size`; the paper and
    TensorFlow (whose ``depth_radius`` is half of an odd size less 1) don't. The paper's constants are k = 2, size = 5,
    alpha = 1e-4 undivided (``alpha=5e-4`` here), beta = 0.75.

    References
    ----------
    ``torch.nn.functional.local_response_norm``; ONNX LRN.
    A. Krizhevsky, I. Sutskever, G. Hinton, ImageNet classification with deep convolutional neural networks, 2012,
    section 3.3.
    """
    call = _read(input, size, alpha, beta, k)
    output = np.empty_like(call.signal)
    _spread(_fill_output, call, output, call.signal)
    return output.reshape(input.shape)


def local_response_norm_backward(
    grad_output: Array, input: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> InputGradient:
    """Return the gradient of ``sum(local_response_norm(input) * grad_output)``.

    ::

        grad_input[n, c, p] = grad_output[n, c, p] / scale[n, c, p]**beta
                              - 2 * alpha * beta / size * input[n, c, p] * sum of slope[n, d, p]
                              over the channels d whose windows hold c: from c - (size - 1) // 2 to c + size // 2
        slope = grad_output * input / scale**(beta + 1)

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, size, alpha, beta, k
        As for :func:`local_response_norm`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`local_response_norm`; also for a `grad_output` that isn't of the input's shape and dtype.
    """
    call = _read(input, size, alpha, beta, k)
    grad = arguments.matching("grad_output", grad_output, call.signal, input.shape)
    grad_input, slope = np.empty_like(call.signal), np.empty_like(call.signal)
    grad = grad.reshape(call.signal.shape)
    _spread(_fill_slope, call, slope, grad_input, grad, call.signal)
    _spread(_fill_grad_input, call, grad_input, slope, call.signal)
    return InputGradient(grad_input.reshape(input.shape))


def local_response_norm_bound(arithmetic: Arithmetic, output: Array, *inputs: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`: running error analysis of the formula."""
    call = _read(*inputs, **attributes)
    x, scale = _rounded(call, arithmetic)
    return (x / _power(scale, call.beta)).moved(lambda array: array.reshape(output.shape)).bound()


def local_response_norm_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, *inputs: Array, **attributes: object
) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradient, computed as automatic differentiation does.

    The slope of a scale is ``grad_output * input / power**2``, with ``power = scale**beta``, times
    ``beta * scale**(beta - 1)``: three powers, where the formula above has one.
    """
    call = _read(*inputs, **attributes)
    x, scale = _rounded(call, arithmetic)
    grad = exactly(grad_output.reshape(call.signal.shape), arithmetic)
    power = _power(scale, call.beta)
    slope = grad * x / (power * power) * _power(scale, call.beta - 1) * call.beta * call.alpha / call.size
    gathered = einsum("cd,ncp->ndp", _windows(call), slope)
    grad_input = grad / power - gathered * x * 2.0
    return (grad_input.moved(lambda array: array.reshape(grads.input.shape)).bound(),)


def _rounded(call: "_Call", arithmetic: Arithmetic) -> tuple[Rounded, Rounded]:
    """Return the input, and the scales with their errors."""
    x = exactly(call.signal, arithmetic)
    return x, einsum("cd,ndp->ncp", _windows(call), x * x) / call.size * call.alpha + call.k


def _power(scale: Rounded, exponent: float) -> Rounded:
    """Return a power; its exponent may have been rounded, too, which multiplies it by ``1 + exponent u log(scale)``."""
    power = scale**exponent
    rounded = scale.unit * abs(exponent * np.log(scale.value)) * power.value
    return Rounded(power.value, power.error + rounded, power.arithmetic)


def _windows(call: "_Call") -> Array:
    """Return ``w[c, d]``, 1 where the window of channel c holds d, else 0."""
    channels = np.arange(call.signal.shape[1])
    offset = channels - channels[:, None]
    windows: Array = ((-(call.size // 2) <= offset) & (offset <= (call.size - 1) // 2)).astype(np.float64)
    return windows


class _Call(NamedTuple):
    signal: Array  # (batch, channels, positions)
    size: int
    alpha: float
    beta: float
    k: float


def _read(input: object, size: object, alpha: object, beta: object, k: object) -> _Call:
    signal = arguments.signal("input", input)
    return _Call(
        signal.reshape(*signal.shape[:2], int(np.prod(signal.shape[2:]))),
        arguments.integer("size", size, at_least=1),
        arguments.real("alpha", alpha, at_least=0),
        arguments.real("beta", beta, at_least=0),
        arguments.real("k", k, at_least=0),
    )


@np.errstate(all="ignore")  # a constant may be beyond the range of float32
def _spread(fill: Callable[..., None], call: _Call, *arrays: Array) -> None:
    number = call.signal.dtype.type
    options = call.size, number(call.alpha / call.size), number(call.beta), number(call.k)
    planes = call.signal.shape[0] * call.signal.shape[1]
    spread(fill, planes, 20 * call.signal.size, *arrays, *options)


@helper
def _scale_at(n, c, p, input, size, alpha, k):
    total = input.dtype.type(0)
    for d in range(max(c - size // 2, 0), min(c + (size - 1) // 2, input.shape[1] - 1) + 1):
        total += input[n, d, p] * input[n, d, p]
    return k + alpha * total


@helper
def _reciprocal_power(scale, beta):
    if beta == 0.75:  # what everybody takes: roots are faster than a power
        root = np.sqrt(scale)
        return np.reciprocal(root * np.sqrt(root))
    return scale**-beta


@kernel
def _fill_output(first, last, output, input, size, alpha, beta, k):
    _, C, P = input.shape
    for plane in range(first, last):
        n, c = divmod(plane, C)
        for p in range(P):
            scale = _scale_at(n, c, p, input, size, alpha, k)
            output[n, c, p] = input[n, c, p] * _reciprocal_power(scale, beta)


@kernel
def _fill_slope(first, last, slope, direct, grad_output, input, size, alpha, beta, k):
    # direct: the part of grad_input that doesn't go through the scale
    _, C, P = input.shape
    for plane in range(first, last):
        n, c = divmod(plane, C)
        for p in range(P):
            scale = _scale_at(n, c, p, input, size, alpha, k)
            direct[n, c, p] = grad_output[n, c, p] * _reciprocal_power(scale, beta)
            slope[n, c, p] = np.divide(direct[n, c, p] * input[n, c, p], scale)  # of 0 by 0, too


@kernel
def _fill_grad_input(first, last, grad_input, slope, input, size, alpha, beta, _):
    # output = input * scale**-beta: the scales that hold input[n, c, p] are those of the mirrored window
    _, C, P = input.shape
    factor = (alpha + alpha) * beta
    for plane in range(first, last):
        n, c = divmod(plane, C)
        for p in range(P):
            total = input.dtype.type(0)
            for d in range(max(c - (size - 1) // 2, 0), min(c + size // 2, C - 1) + 1):
                total += slope[n, d, p]
            grad_input[n, c, p] -= factor * input[n, c, p] * total
