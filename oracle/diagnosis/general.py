"""Mistakes that are made with any operator: state, memory, precision, what isn't finite, what isn't checked."""

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

import refconv
from oracle.diagnosis.symptoms import NAMES
from oracle.diagnosis.variant import Catalogue
from refconv.arguments import Array

wrong = Catalogue()

_CACHE = "the cache of compiled graphs lacks an attribute in its key"
_STRIDES = "The buffer is read in the order of the shape; strides, or the memory format, aren't looked at."


def _function(called: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(refconv, called)
    return function


def _symptom(called: str, words: str, thread: str | None = None) -> Callable[[Any], Any]:
    name, cause = NAMES[words]
    return wrong(called, name, cause, thread=thread, symptom=True)


# Memory


def _modifying(called: str, number: int, thread: str | None = None) -> None:
    def modifying(*arrays: Array | None, **attributes: Any) -> Any:
        results = _function(called)(*arrays, **attributes)
        used = arrays[number]
        if used is not None and used.flags.writeable:
            used *= 2
        return results

    _symptom(called, "in place", thread)(modifying)


_modifying("conv", 1)
_modifying("relu", 0)
_modifying("batch_norm", 0)
_modifying("softmax_backward", 0)
_modifying("layer_norm_backward", 0, "ml-explore/mlx#941")


def _handing_back(called: str, trivial: Callable[..., bool]) -> None:
    def handing_back(input: Array, *others: Any, **attributes: Any) -> Any:
        return input if trivial(**attributes) else _function(called)(input, *others, **attributes)

    _symptom(called, "shares memory with")(handing_back)


_handing_back("dropout", lambda p: p == 0)
_handing_back("pad", lambda padding, **_: not np.any(padding))
_handing_back("channel_shuffle", lambda groups: groups == 1)


def _in_memory_order(array: Array | None) -> Array | None:
    """Return an array whose elements are taken as they lie in memory."""
    return None if array is None else array.ravel(order="K").reshape(array.shape)


def _strides_ignored(called: str, number: int, name: str, thread: str | None = None) -> None:
    def ignoring(*arrays: Array | None, **attributes: Any) -> Any:
        read = [_in_memory_order(array) if place == number else array for place, array in enumerate(arrays)]
        return _function(called)(*read, **attributes)

    wrong(called, f"memory layout of {name} ignored", _STRIDES, thread=thread)(ignoring)


_strides_ignored("conv", 0, "input", "pytorch/executorch#22951")
_strides_ignored("conv", 1, "weight", "pytorch/pytorch#192212")
_strides_ignored("conv_backward", 0, "grad_output")
_strides_ignored("conv_backward", 2, "weight", "huggingface/candle#3735")
_strides_ignored("conv_transpose", 1, "weight", "pytorch/pytorch#99519")
_strides_ignored("batch_norm", 0, "input", "pytorch/pytorch#62594")
_strides_ignored("batch_norm_backward", 0, "grad_output", "pytorch/pytorch#175189")
_strides_ignored("avg_pool_backward", 0, "grad_output", "pytorch/pytorch#188344")
_strides_ignored("max_pool", 0, "input")
_strides_ignored("softmax", 0, "input")


# State


def _stale(called: str, kept: int, thread: str | None = None) -> None:
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

    _symptom(called, "right by itself, wrong after", thread)(Stale)


_stale("conv", 1)
_stale("linear", 1)
_stale("batch_norm_backward", 1)


def _incomplete_key(called: str, lacking: str, thread: str | None = None) -> None:
    class IncompleteKey:
        """Keeps an attribute of the first call with the same shapes and other attributes."""

        def __init__(self) -> None:
            self.known: dict[object, Any] = {}

        def __call__(self, *arrays: Any, **attributes: Any) -> Any:
            others = sorted((name, repr(value)) for name, value in attributes.items() if name != lacking)
            key = (*(array is not None and array.shape for array in arrays), *others)
            used = self.known.setdefault(key, attributes[lacking])
            return _function(called)(*arrays, **{**attributes, lacking: used})

    _symptom(called, "right by itself, wrong after", thread)(IncompleteKey)


_incomplete_key("avg_pool", "divisor_override", "kulinseth/pytorch#273")
_incomplete_key("avg_pool_backward", "count_include_pad", "kulinseth/pytorch#273")
_incomplete_key("group_norm", "eps")
_incomplete_key("leaky_relu", "negative_slope")


class _Unsteady:
    """Claims to be deterministic, and adds up in an order that changes from call to call."""

    deterministic = True

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, input: Array, weight: Array, bias: Array | None = None) -> Array:
        self.calls += 1
        half = input.shape[-1] // 2
        order = slice(None) if self.calls % 2 else slice(None, None, -1)
        parts = [(input[..., :half], weight[:, :half]), (input[..., half:], weight[:, half:])][order]
        output = np.zeros((*input.shape[:-1], len(weight)), input.dtype)
        for values, factors in parts:
            for place in range(values.shape[-1])[order]:
                output += values[..., place, None] * factors[:, place]
        return output if bias is None else output + bias


_symptom("linear", "not the same bits for the same input", "oneapi-src/oneDNN@6782adca7e")(_Unsteady)


# Precision


def _rounded(array: Any, kind: Any) -> Any:
    return array if array is None or array.dtype.kind == "i" else array.astype(kind).astype(array.dtype)


def _to_tf32(array: Any) -> Any:
    """Round to 11 significand bits, ties to even."""
    if array is None:
        return None
    mantissa, exponent = np.frexp(array.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 2**11), exponent - 11).astype(array.dtype)


def _reduced(called: str, name: str, cause: str, before: Callable[[Any], Any], after: Callable[[Any], Any]) -> None:
    def reduced(*arrays: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            results = _function(called)(*map(before, arrays), **attributes)
            return type(results)(*map(after, results)) if isinstance(results, tuple) else after(results)

    wrong(called, name, cause)(reduced)


def _same(array: Any) -> Any:
    return array


def _half(array: Any) -> Any:
    return _rounded(array, np.float16)


def _brain(array: Any) -> Any:
    return _rounded(array, ml_dtypes.bfloat16)


_TF32 = "The library's switch for TF32 is on, as it is by default for convolutions on a GPU."
_STORED = "An intermediate is stored in the smaller format, by autocast for example."
for _called in ("conv", "conv_backward", "linear"):
    _reduced(_called, "computed in TF32", _TF32, _to_tf32, _same)
for _called in ("conv", "conv_backward", "linear", "avg_pool", "batch_norm", "softmax"):
    _reduced(_called, "computed in float16", _STORED, _half, _half)
    _reduced(_called, "computed in bfloat16", _STORED, _brain, _brain)


@wrong("linear", "sums in float16", "The accumulator has the dtype of the factors, or a library's flag allows it to.")
def _sums_in_half(input: Array, weight: Array, bias: Array | None = None) -> Array:
    total = np.zeros((*input.shape[:-1], len(weight)), np.float16)
    with np.errstate(all="ignore"):
        for place in range(weight.shape[1]):
            total += (input[..., place, None] * weight[:, place]).astype(np.float16)
    output = total.astype(input.dtype)
    return output if bias is None else output + bias


def _in_double(called: str) -> None:
    def in_double(*arrays: Any, **attributes: Any) -> Any:
        given = [array if array is None or array.dtype.kind == "i" else array.astype(np.float64) for array in arrays]
        return _function(called)(*given, **attributes)

    _symptom(called, "must have dtype")(in_double)


for _called in ("conv", "avg_pool", "layer_norm_backward"):
    _in_double(_called)


# What isn't finite


def _nan_lost(called: str, thread: str | None = None) -> None:
    def losing(*arrays: Any, **attributes: Any) -> Any:
        given = [np.where(np.isnan(array), array.dtype.type(0), array) for array in arrays[:1]]
        return _function(called)(*given, *arrays[1:], **attributes)

    cause = "The compiler was told that there is no NaN, or a comparison with NaN is false where it should be true."
    wrong(called, "NaN lost", cause, thread=thread)(losing)


_nan_lost("conv", "oneapi-src/oneDNN@7400e16156")
_nan_lost("avg_pool")
_nan_lost("upsample")


def _saturating(called: str) -> None:
    def saturating(*arrays: Any, **attributes: Any) -> Any:
        first = arrays[0]
        limit = np.asarray(np.float32(3e38), first.dtype)
        given = np.where(np.isinf(first), np.copysign(limit, first), first)
        return _function(called)(given, *arrays[1:], **attributes)

    cause = "Values are clamped to the format's largest number, as integer code paths do."
    wrong(called, "infinity replaced by the largest number", cause)(saturating)


_saturating("relu")
_saturating("pad")
_saturating("concat")


@wrong("concat", "sign of zero lost", "Elements are moved by adding them to a result of zeros.")
def _added_to_zero(input: Array, other: Array, *, axis: int) -> Array:
    output: Array = refconv.concat(input, other, axis=axis) + input.dtype.type(0)
    return output


# What isn't checked


def _raising_on_an_empty_batch(called: str, thread: str | None = None) -> None:
    def raising(*arrays: Any, **attributes: Any) -> Any:
        if arrays[0].size == 0:
            raise RuntimeError("expected a non-empty tensor")
        return _function(called)(*arrays, **attributes)

    wrong(called, "empty batch refused", "A size of 0 is taken for a mistake.", thread=thread)(raising)


_raising_on_an_empty_batch("avg_pool", "pytorch/pytorch#12013")
_raising_on_an_empty_batch("adaptive_avg_pool", "pytorch/pytorch#38115")
_raising_on_an_empty_batch("conv", "pytorch/pytorch#19599")


def _fitted(array: Array, shape: Sequence[int]) -> Array:
    """Return `array` read as if it had `shape`."""
    return np.asarray(np.resize(array, shape), array.dtype)


@_symptom("linear", "must refuse")
def _linear_unchecked(input: Array, weight: Array, bias: Array | None = None) -> Array:
    weight = _fitted(weight, (len(weight), input.shape[-1]))
    return refconv.linear(input, weight, bias if bias is None else _fitted(bias, (len(weight),)))


@_symptom("conv", "must refuse", "onnx/onnx#8037")
def _conv_unchecked(input: Array, weight: Array, bias: Array | None = None, **attributes: Any) -> Array:
    try:
        return refconv.conv(input, weight, bias, **attributes)
    except refconv.InvalidValueError:
        return np.zeros((len(input), len(weight), *input.shape[2:]), input.dtype)


@_symptom("relu_backward", "must refuse")
def _relu_backward_unchecked(grad_output: Array, input: Array) -> Any:
    return refconv.relu_backward(_fitted(grad_output, input.shape), input)
