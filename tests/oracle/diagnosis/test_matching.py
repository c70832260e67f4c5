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
    (failure,) = oracle.check(
        oracle.subject(**{called: function}), [called.removesuffix("_backward")], examples=100, failures=1
    ).failures
    assert failure.diagnosis == name, failure
    assert (failure.cause is None) == (name is None)


def test_a_name_must_fit_what_passed_too():
    drawn = []

    def mostly_right(input, weight, bias=None, **attributes):
        drawn.append(input)
        flip = input.shape[-1] == 3
        return refconv.conv(input, weight[..., ::-1] if flip else weight, bias, **attributes)

    failure = oracle.check(oracle.subject(conv=mostly_right), examples=100).failures[0]
    assert failure.diagnosis is None


def test_no_name_is_given_to_what_is_right():
    case = oracle.check(oracle.subject(conv=conv(kernel_flipped)), examples=100).failures[0].case
    observation = observe(InProcess(refconv), case, "forward", read_arithmetic(None, "float32"))
    assert diagnose([observation], "") is None


def test_what_an_exception_says_is_no_symptom():
    def raising(input, weight, bias=None, **attributes):
        raise RuntimeError("input was modified in place")

    (failure,) = oracle.check(oracle.subject(conv=raising), examples=100).failures
    assert failure.diagnosis is None
