"""Dropout: elements are set to 0, and the others scaled so that the mean is kept.

output = input * mask / (1 - p)
"""

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.results import InputGradient


def dropout(input: Array, mask: Array, *, p: float) -> Array:
    """Return ``input * mask / (1 - p)``: the randomness is the caller's.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    mask : array, shape of `input`
        0 where an element is dropped, 1 where it is kept; of the dtype of `input`.
    p : float
        The probability with which elements are dropped, at least 0 and below 1.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`; NaN where what isn't finite is dropped.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: a `p` out of its range, a mask of another shape, or with other values.

    Notes
    -----
    `p` is what is dropped in PyTorch, Keras ("rate") and ONNX ("ratio"); in the paper and TensorFlow 1 ("keep_prob") it
    is what is kept. The scaling in training is PyTorch's; the paper scales the weights in inference instead. PyTorch
    gives zeros for a `p` of 1, where the formula has no value.

    References
    ----------
    ``torch.nn.functional.dropout``; ONNX Dropout.
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014.
    """
    x, kept, scale = _read(input, mask, p)
    return _masked(x, kept, scale)


def dropout_backward(grad_output: Array, input: Array, mask: Array, *, p: float) -> InputGradient:
    """Return the gradient of ``sum(dropout(input, mask) * grad_output)``: ``grad_output * mask / (1 - p)``.

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, mask, p
        As for :func:`dropout`.

    Returns
    -------
    InputGradient

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`dropout`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, kept, scale = _read(input, mask, p)
    return InputGradient(_masked(arguments.matching("grad_output", grad_output, x, x.shape), kept, scale))


def dropout_bound(arithmetic: Arithmetic, output: Array, *_: Array, p: float) -> Bound:
    """Bound the rounding errors of `output`: of ``1 - p``, a quotient and a product; a power of two is exact.

    Who is handed a rounded p is off by ``u p / (1 - p)`` as well.
    """
    return bounds.scaled(bounds.exact(output), arithmetic, output, 1 / (1 - p), roundings=3 + p / (1 - p))


def dropout_backward_bound(arithmetic: Arithmetic, grads: InputGradient, *_: Array, p: float) -> tuple[Bound]:
    """Bound the rounding errors of the gradient as those of the output."""
    return (dropout_bound(arithmetic, grads.input, p=p),)


def _read(input: object, mask: object, p: object) -> tuple[Array, Array, float]:
    x = arguments.batched("input", input)
    kept = arguments.matching("mask", mask, x, x.shape)
    wrong = kept[(kept != 0) & (kept != 1)]
    if wrong.size:
        raise InvalidValueError("mask", "be 0 or 1 everywhere", wrong[0])
    probability = arguments.real("p", p, at_least=0, at_most=1)
    if probability == 1:
        raise InvalidValueError("p", "be smaller than 1", arguments.shown(p))
    return x, kept, 1 / (1 - probability)


@np.errstate(all="ignore")
def _masked(array: Array, mask: Array, scale: float) -> Array:
    masked: Array = array * mask * array.dtype.type(scale)
    return masked
