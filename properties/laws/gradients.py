"""The gradient theorem: what a function gains along a path is the integral of its gradient along it.

    <grad_output, f(x + v) - f(x)> = integral of <grad_x(x + t v), v> over t from 0 to 1

It ties a backward to its forward where the forward isn't linear. No difference is divided by a small step, so the
results' own rounding errors are all that it is off by, and what the rule that stands for the integral is off by: closed
rules of Newton and Cotes with 9 and with 5 equidistant points, that of 9 off by less than they differ. All points of
the path are exact: integers of few bits, times a power of two.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from properties.arrays import bits
from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, generator, product
from refconv.arguments import Array
from refconv.bounds import FLOAT64
from refconv.rounding import Rounded, where

law = Laws()

_STEPS = 8
_NINE = np.array([989, 5888, -928, 10496, -4540, 10496, -928, 5888, 989]) / 28350
_FIVE = np.array([7, 0, 32, 0, 12, 0, 32, 0, 7]) / 90
SMOOTH: Mapping[str, tuple[str, ...]] = {
    "lp_pool": ("input",),
    "batch_norm": ("input",),
    "layer_norm": ("input",),
    "instance_norm": ("input",),
    "group_norm": ("input",),
    "local_response_norm": ("input",),
    "relu": ("input",),
    "leaky_relu": ("input",),
    "sigmoid": ("input",),
    "tanh": ("input",),
    "softmax": ("input",),
    "log_softmax": ("input",),
    "squash": ("input",),
    "cross_entropy": ("input",),
    "mse_loss": ("input",),
    "non_local": ("input", "theta", "phi"),
    "capsule_routing": ("votes",),
}
"""The inputs by which operators are smooth, away from 0; and those of `relu`, which are smooth on either side of it."""


def _path(case: Case, name: str) -> list[Array]:
    """Return equidistant points of a path that passes no 0."""
    rng, shape, dtype = generator(case), array(case, name).shape, str(case.dtype)
    digits = bits(dtype)
    start = rng.choice((-1, 1), shape) * rng.integers(2 ** (digits - 2), 2 ** (digits - 1), shape, endpoint=True)
    step = rng.choice((-1, 1), shape) * rng.integers(1, max(2 ** (digits - 10), 1), shape, endpoint=True)
    return [np.ldexp(start + number * step, 1 - digits).astype(dtype) for number in range(_STEPS + 1)]


@law(*SMOOTH, backward=True)
def gradient_theorem(calls: Calls, case: Case) -> Iterator[Equation]:
    """<grad_output, f(x + v) - f(x)> is the integral of <grad_x(x + t v), v> over t from 0 to 1.

    The fundamental theorem of calculus, along a path from x to x + v.
    """
    if case.attributes.get("norm_type") == np.inf:  # that is a maximum
        return
    for name in SMOOTH[case.operator]:
        given = case.arrays[name]
        if given is None or not given.size:
            continue
        path = _path(case, name)
        points = [but(case, **{name: point}) for point in path]
        moved = path[-1].astype(np.float64) - path[0].astype(np.float64)
        slopes = [product(calls.backward(point)[name], moved) for point in points]
        gained = product(calls.forward(points[-1]) - calls.forward(points[0]), case.grad_output)
        yield Equation(gained, _integral(slopes), f"<grad_output, output> along a path of {name}")


def _integral(slopes: list[Rounded]) -> Rounded:
    values = np.array([slope.value for slope in slopes])
    errors = np.array([slope.error for slope in slopes])
    nine, five = _NINE @ values, _FIVE @ values
    return Rounded(nine, abs(_NINE) @ errors + abs(nine - five), FLOAT64)


@law("max_pool", "adaptive_max_pool", backward=True)
def gradient_theorem_between_ties(calls: Calls, case: Case) -> Iterator[Equation]:
    """<grad_output, f(x + v) - f(x)> = <grad_x(x), v>, where no maximum moves to another place between x and x + v.

    There, the maximum is the element in that place, and linear in it.
    """
    signal = array(case, "input")
    rng, digits, count = generator(case), bits(str(case.dtype)), signal.size
    if 4 * count >= 2 ** (digits - 1):
        return
    start = (4 * rng.permutation(count) - 2 * count).reshape(signal.shape)
    step = rng.choice((-1, 1), signal.shape)
    one, other = ((start + move).astype(signal.dtype) for move in (0, step))
    before, after = (calls.forward(but(case, input=given)) for given in (one, other))
    gained = where(np.isfinite(before.value), after - before, 0.0)  # a window may see nothing
    gradient = calls.backward(but(case, input=one))["input"]
    yield Equation(product(gained, case.grad_output), product(gradient, step), "<grad_output, output> along a path")
