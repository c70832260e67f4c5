"""NaN and infinities: they come out where the definition has them, but for products with zeros that pad."""

import numpy as np
import pytest

import oracle
import refconv
from properties import Case

ATTRIBUTES = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
ONES = np.ones((1, 1, 4), np.float32)


def case(*, input=ONES, weight=None, grad_output=ONES):
    weight = np.array([[[1, 2, 3]]], np.float32) if weight is None else weight
    return Case("conv", (input, weight, None), ATTRIBUTES, grad_output)


def with_padding_multiplied(input, weight, bias=None, *, padding, **attributes):
    padded = np.pad(input, [(0, 0), (0, 0), (padding, padding)])
    with np.errstate(all="ignore"):
        return refconv.conv(padded, weight, bias, padding=0, **attributes)


def backward_with_padding_multiplied(grad_output, input, weight, bias=None, *, padding, **attributes):
    padded = np.pad(input, [(0, 0), (0, 0), (padding, padding)])
    with np.errstate(all="ignore"):
        grads = refconv.conv_backward(grad_output, padded, weight, bias, padding=0, **attributes)
    return grads._replace(input=np.ascontiguousarray(grads.input[..., padding:-padding]))


PADDING = oracle.subject(conv=with_padding_multiplied, conv_backward=backward_with_padding_multiplied)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_may_make_nan_where_it_falls_on_padding(special):
    weight = np.array([[[special, 2, 3]]], np.float32)
    output = with_padding_multiplied(ONES, weight, padding=1)
    assert np.isnan(output[0, 0, 0])
    assert oracle.compare(PADDING, case(weight=weight), directions=["forward"]).passed
    output[0, 0, -1] = 7
    wrong = oracle.subject(conv=lambda *arrays, **attributes: output)
    assert oracle.compare(wrong, case(weight=weight), directions=["forward"]).reason.startswith("output[0, 0, 3] = 7.0")


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_may_make_nan_of_the_weights_that_fall_on_padding(special):
    grad_output = ONES.copy()
    grad_output[0, 0, 0] = special
    judged = case(grad_output=grad_output)
    assert oracle.compare(PADDING, judged).passed
    grads = refconv.conv_backward(grad_output, *judged.inputs, **ATTRIBUTES)
    assert np.isfinite(grads.weight[0, 0, 0])
    grads.weight[0, 0, 2] = np.nan
    wrong = oracle.subject(conv_backward=lambda *arrays, **attributes: grads)
    assert oracle.compare(wrong, judged, directions=["backward"]).passed == bool(np.isnan(special))


def test_nan_is_right_nowhere_else():
    def poisoned(input, weight, bias=None, **attributes):
        output = refconv.conv(input, weight, bias, **attributes)
        output[0, 0, -1] = np.nan
        return output

    subject = oracle.subject(conv=poisoned)
    assert not oracle.compare(subject, case(), directions=["forward"]).passed
    weight = np.array([[[np.inf, 2, 3]]], np.float32)  # falls on padding before the input, not after it
    assert not oracle.compare(subject, case(weight=weight), directions=["forward"]).passed


@pytest.mark.parametrize("operator", ["concat", "flatten"])
def test_what_is_moved_keeps_the_sign_of_zero(operator):
    zero = np.array([[[-0.0, 1.0]]], np.float32)
    inputs = (zero, zero) if operator == "concat" else (zero,)
    attributes = {"axis": 1} if operator == "concat" else {}
    row = refconv.operators[operator]
    output = row.forward(*inputs, **attributes)
    moved = Case(operator, inputs, attributes, np.ones_like(output))
    assert oracle.compare(refconv, moved).passed
    plus = oracle.subject(
        **{operator: lambda *arrays, **attributes: row.forward(*arrays, **attributes) + np.float32(0)}
    )
    assert "= 0.0, expected -0 exactly" in oracle.compare(plus, moved, directions=["forward"]).reason


def spoiled(operator, attributes, *inputs, special, at, place):
    """Return a case of ones with `special` in one place of `grad_output`, and a subject whose grad_input has NaN."""
    row = refconv.operators[operator]
    with np.errstate(all="ignore"):
        grad_output = np.ones_like(row.forward(*inputs, **attributes))
    grad_output[at] = special

    def backward(*arrays, **options):
        with np.errstate(all="ignore"):
            grads = row.backward(*arrays, **options)
        grads.input[place] = np.nan
        return grads

    return Case(operator, inputs, attributes, grad_output), oracle.subject(**{f"{operator}_backward": backward})


@pytest.mark.parametrize(
    ("operator", "attributes", "shapes", "reached", "beyond"),
    [
        ("conv", ATTRIBUTES, [(2, 2, 4), (2, 2, 3)], (0, 1, 3), (1, 0, 0)),
        ("avg_pool", {"kernel_size": 2}, [(2, 2, 4)], (0, 0, 3), (0, 1, 0)),
        ("linear", {}, [(2, 2, 4), (3, 4)], (0, 0, 3), (0, 1, 0)),
        ("sigmoid", {}, [(2, 2, 4)], (0, 0, 0), (0, 0, 1)),
    ],
)
def test_what_is_not_finite_spreads_no_further_than_it_reaches(operator, attributes, shapes, reached, beyond):
    defaults = refconv.operators[operator].attributes
    inputs = tuple(np.ones(shape, np.float32) for shape in shapes)
    inputs += (None,) * (len(refconv.operators[operator].inputs) - len(inputs))
    for place, passes in ((reached, True), (beyond, False)):
        case, subject = spoiled(
            operator, {**defaults, **attributes}, *inputs, special=np.inf, at=(0, 0, 0), place=place
        )
        assert oracle.compare(subject, case, directions=["backward"]).passed == passes


def test_beside_what_is_not_finite_as_much_is_asked_as_without_it():
    weight = np.array([[0.1, 0.3]], np.float32)
    grad_output = np.array([[[0.7], [np.inf]]], np.float32)
    case = Case("linear", (np.ones((1, 2, 2), np.float32), weight, None), {}, grad_output)

    def backward(*arrays):
        grads = refconv.linear_backward(*arrays)
        grads.input[0, 0] *= np.float32(1 + 20 * 2.0**-24)
        return grads

    assert oracle.compare(refconv, case).passed
    judged = oracle.compare(oracle.subject(linear_backward=backward), case, directions=["backward"])
    assert "expected 0.0699999999 ± 8.3e-09" in judged.reason


@pytest.mark.parametrize("special", [1.0, np.nan])
def test_of_nothing_by_nothing_anything_may_come(special):
    input = np.array([[[special, 2.0], [3.0, 3.0]]], np.float32)  # a plane without variance, where eps is 0
    case = Case("instance_norm", (input, None, None), {"eps": 0.0}, np.ones_like(input))

    def filled(*, plane):
        def forward(*arrays, **attributes):
            with np.errstate(all="ignore"):
                output = refconv.instance_norm(*arrays, **attributes)
            output[0, plane] = 7
            return output

        return oracle.compare(oracle.subject(instance_norm=forward), case, directions=["forward"])

    assert filled(plane=1).passed
    assert not filled(plane=0).passed
