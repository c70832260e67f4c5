"""What is true of a call: what conditions are made of.

A fact is a number, a word or a flag that a call has, with the phrases in which a person speaks of it. The features of
the operator's model are facts, and so are the sizes of arrays, how they lie in memory, and what they hold.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from properties import Case
from properties.models import MODELS
from properties.models.memory import address_of
from refconv.arguments import Array
from refconv.geometry import read_window

Value = float | str | bool


@dataclass(frozen=True)
class Fact:
    """What can be said of a call. In a phrase ``{n}`` is a number, ``{less}`` and ``{more}`` are those beside it."""

    name: str
    cost: float = field(default=1, compare=False)
    """How far-fetched it is: of two conditions that explain the same, the one of plainer facts is meant."""
    at_least: str = field(default="{name} > {less}", compare=False)
    at_most: str = field(default="{name} < {more}", compare=False)
    equal: str = field(default="{name} = {n}", compare=False)
    unequal: str = field(default="{name} other than {n}", compare=False)
    multiple: str = field(default="{name} a multiple of {n}", compare=False)
    ragged: str = field(default="{name} no multiple of {n}", compare=False)


@cache
def _flag(yes: str, no: str, cost: float = 1) -> Fact:
    """Return the fact of what is so, or isn't."""
    return Fact(yes, cost, equal=yes, unequal=no)


@cache
def _count(name: str, cost: float = 2) -> Fact:
    """Return the fact of how many there are of what is called `name`, in the plural."""
    return Fact(
        name,
        cost,
        at_least="{n} or more {name}",
        at_most="at most {n} {name}",
        equal="{n} {name}",
        unequal="{name} other than {n}",
        multiple="{name} that are a multiple of {n}",
        ragged="{name} that are no multiple of {n}",
    )


@cache
def _size(name: str, where: str = "", cost: float = 2) -> Fact:
    """Return the fact of a size, a number with an article: "a batch of 33 or more"."""
    return Fact(
        f"{name}{where}",
        cost,
        at_least=f"{name} of {{n}} or more{where}",
        at_most=f"{name} of at most {{n}}{where}",
        equal=f"{name} of {{n}}{where}",
        unequal=f"{name} other than {{n}}{where}",
        multiple=f"{name} that is a multiple of {{n}}{where}",
        ragged=f"{name} that is no multiple of {{n}}{where}",
    )


@cache
def _entry(name: str, where: str, cost: float) -> Fact:
    """Return the fact of an attribute's entry for some axis: "a dilation above 1 on the last axis"."""
    one = _one(name)
    return Fact(
        f"{name}{where}",
        cost,
        at_least=f"{one} above {{less}}{where}",
        at_most=f"{one} of at most {{n}}{where}",
        equal=f"{one} of {{n}}{where}",
        unequal=f"{one} other than {{n}}{where}",
    )


@cache
def _largest(name: str, cost: float) -> Fact:
    """Return the fact of an attribute's largest entry, mostly that of all axes."""
    return Fact(
        name,
        cost,
        at_least=f"{_one(name)} above {{less}}",
        at_most=f"no {name} above {{n}}",
        equal=f"a largest {name} of {{n}}",
        unequal=f"a largest {name} other than {{n}}",
    )


def _one(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


@cache
def _magnitude(array: str, cost: float) -> Fact:
    return Fact(
        f"magnitudes in {array}",
        cost,
        at_least=f"magnitudes of {{n}} or more in {array}",
        at_most=f"no magnitude above {{n}} in {array}",
        equal="",
        unequal="",
    )


_COUNTS = {
    "channels": "channels",
    "channels out": "output channels",
    "channels of a group": "channels in a group",
    "features in": "input features",
    "features out": "output features",
    "nodes": "nodes",
    "classes": "classes",
    "length": "values along the axis",
    "length of input": "values of input along the axis",
    "length of other": "values of other along the axis",
    "inner": "inner channels",
    "capsules in": "input capsules",
    "capsules out": "output capsules",
    "axes": "axes",
    "rank": "spatial axes",
}
_PRODUCTS = {
    "positions": "positions",
    "rows": "rows",
    "before": "rows before the axis",
    "after": "values behind the axis",
    "elements": "elements",
    "others": "rows",
    "normalized_shape": "normalized values",
    "kernel": "taps",
}
_NO_BASE = {"positions", "rows", "before", "after", "elements", "others", "normalized_shape"}
"""Tuples that are shapes: what counts is their product, and the last of them."""
_FLAGS = {
    "bias": ("bias is given", "no bias is given"),
    "self_weight": ("self_weight is given", "no self_weight is given"),
    "training": ("training", "not training"),
    "running": ("running statistics are given", "no running statistics are given"),
    "in full": ("an attribute with an entry for each axis", "attributes with one number for all axes"),
    "stride given": ("stride is given", "no stride is given"),
    "multiple of 16": ("a multiple of 16 elements", "elements that are no multiple of 16"),
}
_NAMES = {"resize": "scale", "slack": "rest beyond the last window"}
_FROM_ZERO = {"output_padding", "rest beyond the last window"}
"""Tuples in which 0 says nothing, as 1 does in others."""
_SPELLED_OUT = {"parameters", "running"}
"""Features of which inputs say the same."""
_INPUTS = {"weight", "bias", "running_mean", "running_var", "self_weight", "theta", "phi"}
_MANY = 100  # elements that tell, as a rule, whether all are equal
_CONTENTS: Mapping[str, Callable[[Array], Array]] = {
    "NaN": np.isnan,
    "infinity": np.isposinf,
    "-infinity": np.isneginf,
    "-0.0": lambda values: (values == 0) & np.signbit(values),
    "negative value": lambda values: values < 0,
    "zero": lambda values: values == 0,
}


def facts_of(case: Case, direction: str = "backward") -> dict[Fact, Value]:
    """Return what is true of a call; of a forward, nothing of `grad_output`, which it doesn't take."""
    arrays = {
        name: array
        for name, array in case.arrays.items()
        if array is not None and (direction == "backward" or name != "grad_output")
    }
    found: dict[Fact, Value] = {}
    for fact, value in chain(_of_model(case, arrays), _of_attributes(case), _of_arrays(case, arrays)):
        found.setdefault(fact, value)
    return found


# --- the model's features


def _of_model(case: Case, arrays: Mapping[str, Array]) -> Iterator[tuple[Fact, Value]]:
    model = MODELS[case.operator]
    choices = model.read(case)
    for feature in model.features:
        name, value = feature.name, choices[feature.name]
        hidden = name.startswith("layout of ") and name.removeprefix("layout of ") not in arrays
        if value is None or hidden or name in _SPELLED_OUT:
            continue
        if name == "padding" and isinstance(value, str):
            yield _word("padding"), value
            value = _padding_of(case, choices)
        if isinstance(value, tuple):
            yield from _of_axes(name, value, choices)
        elif isinstance(value, bool):
            yield _flag(*_FLAGS.get(name, (f"{name}", f"not {name}")), cost=3 if name == "in full" else 1), value
        elif isinstance(value, str):
            yield _word(name), value
        else:
            yield _number(name, case), value
    if "length of other" in choices:
        longer = choices["length of other"] > choices["length of input"]
        yield _flag("other longer than input along the axis", "other no longer than input along the axis"), longer
    if "groups" in case.attributes and "channels in" in choices:
        yield _count("input channels"), choices["channels in"] * choices["groups"]
    if "channels in" in choices and "kernel" in choices:
        yield _count("terms of a sum", 2.25), choices["channels in"] * prod(choices["kernel"])
    weight = arrays.get("weight")
    if weight is not None and weight.ndim > 1:
        yield _flag("a square weight", "a weight that isn't square", 2.25), weight.shape[0] == weight.shape[1]
    first = case.inputs[0]
    if first is not None and 2 < first.ndim == case.grad_output.ndim:
        yield from _of_sizes(first.shape[2:], case.grad_output.shape[2:])


def _of_sizes(given: tuple[int, ...], made: tuple[int, ...]) -> Iterator[tuple[Fact, Value]]:
    """Yield what is true of the spatial sizes that go in beside those that come out."""
    pairs = list(zip(given, made, strict=True))
    yield _flag("an axis that grows", "no axis that grows", 2.5), any(after > before for before, after in pairs)
    yield _flag("an axis that shrinks", "no axis that shrinks", 2.5), any(after < before for before, after in pairs)
    whole = all(max(pair) % max(min(pair), 1) == 0 for pair in pairs)
    yield _flag("sizes that are multiples of each other", "sizes that aren't multiples of each other", 2.5), whole


def _padding_of(case: Case, choices: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    attributes = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    return read_window(choices["kernel"], **attributes, words=True).padding


@cache
def _word(name: str) -> Fact:
    if name.startswith("layout of "):
        array = name.removeprefix("layout of ")
        return Fact(f"{name} in words", 2, equal=f"{array} laid out {{n}}", unequal=f"{array} not {{n}}")
    return Fact(f"{name} in words", equal=f"{name} {{n!r}}", unequal=f"{name} other than {{n!r}}")


def _number(name: str, case: Case) -> Fact:
    if name == "channels in":
        grouped = "groups" in case.attributes
        return _count("input channels of a group" if grouped else "input channels", cost=2.25 if grouped else 2)
    if name in _COUNTS:
        return _count(_COUNTS[name], cost=1.5 if name == "rank" else 2)
    if name == "batch":
        return _size("a batch")
    return Fact(name)


def _of_axes(name: str, value: tuple[Any, ...], choices: Mapping[str, Any]) -> Iterator[tuple[Fact, Value]]:
    """Yield what is true of a value with an entry, or a pair, for each axis."""
    if not value:
        return
    paired = isinstance(value[0], tuple)
    entries = tuple(map(max, value)) if paired else value
    if name in _PRODUCTS:
        yield _count(_PRODUCTS[name], cost=2.25), prod(entries)
    if name in _NO_BASE:
        yield _size("a size", f" of {name} on the last axis", cost=3), entries[-1]
        return
    far = 2 * (name == "slack")
    if name == "resize":
        entries = tuple(map(float, entries))
    name = _NAMES.get(name, name)
    base = int(not paired and name not in _FROM_ZERO)
    yield _largest(name, 1 + far), max(entries)
    yield _flag(f"{_one(name)} that differs between axes", f"the same {name} on all axes", 1.5 + far), len({*value}) > 1
    yield _entry(name, " on every axis", 2 + far), min(entries)
    if len(entries) > 1 and len({*entries}) == 1:
        yield _entry(name, " on all axes alike", 1.75 + far), entries[0]
    for word, place in (("first", 0), ("last", -1)):
        others = [entry for axis, entry in enumerate(entries) if axis != place % len(entries)]
        alone = entries[place] if all(entry == base for entry in others) else base
        yield _entry(name, f" on the {word} axis", 1.5 + far), entries[place]
        yield _entry(name, f" on the {word} axis alone", 1.75 + far), alone
    if paired:
        yield (
            _flag(f"a {name} that differs between sides", f"the same {name} on both sides"),
            any(one != other for one, other in value),
        )
        for word, side in (("before", 0), ("after", 1)):
            yield _entry(name, f" {word}", 2), max(pair[side] for pair in value)
    if name == "dilation" and "kernel" in choices:  # of a single tap it says nothing
        told = [apart for apart, taps in zip(value, choices["kernel"], strict=True) if taps > 1]
        yield _entry(name, " of more than one tap", 1.75), max(told, default=1)
    if name == "stride" and "kernel" in choices:
        pairs = list(zip(value, choices["kernel"], strict=True))
        yield _flag("windows that overlap", "no windows that overlap", 2), any(step < taps for step, taps in pairs)
        yield _flag("a stride above the kernel", "no stride above the kernel", 2), any(a > b for a, b in pairs)


# --- attributes and inputs


@cache
def _spelling(name: str) -> Fact:
    return Fact(f"how {name} is given", 1.25, equal=f"{name} given as {{n}}", unequal=f"{name} not given as {{n}}")


def _spelled(value: object) -> str:
    """Say how an attribute is given that may have an entry for each axis."""
    if isinstance(value, tuple):
        return "pairs" if any(isinstance(entry, tuple) for entry in value) else "a number for each axis"
    return "a word" if isinstance(value, str) else "one number"


def _of_attributes(case: Case) -> Iterator[tuple[Fact, Value]]:
    known = MODELS[case.operator].by_name
    for name, value in case.attributes.items():
        if case.row.attributes[name] is None:
            yield _flag(f"{name} is given", f"no {name} is given"), value is not None
        if isinstance(value, int | str | tuple) and not isinstance(value, bool):
            yield _spelling(name), _spelled(value)
        if name in known or value is None:
            continue
        if isinstance(value, bool):
            yield _flag(name, f"not {name}"), value
        elif isinstance(value, int | float):
            yield Fact(name), value
        elif isinstance(value, str):
            yield _word(name), value
    if "axis" in case.attributes:
        axes = case.grad_output.ndim
        axis = int(case.attributes["axis"]) % axes  # type: ignore[call-overload]  # an int
        yield Fact("the axis counted from the front", 1.25), axis
        yield _flag("the axis is the last", "the axis isn't the last"), axis == axes - 1
    for name, array in zip(case.row.inputs, case.inputs, strict=True):
        if name in _INPUTS:
            yield _flag(f"{name} is given", f"no {name} is given"), array is not None


# --- arrays


def _of_arrays(case: Case, arrays: Mapping[str, Array]) -> Iterator[tuple[Fact, Value]]:
    first = next(iter(case.row.inputs))
    for name, array in arrays.items():
        own = 0.0 if name == first else 0.5
        yield _count(f"elements of {name}", 3.5 + own), array.size
        if name in {first, "grad_output"}:
            for axis in range(2, array.ndim):
                yield _size(f"a size of {name}", f" on axis {axis}", 3 + own), array.shape[axis]
            channels = array.shape[1] if array.ndim > 1 else 1
            yield _size(f"a size of {name}", " on axis 1 (the channels)", 2.75 + own), channels
        if name in {first, "grad_output"} and array.ndim:
            yield _size(f"a size of {name}", " on the first axis (the batch)", 2.5 + own), array.shape[0]
            yield _size(f"a size of {name}", " on the last axis", 2.5 + own), array.shape[-1]
        yield _address(name, 4 + own), address_of(array)
        yield _flag(f"{name} isn't contiguous", f"{name} is contiguous", 2.25 + own), not array.flags.c_contiguous
        if array.dtype.kind != "i" and array.size:
            yield from _of_contents(name, array, own)
    yield _flag("an empty array", "no empty array", 0.75), any(array.size == 0 for array in arrays.values())
    held = [array.astype(np.float64) for array in arrays.values() if array.dtype.kind != "i"]
    for word, test in _CONTENTS.items():
        yield (
            _flag(f"{word} in an array", f"no {word} in any array", 1.75),
            any(bool(test(each).any()) for each in held),
        )
    whole = all(bool((np.isfinite(each) & (each == np.rint(each))).all()) for each in held)
    yield _flag("whole numbers alone", "fractions", 2), whole


@cache
def _address(name: str, cost: float) -> Fact:
    return Fact(
        f"address of {name}",
        cost,
        at_least="",
        at_most="",
        equal="",
        unequal="",
        multiple=f"{name} at a multiple of {{n}} bytes",
        ragged=f"{name} at no multiple of {{n}} bytes",
    )


def _of_contents(name: str, array: Array, own: float) -> Iterator[tuple[Fact, Value]]:
    values = array.astype(np.float64)
    for word, test in _CONTENTS.items():
        yield _flag(f"{word} in {name}", f"no {word} in {name}", 2 + own), bool(test(values).any())
    finite = values[np.isfinite(values)]
    alike = values.size > 1 and len({*values.ravel()[:_MANY].tolist()}) == 1 and bool((values == values.flat[0]).all())
    yield _flag(f"equal values alone in {name}", f"different values in {name}", 2.5 + own), alike
    if finite.size:
        yield _magnitude(name, 3.25 + own), float(abs(finite).max())
        yield _extreme(name, "greatest", own), float(finite.max())
        yield _extreme(name, "least", own), float(finite.min())
        spread = float(finite.std())
        yield (
            Fact(
                f"a mean of {name} over its deviation",
                4 + own,
                at_least=f"a mean of {name} of {{n}} or more deviations",
                at_most=f"a mean of {name} of at most {{n}} deviations",
                equal="",
                unequal="",
            ),
            abs(float(finite.mean())) / spread if spread else 0.0,
        )


@cache
def _extreme(name: str, which: str, own: float) -> Fact:
    at_least, at_most = f"no value below {{n}} in {name}", f"values of {{n}} or less in {name}"
    if which == "greatest":
        at_least, at_most = f"values of {{n}} or more in {name}", f"no value above {{n}} in {name}"
    return Fact(f"the {which} value in {name}", 3.25 + own, at_least=at_least, at_most=at_most, equal="", unequal="")
