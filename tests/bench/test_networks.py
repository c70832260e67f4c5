import pytest

from bench.networks import NETWORKS
from bench.workloads import workload


@pytest.mark.parametrize(
    ("network", "multiply_adds"),
    [
        ("lenet5", 416_520),  # by hand: 6*28*28*25 + 16*10*10*6*25 + 400*120 + 120*84 + 84*10
        ("alexnet", 714_188_480),  # torchvision's alexnet: 0.71 G
        ("vgg16", 15_470_264_320),  # torchvision's vgg16: 15.47 G
        ("googlenet", 1_582_671_872),  # the paper's table 1 sums to 1.5 G and some
        ("resnet50", 4_089_184_256),  # torchvision's resnet50: 4.09 G
        ("resnext50", 4_230_479_872),  # torchvision's resnext50_32x4d: 4.23 G
        ("densenet121", 2_834_161_664),  # torchvision's densenet121: 2.83 G
        ("mobilenet", 568_740_352),  # the paper's table 4: 569 M
    ],
)
def test_multiply_adds_are_those_that_are_published(network, multiply_adds):
    assert workload(network).multiply_adds() == multiply_adds


@pytest.mark.parametrize(
    ("network", "convolutions", "linear"),
    [("lenet5", 2, 3), ("alexnet", 5, 3), ("vgg16", 13, 3), ("googlenet", 57, 1), ("resnet50", 53, 1),
     ("resnext50", 53, 1), ("densenet121", 120, 1), ("mobilenet", 27, 1), ("unet", 23, 0)],
)  # fmt: skip
def test_layers_are_counted(network, convolutions, linear):
    layers = NETWORKS[network]().layers
    assert sum(layer.operator == "conv" for layer in layers) == convolutions
    assert sum(layer.operator == "linear" for layer in layers) == linear


def test_a_network_ends_in_its_classes():
    assert NETWORKS["resnet50"]().shape == (1, 1000)
    assert NETWORKS["lenet5"]().shape == (1, 10)
    assert NETWORKS["unet"]().shape == (1, 2, 128, 128)
