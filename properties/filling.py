"""What the arrays of a case hold, and how they lie in memory: a choice that cases of every operator share."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import hypothesis.strategies as st
import ml_dtypes
import numpy as np

from properties.arrays import CONTENTS, LAYOUTS, content, lay_out
from properties.case import Case, but, layout_of
from properties.tables import SEEDS, picked
from refconv import operators
from refconv.arguments import Array

Described: TypeAlias = tuple[int, ...] | Array | None  # a shape to be filled, an array that is made already, or None


class Filling(NamedTuple):
    """A content, by its seed, and a layout for each of the first arrays, `grad_output` before the inputs."""

    kind: str
    seed: int
    layouts: tuple[str, ...]

    @property
    def held(self) -> str:
        """The kind of content that arrays get: small integers where one of them is constant.

        Where all terms are equal, rounding errors add up instead of walking at random: only exact sums can be judged.
        """
        return "integer" if "constant" in self.layouts else self.kind

    def case(
        self, operator: str, attributes: Mapping[str, object], arrays: Mapping[str, Described], dtype: str
    ) -> Case:
        """Return the case with these `attributes`, and `arrays` by name; those left out are None."""
        row = operators[operator]
        rng = np.random.default_rng(self.seed)
        made: list[Any] = []
        for name in ("grad_output", *row.inputs):
            described = arrays.get(name)
            made.append(content(self.held, described, dtype, rng) if isinstance(described, tuple) else described)
        made[: len(self.layouts)] = [
            array if array is None else lay_out(array, layout)
            for array, layout in zip(made, self.layouts, strict=False)
        ]
        spelled = {name: attributes.get(name, default) for name, default in row.attributes.items()}
        grad_output, *inputs = made
        return Case(operator, tuple(inputs), spelled, grad_output)


@cache
def layouts(arrays: int) -> list[tuple[str, ...]]:
    """Return the layouts of as many `arrays`; one of them at most is constant."""
    varied = product(("contiguous", *(name for name in LAYOUTS if name != "constant")), repeat=arrays)
    constant = (chosen for chosen in product(LAYOUTS, repeat=arrays) if chosen.count("constant") == 1)
    return [*varied, *constant]


CHOSEN = ("mask", "adjacency", "running_var", "target")
"""Inputs that hold what was chosen for them, as those of integers do: others may hold any number."""


def refilled(case: Case, seed: int) -> Case:
    """Return `case` with new small integers, another for each `seed`, in all arrays that may hold any number.

    They lie as they did. What holds a special value keeps it: NaN, an infinity, -0.0, or what is next to out of range.
    """
    rng = np.random.default_rng(seed)
    arrays = {
        name: array
        if array is None or name in CHOSEN or array.dtype.kind == "i" or holds_special(array)
        else lay_out(content("integer", array.shape, str(array.dtype), rng), layout_of(array))
        for name, array in case.arrays.items()
    }
    return but(case, **arrays)


def holds_special(array: Array) -> bool:
    """Whether `array` of floats holds a special value."""
    limits = ml_dtypes.finfo(array.dtype)
    values = array.astype(np.float64)
    sizes = abs(values)
    normal = (sizes >= float(limits.smallest_normal)) & (sizes < float(limits.max))
    return not (normal | ((values == 0) & ~np.signbit(values))).all()


def fillings(arrays: int, contents: Sequence[str] = tuple(CONTENTS)) -> st.SearchStrategy[Filling]:
    """Draw fillings with layouts for `arrays`; they shrink towards contiguous arrays of small integers."""
    return st.builds(Filling, st.sampled_from(contents), SEEDS, picked(layouts(arrays)))
