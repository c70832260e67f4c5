"""Conventions on which correct code differs: what follows one throughout is right, or told what it follows."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import oracle
import refconv
from oracle.judging.conventions import CONVENTIONS
from properties import Case
from refconv import operators

PAGE = Path(__file__).parents[3] / "docs" / "conventions.md"
TIES, HALF = "ties split evenly", "half of the gradient at 0"
NOTHING, REPEATS = "the mean of nothing is NaN", "padding beyond the size repeats"
ZEROS = "inserted zeros are multiplied"


def case(operator, *inputs, grad_output=None, dtype=np.float32, **attributes):
    row = operators[operator]
    inputs = [None if each is None else np.asarray(each, dtype) for each in inputs]
    inputs += [None] * (len(row.inputs) - len(inputs))
    attributes = {**row.attributes, **attributes}
    if grad_output is None:
        with np.errstate(all="ignore"):
            shape = row.forward(*(None if each is None else each.astype(float) for each in inputs), **attributes).shape
        grad_output = np.arange(1, 1 + np.prod(shape)).reshape(shape)
    return Case(operator, tuple(inputs), attributes, np.asarray(grad_output, dtype))


def judged(of, direction, function):
    """Judge a function that gives the output, or the gradient of the input."""
    name = of.operator if direction == "forward" else f"{of.operator}_backward"
    return oracle.compare(oracle.subject(**{name: function}), of, directions=[direction])


def output(result):
    return lambda *arrays, **attributes: np.asarray(result, np.float32)


def gradients(*results):
    return lambda *arrays, **attributes: tuple(
        None if each is None else np.asarray(each, np.float32) for each in results
    )


def taken(of, direction, function):
    verdict = judged(of, direction, function)
    assert verdict.passed, verdict.reason
    return verdict.takes


# Maxima. Another hand's gradient: windows one by one, and among their elements, equal ones counted.


def split_evenly(grad_output, input, *, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    kernel, before, step, apart = (
        (each,) * (input.ndim - 2) if isinstance(each, int) else each
        for each in (kernel_size, padding, kernel_size if stride is None else stride, dilation)
    )
    grad_input = np.zeros_like(input)
    for n, c, *o in np.ndindex(grad_output.shape):
        window = {}
        for k in itertools.product(*map(range, kernel)):
            at = tuple(
                i * s - (p if isinstance(p, int) else p[0]) + j * d
                for i, s, p, j, d in zip(o, step, before, k, apart, strict=True)
            )
            if all(0 <= i < size for i, size in zip(at, input.shape[2:], strict=True)):
                window[at] = input[(n, c, *at)]
        largest = np.max(list(window.values()), initial=-np.inf)
        equal = [at for at, value in window.items() if value == largest or np.isnan(value)]
        for at in equal:
            grad_input[(n, c, *at)] += grad_output[(n, c, *o)] / len(equal)
    return (grad_input,)


PAIRS = {"input": [[[3, 3, 1, 2, 5, 5, 5, 5]]], "kernel_size": 4}


def of_pairs(**changed):
    attributes = {**PAIRS, **changed}
    return case("max_pool", attributes.pop("input"), **attributes, grad_output=[[[8, 8]]])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"kernel_size": 3, "stride": 1, "padding": ((1, 1),)},
        {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        {"kernel_size": 2, "dilation": 3, "stride": 1},
        {"input": np.ones((2, 2, 3, 3)), "kernel_size": 2, "stride": 1, "padding": 1},
        {"input": np.zeros((1, 1, 2, 3, 3)), "kernel_size": 2, "stride": 1},
        {"input": [[[-np.inf, -np.inf, 1.0]]], "kernel_size": 2, "stride": 1},
        {"input": 0.1 * np.ones((1, 1, 3)), "kernel_size": 3, "stride": 1, "padding": 2},
    ],
)
def test_ties_may_be_split_evenly(attributes):
    given = {**PAIRS, **attributes}
    assert taken(case("max_pool", given.pop("input"), **given), "backward", split_evenly) == (TIES,)


def test_where_nothing_is_tied_no_convention_is_told():
    assert taken(case("max_pool", [[[1, 2, 4, 3]]], kernel_size=2), "backward", split_evenly) == ()


def test_adaptive_maxima_are_split_as_well():
    of = case("adaptive_max_pool", [[[1, 1, 1, 2, 2]]], output_size=2, grad_output=[[[6, 6]]])
    assert taken(of, "backward", gradients([[[2, 2, 2, 3, 3]]])) == (TIES,)


def test_equal_nan_may_share_and_padding_may_be_as_small_as_the_smallest():
    of = case("max_pool", [[[np.nan, np.nan, 1]]], kernel_size=3, grad_output=[[[4]]])
    assert taken(of, "backward", gradients([[[2, 2, 0]]])) == (TIES,)
    assert taken(of, "backward", gradients([[[np.nan, np.nan, np.nan]]])) == ()  # 0 / 0, as a mask's
    assert not judged(of, "backward", gradients([[[1, 1, 2]]])).passed
    of = case("max_pool", [[[-np.inf, 1]]], kernel_size=2, stride=2, padding=1, grad_output=[[[4, 1]]])
    assert taken(of, "backward", gradients([[[2, 1]]])) == (TIES,)


@pytest.mark.parametrize(
    "wrong",
    [
        [2, 6, 0, 0, 2, 2, 2, 2],  # unevenly
        [8, 8, 0, 0, 8, 8, 8, 8],  # the sum is lost: whole for each
        [4, 4, 0, 0, 8, 0, 0, 0],  # here by one convention, there by another
        [0, 8, 0, 0, 0, 0, 0, 8],  # the last
        [3, 3, 1, 1, 2, 2, 2, 2],  # some for what is smaller
    ],
)
def test_ties_split_half_way_are_wrong(wrong):
    verdict = judged(of_pairs(), "backward", gradients([[wrong]]))
    assert (verdict.status, verdict.takes) == ("failed", ())


def test_a_share_that_is_not_exact_has_a_bound():
    of = case("max_pool", [[[7, 7, 7]]], kernel_size=3, grad_output=[[[1]]])
    third = np.float32(1) / np.float32(3)
    assert taken(of, "backward", gradients([[[third] * 3]])) == (TIES,)
    assert not judged(of, "backward", gradients([[[third * np.float32(1.00001)] * 3]])).passed


def test_relu_may_halve_its_gradient_at_zero():
    of = case("relu", [[0, 1, -1, 0]], grad_output=[[2, 4, 6, 8]])
    assert taken(of, "backward", gradients([[1, 4, 0, 4]])) == (HALF,)
    assert taken(of, "backward", gradients([[0, 4, 0, 0]])) == ()
    assert not judged(of, "backward", gradients([[1, 4, 0, 0]])).passed
    assert not judged(of, "backward", gradients([[2, 4, 0, 8]])).passed


# The mean of nothing: an integral image's, sums over windows divided by what they count.


def by_integral_image(input, *, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    def window_sums(values):
        padded = np.pad(values, [(0, 0), (0, 0), (padding, padding)])
        running = np.pad(np.cumsum(padded, -1), [(0, 0), (0, 0), (1, 0)])
        return (running[..., kernel_size:] - running[..., :-kernel_size])[..., :: stride or kernel_size]

    with np.errstate(all="ignore"):
        return window_sums(input) / window_sums(np.ones_like(input))


def test_the_mean_of_nothing_may_be_nan():
    of = case("avg_pool", [[[2, 4]]], kernel_size=2, stride=1, padding=3, count_include_pad=False)
    assert taken(of, "forward", by_integral_image) == (NOTHING,)
    for wrong in (
        [np.nan, 0, 2, 3, 4, 0, np.nan],
        [np.nan, np.nan, np.nan, 3, 4, np.nan, np.nan],
        [7, 7, 2, 3, 4, 7, 7],
    ):
        assert not judged(of, "forward", output([[wrong]])).passed


@pytest.mark.parametrize(
    "attributes", [{"count_include_pad": True}, {"count_include_pad": False, "divisor_override": 2}]
)
def test_what_has_a_divisor_has_a_mean(attributes):
    of = case("avg_pool", [[[2, 4]]], kernel_size=2, stride=1, padding=3, **attributes)
    sums = np.array([0, 0, 2, 6, 4, 0, 0]) / 2
    assert taken(of, "forward", output([[sums]])) == ()
    assert not judged(of, "forward", output([[np.where(sums == 0, np.nan, sums)]])).passed


# Zeros that are inserted: a stranger's convolution multiplies and adds whole arrays.


def dense(array, step):
    wide = np.zeros((*array.shape[:2], (array.shape[2] - 1) * step + 1), array.dtype)
    wide[..., ::step] = array
    return wide


def by_a_dense_kernel(input, weight, bias=None, *, stride, padding, dilation, groups, padding_mode):
    with np.errstate(all="ignore"):
        return refconv.conv(input, dense(weight, dilation), bias, stride=stride, padding=padding, groups=groups)


DILATED = {"weight": np.ones((1, 1, 2)), "dilation": 2}


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_a_dilated_kernel_s_zeros_may_meet_what_is_not_finite(special):
    of = case("conv", [[[1, 2, special, 4, 5]]], DILATED["weight"], dilation=2)
    assert taken(of, "forward", by_a_dense_kernel) == (ZEROS,)
    here = [special, np.nan, special]  # taps at 0 and 2, 1 and 3, 2 and 4
    assert taken(of, "forward", output([[here]])) == (ZEROS,)
    assert not judged(of, "forward", output([[[special, 7, special]]])).passed


def test_zeros_that_meet_nothing_special_make_no_nan():
    of = case("conv", [[[1, 2, 3, 4, 5, 6, np.nan]]], DILATED["weight"], dilation=2)
    wrong = by_a_dense_kernel(*of.inputs, **of.attributes)
    assert judged(of, "forward", output(wrong)).passed
    wrong[0, 0, 0] = np.nan
    assert not judged(of, "forward", output(wrong)).passed


def test_the_weight_s_gradient_may_have_the_zeros_of_a_stride():
    of = case("conv", [[[1, np.nan, 3, 4, 5]]], np.ones((1, 1, 2)), stride=3, grad_output=[[[1, 2]]])

    def by_a_dense_gradient(grad_output, input, weight, bias=None, **attributes):
        grads = refconv.conv_backward(grad_output, input, weight, **attributes)
        wide = dense(grad_output, 3)
        taps = [(wide * input[..., k : k + wide.shape[-1]]).sum() for k in range(weight.shape[-1])]
        return grads.input, np.array([[taps]], np.float32), None

    assert taken(of, "backward", by_a_dense_gradient) == (ZEROS,)
    input, weight, _ = by_a_dense_gradient(of.grad_output, *of.inputs, **of.attributes)
    assert np.isnan(weight).all()
    half = np.where([True, False], weight, refconv.conv_backward(of.grad_output, *of.inputs, stride=3).weight)
    assert judged(of, "backward", gradients(input, half, None)).passed == bool(np.isnan(half).all())


# Padding beyond the size, by NumPy.


def padded(input, *, padding, mode, value):
    return np.pad(input, [(0, 0), (0, 0), *padding], {"reflect": "reflect", "circular": "wrap"}[mode])


@pytest.mark.parametrize("mode", ["reflect", "circular"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_padding_beyond_the_size_may_repeat(mode, size):
    of = case("pad", np.arange(1.0, size + 1).reshape(1, 1, size), padding=((5, 4),), mode=mode, grad_output=[[[0]]])
    assert taken(of, "forward", padded) == (REPEATS,)
    clamped = np.pad(of.inputs[0], [(0, 0), (0, 0), (5, 4)], "edge")
    verdict = judged(of, "forward", output(clamped))
    assert verdict.passed == (size == 1)
    assert size == 1 or "must refuse" in verdict.reason


def test_what_goes_back_from_repeated_padding_is_summed():
    of = case("pad", [[[1, 2]]], padding=((3, 2),), mode="circular", grad_output=[[[1, 2, 3, 4, 5, 6, 7]]])
    assert taken(of, "backward", gradients([[[2 + 4 + 6, 1 + 3 + 5 + 7]]])) == (REPEATS,)
    assert not judged(of, "backward", gradients([[[4, 5]]])).passed


def test_a_convolution_s_padding_may_repeat_as_well():
    of = case(
        "conv", [[[1, 2, 3]]], [[[1, 10]]], padding=((4, 0),), padding_mode="reflect",
        grad_output=np.arange(6.0).reshape(1, 1, 6),
    )  # fmt: skip
    wide = np.pad(of.inputs[0], [(0, 0), (0, 0), (4, 0)], "reflect")

    def forward(input, weight, bias=None, **attributes):
        return refconv.conv(wide, weight)

    def backward(grad_output, input, weight, bias=None, **attributes):
        grads = refconv.conv_backward(grad_output, wide, weight)
        folded = np.zeros_like(input)
        for position, source in enumerate([0, 1, 2, 1, 0, 1, 2]):
            folded[..., source] += grads.input[..., position]
        return folded, grads.weight, None

    assert taken(of, "forward", forward) == (REPEATS,)
    assert taken(of, "backward", backward) == (REPEATS,)
    assert not judged(of, "forward", output(forward(*of.inputs) + 1)).passed


def test_other_calls_that_make_no_sense_are_refused_all_the_same():
    of = case("pad", [[[1, 2, 3]]], padding=((-1, 5),), mode="reflect", grad_output=[[[0]]])
    assert "must refuse" in judged(of, "forward", output(of.inputs[0])).reason


# Upsampling: one rule, and the name of what is followed instead.


@pytest.mark.parametrize(
    ("attributes", "result", "name"),
    [
        ({"size": 2}, [2, 6], "nearest by half-pixel centres, the upper of two"),
        ({"size": 2}, [1, 5], "nearest by half-pixel centres, the lower of two"),
        ({"size": 16, "mode": "linear"}, [*np.arange(0, 7.1, 0.5), 7], "positions o * ratio"),
        ({"scale_factor": 0.3, "mode": "linear"}, [1.5, 5.5], "positions by the ratio of the sizes"),
    ],
)
def test_another_position_is_wrong_and_named(attributes, result, name):
    of = case("upsample", np.arange(8.0).reshape(1, 1, 8), **attributes)
    verdict = judged(of, "forward", output([[result]]))
    assert verdict.status == "failed"
    assert f"; follows {name} (" in verdict.reason
    assert verdict.reason.endswith("; the rule: upsample means torch.nn.functional.interpolate")


def test_an_output_of_one_at_the_first_input_is_named():
    signal = np.arange(16.0).reshape(1, 1, 4, 4)
    first = refconv.upsample(signal[..., :1].copy(), size=(8, 1), mode="linear")
    verdict = judged(case("upsample", signal, size=(8, 1), mode="linear"), "forward", output(first))
    assert "; follows an output of one at position 0 (" in verdict.reason


def test_where_two_positions_explain_a_result_both_are_named():
    verdict = judged(case("upsample", [[[1, 2, 3, 4]]], size=1, mode="linear"), "forward", output([[[1]]]))
    assert "follows positions o * ratio (" in verdict.reason
    assert " or an output of one at position 0 (" in verdict.reason


def test_a_gradient_by_other_positions_is_named_too():
    of = case("upsample", [[[1, 2, 3, 4]]], size=2, grad_output=[[[5, 7]]])
    verdict = judged(of, "backward", gradients([[[0, 5, 0, 7]]]))
    assert "follows nearest by half-pixel centres, the upper of two" in verdict.reason
    assert "follows" not in judged(of, "backward", gradients([[[0, 5, 7, 0]]])).reason


def test_another_coefficient_is_named():
    of = case("upsample", [[[[0, 0, 1, 0, 0]]]], size=(1, 10), mode="cubic")
    near, far = 0.25, 0.75  # the distances of outputs from the inputs on either side

    def weight(d):  # of Keys, 1981, equation 15
        return 1.5 * d**3 - 2.5 * d**2 + 1 if d < 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2

    half = [0, weight(1 + far), weight(1 + near), weight(far), weight(near)]
    verdict = judged(of, "forward", output([[[half + half[::-1]]]]))
    assert "follows Keys' a of -1/2" in verdict.reason


# What reports say.


def test_a_check_passes_and_tells_what_it_takes():
    subject = oracle.subject(relu=refconv.relu, relu_backward=halved, name="mine")
    report = oracle.check(subject, ["relu"], examples=40)
    assert report.passed, str(report)
    count = report.tallies[1].takes[HALF]
    assert 0 < count < 40
    assert f"relu backward takes: {HALF} ({count} cases)" in str(report)
    assert f'"{HALF}": {count}' in report.to_json()


def halved(grad_output, input):
    grads = refconv.relu_backward(grad_output, input).input
    return (np.where(input == 0, grad_output / 2, grads).astype(input.dtype),)


def test_every_convention_is_on_the_page():
    rows = {" ".join(re.split(r" \| ", row)[:2]) for row in re.findall(r"^\| (.*) \|$", PAGE.read_text(), re.MULTILINE)}
    told = {row.split(" `")[0] for row in rows}
    for known in CONVENTIONS:
        assert any(row.startswith(known.name) for row in rows | told), known.name


@pytest.mark.parametrize(
    ("operator", "backward"), [("max_pool", split_evenly), ("relu", halved)], ids=["max_pool", "relu"]
)
def test_laws_hold_for_either_convention(operator, backward):
    functions = {operator: getattr(refconv, operator), f"{operator}_backward": backward}
    report = oracle.check(oracle.subject(**functions), [operator], laws=True, examples=24, largest=3000, seed=3)
    assert report.passed, str(report)
