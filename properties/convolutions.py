"""Cases of `conv`, `conv_transpose` and `locally_connected`, whose sizes are derived: all are valid as they are built.

Each axis has its own kernel, stride, dilation and padding on either side, since symmetric cases hide swapped axes.
All shrink towards one axis, one channel, a batch of one, windows of one tap, and small integers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import hypothesis.strategies as st

from properties.arrays import CONTENTS
from properties.case import Case
from properties.filling import Filling, layouts
from properties.sizes import BATCHES, Focus, focuses
from properties.tables import SEEDS, picked
from refconv.geometry import output_size, read_window, transposed_output_size
from refconv.padding import MODES


class Axis(NamedTuple):
    """One spatial axis as it is drawn; windows begin at position 0, the slack is what lies beyond the last of them."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    last_window: int
    slack: int

    @property
    def extent(self) -> int:
        """The positions that a window spans."""
        return self.dilation * (self.kernel - 1) + 1


class Call(NamedTuple):
    """What is drawn for the call as a whole; `per_in` and `per_out` are the channels of one group."""

    batch: int
    groups: int
    per_in: int
    per_out: int
    bias: bool
    padding: str  # how it is chosen
    padding_mode: str
    spelled_out: bool  # each axis by itself, even if all are alike
    kind: str  # of the arrays' content
    seed: int
    layouts: tuple[str, str, str]  # of grad_output, input and weight
    undilated: bool  # along every axis, where libraries have code of its own; so with the strides
    unstrided: bool
    thin: str  # along which axes the input has size 1, whose strides mean nothing: "none", "all", or an axis' number
    focus: Focus


# The most that is drawn for each field of an axis: more axes, shorter ones.
_MOST = {
    1: Axis(kernel=6, stride=5, dilation=4, before=7, after=7, last_window=7, slack=4),
    2: Axis(kernel=4, stride=4, dilation=3, before=5, after=5, last_window=4, slack=3),
    3: Axis(kernel=3, stride=3, dilation=2, before=3, after=3, last_window=2, slack=2),
}
_LEAST = Axis(kernel=1, stride=1, dilation=1, before=0, after=0, last_window=0, slack=0)
_ARRAYS = ("grad_output", "input", "weight", "bias")
_GROUPED = {"inputs": 8, "outputs": 6, "columns": 7, "depthwise": 13, "batch": 9}
_TRANSPOSED = {"inputs": 6, "outputs": 6, "columns": 14, "depthwise": 12, "batch": 2}
_UNGROUPED = {"inputs": 7, "outputs": 7, "columns": 7}
_CONV = ("symmetric", "valid", "same", "asymmetric", "same", "asymmetric"), ("zeros", *MODES, "circular", "zeros")
_CONV_TRANSPOSE = ("symmetric", "asymmetric"), ("zeros",)


def conv_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `conv`."""
    return _cases(_conv_case, dtype, *_CONV, _GROUPED)


def conv_transpose_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `conv_transpose`."""
    return _cases(_conv_transpose_case, dtype, *_CONV_TRANSPOSE, _TRANSPOSED)


def locally_connected_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `locally_connected`."""
    return _cases(_locally_connected_case, dtype, ("symmetric", "asymmetric"), ("zeros",), _UNGROUPED)


def _cases(
    build: Callable[..., Case],
    dtype: str,
    paddings: Sequence[str],
    padding_modes: Sequence[str],
    focused: Mapping[str, int],
) -> st.SearchStrategy[Case]:
    call: dict[str, st.SearchStrategy[Any]] = {
        "batch": st.sampled_from(BATCHES),
        "groups": st.sampled_from((1, 1, 2, 3, 4)),
        "per_in": st.integers(1, 4),
        "per_out": st.integers(1, 4),
        "bias": st.booleans(),
        "padding": st.sampled_from(paddings),
        "padding_mode": st.sampled_from(padding_modes),
        "spelled_out": st.booleans(),
        "kind": st.sampled_from(tuple(CONTENTS)),
        "seed": SEEDS,
        "layouts": picked(layouts(3)),
        "undilated": st.sampled_from((True, False)),
        "unstrided": st.sampled_from((True, False, False)),
        "thin": st.sampled_from(("none", "none", "none", "0", "1", "2", "all", "none", "none")),
        "focus": focuses(**focused),
    }
    axis = {rank: [st.integers(*range_) for range_ in zip(_LEAST, most, strict=True)] for rank, most in _MOST.items()}
    # One flat tuple for each rank: nested ones are slower to draw.
    drawn = st.one_of([st.tuples(*call.values(), *axis[rank] * rank) for rank in _MOST])

    def case(fields: tuple[Any, ...]) -> Case:
        values = iter(fields)
        drawn_call = Call(**{name: next(values) for name in call})
        axes = [Axis(*each) for each in zip(*[values] * len(Axis._fields), strict=True)]
        drawn_call, axes = _focused(drawn_call, axes)
        return build(dtype, drawn_call, _alike(axes, drawn_call))

    return drawn.map(case)


def _focused(call: Call, axes: list[Axis]) -> tuple[Call, list[Axis]]:
    """Give the size in focus to what it is of, and make the rest small."""
    what, size = call.focus
    if not what:
        return call, axes
    small = call._replace(batch=min(call.batch, 1), groups=1, per_in=min(call.per_in, 2), per_out=min(call.per_out, 2))
    last = axes[-1]._replace(kernel=min(axes[-1].kernel, 3), last_window=min(axes[-1].last_window, 3))
    if what == "batch":
        small = small._replace(padding="symmetric", padding_mode="zeros", kind="integer")
        return small._replace(batch=size, per_in=1, per_out=1), [_LEAST]
    if what == "depthwise":
        halved = last._replace(kernel=min(last.kernel + 1, 3), stride=2, before=1, after=1)
        small = small._replace(padding="symmetric", padding_mode="zeros", undilated=True, unstrided=False, thin="none")
        small = small._replace(groups=size, per_in=1, per_out=1)
        return small, [halved._replace(last_window=1 + axis.last_window % 3) for axis in axes[-2:]]
    if what == "columns":
        most = last.kernel // 2  # more padding crops the last columns of what is transposed
        kept = last._replace(before=min(last.before, most), after=min(last.after, most))
        return small._replace(thin="none"), [kept._replace(stride=min(last.stride, 2), last_window=size - 1, slack=0)]
    return small._replace(per_in=size) if what == "inputs" else small._replace(per_out=size), [last]


def _conv_case(dtype: str, call: Call, axes: list[Axis]) -> Case:
    axes = [_conv_axis(axis, call) for axis in axes]
    size = tuple(_conv_size(axis, call) for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    window = _window_attributes(axes, call)
    if call.padding in ("valid", "same"):
        window["padding"] = call.padding
    out = output_size(size, read_window(kernel, **window, words=True))
    out_channels = call.groups * call.per_out
    shapes = (
        (call.batch, out_channels, *out),
        (call.batch, call.groups * call.per_in, *size),
        (out_channels, call.per_in, *kernel),
        (out_channels,) if call.bias else None,
    )
    attributes = {**window, "groups": call.groups, "padding_mode": call.padding_mode}
    return _filling(call).case("conv", attributes, dict(zip(_ARRAYS, shapes, strict=True)), dtype)


def _conv_transpose_case(dtype: str, call: Call, axes: list[Axis]) -> Case:
    axes = [_conv_transpose_axis(axis, call) for axis in axes]
    extra = tuple(_output_padding(axis) for axis in axes)
    size = tuple(_conv_transpose_size(axis) for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    window = _window_attributes(axes, call)
    out = transposed_output_size(size, read_window(kernel, **window), extra)
    in_channels, out_channels = call.groups * call.per_in, call.groups * call.per_out
    shapes = (
        (call.batch, out_channels, *out),
        (call.batch, in_channels, *size),
        (in_channels, call.per_out, *kernel),
        (out_channels,) if call.bias else None,
    )
    attributes = {**window, "output_padding": _spelled(extra, call), "groups": call.groups}
    return _filling(call).case("conv_transpose", attributes, dict(zip(_ARRAYS, shapes, strict=True)), dtype)


def _locally_connected_case(dtype: str, call: Call, axes: list[Axis]) -> Case:
    axes = [_conv_axis(axis, call) for axis in axes]
    size = tuple(_conv_size(axis, call) for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    window = _window_attributes(axes, call)
    out = output_size(size, read_window(kernel, **window))
    shapes = (
        (call.batch, call.per_out, *out),
        (call.batch, call.per_in, *size),
        (call.per_out, *out, call.per_in, *kernel),
        (call.per_out, *out) if call.bias else None,
    )
    return _filling(call).case("locally_connected", window, dict(zip(_ARRAYS, shapes, strict=True)), dtype)


def _filling(call: Call) -> Filling:
    return Filling(call.kind, call.seed, call.layouts)


def _alike(axes: list[Axis], call: Call) -> list[Axis]:
    if call.undilated and call.padding != "same":
        axes = [axis._replace(dilation=1) for axis in axes]
    if call.unstrided:
        axes = [axis._replace(stride=1) for axis in axes]
    if call.thin == "none":
        return axes
    return [
        _thin(axis, call.padding) if call.thin == "all" or int(call.thin) % len(axes) == number else axis
        for number, axis in enumerate(axes)
    ]


def _thin(axis: Axis, padding: str) -> Axis:
    if padding == "valid":
        return axis._replace(kernel=1, last_window=0, slack=0)
    before = (axis.extent - 1) // 2
    return axis._replace(last_window=0, slack=0, before=before, after=axis.extent - 1 - before)


def _padded(axis: Axis, padding: str) -> Axis:
    if padding == "symmetric":
        side = max(axis.before, axis.after)
        return axis._replace(before=side, after=side)
    if padding == "valid":
        return axis._replace(before=0, after=0)
    if padding == "same":
        return axis._replace(stride=1, before=(axis.extent - 1) // 2, after=axis.extent // 2)
    return axis


def _conv_axis(axis: Axis, call: Call) -> Axis:
    if call.padding == "same" and call.seed % 2:  # an odd number of positions to pad
        axis = axis._replace(kernel=axis.kernel + axis.kernel % 2, dilation=axis.dilation | 1)
    axis = _padded(axis, call.padding)
    if call.padding == "asymmetric" and call.padding_mode == "circular" and call.seed % 2:
        axis = axis._replace(after=0)
    size = _conv_size(axis, call)
    windows = (size + axis.before + axis.after - axis.extent) // axis.stride + 1
    return axis._replace(before=0, after=0) if call.padding_mode == "zeros" and _blind(axis, windows, size) else axis


def _conv_size(axis: Axis, call: Call) -> int:
    padded = axis.last_window * axis.stride + axis.extent + axis.slack % axis.stride
    longer = max(axis.before, axis.after)
    needed = {"reflect": longer + 1, "circular": longer}.get(call.padding_mode, 1)
    return max(padded - axis.before - axis.after, needed, 1)


def _conv_transpose_axis(axis: Axis, call: Call) -> Axis:
    axis = _padded(axis, call.padding)
    windows = _conv_transpose_size(axis)
    size = (windows - 1) * axis.stride - axis.before - axis.after + axis.extent + _output_padding(axis)
    return axis._replace(before=0, after=0) if _blind(axis, windows, size) else axis


def _conv_transpose_size(axis: Axis) -> int:
    missing = axis.before + axis.after + 1 - axis.extent - _output_padding(axis)
    return 1 + max(axis.last_window, -(-missing // axis.stride))


def _output_padding(axis: Axis) -> int:
    return axis.slack % max(axis.stride, axis.dilation)


def _blind(axis: Axis, windows: int, size: int) -> bool:
    """Whether no tap of any window falls within `size`: then all results are zero, and prove nothing."""
    taps = range(-axis.before, axis.extent - axis.before, axis.dilation)
    return not any(0 <= tap + window * axis.stride < size for window in range(windows) for tap in taps)


def _window_attributes(axes: list[Axis], call: Call) -> dict[str, Any]:
    sides = tuple((axis.before, axis.after) if call.padding == "asymmetric" else axis.before for axis in axes)
    return {
        "stride": _spelled(tuple(axis.stride for axis in axes), call),
        "padding": _spelled(sides, call),
        "dilation": _spelled(tuple(axis.dilation for axis in axes), call),
    }


def _spelled(entries: tuple[object, ...], call: Call) -> object:
    short = not call.spelled_out and isinstance(entries[0], int) and len(set(entries)) == 1
    return entries[0] if short else entries


STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    "conv": conv_cases,
    "conv_transpose": conv_transpose_cases,
    "locally_connected": locally_connected_cases,
}
