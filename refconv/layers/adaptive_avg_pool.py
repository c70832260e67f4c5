"""Adaptive average pooling: the means of windows that are chosen so that there are as many as asked for.

    output[n, c, o] = mean of input[n, c, i] over i from floor(o * size / output_size)
                      to before ceil((o + 1) * size / output_size)

`n` counts the batch, `c` the channels, `o` the windows, `i` the positions; `o` and `i` have an entry for each spatial
axis. Windows overlap where the sizes don't divide. An output size of 1 is global average pooling.
"""

from functools import reduce

import numpy as np

from refconv import arguments
from refconv.arguments import Array
from refconv.averages import Averages, averages, averages_bound, shares, shares_bound
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis
from refconv.resampling import Ranges
from refconv.results import InputGradient


def adaptive_avg_pool(input: Array, *, output_size: IntPerAxis) -> Array:
    """Average `input` over as many windows as `output_size` says, along 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = mean of input[n, c, i] over i from floor(o * size / output_size)
                          to before ceil((o + 1) * size / output_size)

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    output_size : int or one int for each spatial axis
        At least 1; 1 is global pooling. It may be larger than the input's size: then positions repeat.

    Returns
    -------
    array, shape (batch, channels, *output_size)
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range.

    Notes
    -----
    PyTorch, MXNet and PaddlePaddle choose these windows. A window size and a stride that are the same everywhere, as
    converters to ONNX and TensorRT put in their place, are the same only where `output_size` divides the size.
    PyTorch also takes None for an axis whose size is kept.

    References
    ----------
    ``torch.nn.functional.adaptive_avg_pool1d`` to ``adaptive_avg_pool3d``; ONNX GlobalAveragePool.
    M. Lin, Q. Chen, S. Yan, Network in network, 2013, arXiv:1312.4400, section 3.2 (global average pooling).
    """
    return averages(_read(input, output_size))


def adaptive_avg_pool_backward(grad_output: Array, input: Array, *, output_size: IntPerAxis) -> InputGradient:
    """Return the gradient of ``sum(adaptive_avg_pool(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of grad_output[n, c, o] / (positions of the window of o)
                              over the o whose windows hold i

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, output_size
        As for :func:`adaptive_avg_pool`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`adaptive_avg_pool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, output_size)
    grad = arguments.array("grad_output", grad_output, like=call.signal)
    arguments.shape("grad_output", grad, call.shape)
    return InputGradient(shares(call, grad))


def adaptive_avg_pool_bound(arithmetic: Arithmetic, output: Array, input: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`: see :func:`refconv.averages.averages_bound`."""
    return averages_bound(arithmetic, output, _read(input, **attributes))


def adaptive_avg_pool_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient: see :func:`refconv.averages.shares_bound`."""
    return (shares_bound(arithmetic, grads.input, grad_output, _read(input, **attributes)),)


def _read(input: object, output_size: object) -> Averages:
    signal = arguments.signal("input", input)
    sizes = signal.shape[2:]
    out = arguments.per_axis("output_size", output_size, len(sizes), at_least=1)
    arguments.fits_memory("output", (*signal.shape[:2], *out), signal.dtype)
    windows = []
    for size, outputs in zip(sizes, out, strict=True):
        o = np.arange(outputs)
        windows.append(Ranges(size, o * size // outputs, -(-(o + 1) * size // outputs)))
    counts = [(window.end - window.begin).astype(np.float64) for window in windows]
    return Averages(signal, tuple(windows), reduce(np.multiply.outer, counts))
