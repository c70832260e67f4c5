"""What breaks the rules of average pooling, blur pooling and upsampling."""

import math
from collections.abc import Iterable, Mapping

from properties.case import Case
from properties.invalid.vocabulary import (
    PADDINGS,
    Breakage,
    bool_rows,
    if_rank,
    int_rows,
    longer,
    one_axis,
    padding_rows,
    per_axis_rows,
    rank,
    set_to,
    shape,
    signal_rows,
    too_many,
    with_array,
    word_rows,
)
from refconv.arguments import LARGEST
from refconv.interpolation import MODES

_HUGE = 2**30
_NUMBERS = "be a number or a sequence of {rank} numbers"
_SCALES = f"be above 0 and at most {LARGEST}"
_MEMORY = "fit into a quarter of memory"


def _too_large(case: Case) -> dict[str, object]:
    kernel = (*(1,) * (rank(case) - 1), shape(case, "input")[-1] + 1)
    return {"kernel_size": kernel, "padding": 0, "stride": 1}


def _beyond_reflection(case: Case) -> dict[str, object]:
    return {"kernel_size": (*(1,) * (rank(case) - 1), 2 * shape(case, "input")[-1])}


def _with(others: Mapping[str, object], row: Breakage) -> Breakage:
    """Change `others`, too, where what the row changes would not be looked at otherwise."""
    return row._replace(change=lambda case: {**others, **changed} if (changed := row.change(case)) else {})


def _scale_rows(rule: str, values: Iterable[object]) -> list[Breakage]:
    changes = [set_to("scale_factor", value) for value in values]
    return [_with({"size": None}, Breakage("scale_factor", rule, change)) for change in changes]


def _last_scale(value: object) -> Breakage:
    return _with({"size": None}, Breakage("scale_factor", _SCALES, one_axis("scale_factor", value, 1.0)))


def _cubic_elsewhere(case: Case) -> dict[str, object]:
    return {} if rank(case) == 2 else {"mode": "cubic"}


def _too_small(case: Case) -> dict[str, object]:
    return {"size": None, "scale_factor": (*(1,) * (rank(case) - 1), 0.99 / shape(case, "input")[-1])}


_COMMON = [
    *signal_rows(),
    *[
        Breakage("grad_output", "have shape", with_array("grad_output", make))
        for make in (longer(1), longer(-1), lambda array: array[0:0, 0])
    ],
]

ROWS: Mapping[str, list[Breakage]] = {
    "avg_pool": [
        *_COMMON,
        *per_axis_rows("kernel_size", least=1),
        *per_axis_rows("stride", least=1, optional=True),
        *padding_rows(),
        Breakage("padding", PADDINGS, set_to("padding", "same")),
        *bool_rows("ceil_mode"),
        *bool_rows("count_include_pad"),
        *int_rows("divisor_override", least=1, optional=True),
        Breakage("kernel_size", "span at most the padded input's size", _too_large),
        Breakage("output", _MEMORY, if_rank(2, {"padding": LARGEST, "stride": 1, "kernel_size": 1})),
    ],
    "adaptive_avg_pool": [
        *_COMMON,
        *per_axis_rows("output_size", least=1),
        Breakage("output", _MEMORY, if_rank(2, {"output_size": _HUGE})),
    ],
    "upsample": [
        *_COMMON,
        *[_with({"scale_factor": None}, row) for row in per_axis_rows("size", least=1, optional=True)],
        Breakage("size", "be given unless scale_factor is", lambda _: {"size": None, "scale_factor": None}),
        Breakage("scale_factor", "be None where size is given", lambda _: {"size": 2, "scale_factor": 2}),
        *_scale_rows(_SCALES, (0, 0.0, -1, -0.5, math.nan, math.inf, LARGEST + 1, 10**400)),
        *[_last_scale(value) for value in (0, -2.5, math.nan)],
        *_scale_rows(_NUMBERS, ("2", True, 1j, {}, (), (1.0, "2"), (None,))),
        _with({"size": None}, Breakage("scale_factor", _NUMBERS, too_many("scale_factor"))),
        Breakage("scale_factor", "leave at least 1 of the sizes (", _too_small),
        *word_rows("mode", MODES),
        *[Breakage("mode", f"be one of {', '.join(map(repr, MODES))}", set_to("mode", "bilinear"))],
        Breakage("mode", "be 'nearest' or 'linear' unless there are 2 spatial axes", _cubic_elsewhere),
        *bool_rows("align_corners"),
        Breakage(
            "align_corners", "be False where mode is 'nearest'", lambda _: {"mode": "nearest", "align_corners": True}
        ),
        Breakage("output", _MEMORY, if_rank(2, {"size": _HUGE, "scale_factor": None})),
        Breakage("output", _MEMORY, if_rank(2, {"size": None, "scale_factor": float(_HUGE)})),
    ],
    "blur_pool": [
        *_COMMON,
        *per_axis_rows("kernel_size", least=1),
        *per_axis_rows("stride", least=1),
        Breakage("kernel_size", "be at most 2 * size - 1 = (", _beyond_reflection),
    ],
}
