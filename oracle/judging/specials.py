"""Where correct algorithms differ on what isn't finite, or as good as that: there either result is accepted.

- The definition skips a tap that falls on padding. Who pads with zeros, or inserts them for a stride, multiplies it,
  and zero times an infinity is NaN. For `conv` the elements that see such a product are known; elsewhere any may.
- A mask, a gate, a slope or a weight of interpolation may be 0: that is multiplied, or it selects.
- Norms, softmax and their like combine what isn't finite in many ways, of which all give something that isn't.
- Where they square, or exponentiate, the format's largest numbers overflow half way, or don't.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum

import ml_dtypes
import numpy as np

import refconv
from properties import Case
from properties.case import doubled
from refconv import Arithmetic
from refconv.arguments import Array
from refconv.geometry import read_window

_NO_WEIGHT = 1e-12
"""What a weight of interpolation that is 0 may be in float64."""


class Freedom(IntEnum):
    """What a result may be beside what the definition gives, where an input isn't finite."""

    NONE = 0
    PADDED = 1  # something that isn't finite where padding may have been multiplied
    SPREAD = 2  # something that isn't finite, as far as what is there reaches
    ALL = 3  # that, or anything at all where an input is so large that its square overflows


_ELEMENT = slice(0, 0)
_ROW = slice(-1, None)
_PLANE = slice(2, None)
_BATCH_ELEMENT = slice(1, None)
_ANYWHERE = slice(None)
"""The axes along which what lies in `input` or `grad_output` may spread."""

_ALIGNED = {"input", "grad_output", "output", "grad_input"}

_SPREAD: Mapping[str, slice] = {
    "conv_transpose": _BATCH_ELEMENT,
    "locally_connected": _BATCH_ELEMENT,
    "graph_conv": _BATCH_ELEMENT,
    "upsample": _PLANE,
    "blur_pool": _PLANE,
    "dropout": _ELEMENT,
    "highway": _ELEMENT,
}
_SPREAD_BACKWARD: Mapping[str, slice] = {
    "conv": _BATCH_ELEMENT,
    "relu": _ELEMENT,
    "leaky_relu": _ELEMENT,
    "sigmoid": _ELEMENT,
    "tanh": _ELEMENT,
    "max_pool": _PLANE,
    "adaptive_max_pool": _PLANE,
    "max_unpool": _PLANE,
    "pad": _PLANE,
    "linear": _ROW,
    "avg_pool": _PLANE,
    "adaptive_avg_pool": _PLANE,
}
_ALL: Mapping[str, slice] = {
    "lp_pool": _PLANE,
    "batch_norm": _ANYWHERE,
    "layer_norm": _ANYWHERE,
    "instance_norm": _PLANE,
    "group_norm": _BATCH_ELEMENT,
    "local_response_norm": _BATCH_ELEMENT,
    "squash": _ANYWHERE,
    "cross_entropy": _ANYWHERE,
    "mse_loss": _ANYWHERE,
    "non_local": _BATCH_ELEMENT,
    "capsule_routing": _ANYWHERE,
    "softmax": _ANYWHERE,
    "log_softmax": _ANYWHERE,
}


def freedom(operator: str, direction: str) -> Freedom:
    """Return what is accepted of an operator's function."""
    if operator in _ALL:
        return Freedom.ALL
    if operator in _SPREAD or (direction == "backward" and operator in _SPREAD_BACKWARD):
        return Freedom.SPREAD
    return Freedom.PADDED if operator == "conv" else Freedom.NONE


def accepted(name: str, got: Array, value: Array, case: Case, direction: str, arithmetic: Arithmetic) -> Array:
    """Return which elements of the result called `name` are as good as the `value` that the definition gives."""
    with np.errstate(all="ignore"):
        return _accepted(name, got, value, case, direction, arithmetic)


def _accepted(name: str, got: Array, value: Array, case: Case, direction: str, arithmetic: Arithmetic) -> Array:
    infinite = ~np.isfinite(got)
    overflowed = infinite & np.isfinite(value) & (abs(value) > arithmetic.largest)
    given = [
        array.astype(np.float64) for array in case.arrays.values() if array is not None and array.dtype.kind != "i"
    ]
    if all(np.isfinite(array).all() and abs(array).max(initial=0) < arithmetic.largest / 4 for array in given):
        return overflowed
    if arithmetic.normwise:  # a transform may spread it over all that it combines
        return np.ones(value.shape, bool)
    free = freedom(case.operator, direction)
    huge = max(float(np.max(abs(array), initial=0, where=np.isfinite(array))) for array in given)
    if free == Freedom.ALL and huge > np.sqrt(arithmetic.largest) / 4:
        return _reached(name, value, case, np.sqrt(arithmetic.largest) / 4)
    unknown = ~np.isfinite(value)
    if all(np.isfinite(array).all() for array in given):
        overflowed = overflowed | unknown  # the definition itself has overflowed, by its own order
    if free == Freedom.NONE:
        return overflowed
    left_out = unknown & _weightless(name, case) if case.operator == "upsample" else False
    good: Array = overflowed | left_out | (infinite & _spread(name, value, case, free))
    return good


def _spread(name: str, value: Array, case: Case, free: Freedom) -> Array | bool:
    """Return where what isn't finite may have come to, in place of a number."""
    if case.operator == "conv" and name != "grad_input":
        return _with_padding(name, value, case)
    return free >= Freedom.SPREAD and _reached(name, value, case)


def _reached(name: str, value: Array, case: Case, largest: float = np.inf) -> Array:
    """Return which elements may see a number beyond `largest`, or one that isn't finite, or as good as that."""
    axes = {**_SPREAD, **_SPREAD_BACKWARD, **_ALL}[case.operator]
    reached = np.zeros(value.shape, bool)
    for given, array in case.arrays.items():
        if array is None or array.dtype.kind == "i":
            continue
        marked = (_marked(array) > 0) | (abs(array.astype(np.float64)) > largest)
        if axes == _ELEMENT or (axes != _ANYWHERE and given in _ALIGNED and name in _ALIGNED):
            reached |= marked.any(axis=tuple(range(array.ndim)[axes]), keepdims=True)
        else:
            reached |= marked.any()
    return reached


def _weightless(name: str, case: Case) -> Array:
    """Return where `upsample` gives what isn't finite no weight, so that it may be left out."""
    row, attributes = case.row, case.attributes
    if name == "output":
        weights = row.forward(*(_marked(array) for array in case.inputs if array is not None), **attributes)
    else:
        weights = row.backward(_marked(case.grad_output), *map(doubled, case.inputs), **attributes)[0]
    weightless: Array = abs(weights) < _NO_WEIGHT
    return weightless


def _with_padding(name: str, value: Array, case: Case) -> Array:
    """Return where something that isn't finite is multiplied with padding, if that is."""
    rule = _RULES.get((case.operator, name))
    if rule is None:
        return np.zeros(value.shape, bool)
    return rule(case, {name: array for name, array in case.arrays.items() if array is not None})


def _marked(array: Array) -> Array:
    """Return 1 where `array` isn't finite, or isn't any more once it is rounded to fewer bits, else 0."""
    return 1.0 - (abs(array.astype(np.float64)) < float(ml_dtypes.finfo(array.dtype).max) / 2)


def _on_padding(case: Case, arrays: Mapping[str, Array]) -> tuple[Array, dict[str, object]]:
    """Return 1 where a convolution's padding is, else 0, as a signal that is padded already, with the attributes."""
    window = read_window(
        arrays["weight"].shape[2:],
        **{name: case.attributes[name] for name in ("stride", "padding", "dilation")},
        words=True,
    )
    sides = tuple(zip(*[iter(np.ravel(window.padding).tolist())] * 2, strict=True))[-(arrays["input"].ndim - 2) :]
    padding = refconv.pad(np.zeros(arrays["input"].shape), padding=sides, mode="constant", value=1.0)
    return padding, {**case.attributes, "padding": 0, "padding_mode": "zeros"}


def _weight_on_padding(case: Case, arrays: Mapping[str, Array]) -> Array:
    padding, attributes = _on_padding(case, arrays)
    return refconv.conv(padding, _marked(arrays["weight"]), **attributes) > 0  # type: ignore[arg-type]  # of a case


def _gradient_on_padding(case: Case, arrays: Mapping[str, Array]) -> Array:
    padding, attributes = _on_padding(case, arrays)
    gradient, weight = _marked(arrays["grad_output"]), arrays["weight"].astype(np.float64)
    return refconv.conv_backward(gradient, padding, weight, **attributes).weight > 0  # type: ignore[arg-type]  # of a case


_RULES: Mapping[tuple[str, str], Callable[[Case, Mapping[str, Array]], Array]] = {
    ("conv", "output"): _weight_on_padding,
    ("conv", "grad_weight"): _gradient_on_padding,
}
