"""Cases of average pooling, blur pooling and upsampling: every case is valid as it is built.

Each axis has sizes of its own, since symmetric cases hide swapped axes. All shrink towards one axis, one channel, a
batch of one, sizes and windows of 1, defaults, and small integers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import hypothesis.strategies as st

from properties.arrays import CONTENTS
from properties.case import Case
from properties.filling import Filling, layouts
from properties.sizes import BATCHES, Focus, focuses
from properties.tables import SEEDS, picked
from refconv.geometry import output_size, read_pool_window


class Call(NamedTuple):
    """What is drawn for every call as a whole."""

    batch: int
    channels: int
    spelled_out: bool  # each axis by itself, even if all are alike
    kind: str  # of the arrays' content
    seed: int
    layouts: tuple[str, str]  # of grad_output and input
    focus: Focus

    def case(
        self, operator: str, sizes: Sequence[int], outputs: Sequence[int], dtype: str, **attributes: object
    ) -> Case:
        """Return the case with these spatial sizes; what is a tuple of equal entries may be spelled as one."""
        arrays = {name: (self.batch, self.channels, *s) for name, s in (("grad_output", outputs), ("input", sizes))}
        short = {
            name: value[0]
            if isinstance(value, tuple) and len({*value}) == 1 and not isinstance(value[0], tuple | type(None))
            else value
            for name, value in attributes.items()
        }
        filling = Filling(self.kind, self.seed, self.layouts)
        return filling.case(operator, attributes if self.spelled_out else short, arrays, dtype)


_CALL: tuple[st.SearchStrategy[Any], ...] = (
    st.sampled_from(BATCHES),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(tuple(CONTENTS)),
    SEEDS,
    picked(layouts(2)),
    focuses(channels=5, columns=9, batch=3),
)


def drawn_calls(
    build: Callable[..., Case],
    dtype: str,
    choices: Sequence[st.SearchStrategy[Any]],
    axes: Sequence[list[st.SearchStrategy[Any]]],
    wide: Callable[[Any, int], tuple[Any, ...]],
    point: tuple[Any, ...] | None,
) -> st.SearchStrategy[Case]:
    """Draw one to three `axes`, what each of them is like by their number, and `choices` for the call.

    ``wide(axis, size)`` is an axis of about that size, and `point` the smallest one, None where large batches would
    take too long. One flat tuple for each number: nested ones are slower to draw.
    """

    def case(fields: tuple[Any, ...]) -> Case:
        common, rest = len(_CALL), len(_CALL) + len(choices)
        drawn = [*zip(*[iter(fields[rest:])] * len(axes[0]), strict=True)]
        call = Call(*fields[:common])
        what, size = call.focus
        if what == "channels":
            call, drawn = call._replace(batch=min(call.batch, 1), channels=size), drawn[-1:]
        elif what == "columns":
            call = call._replace(batch=min(call.batch, 1), channels=min(call.channels, 2))
            drawn = [*drawn[:-1][-1:], wide(drawn[-1], size)]
        elif what == "batch" and point is not None:
            call, drawn = call._replace(batch=size, channels=1, kind="integer"), [point]
        return build(dtype, call, drawn, *fields[common:rest])

    return st.one_of(
        [st.tuples(*_CALL, *choices, *axis * rank) for rank, axis in enumerate(axes, start=1)],
    ).map(case)


# The most that is drawn of kernel, stride, before, after, last window and slack: more axes, shorter ones.
_WINDOWS = [
    [st.integers(least, most) for least, most in zip((1, 1, 0, 0, 0, 0), limits, strict=True)]
    for limits in ((7, 5, 7, 7, 7, 4), (4, 4, 5, 5, 4, 3), (3, 3, 3, 3, 2, 2))
]


def avg_pool_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `avg_pool`."""
    choices = (
        st.sampled_from(("none", "half", "symmetric", "asymmetric", "asymmetric", "half")),
        st.sampled_from((True, False)),
        st.booleans(),
        st.booleans(),
        st.sampled_from((None,) * 6 + (1, 2, 3, 7, 16) + (None,) * 6),
    )
    return drawn_calls(_avg_pool_case, dtype, choices, _WINDOWS, wide_windows, (1, 1, 0, 0, 0, 0))


def wide_windows(axis: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Return an axis of kernel, stride, ..., last window and slack, with `size` small windows that overlap or touch."""
    kernel, stride, *between, _, slack = axis
    return min(kernel, 4), min(stride, 2), *between, size - 1, slack


def _avg_pool_case(
    dtype: str,
    call: Call,
    drawn: Sequence[tuple[int, ...]],
    how: str,
    side_by_side: bool,
    ceil_mode: bool,
    excluded: bool,
    divisor: int | None,
) -> Case:
    kernel = tuple(axis[0] for axis in drawn)
    stride = kernel if side_by_side else tuple(axis[1] for axis in drawn)
    padding, sizes = [], []
    for size, step, (_, _, before, after, last_window, slack) in zip(kernel, stride, drawn, strict=True):
        sides = {
            "none": (0, 0),
            "half": (min(before, size // 2),) * 2,
            "symmetric": (max(before, after),) * 2,
        }.get(how, (before, after))
        padded = last_window * step + size
        padded += -beyond(slack, min(step, size), call.seed) if ceil_mode else slack % step  # beyond the last window
        length = max(padded - sum(sides), 1)
        if not _sees(size, step, sides, length):
            sides, length = (0, 0), padded
        padding.append(sides)
        sizes.append(length)
    paddings = tuple(padding) if how == "asymmetric" else tuple(before for before, _ in padding)
    window = read_pool_window(kernel, len(kernel), stride=stride, padding=paddings)
    return call.case(
        "avg_pool",
        sizes,
        output_size(tuple(sizes), window, ceil_mode=ceil_mode),
        dtype,
        kernel_size=kernel,
        stride=None if side_by_side else stride,
        padding=paddings,
        ceil_mode=ceil_mode,
        count_include_pad=not excluded,
        divisor_override=divisor,
    )


def beyond(slack: int, step: int, seed: int) -> int:
    """Return how far the last of the windows hangs over, by less than a `step`; mostly it does if it can."""
    return 1 + slack % (step - 1) if step > 1 and seed % 4 else slack % step


def _sees(kernel: int, stride: int, sides: tuple[int, int], size: int) -> bool:
    """Whether any window sees the input: else all results are zero, and prove nothing."""
    begins = range(-sides[0], size + sides[1] - kernel + 1, stride)
    return any(begin < size and begin + kernel > 0 for begin in begins)


def adaptive_cases(operator: str, dtype: str) -> st.SearchStrategy[Case]:
    """Cases of adaptive pooling: of any sizes, of sizes that divide, and global."""
    ranges = ((1, 9), (1, 7), (1, 5))
    sizes = [
        [st.integers(*range_) | st.sampled_from((3, 16, 17)) if range_[1] > 8 else st.integers(*range_)]
        for range_ in ranges
    ]

    def build(dtype: str, call: Call, drawn: Sequence[tuple[int, ...]], how: str) -> Case:
        sizes, outputs = map(list, zip(*drawn, strict=True))
        if how == "global":
            outputs = [1 for _ in outputs]
        elif how == "dividing":
            sizes = [output * min(size, 4) for size, output in drawn]
        return call.case(operator, sizes, outputs, dtype, output_size=tuple(outputs))

    return drawn_calls(
        build,
        dtype,
        (st.sampled_from(("free", "global", "free", "free", "dividing", "free")),),
        [[*size, *size] for size in sizes],
        lambda axis, size: (size, axis[1]) if axis[0] % 2 else (4 * axis[0], size),
        (1, 1),
    )


def blur_pool_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `blur_pool`."""
    axes = [
        [st.sampled_from((1, 3, 2, 4, 5, 6, 7)), st.sampled_from((1, 2, 3, 4)), st.integers(0, most)]
        for most in (16, 8, 4)
    ]
    choices = (st.sampled_from((False, True, False)),)
    return drawn_calls(_blur_case, dtype, choices, axes, lambda axis, size: (*axis[:2], size), (1, 1, 0))


def _blur_case(dtype: str, call: Call, drawn: Sequence[tuple[int, ...]], defaults: bool) -> Case:
    kernel, stride, more = zip(*drawn, strict=True)
    if defaults:
        kernel, stride = (3,) * len(drawn), (2,) * len(drawn)
    sizes = [size // 2 + 1 + extra for size, extra in zip(kernel, more, strict=True)]  # one reflection reaches so far
    outputs = [-(-size // step) for size, step in zip(sizes, stride, strict=True)]
    return call.case("blur_pool", sizes, outputs, dtype, kernel_size=kernel, stride=stride)


_SCALES = (1, 2, 0.5, 3, 1.5, 0.25, 2.5, 4, 0.75, 1.25, 1 / 3, 2 / 3, 0.4, 1.4, 5 / 3, 2.25, 0.7)
"""None of them, at the sizes drawn, has a position so near to an integer that whole indices depend on rounding."""

_ROUNDED_WRONGLY = ((26, 22), (14, 46), (28, 46), (52, 22))
"""Sizes, in and out, of which ``o * float32(in / out)`` is below the integer that it should be."""


def upsample_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `upsample`, to sizes and by scales."""
    axes = [
        [st.integers(1, inputs), st.integers(1, outputs), st.sampled_from(_SCALES)]
        for inputs, outputs in ((17, 20), (7, 9), (4, 5))
    ]
    choices = (
        st.sampled_from(("nearest", "linear", "cubic", "linear", "nearest")),
        st.booleans(),
        st.sampled_from(("size", "scale", "size", "scale", "size that stays", "scale", "size", "scale", "size")),
        st.sampled_from((None,) * 24 + _ROUNDED_WRONGLY + (None,) * 24),
    )
    return drawn_calls(_upsample_case, dtype, choices, axes, lambda axis, size: (size, size, axis[2]), (1, 1, 1))


def _upsample_case(
    dtype: str,
    call: Call,
    drawn: Sequence[tuple[Any, ...]],
    mode: str,
    aligned: bool,
    how: str,
    awkward: tuple[int, int] | None,
) -> Case:
    sizes, outputs, scales = map(list, zip(*drawn, strict=True))
    if awkward:
        mode, how = "nearest", "size"
    mode = "linear" if mode == "cubic" and len(sizes) != 2 else mode
    attributes: dict[str, object] = {"mode": mode, "align_corners": aligned and mode != "nearest"}
    if how == "size that stays":
        sizes, scales = [1 + size % 3 for size in sizes], [1.25] * len(sizes)
    if how != "size":
        sizes = [max(size, math.ceil(1 / scale)) for size, scale in zip(sizes, scales, strict=True)]
        outputs = [math.floor(size * scale) for size, scale in zip(sizes, scales, strict=True)]
        attributes["scale_factor"] = tuple(scales)
    else:
        if awkward:
            sizes[-1], outputs[-1] = awkward
        attributes["size"] = tuple(outputs)
    return call.case("upsample", sizes, outputs, dtype, **attributes)


STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    "avg_pool": avg_pool_cases,
    "adaptive_avg_pool": partial(adaptive_cases, "adaptive_avg_pool"),
    "upsample": upsample_cases,
    "blur_pool": blur_pool_cases,
}
