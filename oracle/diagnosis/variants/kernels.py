"""What wrong convolutions are made of: windows that are misread, and correlations over whatever windows result.

Along each spatial axis of a signal, `positions` tell what the windows see, one entry after the other: a position of the
signal, or -1 for a zero. Correct or not, a convolution gathers them and correlates without padding; its gradient
scatters back to them, and a transposed convolution does the same in the other direction.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

import refconv
from refconv import ConvGradients
from refconv.arguments import Array
from refconv.geometry import Window, read_window

Change: TypeAlias = Callable[[Window], Window]
Positions: TypeAlias = list[Array]
Size: TypeAlias = tuple[int, ...]

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "symmetric": "symmetric"}
FIELDS = ("stride", "padding", "dilation")
TILE = 8


def read(weight: Array, attributes: Mapping[str, Any]) -> Window:
    """Return the window of a convolution or its transpose."""
    given = {"stride": 1, "padding": 0, "dilation": 1, **attributes}
    return read_window(weight.shape[2:], **{field: given[field] for field in FIELDS}, words=True)


def spelled(attributes: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """Return `attributes` with the fields of `window`."""
    return {**attributes, **{field: getattr(window, field) for field in FIELDS}}


def swapped(field: str) -> Change:
    """Have `field` read in the reverse order of axes."""
    return lambda window: window._replace(**{field: getattr(window, field)[::-1]})


def first_for_all(field: str) -> Change:
    """Have the first axis' `field` read for all axes."""
    return lambda window: window._replace(**{field: getattr(window, field)[:1] * len(window.kernel)})


def ignored(field: str) -> Change:
    """Have `field` be as if it weren't given."""
    nothing: Any = (0, 0) if field == "padding" else 1
    return lambda window: window._replace(**{field: (nothing,) * len(window.kernel)})


def sides_swapped(window: Window) -> Window:
    """Have the padding before come after, and the other way round."""
    return window._replace(padding=tuple((after, before) for before, after in window.padding))


def before_for_both(window: Window) -> Window:
    """Have the padding before hold for both sides."""
    return window._replace(padding=tuple((before, before) for before, _ in window.padding))


def end_dropped(window: Window) -> Window:
    """Have no padding after."""
    return window._replace(padding=tuple((before, 0) for before, _ in window.padding))


def step_within_kernel(window: Window) -> Window:
    """Have no stride larger than the kernel."""
    return window._replace(stride=tuple(map(min, window.kernel, window.stride)))


MIXED_UP = [
    *(
        (f"{field} swapped between axes", f"The {field} is read from the last axis to the first.", swapped(field))
        for field in FIELDS
    ),
    *(
        (f"the first axis' {field} used for all", f"The {field} is indexed by 0 for every axis.", first_for_all(field))
        for field in FIELDS
    ),
]
"""Mistakes that mix up the axes: name, cause, and what becomes of the window."""


def windows(size: Size, window: Window) -> Size:
    """Return how many windows fit along each axis, 0 where none does."""
    axes = zip(size, window.padding, window.extent, window.stride, strict=True)
    return tuple(max((length + sum(pair) - extent) // stride + 1, 0) for length, pair, extent, stride in axes)


def positions(size: Size, window: Window, mode: str = "zeros") -> Positions:
    """Return what lies where `window` looks: a signal of `size`, and around it what `mode` pads it with."""
    return [surrounded(length, pair, mode) for length, pair in zip(size, window.padding, strict=True)]


def surrounded(length: int, pair: tuple[int, int], mode: str) -> Array:
    """Return the positions of one axis, which `mode` has padded by `pair`."""
    inside = np.arange(length)
    if mode == "zeros":
        return np.pad(inside, pair, constant_values=-1)
    how: Any = _NUMPY_MODES[mode]
    return np.pad(inside, pair, mode=how)


def fitted(seen: Positions, window: Window, count: Size) -> Positions:
    """Return positions cut or continued by zeros to what `count` windows see."""
    spans = [(n - 1) * step + extent for n, step, extent in zip(count, window.stride, window.extent, strict=True)]
    return [
        np.pad(axis, (0, max(span - len(axis), 0)), constant_values=-1)[:span]
        for axis, span in zip(seen, spans, strict=True)
    ]


def gathered(signal: Array, seen: Positions) -> Array:
    """Return what lies at the positions."""
    for axis, entries in enumerate(seen, start=2):
        before = signal.take(np.maximum(entries, 0), axis)
        present = (entries >= 0).reshape(-1, *(1,) * (signal.ndim - 1 - axis))
        signal = np.where(present, before, signal.dtype.type(0))
    return signal


def scattered(values: Array, seen: Positions, size: Size) -> Array:
    """Return a signal of `size` that holds at each position the sum of the `values` that belong there."""
    for axis, (entries, length) in enumerate(zip(seen, size, strict=True), start=2):
        total = np.zeros((*values.shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
        index: Any = (*[slice(None)] * axis, entries[entries >= 0])
        with np.errstate(all="ignore"):
            np.add.at(total, index, values.compress(entries >= 0, axis))
        values = total
    return values


def correlated(
    signal: Array, weight: Array, bias: Array | None, window: Window, groups: int, seen: Positions, count: Size
) -> Array:
    """Return a convolution over `count` windows that look at the positions `seen`."""
    if 0 in count:
        return np.zeros((len(signal), len(weight), *count), signal.dtype)
    looked_at = gathered(signal, fitted(seen, window, count))
    return refconv.conv(looked_at, weight, bias, stride=window.stride, dilation=window.dilation, groups=groups)


def gradients(
    grad_output: Array, signal: Array, weight: Array, bias: Array | None, window: Window, groups: int, seen: Positions
) -> ConvGradients:
    """Return the gradients of :func:`correlated`."""
    seen = fitted(seen, window, grad_output.shape[2:])
    looked_at = gathered(signal, seen)
    grads = refconv.conv_backward(
        grad_output, looked_at, weight, bias, stride=window.stride, dilation=window.dilation, groups=groups
    )
    return grads._replace(input=scattered(grads.input, seen, signal.shape[2:]))


def spread(signal: Array, weight: Array, window: Window, groups: int, seen: Positions, size: Size) -> Array:
    """Return a transposed convolution, of an output of `size`, whose windows write to the positions `seen`."""
    blank = np.zeros((len(signal), weight.shape[1] * groups, *size), signal.dtype)
    return gradients(signal, blank, weight, None, window, groups, seen).input


def rotated(weight: Array) -> Array:
    """Return kernels rotated by 180°."""
    return np.ascontiguousarray(np.flip(weight, tuple(range(2, weight.ndim))))


def relabelled(array: Array, *axes: int) -> Array:
    """Return what an array holds if its memory is taken for that of its transpose, whose axes are `axes`."""
    order = np.argsort(axes)
    shape = [array.shape[axis] for axis in axes]
    return np.ascontiguousarray(np.ascontiguousarray(array).reshape(shape).transpose(order))


def reshaped(weight: Array) -> Array:
    """Return a matrix whose memory is taken for that of its transpose."""
    return relabelled(weight, 1, 0)


def column_by_column(weight: Array) -> Array:
    """Return kernels whose memory is read with the last two axes swapped, where there are two."""
    last = weight.ndim - 1
    return relabelled(weight, *range(last - 1), last, last - 1) if last > 2 else weight


def channels_relabelled(weight: Array, groups: int) -> Array:
    """Return kernels whose input and output channels are confused, within each group."""
    out_channels, per_group, *kernel = weight.shape
    blocks = np.ascontiguousarray(weight).reshape(groups, per_group, out_channels // groups, *kernel)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(weight.shape)


def channels_swapped(weight: Array, groups: int) -> Array:
    """Return kernels (in, out) as (out, in), or the other way round, within each group."""
    blocks = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(blocks).reshape(-1, *blocks.shape[2:])


def channels_transposed(weight: Array, groups: int) -> Array:
    """Return kernels written to memory as (in, out) where (out, in) is read, within each group."""
    out_channels, per_group, *kernel = weight.shape
    blocks = weight.reshape(groups, out_channels // groups, per_group, *kernel)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(weight.shape)


def assigned_where_windows_overlap(
    grad_output: Array, signal: Array, weight: Array, window: Window, groups: int, seen: Positions
) -> Array:
    """Return the gradient of `signal` in which each window overwrites what others have written, in row-major order."""
    count = grad_output.shape[2:]
    seen = fitted(seen, window, count)
    result = np.zeros_like(signal, order="C")
    kernels = weight.reshape(groups, -1, *weight.shape[1:])
    for place in np.ndindex(*count):
        grad = grad_output[(..., *place)].reshape(len(grad_output), groups, kernels.shape[1])
        with np.errstate(all="ignore"):
            share = np.einsum("ngo,goc...->ngc...", grad, kernels).reshape(*signal.shape[:2], *window.kernel)
        starts = [n * step for n, step in zip(place, window.stride, strict=True)]
        axes = zip(seen, starts, window.extent, window.dilation, strict=True)
        looked_at = [axis[start : start + extent : dilation] for axis, start, extent, dilation in axes]
        inside = [entries >= 0 for entries in looked_at]
        index: Any = np.ix_(*(entries[kept] for entries, kept in zip(looked_at, inside, strict=True)))
        result[(slice(None), slice(None), *index)] = share[(slice(None), slice(None), *np.ix_(*inside))]
    return result


def first_group(signal: Array, groups: int) -> Array:
    """Return a signal each of whose groups of channels holds the first."""
    return np.concatenate([signal[:, : signal.shape[1] // groups]] * groups, axis=1)


def interleaved(channels: int, groups: int) -> Array:
    """Return the channels in the order in which every ``groups``-th belongs together."""
    order: Array = np.arange(channels).reshape(-1, groups).T.ravel()
    return order


def with_zeros(array: Array, index: Any) -> Array:
    """Return `array` with zeros at `index`."""
    result = array.copy(order="C")
    result[index] = 0
    return result


def only(array: Array, index: Any) -> Array:
    """Return `array` with zeros at all but `index`."""
    result = np.zeros(array.shape, array.dtype)
    result[index] = array[index]
    return result


def shared(total: Array | None, count: int) -> Any:
    """Return a sum, if there is one, divided by how many it is of."""
    return None if total is None else np.divide(total, total.dtype.type(max(count, 1)), order="C")


def times(summand: Array | None, count: int) -> Any:
    """Return what is added, if there is anything, as often as it is added."""
    with np.errstate(all="ignore"):
        return None if summand is None else summand * summand.dtype.type(count)


def beyond_tiles(length: int, tile: int = TILE) -> slice:
    """Return what lies beyond the last full tile, if there is a full one."""
    return slice(length // tile * tile if length > tile else length, None)
