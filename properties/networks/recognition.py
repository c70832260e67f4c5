"""Networks that say what an image shows."""

from functools import partial

from properties.networks.builder import Builder


def alexnet_2012() -> Builder:
    """AlexNet in two columns (Krizhevsky et al., ImageNet classification with deep CNNs, 2012), on 227x227.

    The paper's 1e-4 isn't divided by the 5 channels that a response is normalized over.
    """
    net = Builder(3, 227, 227)

    def normalized() -> None:
        net.apply("local_response_norm", size=5, alpha=5e-4, k=2.0)
        net.pool(3, 2)

    net.conv(96, 11, 4, 0, bias=True)
    net.relu()
    normalized()
    net.conv(256, 5, groups=2, bias=True)
    net.relu()
    normalized()
    for channels, groups in ((384, 1), (384, 2), (256, 2)):
        net.conv(channels, 3, groups=groups, bias=True)
        net.relu()
    net.pool(3, 2)
    net.flatten()
    for _ in range(2):
        net.dense(4096)
        net.relu()
        net.dropout()
    net.classify(1000)
    return net


def l2_pooling() -> Builder:
    """Torch's network for house numbers (torch/tutorials, 2_supervised), after Sermanet et al., arXiv:1204.3968."""
    net = Builder(3, 32, 32)
    for _ in range(2):
        net.conv(64, 5, padding=0, bias=True)
        net.apply("tanh")
        net.apply("lp_pool", norm_type=2.0, kernel_size=2, stride=2)
    net.flatten()
    net.dense(128)
    net.apply("tanh")
    net.dense(10)
    net.apply("log_softmax")
    return net


def deepface() -> Builder:
    """DeepFace (Taigman et al., CVPR 2014, figure 2): filters that aren't shared, where parts of a face have places."""
    net = Builder(3, 152, 152)
    net.conv(32, 11, padding=0, bias=True)
    net.relu()
    net.pool(3, 2, ceil_mode=True)
    net.conv(16, 9, padding=0, bias=True)
    net.relu()
    for kernel, stride in ((9, 1), (7, 2), (5, 1)):
        size = (net.shape[2] - kernel) // stride + 1
        weight = (16, size, size, net.channels, kernel, kernel)
        net.apply("locally_connected", weight, (16, size, size), stride=stride)
        net.relu()
    net.flatten()
    net.dense(4096)
    net.relu()
    net.dropout()
    net.classify(4030)
    return net


def nin() -> Builder:
    """Network in network for CIFAR-10 (Lin et al., arXiv:1312.4400), as Caffe's model zoo has it."""
    net = Builder(3, 32, 32)

    def mlpconv(kernel: int, *widths: int) -> None:
        for place, channels in enumerate(widths):
            net.conv(channels, 1 if place else kernel, bias=True)
            net.relu()

    mlpconv(5, 192, 160, 96)
    net.pool(3, 2, ceil_mode=True)
    net.dropout()
    mlpconv(5, 192, 192, 192)
    net.average(3, stride=2, ceil_mode=True)
    net.dropout()
    mlpconv(3, 192, 192, 10)
    net.average(8)
    net.flatten()
    net.end_in("softmax")
    net.end_in("cross_entropy", (1,))
    return net


def spp_net() -> Builder:
    """SPP-net's end (He et al., arXiv:1406.4729): maxima of a pyramid over ZF-5's last 13x13 maps."""
    net = Builder(256, 13, 13)

    def level(size: int) -> None:
        net.apply("adaptive_max_pool", output_size=size)
        net.flatten()

    net.branches(*(partial(level, size) for size in (6, 3, 2, 1)))
    for _ in range(2):
        net.dense(4096)
        net.relu()
        net.dropout()
    net.classify(1000)
    return net


def inception_v3() -> Builder:
    """Inception-v3 (Szegedy et al., arXiv:1512.00567) without its auxiliary classifier, as torchvision has it."""
    net = Builder(3, 299, 299)
    wide, tall = (1, 7), (7, 1)

    def conv(channels: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | None = None) -> None:
        net.conv(channels, kernel, stride, padding)
        net.norm(eps=1e-3)
        net.relu()

    def path(*layers: tuple[int, int | tuple[int, int]], down: bool = False) -> None:
        for place, (channels, kernel) in enumerate(layers):
            last = down and place == len(layers) - 1
            conv(channels, kernel, *((2, 0) if last else ()))

    def pooled(channels: int) -> None:
        net.average(3, stride=1, padding=1)
        conv(channels, 1)

    def forked(channels: int, *before: tuple[int, int]) -> None:
        path(*before)
        net.branches(partial(conv, channels, (1, 3)), partial(conv, channels, (3, 1)))

    conv(32, 3, 2, 0)
    conv(32, 3, 1, 0)
    conv(64, 3)
    net.pool(3, 2)
    conv(80, 1)
    conv(192, 3, 1, 0)
    net.pool(3, 2)
    for last in (32, 64, 64):
        net.branches(
            partial(conv, 64, 1),
            partial(path, (48, 1), (64, 5)),
            partial(path, (64, 1), (96, 3), (96, 3)),
            partial(pooled, last),
        )
    net.branches(
        partial(path, (384, 3), down=True),
        partial(path, (64, 1), (96, 3), (96, 3), down=True),
        partial(net.pool, 3, 2),
    )
    for width in (128, 160, 160, 192):
        net.branches(
            partial(conv, 192, 1),
            partial(path, (width, 1), (width, wide), (192, tall)),
            partial(path, (width, 1), (width, tall), (width, wide), (width, tall), (192, wide)),
            partial(pooled, 192),
        )
    net.branches(
        partial(path, (192, 1), (320, 3), down=True),
        partial(path, (192, 1), (192, wide), (192, tall), (192, 3), down=True),
        partial(net.pool, 3, 2),
    )
    for _ in range(2):
        net.branches(
            partial(conv, 320, 1),
            partial(forked, 384, (384, 1)),
            partial(forked, 384, (448, 1), (384, 3)),
            partial(pooled, 192),
        )
    net.adapt()
    net.dropout()
    net.classify(1000)
    return net


def resnet18() -> Builder:
    """ResNet-18 (He et al., arXiv:1512.03385)."""
    return _basic_blocks(blurred=False)


def antialiased_resnet18() -> Builder:
    """ResNet-18 that blurs before it subsamples (Zhang, arXiv:1904.11486), by the filter of 3 taps."""
    return _basic_blocks(blurred=True)


def _basic_blocks(*, blurred: bool) -> Builder:
    net = Builder(3, 224, 224)
    net.conv_norm(64, 7, 2)
    net.relu()
    if blurred:
        net.pool(2, 1)
        net.apply("blur_pool")
    else:
        net.pool(3, 2, 1)
    for stage in range(4):
        for block in range(2):
            before, down = net.shape, bool(stage and not block)
            net.conv_norm(64 << stage, 3, 2 if down and not blurred else 1)
            net.relu()
            if down and blurred:
                net.apply("blur_pool")
            net.conv_norm(64 << stage, 3)
            if down:
                net.shape = before
                if blurred:
                    net.apply("blur_pool")
                net.conv_norm(64 << stage, 1, 1 if blurred else 2)
            net.add()
            net.relu()
    net.adapt()
    net.classify(1000)
    return net


def resnet50d() -> Builder:
    """ResNet-50-D (He et al., Bag of tricks, arXiv:1812.01187), as timm has it: means that don't count padding."""
    net = Builder(3, 224, 224)
    for channels, stride in ((32, 2), (32, 1), (64, 1)):
        net.conv_norm(channels, 3, stride)
        net.relu()
    net.pool(3, 2, 1)
    for stage, times in enumerate((3, 4, 6, 3)):
        for block in range(times):
            before, stride = net.shape, 2 if stage and not block else 1
            for kernel in (1, 3):
                net.conv_norm(64 << stage, kernel, stride if kernel == 3 else 1)
                net.relu()
            net.conv_norm(256 << stage, 1)
            if not block:
                net.shape = before
                if stride == 2:
                    net.average(2, stride=2, ceil_mode=True, count_include_pad=False)
                net.conv_norm(256 << stage, 1)
            net.add()
            net.relu()
    net.adapt()
    net.classify(1000)
    return net


def shufflenet() -> Builder:
    """ShuffleNet, 1x, of 3 groups (Zhang et al., arXiv:1707.01083, table 1)."""
    net = Builder(3, 224, 224)
    net.conv_norm(24, 3, 2)
    net.relu()
    net.pool(3, 2, 1)

    def unit(channels: int, stride: int, groups: int) -> None:
        inner = (channels + (net.channels if stride == 2 else 0)) // 4
        net.conv_norm(inner, 1, groups=groups)
        net.relu()
        net.apply("channel_shuffle", groups=3)
        net.conv_norm(inner, 3, stride, groups=inner)
        net.conv_norm(channels, 1, groups=3)

    for channels, times in ((240, 3), (480, 7), (960, 3)):
        first, groups = channels - net.channels, 1 if net.channels == 24 else 3
        net.branches(
            partial(net.average, 3, stride=2, padding=1),
            partial(unit, first, 2, groups),
        )
        net.relu()
        for _ in range(times):
            unit(channels, 1, 3)
            net.add()
            net.relu()
    net.adapt()
    net.classify(1000)
    return net


def mobilenet_v2() -> Builder:
    """MobileNet-V2 (Sandler et al., arXiv:1801.04381, table 2) as Keras has it: where it subsamples, it pads behind."""
    net = Builder(3, 224, 224)

    def conv(channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        if stride == 2:
            net.apply("pad", padding=((0, 1), (0, 1)))
        net.conv(channels, kernel, stride, 0 if stride == 2 else None, groups)
        net.norm(eps=1e-3, momentum=1e-3)

    conv(32, 3, 2)
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for wider, channels, times, stride in stages:
        for block in range(times):
            before = net.shape
            if wider > 1:
                conv(wider * net.channels, 1)
            conv(net.channels, 3, 1 if block else stride, net.channels)
            conv(channels, 1)
            if net.shape == before:
                net.add()
    conv(1280, 1)
    net.adapt()
    net.classify(1000)
    return net


def efficientnet_b0() -> Builder:
    """EfficientNet-B0 (Tan, Le, arXiv:1905.11946), as TensorFlow pads it: where it subsamples, more behind than before.

    Of x * sigmoid(x), the sigmoid is noted.
    """
    net = Builder(3, 224, 224)

    def conv(channels: int, kernel: int, stride: int = 1, groups: int = 1, *, active: bool = True) -> None:
        behind = (((kernel - 2) // 2, (kernel - 1) // 2),) * 2 if stride == 2 else None
        net.conv(channels, kernel, stride, behind, groups)
        net.norm(eps=1e-3, momentum=1e-2)
        if active:
            net.apply("sigmoid")

    def excited(squeezed: int) -> None:
        whole = net.shape
        net.adapt()
        net.conv(squeezed, 1, bias=True)
        net.apply("sigmoid")
        net.conv(whole[1], 1, bias=True)
        net.apply("sigmoid")
        net.shape = whole

    conv(32, 3, 2)
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
              (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))  # fmt: skip
    for wider, kernel, stride, channels, times in stages:
        for block in range(times):
            before = net.shape
            if wider > 1:
                conv(wider * net.channels, 1)
            conv(net.channels, kernel, 1 if block else stride, net.channels)
            excited(before[1] // 4)
            conv(channels, 1, active=False)
            if net.shape == before:
                net.add()
    conv(1280, 1)
    net.adapt()
    net.flatten()
    net.dropout(0.2)
    net.classify(1000)
    return net


def convnext() -> Builder:
    """ConvNeXt-T (Liu et al., arXiv:2201.03545), channels last between the convolutions."""
    net = Builder(3, 224, 224)

    def last() -> None:
        net.shape = (1, *net.shape[2:], net.channels)

    def first() -> None:
        net.shape = (1, net.shape[-1], *net.shape[1:-1])

    def normalized() -> None:
        last()
        net.layer_norm(1e-6)
        first()

    for stage, times in enumerate((3, 3, 9, 3)):
        if stage:
            normalized()
            net.conv(96 << stage, 2, 2, 0, bias=True)
        else:
            net.conv(96, 4, 4, 0, bias=True)
            normalized()
        for _ in range(times):
            channels = net.channels
            net.conv(channels, 7, groups=channels, bias=True)
            last()
            net.layer_norm(1e-6)
            net.dense(4 * channels)
            net.dense(channels)
            first()
            net.add()
    net.adapt()
    net.flatten()
    net.layer_norm(1e-6)
    net.classify(1000)
    return net


def vit() -> Builder:
    """ViT-B/16 (Dosovitskiy et al., arXiv:2010.11929): 196 patches and a token that stands for the class."""
    net = Builder(3, 224, 224)
    net.conv(768, 16, 16, 0, bias=True)
    net.shape = (1, 1, 768)
    net.apply("concat", (1, 196, 768))
    net.add()
    for _ in range(12):
        before = net.shape
        net.layer_norm(1e-6)
        net.dense(3 * 768)
        net.shape = (1, 12, 197, 197)
        net.apply("softmax", axis=-1)
        net.shape = before
        net.dense(768)
        net.add()
        net.layer_norm(1e-6)
        net.dense(3072)
        net.dense(768)
        net.add()
    net.layer_norm(1e-6)
    net.shape = (1, 768)
    net.classify(1000)
    return net


def highway() -> Builder:
    """Highway network for MNIST, 10 layers of 50 units each (Srivastava et al., arXiv:1505.00387, section 3)."""
    net = Builder(784)
    net.dense(50)
    net.apply("tanh")
    for _ in range(9):
        net.dense(50)
        net.apply("tanh")
        net.shape = (1, 50)
        net.dense(50)
        net.apply("sigmoid")
        net.apply("highway", net.shape, net.shape)
    net.classify(10)
    return net


def capsnet() -> Builder:
    """CapsNet for MNIST, with its decoder (Sabour et al., arXiv:1710.09829)."""
    net = Builder(1, 28, 28)
    net.conv(256, 9, padding=0, bias=True)
    net.relu()
    net.conv(256, 9, 2, 0, bias=True)
    net.shape = (1, 1152, 8)
    net.apply("squash", axis=2)
    net.shape = (1, 1152, 10, 16)
    net.apply("capsule_routing", iterations=3)
    net.flatten()
    for features in (512, 1024):
        net.dense(features)
        net.relu()
    net.dense(784)
    net.apply("sigmoid")
    net.end_in("mse_loss", net.shape)
    return net


RECOGNITION = (
    alexnet_2012, l2_pooling, deepface, nin, spp_net, inception_v3, resnet18, antialiased_resnet18, resnet50d,
    shufflenet, mobilenet_v2, efficientnet_b0, convnext, vit, highway, capsnet,
)  # fmt: skip
