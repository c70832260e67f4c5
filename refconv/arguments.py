"""What every operator asks of its arguments, and the two errors that all refusals are."""

import math
import os
import reprlib
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.ma import MaskedArray
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

DTYPES = (np.float32, np.float64, np.complex128)
LARGEST = 2**31 - 1  # of an attribute: products of two, plus a third, stay within the loops' int64
_PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**63 - 1
MEMORY = _PHYSICAL // 4  # bytes of one array: a call takes its copies of the inputs, what it pads, and its results


class _Invalid(Exception):  # noqa: N818  # never raised itself
    """``{argument} must {rule}, got {got}``; pickles, so that it can cross a process boundary."""

    def __init__(self, argument: str, rule: str, got: object) -> None:
        super().__init__(argument, rule, got)
        self.argument = argument
        self.rule = rule
        self.got = got

    def __str__(self) -> str:
        return f"{self.argument} must {self.rule}, got {self.got}"


class InvalidValueError(_Invalid, ValueError):
    """An argument of the right type has a value that makes no sense."""


class InvalidTypeError(_Invalid, TypeError):
    """An argument has a type or dtype that the operator doesn't take."""


def array(argument: str, value: object, *, like: Array | None = None, first: str = "input") -> Array:
    """Return `value` as a contiguous, aligned, writable array in native byte order, a copy where it isn't one.

    The loops get nothing else, so they compile once for each dtype and give the same bits for any memory layout.
    With `like`, the dtype must be that of the array `like`, which is the operator's `first` argument.
    """
    if not isinstance(value, np.ndarray):
        raise InvalidTypeError(argument, "be a NumPy array", type(value).__name__)
    if isinstance(value, MaskedArray):
        raise InvalidTypeError(argument, "have no mask", type(value).__name__)
    value = np.asarray(value)  # of a subclass, the plain values: it may have redefined anything
    if value.dtype.type not in DTYPES:
        raise InvalidTypeError(argument, "have dtype float32, float64 or complex128", value.dtype)
    if like is not None and value.dtype.type is not like.dtype.type:
        raise InvalidTypeError(argument, f"have the dtype of {first}, {like.dtype}", value.dtype)
    if value.nbytes > MEMORY:  # a stride of 0 makes such arrays
        raise too_large(argument, value.shape, value.nbytes)
    return _plain(value)


def signal(argument: str, value: object, *, least: int = 1, most: int = 3) -> Array:
    """Return `value` as :func:`array` does: ``(batch, channels, *spatial)`` with `least` to `most` spatial axes."""
    found = array(argument, value)
    if not least + 2 <= found.ndim <= most + 2:
        rule = f"have {least + 2} to {most + 2} axes, (batch, channels, *spatial)"
        raise InvalidValueError(argument, rule, f"shape {found.shape}")
    if 0 in found.shape[1:]:
        rule = "have at least 1 channel and spatial sizes of at least 1"
        raise InvalidValueError(argument, rule, f"shape {found.shape}")
    return found


def shape(argument: str, value: Array, expected: tuple[int, ...]) -> None:
    """Refuse `value` unless its shape is `expected`."""
    if value.shape != expected:
        raise InvalidValueError(argument, f"have shape {expected}", value.shape)


def batched(argument: str, value: object) -> Array:
    """Return `value` as :func:`array` does, with at least one axis."""
    found = array(argument, value)
    if found.ndim == 0:
        raise InvalidValueError(argument, "have at least 1 axis", f"shape {found.shape}")
    return found


def matching(argument: str, value: object, like: Array, expected: tuple[int, ...], *, first: str = "input") -> Array:
    """Return `value` as :func:`array` does: of the dtype of `like`, and of shape `expected`."""
    found = array(argument, value, like=like, first=first)
    shape(argument, found, expected)
    return found


def _plain(value: Array) -> Array:
    """Return `value`, a copy where it isn't contiguous, aligned, writable and in native byte order."""
    if value.flags.carray and value.dtype.isnative:  # the most common case, quickly
        return value
    return np.require(value, value.dtype.newbyteorder("="), ("C", "A", "W", "E"))


def integers(argument: str, value: object) -> Array:
    """Return `value`, an array of int64, contiguous."""
    if not isinstance(value, np.ndarray) or isinstance(value, MaskedArray):
        raise InvalidTypeError(argument, "be a NumPy array", type(value).__name__)
    value = np.asarray(value)
    if value.dtype.type is not np.int64:
        raise InvalidTypeError(argument, "have dtype int64", value.dtype)
    if value.nbytes > MEMORY:
        raise too_large(argument, value.shape, value.nbytes)
    return _plain(value)


def axis(argument: str, value: object, ndim: int) -> int:
    """Return `value`, an axis of an array that has `ndim`, counted from 0; negative ones count from the end."""
    if not is_integer(value):
        raise InvalidTypeError(argument, "be an int", shown(value))
    (number,) = within(argument, (value,), -LARGEST, given=value)
    if not -ndim <= number < ndim:
        raise InvalidValueError(argument, f"be between {-ndim} and {ndim - 1}", shown(value))
    return number % ndim


def fits_memory(argument: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse an array of `shape` that is larger than a quarter of memory, before it is allocated."""
    size = dtype.itemsize * math.prod(max(length, 1) for length in shape)  # NumPy's limit holds for empty arrays, too
    if size > MEMORY:
        raise too_large(argument, shape, size)


def too_large(argument: str, shape: tuple[int, ...], size: int) -> InvalidValueError:
    """Return the error for an array that is larger than a quarter of memory."""
    return InvalidValueError(
        argument, f"fit into a quarter of memory ({MEMORY} bytes)", f"shape {shape} ({size} bytes)"
    )


def one_of(argument: str, value: object, choices: Sequence[str]) -> str:
    """Return `value`, which must be one of the words in `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    kind = InvalidValueError if isinstance(value, str) else InvalidTypeError
    raise kind(argument, f"be one of {', '.join(map(repr, choices))}", shown(value))


def integer(argument: str, value: object, *, at_least: int, at_most: int = LARGEST) -> int:
    """Return `value` as an int between `at_least` and `at_most`."""
    if not is_integer(value):
        raise InvalidTypeError(argument, "be an int", shown(value))
    return within(argument, (value,), at_least, at_most, given=value)[0]


def real(argument: str, value: object, *, at_least: float = -math.inf, at_most: float = math.inf) -> float:
    """Return `value`, a finite number between `at_least` and `at_most`, as a float."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise InvalidTypeError(argument, "be a real number", shown(value))
    try:
        number = float(value)
    except OverflowError:  # an int that is larger than any float
        number = math.inf
    if math.isfinite(number) and at_least <= number <= at_most:
        return number
    rule = "be finite" if at_least == -math.inf else f"be finite and at least {at_least}"
    raise InvalidValueError(
        argument, rule if at_most == math.inf else f"be between {at_least} and {at_most}", shown(value)
    )


def boolean(argument: str, value: object) -> bool:
    """Return `value`, True or False, Python's or NumPy's."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidTypeError(argument, "be True or False", shown(value))
    return bool(value)


def per_axis(argument: str, value: object, rank: int, *, at_least: int) -> tuple[int, ...]:
    """Return `value`, an int or one int for each of `rank` axes, as a tuple of ints from `at_least` to `LARGEST`."""
    entries = (value,) * rank if is_integer(value) else value
    if not isinstance(entries, tuple | list) or len(entries) != rank or not all(map(is_integer, entries)):
        raise InvalidTypeError(argument, f"be an int or a sequence of {rank} ints", shown(value))
    return within(argument, entries, at_least, given=value)


def shown(value: object) -> str:
    """Return `value` as errors show it, short, whatever it is."""
    try:
        return reprlib.repr(value)
    except Exception:  # an int of too many digits, or a repr of foreign make
        return f"a value of type {type(value).__name__}"


def is_integer(value: object) -> bool:
    """Whether `value` counts as an int: Python's and NumPy's do, bools don't."""
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def within(
    argument: str, entries: Sequence[Any], at_least: int, at_most: int = LARGEST, *, given: object
) -> tuple[int, ...]:
    """Return integers as a tuple of Python ints, refused (as `given`) unless each is from `at_least` to `at_most`."""
    integers = tuple(int(entry) for entry in entries)
    if not all(at_least <= entry <= at_most for entry in integers):
        raise InvalidValueError(argument, f"be between {at_least} and {at_most}", shown(given))
    return integers
