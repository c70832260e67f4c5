"""Wrong blur pooling: other filters, other borders, other places."""

from collections.abc import Callable
from functools import partial
from math import comb
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_channel, first_of_batch
from refconv import InputGradient
from refconv.arguments import Array, per_axis
from refconv.padding import sources
from refconv.resampling import Taps, resample, taps, transposed

wrong = Catalogue()


def _binomial(kernel: int) -> Array:
    return np.array([comb(kernel - 1, k) for k in range(kernel)]) / 2.0 ** (kernel - 1)


def _blur(
    size: int,
    kernel: int,
    stride: int,
    *,
    weight: Callable[[int], Array] = _binomial,
    mode: str = "reflect",
    before: int | None = None,
) -> Taps:
    """Return the taps along an axis, with another filter, another border, or another padding before."""
    before = (kernel - 1) // 2 if before is None else before
    outputs = -(-size // stride)
    positions = np.arange(outputs)[:, None] * stride - before + np.arange(kernel)
    weights = np.broadcast_to(weight(kernel), positions.shape)
    if mode == "zeros":
        weights = weights * ((positions >= 0) & (positions < size))
        return taps(size, positions.clip(0, size - 1), weights)
    if mode == "symmetric":
        reflected = np.where(positions < 0, -1 - positions, positions)
        return taps(size, np.where(reflected < size, reflected, 2 * size - 1 - reflected).clip(0, size - 1), weights)
    reach = kernel + stride
    return taps(size, sources(size, reach, reach, mode)[positions + reach].clip(0, size - 1), weights)


def _box(kernel: int) -> Array:
    return np.full(kernel, 1 / kernel)


def _unnormalised(kernel: int) -> Array:
    return np.asarray(_binomial(kernel) * 2.0 ** (kernel - 1))


def _nearest_to_gauss(kernel: int) -> Array:
    distance = np.arange(kernel) - (kernel - 1) / 2
    weights = np.exp(-(distance**2) / max(kernel - 1, 1) * 2)
    return np.asarray(weights / weights.sum())


def _triangle(kernel: int) -> Array:
    weights = np.minimum(np.arange(1, kernel + 1), np.arange(kernel, 0, -1)).astype(np.float64)
    return np.asarray(weights / weights.sum())


def _subsampled_first(size: int, kernel: int, stride: int) -> Taps:
    outputs = -(-size // stride)
    blurred = _blur(outputs, kernel, 1, mode="reflect" if kernel <= 2 * outputs - 1 else "replicate")
    return blurred._replace(inputs=size, source=blurred.source * stride)


def _last_phase(size: int, kernel: int, stride: int) -> Taps:
    return _blur(size, kernel, stride, before=(kernel - 1) // 2 - (size - 1) % stride)


def _half_before(size: int, kernel: int, stride: int) -> Taps:
    return _blur(size, kernel, stride, before=kernel // 2)


def _unblurred(size: int, _: int, stride: int) -> Taps:
    return _blur(size, 1, stride)


_GROWING = "Weights grow linearly to the middle, which is the same up to size 3."
_ZEROS = "The padding is the convolution's own."

_AXES: list[tuple[str, str, Callable[[int, int, int], Taps]]] = [
    ("box filter in place of the binomial", "All weights are 1 / kernel_size.", partial(_blur, weight=_box)),
    ("triangle in place of the binomial", _GROWING, partial(_blur, weight=_triangle)),
    (
        "Gaussian in place of the binomial",
        "The filter is a sampled Gaussian.",
        partial(_blur, weight=_nearest_to_gauss),
    ),
    ("filter not normalised", "The weights aren't divided by their sum.", partial(_blur, weight=_unnormalised)),
    ("border of zeros in place of reflection", _ZEROS, partial(_blur, mode="zeros")),
    ("border repeated in place of reflection", "The padding's mode is replicate.", partial(_blur, mode="replicate")),
    ("outermost element reflected, too", "The padding's mode is symmetric.", partial(_blur, mode="symmetric")),
    ("border circular in place of reflection", "The padding's mode is circular.", partial(_blur, mode="circular")),
    ("larger half of an even filter before", "The padding before is kernel_size // 2.", _half_before),
    ("filter begins at the position, not around it", "There is no padding before.", partial(_blur, before=0)),
    ("subsampled before it is blurred", "The two steps are exchanged, so it aliases.", _subsampled_first),
    ("not blurred", "Only each stride-th value is kept.", _unblurred),
    ("other values kept by the stride", "The last value is kept, not the first.", _last_phase),
]


def _axes(input: Array, attributes: dict[str, Any]) -> list[tuple[int, int, int]]:
    rank = input.ndim - 2
    kernel, stride = (per_axis(name, attributes[name], rank, at_least=1) for name in ("kernel_size", "stride"))
    return list(zip(input.shape[2:], kernel, stride, strict=True))


def _blurred(input: Array, maps: list[Taps]) -> Array:
    return resample(np.ascontiguousarray(input), maps)


def _spread(grad_output: Array, maps: list[Taps]) -> InputGradient:
    return InputGradient(resample(np.ascontiguousarray(grad_output), transposed(maps)))


for _name, _cause, _along in _AXES:

    @wrong("blur_pool", _name, _cause)
    def _forward(input: Array, along: Any = _along, **attributes: Any) -> Array:
        return _blurred(input, [along(*axis) for axis in _axes(input, attributes)])

    @wrong("blur_pool_backward", _name, _cause)
    def _backward(grad_output: Array, input: Array, along: Any = _along, **attributes: Any) -> InputGradient:
        return _spread(grad_output, [along(*axis) for axis in _axes(input, attributes)])


def _misread(input: Array, attributes: dict[str, Any], change: Callable[[Any, Any], Any]) -> list[tuple[int, int, int]]:
    _, kernel, stride = zip(*_axes(input, attributes), strict=True)
    return list(zip(input.shape[2:], *change(kernel, stride), strict=True))


def _kernel_swapped(kernel: Any, stride: Any) -> Any:
    return kernel[::-1], stride


def _kernel_of_first(kernel: Any, stride: Any) -> Any:
    return kernel[:1] * len(kernel), stride


def _last_axis_only(kernel: Any, stride: Any) -> Any:
    return (*[1] * (len(kernel) - 1), kernel[-1]), stride


_ATTRIBUTES = [
    ("kernel swapped between axes", "The kernel's height is taken for its width.", _kernel_swapped),
    ("kernel size of the first axis used for all", "The filter is taken to be square.", _kernel_of_first),
    ("blurred along the last axis only", "The filter has one axis.", _last_axis_only),
]

for _name, _cause, _change in _ATTRIBUTES:

    @wrong("blur_pool", _name, _cause)
    def _changed(input: Array, change: Any = _change, **attributes: Any) -> Array:
        return _blurred(input, [_clipped(*axis) for axis in _misread(input, attributes, change)])

    @wrong("blur_pool_backward", _name, _cause)
    def _changed_backward(grad_output: Array, input: Array, change: Any = _change, **attributes: Any) -> InputGradient:
        return _spread(grad_output, [_clipped(*axis) for axis in _misread(input, attributes, change)])


def _clipped(size: int, kernel: int, stride: int) -> Taps:
    """Return the taps, with a border that is repeated where one reflection doesn't reach as far."""
    return _blur(size, kernel, stride, mode="reflect" if kernel <= 2 * size - 1 else "replicate")


@wrong("blur_pool", "stride swapped between axes", "The stride's entries are read as (x, y).")
def _stride_swapped(input: Array, **attributes: Any) -> Array:
    return _blurred(input, [_blur(*axis) for axis in _misread(input, attributes, lambda k, s: (k, s[::-1]))])


@wrong("blur_pool", "stride of the first axis used for all", "stride[0] is copied to every axis.")
def _stride_of_first(input: Array, **attributes: Any) -> Array:
    return _blurred(input, [_blur(*axis) for axis in _misread(input, attributes, lambda k, s: (k, s[:1] * len(s)))])


@wrong("blur_pool", "last, partial step dropped", "The output's size is rounded down.")
def _floored(input: Array, **attributes: Any) -> Array:
    output = refconv.blur_pool(input, **attributes)
    sizes = [max(size // stride, 1) for size, _, stride in _axes(input, attributes)]
    return np.ascontiguousarray(output[(slice(None), slice(None), *map(slice, sizes))])


@wrong("blur_pool", "every element of the batch gets the first one's result", "The batch's offset is missing.")
def _first_of_batch(input: Array, **attributes: Any) -> Array:
    return refconv.blur_pool(first_of_batch(input), **attributes)


@wrong("blur_pool", "every channel gets the first one's result", "The channel's offset is missing.")
def _first_channel(input: Array, **attributes: Any) -> Array:
    return refconv.blur_pool(first_channel(input), **attributes)


@wrong(
    "blur_pool_backward", "gradient copied to each position of a step", "The gradient is that of a nearest upsampling."
)
def _copied(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    grad = np.ascontiguousarray(grad_output)
    for axis, (size, _, stride) in enumerate(_axes(input, attributes), start=2):
        grad = grad.repeat(stride, axis).take(range(size), axis)
    return InputGradient(np.ascontiguousarray(grad))


@wrong(
    "blur_pool_backward",
    "gradient's reflected part assigned, not added",
    "`=` stands where `+=` should when the padding is folded back.",
)
def _folded(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    grad = np.ascontiguousarray(grad_output)
    for axis, (size, kernel, stride) in enumerate(_axes(input, attributes), start=2):
        before, after = (kernel - 1) // 2, kernel // 2
        room = max(size + before + after, (grad.shape[axis] - 1) * stride + kernel)
        positions = np.arange(grad.shape[axis])[:, None] * stride + np.arange(kernel)
        unfolded = taps(room, positions, np.broadcast_to(_binomial(kernel), positions.shape)).transposed()
        padded = _applied(grad, unfolded, axis)
        folded = np.ascontiguousarray(padded.take(range(before, before + size), axis))
        source = sources(size, before, after, "reflect")
        index: Any = (*[slice(None)] * axis, source[:before])
        folded[index] = padded.take(range(before), axis)
        grad = folded
    return InputGradient(grad)


def _applied(array: Array, map_: Taps, axis: int) -> Array:
    """Apply a map along one axis."""
    moved = np.moveaxis(array, axis, -1)
    found = resample(np.ascontiguousarray(moved).reshape(1, -1, moved.shape[-1]), [map_])
    return np.ascontiguousarray(np.moveaxis(found.reshape(*moved.shape[:-1], found.shape[-1]), -1, axis))
