"""Group norm: each group of channels of each example brought to mean 0 and variance 1.

    output[n, c, p] = (input[n, c, p] - mean[n, g]) / sqrt(variance[n, g] + eps) * weight[c] + bias[c]

`n` counts the batch, `c` the channels, `p` the positions; ``g = c // (channels / num_groups)`` is the channel's group,
over whose channels and positions the mean and the biased variance are.
"""

import math

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.normalization import Norm, RoundedNorm, read_norm
from refconv.results import NormGradients


def group_norm(
    input: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5
) -> Array:
    """Normalise each group of channels of each example.

    ::

        output[n, c, p] = (input[n, c, p] - mean[n, g]) / sqrt(variance[n, g] + eps) * weight[c] + bias[c]
        g = c // (channels / num_groups),  mean[n, g] and variance[n, g] over the group's channels and positions,
        variance[n, g] = mean of (input[n, c, p] - mean[n, g])**2

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout, with 0 to 3 spatial axes. The batch may be empty.
    weight, bias : array, shape (channels,), optional
        Of the dtype of `input`.
    num_groups : int
        Divides the channels.
    eps : float
        Finite, at least 0. With 0, a group of equal values gives NaN.

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
    One group is a layer norm over channels and positions, a group for each channel an instance norm. Weight and bias
    belong to channels; ONNX's first GroupNormalization (opset 18) had them for groups. One value alone in a group is
    its own mean, and its output is the bias; PyTorch refuses it in a batch of one, and takes it in a larger one. The
    statistics are in the dtype of `input`, as if summed with twice the precision: see :mod:`refconv.statistics`.

    References
    ----------
    ``torch.nn.functional.group_norm``; ONNX GroupNormalization (opset 21).
    Y. Wu, K. He, Group normalization, 2018, arXiv:1803.08494.
    """
    return _read(input, weight, bias, num_groups, eps).forward()[0]


def group_norm_backward(
    grad_output: Array,
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    num_groups: int,
    eps: float = 1e-5,
) -> NormGradients:
    """Return the gradients of ``sum(group_norm(input, weight, bias) * grad_output)``.

    ::

        grad_input[n, c, p] = (h[n, c, p] - mean of h[n, c, p] - z[n, c, p] * mean of h[n, c, p] * z[n, c, p])
                              / sqrt(variance[n, g] + eps)
        grad_weight[c] = sum of grad_output[n, c, p] * z[n, c, p] over n and p
        grad_bias[c]   = sum of grad_output[n, c, p] over n and p
        h = grad_output * weight,  z = (input - mean) / sqrt(variance + eps);  the means are over the group

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, weight, bias, num_groups, eps
        As for :func:`group_norm`.

    Returns
    -------
    NormGradients
        `input`, `weight` and `bias`, the last two None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`group_norm`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    return _read(input, weight, bias, num_groups, eps).backward(grad_output)


def group_norm_bound(arithmetic: Arithmetic, _: Array, *inputs: Array | None, **attributes: object) -> Bound:
    """Bound the rounding errors of the output: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).output_bound()


def group_norm_backward_bound(
    arithmetic: Arithmetic, _: NormGradients, grad_output: Array, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient: see :class:`refconv.normalization.RoundedNorm`."""
    return RoundedNorm(_read(*inputs, **attributes), arithmetic).backward_bounds(grad_output)


def _read(input: object, weight: object, bias: object, num_groups: object, eps: object) -> Norm:
    signal = arguments.signal("input", input, least=0)
    batch, channels, *spatial = signal.shape
    groups = arguments.integer("num_groups", num_groups, at_least=1)
    if channels % groups:
        raise InvalidValueError("num_groups", f"divide channels={channels}", groups)
    shape = (1, batch * groups, channels // groups, math.prod(spatial))
    return read_norm(signal, weight, bias, eps, channels=(channels,), shape=shape)
