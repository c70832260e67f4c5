"""Calls that are like a given one but for one feature, to learn by which of them it fails.

A call is read back into the choices of its operator's model; then one of these is changed at a time: to each of the
other classes, to the size beside it, along one axis alone. What the arrays hold is made anew, or scaled.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from oracle.searching.descent import sensible_case
from properties import Case, refilled
from properties.case import but
from properties.models import MODELS, Feature, Recipe
from properties.models.feature import seeded

_CHEAP = 1 << 20  # multiply-adds of a call
_SCALES = (-1.0, 0.5, 2.0, 2.0**10, 2.0**-10)


def recipe_of(case: Case, seed: int) -> Recipe:
    """Return choices by which a call like `case` is made: the same but for what its arrays hold, and where they lie."""
    model = MODELS[case.operator]
    recipe = Recipe(model, model.read(case), seed)
    for feature in model.features:
        if recipe.choices[feature.name] is None:
            recipe = recipe.but(**{feature.name: _drawn(feature, recipe, feature.classes[0].name)})
    return recipe


def neighbours(case: Case, seed: int) -> Iterator[Case]:
    """Yield calls like `case`, the likeliest to tell why it fails first."""
    dtype = str(case.dtype)
    recipe = recipe_of(case, seed)
    yield from filter(None, [sensible_case(recipe, dtype), refilled(case, seed)])
    changes = [[recipe.but(**{feature.name: value}) for value in _others(feature, recipe)] for feature in
               recipe.model.features]  # fmt: skip
    for number in range(max(map(len, changes))):
        for changed in changes:
            if number < len(changed) and _is_cheap(changed[number]):
                made = sensible_case(changed[number], dtype)
                yield from [] if made is None else [made]
    yield from _scaled(case)


def _is_cheap(recipe: Recipe) -> bool:
    try:
        return recipe.work <= _CHEAP
    except (ValueError, TypeError):  # of choices that don't go together
        return False


def _drawn(feature: Feature, recipe: Recipe, name: str) -> Any:
    """Draw a value of the class called `name`; None where it doesn't go with the other choices."""
    row = {known: own or "" for known, own in recipe.classes.items()}
    try:
        return feature.named(name).draw(seeded(recipe.seed, 4), dict(recipe.choices), {**row, feature.name: name})
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
        return None


def _others(feature: Feature, recipe: Recipe) -> list[Any]:
    """Return other values of a feature."""
    value = recipe.choices[feature.name]
    sized = any(known.up_to is not None for known in feature.classes)
    found: list[Any] = []
    if isinstance(value, bool):
        found.append(not value)
    elif isinstance(value, tuple):
        found += _along_axes(value)
    elif isinstance(value, int) and sized:
        found += [value - 1, value + 1, 1, value // 2, 2 * value]
    own = feature.class_of(recipe.choices)
    found += [_drawn(feature, recipe, known.name) for known in feature.classes if known.name != own]
    distinct: list[Any] = []
    for other in found:
        if other is not None and other != value and other not in distinct:
            distinct.append(other)
    return distinct


def _along_axes(value: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield values that differ along one axis, or are the same along one axis alone."""
    paired = bool(value) and isinstance(value[0], tuple)
    for base in ((0, 0),) if paired else (1, 0):
        yield (base,) * len(value)
        for place in range(len(value)):
            yield (*value[:place], base, *value[place + 1 :])
            yield (*((base,) * place), value[place], *((base,) * (len(value) - place - 1)))
    for place, entry in enumerate(value):
        for step in (1, -1):
            more = tuple(side + step for side in entry) if paired else entry + step
            yield (*value[:place], more, *value[place + 1 :])


def _scaled(case: Case) -> Iterator[Case]:
    """Yield the call with its first array times a number, or without what isn't finite."""
    name = next(iter(case.row.inputs))
    array = case.arrays[name]
    if array is None or array.dtype.kind == "i":
        return
    with np.errstate(all="ignore"):
        for scale in _SCALES:
            yield but(case, **{name: np.asarray(array * array.dtype.type(scale), array.dtype)})
