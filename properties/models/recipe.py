"""A case of a plan, before it is made: the choices that it is a pure function of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from properties.arrays import lay_out
from properties.case import Case
from properties.models import memory
from properties.models.feature import Class, Contents, Model, Row, seeded, size_of
from refconv import operators
from refconv.arguments import Array

_NARROWED = 60  # times that a size's range is: some draws can't get as small as their class


@dataclass(frozen=True)
class Recipe:
    """An operator's choices, and the seed of what its arrays hold."""

    model: Model
    choices: Mapping[str, Any]
    seed: int

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.model.operator

    @property
    def work(self) -> int:
        """The multiply-adds of the forward, about."""
        return self.model.work(self.choices)

    @property
    def elements(self) -> int:
        """Those of the largest array, at most."""
        return self.model.largest_array(self.choices)

    @property
    def classes(self) -> dict[str, str | None]:
        """The class of each feature that counts."""
        return self.model.classes(self.choices)

    def but(self, **changes: Any) -> "Recipe":
        """Return the recipe with other choices."""
        return replace(self, choices={**self.choices, **changes})

    def case(self, dtype: str) -> Case:
        """Make the case; the same one each time."""
        return self.made(dtype)[0]

    def made(self, dtype: str) -> tuple[Case, int]:
        """Make the case; return it with the number of products that its longest sum has."""
        call = self.model.build(Contents(seeded(self.seed, 1), dtype, self.choices["content"]), self.choices)
        rng = seeded(self.seed, 2)
        contents = Contents(rng, dtype, self.choices["content"])
        row = operators[self.operator]
        made: dict[str, Any] = {}
        for name in ("grad_output", *row.inputs):
            given = call.arrays.get(name)
            array = memory.filled(contents, given, call.terms) if isinstance(given, tuple) else given
            made[name] = None if array is None else self._placed(name, array)
        attributes = {name: call.attributes.get(name, default) for name, default in row.attributes.items()}
        grad_output = made.pop("grad_output")
        return Case(self.operator, tuple(made.values()), attributes, grad_output), call.terms

    def _placed(self, name: str, array: Array) -> Array:
        layout = self.choices.get(f"layout of {name}", "contiguous")
        laid = lay_out(np.asarray(array), layout)
        return memory.at_address(laid, self.choices["address"])


def drawn(model: Model, row: Row, seed: int, largest: int) -> Recipe:
    """Draw a value of each class in `row`; sizes are the smaller ones of their classes where there is much to do."""
    known = {
        feature.name: feature.named(row[feature.name]) if feature.counted else feature.classes[0]
        for feature in model.features
    }
    for _ in range(_NARROWED):
        rng = seeded(seed, 0)
        chosen: dict[str, Any] = {}
        for name, own in known.items():
            chosen[name] = own.draw(rng, chosen, row)
        if model.work(chosen) <= largest or not _narrowed(known, chosen):
            break
    return Recipe(model, chosen, seed)


def _narrowed(known: dict[str, Class], chosen: Mapping[str, Any]) -> bool:
    """Leave out the upper part of the range whose drawn size is furthest above its least; say whether there was one."""
    ratios = {name: size_of(chosen[name]) / own.least for name, own in known.items() if own.up_to is not None}
    name = max(ratios, key=lambda name: ratios[name], default=None)
    if name is None or ratios[name] <= 1:
        return False
    own = known[name]
    assert own.up_to is not None
    narrower = own.up_to(int(own.least * ratios[name] ** 0.5) if ratios[name] > 2 else int(own.least))
    known[name] = narrower if ratios[name] > 2 else replace(narrower, up_to=None)
    return True
