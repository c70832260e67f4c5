"""Cases of `conv` and `conv_transpose`: sizes are derived from what is drawn, so every case is valid as it is built.

Each axis has its own kernel, stride, dilation and padding on either side, since symmetric cases hide swapped axes.
All shrink towards one axis, one channel, a batch of one, windows of one tap, and small integers.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple

import hypothesis.strategies as st

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case
from refconv.geometry import output_size, read_window, transposed_output_size


class Axis(NamedTuple):
    """One spatial axis as it is drawn; windows begin at position 0, the slack is what lies beyond the last of them."""

    kernel: int
    stride: int
    dilation: int
    sides: tuple[int, int]  # the padding before and after
    last: tuple[int, int]  # the last position, in strides, and the slack

    @property
    def extent(self) -> int:
        """The positions that a window spans."""
        return self.dilation * (self.kernel - 1) + 1


class Channels(NamedTuple):
    """The batch and the channels."""

    batch_bias: tuple[int, bool]
    groups: int
    per_group: tuple[int, int]  # in and out


class Contents(NamedTuple):
    """What the arrays hold, and how grad_output, the input and the weight lie in memory."""

    kind: str
    seed: int
    layouts: tuple[str, str, str]


class Style(NamedTuple):
    """How the padding is chosen, and whether attributes that are equal on all axes are still spelled out for each."""

    padding: str
    padding_mode: str
    spelled_out: bool


def _choice(*options: Iterable[object]) -> st.SearchStrategy[Any]:
    """Draw one entry of each of `options` at once, which costs a third; shrinks towards the first of each alike."""
    ranked = [list(enumerate(entries)) for entries in options]
    rows = sorted(product(*ranked), key=lambda row: sum(index for index, _ in row))
    return st.sampled_from([tuple(entry for _, entry in row) for row in rows])


# The most that is drawn for a kernel, stride, dilation, padding, last position and slack: more axes, shorter ones.
_MOST = {1: (6, 5, 4, 7, 7, 4), 2: (4, 4, 3, 5, 4, 3), 3: (3, 3, 2, 3, 2, 2)}

_LAYOUTS = ("contiguous", *LAYOUTS)
_channels = st.tuples(
    _choice((1, 2, 3) * 8 + (0,), (False, True)),
    st.sampled_from((1, 1, 2, 3, 4)),
    _choice(range(1, 5), range(1, 5)),
)
_contents = st.tuples(
    st.sampled_from(tuple(CONTENTS)), st.integers(0, 2**32 - 1), _choice(_LAYOUTS, _LAYOUTS, _LAYOUTS)
)
_conv_style = _choice(
    ("symmetric", "valid", "same", "asymmetric", "symmetric", "asymmetric"),
    ("zeros", "zeros", "zeros", "reflect", "replicate", "circular"),
    (False, True),
)
_conv_transpose_style = _choice(("symmetric", "asymmetric"), ("zeros",), (False, True))


def _axes(rank: int) -> st.SearchStrategy[tuple[Any, ...]]:
    kernel, stride, dilation, padding, last_position, slack = _MOST[rank]
    axis = st.tuples(
        st.integers(1, kernel),
        st.integers(1, stride),
        st.integers(1, dilation),
        _choice(range(padding + 1), range(padding + 1)),
        _choice(range(last_position + 1), range(slack + 1)),
    )
    return st.tuples(*[axis] * rank)


_any_axes = st.one_of([_axes(rank) for rank in _MOST])


def conv_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `conv`."""
    return _cases(_conv_case, dtype, _conv_style)


def conv_transpose_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `conv_transpose`."""
    return _cases(_conv_transpose_case, dtype, _conv_transpose_style)


def _cases(build: Callable[..., Case], dtype: str, style: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
    def case(drawn: tuple[Any, ...]) -> Case:
        axes, channels, style, contents = drawn
        return build(
            dtype, tuple(Axis(*axis) for axis in axes), Channels(*channels), Style(*style), Contents(*contents)
        )

    return st.tuples(_any_axes, _channels, style, _contents).map(case)


def _conv_case(dtype: str, axes: tuple[Axis, ...], channels: Channels, style: Style, contents: Contents) -> Case:
    (batch, bias), groups, (per_in, per_out) = channels
    axes = tuple(_conv_axis(axis, style) for axis in axes)
    size = tuple(_conv_size(axis, style) for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    window = _window_attributes(axes, style)
    if style.padding in ("valid", "same"):
        window["padding"] = style.padding
    out = output_size(size, read_window(kernel, **window, words=True))
    shapes = (
        (batch, groups * per_out, *out),
        (batch, groups * per_in, *size),
        (groups * per_out, per_in, *kernel),
        (groups * per_out,) if bias else None,
    )
    attributes = {**window, "groups": groups, "padding_mode": style.padding_mode}
    return _case("conv", attributes, shapes, dtype, contents)


def _conv_transpose_case(
    dtype: str, axes: tuple[Axis, ...], channels: Channels, style: Style, contents: Contents
) -> Case:
    (batch, bias), groups, (per_in, per_out) = channels
    axes = tuple(_conv_transpose_axis(axis, style) for axis in axes)
    extra = tuple(_output_padding(axis) for axis in axes)
    size = tuple(_conv_transpose_size(axis) for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    window = _window_attributes(axes, style)
    out = transposed_output_size(size, read_window(kernel, **window), extra)
    shapes = (
        (batch, groups * per_out, *out),
        (batch, groups * per_in, *size),
        (groups * per_in, per_out, *kernel),
        (groups * per_out,) if bias else None,
    )
    attributes = {**window, "output_padding": _spelled(extra, style), "groups": groups}
    return _case("conv_transpose", attributes, shapes, dtype, contents)


def _padded(axis: Axis, padding: str) -> Axis:
    before, _ = axis.sides
    if padding == "symmetric":
        return axis._replace(sides=(before, before))
    if padding == "valid":
        return axis._replace(sides=(0, 0))
    if padding == "same":
        return axis._replace(stride=1, sides=((axis.extent - 1) // 2, axis.extent // 2))
    return axis


def _conv_axis(axis: Axis, style: Style) -> Axis:
    axis = _padded(axis, style.padding)
    size = _conv_size(axis, style)
    windows = (size + sum(axis.sides) - axis.extent) // axis.stride + 1
    return axis._replace(sides=(0, 0)) if style.padding_mode == "zeros" and _blind(axis, windows, size) else axis


def _conv_size(axis: Axis, style: Style) -> int:
    last_position, slack = axis.last
    padded = last_position * axis.stride + axis.extent + slack % axis.stride
    needed = {"reflect": max(axis.sides) + 1, "circular": max(axis.sides)}
    return max(padded - sum(axis.sides), needed.get(style.padding_mode, 1), 1)


def _conv_transpose_axis(axis: Axis, style: Style) -> Axis:
    axis = _padded(axis, style.padding)
    windows = _conv_transpose_size(axis)
    size = (windows - 1) * axis.stride - sum(axis.sides) + axis.extent + _output_padding(axis)
    return axis._replace(sides=(0, 0)) if _blind(axis, windows, size) else axis


def _conv_transpose_size(axis: Axis) -> int:
    last_position, _ = axis.last
    missing = sum(axis.sides) + 1 - axis.extent - _output_padding(axis)
    return 1 + max(last_position, -(-missing // axis.stride))


def _output_padding(axis: Axis) -> int:
    _, slack = axis.last
    return slack % max(axis.stride, axis.dilation)


def _blind(axis: Axis, windows: int, size: int) -> bool:
    """Whether no tap of any window falls within `size`: then all results are zero, and prove nothing."""
    first = -axis.sides[0]
    taps = range(first, first + axis.extent, axis.dilation)
    return not any(0 <= tap + window * axis.stride < size for window in range(windows) for tap in taps)


def _window_attributes(axes: tuple[Axis, ...], style: Style) -> dict[str, Any]:
    sides = tuple(axis.sides if style.padding == "asymmetric" else axis.sides[0] for axis in axes)
    return {
        "stride": _spelled(tuple(axis.stride for axis in axes), style),
        "padding": _spelled(sides, style),
        "dilation": _spelled(tuple(axis.dilation for axis in axes), style),
    }


def _spelled(entries: tuple[object, ...], style: Style) -> object:
    short = not style.spelled_out and isinstance(entries[0], int) and len(set(entries)) == 1
    return entries[0] if short else entries


def _case(
    operator: str,
    attributes: dict[str, object],
    shapes: tuple[tuple[int, ...] | None, ...],
    dtype: str,
    contents: Contents,
) -> Case:
    seeds = range(contents.seed, contents.seed + len(shapes))
    arrays: list[Any] = [
        None if shape is None else content(contents.kind, shape, dtype, seed)
        for shape, seed in zip(shapes, seeds, strict=True)
    ]
    arrays[:3] = [lay_out(array, layout) for array, layout in zip(arrays, contents.layouts, strict=False)]
    grad_output, *inputs = arrays
    return Case(operator, tuple(inputs), attributes, grad_output)
