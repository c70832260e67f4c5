"""One special value in one place of one array: what is right for all others must be right around it, too."""

from collections.abc import Callable, Mapping

import hypothesis.strategies as st
import ml_dtypes
import numpy as np

from properties.arrays import lay_out
from properties.case import Case, but, layout_of
from properties.filling import CHOSEN, holds_special, refilled
from properties.tables import SEEDS

SPECIALS: Mapping[str, Callable[[np.dtype[np.generic]], float]] = {
    "nan": lambda _: np.nan,
    "inf": lambda _: np.inf,
    "-inf": lambda _: -np.inf,
    "-0.0": lambda _: -0.0,
    "subnormal": lambda dtype: float(ml_dtypes.finfo(dtype).smallest_subnormal),
    "largest": lambda dtype: float(ml_dtypes.finfo(dtype).max),
    "-largest": lambda dtype: float(ml_dtypes.finfo(dtype).min),
}
"""The values, by dtype."""

_NONE = [""] * 40


def with_special(case: Case, name: str, value: float, place: int) -> Case:
    """Return `case` with `value` in one place, counted in row-major order, of an array that lies as it did."""
    array = case.arrays[name]
    assert array is not None
    changed = array.copy(order="C")
    changed.reshape(-1)[place % changed.size] = value
    return but(case, **{name: lay_out(changed, layout_of(array))})


def places(case: Case) -> list[str]:
    """Return the names of the arrays that may hold any value, each element of which has its own place in memory.

    There are none where an array holds a special value already: algorithms differ on which of two wins.
    """
    floats = {name: array for name, array in case.arrays.items() if array is not None and array.dtype.kind != "i"}
    if any(holds_special(array) for array in floats.values()):
        return []
    return [name for name, array in floats.items() if array.size and all(array.strides) and name not in CHOSEN]


def with_some(cases: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    """Draw `cases`, one in twelve of which holds a special value among small integers; they shrink towards none."""
    return st.builds(_drawn, cases, st.sampled_from([*_NONE, *SPECIALS, *_NONE]), SEEDS)


def _drawn(case: Case, special: str, seed: int) -> Case:
    names = places(case)
    if not special or not names:
        return case
    place, which = divmod(seed, len(names))
    return with_special(refilled(case, seed), names[which], SPECIALS[special](case.dtype), place)
