"""What breaks the rules of maximum pooling, its adaptive form, its partial inverse, and Lp pooling."""

import math
from collections.abc import Mapping

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import (
    Breakage,
    bool_rows,
    longer,
    padding_rows,
    per_axis_rows,
    rank,
    set_to,
    shape,
    signal_rows,
    with_array,
)
from refconv.arguments import LARGEST, Array


def _too_large(case: Case) -> dict[str, object]:
    kernel = (*(1,) * (rank(case) - 1), shape(case, "input")[-1] + 1)
    changed: dict[str, object] = {"kernel_size": kernel, "stride": 1, "padding": 0, "dilation": 1, "ceil_mode": False}
    return {name: value for name, value in changed.items() if name in case.attributes}


def _huge(case: Case) -> dict[str, object]:
    if rank(case) < 2:
        return {}
    return {"padding": LARGEST // 2, "kernel_size": 1, "stride": 1, "dilation": 1}


def _cast(kind: type) -> Breakage:
    return Breakage("indices", "have dtype int64", with_array("indices", lambda array: array.astype(kind)))


def _place(value: int) -> Breakage:
    def full(array: Array) -> Array:
        changed = array.copy()
        changed.ravel()[-1:] = value
        return changed

    def change(case: Case) -> dict[str, object]:
        return with_array("indices", full)(case) if math.prod(shape(case, "indices")) else {}

    return Breakage("indices", "be between 0 and ", change)


_SIGNAL = [
    *signal_rows(),
    *[
        Breakage("grad_output", "have shape", with_array("grad_output", make))
        for make in (longer(1), longer(-1), lambda array: array[0:0, 0])
    ],
]
_WINDOW = [
    *_SIGNAL,
    *per_axis_rows("kernel_size", least=1),
    *per_axis_rows("stride", least=1, optional=True),
    *bool_rows("ceil_mode"),
    Breakage("kernel_size", "span at most the padded input's size", _too_large),
]
_OUTPUT_SIZE = [
    *per_axis_rows("output_size", least=1),
    Breakage("output", "fit into a quarter of memory", set_to("output_size", LARGEST)),
]
_NO_NUMBERS: tuple[object, ...] = ("2", None, True, 1j, (2,))
ROWS: Mapping[str, list[Breakage]] = {
    "max_pool": [
        *_WINDOW,
        *per_axis_rows("dilation", least=1),
        *padding_rows(),
        *bool_rows("return_indices"),
        Breakage("output", "fit into a quarter of memory", _huge),
    ],
    "max_unpool": [
        *_SIGNAL,
        *_OUTPUT_SIZE,
        *[_cast(kind) for kind in (np.int32, np.float64, np.bool_, object)],
        *[
            Breakage("indices", "have shape", with_array("indices", make))
            for make in (longer(1), longer(-1), lambda array: array[0:0, 0])
        ],
        *[_place(value) for value in (-1, LARGEST, 2**62)],
    ],
    "lp_pool": [
        *_WINDOW,
        *[Breakage("norm_type", "be at least 1", set_to("norm_type", value)) for value in (0.5, 0, -1.0)],
        *[Breakage("norm_type", "be finite", set_to("norm_type", value)) for value in (math.nan, -math.inf, 10**400)],
        *[Breakage("norm_type", "be a real number", set_to("norm_type", value)) for value in _NO_NUMBERS],
    ],
    "adaptive_max_pool": [*_SIGNAL, *_OUTPUT_SIZE],
}
