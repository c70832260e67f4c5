"""Cases as plain data, for JSON: what is read back is checked, and nothing of it is ever run.

    {"operator": "conv", "attributes": {"stride": [2, 1], ...}, "arrays": {"grad_output": ..., "input": ..., ...}}

An array is None, or has a dtype, a shape, a layout of `LAYOUTS`, and its elements: either `values`, in row-major order,
NaN and infinities spelled as words, or a `content` of `CONTENTS` and a `seed`.
"""

import math
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.arrays import CONTENTS, DTYPES, LAYOUTS, content, lay_out
from properties.case import Case, layout_of
from refconv import operators
from refconv.arguments import Array

LARGEST = 2**27
"""Elements of an array."""

_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_DTYPES = (*DTYPES, "int64")  # that of indices
_DEPTH = 3  # of an attribute: pairs for each axis are two deep


class FieldsError(ValueError):
    """Data that is no case; the message is one line."""


def to_fields(case: Case) -> dict[str, Any]:
    """Return `case` as plain data."""
    return {
        "operator": case.operator,
        "attributes": {name: _spelled(value) for name, value in case.attributes.items()},
        "arrays": {name: None if array is None else array_fields(array) for name, array in case.arrays.items()},
    }


def _spelled(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN


def array_fields(array: Array) -> dict[str, Any]:
    """Return an array as plain data, all of its values in it."""
    flat = np.ravel(array)
    values: list[Any] = flat.tolist()
    if not np.isfinite(flat).all():
        values = list(map(_spelled, values))
    return {"dtype": str(array.dtype), "shape": list(array.shape), "layout": layout_of(array), "values": values}


def from_fields(fields: object, *, makes_sense: bool = True) -> Case:
    """Return the case that plain data describes; one that the operator must refuse only if it needn't make sense.

    Raises
    ------
    FieldsError
        If it describes none, or one that the operator refuses.
    """
    known = _mapping("case", fields, {"operator", "attributes", "arrays"})
    operator = known["operator"]
    if not isinstance(operator, str) or operator not in operators:
        raise _refused("operator", f"be one of {', '.join(operators)}", operator)
    row = operators[operator]
    given = _mapping("attributes", known["attributes"], set(row.attributes))
    attributes = {name: _attribute(name, value, 0) for name, value in given.items()}
    described = _mapping("arrays", known["arrays"], {"grad_output", *row.inputs})
    optional = {"grad_output": False, **row.inputs}
    arrays: dict[str, Any] = {name: _array(name, described[name], optional[name]) for name in optional}
    case = Case(operator, tuple(arrays[name] for name in row.inputs), attributes, arrays["grad_output"])
    refusal = case.refusal("backward") if makes_sense else None
    if refusal is not None:
        raise FieldsError(f"{operator}: {refusal}")
    return case


def _attribute(name: str, value: object, depth: int) -> object:
    if isinstance(value, list) and depth < _DEPTH:
        return tuple(_attribute(name, entry, depth + 1) for entry in value)
    if value is None or isinstance(value, str | bool | int | float):
        return _SPECIAL.get(value, value) if isinstance(value, str) else value
    raise _refused(name, "be a number, a word, or lists of them", value)


def _array(name: str, fields: object, optional: bool) -> Array | None:
    if fields is None and optional:
        return None
    by_values = isinstance(fields, dict) and "values" in fields
    how = {"values"} if by_values else {"content", "seed"}
    known = _mapping(name, fields, {"dtype", "shape", "layout", *how})
    dtype, layout, shape = known["dtype"], known["layout"], known["shape"]
    if dtype not in _DTYPES:
        raise _refused(f"{name}.dtype", f"be one of {', '.join(_DTYPES)}", dtype)
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise _refused(f"{name}.layout", f"be one of {', '.join(LAYOUTS)}", layout)
    if not isinstance(shape, list) or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
        raise _refused(f"{name}.shape", "be a list of at most 8 sizes", shape)
    if math.prod(max(length, 1) for length in shape) > LARGEST:
        raise _refused(f"{name}.shape", f"have at most {LARGEST} elements", shape)
    make = _from_values if by_values else _from_seed
    array = make(name, known, tuple(shape), dtype)
    if layout != "contiguous" and array.ndim < 2:
        raise _refused(f"{name}.layout", "be contiguous where there is one axis", layout)
    return lay_out(array, layout)


def _from_values(name: str, known: Mapping[str, Any], shape: tuple[int, ...], dtype: str) -> Array:
    values = known["values"]
    if not isinstance(values, list) or len(values) != math.prod(shape):
        raise _refused(f"{name}.values", f"be a list of {math.prod(shape)} numbers", values)
    try:
        kinds = set(map(type, values))
        if not kinds <= ({int} if dtype == "int64" else {int, float, str}):
            raise TypeError
        numbers = [_SPECIAL[value] if isinstance(value, str) else value for value in values] if str in kinds else values
        with np.errstate(over="ignore"):
            return np.array(numbers, np.float64).astype(dtype).reshape(shape)
    except (KeyError, TypeError, OverflowError) as error:
        raise _refused(f"{name}.values", "be numbers, or the words nan, inf and -inf", values) from error


def _from_seed(name: str, known: Mapping[str, Any], shape: tuple[int, ...], dtype: str) -> Array:
    kind, seed = known["content"], known["seed"]
    if not isinstance(kind, str) or kind not in CONTENTS:
        raise _refused(f"{name}.content", f"be one of {', '.join(CONTENTS)}", kind)
    if type(seed) is not int or not 0 <= seed < 2**64:
        raise _refused(f"{name}.seed", "be an int from 0 to 2**64 - 1", seed)
    return content(kind, shape, dtype, seed)


def _mapping(name: str, fields: object, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(fields, dict) or set(fields) != names:
        raise _refused(name, f"have the fields {', '.join(sorted(names))}", fields)
    return fields


def _refused(name: str, rule: str, value: object) -> FieldsError:
    try:
        got = reprlib.repr(value)
    except ValueError:  # an int of too many digits
        got = type(value).__name__
    return FieldsError(" ".join(f"{name} must {rule}, got {got}".split()))
