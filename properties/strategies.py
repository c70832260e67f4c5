"""The cases of every operator, as Hypothesis strategies."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TypeVar

import hypothesis.strategies as st

from properties import attention, convolutions, maxima, norms, pointwise, products, resampling, special
from properties.arrays import DTYPES
from properties.case import Case

T = TypeVar("T")

STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    **convolutions.STRATEGIES,
    **maxima.STRATEGIES,
    **norms.STRATEGIES,
    **pointwise.STRATEGIES,
    **resampling.STRATEGIES,
    **products.STRATEGIES,
    **attention.STRATEGIES,
}


def cases(operator: str, *, dtype: str = "float32", specials: bool = False) -> st.SearchStrategy[Case]:
    """Draw valid calls of `operator` with arrays of `dtype`.

    Shrinks towards one spatial axis, one channel, a batch of one, a window of one tap, and integers from -4 to 4.
    What the arrays hold comes from a drawn seed, so a case costs about a millisecond whatever its size. With
    `specials`, one case in twelve holds one of `SPECIALS` in one place, among small integers.

    Raises
    ------
    ValueError
        For an `operator` or a `dtype` that isn't known.
    """
    for argument, value, known in (("operator", operator, STRATEGIES), ("dtype", dtype, DTYPES)):
        if value not in known:
            raise ValueError(f"{argument} must be one of {', '.join(known)}, got {value!r}")
    drawn = STRATEGIES[operator](dtype)
    if specials and operator == "adaptive_max_pool":
        drawn = maxima.with_specials(drawn)
    return apart(special.with_some(drawn) if specials else drawn)


def apart(drawn: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Draw from a strategy, anew for each example.

    Hypothesis makes five of six examples by copying one part of an earlier one over another, so that few conditions
    are met, and those often. It leaves alone what is in a collection whose entries must differ.
    """
    return st.lists(drawn, min_size=1, max_size=1, unique_by=id).map(itemgetter(0))
