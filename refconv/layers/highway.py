"""A highway layer's gate: between what is transformed and what is carried.

output = transform * gate + input * (1 - gate)
"""

from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.rounding import exactly


class HighwayGradients(NamedTuple):
    """The gradients of the three inputs, each of its input's shape and dtype."""

    input: Array
    transform: Array
    gate: Array


@np.errstate(all="ignore")
def highway(input: Array, transform: Array, gate: Array) -> Array:
    """Return ``transform * gate + input * (1 - gate)``.

    Parameters
    ----------
    input : array, shape (batch, ...)
        float32, float64 or complex128, in any memory layout. It may be empty.
    transform, gate : array, shape of `input`
        Of the dtype of `input`. A gate is commonly a sigmoid's output, but may hold anything.

    Returns
    -------
    array, shape of `input`
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Arrays of another type or dtype, or of shapes that differ.

    References
    ----------
    R. Srivastava, K. Greff, J. Schmidhuber, Highway networks, 2015, arXiv:1505.00387, equation 3.
    """
    x, h, t = _read(input, transform, gate)
    output: Array = h * t + x * (1 - t)
    return output


@np.errstate(all="ignore")
def highway_backward(grad_output: Array, input: Array, transform: Array, gate: Array) -> HighwayGradients:
    """Return the gradients of ``sum(highway(input, transform, gate) * grad_output)``.

    ::

        grad_input = grad_output * (1 - gate)
        grad_transform = grad_output * gate
        grad_gate = grad_output * (transform - input)

    Parameters
    ----------
    grad_output : array, shape of `input`
        Of the dtype of `input`.
    input, transform, gate
        As for :func:`highway`.

    Returns
    -------
    HighwayGradients
        `input`, `transform` and `gate`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`highway`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    x, h, t = _read(input, transform, gate)
    grad = arguments.matching("grad_output", grad_output, x, x.shape)
    return HighwayGradients(input=grad * (1 - t), transform=grad * t, gate=grad * (h - x))


def highway_bound(arithmetic: Arithmetic, _: Array, *inputs: Array) -> Bound:
    """Bound the rounding errors of the formula, as it stands and with one product; small integers have none.

    ::

        transform * gate + input * (1 - gate)  or  input + gate * (transform - input)
    """
    x, h, t = (exactly(array, arithmetic) for array in inputs)
    magnitude = abs(h.value * t.value) + abs(x.value) * (1 + abs(t.value))
    bound = bounds.either((h * t + x * (1 - t)).bound(), (x + t * (h - x)).bound())
    return bounds.unless_exact(bound, arithmetic, inputs, (magnitude,))


def highway_backward_bound(arithmetic: Arithmetic, _: HighwayGradients, *inputs: Array) -> tuple[Bound, ...]:
    """Bound the rounding errors of the gradients, as automatic differentiation finds them of either formula.

    ::

        grad_input = grad_output * (1 - gate)       or  grad_output - grad_output * gate
        grad_gate = grad_output * (transform - input)  or  grad_output * transform - grad_output * input
    """
    g, x, h, t = (exactly(array, arithmetic) for array in inputs)
    magnitude = abs(g.value) * (1 + abs(t.value) + abs(h.value) + abs(x.value))
    formulas = (
        bounds.either((g * (1 - t)).bound(), (g - g * t).bound()),
        (g * t).bound(),
        bounds.either((g * (h - x)).bound(), (g * h - g * x).bound()),
    )
    return tuple(bounds.unless_exact(bound, arithmetic, inputs, (magnitude,)) for bound in formulas)


def _read(input: object, transform: object, gate: object) -> tuple[Array, Array, Array]:
    x = arguments.batched("input", input)
    return x, arguments.matching("transform", transform, x, x.shape), arguments.matching("gate", gate, x, x.shape)
