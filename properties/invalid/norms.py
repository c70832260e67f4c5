"""What breaks the rules of the norms."""

import math
from collections.abc import Mapping

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import (
    Breakage,
    int_rows,
    longer,
    real_rows,
    set_to,
    shape,
    signal_rows,
    with_array,
)
from refconv.arguments import LARGEST

_NO_SHAPES: tuple[object, ...] = (None, (), [], 1.5, "3", (1, 2.0), True, (None,), {3})


def _shape_rows(*names: str) -> list[Breakage]:
    """Rows of inputs that must have an entry for each channel."""
    return [
        Breakage(name, "have shape", with_array(name, make))
        for name in names
        for make in (longer(0), lambda array: array[None], lambda array: array[..., :0])
    ]


def _single(case: Case) -> dict[str, object]:
    """Leave one value in each channel."""
    batch, channels, *spatial = shape(case, "input")
    return {"input": np.ones((min(batch, 1) or 1, channels, *(1,) * len(spatial)), case.dtype), "training": True}


def _single_position(case: Case) -> dict[str, object]:
    batch, channels, *spatial = shape(case, "input")
    return {"input": np.ones((batch, channels, *(1,) * len(spatial)), case.dtype)}


def _without(name: str, *, training: bool) -> Breakage:
    """Leave out one of the running statistics; in training, where the other is given."""
    rule = "be given where the other running statistic is" if training else "be given where training is False"
    return Breakage(
        name,
        rule,
        lambda case: {} if case.arrays[name] is None or _few(case) else {name: None, "training": training},
    )


def _few(case: Case) -> bool:
    """Whether there is one value in each channel, which training refuses."""
    batch, _, *spatial = shape(case, "input")
    return batch * math.prod(spatial) == 1


def _other_shape(case: Case) -> dict[str, object]:
    *others, last = shape(case, "input")
    return {"normalized_shape": (last + 1,)} if others or last else {}


def _more_axes(case: Case) -> dict[str, object]:
    """Normalize over an axis more than there is; of an empty batch, over one of size 1, since 0 breaks another rule."""
    return {"normalized_shape": (1, *(length or 1 for length in shape(case, "input")))}


_COMMON = [*real_rows("eps", at_least=0), *_shape_rows("weight", "bias")]
_NORMALIZED = "be an int or a sequence of at least one int"
_LAST = "be the sizes of input's last axes"

ROWS: Mapping[str, list[Breakage]] = {
    "batch_norm": [
        *signal_rows(least=0),
        *_COMMON,
        *_shape_rows("running_mean", "running_var"),
        *real_rows("momentum", at_least=0, at_most=1),
        *[
            Breakage("training", "be True or False", set_to("training", value))
            for value in (None, 1, 0, "True", np.array(True), 1.0)
        ],
        Breakage("input", "have more than one value in each channel in training", _single),
        _without("running_mean", training=True),
        _without("running_var", training=True),
        _without("running_mean", training=False),
        _without("running_var", training=False),
    ],
    "layer_norm": [
        *_COMMON,
        *[Breakage("normalized_shape", _NORMALIZED, set_to("normalized_shape", value)) for value in _NO_SHAPES],
        *[
            Breakage("normalized_shape", f"be between 1 and {LARGEST}", set_to("normalized_shape", value))
            for value in (0, -1, (0,), (LARGEST + 1,))
        ],
        Breakage("normalized_shape", _LAST, _other_shape),
        Breakage("normalized_shape", _LAST, _more_axes),
        Breakage("normalized_shape", _LAST, with_array("input", lambda array: array[..., :0])),
    ],
    "instance_norm": [
        *signal_rows(),
        *_COMMON,
        Breakage("input", "have more than one value in each channel", _single_position),
    ],
    "group_norm": [
        *signal_rows(least=0),
        *_COMMON,
        *int_rows("num_groups", least=1),
        Breakage(
            "num_groups", "divide channels={in_channels}", lambda case: {"num_groups": shape(case, "input")[1] + 1}
        ),
    ],
    "local_response_norm": [
        *signal_rows(),
        *int_rows("size", least=1),
        *real_rows("alpha", at_least=0),
        *real_rows("beta", at_least=0),
        *real_rows("k", at_least=0),
    ],
}
