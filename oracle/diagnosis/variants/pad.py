"""Wrong pad."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import like
from oracle.diagnosis.variants.general import handing_back, saturating
from refconv import InputGradient
from refconv.arguments import Array
from refconv.geometry import read_padding

wrong = Catalogue()


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


handing_back(wrong, "pad", lambda padding, **_: not np.any(padding))
saturating(wrong, "pad")
