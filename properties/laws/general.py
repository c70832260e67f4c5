"""Laws that hold for all operators of a kind: of what is linear, of each sample by itself, of gradients."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from properties.case import Case, array, but
from properties.filling import refilled
from properties.laws.law import Calls, Equation, Laws, generator, halves, joined, product, take
from refconv import operators

law = Laws()

LINEAR: Mapping[str, tuple[str, ...]] = {
    "conv": ("input", "weight", "bias"),
    "conv_transpose": ("input", "weight", "bias"),
    "locally_connected": ("input", "weight", "bias"),
    "linear": ("input", "weight", "bias"),
    "graph_conv": ("input", "weight", "self_weight", "bias"),
    "max_unpool": ("input",),
    "avg_pool": ("input",),
    "adaptive_avg_pool": ("input",),
    "upsample": ("input",),
    "blur_pool": ("input",),
    "batch_norm": ("weight", "bias"),
    "layer_norm": ("weight", "bias"),
    "instance_norm": ("weight", "bias"),
    "group_norm": ("weight", "bias"),
    "dropout": ("input",),
    "flatten": ("input",),
    "add": ("input", "other"),
    "concat": ("input", "other"),
    "pad": ("input",),
    "channel_shuffle": ("input",),
    "highway": ("input", "transform", "gate"),
    "non_local": ("g",),
}
"""The inputs in each of which an operator is affine: linear, but for a constant that depends on the others."""

_SAMPLES: Mapping[str, tuple[str, ...]] = {
    **{name: tuple(row.inputs)[:1] for name, row in operators.items()},
    "max_unpool": ("input", "indices"),
    "dropout": ("input", "mask"),
    "add": ("input", "other"),
    "concat": ("input", "other"),
    "highway": ("input", "transform", "gate"),
    "cross_entropy": ("input", "target"),
    "mse_loss": ("input", "target"),
}
"""The inputs that hold something of each sample."""
_LOSSES = ("cross_entropy", "mse_loss")

_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "max_pool": ("input",),
    "max_unpool": ("input", "indices"),
    "avg_pool": ("input",),
    "lp_pool": ("input",),
    "adaptive_avg_pool": ("input",),
    "adaptive_max_pool": ("input",),
    "upsample": ("input",),
    "blur_pool": ("input",),
    "pad": ("input",),
    "batch_norm": ("input", "weight", "bias", "running_mean", "running_var"),
    "instance_norm": ("input", "weight", "bias"),
}
"""The inputs that hold something of each channel, of operators that have each channel by itself."""

_ELEMENTWISE = {
    "relu": ("input",),
    "leaky_relu": ("input",),
    "sigmoid": ("input",),
    "tanh": ("input",),
    "dropout": ("input", "mask"),
    "add": ("input", "other"),
    "highway": ("input", "transform", "gate"),
}


def _given(case: Case, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if case.arrays[name] is not None]


@law(*LINEAR)
def superposition(calls: Calls, case: Case) -> Iterator[Equation]:
    """f(x + y) + f(0) = f(x) + f(y), in each argument in which an operator is affine, the others held.

    By definition: the terms that are linear add up, and the constant is there once on each side for each call.
    """
    whole = calls.forward(case)
    for name in _given(case, LINEAR[case.operator]):
        given = array(case, name)
        one, other = halves(given, generator(case))
        parts = [calls.forward(but(case, **{name: part})) for part in (one, other)]
        none = calls.forward(but(case, **{name: np.zeros_like(given)}))
        yield Equation(whole + none, parts[0] + parts[1], f"output for parts of {name}")


@law(*LINEAR, backward=True)
def adjoint(calls: Calls, case: Case) -> Iterator[Equation]:
    """<grad_output, f(x) - f(0)> = <grad_x, x>, in each argument in which an operator is affine, the others held.

    f(x) - f(0) = J x for a matrix J that doesn't depend on x, and the gradient is the transpose of J times grad_output.
    """
    whole, gradients = calls.forward(case), calls.backward(case)
    for name in _given(case, LINEAR[case.operator]):
        given = array(case, name)
        none = calls.forward(but(case, **{name: np.zeros_like(given)}))
        if name in gradients:
            left = product(whole - none, case.grad_output)
            yield Equation(left, product(gradients[name], given), f"<grad_{name}, {name}>")


@law(*operators, backward=True, forward=False)
def gradients_are_linear_in_grad_output(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradients for grad_output = g + h are those for g plus those for h: the chain rule is linear in it."""
    whole = calls.backward(case)
    if case.grad_output.size > 1:
        parts = [calls.backward(but(case, grad_output=part)) for part in halves(case.grad_output, generator(case))]
        for name, gradient in whole.items():
            yield Equation(gradient, parts[0][name] + parts[1][name], f"grad_{name}")
    other = np.asarray(case.grad_output * case.grad_output.dtype.type(-2))
    doubled = calls.backward(but(case, grad_output=other))
    for name, gradient in whole.items():
        yield Equation(doubled[name], gradient * -2.0, f"grad_{name} for -2 grad_output")


def _by_samples(case: Case) -> bool:
    """Whether each sample of the batch is worked on by itself."""
    first = array(case, next(iter(case.row.inputs)))
    axis = case.attributes.get("axis")
    if first.ndim < (3 if case.operator == "capsule_routing" else 2) or first.shape[0] < 2:
        return False
    if case.operator == "layer_norm":
        normalized: Any = case.attributes["normalized_shape"]
        return first.ndim > (1 if isinstance(normalized, int) else len(normalized))
    if isinstance(axis, int):
        return axis % first.ndim != 0
    return not case.attributes.get("training")


def _split(case: Case, names: tuple[str, ...], axis: int) -> list[Case]:
    """Return two cases, of the first part of the arrays called `names` along `axis`, and of what is left."""
    given = _given(case, names)
    length = array(case, given[0]).shape[axis]
    at = int(generator(case).integers(1, length))
    spread = [*given, *["grad_output"] * (case.grad_output.ndim > axis)]
    along = {name: 0 if array(case, name).ndim == 1 and axis == 1 else axis for name in spread}
    return [
        but(case, **{name: take(array(case, name), along[name], part) for name in spread})
        for part in (slice(None, at), slice(at, None))
    ]


_SAMPLED = [name for name in operators if name not in _LOSSES]


@law(*_SAMPLED)
def samples_by_themselves(calls: Calls, case: Case) -> Iterator[Equation]:
    """The output of a batch is that of its samples, one after the other: the formula names one sample at a time."""
    if _by_samples(case):
        parts = [calls.forward(part) for part in _split(case, _SAMPLES[case.operator], 0)]
        yield Equation(calls.forward(case), joined(parts, 0))


@law(*_SAMPLED, backward=True, forward=False)
def gradients_of_samples_add_up(calls: Calls, case: Case) -> Iterator[Equation]:
    """A sample's gradient is its own; the gradient of what all samples share is the sum over them (chain rule)."""
    if not _by_samples(case):
        return
    one, other = (calls.backward(part) for part in _split(case, _SAMPLES[case.operator], 0))
    for name, gradient in calls.backward(case).items():
        own = name in _SAMPLES[case.operator]
        right = joined([one[name], other[name]], 0) if own else one[name] + other[name]
        yield Equation(gradient, right, f"grad_{name}")


@law(*_CHANNELS)
def channels_by_themselves(calls: Calls, case: Case) -> Iterator[Equation]:
    """The output of some channels is that of each, side by side: the formula names one channel at a time."""
    if array(case, "input").shape[1] > 1:
        parts = [calls.forward(part) for part in _split(case, _CHANNELS[case.operator], 1)]
        yield Equation(calls.forward(case), joined(parts, 1))


@law(*_CHANNELS, backward=True, forward=False)
def gradients_of_channels_by_themselves(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradient of some channels is that of each, side by side: no output has two of them."""
    if array(case, "input").shape[1] > 1:
        parts = [calls.backward(part) for part in _split(case, _CHANNELS[case.operator], 1)]
        for name, gradient in calls.backward(case).items():
            along = 1 if gradient.value.ndim > 1 else 0
            yield Equation(gradient, joined([part[name] for part in parts], along), f"grad_{name}")


def _flat(case: Case) -> Case:
    names = ("grad_output", *_ELEMENTWISE[case.operator])
    return but(case, **{name: array(case, name).reshape(-1) for name in names})


@law(*_ELEMENTWISE)
def elements_by_themselves(calls: Calls, case: Case) -> Iterator[Equation]:
    """The output doesn't depend on the shape: the formula names one element at a time."""
    yield Equation(calls.forward(case).moved(np.ravel), calls.forward(_flat(case)))


@law(*_ELEMENTWISE, backward=True, forward=False)
def gradients_of_elements_by_themselves(calls: Calls, case: Case) -> Iterator[Equation]:
    """The gradients don't depend on the shape: each output has one element of each input."""
    flat = calls.backward(_flat(case))
    for name, gradient in calls.backward(case).items():
        yield Equation(gradient.moved(np.ravel), flat[name], f"grad_{name}")


def _contiguous(case: Case) -> Case:
    return but(case, **{name: given if given is None else np.array(given) for name, given in case.arrays.items()})


def _lies_otherwise(case: Case) -> bool:
    return any(given is not None and not given.flags.c_contiguous for given in case.arrays.values())


@law(*operators)
def memory_layout_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """A contiguous copy of the arrays gives the same output: an array is its elements, wherever they lie."""
    if _lies_otherwise(case):
        outputs, others = calls.outputs(case), calls.outputs(_contiguous(case))
        for name, output in outputs.items():
            yield Equation(output, others[name], name)


@law(*operators, backward=True, forward=False)
def memory_layout_means_nothing_to_gradients(calls: Calls, case: Case) -> Iterator[Equation]:
    """A contiguous copy of the arrays gives the same gradients: an array is its elements, wherever they lie."""
    if _lies_otherwise(case):
        others = calls.backward(_contiguous(case))
        for name, gradient in calls.backward(case).items():
            yield Equation(gradient, others[name], f"grad_{name}")


@law(*operators)
def no_memory_of_earlier_calls(calls: Calls, case: Case) -> Iterator[Equation]:
    """The same call gives the same output after another one: an operator is a function of its arguments."""
    first = calls.forward(case)
    calls.forward(refilled(case, 1))
    yield Equation(calls.forward(case), first)


@law(*operators, backward=True, forward=False)
def no_memory_in_gradients(calls: Calls, case: Case) -> Iterator[Equation]:
    """The same call gives the same gradients after another one: an operator is a function of its arguments."""
    first = calls.backward(case)
    calls.backward(refilled(case, 1))
    for name, gradient in calls.backward(case).items():
        yield Equation(gradient, first[name], f"grad_{name}")
