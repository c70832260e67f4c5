"""The oracle, given implementations that are wrong: each must be found, and nothing that is right."""

import re
import subprocess
import sys

import numpy as np
import pytest

import oracle
import refconv
from refconv import conv, conv_backward, conv_transpose


def flipped(weight):
    return weight[(..., *[slice(None, None, -1)] * (weight.ndim - 2))]


def conv_rotated(input, weight, bias=None, **attributes):
    return conv(input, flipped(weight), bias, **attributes)


def conv_padding_off_by_one(input, weight, bias=None, *, padding, **attributes):
    more = padding + 1 if isinstance(padding, int) else padding
    return conv(input, weight, bias, padding=more, **attributes)


def conv_padding_on_the_other_side(input, weight, bias=None, *, padding, **attributes):
    if isinstance(padding, tuple):
        padding = tuple(pair if isinstance(pair, int) else pair[::-1] for pair in padding)
    return conv(input, weight, bias, padding=padding, **attributes)


def conv_groups_mixed(input, weight, bias=None, *, groups, **attributes):
    order = np.arange(input.shape[1]).reshape(groups, -1).T.ravel()
    return conv(np.ascontiguousarray(input[:, order]), weight, bias, groups=groups, **attributes)


def conv_without_bias(input, weight, bias=None, **attributes):
    return conv(input, weight, None, **attributes)


def conv_axes_swapped(input, weight, bias=None, *, stride, **attributes):
    return conv(input, weight, bias, stride=stride if isinstance(stride, int) else stride[::-1], **attributes)


def conv_with_nan(input, weight, bias=None, **attributes):
    output = conv(input, weight, bias, **attributes)
    output[..., -1:] = np.nan
    return output


def conv_cut_short(input, weight, bias=None, **attributes):
    return conv(input, weight, bias, **attributes)[..., :-1]


def conv_in_double(input, weight, bias=None, **attributes):
    return conv(input, weight, bias, **attributes).astype(np.float64)


def conv_in_half(input, weight, bias=None, **attributes):
    return conv(input.astype(np.float16).astype(np.float32), weight, bias, **attributes)


def conv_off_by_one_ulp(input, weight, bias=None, **attributes):
    output = conv(input, weight, bias, **attributes)
    return np.nextafter(output, np.float32(np.inf), dtype=output.dtype)


def conv_in_place(input, weight, bias=None, **attributes):
    output = conv(input, weight, bias, **attributes)
    weight *= 2
    return output


def conv_raising(input, weight, bias=None, **attributes):
    raise RuntimeError("no such kernel\nsecond line")


def conv_returning_nothing(input, weight, bias=None, **attributes):
    return None


def conv_backward_not_rotated(grad_output, input, weight, bias=None, **attributes):
    grads = conv_backward(grad_output, input, weight, bias, **attributes)
    return grads._replace(input=conv_backward(grad_output, input, flipped(weight), bias, **attributes).input)


def conv_backward_overwriting(grad_output, input, weight, bias=None, **attributes):
    grads = conv_backward(grad_output, input, weight, bias, **attributes)
    return grads._replace(weight=conv_backward(grad_output[-1:], input[-1:], weight, bias, **attributes).weight)


def conv_backward_averaging_bias(grad_output, input, weight, bias=None, **attributes):
    grads = conv_backward(grad_output, input, weight, bias, **attributes)
    return grads if bias is None else grads._replace(bias=grads.bias / np.float32(max(len(input), 1)))


def conv_backward_inventing_bias(grad_output, input, weight, bias=None, **attributes):
    grads = conv_backward(grad_output, input, weight, bias, **attributes)
    return grads._replace(bias=np.zeros(len(weight), input.dtype)) if bias is None else grads


def conv_backward_of_two(grad_output, input, weight, bias=None, **attributes):
    return conv_backward(grad_output, input, weight, bias, **attributes)[:2]


def conv_transpose_rotated(input, weight, bias=None, **attributes):
    return conv_transpose(input, flipped(weight), bias, **attributes)


def conv_transpose_output_padding_ignored(input, weight, bias=None, *, output_padding, **attributes):
    output = conv_transpose(input, weight, bias, output_padding=0, **attributes)
    wanted = conv_transpose(input, weight, bias, output_padding=output_padding, **attributes)
    full = np.zeros_like(wanted)
    full[tuple(map(slice, output.shape))] = output
    return full


PLANTED = [
    (conv_rotated, r"^output\[.*\] = .*, expected .* exactly \(\d+ of \d+ wrong\)$"),
    (conv_padding_off_by_one, r"^output must have shape \(.*\), got \(.*\)$"),
    (conv_padding_on_the_other_side, r"^output\["),
    (conv_groups_mixed, r"^output\["),
    (conv_without_bias, r"^output\["),
    (conv_axes_swapped, r"^output must have shape|^raised InvalidValueError"),
    (conv_with_nan, r"^output\[.*\] = nan, expected "),
    (conv_cut_short, r"^output must have shape \(1, 1, 1\), got \(1, 1, 0\)$"),
    (conv_in_double, r"^output must have dtype float32, got float64$"),
    (conv_in_half, r"^output\[.*\] = .*, expected .* ± .* \(\d+ of \d+ (wrong|less accurate than float32)\)$"),
    (conv_off_by_one_ulp, r"^output\["),
    (conv_in_place, r"^modified weight in place$"),
    (conv_raising, r"^raised RuntimeError: no such kernel$"),
    (conv_returning_nothing, r"^output must be an array, got NoneType$"),
    (conv_backward_not_rotated, r"^grad_input\[[^;]*$"),
    (conv_backward_overwriting, r"^grad_weight\[[^;]*$"),
    (conv_backward_averaging_bias, r"^grad_bias\[[^;]*$"),
    (conv_backward_inventing_bias, r"^grad_bias must be None, got an array$"),
    (conv_backward_of_two, r"^a backward must return a gradient for each of input, weight, bias, got tuple$"),
    (conv_transpose_rotated, r"^output\["),
    (conv_transpose_output_padding_ignored, r"^output\[|^raised InvalidValueError: padding must leave"),
]  # fmt: skip


def names_of(function):
    operator = "conv_transpose" if function.__name__.startswith("conv_transpose") else "conv"
    direction = "backward" if "backward" in function.__name__ else "forward"
    return operator, direction


def planted(function):
    operator, direction = names_of(function)
    name = operator if direction == "forward" else f"{operator}_backward"
    return oracle.subject(**{name: function}, name=function.__name__)


@pytest.mark.parametrize(("function", "reason"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_wrong_implementation_is_found(function, reason):
    report = oracle.check(planted(function), examples=100)
    assert not report.passed
    assert re.search(reason, report.failures[0].reason), report.failures[0].reason
    for failure in report.failures:
        assert (failure.operator, failure.direction) == names_of(function)
        assert not oracle.compare(planted(function), failure.case).passed
        assert failure.reproduces


@pytest.mark.parametrize(("function", "largest"), [(conv_rotated, 6), (conv_without_bias, 3), (conv_groups_mixed, 16)])
def test_what_fails_is_shrunk(function, largest):
    (failure,) = oracle.check(planted(function), examples=100).failures
    assert sum(array.size for array in failure.case.inputs if array is not None) <= largest


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_conforms_to_itself(dtype):
    report = oracle.check(refconv, dtype=dtype, examples=50)
    assert report.passed
    assert all(tally.passed == tally.cases > 0 for tally in report.tallies)
    assert all(cases_of(report, operator) >= 100 for operator in refconv.operators)


def cases_of(report, operator):
    """How many there were in both directions; those with special values have a row of their own."""
    return sum(tally.cases for tally in report.tallies if tally.operator == operator)


def forced(function):
    def call(*arrays, **attributes):
        with refconv.using("fast"):
            return function(*arrays, **attributes)

    return call


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_fast_path_conforms_to_the_definition(dtype):
    names = ["conv", "conv_transpose", "linear"]
    functions = {name + way: forced(getattr(refconv, name + way)) for name in names for way in ("", "_backward")}
    with refconv.using("definition"):
        report = oracle.check(oracle.subject(**functions), names, dtype=dtype, examples=300)
    assert report.passed
    assert all(tally.passed == tally.cases > 0 for tally in report.tallies)
    assert all(cases_of(report, operator) >= 600 for operator in names)


def test_a_failure_in_one_direction_leaves_the_other_to_be_checked():
    subject = oracle.subject(conv=conv_rotated, conv_backward=conv_backward)
    report = oracle.check(subject, examples=100)
    assert [failure.direction for failure in report.failures] == ["forward"]
    assert {tally.direction: tally.passed for tally in report.tallies}["backward"] == 100


def test_both_directions_can_fail():
    subject = oracle.subject(conv=conv_rotated, conv_backward=conv_backward_not_rotated)
    assert [failure.direction for failure in oracle.check(subject, examples=100).failures] == ["forward", "backward"]


def test_what_an_implementation_lacks_is_absent_not_failed():
    report = oracle.check(oracle.subject(conv=conv), examples=100)
    assert report.passed
    others = [name for name in refconv.operators if name != "conv"]
    assert report.absent == ["conv_backward", *[name + way for name in others for way in ("", "_backward")]]


def test_an_implementation_that_offers_nothing_does_not_pass():
    report = oracle.check(object(), examples=100)
    assert not report.passed
    assert "offers nothing that could be checked" in str(report)


def test_declined_cases_are_counted():
    def one_axis_alone(input, weight, bias=None, **attributes):
        if input.ndim != 3:
            raise oracle.Unsupported("one spatial axis only")
        return conv(input, weight, bias, **attributes)

    report = oracle.check(oracle.subject(conv=one_axis_alone), examples=100)
    assert report.passed
    assert 0 < report.declined["conv"] < 50


def test_a_failure_is_told_however_much_is_declined():
    def refusing_or_wrong(input, weight, bias=None, **attributes):
        if input.ndim != 5 or attributes["groups"] != 4:
            raise oracle.Unsupported
        return conv(input, weight, bias, **attributes) + 1

    report = oracle.check(oracle.subject(conv=refusing_or_wrong), examples=500)
    assert [failure.direction for failure in report.failures] == ["forward"]
    assert report.undecided == []
    assert "too few are left" not in str(report)


def test_declining_nearly_all_does_not_pass():
    def refusing(*inputs, **attributes):
        raise oracle.Unsupported

    report = oracle.check(oracle.subject(conv=refusing), examples=100)
    assert not report.passed
    assert not report.failures
    assert "declined 100 of 100 cases: too few are left for a verdict" in str(report)


def test_an_implementation_that_changes_its_mind_is_reported_as_not_reproducible():
    calls = []

    def moody(input, weight, bias=None, **attributes):
        output = conv(input, weight, bias, **attributes)
        calls.extend([1] * (output.size > 0))
        return output + 1 if len(calls) == 20 else output

    (failure,) = oracle.check(oracle.subject(conv=moody), examples=100).failures
    assert failure.reason.endswith("(not reproducible: the same case passed when it was run again)")


def wide_stride(case):
    return np.max(case.attributes["stride"]) > 2


def deviating(wrong):
    deviation = oracle.Deviation("conv", "forward", wide_stride, "wide strides are wrong", "1.0", "conv(stride=3)", "")

    def function(input, weight, bias=None, **attributes):
        output = conv(input, weight, bias, **attributes)
        return output + 1 if wrong and np.max(attributes["stride"]) > 2 else output

    subject = oracle.subject(conv=function)
    subject.deviations = (deviation,)
    return subject


def test_a_known_deviation_is_counted_apart():
    report = oracle.check(deviating(wrong=True), examples=100)
    assert report.passed
    ((_, matched, failed),) = report.deviations
    assert matched >= failed > 5
    assert f"1 known deviation, 1 of which showed, in {failed} of {matched} cases" in str(report)


def test_a_deviation_that_does_not_show_is_said():
    report = oracle.check(deviating(wrong=False), examples=100)
    ((_, matched, failed),) = report.deviations
    assert matched > 5
    assert failed == 0
    assert f"1 known deviation, 0 of which showed, in 0 of {matched} cases" in str(report)


def test_what_deviated_stays_counted_when_the_other_direction_goes_on():
    subject = deviating(wrong=True)
    plain = subject.conv
    subject.conv = lambda *inputs, **attributes: (
        plain(*inputs, **attributes) + (attributes["padding_mode"] == "circular")
    )
    subject.conv_backward = conv_backward
    report = oracle.check(subject, examples=200)
    assert {failure.direction for failure in report.failures} == {"forward"}
    assert [deviation.direction for deviation, _, _ in report.deviations] == ["forward"]


def test_a_deviation_hides_nothing_else():
    subject = deviating(wrong=True)
    subject.conv = conv_rotated
    (failure,) = oracle.check(subject, examples=100).failures
    assert not wide_stride(failure.case)


def test_the_same_seed_finds_the_same():
    one, other = (oracle.check(planted(conv_rotated), seed=5, examples=100).failures[0] for _ in range(2))
    assert (one.reason, one.script) == (other.reason, other.script)


def test_a_check_does_without_what_shows_reports():
    code = "import sys; sys.modules['rich'] = None; import oracle, refconv; assert oracle.check(refconv, ['conv'], examples=2).passed"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_progress_is_told_case_by_case():
    told = []
    oracle.check(refconv, ["conv"], examples=5, progress=lambda report: told.append(report.tallies[-1].cases))
    assert told[:6] == [0, 1, 2, 3, 4, 5]  # the first, before anything is compiled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"operators": ["convolve"]},
            r"^operators must be of conv, conv_transpose, .*, capsule_routing, got 'convolve'$",
        ),
        ({"operators": ["MaxPool2d"]}, r", got 'MaxPool2d'; did you mean max_pool \(with only=\{'rank': 2\}\)\?$"),
        ({"operators": "cnov"}, r", got 'cnov'; did you mean conv\?$"),
        ({"only": {"grops": 1}}, r", got 'grops'; did you mean groups\?$"),
        ({"arithmetic": "float31"}, r", got 'float31'; did you mean float32\?$"),
        ({"operators": []}, r"^operators must be of conv, conv_transpose, .*, capsule_routing, got none$"),
        ({"examples": 0}, r"^examples must be at least 1, got 0$"),
        ({"dtype": "int8"}, r"^dtype must be one of float32, float64, float16, bfloat16, got 'int8'$"),
        (
            {"arithmetic": "int8"},
            r"^arithmetic must be one of float32, absolute, .*, tf32, .* where dtype is float32, got 'int8'$",
        ),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        oracle.check(refconv, **arguments)


def test_a_name_is_loaded():
    assert oracle.check("refconv", ["conv"], examples=1).subject == "refconv"
    with pytest.raises(oracle.LoadError, match=r"^cannot load 'nowhere': ModuleNotFoundError"):
        oracle.check("nowhere", examples=100)
