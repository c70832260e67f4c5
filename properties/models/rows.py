"""The calls of what goes along an axis: `softmax`, `log_softmax`, `squash` and `cross_entropy`.

What lies before the axis and what lies behind it are features of their own, as implementations see them: the loop
outside of the rows, and the stride from one value of a row to the next.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.random import Generator

from properties.arrays import content, near
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
    among,
    attribute,
    bounds_of,
    exactly,
    number_in,
    one_of,
    sizes,
)
from refconv.arguments import Array

_OFFSETS = (1e4, -1e4, 0.0, 100.0, -750.0)  # beyond what exp takes in float32 or float64


def _shape(case: Case) -> tuple[int, ...]:
    return array(case, "input").shape


def place_of(chosen: Choices) -> int:
    """Return the number of the axis, counted from the front."""
    return int(chosen["axis"] % chosen["axes"])


def _expanded(row: Row) -> bool:
    return any(name.startswith("layout of") and known == "expanded" for name, known in row.items())


def _axis(low: int, *, from_the_end: bool = False) -> Callable[[Generator, dict[str, Any], Row], int]:
    """Return what draws an axis from `low` on, such that there are others before and behind it where a row says so."""

    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> int:
        axes = chosen["axes"]
        last = axes - 1 if row["after"] == "1" else axes - 2
        first = 1 if row["before"] != "1" or (last > 0 and _expanded(row)) else 0
        axis = int(rng.integers(max(low, first), last + 1))
        return axis - axes if from_the_end else axis

    return draw


AXES = one_of("axes", lambda case: len(_shape(case)), 4, 2, 1, 3, 5)
"""How many axes the input has."""
AXIS = Feature(
    "axis",
    (
        exactly(1),
        exactly(0),
        Class("2-", _axis(2), lambda given, chosen: given >= 2),
        Class("negative", _axis(0, from_the_end=True), lambda given, chosen: given < 0),
    ),
    attribute("axis"),
)
"""The axis that an operator goes along, counted from either end."""


def spread(name: str, count: Callable[[Choices], int]) -> Class:
    """Return the class of the lengths of so many axes, a range of elements together; of no axis, there is one."""
    low, high = bounds_of(name)
    return _spread(name, low, high, count)


def _spread(name: str, low: int, high: int, count: Callable[[Choices], int]) -> Class:
    def draw(rng: Generator, chosen: dict[str, Any], row: Row) -> tuple[int, ...]:
        axes = count(chosen)
        return windows.lengths(rng, number_in(rng, low, high), axes, low) if axes else ()

    return Class(
        name,
        draw,
        lambda given, chosen: low <= prod(given) <= high,
        least=low,
        up_to=lambda most: _spread(name, low, max(low + low // 4, min(high, most)), count),
    )


def before(*ranges: str) -> Feature:
    """Return the feature of the elements before the axis; the value is the length of each axis."""

    def read(case: Case) -> tuple[int, ...]:
        shape = _shape(case)
        return shape[: attribute("axis")(case) % len(shape)]

    return Feature("before", tuple(spread(name, place_of) for name in ranges), read)


def after(*ranges: str) -> Feature:
    """Return the feature of the elements behind the axis; the value is the length of each axis."""

    def read(case: Case) -> tuple[int, ...]:
        shape = _shape(case)
        return shape[attribute("axis")(case) % len(shape) + 1 :]

    def count(chosen: Choices) -> int:
        return int(chosen["axes"]) - place_of(chosen) - 1

    return Feature("after", tuple(spread(name, count) for name in ranges), read)


def length(case: Case) -> int:
    """Return the size of the input along the axis."""
    shape = _shape(case)
    size: int = shape[attribute("axis")(case) % len(shape)]
    return size


def but_one(feature: Feature) -> tuple[str, ...]:
    """Return the names of the classes other than 1."""
    return tuple(known.name for known in feature.classes if known.name != "1")


def impossible_axes(*features: Feature) -> list[dict[str, tuple[str, ...]]]:
    """Return what can't be of an axis, and of what lies before and behind it; one axis alone lies as it does."""
    some_before, some_after = (
        next(but_one(feature) for feature in features if feature.name == name) for name in ("before", "after")
    )
    return [
        {"axes": ("1",), "axis": ("1", "2-")},
        {"axes": ("1",), "before": some_before},
        {"axes": ("1",), "after": some_after},
        {"axes": ("2",), "axis": ("2-",)},
        {"axes": ("2",), "before": some_before, "after": some_after},
        {"axes": ("2",), "axis": ("1",), "after": some_after},
        {"axes": ("3",), "axis": ("2-",), "after": some_after},
        {"axis": ("0",), "before": some_before},
        *lies_flat(*features),
    ]


def lies_flat(*features: Feature) -> list[dict[str, tuple[str, ...]]]:
    """Return that an array of one axis has a single layout."""
    laid = (feature for feature in features if feature.name.startswith("layout of"))
    return [{"axes": ("1",), layout.name: tuple(known.name for known in layout.classes[1:])} for layout in laid]


def _never_repeated(*features: Feature) -> list[dict[str, tuple[str, ...]]]:
    """Return that nothing is repeated along the axis itself: rows of equal values prove little."""
    some_after = next(but_one(feature) for feature in features if feature.name == "after")
    rules: list[dict[str, tuple[str, ...]]] = []
    for name in (feature.name for feature in features if feature.name.startswith("layout of")):
        rules += [
            {"axis": ("0",), name: ("expanded",)},
            {"axes": ("2",), "after": some_after, name: ("expanded",)},
        ]
    return rules


# --- what the rows hold


def _made(contents: Contents, shape: tuple[int, ...], axis: int) -> Array:
    """Return scores, of which rows are far from 0, or masked in part."""
    rng, dtype, kind = contents
    plain = kind if kind in ("integer", "normal", "wide") else "normal"
    made = content(plain, shape, dtype, rng)
    if kind == "far":
        return far(made, axis, rng)
    if kind in ("masked", "all masked"):
        return masked(made, axis, rng, wholly=kind == "all masked")
    if kind == "zeros":
        rows = np.moveaxis(made, axis, -1)
        rows[rng.random(rows.shape[:-1]) < 0.5] = 0
        rows[(0,) * (rows.ndim - 1)] = 1  # of which one vector isn't
    return made


def far(scores: Array, axis: int, rng: Generator) -> Array:
    """Move each row along the axis as a whole, and one of its values, if there are others, far below."""
    dtype = scores.dtype
    rows = list(scores.shape)
    rows[axis] = 1
    offsets = np.array([near(offset, str(dtype)) for offset in _OFFSETS], dtype)
    moved: Array = scores + offsets[rng.integers(len(offsets), size=rows)]
    if moved.shape[axis] > 2:
        np.moveaxis(moved, axis, 0)[int(rng.integers(moved.shape[axis]))] -= dtype.type(near(1e4, str(dtype)))
    return moved


def masked(scores: Array, axis: int, rng: Generator, *, wholly: bool = False) -> Array:
    """Make half of each row minus infinity, but not all; where `wholly`, all of some rows."""
    hidden = rng.random(scores.shape) < 0.5
    along = np.moveaxis(hidden, axis, 0)
    seen = rng.integers(len(along), size=along.shape[1:])
    np.put_along_axis(along, seen[None], values=False, axis=0)
    unseen = (seen + 1) % len(along)
    if len(along) > 1:  # in each row there is one of both
        np.put_along_axis(along, unseen[None], values=True, axis=0)
    if wholly:
        rows = np.asarray(rng.random(along.shape[1:]) < 0.3)
        rows[(-1,) * rows.ndim] = True
        along[:, rows] = True
    return np.where(hidden, scores.dtype.type(-np.inf), scores)


# --- softmax and what is like it


def _build(contents: Contents, chosen: Choices) -> Call:
    shape = (*chosen["before"], chosen["length"], *chosen["after"])
    gradient = content("integer" if contents.kind == "integer" else "normal", shape, contents.dtype, contents.rng)
    arrays = {"grad_output": gradient, "input": _made(contents, shape, place_of(chosen))}
    return Call({"axis": chosen["axis"]}, arrays, chosen["length"])


def _build_squash(contents: Contents, chosen: Choices) -> Call:
    call = _build(contents, chosen)
    if contents.kind == "wide":  # long vectors whose squares, and the inverses of these, float16 has
        made = call.arrays["input"]
        call.arrays["input"] = made / made.dtype.type(2.0 ** (chosen["length"].bit_length() // 2))
    return call


def _along(
    operator: str, *contents: str, lengths: tuple[str, ...], build: Callable[[Contents, Choices], Call] = _build
) -> Model:
    features = (
        AXES,
        AXIS,
        before("2-16", "1", "17-1024", "1025-70000"),
        sizes("length", length, *lengths),
        after("1", "2-16", "17-1024"),
        *memory.features("input", contents=contents)[:-1],
        some_layout("grad_output"),
        memory.ADDRESS,
    )
    return Model(
        operator,
        features,
        build,
        costs=((ELEMENT, ("before", "length", "after")),),
        impossible=(
            *impossible_axes(*features),
            *_never_repeated(*features),
            *([{"length": ("1",), "content": ("masked",)}] if "masked" in contents else []),
        ),
    )


def some_layout(name: str, *, repeated: bool = True) -> Feature:
    """Return the feature of how an array lies in memory, with all that have strides of another order in one class."""
    full = memory.layout_feature(name)
    strided = among("strided", "channels_last", "sliced", "transposed", "reversed")
    stretched = [exactly("expanded")] if repeated else []
    return Feature(full.name, (full.classes[0], strided, *stretched), full.read)


_LENGTHS = ("2-16", "1", "17-128", "129-1024", "1025-4096", "4097-70000")

SOFTMAX = _along("softmax", "integer", "normal", "far", "masked", "all masked", lengths=_LENGTHS)
LOG_SOFTMAX = _along("log_softmax", "integer", "normal", "far", "masked", "all masked", lengths=_LENGTHS)
SQUASH = _along(
    "squash",
    "integer",
    "normal",
    "wide",
    "zeros",
    lengths=("2-16", "1", "17-128", "129-1024", "1025-4097"),
    build=_build_squash,
)


# --- cross_entropy


def _build_cross_entropy(contents: Contents, chosen: Choices) -> Call:
    rng, dtype, kind = contents
    classes, batch, positions = chosen["classes"], chosen["batch"], chosen["positions"]
    shape = (batch, classes, *positions)
    scores = _made(contents, shape, 1)
    target = rng.integers(0, classes, (batch, *positions))
    ends = np.array([classes - 1, 0])
    target.flat[: target.size // 2] = np.resize(ends, target.size // 2)  # the first class and the last
    rows = np.moveaxis(scores, 1, -1)
    if kind in ("far", "wide"):  # all might have won, without a loss
        target.flat[0] = rows.reshape(-1, classes)[0].argmin()
    if kind == "masked":  # a target that is masked has an infinite loss
        some: Array = np.take_along_axis(rows, target[..., None], axis=-1)[..., 0]
        target = np.where(np.isinf(some), rows.argmax(axis=-1), target)
    gradient = np.asarray(rng.choice((1.0, -2.0, 0.7)), dtype)
    arrays = {"grad_output": gradient, "input": scores, "target": target}
    return Call({}, arrays, max(classes, target.size))


def _spatial(case: Case) -> tuple[int, ...]:
    return _shape(case)[2:]


_POSITIONS = ("1", "2-16", "17-1024", "1025-70000")
_STRIDED = ("strided", "expanded")

CROSS_ENTROPY = Model(
    "cross_entropy",
    (
        one_of("rank", windows.rank_of, 0, 2, 1, 3),
        sizes("batch", lambda case: _shape(case)[0], "2-8", "1", "9-64", "65-1024", "1025-70000"),
        sizes("classes", lambda case: _shape(case)[1], "2-16", "17-128", "129-1024", "1025-4096", "4097-70000"),
        Feature("positions", tuple(spread(name, lambda chosen: int(chosen["rank"])) for name in _POSITIONS), _spatial),
        *memory.features("input", contents=("integer", "normal", "wide", "far", "masked"))[:-1],
        some_layout("target"),
        memory.ADDRESS,
    ),
    _build_cross_entropy,
    costs=((ELEMENT, ("batch", "classes", "positions")),),
    impossible=(
        {"rank": ("0",), "positions": _POSITIONS[1:]},
        {"rank": ("0",), "layout of target": _STRIDED},
    ),
)
