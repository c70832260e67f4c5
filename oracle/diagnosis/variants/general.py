"""Mistakes that are made with any operator: state, memory, precision, what isn't finite, what isn't checked.

Each function here collects one of them for the operator's function that it is given the name of.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

import refconv
from oracle.diagnosis.symptoms import NAMES
from oracle.diagnosis.variant import Catalogue, Function
from refconv.arguments import Array

_STRIDES = "The buffer is read in the order of the shape; strides, or the memory format, aren't looked at."


def _function(called: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(refconv, called)
    return function


def symptom(wrong: Catalogue, called: str, words: str, thread: str | None = None) -> Callable[[Any], Any]:
    """Take the decorated function for a variant that the `words` of a verdict's reason give away."""
    name, cause = NAMES[words]
    return wrong(called, name, cause, thread=thread, symptom=True)


# Memory


def modifying(wrong: Catalogue, called: str, number: int, thread: str | None = None) -> None:
    """Collect the function `called` where it changes its argument of that `number`."""

    def function(*arrays: Array | None, **attributes: Any) -> Any:
        results = _function(called)(*arrays, **attributes)
        used = arrays[number]
        if used is not None and used.flags.writeable:
            used *= 2
        return results

    symptom(wrong, called, "in place", thread)(function)


def handing_back(wrong: Catalogue, called: str, trivial: Callable[..., bool]) -> None:
    """Collect the function `called` where it returns its input itself if the attributes are `trivial`."""

    def function(input: Array, *others: Any, **attributes: Any) -> Any:
        return input if trivial(**attributes) else _function(called)(input, *others, **attributes)

    symptom(wrong, called, "shares memory with")(function)


def _in_memory_order(array: Array | None) -> Array | None:
    """Return an array whose elements are taken as they lie in memory."""
    return None if array is None else array.ravel(order="K").reshape(array.shape)


def strides_ignored(wrong: Catalogue, called: str, number: int, name: str, thread: str | None = None) -> None:
    """Collect the function `called` where it reads its argument of that `number` as it lies in memory."""

    def ignoring(*arrays: Array | None, **attributes: Any) -> Any:
        read = [_in_memory_order(array) if place == number else array for place, array in enumerate(arrays)]
        return _function(called)(*read, **attributes)

    wrong(called, f"memory layout of {name} ignored", _STRIDES, thread=thread)(ignoring)


# State


def stale(wrong: Catalogue, called: str, kept: int, thread: str | None = None) -> None:
    """Collect the function `called` where it keeps its argument number `kept` from call to call."""

    class Stale:
        """Keeps one argument by its shape, as a cache of prepared weights does."""

        def __init__(self) -> None:
            self.known: dict[object, Any] = {}

        def __call__(self, *arrays: Any, **attributes: Any) -> Any:
            given = arrays[kept]
            if given is None:
                return _function(called)(*arrays, **attributes)
            used = self.known.setdefault((given.shape, given.dtype), np.array(given))
            return _function(called)(*arrays[:kept], used, *arrays[kept + 1 :], **attributes)

    symptom(wrong, called, "right by itself, wrong after", thread)(Stale)


def incomplete_key(wrong: Catalogue, called: str, lacking: str, thread: str | None = None) -> None:
    """Collect the function `called` where it keeps the attribute `lacking` from call to call."""

    class IncompleteKey:
        """Keeps an attribute of the first call with the same shapes and other attributes."""

        def __init__(self) -> None:
            self.known: dict[object, Any] = {}

        def __call__(self, *arrays: Any, **attributes: Any) -> Any:
            others = sorted((name, repr(value)) for name, value in attributes.items() if name != lacking)
            key = (*(array is not None and array.shape for array in arrays), *others)
            used = self.known.setdefault(key, attributes[lacking])
            return _function(called)(*arrays, **{**attributes, lacking: used})

    symptom(wrong, called, "right by itself, wrong after", thread)(IncompleteKey)


# Precision


def _rounded(array: Any, kind: Any) -> Any:
    return array if array is None or array.dtype.kind == "i" else array.astype(kind).astype(array.dtype)


def _to_tf32(array: Any) -> Any:
    """Round to 11 significand bits, ties to even."""
    if array is None:
        return None
    mantissa, exponent = np.frexp(array.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 2**11), exponent - 11).astype(array.dtype)


def _reduced(called: str, before: Callable[[Any], Any], after: Callable[[Any], Any]) -> Function:
    """Return the function `called` with other arguments, and with other results."""

    def reduced(*arrays: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            results = _function(called)(*map(before, arrays), **attributes)
            return type(results)(*map(after, results)) if isinstance(results, tuple) else after(results)

    return reduced


def _same(array: Any) -> Any:
    return array


def _half(array: Any) -> Any:
    return _rounded(array, np.float16)


def _brain(array: Any) -> Any:
    return _rounded(array, ml_dtypes.bfloat16)


def in_tf32(wrong: Catalogue, called: str) -> None:
    """Collect the function `called` with arguments of 11 bits."""
    cause = "The library's switch for TF32 is on, as it is by default for convolutions on a GPU."
    wrong(called, "computed in TF32", cause)(_reduced(called, _to_tf32, _same))


def in_half(wrong: Catalogue, called: str) -> None:
    """Collect the function `called` with arguments and results of 16 bits, in both formats."""
    cause = "An intermediate is stored in the smaller format, by autocast for example."
    wrong(called, "computed in float16", cause)(_reduced(called, _half, _half))
    wrong(called, "computed in bfloat16", cause)(_reduced(called, _brain, _brain))


def in_double(wrong: Catalogue, called: str) -> None:
    """Collect the function `called` where it returns float64, whatever the dtype."""

    def function(*arrays: Any, **attributes: Any) -> Any:
        given = [array if array is None or array.dtype.kind == "i" else array.astype(np.float64) for array in arrays]
        return _function(called)(*given, **attributes)

    symptom(wrong, called, "must have dtype")(function)


# What isn't finite


def nan_lost(wrong: Catalogue, called: str, thread: str | None = None) -> None:
    """Collect the function `called` where it takes NaN for 0."""

    def losing(*arrays: Any, **attributes: Any) -> Any:
        given = [np.where(np.isnan(array), array.dtype.type(0), array) for array in arrays[:1]]
        return _function(called)(*given, *arrays[1:], **attributes)

    cause = "The compiler was told that there is no NaN, or a comparison with NaN is false where it should be true."
    wrong(called, "NaN lost", cause, thread=thread)(losing)


def saturating(wrong: Catalogue, called: str) -> None:
    """Collect the function `called` where it has no infinity."""

    def saturating(*arrays: Any, **attributes: Any) -> Any:
        first = arrays[0]
        limit = np.asarray(np.float32(3e38), first.dtype)
        given = np.where(np.isinf(first), np.copysign(limit, first), first)
        return _function(called)(given, *arrays[1:], **attributes)

    cause = "Values are clamped to the format's largest number, as integer code paths do."
    wrong(called, "infinity replaced by the largest number", cause)(saturating)


# What isn't checked


def raising_on_an_empty_batch(wrong: Catalogue, called: str, thread: str | None = None) -> None:
    """Collect the function `called` where it refuses an empty array."""

    def raising(*arrays: Any, **attributes: Any) -> Any:
        if arrays[0].size == 0:
            raise RuntimeError("expected a non-empty tensor")
        return _function(called)(*arrays, **attributes)

    wrong(called, "empty batch refused", "A size of 0 is taken for a mistake.", thread=thread)(raising)


def fitted(array: Array, shape: Sequence[int]) -> Array:
    """Return `array` read as if it had `shape`."""
    return np.asarray(np.resize(array, shape), array.dtype)
