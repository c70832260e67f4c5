"""Laws that tie convolutions to each other and to `linear`: what two of them make together, and which is which."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from properties.axes import within
from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, at, call, generator, take
from properties.laws.windows import extras, one_hot, padded, some_place, window_of
from refconv.arguments import Array

law = Laws()


@law("conv", needs=["linear"])
def kernel_of_size_one_is_linear(calls: Calls, case: Case) -> Iterator[Equation]:
    """A kernel of size 1 is `linear` on the channels of each position (Lin et al., Network in network, 2014)."""
    signal, weight = array(case, "input"), array(case, "weight")
    if case.attributes["groups"] != 1:
        return
    matrix = weight[at(*[0] * (weight.ndim - 2))]
    small = but(case, weight=matrix.reshape(*matrix.shape, *[1] * (weight.ndim - 2)), stride=1, padding=0, dilation=1)
    by_position = call("linear", np.moveaxis(signal, 1, -1), matrix, case.arrays["bias"])
    yield Equation(calls.forward(small), calls.forward(by_position).moved(lambda values: np.moveaxis(values, -1, 1)))


@law("conv", needs=["linear"])
def window_is_fully_connected(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each output is `linear` of its window, flattened: on a larger image, a fully connected layer gives them all.

    The sliding-window equivalence of Sermanet et al., OverFeat (2014), and Long et al., Fully convolutional networks
    (2015).
    """
    if case.grad_output.size == 0 or case.attributes["groups"] != 1:
        return
    window, weight, rng = window_of(case), array(case, "weight"), generator(case)
    place = [int(rng.integers(length)) for length in case.grad_output.shape[2:]]
    seen = tuple(
        slice(o * stride, o * stride + extent, dilation)
        for o, stride, extent, dilation in zip(place, window.stride, window.extent, window.dilation, strict=True)
    )
    crop = padded(case, window)[at(*seen)]
    flat = [values.reshape(values.shape[0], -1) for values in (crop, weight)]
    output = calls.forward(case)[at(*place)]
    yield Equation(output, calls.forward(call("linear", *flat, case.arrays["bias"])), f"output at {place}")


@law("conv")
def shift_and_stitch(calls: Calls, case: Case) -> Iterator[Equation]:
    """The outputs of stride 1 are those of stride 2, of the input as it is and shifted by one, one after the other.

    Long et al., Fully convolutional networks (2015), section 3.2.
    """
    window = window_of(case)
    larger = padded(case, window)
    if larger.shape[2] <= window.extent[0]:
        return
    plain = but(case, input=larger, padding=0, stride=1)
    dense = calls.forward(plain)
    by_two = (2, *[1] * (len(window.stride) - 1))
    for shift in (0, 1):
        moved = but(plain, input=take(larger, 2, slice(shift, None)), stride=by_two)
        yield Equation(dense[(slice(None), slice(None), slice(shift, None, 2))], calls.forward(moved))


@law("conv")
def shifts_pass_through(calls: Calls, case: Case) -> Iterator[Equation]:
    """An input shifted by one stride gives the output shifted by one: each window reads what the next one read."""
    window = window_of(case)
    larger = padded(case, window)
    step = window.stride[-1]
    if case.grad_output.shape[-1] < 2:
        return
    axis = larger.ndim - 1
    whole = calls.forward(but(case, input=larger, padding=0))
    shifted = calls.forward(but(case, input=take(larger, axis, slice(step, None)), padding=0))
    yield Equation(whole[..., 1:], shifted)


def _integers(case: Case, least: int) -> Array:
    """Return small integers of the input's shape, but at least so long along each axis."""
    batch, channels, *sizes = array(case, "input").shape
    shape = (min(batch, 3), min(channels, 4), *(min(max(size, least), 9) for size in sizes))
    return generator(case).integers(-2, 3, shape).astype(case.dtype)


def _small_kernel(case: Case, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-2, 3, shape).astype(case.dtype)


@law("conv")
def kernels_compose(calls: Calls, case: Case) -> Iterator[Equation]:
    """Two convolutions one after the other are one, with the convolution of their kernels: two of 3 make one of 5.

    Convolution is associative (Simonyan and Zisserman, Very deep convolutional networks, 2015, section 2.3).
    """
    signal, rng = _integers(case, 5), generator(case)
    channels, one_by_one = signal.shape[1], [1] * (signal.ndim - 3)
    first = _small_kernel(case, rng, (2, channels, *one_by_one, 3))
    second = _small_kernel(case, rng, (1, 2, *one_by_one, 3))
    both = np.zeros((1, channels, *one_by_one, 5), case.dtype)
    for a in range(3):
        for b in range(3):
            taps = second[0, ..., b].astype(np.float64), first[..., a].astype(np.float64)
            both[0, ..., a + b] += np.einsum("m...,mc...->c...", *taps).astype(case.dtype)
    between = calls.forward(call("conv", signal, first)).value.astype(case.dtype)
    after = calls.forward(call("conv", between, second))
    yield Equation(after, calls.forward(call("conv", signal, both)), "output of both")


@law("conv")
def separable_kernel_is_two_passes(calls: Calls, case: Case) -> Iterator[Equation]:
    """A kernel that is a product of a column and a row is a k x 1 after a 1 x k convolution: the sums factor."""
    signal, rng = _integers(case, 4), generator(case)
    if signal.ndim != 4:
        return
    channels = signal.shape[1]
    row, column = _small_kernel(case, rng, (channels, 1, 1, 3)), _small_kernel(case, rng, (channels, 1, 3, 1))
    between = calls.forward(call("conv", signal, row, groups=channels)).value.astype(case.dtype)
    after = calls.forward(call("conv", between, column, groups=channels))
    yield Equation(after, calls.forward(call("conv", signal, column * row, groups=channels)), "output of both")


@law("conv_transpose", needs=["conv_backward"])
def transpose_is_the_gradient_of_conv(calls: Calls, case: Case) -> Iterator[Equation]:
    """`conv_transpose` of x is the gradient of the input of `conv`, whose grad_output is x (Dumoulin and Visin, 4)."""
    signal, weight = array(case, "input"), array(case, "weight")
    attributes = {name: case.attributes[name] for name in ("stride", "dilation", "groups")}
    window = window_of(case)
    if any(extra >= stride for extra, stride in extras(case, window)):  # then conv has another output
        return
    size = tuple(length + sum(pair) for length, pair in zip(case.grad_output.shape[2:], window.padding, strict=True))
    groups: Any = case.attributes["groups"]
    zeros = np.zeros((signal.shape[0], weight.shape[1] * groups, *size), case.dtype)
    gradient = calls.backward(but(call("conv", zeros, weight, **attributes), grad_output=signal))["input"]
    inside = tuple(slice(before, length - after) for length, (before, after) in zip(size, window.padding, strict=True))
    yield Equation(calls.forward(but(case, bias=None)), gradient[at(*inside)])


@law("conv", backward=True, forward=False, needs=["conv_transpose"])
def gradient_of_conv_is_the_transpose(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradient of the input is `conv_transpose` of grad_output, before what was padded is cut off."""
    if case.attributes["padding_mode"] != "zeros" or case.grad_output.size == 0:
        return
    window, signal = window_of(case), array(case, "input")
    names = ("stride", "dilation", "groups")
    attributes = {name: case.attributes[name] for name in names}
    laid = calls.forward(call("conv_transpose", case.grad_output, array(case, "weight"), **attributes))
    reached = [
        (count - 1) * stride + extent
        for count, stride, extent in zip(case.grad_output.shape[2:], window.stride, window.extent, strict=True)
    ]
    axes = list(zip(signal.shape[2:], window.padding, reached, strict=True))

    def cut(values: Array) -> Array:
        """Return what lies inside the input; beyond what windows reach, zeros."""
        more = [(0, max(before + length - reach, 0)) for length, (before, _), reach in axes]
        inside = tuple(slice(before, before + length) for length, (before, _), _ in axes)
        whole: Array = np.pad(values, [(0, 0), (0, 0), *more])[at(*inside)]
        return whole

    yield Equation(calls.backward(case)["input"], laid.moved(cut), "grad_input")


@law("locally_connected", needs=["conv"])
def equal_kernels_are_a_convolution(calls: Calls, case: Case) -> Iterator[Equation]:
    """With the same kernel and bias in every window, it is `conv`."""
    weight, window, bias = array(case, "weight"), window_of(case), case.arrays["bias"]
    rank = len(window.stride)
    rng = generator(case)
    place = within(slice(None), *(int(rng.integers(length)) for length in weight.shape[1 : 1 + rank]))
    kernel = weight[place]
    own = None if bias is None else bias[place]
    everywhere = np.broadcast_to(kernel.reshape(weight.shape[0], *[1] * rank, *kernel.shape[1:]), weight.shape)
    spread = (
        own if own is None else np.broadcast_to(own.reshape(-1, *[1] * rank), (len(own), *weight.shape[1 : 1 + rank]))
    )
    alike = but(case, weight=everywhere.copy(), bias=spread if spread is None else spread.copy())
    attributes = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    yield Equation(calls.forward(alike), calls.forward(call("conv", array(case, "input"), kernel, own, **attributes)))


@law("locally_connected", needs=["linear"])
def each_window_has_its_own_kernel(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each output is `linear` of its window by that window's own kernel: so says the formula."""
    if case.grad_output.size == 0:
        return
    window, weight, bias, rng = window_of(case), array(case, "weight"), case.arrays["bias"], generator(case)
    place = [int(rng.integers(length)) for length in case.grad_output.shape[2:]]
    seen = tuple(
        slice(o * stride, o * stride + extent, dilation)
        for o, stride, extent, dilation in zip(place, window.stride, window.extent, window.dilation, strict=True)
    )
    crop = padded(case, window)[at(*seen)]
    own = weight[within(slice(None), *place)]
    flat = [values.reshape(values.shape[0], -1) for values in (crop, own)]
    added = None if bias is None else bias[within(slice(None), *place)]
    output = calls.forward(case)[at(*place)]
    yield Equation(output, calls.forward(call("linear", *flat, added)), f"output at {place}")


@law("linear")
def row_of_one_feature_selects(calls: Calls, case: Case) -> Iterator[Equation]:
    """A weight that is 1 in one place hands one feature of the input to one of the output: one term is left."""
    weight, signal = array(case, "weight"), array(case, "input")
    tap = some_place(case, generator(case))
    expected = np.zeros(case.grad_output.shape, case.dtype)
    expected[..., tap[0]] = signal[..., tap[1]]
    output = calls.forward(but(case, weight=one_hot(weight.shape, tap, weight.dtype), bias=None))
    yield Equation(output, expected, f"output for a weight of 1 at {list(tap)}")


@law("linear")
def feature_of_one_gives_a_column(calls: Calls, case: Case) -> Iterator[Equation]:
    """An input that is 1 in one place gives a column of the weight, in its row."""
    signal, weight, rng = array(case, "input"), array(case, "weight"), generator(case)
    if signal.size == 0:
        return
    place = tuple(int(rng.integers(length)) for length in signal.shape)
    expected = np.zeros(case.grad_output.shape, case.dtype)
    expected[place[:-1]] = weight[:, place[-1]]
    output = calls.forward(but(case, input=one_hot(signal.shape, place, signal.dtype), bias=None))
    yield Equation(output, expected, "output of an impulse")
