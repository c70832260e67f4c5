from types import SimpleNamespace

import numpy as np
import pytest

import oracle
import refconv
from properties import Case
from properties.case import but
from refconv import operators

INPUT = np.array([[[1.0, 2.0, 3.0]]], dtype=np.float32)
WEIGHT = np.array([[[10.0, 1.0]]], dtype=np.float32)
BIAS = np.array([2.0], dtype=np.float32)
ATTRIBUTES = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
OUTPUT = refconv.conv(INPUT, WEIGHT)


def case(input=INPUT, weight=WEIGHT, bias=None):
    return Case("conv", (input, weight, bias), ATTRIBUTES, np.array([[[1.0, -2.0]]], dtype=input.dtype))


def verdict(returned, of=None, **options):
    def conv(input, weight, bias=None, **attributes):
        return returned

    return oracle.compare(oracle.subject(conv=conv), of or case(), directions=["forward"], **options)


def backward_verdict(returned, of=None):
    def conv_backward(grad_output, input, weight, bias=None, **attributes):
        return returned

    return oracle.compare(oracle.subject(conv_backward=conv_backward), of or case(), directions=["backward"])


def test_what_is_right_passes_and_is_exact_on_integers():
    judged = verdict(OUTPUT)
    assert judged.passed
    assert judged.exact
    assert not judged.vacuous
    assert (judged.reason, judged.worst) == (None, 0)


def test_one_unit_in_one_element_is_seen_on_integers():
    wrong = OUTPUT.copy()
    wrong[0, 0, 1] = np.nextafter(wrong[0, 0, 1], np.float32(100), dtype=np.float32)
    assert verdict(wrong).reason == "output[0, 0, 1] = 23.000002, expected 23 exactly (1 of 2 wrong)"


def test_one_rounding_error_passes_elsewhere():
    fractional = case(input=INPUT + np.float32(0.1))
    output = refconv.conv(*fractional.inputs)
    judged = verdict(np.nextafter(output, np.float32(100), dtype=np.float32), fractional)
    assert judged.passed
    assert not judged.exact
    assert 0 < judged.worst < 8


def test_what_lies_beyond_the_statistical_bound_alone_is_called_less_accurate():
    many = case(*(np.random.default_rng(0).standard_normal((2, 1, 1, 500)).astype(np.float32)))
    many = Case("conv", many.inputs, ATTRIBUTES, np.ones((1, 1, 1), np.float32))
    output = refconv.conv(*many.inputs)
    off = output + np.float32(2e-4)
    assert verdict(off, many).reason.endswith("(1 of 1 less accurate than float32)")
    assert verdict(off, many, arithmetic="tf32").passed
    assert verdict(output + np.float32(1), many).reason.endswith("(1 of 1 wrong)")


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_isnt_finite_must_be_where_it_belongs(special):
    with np.errstate(invalid="ignore"):
        special_case = case(input=np.array([[[1.0, 2.0, special]]], dtype=np.float32))
        right = refconv.conv(*special_case.inputs)
    assert verdict(right, special_case).passed
    for wrong in (np.float32(7), np.float32(0), -right[0, 0, 1] if np.isinf(special) else np.float32(np.inf)):
        output = right.copy()
        output[0, 0, 1] = wrong
        assert verdict(output, special_case).reason.startswith(f"output[0, 0, 1] = {wrong}, expected {special} ")


def test_nan_never_passes_for_a_number():
    assert verdict(np.full_like(OUTPUT, np.nan)).reason == "output[0, 0, 0] = nan, expected 12 exactly (2 of 2 wrong)"


def test_a_sum_beyond_the_largest_number_may_overflow():
    huge = case(input=np.full_like(INPUT, 3e38))
    assert verdict(np.full_like(OUTPUT, np.inf), huge).passed


class Elsewhere:
    """An array on another device, as PyTorch has them."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("it is on cuda:0")


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (OUTPUT[0], "output must have shape (1, 1, 2), got (1, 2)"),
        (OUTPUT.astype(np.float64), "output must have dtype float32, got float64"),
        (OUTPUT.tolist(), "output must be an array, got list"),
        (tuple(OUTPUT), "output must be an array, got tuple"),
        (OUTPUT.astype(object), "output must have dtype float32, got object"),
        (None, "output must be an array, got NoneType"),
        ((value for value in OUTPUT), "output must be an array, got generator"),
        ("text", "output must have dtype float32, got <U4"),
        (
            Elsewhere(),
            "output must be an array that NumPy can read (by DLPack or __array__), got Elsewhere: it is on cuda:0",
        ),
    ],
)
def test_what_isnt_the_array_of_the_contract_is_said(returned, reason):
    assert verdict(returned).reason.startswith(reason)


def test_a_function_that_doesn_t_take_the_contract_s_arguments_is_told_them():
    def without_stride(input, weight, bias=None, *, padding=0):
        return OUTPUT

    def raising(input, weight, bias, **attributes):
        raise TypeError("of its own")

    wanted = (
        "must take (input, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, padding_mode='zeros'), but"
    )
    found = oracle.compare(oracle.subject(conv=without_stride), case(), directions=["forward"])
    assert found.reason.startswith(f"{wanted} raised TypeError: ")
    assert "unexpected keyword argument 'stride'" in found.reason
    found = oracle.compare(oracle.subject(conv=raising), case(), directions=["forward"])
    assert found.reason == "raised TypeError: of its own"
    found = oracle.compare(oracle.subject(conv_backward=without_stride), case(), directions=["backward"])
    assert found.reason.startswith("must take (grad_output, input, weight, bias=None, *, stride=1, ")


def test_anything_that_numpy_can_read_is_taken():
    class Exporting:
        def __dlpack__(self, **options):
            return OUTPUT.__dlpack__(**options)

        def __dlpack_device__(self):
            return OUTPUT.__dlpack_device__()

    class Converting:
        def __array__(self, dtype=None, copy=None):
            return OUTPUT

    assert verdict(Exporting()).passed
    assert verdict(Converting()).passed


def test_gradients_come_as_attributes_or_in_order():
    of = case(bias=BIAS)
    grads = refconv.conv_backward(of.grad_output, *of.inputs)
    assert backward_verdict(grads, of).passed
    assert backward_verdict(tuple(grads), of).passed
    assert backward_verdict(list(grads), of).passed
    assert backward_verdict(SimpleNamespace(**grads._asdict()), of).passed


def test_every_wrong_gradient_is_named():
    of = case(bias=BIAS)
    grads = refconv.conv_backward(of.grad_output, *of.inputs)
    reason = backward_verdict((grads.input, grads.weight + 1, None), of).reason
    assert reason.startswith("grad_weight[0, 0, 0] = -2.0, expected -3 exactly (2 of 2 wrong); ")
    assert reason.endswith("grad_bias must be an array, got None")


def test_a_backward_must_return_every_gradient():
    message = "a backward must return a gradient for each of input, weight, bias, got ndarray"
    assert backward_verdict(INPUT).reason == message


def test_results_of_zero_are_vacuous_unless_there_is_nothing_to_compute_with():
    zero = case(weight=np.zeros_like(WEIGHT))
    assert oracle.compare(refconv, zero, directions=["forward"]).vacuous
    assert oracle.compare(refconv, zero).vacuous
    assert oracle.compare(refconv, zero, directions=["backward"]).vacuous  # the input's gradient, not the weight's
    empty = Case("conv", (INPUT[:0], WEIGHT, None), ATTRIBUTES, OUTPUT[:0])
    for direction in ("forward", "backward"):
        judged = oracle.compare(refconv, empty, directions=[direction])
        assert judged.empty
        assert not judged.vacuous


def test_results_below_zero_are_not_vacuous():
    assert not verdict(-OUTPUT, case(weight=-WEIGHT)).vacuous


def test_a_case_is_exact_where_all_of_its_results_are():
    of = case(weight=WEIGHT + np.float32(0.1))
    judged = oracle.compare(refconv, of, directions=["backward"])  # the weight's gradient is of integers
    assert judged.passed
    assert not judged.exact


def test_what_gave_no_result_has_no_error():
    def refusing(*_, **__):
        raise oracle.Unsupported("not yet")

    def raising(*_, **__):
        raise RuntimeError

    given = [oracle.subject(conv=refusing), oracle.subject(conv=raising), oracle.subject(relu=refconv.relu)]
    judged = [oracle.compare(subject, case(), directions=["forward"]) for subject in given]
    assert [(each.status, each.worst) for each in judged] == [("declined", 0), ("failed", 0), ("absent", 0)]


def test_modified_inputs_are_named_even_if_the_result_is_right():
    def conv_backward(grad_output, input, weight, bias=None, **attributes):
        grads = refconv.conv_backward(grad_output, input, weight, bias, **attributes)
        grad_output[...] = 0
        input[0, 0, 0] = -0.0
        return grads

    of = Case("conv", (INPUT.copy(), WEIGHT, None), ATTRIBUTES, OUTPUT.copy())
    judged = oracle.compare(oracle.subject(conv_backward=conv_backward), of)
    assert judged.reason == "modified grad_output, input in place"


def test_exceptions_are_verdicts():
    class NamelessError(Exception):
        pass

    def raising(*_, **__):
        raise NamelessError

    def leaving(*_, **__):
        raise SystemExit("bye")

    assert oracle.compare(oracle.subject(conv=raising), case()).reason == "raised NamelessError"
    assert oracle.compare(oracle.subject(conv=leaving), case()).reason == "raised SystemExit: bye"


def test_ctrl_c_is_no_verdict():
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        oracle.compare(oracle.subject(conv=interrupted), case())


def test_of_both_directions_the_graver_verdict_counts():
    def wrong(*_, **__):
        return OUTPUT + 1

    def refusing(*_, **__):
        raise oracle.Unsupported("not yet")

    def compared(**functions):
        judged = oracle.compare(oracle.subject(**functions), case())
        return judged.status, judged.direction

    assert compared(conv=wrong, conv_backward=refconv.conv_backward) == ("failed", "forward")
    assert compared(conv=wrong, conv_backward=refusing) == ("failed", "forward")
    assert compared(conv=refconv.conv, conv_backward=refusing) == ("declined", "backward")
    assert compared(conv=refconv.conv) == ("passed", "forward")
    assert compared() == ("absent", "forward")


def test_an_implementation_can_be_named():
    assert oracle.compare("refconv", case()).passed


@pytest.mark.parametrize("directions", [[], ["sideways"], "forward"])
def test_directions_that_make_no_sense_are_refused(directions):
    with pytest.raises(ValueError, match=r"^directions must be of forward, backward, got \["):
        oracle.compare(refconv, case(), directions=directions)


def test_no_arithmetic_is_finer_than_what_is_stored():
    with pytest.raises(
        ValueError,
        match=r"^arithmetic must be one of float32, absolute, .*, bfloat16-accumulated where dtype is float32, got 'float64'$",
    ):
        oracle.compare(refconv, case(), arithmetic="float64")


def test_a_wrong_shape_is_exact_only_where_equality_was_demanded():
    assert verdict(OUTPUT[0]).exact
    fractional = case(input=INPUT + np.float32(0.1))
    assert not verdict(OUTPUT[0], fractional).exact


def test_where_a_bound_leaves_the_range_anything_may_come_out():
    least = np.array([[[5e-324]]])
    norm = Case(
        "lp_pool",
        (least,),
        {**operators["lp_pool"].attributes, "norm_type": 2.0, "kernel_size": 1, "stride": 1},
        np.ones((1, 1, 1)),
    )
    most = np.array([[[[np.finfo(float).max], [0.0], [0.0]]]])
    attributes = {**operators["upsample"].attributes, "size": (3, 1), "mode": "linear", "align_corners": True}
    resized = Case("upsample", (np.array([[[[0.0], [1.0]]]]),), attributes, most)
    other = but(norm, norm_type=3.5)
    for case in (norm, other, resized):
        gradient = np.zeros(case.inputs[0].shape)  # of a power, or of a sum, that has left the range
        subject = oracle.subject(**{f"{case.operator}_backward": lambda *_, gradient=gradient, **__: (gradient,)})
        assert oracle.compare(subject, case, directions=["backward"]).passed
