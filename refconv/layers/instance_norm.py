"""Instance norm: each channel of each example brought to mean 0 and variance 1.

    output[n, c, p] = (input[n, c, p] - mean[n, c]) / sqrt(variance[n, c] + eps) * weight[c] + bias[c]

`n` counts the batch, `c` the channels, `p` the positions; the mean and the biased variance are those over `p`.
"""

import math

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.normalization import Norm, RoundedNorm, read_norm
from refconv.results import NormGradients


def instance_norm(input: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5) -> Array:
    """Normalise each channel of each example over its spatial axes.

    ::

        output[n, c, p] = (input[n, c, p] - mean[n, c]) / sqrt(variance[n, c] + eps) * weight[c] + bias[c]
        mean[n, c] = mean of input[n, c, p] over p,
        variance[n, c] = mean of (input[n, c, p] - mean[n, c])**2 over p

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout, with 1 to 3 spatial axes and at least 2 positions. The
        batch may be empty.
    weight, bias : array, shape (channels,), optional
        Of the dtype of `input`.
    eps : float
        Finite, at least 0. With 0, a channel of equal values gives NaN.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, one position alone, or shapes that don't match.

    Notes
    -----
    One position has no variance; it is refused, as in PyTorch. PyTorch can also keep running statistics of the
    instances, which is left to whoever wants it; ONNX can't, nor can it do without weight and bias. The statistics are
    in the dtype of `input`, as if summed with twice the precision: see :mod:`refconv.statistics`.

    References
    ----------
    ``torch.nn.functional.instance_norm``; ONNX InstanceNormalization.
    D. Ulyanov, A. Vedaldi, V. Lempitsky, Instance normalization: the missing ingredient for fast stylization, 2016,
    arXiv:1607.08022.
    """
    return _read(input, weight, bias, eps).forward()[0]


def instance_norm_backward(
    grad_output: Array, input: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> NormGradients:
    """Return the gradients of ``sum(instance_norm(input, weight, bias) * grad_output)``.

    ::

        grad_input[n, c, p] = (h[n, c, p] - mean of h[n, c, p] - z[n, c, p] * mean of h[n, c, p] * z[n, c, p])
                              / sqrt(variance[n, c] + eps)
        grad_weight[c] = sum of grad_output[n, c, p] * z[n, c, p] over n and p
        grad_bias[c]   = sum of grad_output[n, c, p] over n and p
        h = grad_output * weight,  z = (input - mean) / sqrt(variance + eps);  the means are over p

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, weight, bias, eps
        As for :func:`instance_norm`.

    Returns
    -------
    NormGradients
        `input`, `weight` and `bias`, the last two None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`instance_norm`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    return _read(input, weight, bias, eps).backward(grad_output)


def instance_norm_bound(arithmetic: Arithmetic, _: Array, *inputs: Array | None, **attributes: object) -> Bound:
    """Bound the rounding errors of the output: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).output_bound()


def instance_norm_backward_bound(
    arithmetic: Arithmetic, _: NormGradients, grad_output: Array, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).backward_bounds(grad_output)


def _read(input: object, weight: object, bias: object, eps: object) -> Norm:
    signal = arguments.signal("input", input)
    batch, channels, *spatial = signal.shape
    positions = math.prod(spatial)
    if positions == 1:
        raise InvalidValueError("input", "have more than one value in each channel", f"shape {signal.shape}")
    shape = (1, batch * channels, 1, positions)
    return read_norm(signal, weight, bias, eps, channels=(channels,), shape=shape)
