import numpy as np
import pytest

from properties.layer import Layer
from properties.layers import layers
from refconv import operators

CONV = Layer("conv", ((2, 4, 5, 6), (8, 2, 3, 3)), (("stride", 2), ("padding", 1), ("groups", 2)))


def test_work_by_hand():
    assert CONV.output == (2, 8, 3, 3)
    assert CONV.multiply_adds("forward") == 2 * 8 * 3 * 3 * 2 * 3 * 3
    assert CONV.multiply_adds("backward") == 2 * CONV.multiply_adds("forward")
    input, weight, output = 2 * 4 * 5 * 6, 8 * 2 * 3 * 3, 2 * 8 * 3 * 3
    assert CONV.bytes_moved("forward", 4) == 4 * (input + weight + output)
    assert CONV.bytes_moved("backward", 8) == 8 * (input + weight + output + input + weight)


@pytest.mark.parametrize(
    ("layer", "multiply_adds"),
    [
        (Layer("conv_transpose", ((1, 3, 4, 4), (3, 5, 2, 2)), (("stride", 2),)), 3 * 4 * 4 * 5 * 2 * 2),
        (Layer("locally_connected", ((1, 3, 4), (5, 2, 3, 3))), 5 * 2 * 3 * 3),
        (Layer("linear", ((7, 3), (5, 3), (5,))), 7 * 3 * 5),
        (Layer("batch_norm", ((2, 3, 4), (3,))), 0),
    ],
)
def test_multiply_adds_by_hand(layer, multiply_adds):
    assert layer.multiply_adds("forward") == multiply_adds


def test_an_integer_has_no_gradient_that_is_written():
    pooled = Layer("max_unpool", ((1, 1, 2, 2), (1, 1, 2, 2)), (("output_size", 4),))
    assert pooled.bytes_moved("backward", 4) == 4 * (4 + 4 + 16 + 4)


@pytest.mark.parametrize("operator", operators)
def test_a_case_is_one_of_the_operator_s(operator):
    layer = layers(operator, 10_000)[0].of_batch(2)
    case = layer.case("float32", 1)
    assert case.refusal("backward") is None
    (output, *_) = case.reference("forward")
    assert output.shape == case.grad_output.shape == layer.output
    assert case.dtype == np.float32
    others = layer.case("float32", 2)
    assert all(
        one is None or not np.array_equal(one, other)
        for one, other in zip(case.arrays.values(), others.arrays.values(), strict=True)
    )


def test_the_same_seed_gives_the_same_case():
    for one, other in zip(CONV.case("float64", 3).inputs, CONV.case("float64", 3).inputs, strict=True):
        assert one is other is None or (one == other).all()


def test_a_larger_batch_leaves_parameters_as_they_are():
    layer = CONV.of_batch(3)
    assert layer.shapes == ((6, 4, 5, 6), (8, 2, 3, 3))
    assert layer.multiply_adds("forward") == 3 * CONV.multiply_adds("forward")


def test_names():
    assert str(CONV) == "conv 4x5x6, 8 of 3x3, batch 2, stride 2, padding 1, groups 2"
    assert str(Layer("linear", ((1, 400), (120, 400)))) == "linear 400, to 120"
    assert str(Layer("max_pool", ((1, 3, 8),), (("kernel_size", 2), ("ceil_mode", True)))) == (
        "max_pool 3x8, kernel size 2, ceil mode"
    )
