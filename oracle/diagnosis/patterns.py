"""What comes out where it fails: which elements are wrong, and how they relate to the right ones, in a person's words.

What is said must be so in every failure that is looked at. Only elements beyond their bound are wrong.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from oracle.diagnosis.alternatives import alternatives
from oracle.judging.judge import Observation, Refused, expectation
from oracle.judging.values import right_elements
from properties import Case
from properties.case import all_finite
from refconv import InvalidTypeError, InvalidValueError
from refconv.arguments import Array

_LOOKED_AT = 8  # failures
_LARGEST = 20_000  # elements of a result that is looked at, where there are smaller ones
_TILES = (4, 8, 16, 32, 64, 128)
_NEAR = 64.0  # roundings of the largest element by which two results may differ
_CLOSER = 0.5  # share of the error that may be left
_NEARLY = 0.05  # relative error
_SLIGHT = 0.1  # relative error, of what is right but for its accuracy


class Wrong(NamedTuple):
    """A result that is wrong."""

    observation: Observation
    name: str
    got: Array  # in float64
    value: Array  # that it should have
    wrong: Array | None  # where it is; None if it has another shape

    @property
    def case(self) -> Case:
        """The call."""
        return self.observation.case

    @property
    def elements(self) -> Array:
        """Which elements are wrong: all of those of another shape."""
        return np.ones(self.got.shape, bool) if self.wrong is None else self.wrong

    def same(self, other: Array, limit: Array | float = 0.0) -> bool:
        """Whether `other` has what came out wherever that is wrong, within a limit, and closer than the right result.

        What is larger than what came out is cut: the sizes may be right though the values aren't.
        """
        if other.ndim != self.got.ndim or any(map(int.__lt__, other.shape, self.got.shape)):
            return False
        if other.shape != self.got.shape and self.wrong is None:
            return False
        cut = tuple(map(slice, self.got.shape))
        got, other = self.got[self.elements], other[cut].astype(np.float64)[self.elements]
        limit = limit if isinstance(limit, float) else limit[cut][self.elements]
        with np.errstate(all="ignore"):
            errors = abs(got - other)
            near = (errors <= _margin(self.observation, got) + np.nan_to_num(limit)) | (got == other)
            if self.wrong is not None:
                near &= ~(errors > _CLOSER * abs(got - self.value[self.wrong]))
        return bool((near | (np.isnan(got) & np.isnan(other))).all())


def _margin(observation: Observation, got: Array) -> float:
    """Return what two results may differ by, and be the same."""
    arithmetic = observation.arithmetic
    unit = max(arithmetic.product, arithmetic.accumulation, arithmetic.storage)
    return _NEAR * unit * float(abs(got[np.isfinite(got)]).max(initial=0.0))


def symptom(observations: Sequence[Observation]) -> str | None:
    """Return what comes out in `observations`, all of which failed; None if they have nothing in common to be said."""
    first = observations[0]
    if isinstance(first.expected, Refused) or first.outcome.status != "returned":
        return None  # the reason says it
    found = []
    for name in _wrong_names(first):
        some = _looked_at([wrong for observation in observations for wrong in _wrongs(observation, name)])
        how, where = _how(some), _where(some)
        if how or where:
            found.append((name, " ".join(filter(None, [how or "is wrong", where])).strip(",")))
    said: dict[str, list[str]] = {}
    for name, words in found:
        said.setdefault(words, []).append(name)
    return "; ".join(f"{' and '.join(names)} {words}" for words, names in said.items()) or None


def _wrong_names(observation: Observation) -> list[str]:
    assert not isinstance(observation.expected, Refused)
    return [name for name in observation.expected if list(_wrongs(observation, name))]


def _wrongs(observation: Observation, name: str) -> Iterator[Wrong]:
    """Yield the result called `name`, if it is wrong."""
    expected, got = observation.expected, observation.outcome.results.get(name)
    item = None if isinstance(expected, Refused) else expected.get(name)
    if item is None or got is None:
        return
    values = got.astype(np.float64)
    if got.shape != item.value.shape:
        yield Wrong(observation, name, values, item.value, None)
        return
    wrong = ~right_elements(name, got, item, observation.case, observation.direction, observation.arithmetic)
    if wrong.any():
        yield Wrong(observation, name, values, item.value, wrong)


def _looked_at(found: Sequence[Wrong]) -> list[Wrong]:
    """Return the first, and those with the most to see, such as hold numbers alone if the first does."""
    if all_finite(found[0].case.arrays.values()):
        found = [each for each in found if all_finite(each.case.arrays.values())]
    others = sorted(found[1:], key=lambda each: (each.got.size > _LARGEST, -np.count_nonzero(each.elements)))
    return [*found[:1], *others[: _LOOKED_AT - 1]]


# --- how


def _how(found: Sequence[Wrong]) -> str | None:
    """Return what is so in all of what was found, the plainest that is."""
    common = [*_relations(found[0]), *_as_if(found[0])]
    for other in found[1:]:
        if common:
            also = {*_relations(other), *_as_if(other, {*common})}
            common = [words for words in common if words in also]
    return common[0] if common else _slightly(found)


def _relations(wrong: Wrong) -> Iterator[str]:
    """Yield how wrong elements relate to the right ones."""
    if wrong.wrong is None:
        return
    got, value = wrong.got[wrong.wrong], wrong.value[wrong.wrong]
    if np.isnan(got).all():
        yield "is NaN"
        return
    if (got == 0).all():
        yield "is 0"
    if np.isinf(got).all():
        yield "is infinite"
    if wrong.same(-wrong.value):
        yield "is negated"
    if wrong.same(abs(wrong.value)):
        yield "is without its sign"
    yield from _scaled(wrong, got, value)
    yield from _arrays_themselves(wrong)
    yield from _clamped(wrong, got, value)
    yield from _moved(wrong)


def _scaled(wrong: Wrong, got: Array, value: Array) -> Iterator[str]:
    """Yield by what the right elements must be multiplied, or what must be added to them."""
    if not np.isfinite(got).all() or not np.isfinite(value).all():
        return
    largest = abs(value).argmax()
    if value[largest]:
        factor = float(got[largest] / value[largest])
        if wrong.same(wrong.value * factor) and factor not in (0, 1):
            yield from _factors(wrong, factor)
    least = abs(value).argmin()  # whose sum loses least
    added = float(got[least] - value[least])
    if wrong.same(wrong.value + added) and len({*value.tolist()}) > 1:
        yield f"is {abs(added):.2g} too {'large' if added > 0 else 'small'}"


def _factors(wrong: Wrong, factor: float) -> Iterator[str]:
    for words, size in _sizes(wrong.case):
        if size > 1 and abs(factor * size - 1) < 1e-3:
            yield f"is divided by {words}"
        if size > 1 and abs(factor / size - 1) < 1e-3:
            yield f"is multiplied by {words}"
    known = {2.0: "is doubled", 0.5: "is halved"}
    yield known.get(round(factor, 4), f"is {factor:.4g} times what it should be")


def _sizes(case: Case) -> Iterator[tuple[str, int]]:
    """Yield the numbers that things are divided by, rightly or not."""
    first = next(array for array in case.inputs if array is not None)
    if first.ndim > 1:
        yield "the batch size", first.shape[0]
        yield "the number of channels", first.shape[1]
    for name, array in case.arrays.items():
        if array is not None:
            yield f"the number of elements of {name}", array.size
    yield "the number of positions", int(np.prod(first.shape[2:]))
    yield "the number of rows", first.size // max(first.shape[-1], 1) if first.ndim else 1
    for name, value in case.attributes.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value
    weight = case.arrays.get("weight")
    if weight is not None and weight.ndim > 2:
        yield "the taps of the kernel", int(np.prod(weight.shape[2:]))


def _arrays_themselves(wrong: Wrong) -> Iterator[str]:
    for name, array in wrong.case.arrays.items():
        if array is not None and array.shape == wrong.got.shape and wrong.same(array):
            yield f"is {name} itself"


def _clamped(wrong: Wrong, got: Array, value: Array) -> Iterator[str]:
    """Yield the number beyond which nothing comes out, on both sides or on one."""
    limit, one = float(abs(got[0])), float(got[0])
    right = wrong.got[~wrong.wrong] if wrong.wrong is not None else wrong.got
    numbers = right[~np.isnan(right)]
    if not limit or not np.isfinite(limit):
        return
    beyond = (abs(got) == limit).all() and (abs(value) > limit).all() and (np.sign(got) == np.sign(value)).all()
    if beyond and (abs(numbers[np.isfinite(numbers)]) <= limit).all():
        yield f"is clamped at {limit:.6g}"
    if (got == one).all() and (value < one).all() and (numbers >= one).all():
        yield f"is never below {one:.6g}"
    if (got == one).all() and (value > one).all() and (numbers <= one).all():
        yield f"is never above {one:.6g}"


def _moved(wrong: Wrong) -> Iterator[str]:
    """Yield which other elements of the right result came out."""
    value = wrong.value
    units = _units(wrong, value.ndim)
    for axis, length in enumerate(value.shape):
        if length < 2:
            continue
        where = _along(value.ndim, axis)
        if wrong.same(np.flip(value, axis)):
            yield f"is reversed along {where}"
        first = value.take(np.zeros(length, int), axis)
        if wrong.same(first):
            yield f"is the first {units[axis]}'s"
        for step in (1, -1):
            if wrong.same(np.roll(value, step, axis)):
                yield f"is shifted by one along {where}"
    if value.size > 2 and value.size < _LARGEST and wrong.wrong is not None:
        got, right = (np.sort(each, axis=None) for each in (wrong.got, value))
        if len({*right.tolist()}) > 2 and bool(np.isfinite(got).all() and np.isfinite(right).all()):
            most = min(0.01 * abs(wrong.got - value).max(), _margin(wrong.observation, got))  # of what is in its place
            if bool((abs(got - right) <= most).all()):
                yield "is in another order"


def _as_if(wrong: Wrong, asked: set[str] | None = None) -> Iterator[str]:
    """Yield the calls that would have had this result, those that are `asked` for."""
    for words, other in alternatives(wrong.case, wrong.observation.direction):
        said = f"is as if {words}"
        if (asked is None or said in asked) and _is_of(wrong, other):
            yield said


def _is_of(wrong: Wrong, other: Case) -> bool:
    """Whether another call has the result that came out: nearly, which is soon seen, and within its bound."""
    observation = wrong.observation
    try:
        results = other.reference(observation.direction)
        place = list(observation.outcome.results).index(wrong.name)
        result = results[place] if place < len(results) else None
        if result is None or not wrong.same(result, np.asarray(_NEARLY * abs(result))):
            return False
        expected = expectation(other, observation.direction, observation.arithmetic)
    except (InvalidTypeError, InvalidValueError):
        return False
    item = None if isinstance(expected, Refused) else expected.get(wrong.name)
    return item is not None and wrong.same(item.value, item.bound.limit)


def _slightly(found: Sequence[Wrong]) -> str | None:
    """Return how large the error is, if it is slight."""
    errors = []
    for each in found:
        if each.wrong is None:
            return "has another shape"
        got, value = each.got[each.wrong], each.value[each.wrong]
        with np.errstate(all="ignore"):
            errors.append(float(np.max(abs(got - value) / abs(value))))
    largest = max(errors)
    if not largest <= _SLIGHT:
        return None
    return f"is less accurate than {found[0].observation.arithmetic.name}: off by up to {largest:.1g} of its value,"


# --- where


def _where(found: Sequence[Wrong]) -> str | None:
    """Return where it is wrong in all of what was found, the smallest region that says so; None for everywhere."""
    some = [each for each in found if each.wrong is not None]
    if len(some) < len(found) or all(each.wrong is not None and each.wrong.all() for each in some):
        return None
    regions = [dict(_regions(each)) for each in some]
    common = [words for words in regions[0] if all(words in known for known in regions)]
    telling = (words for words in common if any(known[words] for known in regions))
    return next(telling, None) or _values(some)


def _regions(wrong: Wrong) -> Iterator[tuple[str, bool]]:
    """Yield the regions that hold all that is wrong, and whether that says something: there is more beside them."""
    mask = wrong.wrong
    assert mask is not None
    units = _units(wrong, mask.ndim)
    for axis in reversed(range(mask.ndim)):
        length, unit = mask.shape[axis], units[axis]
        places = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if (places == length - 1).all():
            yield f"in the last {unit}", length > 1
        if (places == 0).all():
            yield f"in the first {unit}", length > 1
        if len(places) == 1:
            yield f"in {unit} {places[0]}", length > 1
        if ((places == 0) | (places == length - 1)).all():
            yield f"in the first and last {unit}", length > 2
        yield from _tails(places, length, f"{unit}s")
        if (places % 2 == 1).all():
            yield f"in every other {unit}", length > 2
    flat = np.flatnonzero(mask)
    if (flat == mask.size - 1).all():
        yield "in the last element", mask.size > 1
    yield from _tails(flat, mask.size, "elements")


def _tails(places: Array, length: int, what: str) -> Iterator[tuple[str, bool]]:
    """Yield what lies behind whole tiles, or behind the first of them."""
    for tile in reversed(_TILES):
        if length % tile and length > tile and (places >= length // tile * tile).all():
            yield f"beyond the last multiple of {tile} {what}", True
    for tile in reversed(_TILES):
        if length > tile and (places >= tile).all() and len(places) > (length - tile) // 2:
            yield f"beyond the first {tile} {what}", True


def _values(found: Sequence[Wrong]) -> str | None:
    """Return for which values of the input it is wrong, where each element has its own."""
    name = next(iter(found[0].case.row.inputs))
    arrays = [each.case.arrays[name] for each in found]
    if any(array is None or array.shape != each.got.shape for array, each in zip(arrays, found, strict=True)):
        return None
    values = np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])
    wrong = np.concatenate([each.elements.ravel() for each in found])
    bad, good = values[wrong], values[~wrong]
    if np.isnan(bad).all():
        return f"where {name} is NaN"
    good = good[np.isfinite(good)]
    if not np.isfinite(bad).all() or not good.size or ((good >= bad.min()) & (good <= bad.max())).any():
        return None
    if (good > bad.max()).all():
        return f"where {name} is {bad.max():.3g} or less"
    if (good < bad.min()).all():
        return f"where {name} is {bad.min():.3g} or more"
    return f"where {name} lies between {bad.min():.3g} and {bad.max():.3g}"


def _units(wrong: Wrong, axes: int) -> list[str]:
    """Return what the entries along each axis of a result are called."""
    first = ["output channel", "input channel"] if wrong.name == "grad_weight" else ["batch element", "channel"]
    spatial = ["plane", "row", "column"]
    return [*first, *[f"entry of axis {axis}" for axis in range(2, axes - 3)], *spatial[-max(axes - 2, 0) :]][:axes]


def _along(axes: int, axis: int) -> str:
    return "the last axis" if axis == axes - 1 else f"axis {axis}"
