"""Wrong flatten, concat, pad and channel shuffle."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.pointwise import like
from oracle.diagnosis.variant import Catalogue
from refconv import ConcatGradients, InputGradient
from refconv.arguments import Array
from refconv.geometry import read_padding

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


@wrong("concat", "order swapped", "The second array is written first.")
def _other_first(input: Array, other: Array, *, axis: int) -> Array:
    return refconv.concat(other, input, axis=axis)


@wrong("concat", "one buffer behind the other", "Both are copied whole, right only where no axis before has a size.")
def _buffers_joined(input: Array, other: Array, *, axis: int) -> Array:
    shape = refconv.concat(input, other, axis=axis).shape
    return like(input, np.concatenate([input.ravel(), other.ravel()]).reshape(shape))


@wrong("concat", "axis ignored", "Both are joined along the channels, whatever the axis, where their shapes allow it.")
def _along_channels(input: Array, other: Array, *, axis: int) -> Array:
    return refconv.concat(input, other, axis=1 if input.shape == other.shape else axis)


@wrong("concat", "negative axis off by one", "Counting from the end starts at 0: -1 is taken for the last but one.")
def _axis_miscounted(input: Array, other: Array, *, axis: int) -> Array:
    moved = axis < 0 and input.shape == other.shape
    return refconv.concat(input, other, axis=(axis - 1) % input.ndim if moved else axis)


@wrong("concat_backward", "gradients swapped", "The two parts of the gradient are returned in the wrong order.")
def _parts_swapped(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    grads = refconv.concat_backward(grad_output, input, other, axis=axis)
    return ConcatGradients(grads.other, grads.input)


@wrong("concat_backward", "offset of the second part forgotten", "Both parts are read from the start.")
def _offset_forgotten(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    grads = refconv.concat_backward(grad_output, input, other, axis=axis)
    first = grad_output.take(range(other.shape[axis]), axis)
    return grads._replace(other=like(other, first))


@wrong("concat_backward", "gradient cut in halves", "The sizes along the axis are taken to be alike.")
def _halved(grad_output: Array, input: Array, other: Array, *, axis: int) -> ConcatGradients:
    del other
    first, second = np.array_split(grad_output, 2, axis)
    return ConcatGradients(like(input, first), like(input, second))


@wrong("concat_backward", "gradient cut as one buffer", "The buffer is split in two, as if no axis came before.")
def _buffer_cut(grad_output: Array, input: Array, other: Array, **_: Any) -> ConcatGradients:
    first, second = np.split(grad_output.ravel(), [input.size])
    return ConcatGradients(like(input, first.reshape(input.shape)), like(other, second.reshape(other.shape)))


_NUMPY_MODES = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
_Pairs = tuple[tuple[int, int], ...]


def _pairs(input: Array, padding: Any) -> _Pairs:
    return read_padding(padding, input.ndim - 2)


def _padded(input: Array, pairs: _Pairs, mode: str, value: float = 0.0) -> Array:
    """Return `input` padded by any `pairs`, those that the reference refuses, too."""
    more: Any = {"constant_values": value} if mode == "constant" else {}
    padded = np.pad(input, ((0, 0), (0, 0), *pairs), mode=mode, **more)  # type: ignore[call-overload]  # of one mode each
    return like(input, padded)


def _folded(grad_output: Array, input: Array, pairs: _Pairs, mode: str) -> InputGradient:
    """Return the gradient of `input` in :func:`_padded`; where its shape is another, it is cut off or 0 beyond."""
    spatial = input.shape[2:]
    places = np.arange(1, 1 + int(np.prod(spatial))).reshape(1, 1, *spatial)
    sources = _padded(places, pairs, mode)[0, 0]
    fitting = np.zeros((*input.shape[:2], *sources.shape), input.dtype)
    common: Any = (..., *(slice(min(sizes)) for sizes in zip(sources.shape, grad_output.shape[2:], strict=True)))
    fitting[common] = grad_output[common]
    folded = np.zeros((*input.shape[:2], 1 + places.size), input.dtype)
    index: Any = (slice(None), slice(None), sources)
    with np.errstate(all="ignore"):
        np.add.at(folded, index, fitting)
    return InputGradient(like(input, folded[:, :, 1:].reshape(input.shape)))


@wrong("pad", "sides swapped", "What comes before and what comes after are mistaken for each other.")
def _sides_swapped(input: Array, *, padding: Any, **attributes: Any) -> Array:
    return refconv.pad(input, padding=tuple(pair[::-1] for pair in _pairs(input, padding)), **attributes)


@wrong("pad", "axes in reverse order", "The last axis comes first, as in torch.nn.functional.pad.")
def _axes_reversed(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    return _padded(input, _pairs(input, padding)[::-1], _NUMPY_MODES[mode], value)


@wrong("pad", "side before used for both", "One number is kept for each axis, as in the descriptors of cuDNN.")
def _before_twice(input: Array, *, padding: Any, **attributes: Any) -> Array:
    return refconv.pad(input, padding=tuple(before for before, _ in _pairs(input, padding)), **attributes)


@wrong("pad", "edge repeated by reflect", "The mirror lies beyond the last element, as in NumPy's symmetric.")
def _reflect_edge(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    name = "symmetric" if mode == "reflect" else _NUMPY_MODES[mode]
    return _padded(input, _pairs(input, padding), name, value)


@wrong("pad", "replicate mirrors", "The edge mode reads on into the input in place of standing still.")
def _replicate_mirrors(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    name = "symmetric" if mode == "replicate" else _NUMPY_MODES[mode]
    return _padded(input, _pairs(input, padding), name, value)


@wrong("pad", "circular from the wrong side", "The start is put before the start, and the end behind the end.")
def _wrapped_wrongly(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    if mode != "circular":
        return refconv.pad(input, padding=padding, mode=mode, value=value)
    padded = input
    for axis, (before, after) in enumerate(_pairs(input, padding), start=2):
        length = padded.shape[axis]
        padded = padded.take([*range(before), *range(length), *range(length - after, length)], axis)
    return like(input, padded)


@wrong(
    "pad",
    "circular padding before lost where none is after",
    "A slice that ends at -after is empty where after is 0.",
    thread="pytorch/pytorch#24504",
)
def _sliced_to_minus_zero(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    pairs = _pairs(input, padding)
    if mode == "circular":
        pairs = tuple((before if after else 0, after) for before, after in pairs)
    return refconv.pad(input, padding=pairs, mode=mode, value=value)


@wrong("pad", "value ignored", "The constant is 0 whatever is asked for.")
def _zero_value(input: Array, *, padding: Any, mode: str, value: float) -> Array:
    del value
    return refconv.pad(input, padding=padding, mode=mode)


@wrong("pad_backward", "gradient of repeated elements dropped", "Only the inside is taken, as with zeros.")
def _inside_alone(grad_output: Array, input: Array, *, padding: Any, **_: Any) -> InputGradient:
    return refconv.pad_backward(grad_output, input, padding=padding)


@wrong("pad_backward", "gradient assigned, not accumulated", "Of an element that was read twice, one gradient stays.")
def _assigned(grad_output: Array, input: Array, *, padding: Any, mode: str, **_: Any) -> InputGradient:
    if mode in {"zeros", "constant"}:
        return refconv.pad_backward(grad_output, input, padding=padding)
    spatial = input.shape[2:]
    places = np.arange(int(np.prod(spatial))).reshape(1, 1, *spatial)
    sources = _padded(places, _pairs(input, padding), _NUMPY_MODES[mode]).ravel()
    grad = np.zeros((*input.shape[:2], places.size), input.dtype)
    grad[:, :, sources] = grad_output.reshape(*input.shape[:2], sources.size)
    return InputGradient(grad.reshape(input.shape))


@wrong("pad_backward", "sides swapped", "What comes before and what comes after are mistaken for each other.")
def _sides_swapped_backward(grad_output: Array, input: Array, *, padding: Any, **attributes: Any) -> InputGradient:
    pairs = tuple(pair[::-1] for pair in _pairs(input, padding))
    return refconv.pad_backward(grad_output, input, padding=pairs, **attributes)


@wrong("pad_backward", "axes in reverse order", "The last axis comes first, as in torch.nn.functional.pad.")
def _axes_reversed_backward(grad_output: Array, input: Array, *, padding: Any, mode: str, **_: Any) -> InputGradient:
    return _folded(grad_output, input, _pairs(input, padding)[::-1], _NUMPY_MODES[mode])


@wrong("pad_backward", "edge repeated by reflect", "The mirror lies beyond the last element, as if it were symmetric.")
def _reflect_edge_backward(grad_output: Array, input: Array, *, padding: Any, mode: str, **_: Any) -> InputGradient:
    name = "symmetric" if mode == "reflect" else _NUMPY_MODES[mode]
    return _folded(grad_output, input, _pairs(input, padding), name)


@wrong("channel_shuffle", "shuffled the other way", "The channels are read as rows of groups, not as groups rows.")
def _unshuffled(input: Array, *, groups: int) -> Array:
    return refconv.channel_shuffle(input, groups=input.shape[1] // groups)


@wrong("channel_shuffle", "not shuffled", "The two axes are made and joined again without being swapped.")
def _not_shuffled(input: Array, **_: Any) -> Array:
    return like(input, input)


@wrong("channel_shuffle_backward", "shuffled forward again", "The backward must undo the forward, not repeat it.")
def _shuffled_again(grad_output: Array, input: Array, *, groups: int) -> InputGradient:
    del input
    return InputGradient(refconv.channel_shuffle(grad_output, groups=groups))


@wrong("channel_shuffle_backward", "not shuffled", "The gradient is handed on as it comes.")
def _gradient_not_shuffled(grad_output: Array, input: Array, **_: Any) -> InputGradient:
    return InputGradient(like(input, grad_output))
