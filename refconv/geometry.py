"""Where a kernel's windows lie: strides, paddings, dilations, and the output sizes that follow from them.

Along one axis, tap `k` of window `o` reads the input at ``o * stride - before + k * dilation``. A position outside
the input is padding. All that a layer needs to know about positions is stated here, once, for every layer.
"""

from typing import NamedTuple, TypeAlias

from refconv.arguments import InvalidTypeError, InvalidValueError, is_integer, per_axis, shown, within

IntPerAxis: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = int | tuple[int | tuple[int, int], ...]
Triple: TypeAlias = tuple[int, int, int]


class Window(NamedTuple):
    """A kernel's window and how it moves: an entry for each spatial axis, in `padding` a ``(before, after)`` pair."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """The input positions that a window spans, ``dilation * (kernel - 1) + 1``."""
        return tuple(dilation * (kernel - 1) + 1 for kernel, dilation in zip(self.kernel, self.dilation, strict=True))

    def loop_form(self) -> tuple[Triple, Triple, Triple]:
        """Return the strides, paddings before and dilations of the three axes that the loops run over."""
        before = tuple(before for before, _ in self.padding)
        return _three(self.stride, 1), _three(before, 0), _three(self.dilation, 1)


def lifted(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give an array's `shape`, ``(·, ·, *spatial)``, unit axes in front of its spatial ones until there are three."""
    return *shape[:2], *_three(shape[2:], 1)


def _three(entries: tuple[int, ...], fill: int) -> Triple:
    depth, height, width = (fill,) * (3 - len(entries)) + entries
    return depth, height, width


def read_window(
    kernel: tuple[int, ...], *, stride: object, padding: object, dilation: object, words: bool = False
) -> Window:
    """Read the attributes of a sliding window over ``len(kernel)`` axes.

    Parameters
    ----------
    kernel : tuple of int
        The kernel's sizes, each at least 1.
    stride, dilation : int or sequence of int
        At least 1; an int holds for every axis.
    padding : int, or a sequence with an int or a (before, after) pair for each axis, or str
        At least 0. With `words`, ``"valid"`` is no padding, and ``"same"`` is what keeps the size at stride 1; where
        that is odd, the larger half comes after (as in PyTorch and ONNX's SAME_UPPER).
    words : bool
        Whether `padding` may be a word.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For an attribute that is no such int or sequence, out of range, or ``"same"`` with a stride.
    """
    rank = len(kernel)
    window = Window(
        kernel,
        stride=per_axis("stride", stride, rank, at_least=1),
        padding=((0, 0),) * rank,
        dilation=per_axis("dilation", dilation, rank, at_least=1),
    )
    if words and isinstance(padding, str):
        return window._replace(padding=_worded_padding(padding, window))
    return window._replace(padding=read_padding(padding, rank))


def read_pool_window(
    kernel_size: object, rank: int, *, stride: object, padding: object, dilation: object = 1
) -> Window:
    """Read the attributes of a pooling window over `rank` axes, as :func:`read_window` does.

    Parameters
    ----------
    kernel_size : int or sequence of int
        At least 1; an int holds for every axis.
    rank : int
        The number of spatial axes.
    stride : int, sequence of int, or None
        None stands for `kernel_size`: windows side by side.
    padding, dilation
        As for :func:`read_window`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For an attribute that is no such int or sequence, or out of range.
    """
    kernel = per_axis("kernel_size", kernel_size, rank, at_least=1)
    return read_window(kernel, stride=kernel if stride is None else stride, padding=padding, dilation=dilation)


def _worded_padding(word: str, window: Window) -> tuple[tuple[int, int], ...]:
    if word == "valid":
        return window.padding
    if word != "same":
        raise InvalidValueError("padding", "be 'valid' or 'same' if it is a word", shown(word))
    if any(stride != 1 for stride in window.stride):
        raise InvalidValueError("stride", "be 1 where padding is 'same'", window.stride)
    totals = [extent - 1 for extent in window.extent]
    return tuple((total // 2, total - total // 2) for total in totals)


def read_padding(padding: object, rank: int) -> tuple[tuple[int, int], ...]:
    """Return `padding`, an int, or an int or a (before, after) pair for each of `rank` axes, as pairs."""
    entries = (padding,) * rank if is_integer(padding) else padding
    if isinstance(entries, tuple | list) and len(entries) == rank:
        pairs = [(entry, entry) if is_integer(entry) else entry for entry in entries]
        if all(isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_integer, pair)) for pair in pairs):
            sides = within("padding", [side for pair in pairs for side in pair], 0, given=padding)
            return tuple(zip(sides[::2], sides[1::2], strict=True))
    rule = f"be an int or a sequence of {rank} ints or (before, after) pairs"
    raise InvalidTypeError("padding", rule, shown(padding))


def output_size(
    size: tuple[int, ...], window: Window, *, ceil_mode: bool = False, argument: str = "weight"
) -> tuple[int, ...]:
    """Return how many windows fit: ``floor((size + before + after - extent) / stride) + 1`` along each axis.

    With `ceil_mode` the last window may reach beyond the padding: the quotient is rounded up, unless that window would
    begin in the padding after the input. `argument` is what gives the kernel its size, for the error.
    """
    padded = tuple(length + before + after for length, (before, after) in zip(size, window.padding, strict=True))
    axes = zip(size, padded, window.padding, window.extent, window.stride, strict=True)
    sizes = []
    for length, whole, (before, _), extent, stride in axes:
        steps = -((extent - whole) // stride) if ceil_mode else (whole - extent) // stride
        sizes.append(steps if ceil_mode and steps * stride >= length + before else steps + 1)
    if min(sizes) < 1:
        raise InvalidValueError(
            argument, f"span at most the padded input's size {padded}", f"a dilated kernel of size {window.extent}"
        )
    return tuple(sizes)


def transposed_output_size(size: tuple[int, ...], window: Window, output_padding: object) -> tuple[int, ...]:
    """Return ``(size - 1) * stride - before - after + extent + output_padding`` along each axis.

    Among the sizes that :func:`output_size` maps to `size`, `output_padding` chooses one, hence its limit.
    """
    extra = per_axis("output_padding", output_padding, len(size), at_least=0)
    if any(e >= max(s, d) for e, s, d in zip(extra, window.stride, window.dilation, strict=True)):
        rule = f"be smaller than stride {window.stride} or dilation {window.dilation} along each axis"
        raise InvalidValueError("output_padding", rule, extra)
    sizes = tuple(
        (length - 1) * stride - before - after + extent + extra
        for length, stride, (before, after), extent, extra in zip(
            size, window.stride, window.padding, window.extent, extra, strict=True
        )
    )
    if any(length < 1 for length in sizes):
        raise InvalidValueError("padding", "leave an output of at least 1 along each axis", f"output size {sizes}")
    return sizes
