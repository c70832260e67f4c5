"""Calls that make no sense, each with the rule that it breaks: a valid case of which one thing is changed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from properties.case import Case
from properties.strategies import cases
from refconv.arguments import LARGEST, Array

Change = Callable[[Case], dict[str, object]]


@dataclass(frozen=True, repr=False)
class InvalidCase:
    """A call that must be refused because `argument` breaks `rule`.

    What the refusal says begins ``{argument} must {rule}``.
    """

    operator: str
    inputs: tuple[Any, ...]
    attributes: Mapping[str, object]
    grad_output: Any
    argument: str
    rule: str

    def __repr__(self) -> str:
        """Show the call and the rule that it breaks."""
        inputs = [f"{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value) for value in self.inputs]
        attributes = [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"{self.operator}({', '.join([*inputs, *attributes])}): {self.argument} must {self.rule}"


class _Breakage(NamedTuple):
    argument: str
    rule: str
    change: Change  # gives the arguments to replace, none of them where it can't be done to the case


def invalid_cases(operator: str, *, dtype: str = "float32") -> st.SearchStrategy[InvalidCase]:
    """Draw calls of `operator` that make no sense.

    Each differs from a valid case in one argument, or in those that don't go together. Shrinks towards the smallest
    case.
    """
    rows = st.sampled_from([*_COMMON, *_OWN[operator]])
    return st.tuples(cases(operator, dtype=dtype), rows).map(_broken)


def _broken(drawn: tuple[Case, _Breakage]) -> InvalidCase:
    case, breakage = drawn
    if not breakage.change(case):
        breakage = _COMMON[0]
    changed = breakage.change(case)
    rule = breakage.rule.format(rank=_rank(case), ndim=_rank(case) + 2, in_channels=_shape(case, "input")[1])
    return InvalidCase(
        case.operator,
        tuple(changed.get(name, array) for name, array in zip(case.row.inputs, case.inputs, strict=True)),
        {name: changed.get(name, value) for name, value in case.attributes.items()},
        changed.get("grad_output", case.grad_output),
        breakage.argument,
        rule,
    )


def _rank(case: Case) -> int:
    return case.grad_output.ndim - 2


def _shape(case: Case, name: str) -> tuple[int, ...]:
    array = case.arrays[name]
    assert array is not None
    return array.shape


def _set(name: str, value: object) -> Change:
    return lambda _: {name: value}


def _one_axis(name: str, value: object, other: object) -> Change:
    """`value` for the last axis alone."""
    return lambda case: {name: (*(other,) * (_rank(case) - 1), value)}


def _too_many(name: str) -> Change:
    return lambda case: {name: (1,) * (_rank(case) + 1)}


def _array(name: str, make: Callable[[Array], object]) -> Change:
    def change(case: Case) -> dict[str, object]:
        array = case.arrays[name]
        return {} if array is None else {name: make(array)}

    return change


def _longer(axis: int) -> Callable[[Array], Array]:
    return lambda array: np.concatenate([array, array], axis)


def _without(axis: int) -> Callable[[Array], Array]:
    return lambda array: np.zeros(
        [0 if i == axis % array.ndim else length for i, length in enumerate(array.shape)], array.dtype
    )


def _zeros(kind: type) -> Callable[[Array], Array]:
    return lambda array: np.zeros(array.shape, kind)


def _other_float(array: Array) -> Array:
    return array.astype(np.float64 if array.dtype == np.float32 else np.float32)


def _if_rank(least: int, changed: dict[str, object]) -> Change:
    return lambda case: changed if _rank(case) >= least else {}


def _too_small(case: Case) -> dict[str, object]:
    kernel = (*(1,) * (_rank(case) - 1), _shape(case, "input")[-1] + 1)
    return {"weight": np.zeros((*_shape(case, "weight")[:2], *kernel), case.dtype), "padding": 0}


def _beyond_size(mode: str, more: int) -> Change:
    def change(case: Case) -> dict[str, object]:
        return {"padding_mode": mode, "padding": (*(0,) * (_rank(case) - 1), _shape(case, "input")[-1] + more)}

    return change


def _same_with_stride(case: Case) -> dict[str, object]:
    return {"padding": "same", "stride": (*(1,) * (_rank(case) - 1), 2)}


def _cropped(case: Case) -> dict[str, object]:
    return {"padding": math.prod(case.grad_output.shape[2:]) + 10**6, "output_padding": 0}


_NO_INTS: tuple[object, ...] = (1.5, math.nan, "2", None, True, {})
_POSITIVE = "be between 1 and 2147483647"
_INTS = "be an int or a sequence of {rank} ints"
_PADDINGS = "be an int or a sequence of {rank} ints or (before, after) pairs"
_FLOATS = "have dtype float32, float64 or complex128"

_COMMON = [
    *[
        _Breakage(name, _POSITIVE, _set(name, value))
        for name in ("stride", "dilation")
        for value in (0, -1, LARGEST + 1, 2**200)
    ],
    *[_Breakage(name, _POSITIVE, _one_axis(name, value, 1)) for name in ("stride", "dilation") for value in (0, -2)],
    *[_Breakage(name, _INTS, _set(name, value)) for name in ("stride", "dilation") for value in _NO_INTS],
    *[_Breakage(name, _INTS, _too_many(name)) for name in ("stride", "dilation")],
    *[_Breakage("padding", "be between 0 and 2147483647", _set("padding", value)) for value in (-1, LARGEST + 1)],
    *[_Breakage("padding", "be between 0 and 2147483647", _one_axis("padding", value, 0)) for value in (-1, (0, -1))],
    *[_Breakage("padding", _PADDINGS, _one_axis("padding", value, 0)) for value in ((1, 2, 3), None, math.nan, "1")],
    *[_Breakage("padding", _PADDINGS, _set("padding", value)) for value in (1.5, math.nan, None, True)],
    _Breakage("padding", _PADDINGS, _too_many("padding")),
    *[_Breakage("groups", _POSITIVE, _set("groups", value)) for value in (0, -1, LARGEST + 1)],
    *[_Breakage("groups", "be an int", _set("groups", value)) for value in (*_NO_INTS, (1,))],
    _Breakage("groups", "divide in_channels={in_channels}", lambda case: {"groups": _shape(case, "input")[1] + 1}),
    *[
        _Breakage(name, "be a NumPy array", _array(name, make))
        for name in ("input", "weight", "bias", "grad_output")
        for make in (lambda array: array.tolist(), lambda _: "array", lambda array: memoryview(array))
    ],
    *[_Breakage(name, "be a NumPy array", _set(name, None)) for name in ("input", "weight", "grad_output")],
    *[
        _Breakage(name, _FLOATS, _array(name, _zeros(kind)))
        for name in ("input", "weight", "bias", "grad_output")
        for kind in (np.int64, np.bool_, np.float16, object)
    ],
    *[
        _Breakage(name, "have the dtype of input", _array(name, _other_float))
        for name in ("weight", "bias", "grad_output")
    ],
    _Breakage(
        "input",
        "have 3 to 5 axes",
        _array("input", lambda array: array.reshape(array.shape[0], math.prod(array.shape[1:]))),
    ),
    _Breakage(
        "input",
        "have 3 to 5 axes",
        _array("input", lambda array: array.reshape(*array.shape, *(1,) * (6 - array.ndim))),
    ),
    _Breakage("weight", "have {ndim} axes, as input has", _array("weight", lambda array: array[..., None])),
    _Breakage("weight", "have {ndim} axes, as input has", _array("weight", lambda array: array[0])),
    *[
        _Breakage("input", "have at least 1 channel and spatial sizes of at least 1", _array("input", _without(axis)))
        for axis in (1, -1)
    ],
    *[
        _Breakage("weight", "have at least 1 channel and kernel sizes of at least 1", _array("weight", _without(axis)))
        for axis in (0, 1, -1)
    ],
    _Breakage("bias", "have shape", _array("bias", _longer(0))),
    _Breakage("bias", "have shape", _array("bias", lambda array: array[None])),
    *[
        _Breakage("grad_output", "have shape", _array("grad_output", make))
        for make in (_longer(1), _longer(-1), lambda array: array[0:0, 0])
    ],
]

_OWN: Mapping[str, list[_Breakage]] = {
    "conv": [
        _Breakage("padding", "be 'valid' or 'same' if it is a word", _set("padding", "full")),
        _Breakage("stride", "be 1 where padding is 'same'", _same_with_stride),
        *[
            _Breakage("padding_mode", "be one of 'zeros', 'reflect'", _set("padding_mode", value))
            for value in ("mirror", "", None, 0)
        ],
        _Breakage("padding", "be smaller than the input's size", _beyond_size("reflect", 0)),
        _Breakage("padding", "be at most the input's size", _beyond_size("circular", 1)),
        _Breakage("weight", "have in_channels / groups = ", _array("weight", _longer(1))),
        _Breakage("weight", "span at most the padded input's size", _too_small),
        _Breakage(
            "output",
            "fit into a quarter of memory",
            _if_rank(2, {"padding": LARGEST, "padding_mode": "zeros", "stride": 1}),
        ),
        _Breakage(
            "padded input",
            "fit into a quarter of memory",
            _if_rank(2, {"padding": LARGEST, "padding_mode": "replicate", "stride": LARGEST}),
        ),
    ],
    "conv_transpose": [
        _Breakage("padding", _PADDINGS, _set("padding", "same")),
        _Breakage("weight", "have in_channels={in_channels} on axis 0", _array("weight", _longer(0))),
        _Breakage("padding", "leave an output of at least 1 along each axis", _cropped),
        _Breakage("output_padding", "be between 0 and 2147483647", _set("output_padding", -1)),
        *[_Breakage("output_padding", _INTS, _set("output_padding", value)) for value in _NO_INTS],
        _Breakage("output_padding", "be smaller than stride", _set("output_padding", 10**6)),
        _Breakage(
            "output",
            "fit into a quarter of memory",
            _if_rank(2, {"stride": LARGEST, "output_padding": LARGEST - 1, "padding": 0}),
        ),
    ],
}
