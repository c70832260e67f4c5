"""Networks that make images."""

from properties.networks.builder import Builder


def dcgan() -> Builder:
    """DCGAN of 64x64 (Radford et al., arXiv:1511.06434), generator and critic, as PyTorch's example has them."""
    net = Builder(100, 1, 1)
    net.up(512, 4, bias=False, stride=1, padding=0)
    net.norm()
    net.relu()
    for channels in (256, 128, 64):
        net.up(channels, 4, bias=False, stride=2, padding=1)
        net.norm()
        net.relu()
    net.up(3, 4, bias=False, stride=2, padding=1)
    net.apply("tanh")
    for channels in (64, 128, 256, 512):
        net.conv(channels, 4, 2, 1)
        if channels > 64:
            net.norm()
        net.apply("leaky_relu", negative_slope=0.2)
    net.conv(1, 4, 1, 0)
    net.apply("sigmoid")
    return net


def stylegan() -> Builder:
    """StyleGAN's generator up to 256x256 (Karras et al., arXiv:1812.04948), which blurs what it has made larger."""
    net = Builder(512)

    def active() -> None:
        net.apply("leaky_relu", negative_slope=0.2)

    def styled() -> None:
        net.add()  # noise
        active()
        net.apply("instance_norm", eps=1e-8)

    for _ in range(8):
        net.dense(512)
        active()
    net.shape = (1, 512, 4, 4)
    styled()
    net.conv(512, 3)
    styled()
    for channels in (512, 512, 512, 256, 128, 64):
        if channels > 128:
            net.upsample("nearest")
            net.conv(channels, 3)
        else:  # both at once, from 128x128 on
            net.up(channels, 4, bias=False, padding=1)
        net.apply("blur_pool", stride=1)
        styled()
        net.conv(channels, 3)
        styled()
    net.conv(3, 1, bias=True)
    return net


def srcnn() -> Builder:
    """SRCNN, 9-1-5 (Dong et al., arXiv:1501.00092): cubic interpolation of patches of 11x11, then convolutions."""
    net = Builder(1, 11, 11)
    net.upsample("cubic", 3)
    for channels, kernel in ((64, 9), (32, 1)):
        net.conv(channels, kernel, padding=0, bias=True)
        net.relu()
    net.conv(1, 5, padding=0, bias=True)
    net.end_in("mse_loss", net.shape)
    return net


def fsrcnn() -> Builder:
    """FSRCNN(56, 12, 4) for a factor of 3 (Dong et al., arXiv:1608.00367): small maps, a 9x9 transposed at the end."""
    net = Builder(1, 85, 85)
    for channels, kernel in ((56, 5), (12, 1), *[(12, 3)] * 4, (56, 1)):
        net.conv(channels, kernel, bias=True)
    net.up(1, 9, stride=3, padding=4, output_padding=2)
    net.end_in("mse_loss", net.shape)
    return net


def edsr() -> Builder:
    """EDSR's baseline of 16 blocks (Lim et al., arXiv:1707.02921), on patches of 48x48, up to its last upsampling."""
    net = Builder(3, 48, 48)
    net.conv(64, 3, bias=True)
    for _ in range(16):
        net.conv(64, 3, bias=True)
        net.relu()
        net.conv(64, 3, bias=True)
        net.add()
    net.conv(64, 3, bias=True)
    net.add()
    net.conv(256, 3, bias=True)  # whose channels go to 2x2 pixels
    net.shape = (1, 64, 96, 96)
    net.conv(3, 3, bias=True)
    return net


def style_transfer() -> Builder:
    """Fast style transfer (Johnson et al., arXiv:1603.08155) as PyTorch's example has it, on 256x256.

    It reflects at borders, and normalizes each image by itself (Ulyanov et al., arXiv:1607.08022).
    """
    net = Builder(3, 256, 256)

    def conv(channels: int, kernel: int, stride: int = 1) -> None:
        net.apply("pad", padding=kernel // 2, mode="reflect")
        net.conv(channels, kernel, stride, 0, bias=True)

    def normalized(*, active: bool = True) -> None:
        net.affine("instance_norm")
        if active:
            net.relu()

    for channels, kernel, stride in ((32, 9, 1), (64, 3, 2), (128, 3, 2)):
        conv(channels, kernel, stride)
        normalized()
    for _ in range(5):
        for active in (True, False):
            conv(128, 3)
            normalized(active=active)
        net.add()
    for channels in (64, 32):
        net.upsample("nearest")
        conv(channels, 3)
        normalized()
    conv(3, 9)
    return net


def cyclegan() -> Builder:
    """CycleGAN's generator of 9 blocks, for 256x256, and its critic (Zhu et al., arXiv:1703.10593)."""
    net = Builder(3, 256, 256)

    def normalized() -> None:
        net.apply("instance_norm")

    def reflected(channels: int, kernel: int) -> None:
        net.apply("pad", padding=kernel // 2, mode="reflect")
        net.conv(channels, kernel, padding=0, bias=True)

    reflected(64, 7)
    normalized()
    net.relu()
    for channels in (128, 256):
        net.conv(channels, 3, 2, bias=True)
        normalized()
        net.relu()
    for _ in range(9):
        reflected(256, 3)
        normalized()
        net.relu()
        reflected(256, 3)
        normalized()
        net.add()
    for channels in (128, 64):
        net.up(channels, 3, padding=1, output_padding=1)
        normalized()
        net.relu()
    reflected(3, 7)
    net.apply("tanh")
    for channels, stride in ((64, 2), (128, 2), (256, 2), (512, 1)):
        net.conv(channels, 4, stride, 1, bias=True)
        if channels > 64:
            normalized()
        net.apply("leaky_relu", negative_slope=0.2)
    net.conv(1, 4, 1, 1, bias=True)
    net.end_in("mse_loss", net.shape)
    return net


def stable_diffusion() -> Builder:
    """Stable Diffusion 1's U-Net (Rombach et al., arXiv:2112.10752), on 64x64, with a text of 77 tokens.

    Of x * sigmoid(x), the sigmoid is noted; of attention, its softmax.
    """
    net = Builder(4, 64, 64)
    skipped: list[int] = []

    def normalized(eps: float = 1e-5) -> None:
        net.affine("group_norm", num_groups=32, eps=eps)

    def residual(channels: int) -> None:
        before = net.shape
        for _ in range(2):
            normalized()
            net.apply("sigmoid")
            net.conv(channels, 3, bias=True)
        if before[1] != channels:
            net.shape = before
            net.conv(channels, 1, bias=True)
        net.add()

    def attending() -> None:
        channels, *size = net.shape[1:]
        normalized(1e-6)
        net.conv(channels, 1, bias=True)
        tokens = (1, size[0] * size[1], channels)
        for others in (tokens, (1, 77, 768)):
            net.shape = tokens
            net.layer_norm()
            net.dense(channels, bias=False)
            for _ in range(2):  # keys and values
                net.shape = others
                net.dense(channels, bias=False)
            net.shape = (1, 8, tokens[1], others[1])
            net.apply("softmax", axis=-1)
            net.shape = tokens
            net.dense(channels)
            net.add()
        net.layer_norm()
        net.dense(8 * channels)  # half of them gate the others
        net.shape = (1, tokens[1], 4 * channels)
        net.dense(channels)
        net.add()
        net.shape = (1, channels, *size)
        net.conv(channels, 1, bias=True)
        net.add()

    widths = (320, 640, 1280, 1280)
    net.conv(320, 3, bias=True)
    skipped.append(320)
    for level, channels in enumerate(widths):
        for _ in range(2):
            residual(channels)
            if level < 3:
                attending()
            skipped.append(channels)
        if level < 3:
            net.conv(channels, 3, 2, bias=True)
            skipped.append(channels)
    residual(1280)
    attending()
    residual(1280)
    for level, channels in reversed([*enumerate(widths)]):
        for _ in range(3):
            net.concat(skipped.pop())
            residual(channels)
            if level < 3:
                attending()
        if level:
            net.upsample("nearest")
            net.conv(channels, 3, bias=True)
    normalized()
    net.apply("sigmoid")
    net.conv(4, 3, bias=True)
    net.end_in("mse_loss", net.shape)
    return net


GENERATION = (dcgan, stylegan, srcnn, fsrcnn, edsr, style_transfer, cyclegan, stable_diffusion)
