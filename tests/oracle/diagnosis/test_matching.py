"""Bugs that were written anew, without the catalogue: each must be called by its name, and nothing else be named."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import oracle
import refconv
from oracle.diagnosis import diagnose
from oracle.judging.judge import observe, read_arithmetic
from oracle.running.runner import InProcess
from refconv.geometry import read_window


def correlated(input, weight, bias, window):
    """A convolution by windows in NumPy; one group, zeros as padding."""
    axes = tuple(range(2, input.ndim))
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding])
    seen = sliding_window_view(padded, window.extent, axes)
    steps = [slice(None, None, step) for step in (1, 1, *window.stride, *window.dilation)]
    taps = range(-len(axes), 0)
    output = np.moveaxis(np.tensordot(seen[tuple(steps)], weight, ((1, *taps), (1, *taps))), -1, 1)
    return output if bias is None else output + bias.reshape(-1, *[1] * len(axes))


def conv(change):
    def function(input, weight, bias=None, *, stride, padding, dilation, groups, padding_mode):
        if groups > 1 or padding_mode != "zeros":
            raise oracle.Unsupported("one group, padded with zeros")
        window = read_window(weight.shape[2:], stride=stride, padding=padding, dilation=dilation, words=True)
        rank = input.ndim - 2
        own = window._replace(**{name: getattr(window, name)[-rank:] for name in ("stride", "padding", "dilation")})
        with np.errstate(all="ignore"):  # of what isn't finite
            return change(input, weight, bias, own)

    return function


def kernel_flipped(input, weight, bias, window):
    return correlated(input, np.flip(weight, range(2, weight.ndim)), bias, window)


def bias_forgotten(input, weight, bias, window):
    return correlated(input, weight, None, window)


def padding_swapped(input, weight, bias, window):
    return correlated(input, weight, bias, window._replace(padding=window.padding[::-1]))


def two_mistakes(input, weight, bias, window):
    return correlated(input, np.flip(weight, range(2, weight.ndim)), None, window)


def off_by_noise(input, weight, bias, window):
    output = correlated(input, weight, bias, window)
    return output + np.arange(output.size, dtype=output.dtype).reshape(output.shape) % 3


def conv_backward_averaging(grad_output, input, weight, bias=None, **attributes):
    if bias is None:
        raise oracle.Unsupported("with a bias")
    axes = (0, *range(2, grad_output.ndim))
    mean = np.mean(grad_output, axis=0, keepdims=True) if len(grad_output) else np.zeros_like(grad_output[:1])
    grads = refconv.conv_backward(grad_output, input, weight, bias, **attributes)
    return grads._replace(bias=mean.sum(axes, dtype=grad_output.dtype))


def relu_without_nan(input):
    return np.where(input > 0, input, 0).astype(input.dtype)


def softmax_of_large_scores(input, *, axis):
    with np.errstate(all="ignore"):
        powers = np.exp(input)
        return powers / powers.sum(axis=axis, keepdims=True)


def batch_norm_biased(input, weight=None, bias=None, running_mean=None, running_var=None, *, training, momentum, eps):
    result = refconv.batch_norm(
        input, weight, bias, running_mean, running_var, training=training, momentum=momentum, eps=eps
    )
    if running_var is None or not training or input.size == 0:
        return result
    with np.errstate(all="ignore"):
        variance = input.astype(np.float64).var(axis=(0, *range(2, input.ndim)))
        kept = ((1 - momentum) * running_var + momentum * variance).astype(input.dtype)
    return result._replace(running_var=kept)


NAMED = [
    ("conv", conv(kernel_flipped), "kernel flipped"),
    ("conv", conv(bias_forgotten), "bias missing"),
    ("conv", conv(padding_swapped), "padding swapped between axes"),
    ("conv", conv(two_mistakes), None),
    ("conv", conv(off_by_noise), None),
    ("conv_backward", conv_backward_averaging, "gradient of the bias averaged over the batch"),
    ("relu", relu_without_nan, "NaN made 0"),
    ("softmax", softmax_of_large_scores, "not shifted by the maximum"),
    ("batch_norm", batch_norm_biased, "running variance biased"),
]


@pytest.mark.parametrize(("called", "function", "name"), NAMED, ids=[str(named[2]) for named in NAMED])
def test_a_bug_is_called_by_its_name(called, function, name):
    failure, *others = oracle.check(
        oracle.subject(**{called: function}), [called.removesuffix("_backward")], examples=100
    ).failures
    assert failure.diagnosis == name, failure
    assert {other.diagnosis for other in others} <= {"arguments not checked", *([None] if name is None else [])}
    assert (failure.cause is None) == (name is None)


def test_a_name_must_fit_what_passed_too_or_a_condition_explains_it():
    def mostly_right(input, weight, bias=None, **attributes):
        flip = input.shape[-1] == 3
        return refconv.conv(input, weight[..., ::-1] if flip else weight, bias, **attributes)

    failure = oracle.check(oracle.subject(conv=mostly_right), examples=100).failures[0]
    assert failure.diagnosis != "kernel flipped"
    assert "a size of input of 3 on the last axis" in failure.condition
    assert failure.symptom == "output is as if weight were reversed along the last axis"


def test_no_name_is_given_to_what_is_right():
    case = oracle.check(oracle.subject(conv=conv(kernel_flipped)), examples=100).failures[0].case
    observation = observe(InProcess(refconv), case, "forward", read_arithmetic(None, "float32"))
    assert diagnose([observation], "") is None


def test_what_an_exception_says_is_no_symptom():
    def raising(input, weight, bias=None, **attributes):
        raise RuntimeError("input was modified in place")

    (failure,) = oracle.check(oracle.subject(conv=raising), examples=100).failures
    assert failure.diagnosis is None


def summed_in_float16(input, weight, bias, window):
    rank = input.ndim - 2
    padded = np.pad(input, [(0, 0), (0, 0), *window.padding]).astype(np.float16)
    seen = sliding_window_view(padded, window.extent, tuple(range(2, input.ndim)))
    seen = seen[tuple(slice(None, None, step) for step in (1, 1, *window.stride, *window.dilation))]
    total = np.zeros((len(input), len(weight), *seen.shape[2 : 2 + rank]), np.float16)
    for place in np.ndindex(*weight.shape):
        total[:, place[0]] += seen[(slice(None), place[1], ..., *place[2:])] * np.float16(weight[place])
    return (
        total.astype(input.dtype)
        if bias is None
        else (total + bias.astype(np.float16).reshape(-1, *[1] * rank)).astype(input.dtype)
    )


@pytest.mark.parametrize("seed", range(3))
def test_sums_in_float16_have_one_name_whatever_the_seed(seed):
    (failure, *_) = oracle.check(oracle.subject(conv=conv(summed_in_float16)), examples=60, seed=seed).failures
    assert "float16" in failure.diagnosis


@pytest.mark.parametrize("operator", ["conv", "adaptive_avg_pool", "max_pool"])
def test_what_always_raises_isnt_named(operator):
    def raising(*arrays, **attributes):
        raise ValueError("no kernel for these sizes")

    failure = oracle.check(oracle.subject(**{operator: raising}), examples=40).failures[0]
    assert failure.diagnosis is None
    assert failure.condition == "always"


@pytest.mark.parametrize(
    ("operator", "function"),
    [
        ("sigmoid", lambda values: np.where(values < -15, 0, refconv.sigmoid(values)).astype(values.dtype)),
        ("tanh", lambda values: (refconv.tanh(values) * np.float32(1 + 2e-4)).astype(values.dtype)),
    ],
)
def test_precision_is_named_of_products_alone(operator, function):
    failure = oracle.check(oracle.subject(**{operator: function}), examples=60).failures[0]
    assert failure.diagnosis is None
    assert failure.symptom


def test_what_is_units_off_isnt_taken_for_lost_nan():
    def off(input, *, kernel_size, **attributes):
        output = refconv.avg_pool(input, kernel_size=kernel_size, **attributes)
        return output + np.spacing(abs(output)) * 40

    failure = oracle.check(oracle.subject(avg_pool=off), examples=60).failures[0]
    assert failure.diagnosis is None


def test_a_mistake_under_a_condition_has_its_name_and_the_condition():
    def lost_when_grouped(input, weight, bias=None, *, groups, **attributes):
        return refconv.conv(input, weight, None if groups > 1 else bias, groups=groups, **attributes)

    failure = oracle.check(oracle.subject(conv=lost_when_grouped), examples=100).failures[0]
    assert failure.diagnosis == "bias missing"
    assert failure.condition == "groups > 1 and bias is given"
    assert failure.symptom == "output is as if no bias were given"


def test_what_now_fails_now_passes_is_a_race():
    rng = np.random.default_rng(0)

    def racing(input, weight, bias=None):
        output = refconv.linear(input, weight, bias)
        output.flat[:1] += rng.random() < 0.4
        return output

    failure = oracle.check(oracle.subject(linear=racing), examples=60).failures[0]
    assert failure.diagnosis == "a race"
    assert failure.condition is None


def test_a_threshold_is_found_by_calls_beside_it():
    def without_the_rest(input, weight, bias=None, **attributes):
        if input.shape[1] > 33:
            input = input.copy()
            input[:, 32:] = 0
        return refconv.conv(input, weight, bias, **attributes)

    failure = oracle.check(oracle.subject(conv=without_the_rest), examples=100).failures[0]
    assert failure.condition == "34 or more input channels"
