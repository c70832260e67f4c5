"""The part of an operator's calls that an implementation is for, in the words of `properties.cases`.

``{"rank": 2, "groups": 1, "padding_mode": {"zeros", "reflect"}}``: a name is "rank", an attribute of the operator, or a
feature of its model; a value is one that it has, for a feature also the name of a class; a set holds alternatives.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from properties.case import Case
from properties.models import MODELS, Class, Model
from properties.narrowing import RANKS
from properties.strategies import cases
from refconv import operators
from refconv.words import did_you_mean

Domain = Mapping[str, object]
_FEATURES = {"kernel_size": "kernel"}
"""The features whose values attributes of another name hold."""


class DomainError(ValueError):
    """A domain that names what isn't known, or leaves nothing."""


def read_domain(only: Domain | None, names: Iterable[str], said: str = "only") -> dict[str, frozenset[Any]]:
    """Return the alternatives of each entry of `only`; each must be known of some operator of `names`.

    Raises
    ------
    DomainError
        For a name that none of the operators has, or no alternatives: `said` is what the message calls the domain.
    """
    names = list(names)
    read = alternatives(only or {}, said)
    _require_known(read, names, said)
    for operator in names:
        allowed_classes(MODELS[operator], read, said)
    return read


def narrowed_to(
    asked: Mapping[str, frozenset[Any]], own: Domain, names: Iterable[str], whose: str
) -> dict[str, frozenset[Any]]:
    """Return what is in both a domain that is asked for and an implementation's own, which offers `names`.

    Its own is of all that it is for, so it may name what operators have that aren't asked for.

    Raises
    ------
    DomainError
        Where its own makes no sense, or there is nothing in both.
    """
    said = f"the domain of {whose}"
    read = alternatives(own, said)
    _require_known(read, operators, said)
    for name in asked.keys() & read.keys():
        if not asked[name] & read[name]:
            raise DomainError(
                f"only must leave some {name} of {said}, {_listed(read[name])}, got {_listed(asked[name])}"
            )
    for operator in names:
        allowed_classes(MODELS[operator], read, said)
    return both(asked, read)


def _require_known(read: Mapping[str, frozenset[Any]], names: Iterable[str], said: str) -> None:
    known = sorted({word for operator in names for word in words_of(operator)})
    for name, values in read.items():
        if name not in known:
            raise DomainError(f"{said} must name some of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")
        if not values:
            raise DomainError(f"{said} must leave some {name}, got none")


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(repr, values)))


def alternatives(domain: Domain, said: str = "a domain") -> dict[str, frozenset[Any]]:
    """Return the values of each entry of a domain: those of a set, or the one that is given."""
    if not isinstance(domain, Mapping):
        raise DomainError(f"{said} must be a mapping, got {type(domain).__name__}")
    return {name: _alternatives(name, given, said) for name, given in domain.items()}


def _alternatives(name: str, given: object, said: str) -> frozenset[Any]:
    try:
        return frozenset(given if isinstance(given, set | frozenset) else [tuples(given)])
    except TypeError as error:
        raise DomainError(f"{said} must have a value for {name}, or a set of them, got {given!r}") from error


def both(one: Mapping[str, frozenset[Any]], other: Mapping[str, frozenset[Any]]) -> dict[str, frozenset[Any]]:
    """Return what is in both of two domains."""
    names = {**one, **other}
    return {name: one.get(name, other.get(name)) & other.get(name, one.get(name)) for name in names}  # type: ignore[operator]  # one of them has it


def words_of(operator: str) -> list[str]:
    """Return what a domain of `operator` may name."""
    return ["rank", *operators[operator].attributes, *(feature.name for feature in MODELS[operator].counted)]


def tuples(value: object) -> Any:
    """Return a value with tuples in place of its lists, as it was before JSON made these of them."""
    return tuple(map(tuples, value)) if isinstance(value, list | tuple) else value


def allowed_classes(model: Model, only: Mapping[str, frozenset[Any]], said: str = "only") -> dict[str, set[str]]:
    """Return, for each feature that `only` restricts, the classes that have a value that it allows.

    Raises
    ------
    DomainError
        Where it allows nothing that there is.
    """
    allowed: dict[str, set[str]] = {}
    for name, alternatives in only.items():
        feature = model.by_name.get(_FEATURES.get(name, name))
        if feature is None or not feature.counted:
            continue
        found = {
            known.name
            for known in feature.classes
            for value in alternatives
            if known.name == str(value) or any(_has(known, *form) for form in _forms(value, only, model))
        }
        if not found:
            classes = [known.name for known in feature.classes]
            hint = "".join(did_you_mean(value, classes) for value in alternatives if isinstance(value, str))
            rule = f"it must be of {', '.join(classes)}, got {_listed(alternatives)}{hint}"
            raise DomainError(f"{said} leaves no {name} of {model.operator}: {rule}")
        allowed[feature.name] = found
    return allowed


def _has(known: Class, value: Any, chosen: dict[str, Any]) -> bool:
    """Whether a value is of a class; one of another kind isn't."""
    try:
        return known.has(value, chosen)
    except (TypeError, IndexError):
        return False


def _forms(value: Any, only: Mapping[str, frozenset[Any]], model: Model) -> Iterable[tuple[Any, dict[str, Any]]]:
    """Yield `value` as features have it: as it is, an entry for each axis, or a pair for each."""
    for rank in (1, 2, 3):
        if "rank" in only and rank not in only["rank"]:
            continue
        if "rank" in model.by_name and isinstance(value, tuple) and len(value) != rank:
            continue
        chosen = _Any(rank=rank)
        yield value, chosen
        if isinstance(value, int) and not isinstance(value, bool):
            yield (value,) * rank, chosen
            yield ((value, value),) * rank, chosen
        if isinstance(value, tuple):
            yield tuple(entry if isinstance(entry, tuple) else (entry, entry) for entry in value), chosen


class _Any(dict[str, Any]):
    """Choices of which little is known: a class that asks for more gets what lets it say yes."""

    def __missing__(self, name: str) -> Any:
        return (1,) * self["rank"] if name in {"kernel", "stride", "dilation", "positions"} else 1


def fits(case: Case, only: Mapping[str, frozenset[Any]]) -> bool:
    """Whether `case` is within the domain; an entry that its operator doesn't know restricts nothing."""
    model = MODELS[case.operator]
    choices: dict[str, Any] | None = None
    for name, alternatives in only.items():
        if name in case.attributes and any(_same(case.attributes[name], value, _rank(case)) for value in alternatives):
            continue
        feature = model.by_name.get(name)
        if feature is None:
            if name in case.attributes:
                return False
            continue
        choices = model.read(case) if choices is None else choices
        value, known = choices[name], feature.class_of(choices)
        if value is not None and not any(known == each or (value == each) is True for each in alternatives):
            return False
    return True


def _rank(case: Case) -> int:
    first = case.inputs[0]
    return 0 if first is None else max(first.ndim - 2, 0)


def _same(given: object, value: Any, rank: int) -> bool:
    """Whether two values of an attribute mean the same: an int is one for each axis, a number before and after."""
    if given == value or isinstance(given, str | bool | None) or isinstance(value, str | bool | None):
        return bool(given == value)
    try:
        one, other = (_spread(each, rank) for each in (given, value))
    except ValueError:
        return False
    return bool(np.array_equal(one, other))


def _spread(value: Any, rank: int) -> Any:
    """Return a pair of numbers for each axis."""
    spread: list[Any] = list(value) if isinstance(value, list | tuple) else [value] * max(rank, 1)
    return np.array([entry if isinstance(entry, list | tuple) else (entry, entry) for entry in spread], float)


def narrowed_cases(
    operator: str,
    dtype: str,
    only: Mapping[str, frozenset[Any]],
    declined: Callable[[Case], bool] = lambda _: False,
    *,
    specials: bool = False,
) -> SearchStrategy[Case]:
    """Draw cases within a domain, but for those of which is known that they are declined."""
    drawn = cases(operator, dtype=dtype, specials=specials, **_narrowing(operator, only))
    return drawn.filter(lambda case: fits(case, only) and not declined(case))


def _narrowing(operator: str, only: Mapping[str, frozenset[Any]]) -> dict[str, Any]:
    """Return the part of a domain that `properties.cases` takes: what has one value."""
    known = {*operators[operator].attributes, *(["rank"] if operator in RANKS else [])}
    return {name: next(iter(values)) for name, values in only.items() if name in known and len(values) == 1}
