"""What breaks the rules of `conv`, `conv_transpose` and `locally_connected`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import (
    PADDINGS,
    Breakage,
    Change,
    if_rank,
    int_rows,
    longer,
    padding_rows,
    per_axis_rows,
    rank,
    set_to,
    shape,
    signal_rows,
    with_array,
    without,
    word_rows,
)
from refconv.arguments import LARGEST, Array
from refconv.padding import MODES


def _too_small(case: Case) -> dict[str, object]:
    kernel = (*(1,) * (rank(case) - 1), shape(case, "input")[-1] + 1)
    return {"weight": np.zeros((*shape(case, "weight")[:2], *kernel), case.dtype), "padding": 0}


def _beyond_size(mode: str, more: int) -> Change:
    def change(case: Case) -> dict[str, object]:
        return {"padding_mode": mode, "padding": (*(0,) * (rank(case) - 1), shape(case, "input")[-1] + more)}

    return change


def _same_with_stride(case: Case) -> dict[str, object]:
    return {"padding": "same", "stride": (*(1,) * (rank(case) - 1), 2)}


def _cropped(case: Case) -> dict[str, object]:
    return {"padding": math.prod(case.grad_output.shape[2:]) + 64, "output_padding": 0}


def _as_the_stride(case: Case) -> dict[str, object]:
    axes = rank(case)
    given: list[Any] = [case.attributes["stride"], case.attributes["dilation"]]
    steps = [np.broadcast_to(step, axes).tolist() for step in given]
    return {"output_padding": tuple(map(max, *steps))}


def _local_too_small(case: Case) -> dict[str, object]:
    axes, (out_channels, *_), (_, in_channels, *size) = rank(case), shape(case, "weight"), shape(case, "input")
    kernel = (*(1,) * (axes - 1), size[-1] + 1)
    return {"weight": np.zeros((out_channels, *size, in_channels, *kernel), case.dtype), "padding": 0}


def _other_in_channels(array: Array) -> Array:
    return np.concatenate([array, array], array.ndim // 2)


_WINDOW = [
    *per_axis_rows("stride", least=1),
    *per_axis_rows("dilation", least=1),
    *padding_rows(),
    *signal_rows(),
]
_ARRAYS = [
    *[
        Breakage(
            "weight", "have at least 1 channel and kernel sizes of at least 1", with_array("weight", without(axis))
        )
        for axis in (0, 1, -1)
    ],
    Breakage("bias", "have shape", with_array("bias", longer(0))),
    Breakage("bias", "have shape", with_array("bias", lambda array: array[None])),
    *[
        Breakage("grad_output", "have shape", with_array("grad_output", make))
        for make in (longer(1), longer(-1), lambda array: array[0:0, 0])
    ],
]
_COMMON = [
    *_WINDOW,
    *_ARRAYS,
    *int_rows("groups", least=1),
    Breakage("groups", "divide in_channels={in_channels}", lambda case: {"groups": shape(case, "input")[1] + 1}),
    Breakage("weight", "have {ndim} axes, as input has", with_array("weight", lambda array: array[..., None])),
    Breakage("weight", "have {ndim} axes, as input has", with_array("weight", lambda array: array[0])),
]

ROWS: Mapping[str, list[Breakage]] = {
    "conv": [
        *_COMMON,
        Breakage("padding", "be 'valid' or 'same' if it is a word", set_to("padding", "full")),
        Breakage("stride", "be 1 where padding is 'same'", _same_with_stride),
        *word_rows("padding_mode", MODES),
        Breakage("padding", "be smaller than the input's size", _beyond_size("reflect", 0)),
        Breakage("padding", "be at most the input's size", _beyond_size("circular", 1)),
        Breakage("weight", "have in_channels / groups = ", with_array("weight", longer(1))),
        Breakage("weight", "span at most the padded input's size", _too_small),
        Breakage(
            "output",
            "fit into a quarter of memory",
            if_rank(2, {"padding": LARGEST, "padding_mode": "zeros", "stride": 1}),
        ),
        Breakage(
            "padded input",
            "fit into a quarter of memory",
            if_rank(2, {"padding": LARGEST, "padding_mode": "replicate", "stride": LARGEST}),
        ),
    ],
    "conv_transpose": [
        *_COMMON,
        Breakage("padding", PADDINGS, set_to("padding", "same")),
        Breakage("weight", "have in_channels={in_channels} on axis 0", with_array("weight", longer(0))),
        Breakage("padding", "leave an output of at least 1 along each axis", _cropped),
        *per_axis_rows("output_padding", least=0),
        Breakage("output_padding", "be smaller than stride", set_to("output_padding", 10**6)),
        Breakage("output_padding", "be smaller than stride", _as_the_stride),
        Breakage(
            "output",
            "fit into a quarter of memory",
            if_rank(2, {"stride": LARGEST, "output_padding": LARGEST - 1, "padding": 0}),
        ),
    ],
    "locally_connected": [
        *_WINDOW,
        *_ARRAYS,
        Breakage("padding", PADDINGS, set_to("padding", "same")),
        *[
            Breakage("weight", "have ", with_array("weight", make))
            for make in (lambda array: array[..., None], lambda array: array[0], longer(1), longer(2))
        ],
        Breakage("weight", "have shape", with_array("weight", _other_in_channels)),
        Breakage("weight", "span at most the padded input's size", _local_too_small),
    ],
}
