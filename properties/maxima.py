"""Cases of maximum pooling, its adaptive form, its partial inverse, and Lp pooling.

Each axis has sizes of its own, since symmetric cases hide swapped axes. All shrink towards one axis, one channel, a
batch of one, sizes and windows of 1, defaults, and small integers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import hypothesis.strategies as st
import numpy as np

from properties.arrays import content
from properties.case import Case
from properties.filling import Filling
from properties.resampling import Call, adaptive_cases, beyond, drawn_calls, wide_windows
from properties.tables import SEEDS
from refconv.arguments import Array
from refconv.geometry import output_size, read_pool_window
from refconv.layers.max_pool import MaxPoolResult, max_pool

# The most that is drawn of kernel, stride, dilation, before, after, last window and slack: more axes, shorter ones.
_WINDOWS = [
    [st.integers(least, most) for least, most in zip((1, 1, 1, 0, 0, 0, 0), limits, strict=True)]
    for limits in ((7, 5, 4, 7, 7, 7, 4), (4, 4, 3, 5, 5, 4, 3), (3, 3, 2, 3, 3, 2, 2))
]
_PADDINGS = ("none", "half", "symmetric", "asymmetric", "half")
_SPECIALS = ("", "", "", "nan", "-inf", "all -inf", "nan", "", "")


def max_pool_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `max_pool`; small integers make ties, and some channels hold a NaN or -inf, or nothing but -inf."""
    choices = (
        st.sampled_from(_PADDINGS),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from(_SPECIALS),
    )
    return drawn_calls(_max_pool_case, dtype, choices, _WINDOWS, wide_windows, (1, 1, 1, 0, 0, 0, 0))


def _max_pool_case(
    dtype: str,
    call: Call,
    drawn: Sequence[tuple[int, ...]],
    how: str,
    side_by_side: bool,
    undilated: bool,
    ceil_mode: bool,
    indices: bool,
    special: str,
) -> Case:
    kernel = tuple(axis[0] for axis in drawn)
    stride = kernel if side_by_side else tuple(axis[1] for axis in drawn)
    dilation = tuple(1 if undilated else axis[2] for axis in drawn)
    padding, sizes = [], []
    for taps, step, apart, (_, _, _, before, after, last_window, slack) in zip(
        kernel, stride, dilation, drawn, strict=True
    ):
        extent = apart * (taps - 1) + 1
        half = min(before, extent // 2)
        sides = {"none": (0, 0), "half": (half, half), "symmetric": (max(before, after),) * 2}.get(how, (before, after))
        padded = last_window * step + extent
        padded += -beyond(slack, min(step, extent), call.seed) if ceil_mode else slack % step
        length = max(padded - sum(sides), 1)
        if not _sees(taps, step, apart, sides, length):
            sides, length = (0, 0), max(padded, extent)
        padding.append(sides)
        sizes.append(length)
    paddings = tuple(padding) if how == "asymmetric" else tuple(before for before, _ in padding)
    window = read_pool_window(kernel, len(kernel), stride=stride, padding=paddings, dilation=dilation)
    case = call.case(
        "max_pool",
        sizes,
        output_size(tuple(sizes), window, ceil_mode=ceil_mode),
        dtype,
        kernel_size=kernel,
        stride=None if side_by_side else stride,
        padding=paddings,
        dilation=dilation,
        ceil_mode=ceil_mode,
        return_indices=indices,
    )
    return _with_special(case, special, call.seed)


def _with_special(case: Case, special: str, seed: int) -> Case:
    """Put a special value into one place of each channel, or -inf all over the first; none where memory is shared.

    Of rows that are longer than a vector, more often, and where no whole vector fits any more.
    """
    (array,) = case.inputs
    assert array is not None
    *others, width = array.shape[2:]
    tail = width % 8 if width > 8 and seed % 4 else 0
    if not array.size or not all(array.strides) or not (special or tail):
        return case
    if special == "all -inf" and not tail:
        array[0, 0] = -math.inf
    elif math.prod(array.shape[2:]) > 1:
        column = width - 1 - seed // 4 % tail if tail else seed // 4 % width
        rows = [seed // 64 % length for length in others]
        array[(..., *rows, column)] = -math.inf if special == "-inf" else math.nan
    return case


def with_specials(cases: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    """Draw `cases` of a maximum, with special values as those of `max_pool`."""
    return st.builds(_with_special, cases, st.sampled_from(_SPECIALS), SEEDS)


def _sees(taps: int, stride: int, dilation: int, sides: tuple[int, int], size: int) -> bool:
    """Whether any tap of any window falls on the input: else all gradients are zero, and prove nothing."""
    begins = range(-sides[0], size + sides[1] - dilation * (taps - 1), stride)
    return any(0 <= begin + tap * dilation < size for begin in begins for tap in range(taps))


def max_unpool_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `max_unpool`: places of its own for each element, those that `max_pool` finds, or any."""
    axes = [[st.integers(1, most), st.integers(0, most), st.integers(1, 3)] for most in (9, 4, 3)]
    how = st.sampled_from(("apart", "pooled", "apart", "overlapping", "pooled", "apart", "any", "pooled"))
    return drawn_calls(_max_unpool_case, dtype, (how,), axes, lambda axis, size: (size, *axis[1:]), (1, 0, 1))


def _max_unpool_case(dtype: str, call: Call, drawn: Sequence[tuple[int, ...]], how: str) -> Case:
    sizes = tuple(axis[0] for axis in drawn)
    outputs = tuple(size + more for size, more, _ in drawn)
    shape = (call.batch, call.channels, *sizes)
    rng = np.random.default_rng(call.seed)
    if how in ("pooled", "overlapping"):
        kernel = tuple(1 + more for _, more, _ in drawn)
        if how == "pooled":
            outputs = tuple(size * step for size, step in zip(sizes, kernel, strict=True))
        indices = _pooled(
            content(call.kind, (*shape[:2], *outputs), "float64", rng), kernel, 1 if how == "overlapping" else kernel
        )
    else:
        indices = _placed(rng, shape, math.prod(outputs), apart=how == "apart")
    arrays = {"grad_output": (*shape[:2], *outputs), "input": shape, "indices": indices}
    filling = Filling(call.kind, call.seed, call.layouts)
    size: object = outputs[0] if len({*outputs}) == 1 and not call.spelled_out else outputs
    return filling.case("max_unpool", {"output_size": size}, arrays, dtype)  # type: ignore[arg-type]  # indices are given


def _pooled(signal: Array, kernel: tuple[int, ...], stride: Any) -> Array:
    """Return where the maxima of windows stand; several may share one, if the windows overlap."""
    found = max_pool(signal, kernel_size=kernel, stride=stride, return_indices=True)
    assert isinstance(found, MaxPoolResult)
    return found.indices


def _placed(rng: np.random.Generator, shape: tuple[int, ...], places: int, *, apart: bool) -> Array:
    """Return random places, one of its own for each element of a channel if they lie `apart`."""
    count = math.prod(shape[2:])
    planes = shape[0] * shape[1]
    if not apart:
        return rng.integers(0, places, shape)
    permuted = rng.permuted(np.tile(np.arange(places), (planes, 1)), axis=1)
    return np.ascontiguousarray(permuted[:, :count].reshape(shape))


def lp_pool_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `lp_pool`."""
    choices = st.sampled_from((2.0, 1.0, 3.5, math.inf, 2.0, 3.0, 1.5, 4.0)), st.booleans(), st.booleans()
    axes = [[*axis[:2], *axis[5:]] for axis in _WINDOWS]
    return drawn_calls(_lp_pool_case, dtype, choices, axes, wide_windows, None)


def _lp_pool_case(
    dtype: str,
    call: Call,
    drawn: Sequence[tuple[int, ...]],
    norm_type: float,
    side_by_side: bool,
    ceil_mode: bool,
) -> Case:
    kernel = tuple(axis[0] for axis in drawn)
    stride = kernel if side_by_side else tuple(axis[1] for axis in drawn)
    sizes = tuple(
        last_window * step + size + (-beyond(slack, min(step, size), call.seed) if ceil_mode else slack % step)
        for size, step, (_, _, last_window, slack) in zip(kernel, stride, drawn, strict=True)
    )
    window = read_pool_window(kernel, len(kernel), stride=stride, padding=0)
    return call.case(
        "lp_pool",
        sizes,
        output_size(sizes, window, ceil_mode=ceil_mode),
        dtype,
        norm_type=norm_type,
        kernel_size=kernel,
        stride=None if side_by_side else stride,
        ceil_mode=ceil_mode,
    )


STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    "max_pool": max_pool_cases,
    "max_unpool": max_unpool_cases,
    "lp_pool": lp_pool_cases,
    "adaptive_max_pool": partial(adaptive_cases, "adaptive_max_pool"),
}
