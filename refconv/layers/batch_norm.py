"""Batch norm: each channel brought to mean 0 and variance 1, over the batch or by what it was over earlier batches.

    output[n, c, p] = (input[n, c, p] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]

`n` counts the batch, `c` the channels, `p` the positions. In training, the mean and the biased variance are those over
`n` and `p`; in inference they are the running ones.
"""

import math
from typing import NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.normalization import Norm, RoundedNorm, read_norm
from refconv.results import NormGradients
from refconv.rounding import Rounded, exactly
from refconv.statistics import Moments


class BatchNormResult(NamedTuple):
    """The output, and new arrays of the running statistics, None where the input was."""

    output: Array
    running_mean: Array | None
    running_var: Array | None


def batch_norm(
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> BatchNormResult:
    """Normalise each channel over the batch and the spatial axes.

    ::

        output[n, c, p] = (input[n, c, p] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c]

        in training:   mean[c] = mean of input[n, c, p] over n and p,
                       variance[c] = mean of (input[n, c, p] - mean[c])**2 over n and p,
                       running_mean = (1 - momentum) * running_mean + momentum * mean,
                       running_var  = (1 - momentum) * running_var  + momentum * variance * count / (count - 1)
        in inference:  mean = running_mean, variance = running_var

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout, with 0 to 3 spatial axes. In training, more than one value
        in each channel, or none: the batch may be empty.
    weight, bias : array, shape (channels,), optional
        Of the dtype of `input`.
    running_mean, running_var : array, shape (channels,), optional
        Of the dtype of `input`. Both or neither in training, both in inference.
    training : bool
        Whether the statistics are the batch's own.
    momentum : float
        From 0 to 1: the weight of this batch in the running statistics.
    eps : float
        Finite, at least 0. With 0, a channel of variance 0 gives NaN, or infinity; so do running variances below
        ``-eps``, which give NaN.

    Returns
    -------
    BatchNormResult
        `output`, of the shape of `input`, `running_mean` and `running_var`, all in its dtype. The running statistics
        are new arrays: in inference, and of an empty batch, copies.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, one value in each channel in training, or shapes that don't match.

    Notes
    -----
    The output is made with the biased variance, ``sum / count``, the running variance of the unbiased one, ``sum /
    (count - 1)``: so do PyTorch and TensorFlow's fused kernel; Keras' other path and ONNX keep the biased one.
    `momentum` is PyTorch's, the weight of the new statistics; Keras and ONNX mean that of the old, ``1 - momentum``
    here, and default to 0.99 and 0.9. PyTorch's ``momentum=None``, a plain average, is a momentum of ``1 / batches``.
    The statistics are in the dtype of `input`, as if summed with twice the precision: see :mod:`refconv.statistics`.

    References
    ----------
    ``torch.nn.functional.batch_norm``; ONNX BatchNormalization.
    S. Ioffe, C. Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate shift,
    2015, arXiv:1502.03167, algorithms 1 and 2.
    """
    call = _read(input, weight, bias, running_mean, running_var, training, momentum, eps)
    output, moments = call.norm.forward()
    if call.norm.given is not None or call.running is None:
        kept = (None, None) if call.running is None else [array.copy() for array in call.running]
        return BatchNormResult(output, *kept)
    return BatchNormResult(output, *_updated(call, moments))


def batch_norm_backward(
    grad_output: Array,
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    *,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> NormGradients:
    """Return the gradients of ``sum(batch_norm(input, weight, bias, ...).output * grad_output)``.

    ::

        grad_input[n, c, p] = (h[n, c, p] - mean of h[n, c, p] - z[n, c, p] * mean of h[n, c, p] * z[n, c, p])
                              / sqrt(variance[c] + eps)           the means over n and p; in inference without them
        grad_weight[c] = sum of grad_output[n, c, p] * z[n, c, p] over n and p
        grad_bias[c]   = sum of grad_output[n, c, p] over n and p
        h = grad_output * weight,  z = (input - mean) / sqrt(variance + eps)

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, weight, bias, running_mean, running_var, training, momentum, eps
        As for :func:`batch_norm`.

    Returns
    -------
    NormGradients
        `input`, `weight` and `bias`, the last two None where the input was. The running statistics have none.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`batch_norm`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, weight, bias, running_mean, running_var, training, momentum, eps)
    return call.norm.backward(grad_output)


def batch_norm_bound(
    arithmetic: Arithmetic, _: BatchNormResult, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of the output and the running statistics.

    The output's is that of :class:`refconv.normalization.RoundedNorm`, and so are the mean and the variance from which
    the running ones are made; `momentum`, and 1 less it, may have been rounded before.
    """
    call = _read(*inputs, **attributes)
    rounded = RoundedNorm(call.norm, arithmetic)
    output = rounded.output_bound()
    if call.running is None:
        return output, None, None
    mean, variance = (exactly(array, arithmetic) for array in call.running)
    if call.norm.given is None:
        count = _count(call.norm)
        unit = mean.unit if 0 < call.momentum < 1 else 0.0
        new, old = (Rounded(np.asarray(share), np.asarray(unit), arithmetic) for share in _shares(call.momentum))
        mean = mean * old + rounded.mean.moved(np.ravel) * new
        variance = variance * old + rounded.variance.moved(np.ravel) * (count / (count - 1)) * new
    return output, mean.bound(), variance.bound()


def batch_norm_backward_bound(
    arithmetic: Arithmetic, _: NormGradients, grad_output: Array, *inputs: Array | None, **attributes: object
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient: see :class:`refconv.normalization.RoundedNorm`."""
    call = _read(*inputs, **attributes)
    return RoundedNorm(call.norm, arithmetic).backward_bounds(grad_output)


class _Call(NamedTuple):
    norm: Norm
    running: tuple[Array, Array] | None
    momentum: float


def _read(
    input: object,
    weight: object,
    bias: object,
    running_mean: object,
    running_var: object,
    training: object,
    momentum: object,
    eps: object,
) -> _Call:
    signal = arguments.signal("input", input, least=0)
    batch, channels, *spatial = signal.shape
    own = arguments.boolean("training", training)
    if own and batch * math.prod(spatial) == 1:
        rule = "have more than one value in each channel in training"
        raise InvalidValueError("input", rule, f"shape {signal.shape}")
    shape = (batch, channels, 1, math.prod(spatial))
    norm = read_norm(signal, weight, bias, eps, channels=(channels,), shape=shape)
    running = _read_running(running_mean, running_var, signal, required=not own)
    if not own and running is not None:
        given = Moments(running[0], np.zeros_like(running[0]), running[1])
        norm = norm.by(given)
    elif batch == 0:  # there are no statistics, and nothing to be normalised by them
        norm = norm.by(Moments(*np.zeros((3, channels), signal.dtype)))
    return _Call(norm, running, arguments.real("momentum", momentum, at_least=0, at_most=1))


def _read_running(mean: object, variance: object, signal: Array, *, required: bool) -> tuple[Array, Array] | None:
    arrays = []
    for name, value, other in (("running_mean", mean, variance), ("running_var", variance, mean)):
        if value is not None:
            arrays.append(arguments.matching(name, value, signal, signal.shape[1:2]))
        elif required:
            raise InvalidValueError(name, "be given where training is False", None)
        elif other is not None:
            raise InvalidValueError(name, "be given where the other running statistic is", None)
    return (arrays[0], arrays[1]) if arrays else None


def _count(norm: Norm) -> int:
    """Return how many values each channel has."""
    return norm.shape[0] * norm.shape[3]


def _shares(momentum: float) -> tuple[float, float]:
    """Return what the running statistics take of the new, and keep of the old."""
    return momentum, 1 - momentum


@np.errstate(all="ignore")
def _updated(call: _Call, moments: Moments) -> tuple[Array, Array]:
    assert call.running is not None
    mean, variance = call.running
    count = _count(call.norm)
    new, old = _shares(call.momentum)
    unbiased = moments.variance * (count / (count - 1))
    return old * mean + new * moments.mean, old * variance + new * unbiased
