"""Wrong average pooling: windows that are misread, and divisors that count something else."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.arrays import first_channel, first_of_batch
from oracle.diagnosis.variants.general import (
    in_double,
    in_half,
    incomplete_key,
    nan_lost,
    raising_on_an_empty_batch,
    strides_ignored,
)
from oracle.diagnosis.variants.windows import (
    PADDINGS,
    STEPS,
    Attributes,
    Misreading,
    Sizes,
    floored_outputs,
    lost_without_ceil,
    misread,
    outputs_of,
    outputs_with_windows_in_padding,
    places,
    scattered,
    window_of,
)
from refconv import InputGradient
from refconv.arguments import Array
from refconv.averages import Averages, averages, shares
from refconv.geometry import Window
from refconv.maxima import flat_planes, window_taps
from refconv.resampling import Ranges

wrong = Catalogue()


class _Axis(NamedTuple):
    """The windows along an axis: where they begin, their size, and the axis's own."""

    begin: Array
    kernel: int
    size: int
    before: int
    after: int

    def span(self, first: int, last: int) -> Array:
        """Return how much of each window lies from `first` to before `last`."""
        return np.asarray((self.begin + self.kernel).clip(first, last) - self.begin.clip(first, last))


def _input_only(axis: _Axis) -> Array:
    return axis.span(0, axis.size)


def _with_padding(axis: _Axis) -> Array:
    return axis.span(-axis.before, axis.size + axis.after)


def _whole(axis: _Axis) -> Array:
    return np.full(len(axis.begin), axis.kernel)


def _axes(input: Array, window: Window, outputs: Sizes) -> list[_Axis]:
    axes = zip(input.shape[2:], outputs, window.kernel, window.stride, window.padding, strict=True)
    return [
        _Axis(np.arange(windows) * stride - before, kernel, size, before, after)
        for size, windows, kernel, stride, (before, after) in axes
    ]


def _call(
    input: Array,
    attributes: Attributes,
    window: Window,
    outputs: Sizes,
    count: Callable[[_Axis], Array] | None = None,
) -> Averages:
    """Return the windows and divisors: what `count` says of each axis, by default what the attributes do."""
    axes = _axes(input, window, outputs)
    count = count or (_with_padding if attributes["count_include_pad"] else _input_only)
    override = attributes["divisor_override"]
    counts = reduce(np.multiply.outer, [count(axis).astype(np.float64) for axis in axes]).clip(1)
    windows = tuple(
        Ranges(axis.size, axis.begin.clip(0, axis.size), (axis.begin + axis.kernel).clip(0, axis.size)) for axis in axes
    )
    return Averages(np.ascontiguousarray(input), windows, counts if override is None else np.array(float(override)))


def _right(input: Array, attributes: Attributes, count: Callable[[_Axis], Array] | None = None) -> Averages:
    window = window_of(input, attributes)
    return _call(input, attributes, window, outputs_of(input, window, attributes), count)


def _shares(call: Averages, grad_output: Array) -> InputGradient:
    return InputGradient(shares(call, np.ascontiguousarray(grad_output)))


# Windows that are misread.


def _misread_forward(misreading: Misreading) -> Callable[..., Array]:
    def function(input: Array, **attributes: Any) -> Array:
        return averages(_call(input, attributes, *misread(input, attributes, misreading)))

    return function


def _misread_backward(misreading: Misreading) -> Callable[..., InputGradient]:
    def function(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
        window = misreading.change(window_of(input, attributes), attributes)
        return _shares(_call(input, attributes, window, grad_output.shape[2:]), grad_output)

    return function


for _misreading in (*STEPS, *PADDINGS):
    wrong("avg_pool", _misreading.name, _misreading.cause)(_misread_forward(_misreading))
    if _misreading.sized and not _misreading.after:
        wrong("avg_pool_backward", _misreading.name, _misreading.cause)(_misread_backward(_misreading))


@wrong("avg_pool", "ceil_mode ignored", "The output's size is always rounded down.")
def _floored(input: Array, **attributes: Any) -> Array:
    outputs = floored_outputs(input, attributes)
    if 0 in outputs:
        return np.empty((*input.shape[:2], *outputs), input.dtype)
    return refconv.avg_pool(input, **{**attributes, "ceil_mode": False})


@wrong(
    "avg_pool",
    "a last window of ceil_mode begins in the padding",
    "The output's size is rounded up without dropping a window that begins beyond the input.",
    thread="onnx/onnx#6650",
)
def _window_in_padding(input: Array, **attributes: Any) -> Array:
    outputs = outputs_with_windows_in_padding(input, attributes)
    return averages(_call(input, attributes, window_of(input, attributes), outputs))


@wrong("avg_pool", "last window left out", "A loop over the output's last axis ends one too early.", unwritten=True)
def _last_window_unwritten(input: Array, **attributes: Any) -> Array:
    output = refconv.avg_pool(input, **attributes)
    output[..., -1] = np.nan
    return output


@wrong("avg_pool", "every element of the batch gets the first one's averages", "The batch's offset is missing.")
def _first_of_batch(input: Array, **attributes: Any) -> Array:
    return refconv.avg_pool(first_of_batch(input), **attributes)


@wrong("avg_pool", "every channel gets the first one's averages", "The channel's offset is missing.")
def _first_channel(input: Array, **attributes: Any) -> Array:
    return refconv.avg_pool(first_channel(input), **attributes)


# What the divisor counts.


def _other_count(input: Array, attributes: Attributes) -> Averages:
    return _right(input, attributes, _input_only if attributes["count_include_pad"] else _with_padding)


def _counting(count: Callable[[_Axis], Array]) -> Callable[[Array, Attributes], Averages]:
    return partial(_right, count=count)


def _beyond_padding_counted(input: Array, attributes: Attributes) -> Averages:
    return _right(input, attributes, _whole if attributes["count_include_pad"] else None)


def _only_before_counted(input: Array, attributes: Attributes) -> Averages:
    counted = attributes["count_include_pad"]
    return _right(input, attributes, lambda axis: axis.span(-axis.before if counted else 0, axis.size))


def _before_on_both_sides(input: Array, attributes: Attributes) -> Averages:
    counted = attributes["count_include_pad"]
    return _right(
        input, attributes, (lambda axis: axis.span(-axis.before, axis.size + axis.before)) if counted else None
    )


def _first_axis_counted(input: Array, attributes: Attributes) -> Averages:
    axes = _axes(input, window_of(input, attributes), (1,) * (input.ndim - 2))
    count = float(axes[0].kernel ** len(axes)) if attributes["divisor_override"] is None else None
    call = _right(input, attributes)
    return call if count is None else call._replace(divisor=np.array(count))


def _undivided(input: Array, attributes: Attributes) -> Averages:
    return _right(input, attributes)._replace(divisor=np.ones(()))


def _override_ignored(input: Array, attributes: Attributes) -> Averages:
    return _right(input, {**attributes, "divisor_override": None})


def _override_multiplied(input: Array, attributes: Attributes) -> Averages:
    call = _override_ignored(input, attributes)
    return call._replace(divisor=call.divisor * (attributes["divisor_override"] or 1))


_DIVISORS: list[tuple[str, str, Callable[[Array, Attributes], Averages], str | None]] = [
    ("not divided", "The windows' sums are taken for their averages.", _undivided, None),
    ("count_include_pad taken for its opposite", "The flag is inverted.", _other_count, None),
    ("padding always counted", "count_include_pad is never read.", _counting(_with_padding), None),
    ("padding never counted", "Only the input's elements ever are.", _counting(_input_only), None),
    ("divided by the kernel's size everywhere", "The divisor is computed once.", _counting(_whole), None),
    (
        "what lies beyond the padding counted in ceil_mode",
        "The window's end isn't cut at the end of the padding before the divisor is computed.",
        _beyond_padding_counted,
        "microsoft/onnxruntime#16203",
    ),
    (
        "padding after the input not counted",
        "The window's end is cut at the input's end, though its begin isn't at the input's begin.",
        _only_before_counted,
        "microsoft/onnxruntime#24681",
    ),
    (
        "padding before the input counted on both sides",
        "One padding is kept for each axis, as in a cuDNN descriptor.",
        _before_on_both_sides,
        "microsoft/onnxruntime#29631",
    ),
    (
        "divisor from the first axis alone",
        "The kernel is taken to be square: kernel_size[0] to the power of axes.",
        _first_axis_counted,
        None,
    ),
    ("divisor_override ignored", "The attribute is never read.", _override_ignored, "pytorch/executorch#18616"),
    (
        "divided by both divisor_override and the count",
        "The sum is averaged before it is divided.",
        _override_multiplied,
        None,
    ),
]

for _name, _cause, _divided, _thread in _DIVISORS:

    @wrong("avg_pool", _name, _cause, thread=_thread)
    def _forward(input: Array, divided: Any = _divided, **attributes: Any) -> Array:
        return averages(divided(input, attributes))

    @wrong("avg_pool_backward", _name, _cause, thread=_thread)
    def _backward(grad_output: Array, input: Array, divided: Any = _divided, **attributes: Any) -> InputGradient:
        return _shares(divided(input, attributes), grad_output)


# How gradients add up.


@wrong(
    "avg_pool_backward",
    "gradient of overlapping windows assigned, not added",
    "`=` stands where `+=` should, so the last window that holds an element wins.",
)
def _assigned(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    taps = window_taps(input.shape[2:], grad_output.shape[2:], window_of(input, attributes))
    at, there = places(taps)
    shared = flat_planes((np.ascontiguousarray(grad_output) / _right(input, attributes).divisor).astype(input.dtype))
    values = np.broadcast_to(shared[..., None], (*shared.shape, at.shape[1]))
    return InputGradient(scattered(values, np.where(there, at, -1), input, add=False))


@wrong("avg_pool_backward", "gradient one padding too far", "The gradient of the padded input isn't cut at its begin.")
def _in_padded(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    window = window_of(input, attributes)
    call = _right(input, attributes)
    axes = [axis._replace(begin=axis.begin + axis.before) for axis in _axes(input, window, grad_output.shape[2:])]
    windows = tuple(
        Ranges(axis.size, axis.begin.clip(0, axis.size), (axis.begin + axis.kernel).clip(0, axis.size)) for axis in axes
    )
    return _shares(call._replace(windows=windows), grad_output)


@wrong(
    "avg_pool_backward",
    "gradient of the last windows of ceil_mode lost",
    "The backward computes the number of windows with the floor.",
)
def _last_windows_lost(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.avg_pool_backward(lost_without_ceil(grad_output, input, attributes), input, **attributes)


@wrong(
    "avg_pool_backward", "every element of the batch gets the first one's gradient", "The batch's offset is missing."
)
def _first_of_batch_backward(grad_output: Array, input: Array, **attributes: Any) -> InputGradient:
    return refconv.avg_pool_backward(first_of_batch(grad_output), input, **attributes)


strides_ignored(wrong, "avg_pool_backward", 0, "grad_output", "pytorch/pytorch#188344")
incomplete_key(wrong, "avg_pool", "divisor_override", "kulinseth/pytorch#273")
incomplete_key(wrong, "avg_pool_backward", "count_include_pad", "kulinseth/pytorch#273")
in_half(wrong, "avg_pool")
in_double(wrong, "avg_pool")
nan_lost(wrong, "avg_pool")
raising_on_an_empty_batch(wrong, "avg_pool", "pytorch/pytorch#12013")
