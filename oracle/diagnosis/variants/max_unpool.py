"""Wrong partial inverses of maximum pooling."""

from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_channel, first_of_batch
from oracle.diagnosis.variants.windows import Sizes, scattered
from refconv import InputGradient
from refconv.arguments import Array, per_axis
from refconv.maxima import flat_planes

wrong = Catalogue()


def _sizes(input: Array, output_size: Any) -> Sizes:
    return per_axis("output_size", output_size, input.ndim - 2, at_least=1)


def _scattered(input: Array, at: Array, sizes: Sizes, *, add: bool = False) -> Array:
    """Return `input` at flat positions `at` of a channel, where they lie in it."""
    like = np.empty((*input.shape[:2], *sizes), input.dtype)
    inside = np.where(at < np.prod(sizes), at, -1)
    return scattered(flat_planes(np.ascontiguousarray(input)), flat_planes(inside), like, add=add)


def _gathered(grad_output: Array, at: Array) -> Array:
    """Return what stands at flat positions `at` of a channel, 0 where that has ended."""
    grad = flat_planes(np.ascontiguousarray(grad_output))
    places = flat_planes(np.ascontiguousarray(at))
    inside = (places >= 0) & (places < grad.shape[1])
    found = np.take_along_axis(grad, np.where(inside, places, 0), axis=1)
    return np.where(inside, found, np.zeros((), grad.dtype)).reshape(at.shape)


def _together(indices: Array) -> Array:
    """Return which elements of a channel go to the same place as which, ``(planes, elements, elements)``."""
    planes = flat_planes(np.ascontiguousarray(indices))
    return np.asarray(planes[:, :, None] == planes[:, None, :])


def _first_of(indices: Array) -> Array:
    """Return which elements are the first that go to their place."""
    return np.asarray(~np.tril(_together(indices), -1).any(axis=2)).reshape(indices.shape)


def _transposed(indices: Array, sizes: Sizes) -> Array:
    """Return row-major positions where `indices` are column-major."""
    found = np.ravel_multi_index(np.unravel_index(indices, sizes, order="F"), sizes)
    return np.asarray(found, np.int64).reshape(indices.shape)


def _in_input(indices: Array, sizes: Sizes) -> Array:
    """Return the positions where rows are as far apart as in the pooled input."""
    flat = np.zeros(indices.shape, np.int64)
    for at, size in zip(np.unravel_index(indices, sizes), indices.shape[2:], strict=True):
        flat = flat * size + at
    return flat


def _corners(indices: Array, sizes: Sizes) -> Array:
    """Return the first position of each window, if windows lie side by side."""
    flat = np.zeros(indices.shape[2:], np.int64)
    for axis, (outputs, size) in enumerate(zip(indices.shape[2:], sizes, strict=True)):
        begin = np.arange(outputs) * (size // outputs)
        flat = flat * size + begin.reshape(-1, *[1] * (len(sizes) - axis - 1))
    return np.broadcast_to(flat, indices.shape)


def _in_whole(indices: Array, sizes: Sizes) -> Array:
    """Return the positions, within each channel, of `indices` that count over the whole output."""
    planes = np.arange(indices.shape[0] * indices.shape[1]).reshape(*indices.shape[:2], *[1] * len(sizes))
    return np.asarray(indices - planes * int(np.prod(sizes)))


# Read by both directions: where elements go.

_MISPLACED = (
    ("indices taken for column-major ones", "They are split into positions from the first axis.", _transposed),
    ("indices spread by the input's row length", "The row's offset is that of the pooled input.", _in_input),
    (
        "indices ignored, each goes to its window's corner",
        "Values are put at multiples of the ratio of sizes.",
        _corners,
    ),
)

for _name, _cause, _misplaced in _MISPLACED:

    @wrong("max_unpool", _name, _cause)
    def _forward(input: Array, indices: Array, *, output_size: Any, at: Any = _misplaced) -> Array:
        sizes = _sizes(input, output_size)
        return _scattered(input, at(indices, sizes), sizes)

    @wrong("max_unpool_backward", _name, _cause)
    def _backward(
        grad_output: Array, input: Array, indices: Array, *, output_size: Any, at: Any = _misplaced
    ) -> InputGradient:
        return InputGradient(_gathered(grad_output, at(indices, _sizes(input, output_size))))


@wrong("max_unpool", "indices count over the whole output", "They are taken for ONNX's: all go to the first channel.")
def _whole(input: Array, indices: Array, *, output_size: Any) -> Array:
    sizes = _sizes(input, output_size)
    result = np.zeros((*input.shape[:2], *sizes), input.dtype)
    result.reshape(-1)[indices.ravel()] = input.ravel()
    return result


@wrong("max_unpool_backward", "indices count over the whole output", "They are taken for ONNX's: all read one channel.")
def _whole_backward(grad_output: Array, input: Array, indices: Array, **_: Any) -> InputGradient:
    return InputGradient(np.asarray(grad_output.ravel()[indices.ravel()]).reshape(input.shape))


@wrong("max_unpool", "output_size swapped between axes", "The output's size is read as (x, y).")
def _swapped(input: Array, indices: Array, *, output_size: Any) -> Array:
    return refconv.max_unpool(input, indices, output_size=_sizes(input, output_size)[::-1])


@wrong("max_unpool", "every element of the batch gets the first one's indices", "The batch's offset is missing.")
def _first_of_batch(input: Array, indices: Array, **attributes: Any) -> Array:
    return refconv.max_unpool(input, first_of_batch(indices), **attributes)


@wrong("max_unpool", "every channel gets the first one's indices", "The channel's offset is missing.")
def _first_channel(input: Array, indices: Array, **attributes: Any) -> Array:
    return refconv.max_unpool(input, first_channel(indices), **attributes)


@wrong("max_unpool_backward", "every channel gets the first one's indices", "The channel's offset is missing.")
def _first_channel_backward(grad_output: Array, input: Array, indices: Array, **attributes: Any) -> InputGradient:
    return refconv.max_unpool_backward(grad_output, input, first_channel(indices), **attributes)


@wrong(
    "max_unpool", "rest of the output is not zeroed", "The output is allocated without being filled.", unwritten=True
)
def _unwritten(input: Array, indices: Array, **attributes: Any) -> Array:
    written = refconv.max_unpool(np.ones_like(input), indices, **attributes) != 0
    output = refconv.max_unpool(input, indices, **attributes)
    output[~written] = np.nan
    return output


@wrong(
    "max_unpool",
    "values that aren't finite make the rest NaN",
    "Values are multiplied with a mask of 0 and 1.",
    thread="tinygrad/tinygrad#11784",
)
def _masked(input: Array, indices: Array, **attributes: Any) -> Array:
    output = refconv.max_unpool(input, indices, **attributes)
    written = refconv.max_unpool(np.ones_like(input), indices, **attributes) != 0
    spoilt = ~np.isfinite(input).all(axis=tuple(range(2, input.ndim)), keepdims=True)
    output[spoilt & ~written] = np.nan
    return output


# Several elements that go to the same place.


@wrong(
    "max_unpool",
    "elements that go to the same place are added",
    "The values are scattered by `+=`, or by an atomic add.",
)
def _added(input: Array, indices: Array, *, output_size: Any) -> Array:
    return _scattered(input, indices, _sizes(input, output_size), add=True)


@wrong("max_unpool", "first of elements that go to the same place kept", "Values are put where nothing stands yet.")
def _first_kept(input: Array, indices: Array, *, output_size: Any) -> Array:
    return _scattered(input, np.where(_first_of(indices), indices, -1), _sizes(input, output_size))


@wrong("max_unpool", "largest of elements that go to the same place kept", "Values are scattered by an atomic maximum.")
def _largest_kept(input: Array, indices: Array, *, output_size: Any) -> Array:
    order = np.argsort(flat_planes(np.ascontiguousarray(input)), axis=1, kind="stable")
    values, at = (
        np.take_along_axis(flat_planes(np.ascontiguousarray(array)), order, axis=1).reshape(input.shape)
        for array in (input, indices)
    )
    return _scattered(values, at, _sizes(input, output_size))


@wrong(
    "max_unpool_backward",
    "all elements that go to the same place get its gradient",
    "The gradient is gathered, without regard to which element was kept.",
    thread="pytorch/pytorch#80827",
)
def _all_get(grad_output: Array, input: Array, indices: Array, **_: Any) -> InputGradient:
    return InputGradient(_gathered(grad_output, indices).reshape(input.shape))


@wrong(
    "max_unpool_backward",
    "first of elements that go to the same place gets its gradient",
    "Places are marked as taken from the front, while the forward keeps the last.",
)
def _first_gets(grad_output: Array, input: Array, indices: Array, **_: Any) -> InputGradient:
    return InputGradient(np.where(_first_of(indices), _gathered(grad_output, indices), np.zeros((), input.dtype)))


@wrong(
    "max_unpool_backward",
    "gradient shared among the elements that go to the same place",
    "The gradient is divided by how many there are, as if the forward averaged them.",
)
def _shared(grad_output: Array, input: Array, indices: Array, **_: Any) -> InputGradient:
    count = _together(indices).sum(axis=2).reshape(indices.shape)
    return InputGradient((_gathered(grad_output, indices) / count).astype(input.dtype))
