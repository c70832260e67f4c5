"""Wrong flatten."""

import numpy as np

from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from refconv import InputGradient
from refconv.arguments import Array

wrong = Catalogue()


@wrong("flatten", "column-major order", "The first axis runs fastest, as in Fortran and MATLAB.")
def _flat_columns(input: Array) -> Array:
    return like(input, input.reshape((len(input), _features(input)), order="F"))


@wrong("flatten", "channels last", "The channels are moved behind the positions first, as TensorFlow keeps them.")
def _flat_channels_last(input: Array) -> Array:
    return like(input, _channels_last(input).reshape(len(input), _features(input)))


@wrong("flatten", "batch flattened, too", "torch.flatten starts at axis 0 unless it is told start_dim=1.")
def _flat_batch(input: Array) -> Array:
    return like(input, input.reshape(input.size))


@wrong("flatten_backward", "column-major order", "The first axis runs fastest, as in Fortran and MATLAB.")
def _unflat_columns(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output.reshape(input.shape, order="F")))


@wrong("flatten_backward", "channels last", "The gradient is read as (batch, *spatial, channels).")
def _unflat_channels_last(grad_output: Array, input: Array) -> InputGradient:
    back = grad_output.reshape(_channels_last(input).shape)
    return InputGradient(like(input, np.moveaxis(back, -1, 1) if input.ndim > 2 else back))


@wrong("flatten_backward", "gradient left flat", "The input's shape isn't kept for the backward.")
def _left_flat(grad_output: Array, input: Array) -> InputGradient:
    return InputGradient(like(input, grad_output))


def _features(input: Array) -> int:
    return int(np.prod(input.shape[1:]))


def _channels_last(input: Array) -> Array:
    return np.moveaxis(input, 1, -1) if input.ndim > 2 else input
