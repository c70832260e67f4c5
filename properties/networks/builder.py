"""What networks are written with: it notes each layer and carries the shape of what comes out of it."""

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

from properties.layer import Layer, Shape

PerAxis: TypeAlias = int | tuple[int, ...]


class Builder:
    """Notes the layers of a network, in the order in which they are run."""

    def __init__(self, *shape: int) -> None:
        self.shape: Shape = (1, *shape)
        self.layers: list[Layer] = []

    @property
    def channels(self) -> int:
        """The channels of what came out last."""
        return self.shape[1]

    def apply(self, operator: str, *others: Shape | None, **attributes: Any) -> None:
        """Run an operator, `others` being the shapes of its inputs after the first."""
        self.shape = self._noted(operator, *others, **attributes).output

    def end_in(self, operator: str, *others: Shape | None, **attributes: Any) -> None:
        """Run an operator that nothing comes after, such as a loss: the shape stays as it was."""
        self._noted(operator, *others, **attributes)

    def _noted(self, operator: str, *others: Shape | None, **attributes: Any) -> Layer:
        layer = Layer(operator, (self.shape, *others), tuple(attributes.items()))
        self.layers.append(layer)
        return layer

    def conv(
        self,
        channels: int,
        kernel: PerAxis,
        stride: PerAxis = 1,
        padding: Any = None,
        groups: int = 1,
        dilation: PerAxis = 1,
        *,
        bias: bool = False,
    ) -> None:
        """Convolve to so many channels; by default a stride of 1 keeps the size."""
        rank = len(self.shape) - 2
        taps = kernel if isinstance(kernel, tuple) else (kernel,) * rank
        if padding is None:
            apart = dilation if isinstance(dilation, tuple) else (dilation,) * rank
            halves = tuple(each * (count // 2) for each, count in zip(apart, taps, strict=True))
            padding = halves[0] if len({*halves}) == 1 else halves
        attributes = {"stride": stride, "padding": padding, "groups": groups}
        attributes |= {} if dilation == 1 else {"dilation": dilation}
        self.apply(
            "conv", (channels, self.channels // groups, *taps), (channels,) if bias else None, **attributes
        )  # fmt: skip

    def up(self, channels: int, kernel: int = 2, *, bias: bool = True, stride: int = 2, **attributes: Any) -> None:
        """Convolve, transposed: by default, that doubles the size."""
        weight = (self.channels, channels, *[kernel] * (len(self.shape) - 2))
        self.apply("conv_transpose", weight, (channels,) if bias else None, stride=stride, **attributes)

    def norm(self, **attributes: Any) -> None:
        """Normalize by the batch; where a channel has a single value, by what earlier batches had."""
        attributes |= {"training": False} if prod(self.shape) == self.channels else {}
        self.apply("batch_norm", *[(self.channels,)] * 4, **attributes)

    def affine(self, operator: str, **attributes: Any) -> None:
        """Normalize otherwise, then scale and shift each channel."""
        self.apply(operator, (self.channels,), (self.channels,), **attributes)

    def layer_norm(self, eps: float = 1e-5) -> None:
        """Normalize along the last axis."""
        last = self.shape[-1:]
        self.apply("layer_norm", last, last, normalized_shape=last, eps=eps)

    def pool(self, kernel: PerAxis, stride: PerAxis, padding: PerAxis = 0, **attributes: Any) -> None:
        """Take maxima."""
        attributes = {"ceil_mode": False, **attributes}
        self.apply("max_pool", kernel_size=kernel, stride=stride, padding=padding, **attributes)

    def average(self, kernel: int, **attributes: Any) -> None:
        """Take means, of windows that tile unless they have a stride."""
        self.apply("avg_pool", kernel_size=kernel, **attributes)

    def adapt(self, size: int = 1) -> None:
        """Take means, down to `size`."""
        self.apply("adaptive_avg_pool", output_size=size)

    def upsample(self, mode: str = "linear", scale: int = 2) -> None:
        """Double the size by interpolation, or take it times `scale`."""
        self.apply("upsample", scale_factor=scale, mode=mode)

    def relu(self) -> None:
        """Rectify."""
        self.apply("relu")

    def flatten(self) -> None:
        """Make features of all that there is."""
        self.apply("flatten")

    def linear(self, features: int) -> None:
        """Connect all that there is with so many features."""
        self.shape = (1, prod(self.shape))
        self.dense(features)

    def dense(self, features: int, *, bias: bool = True) -> None:
        """Connect the last axis with so many features."""
        self.apply("linear", (features, self.shape[-1]), (features,) if bias else None)

    def dropout(self, p: float = 0.5) -> None:
        """Drop some, with a probability of `p`."""
        self.apply("dropout", self.shape, p=p)

    def add(self) -> None:
        """Add what another branch made, of the same shape."""
        self.apply("add", self.shape)

    def concat(self, channels: int) -> None:
        """Join what another branch made, of so many channels."""
        self.apply("concat", (1, channels, *self.shape[2:]))

    def conv_norm(self, channels: int, kernel: PerAxis, stride: PerAxis = 1, groups: int = 1, **more: Any) -> None:
        """Convolve and normalize."""
        self.conv(channels, kernel, stride, groups=groups, **more)
        self.norm()

    def concatenated(self, channels: int) -> None:
        """Go on with so many channels: other branches have joined, which isn't noted."""
        self.shape = (1, channels, *self.shape[2:])

    def branches(self, *paths: Callable[[], object]) -> None:
        """Run each of `paths` on what there is, and join what they make, one after the other."""
        before, made = self.shape, []
        for path in paths:
            self.shape = before
            path()
            made.append(self.shape)
        self.shape = made[0]
        for other in made[1:]:
            self.concat(other[1])

    def classify(self, classes: int) -> None:
        """Connect all with `classes`, whose probabilities are asked for, and their loss."""
        if len(self.shape) > 2:
            self.flatten()
        self.dense(classes)
        self.end_in("cross_entropy", (1, *self.shape[2:]))
        self.end_in("softmax")
