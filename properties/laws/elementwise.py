"""Laws of what works on each element by itself, moves elements, or sums them up to a loss."""

from collections.abc import Iterator
from math import prod

import numpy as np

from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, call, exact
from refconv.arguments import Array
from refconv.rounding import Rounded

law = Laws()


def _mild(case: Case, most: float) -> Case:
    """Return `case` with an input no larger than `most`, and its own content else."""
    signal = array(case, "input")
    return but(case, input=np.clip(signal, -most, most).astype(case.dtype))


@law("relu", "leaky_relu")
def both_sides_make_the_whole(calls: Calls, case: Case) -> Iterator[Equation]:
    """f(x) - f(-x) = (1 + s) x and f(x) + f(-x) = (1 - s) |x|, with s the slope on the negative side, 0 for `relu`."""
    signal, slope = array(case, "input"), case.attributes.get("negative_slope", 0.0)
    assert isinstance(slope, float)
    one, other = calls.forward(case), calls.forward(but(case, input=-signal))
    yield Equation(one - other, exact(signal) * (1 + slope), "f(x) - f(-x)")
    yield Equation(one + other, exact(abs(signal)) * (1 - slope), "f(x) + f(-x)")


@law("relu", "leaky_relu", backward=True, forward=False)
def slopes_make_the_whole(calls: Calls, case: Case) -> Iterator[Equation]:
    """f'(x) + f'(-x) = 1 + s: the slopes on either side; at 0, where both are that of the negative side, 2 s.

    Of relu, both may be 1/2 there as well.
    """
    signal, slope = array(case, "input"), case.attributes.get("negative_slope", 0.0)
    assert isinstance(slope, float)
    one, other = (calls.backward(but(case, input=given))["input"] for given in (signal, -signal))
    halved = (case.operator == "relu") & (2 * abs((one + other).value) > abs(case.grad_output.astype(np.float64)))
    at_zero = np.where(halved, 1, 2 * slope)
    expected = exact(case.grad_output) * np.where(signal == 0, at_zero, 1 + slope)
    yield Equation(one + other, expected, "grad_input at x and -x")


@law("sigmoid")
def odds_are_exponential(calls: Calls, case: Case) -> Iterator[Equation]:
    """f(x) + f(-x) = 1, and f(x) / f(-x) = e^x: the two shares of 1 and e^x."""
    one, other = calls.forward(case), calls.forward(but(case, input=-array(case, "input")))
    yield Equation(one + other, np.ones(one.shape), "f(x) + f(-x)")
    mild = _mild(case, 20)
    signal = array(mild, "input")
    odds = calls.forward(but(mild, input=-signal)) * exact(signal).exp()
    yield Equation(calls.forward(mild), odds, "f(x)")


@law("tanh")
def addition_theorem(calls: Calls, case: Case) -> Iterator[Equation]:
    """tanh(2 x) (1 + tanh(x)^2) = 2 tanh(x), tanh(-x) = -tanh(x), and tanh(x) (e^2x + 1) = e^2x - 1."""
    one, other = calls.forward(case), calls.forward(but(case, input=-array(case, "input")))
    yield Equation(other, -one, "f(-x)")
    mild = _mild(case, 4)
    signal, output = array(mild, "input"), calls.forward(mild)
    twice = calls.forward(but(mild, input=signal * signal.dtype.type(2)))
    yield Equation(twice * (output * output + 1.0), output * 2.0, "f(2 x), by the addition theorem")
    power = (exact(signal) * 2.0).exp()
    yield Equation(output * (power + 1.0), power - 1.0, "f(x), by exponentials")


def _axis(case: Case) -> int:
    axis = case.attributes["axis"]
    assert isinstance(axis, int)
    return axis


@law("softmax")
def shares_of_exponentials(calls: Calls, case: Case) -> Iterator[Equation]:
    """The outputs along the axis sum up to 1, and are to each other as the exponentials of the inputs."""
    signal, axis, output = array(case, "input"), _axis(case), calls.forward(case)
    if not signal.size:
        return
    yield Equation(output.sum(axis), np.ones(output.sum(axis).shape), "sum of output")
    largest = np.expand_dims(signal.argmax(axis), axis)
    top = np.take_along_axis(signal, largest, axis)
    share = output.moved(lambda values: np.take_along_axis(values, largest, axis))
    yield Equation(output, (exact(signal) - exact(top)).exp() * share, "output, as a share")


@law("log_softmax")
def logarithms_of_shares(calls: Calls, case: Case) -> Iterator[Equation]:
    """The outputs along the axis differ as the inputs do, and their exponentials sum up to 1."""
    signal, axis, output = array(case, "input"), _axis(case), calls.forward(case)
    if not signal.size:
        return
    largest = np.expand_dims(signal.argmax(axis), axis)
    top = np.take_along_axis(signal, largest, axis)
    share = output.moved(lambda values: np.take_along_axis(values, largest, axis))
    yield Equation(output, exact(signal) - exact(top) + share, "output, by differences")
    yield Equation(output.exp().sum(axis), np.ones(top.shape), "sum of exponentials")


@law("softmax", "log_softmax", "squash")
def other_axes_are_apart(calls: Calls, case: Case) -> Iterator[Equation]:
    """The axis moved to the end, and the others made one, give the same: each vector along the axis is by itself.

    The formula names one vector at a time.
    """
    signal, axis = array(case, "input"), _axis(case)
    if signal.size:
        output = calls.forward(case).moved(lambda values: _rows(values, axis))
        yield Equation(output, calls.forward(but(case, input=_rows(signal, axis), axis=1)))


def _rows(values: Array, axis: int) -> Array:
    """Return the vectors along `axis` as rows."""
    rows = np.moveaxis(values, axis, -1)
    return np.ascontiguousarray(rows).reshape(-1, rows.shape[-1])


@law("softmax", "log_softmax", "squash", backward=True, forward=False)
def gradients_of_other_axes_are_apart(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradients of each vector along the axis are its own."""
    axis = _axis(case)
    if array(case, "input").size:
        arrays = {name: _rows(array(case, name), axis) for name in ("input", "grad_output")}
        gradient = calls.backward(case)["input"].moved(lambda values: _rows(values, axis))
        yield Equation(gradient, calls.backward(but(case, **arrays, axis=1))["input"], "grad_input")


@law("softmax", "log_softmax", backward=True, forward=False)
def shift_has_no_gradient(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradients along the axis sum up to 0: the output doesn't change if all inputs move by the same."""
    gradient = calls.backward(case)["input"].sum(_axis(case))
    yield Equation(gradient, np.zeros(gradient.shape), "sum of grad_input")


@law("squash")
def direction_stays_and_length_is_a_share(calls: Calls, case: Case) -> Iterator[Equation]:
    """The output lies along the input s, and its length is q / (1 + q), with q the square of |s|."""
    signal, axis, output = exact(array(case, "input")), _axis(case), calls.forward(case)
    if not signal.value.size:
        return
    scale = abs(signal.value).max(axis, keepdims=True)
    unit = signal / np.where(scale > 0, scale, 1.0)
    ratio = (unit * unit).sum(axis)
    length = Rounded(np.where(scale > 0, ratio.value, 1.0), ratio.error, ratio.arithmetic).sqrt()
    inverse = np.where(scale > 0, scale, 1.0)
    small = 1.0 / (length * inverse)  # 1 / |s|
    share = Rounded(np.where(scale > 0, 1.0, 0.0), np.zeros(scale.shape), small.arithmetic) / (small * small + 1.0)
    yield Equation(output, share * unit / length, "output, by direction and length")


@law("dropout")
def mask_keeps_and_scales(calls: Calls, case: Case) -> Iterator[Equation]:
    """`output * (1 - p)` is the input where the mask is 1, and 0 where it is 0: the mean over masks is the input."""
    p = case.attributes["p"]
    assert isinstance(p, float)
    yield Equation(calls.forward(case) * (1 - p), array(case, "input") * array(case, "mask"), "output * (1 - p)")


@law("flatten")
def order_stays(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each sample's elements stand in row-major order."""
    signal = array(case, "input")
    yield Equation(calls.forward(case), signal.reshape(signal.shape[0], prod(signal.shape[1:])))


@law("add")
def sums_are_symmetric(calls: Calls, case: Case) -> Iterator[Equation]:
    """`x + y = y + x`, and `x + 0 = x`."""
    one, other = array(case, "input"), array(case, "other")
    yield Equation(calls.forward(case), calls.forward(but(case, input=other, other=one)))
    yield Equation(calls.forward(but(case, other=np.zeros_like(other))), one, "x + 0")


@law("concat")
def parts_stand_side_by_side(calls: Calls, case: Case) -> Iterator[Equation]:
    """Along the axis, the first elements of the output are the input, and the rest is the other."""
    one, other = array(case, "input"), array(case, "other")
    axis = _axis(case) % one.ndim
    output = calls.forward(case)
    for given, part in ((one, slice(None, one.shape[axis])), (other, slice(one.shape[axis], None))):
        yield Equation(output[(slice(None),) * axis + (part,)], given)


@law("channel_shuffle")
def rows_become_columns(calls: Calls, case: Case) -> Iterator[Equation]:
    """Channels, laid out as a matrix of `groups` rows, are transposed, which as many columns undo."""
    signal, groups = array(case, "input"), case.attributes["groups"]
    assert isinstance(groups, int)
    batch, channels, *spatial = signal.shape
    matrix = signal.reshape(batch, groups, channels // groups, *spatial)
    shuffled = np.ascontiguousarray(np.swapaxes(matrix, 1, 2)).reshape(signal.shape)
    yield Equation(calls.forward(case), shuffled)
    yield Equation(calls.forward(but(case, input=shuffled, groups=channels // groups)), signal, "output, shuffled back")


@law("cross_entropy", needs=["log_softmax"])
def loss_is_a_mean_of_logarithms(calls: Calls, case: Case) -> Iterator[Equation]:
    """The loss is the mean over samples and positions of -log_softmax at the target's class."""
    target = np.expand_dims(array(case, "target"), 1)
    if target.size:
        shares = calls.forward(call("log_softmax", array(case, "input"), axis=1))
        chosen = shares.moved(lambda values: np.take_along_axis(values, target, 1))
        yield Equation(calls.forward(case), -chosen.mean(None, keepdims=False))


@law("cross_entropy")
def alike_scores_give_the_logarithm_of_classes(calls: Calls, case: Case) -> Iterator[Equation]:
    """Where all scores are the same, each of C classes has a share of 1 / C, and the loss is log C."""
    signal = array(case, "input")
    if signal.size:
        loss = calls.forward(but(case, input=np.full(signal.shape, 7, case.dtype)))
        yield Equation(loss, exact(np.float64(signal.shape[1])).log(), "loss of alike scores")


@law("cross_entropy", backward=True, forward=False)
def gradients_of_scores_sum_up_to_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """Over the classes, the gradients sum up to 0: the loss doesn't change if all scores move by the same."""
    gradient = calls.backward(case)["input"].sum(1)
    yield Equation(gradient, np.zeros(gradient.shape), "sum of grad_input")


@law("mse_loss")
def loss_is_a_mean_of_squares(calls: Calls, case: Case) -> Iterator[Equation]:
    """The loss is the mean of the squares of the differences."""
    one, other = array(case, "input"), array(case, "target")
    if one.size:
        difference = exact(one) - exact(other)
        yield Equation(calls.forward(case), (difference * difference).mean(None, keepdims=False))


@law("highway")
def gate_chooses(calls: Calls, case: Case) -> Iterator[Equation]:
    """A gate of 1 gives the transform, and a gate of 0 the input (Srivastava et al., Highway networks, 2015)."""
    gate = array(case, "gate")
    for value, name in ((1, "transform"), (0, "input")):
        chosen = calls.forward(but(case, gate=np.full(gate.shape, value, case.dtype)))
        yield Equation(chosen, array(case, name), f"output for a gate of {value}")
