from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import cases, content
from refconv import ARITHMETICS, InvalidTypeError, InvalidValueError, upsample, upsample_backward
from refconv.layers.upsample import upsample_backward_bound, upsample_bound

FLOAT32 = ARITHMETICS["float32"]
UNIT = 2.0**-24
DEFAULTS = {"size": None, "scale_factor": None, "mode": "nearest", "align_corners": False}


def signal(*values):
    return np.array([[values]], dtype=np.float64)


def keys(distance):
    """Keys' kernel with a = -3/4, of a fraction."""
    a, d = Fraction(-3, 4), abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else Fraction(0)


def matrix(inputs, outputs, scale, mode, align_corners):
    """The weights of one axis, in fractions: position by position, neighbour by neighbour."""
    weights = np.full((outputs, inputs), Fraction(0))
    ratio = Fraction(inputs, outputs) if scale is None else 1 / Fraction(scale).limit_denominator(100)
    for o in range(outputs):
        if mode == "nearest":
            weights[o, floor(o * ratio)] += 1
            continue
        position = (o + Fraction(1, 2)) * ratio - Fraction(1, 2)
        if align_corners:
            position = Fraction(o * (inputs - 1), outputs - 1) if outputs > 1 else Fraction(0)
        if mode == "linear":
            position = max(position, Fraction(0))
        for i in range(floor(position) - 1, floor(position) + 3):
            weight = keys(position - i) if mode == "cubic" else max(1 - abs(position - i), 0)
            weights[o, min(max(i, 0), inputs - 1)] += weight
    return weights.astype(float)


def matrices(case):
    sizes, outputs = case.inputs[0].shape[2:], case.grad_output.shape[2:]
    scales = case.attributes["scale_factor"]
    each = scales if isinstance(scales, tuple) else (scales,) * len(sizes)
    flags = case.attributes["mode"], case.attributes["align_corners"]
    return [matrix(*axis, *flags) for axis in zip(sizes, outputs, each, strict=True)]


def applied(weights, array):
    for axis, each in enumerate(weights, start=2):
        array = np.moveaxis(np.tensordot(each, array, (1, axis)), 0, axis)
    return array


@given(cases("upsample", dtype="float64"))
def test_it_applies_the_weights_along_each_axis(case):
    input = content("integer", case.inputs[0].shape, "float64", 1)
    output = upsample(input, **case.attributes)
    assert output == pytest.approx(applied(matrices(case), input), abs=1e-13)


@given(cases("upsample", dtype="float64"))
def test_the_gradient_goes_back_by_the_same_weights(case):
    grad_output = content("integer", case.grad_output.shape, "float64", 1)
    grads = upsample_backward(grad_output, case.inputs[0], **case.attributes)
    assert grads.input == pytest.approx(applied([each.T for each in matrices(case)], grad_output), abs=1e-12)


def test_the_nearest_by_hand():
    assert upsample(signal(1, 2, 3), size=6).tolist() == [[[1, 1, 2, 2, 3, 3]]]
    assert upsample(signal(1, 2, 3), size=4).tolist() == [[[1, 1, 2, 3]]]  # of 0, 0.75, 1.5, 2.25
    assert upsample(signal(1, 2, 3, 4, 5), size=2).tolist() == [[[1, 3]]]  # of 0, 2.5
    assert upsample(signal(1, 2, 3), scale_factor=2.25).tolist() == [[[1, 1, 1, 2, 2, 3]]]  # not by 6 / 3
    grads = upsample_backward(signal(1, 10, 100, 1000), signal(1, 2, 3), size=4)
    assert grads.input.tolist() == [[[11, 100, 1000]]]


@given(st.integers(1, 99), st.integers(1, 99))
def test_the_nearest_is_found_exactly(inputs, outputs):
    expected = [floor(Fraction(o * inputs, outputs)) for o in range(outputs)]
    assert upsample(np.arange(float(inputs))[None, None], size=outputs)[0, 0].tolist() == expected


def test_the_nearest_is_not_rounded_to_the_neighbour():
    positions = np.arange(22, dtype=np.float32) * (np.float32(26) / np.float32(22))
    assert floor(positions[11]) == 12  # in float32, where 11 * 26 / 22 = 13
    assert upsample(np.arange(26.0)[None, None], size=22)[0, 0, 11] == 13


def test_linear_by_hand():
    assert upsample(signal(0, 12), size=4, mode="linear").tolist() == [[[0, 3, 9, 12]]]
    assert upsample(signal(0, 12), size=4, mode="linear", align_corners=True).tolist() == [[[0, 4, 8, 12]]]
    assert upsample(signal(0, 4, 8, 12), size=2, mode="linear").tolist() == [[[2, 10]]]
    assert upsample(signal(0, 4, 8, 12), size=2, mode="linear", align_corners=True).tolist() == [[[0, 12]]]
    grads = upsample_backward(signal(4, 40, 400, 4000), signal(0, 12), size=4, mode="linear")
    assert grads.input.tolist() == [[[4 + 30 + 100, 10 + 300 + 4000]]]


def test_bilinear_by_hand():
    input = np.array([[[[0.0, 16.0], [32.0, 64.0]]]])
    output = upsample(input, scale_factor=2, mode="linear")
    assert output[0, 0, 0].tolist() == [0, 4, 12, 16]
    assert output[0, 0, 1].tolist() == [8, 13, 23, 28]  # a quarter of the way from row to row


def test_cubic_by_hand():
    # At distances of 1/4, 3/4, 5/4 and 7/4 the weights are 225, 67, -27 and -9 of 256.
    middle = upsample(np.array([[[[0.0], [256.0], [0.0]]]]), scale_factor=(2, 1), mode="cubic")
    assert middle[0, 0, :, 0].tolist() == [-27, 67, 225, 225, 67, -27]
    end = upsample(np.array([[[[256.0], [0.0], [0.0]]]]), scale_factor=(2, 1), mode="cubic")
    assert end[0, 0, :, 0].tolist() == [225 + 67 - 9, 225 - 27, 67 - 9, -27, -9, 0]  # it is repeated beyond the border


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_a_size_of_its_own_changes_nothing(mode):
    input = content("normal", (2, 2, 3, 4), "float64", 0)
    for given_ in ({"size": (3, 4)}, {"scale_factor": 1}):
        assert (upsample(input, **given_, mode=mode) == input).all()


@pytest.mark.parametrize(
    ("mode", "corners"), [("nearest", False), ("linear", False), ("linear", True), ("cubic", True)]
)
def test_a_single_value_is_repeated(mode, corners):
    output = upsample(np.full((1, 1, 1, 1), 3.0), size=(2, 5), mode=mode, align_corners=corners)
    assert output == pytest.approx(np.full((1, 1, 2, 5), 3), rel=1e-15)


@given(cases("upsample", dtype="float64"), st.data())
def test_a_constant_stays(case, data):
    output = upsample(np.full_like(case.inputs[0], 3), **case.attributes)
    assert output == pytest.approx(np.full_like(case.grad_output, 3), rel=1e-14)


def test_aligned_corners_stay():
    input = content("normal", (1, 2, 4, 5), "float64", 0)
    for mode in ("linear", "cubic"):
        output = upsample(input, size=(7, 9), mode=mode, align_corners=True)
        assert (output[..., ::6, ::8] == input[..., ::3, ::4]).all()
        assert (upsample(input, size=(1, 1), mode=mode, align_corners=True) == input[..., :1, :1]).all()


def test_the_scale_finds_the_positions_not_the_sizes():
    by_scale = upsample(signal(0, 6, 12), scale_factor=1.5, mode="linear")  # to size 4
    assert by_scale[0, 0].tolist() == pytest.approx([0, 3, 7, 11])  # of 0 - 1/6, 1/2, 7/6, 11/6
    by_size = upsample(signal(0, 6, 12), size=4, mode="linear")
    assert by_size[0, 0].tolist() == [0, 3.75, 8.25, 12]
    aligned = [
        upsample(signal(0, 6, 12), **how, mode="linear", align_corners=True)
        for how in ({"scale_factor": 1.5}, {"size": 4})
    ]
    assert (aligned[0] == aligned[1]).all()


def test_a_scale_may_shrink_and_keep_the_size():
    assert upsample(signal(1, 2, 3, 4, 5), scale_factor=0.5).tolist() == [[[1, 3]]]
    assert upsample(signal(0, 14), scale_factor=1.4, mode="linear")[0, 0].tolist() == pytest.approx(
        [0, 8]
    )  # 1.5/1.4 - 0.5
    assert upsample(np.ones((1, 1, 3)), scale_factor=0.34).shape == (1, 1, 1)


def test_numbers_count_as_scales_and_sizes():
    for factor in (2, 2.0, np.float32(2), np.int8(2), Fraction(2), (2,), [2.0]):
        assert upsample(signal(1, 2), scale_factor=factor).tolist() == [[[1, 1, 2, 2]]]
    assert upsample(np.ones((1, 1, 2, 2)), scale_factor=(1, 1.5)).shape == (1, 1, 2, 3)
    assert upsample(np.ones((1, 1, 2, 2)), size=(1, 3)).shape == (1, 1, 1, 3)


def test_what_is_not_finite_stays_with_its_neighbours():
    assert upsample(signal(np.inf, 1), size=4).tolist() == [[[np.inf, np.inf, 1, 1]]]
    output = upsample(signal(np.inf, 1, 2), scale_factor=2, mode="linear")[0, 0]
    assert output[1:].tolist() == [np.inf, np.inf, 1.25, 1.75, 2]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_an_empty_batch_gives_an_empty_output_and_gradient(mode):
    input = np.zeros((0, 2, 3, 3))
    output = upsample(input, size=(2, 4), mode=mode)
    assert output.shape == (0, 2, 2, 4)
    assert upsample_backward(output, input, size=(2, 4), mode=mode).input.shape == input.shape


def limits(input, **attributes):
    given_ = {**DEFAULTS, **attributes}
    output = upsample(input, **given_)
    grad_output = content("integer", output.shape, "float64", 1)
    grads = upsample_backward(grad_output, input, **given_)
    (backward,) = upsample_backward_bound(FLOAT32, grads, grad_output, input, **given_)
    return upsample_bound(FLOAT32, output, input, **given_).limit, backward.limit


@pytest.mark.parametrize(
    "attributes",
    [
        {"size": (7, 5)},
        {"scale_factor": 1.3},
        {"scale_factor": 2, "mode": "linear"},
        {"scale_factor": (4, 0.25), "mode": "linear"},
        {"size": (3, 3), "mode": "linear", "align_corners": True},
        {"size": (5, 9), "mode": "cubic", "align_corners": True},
        {"scale_factor": 2, "mode": "cubic"},
        {"scale_factor": (8, 0.5), "mode": "cubic"},
    ],
)
def test_integers_are_exact_where_the_ratio_has_few_digits(attributes):
    forward, backward = limits(content("integer", (1, 1, 5, 5), "float64", 0), **attributes)
    assert not forward.any()
    assert not backward.any()


@pytest.mark.parametrize("attributes", [{"size": 3}, {"scale_factor": 1.5}, {"size": 4, "align_corners": True}])
def test_integers_are_not_exact_elsewhere(attributes):
    forward, backward = limits(signal(1, 2, 3, 4, 5), mode="linear", **attributes)
    assert forward[..., 1:].all()  # aligned corners begin where the input does
    assert backward[..., 1:].all()


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(("linear", "cubic")), st.booleans())
def test_positions_rounded_to_float32_stay_within_the_bound(inputs, outputs, mode, align_corners):
    input = content("wide", (1, 1, inputs, 1), "float64", inputs)
    attributes = {**DEFAULTS, "size": (outputs, 1), "mode": mode, "align_corners": align_corners}
    output = upsample(input, **attributes)
    o = np.arange(outputs, dtype=np.float32)
    if align_corners:
        position = o * (np.float32(inputs - 1) / np.float32(max(outputs - 1, 1)))
    else:
        position = (o + np.float32(0.5)) * (np.float32(inputs) / np.float32(outputs)) - np.float32(0.5)
    weights = np.zeros((outputs, inputs))
    for row, at in zip(weights, position.tolist(), strict=True):
        at = max(at, 0.0) if mode == "linear" else at
        for i in range(floor(at) - 1, floor(at) + 3):
            weight = float(keys(Fraction(at) - i)) if mode == "cubic" else max(1 - abs(at - i), 0)
            row[min(max(i, 0), inputs - 1)] += weight
    error = abs(applied([weights], input) - output)
    assert (error <= upsample_bound(FLOAT32, output, input, **attributes).rigorous).all()


def test_the_bound_is_a_few_units_of_what_is_summed():
    input = content("integer", (1, 1, 12), "float64", 0)
    forward, _ = limits(input, size=17, mode="linear")
    assert (forward >= UNIT).all()
    assert (forward <= 100 * 4 * UNIT).all()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "size must be given unless scale_factor is, got None"),
        ({"size": 2, "scale_factor": 2}, "scale_factor must be None where size is given, got 2"),
        ({"size": 0}, "size must be between 1 and 2147483647, got 0"),
        ({"scale_factor": 0}, "scale_factor must be above 0 and at most 2147483647, got 0"),
        ({"scale_factor": float("nan")}, "scale_factor must be above 0 and at most 2147483647, got nan"),
        ({"scale_factor": 0.2}, "scale_factor must leave at least 1 of the sizes (4,), got 0.2"),
        ({"size": 2, "mode": "bilinear"}, "mode must be one of 'nearest', 'linear', 'cubic', got 'bilinear'"),
        ({"size": 2, "mode": "cubic"}, "mode must be 'nearest' or 'linear' unless there are 2 spatial axes, got 'cubic'"),
        ({"size": 2, "align_corners": True}, "align_corners must be False where mode is 'nearest', got True"),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        upsample(np.zeros((1, 1, 4)), **attributes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"scale_factor": "2"}, "scale_factor must be a number or a sequence of 1 numbers, got '2'"),
        ({"scale_factor": True}, "scale_factor must be a number or a sequence of 1 numbers, got True"),
        ({"scale_factor": (2, 2)}, "scale_factor must be a number or a sequence of 1 numbers, got (2, 2)"),
        ({"size": 1.5}, "size must be an int or a sequence of 1 ints, got 1.5"),
        ({"size": 2, "align_corners": 0}, "align_corners must be True or False, got 0"),
    ],
)
def test_values_of_the_wrong_type_are_refused(attributes, message):
    with pytest.raises(InvalidTypeError) as caught:
        upsample(np.zeros((1, 1, 4)), **attributes)
    assert str(caught.value) == message


def test_what_is_too_large_or_of_the_wrong_shape_is_refused():
    with pytest.raises(InvalidValueError, match=r"^output must fit into a quarter of memory"):
        upsample(np.zeros((1, 1, 2, 2)), scale_factor=2.0**30)
    with pytest.raises(InvalidValueError, match=r"^grad_output must have shape \(1, 1, 4\), got \(1, 1, 2\)$"):
        upsample_backward(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)), size=4)
