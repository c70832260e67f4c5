"""The partial inverse of maximum pooling: values go back to where they stood, the rest is 0.

output[n, c, indices[n, c, i]] = input[n, c, i]
"""

import math

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.geometry import IntPerAxis
from refconv.kernels import kernel
from refconv.maxima import flat_planes
from refconv.results import InputGradient
from refconv.threads import spread


def max_unpool(input: Array, indices: Array, *, output_size: IntPerAxis) -> Array:
    """Put the elements of `input` at `indices` of an output that is 0 elsewhere, over 1, 2 or 3 spatial axes.

    ::

        output[n, c, indices[n, c, i]] = input[n, c, i]

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    indices : array of int64, shape of `input`
        Flat, row-major positions over the spatial axes of the output, as :func:`refconv.max_pool` returns them. Of
        elements that go to the same place, the last in row-major order is kept. They have no gradient.
    output_size : int or one int for each spatial axis
        At least 1.

    Returns
    -------
    array, shape (batch, channels, *output_size)
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an index outside of the output, an argument out of its range, or shapes that don't match.

    Notes
    -----
    PyTorch leaves open which of several elements is kept. ONNX's MaxUnpool counts positions over the whole tensor.
    Indices of -1, which `max_pool` gives to windows that hold only padding, are refused.

    References
    ----------
    ``torch.nn.functional.max_unpool1d`` to ``max_unpool3d``; ONNX MaxUnpool.
    M. Zeiler, R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014.
    """
    signal, places, shape = _read(input, indices, output_size)
    output = np.empty(shape, signal.dtype)
    planes = [flat_planes(array) for array in (output, signal, places)]
    spread(_fill_output, len(planes[0]), output.size + signal.size, *planes)
    return output


def max_unpool_backward(grad_output: Array, input: Array, indices: Array, *, output_size: IntPerAxis) -> InputGradient:
    """Return the gradient of ``sum(max_unpool(input, indices) * grad_output)``.

    ::

        grad_input[n, c, i] = grad_output[n, c, indices[n, c, i]], 0 for an element that wasn't kept

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, indices, output_size
        As for :func:`max_unpool`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`max_unpool`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    signal, places, shape = _read(input, indices, output_size)
    grad = arguments.matching("grad_output", grad_output, signal, shape)
    grad_input = np.empty_like(signal)
    taken = np.zeros(shape, np.bool_)
    planes = [flat_planes(array) for array in (grad_input, grad, places, taken)]
    spread(_fill_grad_input, len(planes[0]), 4 * signal.size, *planes)
    return InputGradient(grad_input)


max_unpool_bound = max_unpool_backward_bound = bounds.moved


def _read(input: object, indices: object, output_size: object) -> tuple[Array, Array, tuple[int, ...]]:
    signal = arguments.signal("input", input)
    places = arguments.integers("indices", indices)
    arguments.shape("indices", places, signal.shape)
    size = arguments.per_axis("output_size", output_size, signal.ndim - 2, at_least=1)
    shape = (*signal.shape[:2], *size)
    arguments.fits_memory("output", shape, signal.dtype)
    positions = math.prod(size)
    unsigned = places.view(np.uint64)  # where what is negative is large
    if unsigned.max(initial=0) >= positions:
        wrong = places[unsigned >= positions][0]
        raise InvalidValueError("indices", f"be between 0 and {positions - 1} everywhere", wrong)
    return signal, places, shape


@kernel
def _fill_output(first, last, output, input, indices):
    _, positions = output.shape
    _, elements = input.shape
    for n in range(first, last):
        for position in range(positions):
            output[n, position] = 0
        for i in range(elements):
            output[n, indices[n, i]] = input[n, i]


@kernel
def _fill_grad_input(first, last, grad_input, grad_output, indices, taken):
    # Backwards, since the last element that goes to a place is kept there.
    _, elements = grad_input.shape
    for n in range(first, last):
        for i in range(elements - 1, -1, -1):
            place = indices[n, i]
            grad_input[n, i] = 0 if taken[n, place] else grad_output[n, place]
            taken[n, place] = True
