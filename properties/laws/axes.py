"""One more axis of size 1 changes nothing: ties each rank to the next, and each axis' attributes to that axis."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from properties.case import Case
from properties.laws.law import Calls, Equation, Laws, array, but, generator
from refconv.rounding import Rounded

law = Laws()

_NEUTRAL: Mapping[str, object] = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "output_padding": 0,
    "kernel_size": 1,
    "output_size": 1,
    "size": 1,
    "scale_factor": 1,
}
"""What an axis of size 1 has, so that it stays as it is."""

_WINDOWED: Mapping[str, tuple[str, ...]] = {
    "conv": ("input", "weight"),
    "conv_transpose": ("input", "weight"),
    "max_pool": ("input",),
    "max_unpool": ("input", "indices"),
    "avg_pool": ("input",),
    "lp_pool": ("input",),
    "adaptive_avg_pool": ("input",),
    "adaptive_max_pool": ("input",),
    "upsample": ("input",),
    "blur_pool": ("input",),
    "pad": ("input",),
    "locally_connected": ("input",),
}
"""The inputs that have spatial axes behind the first two."""


def _lifted(case: Case) -> tuple[Case, int] | None:
    """Return `case` with one more axis, and the place of that axis; None where there are three, or two for cubic."""
    signal = array(case, "input")
    rank = signal.ndim - 2
    if rank == 3 or case.attributes.get("mode") == "cubic":
        return None
    place = int(generator(case).integers(rank + 1))
    changes: dict[str, Any] = {
        name: np.expand_dims(array(case, name), 2 + place) for name in ("grad_output", *_WINDOWED[case.operator])
    }
    if case.operator == "locally_connected":  # (out, *output, in, *kernel) and (out, *output)
        changes["weight"] = np.expand_dims(array(case, "weight"), (1 + place, 3 + rank + place))
        bias = case.arrays["bias"]
        changes["bias"] = bias if bias is None else np.expand_dims(bias, 1 + place)
    for name, value in case.attributes.items():
        if name in _NEUTRAL and value is not None and not isinstance(value, str):
            entries = list(value) if isinstance(value, tuple | list) else [value] * rank
            changes[name] = (*entries[:place], _NEUTRAL[name], *entries[place:])
    return but(case, **changes), place


def _lowered(values: Rounded, axes: int | tuple[int, ...]) -> Rounded:
    return values.moved(lambda plain: plain.squeeze(axes))


@law(*_WINDOWED)
def axis_of_size_one_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """An axis of size 1 more, with a window of 1 along it, gives the same, with that axis.

    Sums over it have one term. So each attribute belongs to its own axis.
    """
    lifted = _lifted(case)
    if lifted is not None:
        outputs, others = calls.outputs(case), calls.outputs(lifted[0])
        for name, output in outputs.items():
            yield Equation(_lowered(others[name], 2 + lifted[1]), output, name)


@law(*_WINDOWED, backward=True, forward=False)
def axis_of_size_one_has_no_gradient_of_its_own(calls: Calls, case: Case) -> Iterator[Equation]:
    """An axis of size 1 more gives the same gradients, with that axis."""
    lifted = _lifted(case)
    if lifted is None:
        return
    other, place = lifted
    gradients, rank = calls.backward(other), array(case, "input").ndim - 2
    more: dict[str, Any] = {"input": 2 + place, "weight": 2 + place, "bias": ()}
    if case.operator == "locally_connected":
        more |= {"weight": (1 + place, 3 + rank + place), "bias": 1 + place}
    for name, gradient in calls.backward(case).items():
        yield Equation(_lowered(gradients[name], more[name]), gradient, f"grad_{name}")
