"""The cases of every operator, as Hypothesis strategies."""

from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import TypeVar

import hypothesis.strategies as st

from properties import attention, convolutions, maxima, norms, pointwise, products, resampling, special
from properties.arrays import read_dtype
from properties.case import Case
from properties.naming import by_arguments, meant
from properties.narrowing import check_narrowing, narrowed

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


def cases(
    operator: str,
    *,
    dtype: str = "float32",
    specials: bool = False,
    rank: int | None = None,
    max_side: int | None = None,
    **attributes: object,
) -> st.SearchStrategy[Case]:
    """Draw valid calls of `operator` with arrays of `dtype`: ``cases("conv", rank=2, max_side=16, groups=1)``.

    Shrinks towards one spatial axis, one channel, a batch of one, a window of one tap, and integers from -4 to 4.
    What the arrays hold comes from a drawn seed, so a case costs about a millisecond whatever its size. With
    `specials`, one case in twelve holds one of `SPECIALS` in one place, among small integers.

    Parameters
    ----------
    operator : str
        One of ``refconv.operators``.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of the arrays.
    specials : bool
        Whether some hold what isn't finite, -0.0, or the ends of the format's range.
    rank : int, optional
        The number of spatial axes of the input, by default any that the operator takes.
    max_side : int, optional
        The most that a spatial axis of the input, or a kernel, may span.
    **attributes
        The operator's, which all cases have then.

    Raises
    ------
    ValueError
        For an argument that isn't known, or that no case of the operator has.
    """
    if operator not in STRATEGIES:
        hint = meant([operator], by_arguments)
        raise ValueError(f"operator must be one of {', '.join(STRATEGIES)}, got {operator!r}{hint}")
    read_dtype(dtype)
    check_narrowing(operator, rank, max_side, attributes)
    drawn = _made(operator, dtype, specials)
    if rank is None and max_side is None and not attributes:
        return drawn
    narrower = drawn.map(lambda case: narrowed(case, rank, max_side, attributes))
    return narrower.filter(lambda case: case is not None)  # type: ignore[return-value]  # what is None is drawn again


@cache
def _made(operator: str, dtype: str, specials: bool) -> st.SearchStrategy[Case]:
    """Return the strategy, the same each time: to make one costs more than to draw from it."""
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
