"""The ways to break a call, of which the rows of every operator are made."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from properties.case import Case
from refconv import operators
from refconv.arguments import LARGEST, Array

Change: TypeAlias = Callable[[Case], dict[str, object]]

NO_INTS: tuple[object, ...] = (1.5, math.nan, "2", None, True, {})
POSITIVE = f"be between 1 and {LARGEST}"
NOT_NEGATIVE = f"be between 0 and {LARGEST}"
INTS = "be an int or a sequence of {rank} ints"
PADDINGS = "be an int or a sequence of {rank} ints or (before, after) pairs"
FLOATS = "have dtype float32, float64 or complex128"
INDICES = ("indices", "target")  # inputs that may hold integers


class Breakage(NamedTuple):
    """A rule of an argument, and a change of a case that breaks it.

    In `rule`, ``{rank}``, ``{ndim}`` and ``{in_channels}`` stand for those of the case's first input.
    """

    argument: str
    rule: str
    change: Change  # gives the arguments to replace, none of them where it can't be done to the case


def rank(case: Case) -> int:
    """Return the number of spatial axes of the first input."""
    return len(shape(case, next(iter(case.row.inputs)))) - 2


def shape(case: Case, name: str) -> tuple[int, ...]:
    """Return the shape of an array that isn't None."""
    array = case.arrays[name]
    assert array is not None
    return array.shape


def set_to(name: str, value: object) -> Change:
    """Replace an attribute."""
    return lambda _: {name: value}


def one_axis(name: str, value: object, other: object) -> Change:
    """Give an attribute `value` for the last axis alone."""
    return lambda case: {name: (*(other,) * (rank(case) - 1), value)} if rank(case) > 0 else {}


def too_many(name: str) -> Change:
    """Give an attribute an entry more than there are spatial axes."""
    return lambda case: {name: (1,) * (rank(case) + 1)}


def if_rank(least: int, changed: dict[str, object]) -> Change:
    """Change only what has `least` spatial axes."""
    return lambda case: changed if rank(case) >= least else {}


def with_array(name: str, make: Callable[[Array], object]) -> Change:
    """Replace an array, unless it is None, by what `make` makes of it."""

    def change(case: Case) -> dict[str, object]:
        array = case.arrays[name]
        return {} if array is None else {name: make(array)}

    return change


def longer(axis: int) -> Callable[[Array], Array]:
    """Repeat an array along `axis`."""
    return lambda array: np.concatenate([array, array], axis)


def without(axis: int) -> Callable[[Array], Array]:
    """Make an array of size 0 along `axis`."""
    return lambda array: np.zeros(
        [0 if i == axis % array.ndim else length for i, length in enumerate(array.shape)], array.dtype
    )


def zeros(kind: type) -> Callable[[Array], Array]:
    """Make an array of another dtype."""
    return lambda array: np.zeros(array.shape, kind)


def _other_float(array: Array) -> Array:
    return array.astype(np.float64 if array.dtype == np.float32 else np.float32)


def per_axis_rows(name: str, *, least: int, optional: bool = False) -> list[Breakage]:
    """Rows of an attribute that is an int, or one for each spatial axis, from `least`, or None if `optional`."""
    range_ = POSITIVE if least else NOT_NEGATIVE
    return [
        *[Breakage(name, range_, set_to(name, value)) for value in (least - 1, least - 2, LARGEST + 1, 2**200)],
        *[Breakage(name, range_, one_axis(name, value, least)) for value in (least - 1, -2)],
        *[Breakage(name, INTS, set_to(name, value)) for value in NO_INTS if not (optional and value is None)],
        Breakage(name, INTS, too_many(name)),
    ]


def padding_rows() -> list[Breakage]:
    """Rows of `padding`."""
    return [
        *[Breakage("padding", NOT_NEGATIVE, set_to("padding", value)) for value in (-1, LARGEST + 1)],
        *[Breakage("padding", NOT_NEGATIVE, one_axis("padding", value, 0)) for value in (-1, (0, -1))],
        *[Breakage("padding", PADDINGS, one_axis("padding", value, 0)) for value in ((1, 2, 3), None, math.nan, "1")],
        *[Breakage("padding", PADDINGS, set_to("padding", value)) for value in (1.5, math.nan, None, True)],
        Breakage("padding", PADDINGS, too_many("padding")),
    ]


def int_rows(name: str, *, least: int, most: int = LARGEST, optional: bool = False) -> list[Breakage]:
    """Rows of an attribute that is an int from `least` to `most`, or None if `optional`."""
    range_ = f"be between {least} and {most}"
    others = [value for value in (*NO_INTS, (1,)) if not (optional and value is None)]
    return [
        *[Breakage(name, range_, set_to(name, value)) for value in (least - 1, least - 2, most + 1, LARGEST + 1)],
        *[Breakage(name, "be an int", set_to(name, value)) for value in others],
    ]


def real_rows(name: str, *, at_least: float = -math.inf, at_most: float = math.inf) -> list[Breakage]:
    """Rows of an attribute that is a finite number from `at_least` to `at_most`."""
    range_ = f"be between {at_least} and {at_most}"
    if at_most == math.inf:
        range_ = "be finite" if at_least == -math.inf else f"be finite and at least {at_least}"
    low = [] if at_least == -math.inf else [at_least - 1e-9, at_least - 1]
    high = [] if at_most == math.inf else [math.nextafter(at_most, math.inf), at_most + 9.0]
    numbers: list[object] = [*low, *high, math.nan, math.inf, -math.inf, 10**400]
    others: list[object] = ["1", None, True, 1j, (0.1,), {}]
    return [
        *[Breakage(name, range_, set_to(name, value)) for value in numbers],
        *[Breakage(name, "be a real number", set_to(name, value)) for value in others],
    ]


def bool_rows(name: str) -> list[Breakage]:
    """Rows of an attribute that is True or False."""
    return [Breakage(name, "be True or False", set_to(name, value)) for value in (0, 1, None, "True", 1.0, (True,))]


def axis_rows() -> list[Breakage]:
    """Rows of an attribute that is an axis of an input with at most five."""
    return [
        *[Breakage("axis", "be an int", set_to("axis", value)) for value in NO_INTS],
        *[Breakage("axis", "be between -", set_to("axis", value)) for value in (5, -6, LARGEST + 1, 10**30)],
    ]


def word_rows(name: str, words: Sequence[str]) -> list[Breakage]:
    """Rows of an attribute that is one of `words`."""
    rule = f"be one of {', '.join(map(repr, words))}"
    return [Breakage(name, rule, set_to(name, value)) for value in ("mirror", "", None, 0, words[0].upper())]


def signal_rows(*, least: int = 1, most: int = 3) -> list[Breakage]:
    """Rows of an `input` (batch, channels, *spatial) with `least` to `most` spatial axes."""
    axes = f"have {least + 2} to {most + 2} axes"
    sizes = "have at least 1 channel and spatial sizes of at least 1"
    flat = with_array("input", lambda array: array.reshape(-1))
    missing = with_array("input", lambda array: array.reshape(array.shape[0], math.prod(array.shape[1:])))
    many = with_array("input", lambda array: array.reshape(*array.shape, *(1,) * (most + 3 - array.ndim)))
    return [
        *[Breakage("input", axes, change) for change in (flat if least == 0 else missing, many)],
        *[Breakage("input", sizes, with_array("input", without(axis))) for axis in (1, -1)],
    ]


def array_rows(operator: str) -> list[Breakage]:
    """Rows of every operator's arrays: what isn't an array, of no dtype, or of another than the first.

    An input that holds indices has rows of its own, in place of the last two.
    """
    row = operators[operator]
    first, *others = row.inputs
    required = ["grad_output", *(name for name, optional in row.inputs.items() if not optional)]
    every = ["grad_output", *row.inputs]
    return [
        *[Breakage(name, "be a NumPy array", set_to(name, None)) for name in required],
        *[
            Breakage(name, "be a NumPy array", with_array(name, make))
            for name in every
            for make in (lambda array: array.tolist(), lambda _: "array", lambda array: memoryview(array.tobytes()))
        ],
        *[
            Breakage(name, FLOATS, with_array(name, zeros(kind)))
            for name in every
            if name not in INDICES
            for kind in (np.int64, np.bool_, np.float16, object)
        ],
        *[
            Breakage(name, f"have the dtype of {first}", with_array(name, _other_float))
            for name in ("grad_output", *others)
            if name not in INDICES
        ],
        Breakage("grad_output", "have shape", with_array("grad_output", lambda array: array[None])),
    ]
