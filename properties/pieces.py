"""What cases are made of, as strategies for properties of one's own: arrays, windows, and windows on a signal.

@given(geometries(rank=2), st.data())
def test_mine(geometry, data):
size, window = geometry
signal = data.draw(arrays((1, 3, *size), dtype="float32"))
"""

from collections.abc import Sequence

import hypothesis.strategies as st

from properties.arrays import CONTENTS, DTYPES, LAYOUTS, content, lay_out
from properties.tables import SEEDS
from refconv.arguments import Array
from refconv.geometry import Window, output_size

_RANKS = (1, 2, 3)


def arrays(
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]],
    *,
    dtype: str = "float32",
    contents: Sequence[str] = tuple(CONTENTS),
    layouts: Sequence[str] = ("contiguous", "channels_last", "sliced", "transposed", "reversed"),
) -> st.SearchStrategy[Array]:
    """Draw arrays of a shape, or of drawn ones; what they hold comes from a seed, so that large ones cost little.

    Shrinks towards the first of `contents` and of `layouts`: contiguous arrays of integers from -4 to 4.

    Parameters
    ----------
    shape : tuple of int, or strategy of such
        Of the array.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the array.
    contents : sequence of str
        Of ``properties.CONTENTS``: "integer" (sums are exact), "normal", "wide" (in magnitude), "cancelling".
    layouts : sequence of str
        Of ``properties.LAYOUTS``; "expanded" and "constant" have strides of 0, and repeat what comes first.

    Raises
    ------
    ValueError
        For a dtype, content or layout that isn't known.
    """
    for argument, given, known in (
        ("dtype", [dtype], DTYPES),
        ("contents", contents, tuple(CONTENTS)),
        ("layouts", layouts, tuple(LAYOUTS)),
    ):
        unknown = [value for value in given if value not in known]
        if unknown or not given:
            raise ValueError(f"{argument} must be of {', '.join(known)}, got {unknown or 'none'}")
    shapes = st.just(shape) if isinstance(shape, tuple) else shape

    def made(shape: tuple[int, ...], kind: str, seed: int, layout: str) -> Array:
        return lay_out(content(kind, shape, dtype, seed), layout)

    return st.builds(made, shapes, st.sampled_from(list(contents)), SEEDS, st.sampled_from(list(layouts)))


def windows(
    *, rank: int = 2, max_kernel: int = 4, max_stride: int = 4, max_dilation: int = 3, max_padding: int = 4
) -> st.SearchStrategy[Window]:
    """Draw how a kernel's window moves: each axis by itself, and padded on each side by its own, as hides no mistake.

    Shrinks towards kernels of 1, steps of 1, and no padding.

    Parameters
    ----------
    rank : {1, 2, 3}
        The number of spatial axes.
    max_kernel, max_stride, max_dilation, max_padding : int
        The largest of each.

    Raises
    ------
    ValueError
        For a rank that there isn't, or a largest that is too small.
    """
    if rank not in _RANKS:
        raise ValueError(f"rank must be one of 1, 2, 3, got {rank!r}")
    limits = {"max_kernel": max_kernel, "max_stride": max_stride, "max_dilation": max_dilation}
    for name, most, least in (*((name, most, 1) for name, most in limits.items()), ("max_padding", max_padding, 0)):
        if type(most) is not int or most < least:
            raise ValueError(f"{name} must be an int of at least {least}, got {most!r}")

    def axes(least: int, most: int) -> st.SearchStrategy[tuple[int, ...]]:
        return st.tuples(*[st.integers(least, most)] * rank)

    sides = st.tuples(st.integers(0, max_padding), st.integers(0, max_padding))
    padding = st.tuples(*[sides] * rank)
    return st.builds(Window, axes(1, max_kernel), axes(1, max_stride), padding, axes(1, max_dilation))


def geometries(
    *,
    rank: int = 2,
    max_windows: int = 5,
    max_kernel: int = 4,
    max_stride: int = 4,
    max_dilation: int = 3,
    max_padding: int = 4,
) -> st.SearchStrategy[tuple[tuple[int, ...], Window]]:
    """Draw the spatial size of a signal, and windows on it, of which one at least fits.

    The size is derived from the windows: most often it leaves some positions beyond the last one. Shrinks towards one
    window of one tap on a signal of size 1.

    Parameters
    ----------
    rank : {1, 2, 3}
        The number of spatial axes.
    max_windows : int
        Along each axis, about the most that fit.
    max_kernel, max_stride, max_dilation, max_padding : int
        As for :func:`windows`.

    Raises
    ------
    ValueError
        As :func:`windows` does.
    """
    moving = windows(
        rank=rank, max_kernel=max_kernel, max_stride=max_stride, max_dilation=max_dilation, max_padding=max_padding
    )
    if type(max_windows) is not int or max_windows < 1:
        raise ValueError(f"max_windows must be an int of at least 1, got {max_windows!r}")

    def sized(window: Window, last: tuple[int, ...], slack: tuple[int, ...]) -> tuple[tuple[int, ...], Window]:
        axes = zip(last, window.stride, window.extent, slack, window.padding, strict=True)
        size = tuple(
            max(count * stride + extent + more % stride - sum(pair), 1) for count, stride, extent, more, pair in axes
        )
        output_size(size, window)
        return size, window

    last = st.tuples(*[st.integers(0, max_windows - 1)] * rank)
    slack = st.tuples(*[st.integers(0, max_stride - 1)] * rank)
    return st.builds(sized, moving, last, slack)
