import pytest

from properties.networks import ALL, MORE, NETWORKS


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
    assert sum(layer.multiply_adds("forward") for layer in NETWORKS[network]().layers) == multiply_adds


@pytest.mark.parametrize(
    ("network", "published"),
    [
        ("inception_v3", 5.71e9),  # torchvision's inception_v3
        ("resnet18", 1.81e9),  # torchvision's resnet18
        ("shufflenet", 0.137e9),  # the paper's table 5, 1x of 3 groups: 137 M
        ("mobilenet_v2", 0.30e9),  # the paper's table 4: 300 M
        ("efficientnet_b0", 0.39e9),  # the paper's table 2
        ("convnext", 4.46e9),  # torchvision's convnext_tiny
        ("yolov3", 65.86e9 / 2),  # the paper's Darknet counts both, 65.86 G
        ("c3d", 38.5e9),  # R(2+1)D's table 4
        ("stable_diffusion", 338.6e9),  # without attention's own products
    ],
)
def test_multiply_adds_are_about_those_that_are_published(network, published):
    made = sum(layer.multiply_adds("forward") for layer in MORE[network]().layers)
    assert made == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(
    ("network", "convolutions", "linear"),
    [("lenet5", 2, 3), ("alexnet", 5, 3), ("vgg16", 13, 3), ("googlenet", 57, 1), ("resnet50", 53, 1),
     ("resnext50", 53, 1), ("densenet121", 120, 1), ("mobilenet", 27, 1), ("unet", 23, 0), ("inception_v3", 94, 1),
     ("resnet18", 20, 1), ("efficientnet_b0", 81, 1), ("yolov3", 75, 0), ("c3d", 8, 3), ("vit", 1, 49)],
)  # fmt: skip
def test_layers_are_counted(network, convolutions, linear):
    layers = ALL[network]().layers
    assert sum(layer.operator == "conv" for layer in layers) == convolutions
    assert sum(layer.operator == "linear" for layer in layers) == linear


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ("lenet5", (10,)),
        ("resnet50", (1000,)),
        ("unet", (2, 128, 128)),
        ("alexnet_2012", (1000,)),
        ("unet_3d", (3, 28, 44, 44)),  # the paper's figure 2
        ("fcn8s", (21, 500, 500)),
        ("segnet", (11, 360, 480)),
        ("srcnn", (1, 21, 21)),  # as large as the paper's labels
        ("fsrcnn", (1, 255, 255)),
        ("cyclegan", (1, 30, 30)),  # the paper's critic of 70x70 patches
        ("stable_diffusion", (4, 64, 64)),
        ("capsnet", (784,)),
        ("wave_unet", (2, 16384)),
    ],
)
def test_a_network_ends_in_what_it_is_for(network, shape):
    assert ALL[network]().shape == (1, *shape)


def test_each_network_says_where_it_is_from():
    assert len(ALL) == len(NETWORKS) + len(MORE)
    for name, network in ALL.items():
        assert network.__name__ == name
        assert "(" in network.__doc__, name


def test_branches_are_joined():
    net = ALL["inception_v3"]()
    joined = [layer.shapes for layer in net.layers if layer.operator == "concat"]
    assert joined[:3] == [((1, own, 35, 35), (1, other, 35, 35)) for own, other in ((64, 64), (128, 96), (224, 32))]
