"""Laws of `conv` and `conv_transpose` by themselves: what their kernels and attributes mean.

The algebra of convolutions is that of Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016),
and of any book on linear filters: a convolution is linear and commutes with shifts, so its kernel says all about it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from properties.axes import within
from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, at, generator, joined, take
from properties.laws.windows import extras, one_hot, padded, positions, some_place, window_of
from refconv.arguments import Array

law = Laws()


@law("conv")
def kernel_of_one_tap_shifts(calls: Calls, case: Case) -> Iterator[Equation]:
    """A kernel that is 1 at one tap and 0 elsewhere gives the padded input, shifted there and strided.

    Of the sum over the taps, that one term is left.
    """
    window, weight = window_of(case), array(case, "weight")
    tap = some_place(case, generator(case))
    out, channel, *where = tap
    groups: Any = case.attributes["groups"]
    first = out // (weight.shape[0] // groups) * weight.shape[1]
    expected = np.zeros(case.grad_output.shape, case.dtype)
    expected[:, out] = padded(case, window)[:, first + channel][(slice(None), *positions(case, window, tuple(where)))]
    output = calls.forward(but(case, weight=one_hot(weight.shape, tap, weight.dtype), bias=None))
    yield Equation(output, expected, f"output for a kernel of 1 at {list(tap)}")


@law("conv")
def impulse_gives_the_rotated_kernel(calls: Calls, case: Case) -> Iterator[Equation]:
    """An input that is 1 in one place and 0 elsewhere gives the kernel, rotated by 180 degrees about that place.

    Output o reads the place p by tap k where ``o * stride - before + k * dilation = p``: the larger o, the smaller k.
    """
    signal, weight, window = array(case, "input"), array(case, "weight"), window_of(case)
    if signal.size == 0 or case.attributes["padding_mode"] != "zeros":
        return
    rng = generator(case)
    sample, channel, *place = (int(rng.integers(length)) for length in signal.shape)
    groups: Any = case.attributes["groups"]
    group, own = divmod(channel, weight.shape[1])
    outs = slice(group * (weight.shape[0] // groups), (group + 1) * (weight.shape[0] // groups))
    expected = np.zeros(case.grad_output.shape, case.dtype)
    for tap in np.ndindex(*window.kernel):
        axes = zip(place, tap, window.padding, window.dilation, window.stride, strict=True)
        steps = [divmod(p + before - k * dilation, stride) for p, k, (before, _), dilation, stride in axes]
        if all(rest == 0 and 0 <= o < count for (o, rest), count in zip(steps, expected.shape[2:], strict=True)):
            expected[(sample, outs, *(o for o, _ in steps))] = weight[within(outs, own, *tap)]
    impulse = one_hot(signal.shape, (sample, channel, *place), signal.dtype)
    yield Equation(calls.forward(but(case, input=impulse, bias=None)), expected, "output of an impulse")


@law("conv", backward=True, forward=False)
def impulse_in_grad_output(calls: Calls, case: Case) -> Iterator[Equation]:
    """A grad_output that is 1 in one place gives what the window there sees as the gradient of the kernel.

    Of the sum over the outputs, that one term is left; the gradient of the input is the kernel, laid over that window.
    """
    signal, weight, window = array(case, "input"), array(case, "weight"), window_of(case)
    if case.grad_output.size == 0:
        return
    rng = generator(case)
    sample, out, *place = (int(rng.integers(length)) for length in case.grad_output.shape)
    groups: Any = case.attributes["groups"]
    first = out // (weight.shape[0] // groups) * weight.shape[1]
    channels = slice(first, first + weight.shape[1])
    begins = [o * stride for o, stride in zip(place, window.stride, strict=True)]
    seen = tuple(
        slice(begin, begin + extent, dilation)
        for begin, extent, dilation in zip(begins, window.extent, window.dilation, strict=True)
    )
    gradients = calls.backward(
        but(case, grad_output=one_hot(case.grad_output.shape, (sample, out, *place), case.dtype))
    )
    expected = np.zeros(weight.shape, case.dtype)
    expected[out] = padded(case, window)[within(sample, channels, *seen)]
    yield Equation(gradients["weight"], expected, "grad_weight")
    if case.attributes["padding_mode"] == "zeros":
        laid = np.zeros(padded(case, window).shape, case.dtype)
        laid[within(sample, channels, *seen)] = weight[out]
        inside = tuple(
            slice(before, before + length) for (before, _), length in zip(window.padding, signal.shape[2:], strict=True)
        )
        yield Equation(gradients["input"], laid[at(*inside)], "grad_input")


@law("conv", "conv_transpose", "locally_connected", "linear")
def bias_is_added(calls: Calls, case: Case) -> Iterator[Equation]:
    """The bias is added to the output without one, to each channel its own: so says the formula."""
    bias = case.arrays["bias"]
    if bias is not None:
        axes = case.grad_output.ndim - 2 if case.operator.startswith("conv") else 0
        spread = bias.astype(np.float64).reshape(*bias.shape, *[1] * axes)
        yield Equation(calls.forward(case), calls.forward(but(case, bias=None)) + spread)


@law("conv")
def stride_skips(calls: Calls, case: Case) -> Iterator[Equation]:
    """Stride s keeps each s-th output of stride 1: window o begins at position o * s."""
    window = window_of(case)
    dense = calls.forward(but(case, stride=1))
    index = tuple(slice(None, None, stride) for stride in window.stride)
    yield Equation(calls.forward(case), dense[at(*index)])


@law("conv")
def padding_is_a_larger_input(calls: Calls, case: Case) -> Iterator[Equation]:
    """Padding equals a convolution without padding of an input that NumPy has padded, each side by its own."""
    larger = padded(case, window_of(case))
    yield Equation(calls.forward(case), calls.forward(but(case, input=larger, padding=0)))


@law("conv")
def same_is_a_padding(calls: Calls, case: Case) -> Iterator[Equation]:
    """'same' pads by dilation * (kernel - 1), the odd one after, and keeps the size; 'valid' doesn't pad.

    As in PyTorch, and ONNX's SAME_UPPER.
    """
    if isinstance(case.attributes["padding"], str):
        yield Equation(calls.forward(case), calls.forward(but(case, padding=window_of(case).padding)))


@law("conv", "conv_transpose")
def dilation_is_a_kernel_with_holes(calls: Calls, case: Case) -> Iterator[Equation]:
    """Dilation d equals a larger kernel with d - 1 zeros between its taps: tap k lies d * k from the first."""
    window, weight = window_of(case), array(case, "weight")
    if any(extra >= stride for extra, stride in extras(case, window)):  # which a dilation may allow
        return
    holed = np.zeros((*weight.shape[:2], *window.extent), weight.dtype)
    holed[at(*(slice(None, None, dilation) for dilation in window.dilation))] = weight
    pairs = window.padding  # of 'same', which depends on the extent alone
    yield Equation(calls.forward(case), calls.forward(but(case, weight=holed, dilation=1, padding=pairs)))


@law("conv", "conv_transpose")
def groups_are_convolutions_side_by_side(calls: Calls, case: Case) -> Iterator[Equation]:
    """Groups equal separate convolutions of the channels of each, one behind the other."""
    groups: Any = case.attributes["groups"]
    if groups > 1:
        outputs = [calls.forward(_group(case, number, groups)) for number in range(groups)]
        yield Equation(calls.forward(case), joined(outputs, 1))


def _group(case: Case, number: int, groups: int) -> Case:
    """Return the convolution of one group."""

    def own(name: str, axis: int) -> Array | None:
        given = case.arrays[name]
        if given is None:
            return None
        size = given.shape[axis] // groups
        return take(given, axis, slice(number * size, (number + 1) * size))

    arrays = {"grad_output": own("grad_output", 1), "input": own("input", 1), "weight": own("weight", 0)}
    return but(case, **arrays, bias=own("bias", 0), groups=1)


@law("conv", "conv_transpose", backward=True, forward=False)
def gradients_of_groups_side_by_side(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradients of groups equal those of separate convolutions, one behind the other."""
    groups: Any = case.attributes["groups"]
    if groups > 1:
        parts = [calls.backward(_group(case, number, groups)) for number in range(groups)]
        for name, gradient in calls.backward(case).items():
            along = 1 if name == "input" else 0
            yield Equation(gradient, joined([part[name] for part in parts], along), f"grad_{name}")


@law("conv")
def order_of_channels_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """Input channels in another order, in the kernel alike, give the same; output channels are put in order likewise.

    Each output is a sum over its input channels, and names one output channel.
    """
    if case.attributes["groups"] != 1:
        return
    rng, weight = generator(case), array(case, "weight")
    outs, channels = (rng.permutation(length) for length in weight.shape[:2])
    bias = case.arrays["bias"]
    shuffled = but(
        case,
        input=array(case, "input")[:, channels],
        weight=weight[outs][:, channels],
        bias=bias if bias is None else bias[outs],
    )
    yield Equation(calls.forward(case)[:, outs], calls.forward(shuffled))


@law("conv_transpose")
def kernel_lies_where_an_impulse_is(calls: Calls, case: Case) -> Iterator[Equation]:
    """An input that is 1 in one place lays the kernel over the output, its first tap at place * stride - before."""
    signal, weight, window = array(case, "input"), array(case, "weight"), window_of(case)
    if signal.size == 0:
        return
    rng = generator(case)
    sample, channel, *place = (int(rng.integers(length)) for length in signal.shape)
    groups: Any = case.attributes["groups"]
    group = channel // (signal.shape[1] // groups)
    outs = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
    expected = np.zeros(case.grad_output.shape, case.dtype)
    for tap in np.ndindex(*window.kernel):
        axes = zip(place, tap, window.padding, window.dilation, window.stride, strict=True)
        at = [p * stride - before + k * dilation for p, k, (before, _), dilation, stride in axes]
        if all(0 <= o < count for o, count in zip(at, expected.shape[2:], strict=True)):
            expected[(sample, outs, *at)] = weight[(channel, slice(None), *tap)]
    impulse = one_hot(signal.shape, (sample, channel, *place), signal.dtype)
    yield Equation(calls.forward(but(case, input=impulse, bias=None)), expected, "output of an impulse")
