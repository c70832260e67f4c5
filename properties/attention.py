"""Cases of what normalises along an axis, and of what is built of it: softmax and squash, non-local and routing.

Where scores are far apart a softmax is 1 for one of them, whatever the others are, and its gradient is 0: such cases
prove nothing. So scores differ by little here, and are far from 0 together, where a naive exponential overflows.

All shrink towards few axes, two values along the axis, the defaults, and small integers.
"""

from collections.abc import Callable, Sequence
from itertools import product

import hypothesis.strategies as st
import numpy as np

from properties.arrays import CONTENTS, LAYOUTS, content
from properties.case import Case
from properties.filling import Described, Filling
from properties.sizes import BATCHES, Focus, focuses
from properties.tables import SEEDS, picked
from refconv.arguments import Array

_SIZES = (1, 2, 3, 5, 8)
_LENGTHS = (2, 3, 4, 5, 8, 10, 1, 7, 9, 16, 17, 23, 24, 25, 33)
_MILD = ("integer", "normal", "normal")
_VARIED = tuple(name for name in LAYOUTS if name != "constant")
_FAR = np.array([1e4, -1e4, 0.0, 100.0, -750.0])  # beyond what exp takes in float32 or float64
_POSITIONS = {1: ((1, 2, 3, 4, 5, 7, 9, 16),), 2: ((1, 2, 3, 4), (1, 2, 3, 4, 5)), 3: ((1, 2), (1, 2, 3), (1, 2, 3))}


def _fillings(arrays: int, contents: Sequence[str], *, constant: bool) -> st.SearchStrategy[Filling]:
    """Draw fillings for `arrays`, of which the gradient alone may be `constant`."""
    gradient = ("contiguous", *(LAYOUTS if constant else _VARIED))
    layouts = list(product(gradient, *(("contiguous", *_VARIED),) * (arrays - 1)))
    return st.builds(Filling, st.sampled_from(contents), SEEDS, picked(layouts))


def _along_an_axis(
    operator: str, contents: Sequence[str], place: Callable[[Array, int, np.random.Generator], None], *, constant: bool
) -> Callable[[str], st.SearchStrategy[Case]]:
    """Cases of one to four axes, each of them `axis`, counted from either end; some inputs go through `place`."""

    def cases(dtype: str) -> st.SearchStrategy[Case]:
        def build(
            ndim: int,
            sizes: tuple[int, ...],
            length: int,
            number: int,
            options: tuple[bool, bool],
            filling: Filling,
            focus: Focus,
        ) -> Case:
            negative, placed = options
            axis = number % ndim
            if focus.what and ndim > 1:
                sizes = (min(sizes[0], 1), *(min(size, 2) for size in sizes[1 : ndim - 1]), focus.size)
                length = focus.size if axis == ndim - 1 else min(length, 8)
            if (
                length == 1 and filling.seed % 8 != 3
            ):  # rarely: of one value, softmax is 1, and squash's slope hard to see
                length = 6
            shape = (*sizes[:axis], length if axis or sizes[0] else 0, *sizes[axis + 1 : ndim])
            rng = np.random.default_rng(filling.seed + 1)
            signal = content(filling.held if length > 1 else "normal", shape, dtype, rng)
            if placed:
                place(signal, axis, rng)
            if axis == 0:  # what is expanded is all the same along the axis
                kept = tuple("contiguous" if layout == "expanded" else layout for layout in filling.layouts)
                filling = filling._replace(layouts=kept)
            arrays: dict[str, Described] = {"grad_output": shape, "input": signal}
            return filling.case(operator, {"axis": axis - len(shape) if negative else axis}, arrays, dtype)

        size = st.sampled_from(_SIZES)
        return st.builds(
            build,
            st.sampled_from((2, 1, 3, 4)),
            st.tuples(st.sampled_from(BATCHES), size, size, size),
            st.sampled_from(_LENGTHS),
            st.sampled_from((1, 1, 0, 2, 3)),
            st.tuples(st.booleans(), st.sampled_from((False, False, True))),
            _fillings(2, contents, constant=constant),
            focuses(columns=7),
        )

    return cases


def _shifted(signal: Array, axis: int, rng: np.random.Generator) -> None:
    """Move each row along the axis as a whole, and one of its values, if there are others, far below."""
    rows = list(signal.shape)
    rows[axis] = 1
    signal += rng.choice(_FAR, rows).astype(signal.dtype)
    if signal.shape[axis] > 2:
        np.moveaxis(signal, axis, 0)[-1] -= signal.dtype.type(1e4)


def _with_zeros(signal: Array, axis: int, _: np.random.Generator) -> None:
    """Make all vectors along the axis but the first 0."""
    rows = np.moveaxis(signal, axis, -1)
    rows[np.any(np.indices(rows.shape[:-1]), axis=0)] = 0


def non_local_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `non_local`; scores are some units apart, and sometimes hundreds from 0, on either side."""

    def build(
        sizes: tuple[int, int, int],
        spatial: tuple[int, ...],
        mode: str,
        scale: float,
        shift: int,
        filling: Filling,
        focus: Focus,
    ) -> Case:
        batch, channels, inner = sizes
        if focus.what:
            batch, spatial, scale = min(batch, 1), tuple(min(length, 5) for length in spatial[-1:]), 0.125
        if focus.what == "columns":
            channels, inner, spatial = min(channels, 2), min(inner, 2), (focus.size,)
        channels = focus.size if focus.what == "inputs" else channels
        inner = focus.size if focus.what == "outputs" else inner
        embedded = mode != "gaussian"
        if embedded and set(spatial) == {1}:  # theta and phi would change nothing
            spatial = (*spatial[:-1], 2)
        rng = np.random.default_rng(filling.seed + 1)
        shapes = {"input": (batch, channels, *spatial), "theta": (inner, channels), "phi": (inner, channels)}
        factor = np.dtype(dtype).type(scale)  # a plain number would make float32 of bfloat16
        made = {name: content(filling.kind, shape, dtype, rng) * factor for name, shape in shapes.items()}
        if shift and min(channels, inner) > 1:  # all scores by 16 * 16, or by shift * 16 * 1
            made["input"][:, 0] = 16
            for name, first in (("theta", shift), ("phi", 1 / 16)):
                made[name][0] = made[name][:, 0] = 0
                made[name][0, 0] = first
            kept = tuple("contiguous" if layout == "expanded" else layout for layout in filling.layouts)
            filling = filling._replace(layouts=kept)
        arrays: dict[str, Described] = {
            "grad_output": (batch, inner, *spatial),
            "input": made["input"],
            "theta": made["theta"] if embedded else None,
            "phi": made["phi"] if embedded else None,
            "g": (inner, channels),
        }
        return filling.case("non_local", {"mode": mode}, arrays, dtype)

    channels = st.sampled_from((1, 2, 3, 4, 5))
    positions = [st.tuples(*map(st.sampled_from, axes)) for axes in _POSITIONS.values()]
    return st.builds(
        build,
        st.tuples(st.sampled_from(BATCHES), channels, channels),
        st.one_of(positions),
        st.sampled_from(("embedded_gaussian", "gaussian")),
        st.sampled_from((0.25, 0.5, 0.125)),
        st.sampled_from((0, 0, 0, 50, 50, -50)),
        _fillings(5, _MILD, constant=True),
        focuses(inputs=4, outputs=4, columns=4),
    )


def capsule_routing_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `capsule_routing`, whose votes are short, as those of a network that has been trained."""

    def build(shape: tuple[int, ...], iterations: int, scale: float, filling: Filling, focus: Focus) -> Case:
        if focus.what:
            shape = (min(shape[0], 1), *(min(length, 3) for length in shape[1:]))
            place = {"inputs": 1, "outputs": 2, "columns": 3}[focus.what]
            shape = (*shape[:place], focus.size, *shape[place + 1 :])
        batch, _, out_capsules, dim = shape
        votes = content(filling.kind, shape, dtype, filling.seed + 1) * np.dtype(dtype).type(scale)
        arrays: dict[str, Described] = {"grad_output": (batch, out_capsules, dim), "votes": votes}
        return filling.case("capsule_routing", {"iterations": iterations}, arrays, dtype)

    capsules = st.sampled_from((1, 2, 3, 4, 6, 8))
    return st.builds(
        build,
        st.tuples(st.sampled_from(BATCHES), capsules, capsules, st.sampled_from((1, 2, 3, 4, 7, 8))),
        st.sampled_from((3, 1, 2, 3, 4)),
        st.sampled_from((0.25, 0.125, 0.5)),
        _fillings(2, _MILD, constant=True),
        focuses(inputs=3, outputs=3, columns=3),
    )


STRATEGIES = {
    "softmax": _along_an_axis("softmax", _MILD, _shifted, constant=False),
    "log_softmax": _along_an_axis("log_softmax", tuple(CONTENTS), _shifted, constant=True),
    "squash": _along_an_axis("squash", tuple(CONTENTS), _with_zeros, constant=True),
    "non_local": non_local_cases,
    "capsule_routing": capsule_routing_cases,
}
