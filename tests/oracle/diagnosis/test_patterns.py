"""What comes out of a mistake, as a person would put it."""

from itertools import islice

import numpy as np
import pytest

import oracle
import refconv
from oracle.diagnosis.patterns import symptom
from oracle.judging.judge import observe, read_arithmetic, verdict
from oracle.running.runner import InProcess
from properties.plan import Plan


def failures(called, function, count=40):
    """The failures of `function` on cases of a plan."""
    operator = called.removesuffix("_backward")
    direction = "forward" if called == operator else "backward"
    runner, arithmetic = InProcess(oracle.subject(**{called: function})), read_arithmetic(None, "float32")
    plan = Plan(operator, "float32", 0, largest=20000).of_design()
    cases = (planned.recipe.case("float32") for planned in islice(plan, count))
    observations = [observe(runner, case, direction, arithmetic) for case in cases]
    return [observation for observation in observations if verdict(observation).unknown_failure]


def conv(change):
    def function(*arrays, **attributes):
        return change(refconv.conv(*arrays, **attributes), *arrays, **attributes)

    return function


def put(index, value):
    def change(output, *arrays, **attributes):
        output[index] = value
        return output

    return conv(change)


def spoiled(change):
    """The convolution of the arrays that `change` makes of those that are given."""

    def function(input, weight, bias=None, **attributes):
        return refconv.conv(*change(input, weight, bias), **attributes)

    return function


def without_dilation_on_the_last_axis(input, weight, bias=None, *, dilation, **attributes):
    entries = dilation if isinstance(dilation, tuple) else (dilation,) * (input.ndim - 2)
    right = refconv.conv(input, weight, bias, dilation=dilation, **attributes)
    other = refconv.conv(input, weight, bias, dilation=(*entries[:-1], 1), **attributes)
    return other[tuple(map(slice, right.shape))].copy() if attributes["padding"] != "same" else right


def first_image_for_all(input, weight, bias=None, **attributes):
    output = refconv.conv(input, weight, bias, **attributes)
    output[1:] = output[:1]
    return output


def halved_weight_gradient(*arrays, **attributes):
    gradients = refconv.conv_backward(*arrays, **attributes)
    return gradients._replace(weight=gradients.weight / 2)


def summed(input, target):
    with np.errstate(all="ignore"):
        return np.asarray(refconv.mse_loss(input, target) * input.size, input.dtype)


def beyond_minus_thirty(input):
    return np.where(input < -15, 0, refconv.sigmoid(input)).astype(input.dtype)


def clamped(input, other):
    with np.errstate(all="ignore"):
        return np.clip(input + other, -3, 3)


SAID = [
    ("conv", put((..., -1), 0), "output is 0 in the last column"),
    ("conv", put((..., -1), np.nan), "output is NaN in the last column"),
    ("conv", put((slice(None), 0), 7), "output is wrong in the first channel"),
    ("conv", conv(lambda output, *_, **__: -output), "output is negated"),
    ("conv", conv(lambda output, *_, **__: output * np.float32(1.5)), "output is 1.5 times what it should be"),
    ("conv", conv(lambda output, *_, **__: output + np.float32(1)), "output is 1 too large"),
    ("conv", without_dilation_on_the_last_axis, "output is as if dilation were 1 on the last axis"),
    ("conv", spoiled(lambda signal, weight, bias: (signal, weight, None)), "output is as if no bias were given"),
    (
        "conv",
        spoiled(lambda signal, weight, bias: (signal, weight[..., ::-1].copy(), bias)),
        "output is as if weight were reversed along the last axis",
    ),
    ("conv", first_image_for_all, "output is the first batch element's"),
    ("conv_backward", halved_weight_gradient, "grad_weight is halved"),
    ("mse_loss", summed, "output is multiplied by the number of elements of input"),
    ("add", clamped, "output is clamped at 3"),
    ("add", lambda one, other: np.maximum(one + other, one.dtype.type(-2)), "output is never below -2"),
    ("sigmoid", beyond_minus_thirty, "output is 0"),
    ("softmax", lambda scores, *, axis: refconv.softmax(scores, axis=-1), "output is as if axis were the last"),
    (
        "flatten",
        lambda signal: signal.reshape(len(signal), -1)[:, ::-1].copy(),
        "output is reversed along the last axis",
    ),
]


@pytest.mark.parametrize(("called", "function", "words"), SAID, ids=[words for *_, words in SAID])
def test_a_symptom_is_put_as_a_person_would(called, function, words):
    found = failures(called, function)
    assert len(found) > 3
    assert symptom(found).startswith(words)


def test_what_isnt_the_same_in_all_failures_isnt_said():
    changes = iter([2, 3] * 100)
    found = failures("conv", conv(lambda output, *_, **__: output * np.float32(next(changes))))
    assert symptom(found) is None


def test_what_raises_has_no_symptom_beside_its_reason():
    def raising(*arrays, **attributes):
        raise RuntimeError("no")

    assert symptom(failures("conv", raising, 3)) is None


def test_a_slight_error_is_told_by_its_size():
    rng = np.random.default_rng(0)

    def noisy(output, *_, **__):
        return (output * (1 + 1e-4 * rng.standard_normal(output.shape))).astype(np.float32)

    assert "is less accurate than float32: off by up to 0.000" in symptom(failures("conv", conv(noisy)))
