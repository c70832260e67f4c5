"""Networks on what isn't an image: clips, sounds, texts and graphs."""

from functools import partial

from properties.networks.builder import Builder


def c3d() -> Builder:
    """C3D for Sports-1M (Tran et al., arXiv:1412.0767): 3x3x3 on clips of 16 frames."""
    net = Builder(3, 16, 112, 112)
    for stage, (channels, times) in enumerate(((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))):
        for _ in range(times):
            net.conv(channels, 3, bias=True)
            net.relu()
        first = (1, 2, 2)
        net.pool(2 if stage else first, 2 if stage else first, (0, 1, 1) if stage == 4 else 0)
    net.flatten()
    for _ in range(2):
        net.dense(4096)
        net.relu()
        net.dropout()
    net.classify(487)
    return net


def r2plus1d() -> Builder:
    """R(2+1)D of 18 layers for Kinetics (Tran et al., arXiv:1711.11248), on clips of 16 frames of 112x112."""
    net = Builder(3, 16, 112, 112)

    def conv(channels: int, stride: int = 1) -> None:
        before = net.channels
        between = before * channels * 27 // (before * 9 + 3 * channels)
        net.conv_norm(between, (1, 3, 3), (1, 2, 2) if stride == 2 else 1)
        net.relu()
        net.conv_norm(channels, (3, 1, 1), (2, 1, 1) if stride == 2 else 1)

    net.conv_norm(45, (1, 7, 7), (1, 2, 2))
    net.relu()
    net.conv_norm(64, (3, 1, 1))
    net.relu()
    for stage in range(4):
        for block in range(2):
            before, stride = net.shape, 2 if stage and not block else 1
            conv(64 << stage, stride)
            net.relu()
            conv(64 << stage)
            if stride == 2:
                net.shape = before
                net.conv_norm(64 << stage, 1, 2)
            net.add()
            net.relu()
    net.adapt()
    net.classify(400)
    return net


def non_local() -> Builder:
    """Non-local blocks (Wang et al., arXiv:1711.07971), and the beginning of their C2D on 32 frames (table 1)."""
    net = Builder(3, 32, 224, 224)
    net.conv_norm(64, (1, 7, 7), 2)
    net.relu()
    net.pool(3, 2, 1)
    net.shape = (1, 256, *net.shape[2:])
    net.pool((3, 1, 1), (2, 1, 1), (1, 0, 0))
    for shape in ((1, 512, 4, 28, 28), (1, 1024, 4, 14, 14)):
        inner = (shape[1] // 2, shape[1])
        for mode, embedding in (("embedded_gaussian", inner), ("gaussian", None)):
            net.shape = shape
            net.apply("non_local", embedding, embedding, inner, mode=mode)
            net.conv_norm(shape[1], 1, bias=True)
            net.add()
    return net


def wavenet() -> Builder:
    """WaveNet (van den Oord et al., arXiv:1609.03499) on a second of 16 kHz: two cycles of dilations, up to 512.

    Of 256 quantized values; 32 channels, and 512 that are skipped to the end, are a common choice.
    """
    net = Builder(256, 16000)
    net.conv(32, 2, padding=((1, 0),))
    for _ in range(2):
        for power in range(10):
            before = net.shape
            for gate in ("tanh", "sigmoid"):
                net.shape = before
                net.conv(32, 2, padding=((1 << power, 0),), dilation=1 << power, bias=True)
                net.apply(gate)
            net.conv(512, 1, bias=True)
            net.add()
            net.shape = before
            net.conv(32, 1, bias=True)
            net.add()
    net.shape = (1, 512, 16000)
    net.relu()
    for channels in (512, 256):
        net.conv(channels, 1, bias=True)
        if channels == 512:
            net.relu()
    net.end_in("softmax")
    net.end_in("cross_entropy", (1, 16000))
    return net


def wav2vec2() -> Builder:
    """Wav2vec 2.0's convolutions, base (Baevski et al., arXiv:2006.11477), on a second of 16 kHz."""
    net = Builder(1, 16000)
    for place, (kernel, stride) in enumerate(((10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2)):
        net.conv(512, kernel, stride, 0)
        if not place:
            net.affine("group_norm", num_groups=512)
    _, channels, frames = net.shape
    net.shape = (1, frames, channels)
    net.layer_norm()
    net.dense(768)
    net.shape = (1, 768, frames)
    net.conv(768, 128, padding=64, groups=16, bias=True)  # where positions are: the last of them is cut off
    net.shape = (1, frames, 768)
    net.add()
    net.layer_norm()
    net.dropout(0.1)
    return net


def vggish() -> Builder:
    """VGGish (Hershey et al., arXiv:1609.09430): 96 frames of 64 bands of a spectrogram."""
    net = Builder(1, 96, 64)
    for channels, times in ((64, 1), (128, 1), (256, 2), (512, 2)):
        for _ in range(times):
            net.conv(channels, 3, bias=True)
            net.relu()
        net.pool(2, 2)
    net.flatten()
    for features in (4096, 4096, 128):
        net.dense(features)
        net.relu()
    return net


def m5() -> Builder:
    """M5 (Dai et al., arXiv:1610.00087, table 1) on 4 seconds of 8 kHz."""
    net = Builder(1, 32000)
    for place, channels in enumerate((128, 128, 256, 512)):
        net.conv_norm(channels, 3 if place else 80, 1 if place else 4, bias=True)
        net.relu()
        net.pool(4, 4)
    net.adapt()
    net.flatten()
    net.dense(10)
    net.apply("log_softmax")
    return net


def wave_unet() -> Builder:
    """Wave-U-Net (Stoller et al., arXiv:1806.03185) of 12 levels on 16,384 samples: linear interpolation of sounds."""
    net = Builder(1, 16384)

    def conv(channels: int, kernel: int) -> None:
        net.conv(channels, kernel, bias=True)
        net.apply("leaky_relu", negative_slope=0.2)

    for level in range(1, 13):
        conv(24 * level, 15)
        net.shape = (*net.shape[:2], net.shape[2] // 2)  # each second one is kept
    conv(24 * 13, 15)
    for level in range(12, 0, -1):
        net.upsample("linear")
        net.concat(24 * level)
        conv(24 * level, 5)
    net.concat(1)
    net.conv(2, 1, bias=True)
    net.apply("tanh")
    net.end_in("mse_loss", net.shape)
    return net


def text_cnn() -> Builder:
    """CNN-static for sentences (Kim, arXiv:1408.5882): 56 words of 300 features each, windows of 3, 4 and 5."""
    net = Builder(300, 56)

    def window(kernel: int) -> None:
        net.conv(100, kernel, padding=0, bias=True)
        net.relu()
        net.apply("adaptive_max_pool", output_size=1)

    net.branches(*(partial(window, kernel) for kernel in (3, 4, 5)))
    net.flatten()
    net.dropout()
    net.classify(2)
    return net


def char_cnn() -> Builder:
    """Character-aware model of words, the small one, before its LSTM (Kim et al., arXiv:1508.06615, table 2)."""
    net = Builder(15, 21)

    def window(kernel: int) -> None:
        net.conv(25 * kernel, kernel, padding=0, bias=True)
        net.apply("tanh")
        net.apply("adaptive_max_pool", output_size=1)

    net.branches(*(partial(window, kernel) for kernel in range(1, 7)))
    net.flatten()
    before = net.shape
    net.dense(net.channels)
    net.relu()
    net.shape = before
    net.dense(net.channels)
    net.apply("sigmoid")
    net.apply("highway", before, before)
    return net


def gcn() -> Builder:
    """GCN for Cora, a graph of 2,708 papers (Kipf, Welling, arXiv:1609.02907), as PyTorch's pygcn has it."""
    net = Builder(2708, 1433)
    graph = (2708, 2708)
    net.apply("graph_conv", graph, (16, 1433), None, (16,))
    net.relu()
    net.dropout()
    net.apply("graph_conv", graph, (7, 16), None, (7,))
    net.apply("log_softmax", axis=2)
    return net


def graphsage() -> Builder:
    """GraphSAGE with means, for proteins (Hamilton et al., arXiv:1706.02216): a graph of PPI has 2,373 nodes or so."""
    net = Builder(2373, 50)
    for features in (256, 256, 121):
        weight = (features, net.shape[2])
        net.apply("graph_conv", (2373, 2373), weight, weight, (features,))
        if features > 121:
            net.relu()
    net.apply("sigmoid")
    return net


SIGNALS = (
    c3d, r2plus1d, non_local, wavenet, wav2vec2, vggish, m5, wave_unet, text_cnn, char_cnn, gcn, graphsage,
)  # fmt: skip
