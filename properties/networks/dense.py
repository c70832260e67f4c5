"""Networks that say what is at each place of an image: of which class it is, or which objects are there."""

from functools import partial

from properties.networks.builder import Builder


def fcn8s() -> Builder:
    """FCN-8s for PASCAL VOC (Long et al., arXiv:1411.4038), as its authors' Caffe has it, on 500x500."""
    net = Builder(3, 500, 500)

    def conv(channels: int, kernel: int, padding: int | None = None) -> None:
        net.conv(channels, kernel, padding=padding, bias=True)
        net.relu()

    skipped = []
    padding = 100
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            conv(channels, 3, padding)
            padding = 1
        net.pool(2, 2, ceil_mode=True)
        skipped.append(net.shape)
    conv(4096, 7, 0)
    net.dropout()
    conv(4096, 1)
    net.dropout()
    net.conv(21, 1, bias=True)
    for before in reversed(skipped[2:4]):
        net.up(21, 4, bias=False)
        grown = net.shape
        net.shape = before
        net.conv(21, 1, bias=True)
        net.shape = grown  # the other is cropped
        net.add()
    net.up(21, 16, bias=False, stride=8)
    net.shape = (1, 21, 500, 500)
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, 500, 500))
    return net


def segnet() -> Builder:
    """SegNet for CamVid (Badrinarayanan et al., arXiv:1511.00561) on 360x480: values go back to where maxima were."""
    net = Builder(3, 360, 480)

    def blocks(*widths: int) -> None:
        for channels in widths:
            net.conv_norm(channels, 3, bias=True)
            net.relu()

    sizes = []
    for channels, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        blocks(*[channels] * times)
        sizes.append(net.shape[2:])
        net.pool(2, 2, return_indices=True)
    for widths in ((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,)):
        net.apply("max_unpool", net.shape, output_size=sizes.pop())
        blocks(*widths)
    net.conv(11, 3, bias=True)
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, 360, 480))
    return net


def deeplabv3() -> Builder:
    """DeepLab-V3 behind ResNet-50's third stage (Chen et al., arXiv:1706.05587), on 513x513.

    Its output stride is 16. The fourth stage's dilations are 2, 4 and 8; those of the pyramid are 6, 12 and 18.
    """
    net = Builder(1024, 33, 33)

    def conv(channels: int, kernel: int = 1, dilation: int = 1) -> None:
        net.conv_norm(channels, kernel, dilation=dilation)
        net.relu()

    for apart in (2, 4, 8):
        before = net.shape
        conv(512)
        conv(512, 3, apart)
        net.conv_norm(2048, 1)
        if before != net.shape:
            net.shape = before
            net.conv_norm(2048, 1)
        net.add()
        net.relu()

    def whole() -> None:
        net.adapt()
        conv(256)
        net.apply("upsample", size=33, mode="linear")

    atrous = (partial(conv, 256, 3, apart) for apart in (6, 12, 18))
    net.branches(partial(conv, 256), *atrous, whole)
    conv(256)
    net.conv(21, 1, bias=True)
    net.apply("upsample", size=513, mode="linear")
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, 513, 513))
    return net


def pspnet() -> Builder:
    """PSPNet's pyramid of means behind its ResNet, for ADE20K (Zhao et al., arXiv:1612.01105), on 473x473."""
    net = Builder(2048, 60, 60)
    before = net.shape

    def level(size: int) -> None:
        net.adapt(size)
        net.conv_norm(512, 1)
        net.relu()
        net.apply("upsample", size=60, mode="linear", align_corners=True)

    net.branches(lambda: None, *(partial(level, size) for size in (1, 2, 3, 6)))
    assert net.channels == 2 * before[1]
    net.conv_norm(512, 3)
    net.relu()
    net.dropout(0.1)
    net.conv(150, 1, bias=True)
    net.apply("upsample", size=473, mode="linear", align_corners=True)
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, 473, 473))
    return net


def unet_3d() -> Builder:
    """3D U-Net (Çiçek et al., arXiv:1606.06650, figure 2), whose convolutions don't pad."""
    net = Builder(3, 116, 132, 132)

    def conv(channels: int) -> None:
        net.conv_norm(channels, 3, padding=0, bias=True)
        net.relu()

    skipped = []
    for channels in (32, 64, 128):
        conv(channels)
        conv(2 * channels)
        skipped.append(net.channels)
        net.pool(2, 2)
    conv(256)
    conv(512)
    for channels in reversed(skipped):
        net.up(net.channels)
        net.concat(channels)
        conv(channels)
        conv(channels)
    net.conv(3, 1, bias=True)
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, *net.shape[2:]))
    return net


def retinanet() -> Builder:
    """RetinaNet's pyramid and heads behind ResNet-50, for COCO (Lin et al., arXiv:1708.02002), on 800x1344."""
    net = Builder(2048, 25, 42)
    last = net.shape
    net.conv(256, 3, 2, bias=True)
    net.relu()
    net.conv(256, 3, 2, bias=True)
    levels = [net.shape, (1, 256, 13, 21)]
    net.shape = last
    net.conv(256, 1, bias=True)
    levels.append(net.shape)
    for channels, height, width in ((1024, 50, 84), (512, 100, 168)):
        net.upsample("nearest")
        net.shape = (1, channels, height, width)
        net.conv(256, 1, bias=True)
        net.add()
        levels.append(net.shape)
    for level in levels[2:]:
        net.shape = level
        net.conv(256, 3, bias=True)
    for level in levels:
        for outputs in (9 * 80, 9 * 4):
            net.shape = level
            for _ in range(4):
                net.conv(256, 3, bias=True)
                net.relu()
            net.conv(outputs, 3, bias=True)
            if outputs == 9 * 80:
                net.apply("sigmoid")
    return net


def yolov3() -> Builder:
    """YOLOv3 for COCO (Redmon, Farhadi, arXiv:1804.02767), on 416x416."""
    net = Builder(3, 416, 416)

    def conv(channels: int, kernel: int, stride: int = 1) -> None:
        net.conv_norm(channels, kernel, stride)
        net.apply("leaky_relu", negative_slope=0.1)

    conv(32, 3)
    skipped = []
    for channels, times in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        skipped.append(net.channels)
        conv(channels, 3, 2)
        for _ in range(times):
            conv(channels // 2, 1)
            conv(channels, 3)
            net.add()
    for width in (512, 256, 128):
        for _ in range(2):
            conv(width, 1)
            conv(2 * width, 3)
        conv(width, 1)
        before = net.shape
        conv(2 * width, 3)
        net.conv(255, 1, bias=True)
        net.apply("sigmoid")
        net.shape = before
        if width > 128:
            conv(width // 2, 1)
            net.upsample("nearest")
            net.concat(skipped.pop())
    return net


DENSE = (fcn8s, segnet, deeplabv3, pspnet, unet_3d, retinanet, yolov3)
