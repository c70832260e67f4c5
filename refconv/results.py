"""What several operators return."""

from typing import NamedTuple

from refconv.arguments import Array


class InputGradient(NamedTuple):
    """The gradient of an operator's only differentiable input, of its shape and dtype."""

    input: Array


class NormGradients(NamedTuple):
    """The gradients of a norm's inputs, each of its input's shape and dtype; None where the input was."""

    input: Array
    weight: Array | None
    bias: Array | None
