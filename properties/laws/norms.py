"""Laws of the norms: what they make of a mean, a variance and a scale."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, call, exact, generator, joined, take
from refconv.arguments import Array
from refconv.rounding import Rounded

law = Laws()

_NORMS = ("batch_norm", "layer_norm", "instance_norm", "group_norm")


def _trained(case: Case) -> bool:
    """Whether the statistics are those of the input, and there is an input."""
    return case.attributes.get("training", True) is True and array(case, "input").size > 0


def _plain(case: Case) -> Case:
    return but(case, weight=None, bias=None)


def _rows(case: Case) -> Callable[[Array], Array]:
    """Return what lays values that share a mean side by side along the last axis."""
    shape = array(case, "input").shape
    if case.operator == "batch_norm":
        return lambda values: np.moveaxis(values, 1, 0).reshape(shape[1], -1)
    if case.operator == "instance_norm":
        return lambda values: values.reshape(*shape[:2], -1)
    if case.operator == "group_norm":
        groups: Any = case.attributes["num_groups"]
        return lambda values: values.reshape(shape[0], groups, -1)
    normalized: Any = case.attributes["normalized_shape"]
    axes = 1 if isinstance(normalized, int) else len(normalized)
    return lambda values: values.reshape(*shape[: len(shape) - axes], -1)


def _moments(case: Case) -> tuple[Rounded, Rounded]:
    """Return the mean and the variance of the values that share them."""
    rows = exact(_rows(case)(array(case, "input")))
    mean = rows.mean(-1)
    centred = rows - mean
    return mean, (centred * centred).mean(-1)


@law(*_NORMS)
def output_has_mean_0_and_variance_1(calls: Calls, case: Case) -> Iterator[Equation]:
    """Without weight and bias, the outputs that share a mean have mean 0, and mean square v / (v + eps).

    v is the variance of the inputs: the sum of (x - mean)^2 / (v + eps), over their number.
    """
    if not _trained(case):
        return
    output = calls.forward(_plain(case)).moved(_rows(case))
    _, variance = _moments(case)
    eps: Any = case.attributes["eps"]
    yield Equation(output.mean(-1), np.zeros(variance.shape), "mean of output")
    if (variance.value + eps > 0).all():
        yield Equation((output * output).mean(-1), variance / (variance + eps), "mean square of output")


@law(*_NORMS)
def output_is_a_line(calls: Calls, case: Case) -> Iterator[Equation]:
    """Among values that share a mean, differences of outputs are to each other as those of inputs.

    The output is the input times one number, plus another: (y - y0) * (x1 - x0) = (y1 - y0) * (x - x0).
    """
    if not _trained(case):
        return
    rows = _rows(case)
    inputs, outputs = exact(rows(array(case, "input"))), calls.forward(_plain(case)).moved(rows)
    far = int(abs(inputs.value - inputs.value[..., :1]).reshape(-1, inputs.shape[-1]).sum(0).argmax())
    one, other = ((side - side[..., :1]) for side in (inputs, outputs))
    yield Equation(other * one[..., far : far + 1], other[..., far : far + 1] * one, "output, as a line")


@law(*_NORMS)
def scale_of_input_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """The norm of 2 x with 4 eps is that of x with eps: mean and standard deviation double, too."""
    if _trained(case):
        signal, eps = array(case, "input"), case.attributes["eps"]
        assert isinstance(eps, float)
        doubled = but(_plain(case), input=signal * signal.dtype.type(2), eps=4 * eps)
        yield Equation(calls.forward(doubled), calls.forward(_plain(case)), "output of 2 x")


@law(*_NORMS)
def shift_of_input_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """The norm of x + 5 is that of x: the mean moves along. On integers, so that the sum is exact."""
    signal = array(case, "input")
    if _trained(case) and abs(signal).max() < 64 and (signal == np.rint(signal)).all():
        shifted = but(_plain(case), input=signal + signal.dtype.type(5))
        yield Equation(calls.forward(shifted), calls.forward(_plain(case)), "output of x + 5")


@law(*_NORMS)
def weight_and_bias_come_last(calls: Calls, case: Case) -> Iterator[Equation]:
    """The output is that without weight and bias, times the weight, plus the bias."""
    axes = 0 if case.operator == "layer_norm" else array(case, "input").ndim - 2
    output = calls.forward(_plain(case))
    for name in ("weight", "bias"):
        given = case.arrays[name]
        if given is not None:
            spread = given.astype(np.float64).reshape(*given.shape, *[1] * axes)
            output = output * spread if name == "weight" else output + spread
    if case.arrays["weight"] is not None or case.arrays["bias"] is not None:
        yield Equation(calls.forward(case), output)


@law(*_NORMS, backward=True)
def gradients_sum_up_to_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """Over values that share a mean, the gradients of the input sum up to 0; times x - mean, to what eps leaves.

    The output doesn't change if they all move by the same, so its derivative along that direction is 0. Along x - mean
    it is y eps / (v + eps), by which the output y changes if all are drawn apart.
    """
    if not _trained(case):
        return
    rows, plain = _rows(case), _plain(case)
    gradient = calls.backward(plain)["input"].moved(rows)
    mean, variance = _moments(case)
    eps: Any = case.attributes["eps"]
    yield Equation(gradient.sum(-1), np.zeros(mean.shape), "sum of grad_input")
    if (variance.value + eps > 0).all():
        left = exact(rows(array(case, "input"))) - mean
        gained = calls.forward(plain).moved(rows) * rows(case.grad_output).astype(np.float64)
        share = eps / (variance + eps) if eps else exact(np.zeros(mean.shape))
        yield Equation((gradient * left).sum(-1), gained.sum(-1) * share, "sum of grad_input * (x - mean)")


@law("group_norm", needs=["layer_norm"])
def one_group_is_layer_norm(calls: Calls, case: Case) -> Iterator[Equation]:
    """With one group it is `layer_norm` over all but the batch (Wu and He, Group normalization, 2018)."""
    signal = array(case, "input")
    attributes = {"normalized_shape": signal.shape[1:], "eps": case.attributes["eps"]}
    yield Equation(
        calls.forward(but(_plain(case), num_groups=1)), calls.forward(call("layer_norm", signal, **attributes))
    )


@law("group_norm", needs=["instance_norm"])
def a_group_each_is_instance_norm(calls: Calls, case: Case) -> Iterator[Equation]:
    """With as many groups as channels it is `instance_norm` (Wu and He, Group normalization, 2018)."""
    signal = array(case, "input")
    if signal.ndim > 2 and prod(signal.shape[2:]) > 1:
        other = call("instance_norm", signal, case.arrays["weight"], case.arrays["bias"], eps=case.attributes["eps"])
        yield Equation(calls.forward(but(case, num_groups=signal.shape[1])), calls.forward(other))


@law("instance_norm", needs=["batch_norm"])
def each_sample_is_a_batch(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each sample by itself is a batch of one for `batch_norm` (Ulyanov et al., Instance normalization, 2016)."""
    signal, samples = array(case, "input"), []
    if not signal.size:
        return
    for number in range(min(len(signal), 3)):
        one = signal[number : number + 1]
        arrays = (case.arrays["weight"], case.arrays["bias"])
        samples.append(calls.forward(call("batch_norm", one, *arrays, eps=case.attributes["eps"])))
    yield Equation(calls.forward(case)[: len(samples)], joined(samples, 0))


@law("layer_norm", needs=["group_norm"])
def rows_are_groups(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each row of values that share a mean is a sample of one group for `group_norm`, without weight and bias."""
    if array(case, "input").size:
        rows = _rows(case)(array(case, "input"))
        flat = rows.reshape(-1, rows.shape[-1])
        other = calls.forward(call("group_norm", flat, num_groups=1, eps=case.attributes["eps"]))
        yield Equation(calls.forward(_plain(case)).moved(lambda values: values.reshape(flat.shape)), other)


@law("batch_norm")
def inference_is_an_affine_map(calls: Calls, case: Case) -> Iterator[Equation]:
    """In inference, each channel is (x - running_mean) / sqrt(running_var + eps), and so the same for every batch."""
    if case.attributes["training"]:
        return
    eps: Any = case.attributes["eps"]
    spread = (-1, *[1] * (array(case, "input").ndim - 2))
    mean, variance = (exact(array(case, name)).moved(lambda values: values.reshape(spread)) for name in _RUNNING)
    if (variance.value + eps > 0).all():
        expected = (exact(array(case, "input")) - mean) / (variance + eps).sqrt()
        yield Equation(calls.forward(_plain(case)), expected)
    outputs = calls.outputs(case)
    for name in _RUNNING:
        yield Equation(outputs[name], array(case, name), name)


_RUNNING = ("running_mean", "running_var")


@law("batch_norm")
def running_statistics_follow_the_batch(calls: Calls, case: Case) -> Iterator[Equation]:
    """In training, running statistics are a mean of the old ones and the batch's, weighted by `momentum`.

    The batch's variance is unbiased: over one value less (Ioffe and Szegedy, 2015, algorithm 2); an empty one has none.
    """
    if not case.attributes["training"] or case.arrays["running_mean"] is None:
        return
    outputs, momentum = calls.outputs(case), case.attributes["momentum"]
    assert isinstance(momentum, float)
    if array(case, "input").size:
        mean, variance = (moment.moved(np.ravel) for moment in _moments(case))
        count = array(case, "input").size // len(mean.value)
        batch = [mean, variance * count / (count - 1)]
    else:
        batch = [exact(array(case, name)) for name in _RUNNING]
    for name, new in zip(_RUNNING, batch, strict=True):
        yield Equation(outputs[name], exact(array(case, name)) * (1 - momentum) + new * momentum, name)


@law("batch_norm", needs=["conv"])
def folds_into_a_convolution(calls: Calls, case: Case) -> Iterator[Equation]:
    """A convolution, then inference, is a convolution with another kernel and bias (Jacob et al., 2018, section 3.2).

    With the statistics chosen such that the new ones are exact: a variance of 3, and an eps of 1.
    """
    signal, rng = array(case, "input"), generator(case)
    if signal.ndim < 3:
        return
    channels = signal.shape[1]

    def integers(*shape: int) -> Array:
        return rng.integers(-3, 4, shape).astype(case.dtype)

    small, kernel = integers(*signal.shape), integers(2, channels, *[1] * (signal.ndim - 2))
    mean, weight, bias = integers(2), 2 * integers(2), integers(2)
    between = calls.forward(call("conv", small, kernel)).value.astype(case.dtype)
    variance = np.full(2, 3, case.dtype)
    normed = calls.forward(call("batch_norm", between, weight, bias, mean, variance, training=False, eps=1.0))
    scale = weight / case.dtype.type(2)
    folded = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    yield Equation(normed, calls.forward(call("conv", small, folded, bias - mean * scale)), "output of both")


@law("local_response_norm")
def scale_gives_the_input_back(calls: Calls, case: Case) -> Iterator[Equation]:
    """Output * (k + alpha / size * sum of squares)^beta is the input, the sum over the `size` channels around.

    From c - size // 2 to c + (size - 1) // 2, those that there are (Krizhevsky et al., 2012, section 3.3).
    """
    signal = array(case, "input")
    size, alpha, beta, k = (case.attributes[name] for name in ("size", "alpha", "beta", "k"))
    assert isinstance(size, int)
    assert isinstance(alpha, float)
    assert isinstance(beta, float)
    assert isinstance(k, float)
    squares = exact(signal) * signal.astype(np.float64)
    sums = [
        take_rounded(squares, slice(max(c - size // 2, 0), c + (size - 1) // 2 + 1)).sum(1)
        for c in range(signal.shape[1])
    ]
    scale = joined(sums, 1) * (alpha / size) + k
    if (scale.value > 0).all():
        yield Equation(calls.forward(case) * scale**beta, signal, "output, scaled back")


def take_rounded(values: Rounded, part: slice) -> Rounded:
    """Return some channels."""
    return values.moved(lambda plain: take(plain, 1, part))
