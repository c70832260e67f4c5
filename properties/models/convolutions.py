"""The calls of `conv`, `conv_transpose` and `locally_connected`."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

from numpy.random import Generator

from properties.case import Case, array
from properties.models import memory, windows
from properties.models.feature import (
    ELEMENT,
    Call,
    Choices,
    Class,
    Contents,
    Feature,
    Model,
    Row,
    between,
    exactly,
    one_of,
    picked,
    ranged,
    sizes,
    spelled,
)
from properties.models.windows import IN_FULL, RANK
from refconv.geometry import read_padding, read_window

_PLANES = ("17-1024", "1", "2-16", "1025-32767", "32768-70000")


def _kernel(case: Case) -> tuple[int, ...]:
    return array(case, "weight").shape[-windows.rank_of(case) :]


def _outputs(case: Case) -> tuple[int, ...]:
    return case.grad_output.shape[2:]


def _groups(case: Case) -> int:
    return int(case.attributes.get("groups", 1))  # type: ignore[call-overload, no-any-return]  # an int


def _per_in(case: Case) -> int:
    return int(array(case, "input").shape[1] // _groups(case))


def _per_out(case: Case) -> int:
    return int(case.grad_output.shape[1] // _groups(case))


def _pairs(case: Case) -> tuple[tuple[int, int], ...]:
    return read_window(
        _kernel(case),
        stride=case.attributes["stride"],
        padding=case.attributes["padding"],
        dilation=case.attributes["dilation"],
        words=True,
    ).padding


def _read_padding(case: Case) -> object:
    given = case.attributes["padding"]
    return given if isinstance(given, str) else read_padding(given, windows.rank_of(case))


def _read_slack(case: Case) -> tuple[int, ...]:
    size, kernel, stride = array(case, "input").shape[2:], _kernel(case), windows.entries(case, "stride")
    axes = zip(size, _pairs(case), kernel, windows.entries(case, "dilation"), _outputs(case), stride, strict=True)
    return tuple(
        length + sum(pair) - (apart * (taps - 1) + 1) - (windows_ - 1) * step
        for length, pair, taps, apart, windows_, step in axes
    )


def _room(chosen: Choices) -> tuple[int, ...]:
    """Return how many positions the padding may take along each axis, such that the input has one at least."""
    axes = zip(chosen["positions"], chosen["stride"], windows.extents(chosen), strict=True)
    return tuple((windows_ - 1) * step + extent - 1 for windows_, step, extent in axes)


def _most(chosen: Choices, room: int) -> int:
    """Return the most that either side may be padded by: of a reflection, less than what is reflected."""
    return room // 3 if chosen.get("padding_mode", "zeros") != "zeros" else room // 2


def seen(sides: list[tuple[int, int]], chosen: Choices) -> list[tuple[int, int]]:
    """Return the padding of each axis, none where it would be all that the taps fall on: zeros prove nothing."""
    if chosen.get("padding_mode", "zeros") != "zeros":
        return sides
    dilation = chosen.get("dilation") or (1,) * chosen["rank"]
    axes = zip(sides, chosen["positions"], chosen["stride"], chosen["kernel"], dilation, _room(chosen), strict=True)
    return [(0, 0) if _blind(*axis) else axis[0] for axis in axes]


def _blind(pair: tuple[int, int], count: int, step: int, taps: int, apart: int, room: int) -> bool:
    inside = range(pair[0], room + 1 - pair[1])
    return not any(each * step + tap * apart in inside for each in range(count) for tap in range(taps))


def _inside(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[tuple[int, int], ...]:
    half = rng.random() < 0.7
    sides = []
    for extent, room in zip(windows.extents(chosen), _room(chosen), strict=True):
        most = min(max(extent // 2, 1), _most(chosen, room))
        side = most if half else int(rng.integers(0, most + 1))
        sides.append((side, side))
    if not any(map(any, sides)):
        place = max(range(len(sides)), key=lambda axis: _room(chosen)[axis])
        sides[place] = (1, 1)
    sides = seen(sides, chosen)
    if not any(map(any, sides)):
        sides[_longest(chosen)] = (1, 1)
    return tuple(sides)


def _longest(chosen: Choices) -> int:
    """Return the axis with the most windows."""
    return max(range(chosen["rank"]), key=lambda axis: chosen["positions"][axis])


def _beyond(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[tuple[int, int], ...]:
    sides = []
    for extent, room in zip(windows.extents(chosen), _room(chosen), strict=True):
        low, high = max(extent // 2, 1) + 1, _most(chosen, room)
        side = int(rng.integers(low, min(high, low + extent) + 1)) if low <= high else min(extent // 2, high)
        sides.append((side, side))
    fewer = seen(sides, chosen)
    return tuple(fewer if _deepest(fewer, chosen) else sides)


def _one_sided(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[tuple[int, int], ...]:
    sides = []
    for extent, room in zip(windows.extents(chosen), _room(chosen), strict=True):
        most = min(extent, _most(chosen, room) if chosen.get("padding_mode", "zeros") != "zeros" else room)
        before = int(rng.integers(0, most + 1))
        after = int(rng.integers(0, min(most, room - before) + 1))
        sides.append((before, after))
    if all(before == after for before, after in sides):
        place = max(range(len(sides)), key=lambda axis: _room(chosen)[axis])
        sides[place] = picked(rng, [(0, 1), (1, 0)])
    sides = seen(sides, chosen)
    if all(before == after for before, after in sides):
        sides[_longest(chosen)] = picked(rng, [(0, 1), (1, 0)])
    return tuple(sides)


def _is_pairs(given: object) -> bool:
    return isinstance(given, tuple)


def _deepest(given: Any, chosen: Choices) -> bool:
    """Whether any side is padded by more than half of a window."""
    return any(max(pair) > max(extent // 2, 1) for pair, extent in zip(given, windows.extents(chosen), strict=True))


def _even(given: Any) -> bool:
    return all(before == after for before, after in given)


_NO_PADDING = Class(
    "0",
    lambda rng, chosen, row: ((0, 0),) * chosen["rank"],
    lambda given, chosen: given == "valid" or (_is_pairs(given) and not any(map(any, given))),
)
_PADDINGS = (
    _NO_PADDING,
    Class(
        "inside",
        _inside,
        lambda given, chosen: (
            _is_pairs(given) and any(map(any, given)) and _even(given) and not _deepest(given, chosen)
        ),
    ),
    Class("beyond half", _beyond, lambda given, chosen: _is_pairs(given) and _even(given) and _deepest(given, chosen)),
    Class("one-sided", _one_sided, lambda given, chosen: _is_pairs(given) and not _even(given)),
)
_OR_VALID = replace(
    _NO_PADDING,
    draw=lambda rng, chosen, row: picked(rng, ("valid", ((0, 0),) * chosen["rank"], ((0, 0),) * chosen["rank"])),
)
_WITH_WORDS = (_OR_VALID, *_PADDINGS[1:], exactly("same"))


_LONGEST = {"inside": 3, "one-sided": 2, "beyond half": 6}
"""How many windows an axis has at least, that there be room for the padding."""


def _positions(*ranges: str, read: Callable[[Case], tuple[int, ...]] = _outputs) -> Feature:
    """Return the feature of how many windows there are: some axis is long where the padding shall be deep."""
    plain = windows.positions_feature(read, *ranges)

    def deep(known: Class) -> Class:
        def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
            shape: tuple[int, ...] = known.draw(rng, chosen, row)
            least = _LONGEST.get(row.get("padding", "0"), 1)
            if row.get("padding_mode", "zeros") != "zeros":
                least = max(least, 4)
            if max(shape) < least:
                shape = (*(1,) * (len(shape) - 1), max(prod(shape), least))
            return shape

        narrow = known.up_to
        return replace(known, draw=draw, up_to=None if narrow is None else lambda most: deep(narrow(most)))

    return Feature(plain.name, tuple(map(deep, plain.classes)), plain.read)


def _padding(classes: tuple[Class, ...] = _PADDINGS) -> Feature:
    return Feature("padding", classes, _read_padding)


def _grouped() -> Feature:
    depthwise = between("depthwise", 17, 256, lambda given, chosen: given > 16 and chosen["channels in"] == 1)
    some = between("5-16", 5, 16, lambda given, chosen: 4 < given < 17 or (given > 16 and chosen["channels in"] > 1))
    return Feature("groups", (ranged("1"), ranged("2"), ranged("3-4"), some, depthwise), _groups)


def _window(chosen: Choices) -> dict[str, object]:
    padding = chosen["padding"]
    if not isinstance(padding, str):
        even = _even(padding)
        padding = spelled(tuple(before for before, _ in padding), chosen["in full"]) if even else padding
    return {
        "stride": spelled(chosen["stride"], chosen["in full"]),
        "padding": padding,
        "dilation": spelled(chosen["dilation"], chosen["in full"]),
    }


def _size(chosen: Choices) -> tuple[int, ...]:
    """Return the size of the input that has so many windows; of a transposed convolution, of the output."""
    padding = chosen["padding"]
    beyond = chosen["output_padding"] if "output_padding" in chosen else chosen["slack"]
    if isinstance(padding, str):
        window = read_window(
            chosen["kernel"], stride=chosen["stride"], padding=padding, dilation=chosen["dilation"], words=True
        )
        padding = window.padding
    return tuple(
        room + 1 + more - sum(pair)
        for room, pair, more in zip(_room(chosen), padding, beyond, strict=True)
    )  # fmt: skip


def _elements(chosen: Choices) -> int:
    groups, batch = chosen.get("groups", 1), chosen["batch"]
    signal = chosen["channels in"] * prod(_size(chosen))
    return int(groups * max(batch * signal, chosen["channels in"] * chosen["channels out"] * prod(chosen["kernel"])))


def _build_conv(contents: Contents, chosen: Choices) -> Call:
    groups, kernel, positions = chosen["groups"], chosen["kernel"], chosen["positions"]
    out, batch = groups * chosen["channels out"], chosen["batch"]
    arrays = {
        "grad_output": (batch, out, *positions),
        "input": (batch, groups * chosen["channels in"], *_size(chosen)),
        "weight": (out, chosen["channels in"], *kernel),
        "bias": (out,) if chosen["bias"] else None,
    }
    attributes = {**_window(chosen), "groups": groups, "padding_mode": chosen["padding_mode"]}
    return Call(attributes, arrays, _terms(chosen))


def _terms(chosen: Choices) -> int:
    taps = prod(chosen["kernel"])
    once = max(
        chosen["channels in"] * taps + 1, chosen["channels out"] * taps, chosen["batch"] * prod(chosen["positions"])
    )
    folded = chosen.get("padding_mode", "zeros") != "zeros"  # the gradient of what padding repeats adds up
    return int(once * 8 if folded else once)


_IN = ("1", "2-8", "9-33", "34-128", "129-600")
_OUT = ("1", "2-8", "9-33", "34-128", "129-600")
_BATCHES = ("1", "2-3", "4-8", "9-64", "65-1024")
BIAS = one_of("bias", lambda case: case.arrays["bias"] is not None, True, False)
_DEPTHWISE = {"groups": ("depthwise",), "channels in": _IN[1:]}
_IMPOSSIBLE = (
    {"rank": ("1",), "kernel": (windows.DIFFERING,)},
    {"rank": ("1",), "stride": (windows.DIFFERING,)},
    {"rank": ("1",), "dilation": (windows.DIFFERING,)},
    {"rank": ("3",), "kernel": ("5-",), "dilation": ("4-",)},
    {"padding": ("beyond half", "one-sided", "inside"), "positions": ("1",)},
    {"padding": ("beyond half",), "positions": ("2-16",)},
)
"""What can't be together in any of them."""


CONV = Model(
    "conv",
    (
        RANK,
        sizes("channels in", _per_in, *_IN),
        _grouped(),
        sizes("channels out", _per_out, *_OUT),
        sizes("batch", lambda case: len(array(case, "input")), *_BATCHES),
        windows.kernel_feature(_kernel),
        windows.dilation_feature(lambda case: windows.entries(case, "dilation")),
        windows.stride_feature(lambda case: windows.entries(case, "stride")),
        one_of(
            "padding_mode", lambda case: case.attributes["padding_mode"], "zeros", "reflect", "replicate", "circular"
        ),
        _positions(*_PLANES),
        _padding(_WITH_WORDS),
        windows.slack_feature(_read_slack),
        BIAS,
        IN_FULL,
        *memory.features("input", "weight", "grad_output", contents=memory.SUMMED),
    ),
    _build_conv,
    costs=(
        (1, ("batch", "groups", "channels in", "channels out", "kernel", "positions")),
        (ELEMENT, ("batch", "groups", "channels in", "positions", "stride")),
        (ELEMENT, ("batch", "groups", "channels out", "positions")),
        (ELEMENT // 2, ("batch", "groups", "channels in", "kernel", "dilation")),
    ),
    impossible=(
        *_IMPOSSIBLE,
        _DEPTHWISE,
        {"padding": ("same",), "stride": ("2", "3-", windows.DIFFERING)},
        {"padding": ("same",), "positions": ("1",)},
        # along an axis of size 1, no tap would see the input
        {"padding": ("same",), "kernel": ("even", windows.DIFFERING), "dilation": ("2-3", "4-", windows.DIFFERING)},
        {"padding_mode": ("reflect", "replicate", "circular"), "positions": ("1", "2-16")},
        {"padding_mode": ("reflect", "replicate", "circular"), "padding": ("beyond half", "same")},
    ),
    elements=_elements,
)


def _sources(case: Case) -> tuple[int, ...]:
    return array(case, "input").shape[2:]


def _transposed_kernels() -> Feature:
    """Return the feature of the kernel: even ones are often as long as a stride, or as two."""
    plain = windows.kernel_feature(_kernel)

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        step = chosen["stride"][0]
        fitting = [size for size in (step, 2 * step) if size % 2 == 0 and size ** chosen["rank"] <= 256]
        return (picked(rng, (2, 4, *fitting)),) * int(chosen["rank"])

    even = (replace(known, draw=draw) if known.name == "even" else known for known in plain.classes)
    return replace(plain, classes=tuple(even))


def _transposed_strides() -> Feature:
    """Return the feature of the stride, those of 8 to 32 among them by which heads bring maps to an image's size."""
    plain = windows.stride_feature(lambda case: windows.entries(case, "stride"))
    one, two, _, differing = plain.classes
    wide = replace(
        windows.alike("7-", 8),
        draw=lambda rng, chosen, row: (
            (picked(rng, {1: (8, 10, 16, 32), 2: (8, 16), 3: (8,)}[chosen["rank"]]),) * chosen["rank"]
        ),
        has=lambda given, chosen: len({*given}) == 1 and given[0] >= 7,
    )
    return replace(plain, classes=(two, one, windows.alike("3-6", 3, 4, 5, 6), wide, differing))


def _cropped(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[tuple[int, int], ...]:
    """Draw a padding inside: mostly what leaves an output as long as the input, times the stride."""
    steps = zip(windows.extents(chosen), chosen["stride"], strict=True)
    sides = [((extent - step + 1) // 2,) * 2 for extent, step in steps]
    fits = all(1 <= side <= room // 2 for (side, _), room in zip(sides, _room(chosen), strict=True))
    usual = fits and rng.random() < 0.7 and seen(sides, chosen) == sides and not _deepest(sides, chosen)
    return tuple(sides) if usual else _inside(rng, chosen, row)


_CROPPINGS = tuple(replace(known, draw=_cropped) if known.name == "inside" else known for known in _PADDINGS)


def _within(limits: Callable[[Choices], tuple[tuple[int, int], ...]]) -> Callable[..., tuple[int, ...]]:
    """Return what draws a number of each axis up to its limit, of one axis at least as many as the other limit says."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        bounds = limits(chosen)
        drawn = [int(rng.integers(0, most + 1)) for _, most in bounds]
        place = max(range(len(bounds)), key=lambda axis: bounds[axis][1] - bounds[axis][0])
        least, most = bounds[place]
        drawn[place] = int(rng.integers(least, most + 1))
        return tuple(drawn)

    return draw


def _output_padding() -> Feature:
    def reaches(given: Any, chosen: Choices) -> bool:
        return any(more >= step for more, step in zip(given, chosen["stride"], strict=True))

    classes = (
        Class("0", lambda rng, chosen, row: (0,) * chosen["rank"], lambda given, chosen: not any(given)),
        Class(
            "below the stride",
            _within(lambda chosen: tuple((1, step - 1) for step in chosen["stride"])),
            lambda given, chosen: any(given) and not reaches(given, chosen),
        ),
        Class(
            "a stride or more",
            _within(
                lambda chosen: tuple(
                    (step, max(step, apart) - 1)
                    for step, apart in zip(chosen["stride"], chosen["dilation"], strict=True)
                )
            ),
            reaches,
        ),
    )
    return Feature("output_padding", classes, lambda case: windows.entries(case, "output_padding"))


def _transposed_elements(chosen: Choices) -> int:
    per_in, per_out = chosen["channels in"], chosen["channels out"]
    signals = chosen["batch"] * max(per_in * prod(chosen["positions"]), per_out * prod(_size(chosen)))
    return int(chosen["groups"] * max(signals, per_in * per_out * prod(chosen["kernel"])))


def _build_conv_transpose(contents: Contents, chosen: Choices) -> Call:
    groups, batch, positions = chosen["groups"], chosen["batch"], chosen["positions"]
    into, out, size = groups * chosen["channels in"], groups * chosen["channels out"], _size(chosen)
    arrays = {
        "grad_output": (batch, out, *size),
        "input": (batch, into, *positions),
        "weight": (into, chosen["channels out"], *chosen["kernel"]),
        "bias": (out,) if chosen["bias"] else None,
    }
    more = spelled(chosen["output_padding"], chosen["in full"])
    attributes = {**_window(chosen), "output_padding": more, "groups": groups}
    return Call(attributes, arrays, max(_terms(chosen), batch * prod(size)))


CONV_TRANSPOSE = Model(
    "conv_transpose",
    (
        RANK,
        sizes("channels in", _per_in, *_IN),
        _grouped(),
        sizes("channels out", _per_out, *_OUT),
        sizes("batch", lambda case: len(array(case, "input")), "1", "2-8", "9-64", "65-1024"),
        _transposed_strides(),
        _transposed_kernels(),
        windows.dilation_feature(lambda case: windows.entries(case, "dilation")),
        _positions("17-1024", "1", "2-16", "1025-70000", read=_sources),
        _padding(_CROPPINGS),
        _output_padding(),
        BIAS,
        IN_FULL,
        *memory.features("input", "weight", "grad_output", contents=memory.SUMMED, fixed=("weight",)),
    ),
    _build_conv_transpose,
    costs=(
        (1, ("batch", "groups", "channels in", "channels out", "kernel", "positions")),
        (ELEMENT, ("batch", "groups", "channels out", "positions", "stride")),
        (ELEMENT, ("batch", "groups", "channels in", "positions")),
        (ELEMENT // 2, ("batch", "groups", "channels out", "kernel", "dilation")),
    ),
    impossible=(
        *_IMPOSSIBLE,
        _DEPTHWISE,
        {"output_padding": ("below the stride",), "stride": ("1",)},
        {"output_padding": ("a stride or more",), "dilation": ("1",)},
        {"output_padding": ("a stride or more",), "stride": ("3-6", "7-")},
        {
            "output_padding": ("a stride or more",),
            "stride": ("2", windows.DIFFERING),
            "dilation": ("2-3", windows.DIFFERING),
        },
    ),
    elements=_transposed_elements,
)


def _build_locally_connected(contents: Contents, chosen: Choices) -> Call:
    positions, out, batch = chosen["positions"], chosen["channels out"], chosen["batch"]
    arrays = {
        "grad_output": (batch, out, *positions),
        "input": (batch, chosen["channels in"], *_size(chosen)),
        "weight": (out, *positions, chosen["channels in"], *chosen["kernel"]),
        "bias": (out, *positions) if chosen["bias"] else None,
    }
    taps = prod(chosen["kernel"])
    return Call(_window(chosen), arrays, max(chosen["channels in"] * taps + 1, out * taps, batch))


LOCALLY_CONNECTED = Model(
    "locally_connected",
    (
        RANK,
        sizes("channels in", _per_in, "2-8", "1", "9-33", "34-600"),
        sizes("channels out", _per_out, "2-8", "1", "9-33", "34-600"),
        sizes("batch", lambda case: len(array(case, "input")), "1", "2-8", "9-1024"),
        windows.kernel_feature(_kernel),
        windows.dilation_feature(lambda case: windows.entries(case, "dilation")),
        windows.stride_feature(lambda case: windows.entries(case, "stride")),
        _positions("17-1024", "1", "2-16", "1025-4096"),
        _padding(),
        windows.slack_feature(_read_slack),
        BIAS,
        IN_FULL,
        *memory.features("input", "weight", "grad_output", contents=memory.SUMMED, fixed=("weight",)),
    ),
    _build_locally_connected,
    costs=(
        (1, ("batch", "channels in", "channels out", "kernel", "positions")),
        (ELEMENT, ("channels in", "channels out", "kernel", "positions")),
        (ELEMENT, ("batch", "channels in", "positions", "stride")),
        (ELEMENT, ("batch", "channels out", "positions")),
        (ELEMENT // 2, ("batch", "channels in", "kernel", "dilation")),
    ),
    impossible=_IMPOSSIBLE,
    elements=lambda chosen: max(
        int(chosen["batch"] * chosen["channels in"] * prod(_size(chosen))),
        int(chosen["channels out"] * prod(chosen["positions"]) * chosen["channels in"] * prod(chosen["kernel"])),
    ),
)
