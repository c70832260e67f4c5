"""The layers of networks that a plan begins with, and their recipes."""

import math

import pytest

from properties.layer import Layer
from properties.layers import call_of, layers, recipe_of
from properties.models import MODELS
from properties.models.feature import ELEMENT
from properties.networks import NETWORKS
from refconv import operators

WHOLE = 10**15  # nothing is cut
LARGEST = 2_000_000


def calls(operator, largest):
    return {call_of(layer): layer for layer in layers(operator, largest)}


def made_of(case):
    shapes = tuple(None if array is None else array.shape for array in case.inputs)
    return Layer(case.operator, shapes, tuple(case.attributes.items()))


@pytest.mark.parametrize("operator", operators)
def test_networks_have_every_operator(operator):
    found = layers(operator, LARGEST)
    assert found
    assert {layer.operator for layer in found} == {operator}


def test_every_layer_that_is_timed_is_among_them():
    timed = [layer for network in NETWORKS.values() for layer in network().layers]
    known = {name: calls(name, WHOLE) for name in {layer.operator for layer in timed}}
    assert [layer for layer in timed if call_of(layer) not in known[layer.operator]] == []


@pytest.mark.parametrize("operator", operators)
def test_they_are_distinct(operator):
    whole, cut = (layers(operator, largest) for largest in (WHOLE, LARGEST))
    assert len(calls(operator, WHOLE)) == len(whole) >= len(cut) == len(calls(operator, LARGEST))
    assert sum(layer.times for layer in whole) == sum(layer.times for layer in cut)


@pytest.mark.parametrize("operator", operators)
def test_the_commonest_come_first(operator):
    times = [layer.times for layer in layers(operator, WHOLE)]
    assert times == sorted(times, reverse=True)
    assert layers(operator, LARGEST)[0].times >= times[0]


def test_the_same_call_spelled_otherwise_is_one():
    shapes = ((1, 4, 6, 6), (8, 4, 3, 3))
    short = Layer("conv", shapes, (("padding", 1),))
    full = Layer("conv", (*shapes, None), (("stride", (1, 1)), ("padding", (1, 1)), ("groups", 1)))
    assert call_of(short) == call_of(full)
    assert call_of(short) != call_of(Layer("conv", shapes, (("padding", (1, 0)),)))


@pytest.mark.parametrize("operator", operators)
@pytest.mark.parametrize("largest", [LARGEST, 10 * LARGEST])
def test_they_are_cut_to_what_a_case_may_take(operator, largest):
    for layer in layers(operator, largest):
        assert work(layer) <= largest or too_wide(layer), str(layer)


def work(layer):
    """Return the multiply-adds of a layer, or what its largest array counts as."""
    signals = max(math.prod(layer.input), math.prod(layer.output))
    weights = max((math.prod(shape) for shape in layer.shapes[1:] if shape is not None), default=0)
    return max(layer.multiply_adds("forward"), ELEMENT * signals, 3 * weights)


def too_wide(layer):
    """DeepFace's 9x9 that aren't shared, FCN's padding of 100 and wav2vec's kernel of 128 take that much at the least."""
    if layer.operator == "locally_connected":
        return layer.input[1] == 8
    return layer.operator == "conv" and (dict(layer.attributes)["padding"] == 100 or 128 in layer.weight[2:])


def test_what_fits_is_not_cut():
    whole, cut = (calls("conv", largest) for largest in (WHOLE, 10 * LARGEST))
    small = [call for call, layer in whole.items() if work(layer) <= LARGEST // 2]
    assert len(small) > 10
    assert all(call in cut for call in small)


def kinds(largest):
    """Return kernels, strides, dilations and paddings with the commonness of each."""
    return {
        (layer.weight[2:], *(dict(layer.attributes).get(name) for name in ("stride", "padding", "dilation")))
        for layer in layers("conv", largest)
    }


def test_windows_are_not_cut():
    assert kinds(LARGEST) == kinds(WHOLE)
    assert ((3, 3), 1, 18, 18) in kinds(LARGEST)
    assert ((1, 7, 7), (1, 2, 2), (0, 3, 3), None) in kinds(LARGEST)


def test_positions_and_channels_have_their_least():
    for layer in layers("conv", LARGEST):
        groups = dict(layer.attributes)["groups"]
        channels = layer.input[1] // groups
        assert layer.weight[1] == channels
        assert channels >= 8 or channels in (1, 2, 3, 4, 6)  # as networks have them
        assert min(layer.output[2:]) >= 4 or max(layer.output[2:]) < 20
    assert any(layer.weight[2:] == (7, 7) and dict(layer.attributes)["groups"] == layer.input[1] > 16
               for layer in layers("conv", LARGEST))  # fmt: skip


def test_what_is_left_over_by_a_stride_stays():
    def left_over(largest):
        windows = ((layer.input[2:], dict(layer.attributes)) for layer in layers("max_pool", largest))
        return {
            (how["kernel_size"], how["stride"], how["ceil_mode"], (size[-1] + 2 * how["padding"] - how["kernel_size"]) % how["stride"])
            for size, how in windows
            if isinstance(how["stride"], int) and isinstance(how["padding"], int)
        }  # fmt: skip

    assert left_over(LARGEST) == left_over(WHOLE)


def test_a_batch_is_added_where_one_sample_shows_little():
    def batches(operator):
        return {layer.input[0] for layer in layers(operator, LARGEST)}

    assert batches("batch_norm") == {1, 8}
    assert batches("linear") == {1, 32}
    assert batches("softmax") == batches("cross_entropy") == {1, 8}
    assert batches("conv") == {1}
    trained = [layer for layer in layers("batch_norm", LARGEST) if dict(layer.attributes).get("training", True)]
    assert all(layer.input[0] * math.prod(layer.input[2:]) > 1 for layer in trained)


@pytest.mark.parametrize("operator", MODELS)
def test_a_recipe_makes_the_layer_s_call(operator):
    for layer in layers(operator, LARGEST // 4):
        case = recipe_of(layer, 1).case("float32")
        assert call_of(made_of(case)) == call_of(layer)
        assert case.grad_output.shape == layer.output


@pytest.mark.parametrize("operator", MODELS)
def test_the_reference_takes_it(operator):
    for layer in layers(operator, LARGEST // 4)[:10]:
        for seed in (1, 2):
            assert recipe_of(layer, seed).case("float32").refusal("backward") is None, str(layer)


def test_most_recipes_hold_what_is_the_simplest():
    held = [recipe_of(layer, 3).choices["content"] for layer in layers("conv", LARGEST // 4)]
    simplest = MODELS["conv"].by_name["content"].classes[0].name
    assert 0.6 < held.count(simplest) / len(held) < 0.9
    assert len(set(held)) > 2


def test_a_recipe_is_the_same_each_time():
    layer = layers("max_pool", LARGEST)[3]
    assert recipe_of(layer, 5).choices == recipe_of(layer, 5).choices
