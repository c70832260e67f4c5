import pytest

from bench.workloads import NAMES, SERIES, workload
from refconv import operators


def test_layers_are_distinct_and_counted():
    layers = workload("vgg16").layers
    assert len({layer._replace(times=1) for layer in layers}) == len(layers)
    assert {str(layer): layer.times for layer in layers}["conv 512x14x14, 512 of 3x3, padding 1"] == 3
    assert sum(layer.times for layer in layers) == 21


def test_every_operator_has_a_layer():
    assert [layer.operator for layer in workload("operators").layers] == list(operators)


@pytest.mark.parametrize("layer", workload("operators").layers, ids=str)
def test_a_layer_s_case_is_one_of_the_operator_s(layer):
    case = layer.of_batch(2).case("float32", 1)
    assert case.refusal("backward") is None
    assert case.grad_output.shape == layer.of_batch(2).output


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_told_apart_by_name(name):
    names = [str(layer) for layer in workload(name).layers]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SERIES)
def test_only_the_named_size_grows_in_a_series(name):
    layers = workload(name).layers
    sums = [layer.multiply_adds("forward") for layer in layers]
    assert sums == sorted(set(sums))
    varying = [len(set(sizes)) > 1 for sizes in zip(*(layer.input for layer in layers), strict=True)]
    assert varying == [name == "batch", name == "channels", name == "size", name == "size"]


def test_a_workload_that_there_is_none_of():
    with pytest.raises(
        ValueError, match=r"^workload must be one of lenet5, .*, kernel, got 'resnet'; did you mean resnet50\?$"
    ):
        workload("resnet")
