"""Well-known networks whose layers are timed: their convolutions, norms, pools and linear layers.

Their multiply-adds are those that are published (``tests/properties/test_networks.py``).
"""

from properties.networks.builder import Builder


def lenet5() -> Builder:
    """LeNet-5 with all maps connected (LeCun et al., Gradient-based learning applied to document recognition, 1998)."""
    net = Builder(1, 32, 32)
    for channels in (6, 16):
        net.conv(channels, 5, padding=0)
        net.average(2)
    for features in (120, 84, 10):
        net.linear(features)
    return net


def alexnet() -> Builder:
    """AlexNet in one column (Krizhevsky, One weird trick, arXiv:1404.5997)."""
    net = Builder(3, 224, 224)
    net.conv(64, 11, 4, 2)
    net.pool(3, 2)
    net.conv(192, 5)
    net.pool(3, 2)
    for channels in (384, 256, 256):
        net.conv(channels, 3)
    net.pool(3, 2)
    for features in (4096, 4096, 1000):
        net.linear(features)
    return net


def vgg16() -> Builder:
    """VGG-16 (Simonyan, Zisserman, arXiv:1409.1556, configuration D)."""
    net = Builder(3, 224, 224)
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            net.conv(channels, 3)
        net.pool(2, 2)
    for features in (4096, 4096, 1000):
        net.linear(features)
    return net


def googlenet() -> Builder:
    """GoogLeNet without its auxiliary classifiers (Szegedy et al., arXiv:1409.4842, table 1)."""
    net = Builder(3, 224, 224)
    net.conv(64, 7, 2)
    net.pool(3, 2, ceil_mode=True)
    net.conv(64, 1)
    net.conv(192, 3)
    net.pool(3, 2, ceil_mode=True)

    def inception(one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> None:
        before = net.shape
        for channels, kernel in ((three, 3), (five, 5)):
            net.shape = before
            net.conv(channels[0], 1)
            net.conv(channels[1], kernel)
        net.shape = before
        net.pool(3, 1, 1)
        net.conv(pooled, 1)
        net.shape = before
        net.conv(one, 1)
        net.concatenated(one + three[1] + five[1] + pooled)

    inception(64, (96, 128), (16, 32), 32)
    inception(128, (128, 192), (32, 96), 64)
    net.pool(3, 2, ceil_mode=True)
    inception(192, (96, 208), (16, 48), 64)
    inception(160, (112, 224), (24, 64), 64)
    inception(128, (128, 256), (24, 64), 64)
    inception(112, (144, 288), (32, 64), 64)
    inception(256, (160, 320), (32, 128), 128)
    net.pool(3, 2, ceil_mode=True)
    inception(256, (160, 320), (32, 128), 128)
    inception(384, (192, 384), (48, 128), 128)
    net.adapt()
    net.linear(1000)
    return net


def _residual(width: int, groups: int) -> Builder:
    """Return 50 layers of bottlenecks that are `width` channels wide, and twice that in each next stage."""
    net = Builder(3, 224, 224)
    net.conv_norm(64, 7, 2)
    net.pool(3, 2, 1)
    for stage, times in enumerate((3, 4, 6, 3)):
        for block in range(times):
            before, stride = net.shape, 2 if stage and not block else 1
            net.conv_norm(width << stage, 1)
            net.conv_norm(width << stage, 3, stride, groups)
            net.conv_norm(256 << stage, 1)
            if not block:
                net.shape = before
                net.conv_norm(256 << stage, 1, stride)
    net.adapt()
    net.linear(1000)
    return net


def resnet50() -> Builder:
    """ResNet-50 (He et al., arXiv:1512.03385) with strides in the 3x3, as PyTorch and NVIDIA have it (version 1.5)."""
    return _residual(64, 1)


def resnext50() -> Builder:
    """ResNeXt-50, 32x4d (Xie et al., arXiv:1611.05431)."""
    return _residual(128, 32)


def densenet121() -> Builder:
    """DenseNet-121 (Huang et al., arXiv:1608.06993)."""
    net = Builder(3, 224, 224)
    net.conv_norm(64, 7, 2)
    net.pool(3, 2, 1)
    for stage, times in enumerate((6, 12, 24, 16)):
        if stage:
            net.norm()
            net.conv(net.channels // 2, 1)
            net.average(2)
        for _ in range(times):
            channels = net.channels
            net.norm()
            net.conv_norm(128, 1)
            net.conv(32, 3)
            net.concatenated(channels + 32)
    net.norm()
    net.adapt()
    net.linear(1000)
    return net


def mobilenet() -> Builder:
    """MobileNet-V1 (Howard et al., arXiv:1704.04861, table 1)."""
    net = Builder(3, 224, 224)
    net.conv_norm(32, 3, 2)
    strides_to = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * 5, (2, 1024), (1, 1024))
    for stride, channels in strides_to:
        net.conv_norm(net.channels, 3, stride, groups=net.channels)
        net.conv_norm(channels, 1)
    net.adapt()
    net.linear(1000)
    return net


def unet() -> Builder:
    """U-Net (Ronneberger et al., arXiv:1505.04597) on 128x128, padded, with a norm after each 3x3.

    It upsamples in both ways that are in use: by a transposed convolution, and by interpolation before a convolution.
    """
    net = Builder(3, 128, 128)

    def twice(channels: int) -> None:
        net.conv_norm(channels, 3)
        net.conv_norm(channels, 3)

    widths = (64, 128, 256, 512)
    for channels in widths:
        twice(channels)
        net.pool(2, 2)
    twice(1024)
    for channels in reversed(widths):
        below = net.shape
        net.upsample()
        net.conv(channels, 3)
        net.shape = below
        net.up(channels)
        net.concatenated(2 * channels)
        twice(channels)
    net.conv(2, 1)
    return net


TIMED = (lenet5, alexnet, vgg16, googlenet, resnet50, resnext50, densenet121, mobilenet, unet)
