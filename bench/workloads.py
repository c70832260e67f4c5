"""What is timed: the distinct layers of well-known networks, and series in which one size grows."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from properties.layer import Layer, Shape
from properties.networks import NETWORKS
from refconv.words import did_you_mean


class Workload(NamedTuple):
    """Layers, each with how often it comes up."""

    name: str
    title: str
    layers: tuple[Layer, ...]

    def multiply_adds(self) -> int:
        """Return those of one pass forward through all layers."""
        return sum(layer.times * layer.multiply_adds("forward") for layer in self.layers)


def _conv(channels: int, length: int, kernel: int, batch: int = 1) -> Layer:
    """Return a convolution that keeps its input's shape."""
    shapes = (batch, channels, length, length), (channels, channels, kernel, kernel)
    return Layer("conv", shapes, (("padding", kernel // 2),))


SERIES: Mapping[str, tuple[Layer, ...]] = MappingProxyType(
    {
        "batch": tuple(_conv(64, 28, 3, batch) for batch in (1, 2, 4, 8, 16, 32)),
        "channels": tuple(_conv(channels, 28, 3) for channels in (8, 16, 32, 64, 128, 256, 512)),
        "size": tuple(_conv(64, length, 3) for length in (7, 14, 28, 56, 112, 224)),
        "kernel": tuple(_conv(64, 28, kernel) for kernel in (1, 3, 5, 7, 9, 11)),
    }
)
_IMAGE = (1, 64, 56, 56)
_EVERY: Mapping[str, tuple[tuple[Shape | None, ...], Mapping[str, object]]] = MappingProxyType(
    {
        "conv": ((_IMAGE, (64, 64, 3, 3), (64,)), {"padding": 1}),
        "conv_transpose": ((_IMAGE, (64, 32, 2, 2), (32,)), {"stride": 2}),
        "locally_connected": (((1, 16, 28, 28), (16, 26, 26, 16, 3, 3), (16, 26, 26)), {}),
        "linear": (((64, 512), (512, 512), (512,)), {}),
        "max_pool": ((_IMAGE,), {"kernel_size": 3, "stride": 2, "padding": 1}),
        "max_unpool": ((_IMAGE, _IMAGE), {"output_size": 112}),
        "avg_pool": ((_IMAGE,), {"kernel_size": 3, "stride": 2, "padding": 1}),
        "lp_pool": ((_IMAGE,), {"norm_type": 2.0, "kernel_size": 3, "stride": 2}),
        "adaptive_avg_pool": ((_IMAGE,), {"output_size": 7}),
        "adaptive_max_pool": ((_IMAGE,), {"output_size": 7}),
        "upsample": ((_IMAGE,), {"scale_factor": 2, "mode": "cubic"}),
        "blur_pool": ((_IMAGE,), {}),
        "batch_norm": ((_IMAGE, (64,), (64,), (64,), (64,)), {"training": False}),
        "layer_norm": ((_IMAGE, (64, 56, 56), (64, 56, 56)), {"normalized_shape": (64, 56, 56)}),
        "instance_norm": ((_IMAGE, (64,), (64,)), {}),
        "group_norm": ((_IMAGE, (64,), (64,)), {"num_groups": 8}),
        "local_response_norm": ((_IMAGE,), {"size": 5}),
        **{
            name: ((_IMAGE,), {})
            for name in ("relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax", "squash")
        },
        "dropout": ((_IMAGE, _IMAGE), {"p": 0.5}),
        "flatten": ((_IMAGE,), {}),
        "add": ((_IMAGE, _IMAGE), {}),
        "concat": ((_IMAGE, _IMAGE), {}),
        "pad": ((_IMAGE,), {"padding": 1, "mode": "reflect"}),
        "channel_shuffle": ((_IMAGE,), {"groups": 8}),
        "cross_entropy": (((64, 1000), (64,)), {}),
        "mse_loss": ((_IMAGE, _IMAGE), {}),
        "highway": ((_IMAGE, _IMAGE, _IMAGE), {}),
        "graph_conv": (((1, 512, 64), (512, 512), (64, 64), (64, 64), (64,)), {}),
        "non_local": (((1, 64, 14, 14), (32, 64), (32, 64), (32, 64)), {}),
        "capsule_routing": (((1, 128, 10, 16),), {}),
    }
)
NAMES = (*NETWORKS, "operators", *SERIES)


@cache
def workload(name: str) -> Workload:
    """Return one of `NAMES`.

    Raises
    ------
    ValueError
        For a name that there is none of.
    """
    if name in SERIES:
        return Workload(name, f"conv by {name}", SERIES[name])
    if name == "operators":
        layers = (Layer(operator, shapes, tuple(more.items())) for operator, (shapes, more) in _EVERY.items())
        return Workload(name, "every operator once", tuple(layers))
    if name not in NETWORKS:
        raise ValueError(f"workload must be one of {', '.join(NAMES)}, got {name!r}{did_you_mean(name, NAMES)}")
    network = NETWORKS[name]
    return Workload(name, _title(network), tuple(_counted(network().layers)))


def _counted(layers: Iterable[Layer]) -> list[Layer]:
    """Return distinct layers in their order, each with how often it is among `layers`."""
    return [layer._replace(times=times) for layer, times in Counter(layers).items()]


def _title(network: Callable[[], object]) -> str:
    return (network.__doc__ or "").split(" (")[0]
