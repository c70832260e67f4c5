"""The cases of every operator, as Hypothesis strategies."""

from collections.abc import Callable, Mapping

import hypothesis.strategies as st

from properties import attention, convolutions, maxima, norms, pointwise, products, resampling
from properties.case import Case

STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    **convolutions.STRATEGIES,
    **maxima.STRATEGIES,
    **norms.STRATEGIES,
    **pointwise.STRATEGIES,
    **resampling.STRATEGIES,
    **products.STRATEGIES,
    **attention.STRATEGIES,
}
DTYPES = ("float32", "float64")


def cases(operator: str, *, dtype: str = "float32") -> st.SearchStrategy[Case]:
    """Draw valid calls of `operator` with arrays of `dtype`.

    Shrinks towards one spatial axis, one channel, a batch of one, a window of one tap, and integers from -4 to 4.
    What the arrays hold comes from a drawn seed, so a case costs about a millisecond whatever its size.

    Raises
    ------
    ValueError
        For an `operator` or a `dtype` that isn't known.
    """
    for argument, value, known in (("operator", operator, STRATEGIES), ("dtype", dtype, DTYPES)):
        if value not in known:
            raise ValueError(f"{argument} must be one of {', '.join(known)}, got {value!r}")
    return STRATEGIES[operator](dtype)
