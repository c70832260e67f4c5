"""Layer norm: the values along the trailing axes brought to mean 0 and variance 1.

    output[i, j] = (input[i, j] - mean[i]) / sqrt(variance[i] + eps) * weight[j] + bias[j]

`j` runs over the trailing axes, `i` over the others; the mean and the biased variance are those over `j`.
"""

import math

from refconv import arguments
from refconv.arguments import Array, InvalidTypeError, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis
from refconv.normalization import Norm, RoundedNorm, read_norm
from refconv.results import NormGradients


def layer_norm(
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: IntPerAxis,
    eps: float = 1e-5,
) -> Array:
    """Normalise `input` over its trailing axes.

    ::

        output[i, j] = (input[i, j] - mean[i]) / sqrt(variance[i] + eps) * weight[j] + bias[j]
        mean[i] = mean of input[i, j] over j,  variance[i] = mean of (input[i, j] - mean[i])**2 over j

    Parameters
    ----------
    input : array, shape (*others, *normalized_shape)
        float32, float64 or complex128, in any memory layout. One of the other axes may have size 0.
    weight, bias : array, shape normalized_shape, optional
        Of the dtype of `input`.
    normalized_shape : int or tuple of int
        At least one size, each at least 1: those of the last axes of `input`. An int is the size of the last.
    eps : float
        Finite, at least 0. With 0, equal values give NaN.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or shapes that don't match.

    Notes
    -----
    One value alone is its own mean: the output is the bias, as in PyTorch. `eps` is added to the variance, under the
    root, in all frameworks. ONNX and Keras name the first normalised axis in place of the shape. The statistics are in
    the dtype of `input`, as if summed with twice the precision: see :mod:`refconv.statistics`.

    References
    ----------
    ``torch.nn.functional.layer_norm``; ONNX LayerNormalization.
    J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, 2016, arXiv:1607.06450.
    """
    return _read(input, weight, bias, normalized_shape, eps).forward()[0]


def layer_norm_backward(
    grad_output: Array,
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    normalized_shape: IntPerAxis,
    eps: float = 1e-5,
) -> NormGradients:
    """Return the gradients of ``sum(layer_norm(input, weight, bias) * grad_output)``.

    ::

        grad_input[i, j] = (h[i, j] - mean of h[i, j] - z[i, j] * mean of h[i, j] * z[i, j]) / sqrt(variance[i] + eps)
        grad_weight[j] = sum of grad_output[i, j] * z[i, j] over i
        grad_bias[j]   = sum of grad_output[i, j] over i
        h = grad_output * weight,  z = (input - mean) / sqrt(variance + eps);  the means are over j

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, weight, bias, normalized_shape, eps
        As for :func:`layer_norm`.

    Returns
    -------
    NormGradients
        `input`, `weight` and `bias`, the last two None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`layer_norm`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    return _read(input, weight, bias, normalized_shape, eps).backward(grad_output)


def layer_norm_bound(arithmetic: Arithmetic, _: Array, *inputs: Array | None, **attributes: object) -> Bound:
    """Bound the rounding errors of the output: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).output_bound()


def layer_norm_backward_bound(
    arithmetic: Arithmetic, _: NormGradients, grad_output: Array, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).backward_bounds(grad_output)


def _read(input: object, weight: object, bias: object, normalized_shape: object, eps: object) -> Norm:
    signal = arguments.array("input", input)
    entries = (normalized_shape,) if arguments.is_integer(normalized_shape) else normalized_shape
    if not isinstance(entries, tuple | list) or not entries or not all(map(arguments.is_integer, entries)):
        rule = "be an int or a sequence of at least one int"
        raise InvalidTypeError("normalized_shape", rule, arguments.shown(normalized_shape))
    shape = arguments.within("normalized_shape", entries, 1, given=normalized_shape)
    if signal.shape[-len(shape) :] != shape:
        rule = f"be the sizes of input's last axes, whose shape is {signal.shape}"
        raise InvalidValueError("normalized_shape", rule, shape)
    rows = math.prod(signal.shape[: -len(shape)])
    return read_norm(signal, weight, bias, eps, channels=shape, shape=(1, rows, math.prod(shape), 1))
