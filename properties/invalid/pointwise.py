"""What breaks the rules of what works on each element by itself, moves elements, or sums them up to a loss."""

from collections.abc import Mapping

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import (
    Breakage,
    axis_rows,
    int_rows,
    padding_rows,
    rank,
    real_rows,
    set_to,
    shape,
    signal_rows,
    with_array,
    word_rows,
)
from refconv.arguments import LARGEST, Array
from refconv.layers import pad


def _shape_rows(*names: str) -> list[Breakage]:
    """Rows of inputs that must have the shape of `input`."""
    return [
        Breakage(name, "have shape", with_array(name, make))
        for name in names
        for make in (lambda array: array[None], lambda array: array[..., None], _longer_still)
    ]


def _beyond_size(mode: str, more: int) -> Breakage:
    def change(case: Case) -> dict[str, object]:
        sides = (*(0,) * (rank(case) - 1), shape(case, "input")[-1] + more)
        return {"mode": mode, "padding": sides, "value": 0.0}

    words = "smaller than" if more == 0 else "at most"
    return Breakage("padding", f"be {words} the input's size", change)


def _other_size(case: Case) -> dict[str, object]:
    first = shape(case, "other")
    along = case.attributes["axis"]
    assert isinstance(along, int)
    longer_ = [length + (axis != along % len(first)) for axis, length in enumerate(first)]
    return {"other": np.zeros(longer_, case.dtype)} if len(first) > 1 else {}


_NO_AXES = Breakage("input", "have at least 1 axis", lambda case: {"input": np.zeros((), case.dtype)})


def _cast(kind: type) -> Breakage:
    return Breakage("target", "have dtype int64", with_array("target", lambda array: array.astype(kind)))


def _longer_still(array: Array) -> Array:
    return np.zeros((*array.shape[:-1], array.shape[-1] + 1), array.dtype)


def _classes(value: int) -> Breakage:
    def change(case: Case) -> dict[str, object]:
        target = case.inputs[1]
        assert target is not None
        return {"target": np.full_like(target, value)} if target.size else {}

    return Breakage("target", "be between 0 and ", change)


def _mask_of(value: float) -> Breakage:
    def change(case: Case) -> dict[str, object]:
        mask = case.inputs[1]
        assert mask is not None
        return {"mask": np.full_like(mask, value)} if mask.size else {}

    return Breakage("mask", "be 0 or 1 everywhere", change)


ROWS: Mapping[str, list[Breakage]] = {
    "relu": [_NO_AXES],
    "leaky_relu": [_NO_AXES, *real_rows("negative_slope")],
    "sigmoid": [_NO_AXES],
    "tanh": [_NO_AXES],
    "dropout": [
        _NO_AXES,
        *_shape_rows("mask"),
        *[_mask_of(value) for value in (0.5, -1.0, np.nan)],
        *real_rows("p", at_least=0, at_most=1),
        Breakage("p", "be smaller than 1", set_to("p", 1)),
    ],
    "flatten": [_NO_AXES],
    "add": [_NO_AXES, *_shape_rows("other")],
    "concat": [
        _NO_AXES,
        *axis_rows(),
        Breakage("other", "have the shape of input", _other_size),
        Breakage("other", "have the shape of input", with_array("other", lambda array: array[None])),
    ],
    "pad": [
        *signal_rows(),
        *padding_rows(),
        *word_rows("mode", pad.MODES),
        *real_rows("value"),
        Breakage("value", "be 0 unless mode is 'constant'", lambda _: {"mode": "zeros", "value": 1.0}),
        Breakage("value", "be finite in the dtype of input", lambda _: {"mode": "constant", "value": 1e39}),
        _beyond_size("reflect", 0),
        _beyond_size("circular", 1),
        Breakage(
            "output",
            "fit into a quarter of memory",
            lambda case: {"padding": LARGEST, "mode": "zeros", "value": 0.0} if rank(case) > 1 else {},
        ),
    ],
    "channel_shuffle": [
        *signal_rows(),
        *int_rows("groups", least=1),
        Breakage("groups", "divide channels={in_channels}", lambda case: {"groups": shape(case, "input")[1] + 1}),
    ],
    "cross_entropy": [
        *signal_rows(least=0),
        *[_cast(kind) for kind in (np.int32, np.float32, np.bool_, object)],
        *_shape_rows("target"),
        *[_classes(value) for value in (-1, 10**6, np.iinfo(np.int64).min)],
    ],
    "mse_loss": [_NO_AXES, *_shape_rows("target")],
    "highway": [_NO_AXES, *_shape_rows("transform", "gate")],
}
