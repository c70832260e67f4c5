"""What several operators return."""

from typing import NamedTuple

from refconv.arguments import Array


class InputGradient(NamedTuple):
    """The gradient of an operator's only differentiable input, of its shape and dtype."""

    input: Array
