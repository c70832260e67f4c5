"""Cases of `linear` and `graph_conv`, which multiply features by matrices.

All shrink towards one of each thing, and small integers.
"""

import hypothesis.strategies as st
import numpy as np

from properties.arrays import content
from properties.case import Case
from properties.filling import Described, Filling, fillings
from properties.sizes import BATCHES, Focus, focuses

_FEATURES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
_NODES = (1, 2, 3, 4, 5, 7, 9)


def linear_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `linear`, with 0 to 3 axes before the last."""

    def build(
        axes: int,
        sizes: tuple[int, int, int],
        last: bool,
        features: tuple[int, int],
        bias: bool,
        filling: Filling,
        focus: Focus,
    ) -> Case:
        leading = sizes[:axes][:: -1 if last else 1]
        if focus.what == "batch":
            leading, features, filling = (focus.size,), (1, 1), filling._replace(kind="integer")
        in_features, out_features = _focused(features, focus)
        arrays: dict[str, Described] = {
            "grad_output": (*leading, out_features),
            "input": (*leading, in_features),
            "weight": (out_features, in_features),
            "bias": (out_features,) if bias else None,
        }
        return filling.case("linear", {}, arrays, dtype)

    size, features = st.sampled_from((1, 2, 3, 5)), st.sampled_from(_FEATURES)
    return st.builds(
        build,
        st.sampled_from((1, 2, 0, 3, 1, 2, 3)),
        st.tuples(st.sampled_from(BATCHES), size, size),
        st.booleans(),  # whether the batch, which may be empty, comes last
        st.tuples(features, features),
        st.booleans(),
        fillings(3),
        focuses(inputs=7, outputs=6, both=2, batch=1),
    )


def _focused(features: tuple[int, int], focus: Focus) -> tuple[int, int]:
    """Give the size in focus to the features it is of."""
    inputs, outputs = features
    return {"inputs": (focus.size, outputs), "outputs": (inputs, focus.size), "both": (focus.size, focus.size + 1)}.get(
        focus.what, features
    )


def graph_conv_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `graph_conv`: in each graph, every node has a neighbour, and some pairs are none; one way, at that."""

    def build(
        sizes: tuple[int, int],
        features: tuple[int, int],
        options: tuple[bool, bool, bool],
        filling: Filling,
        focus: Focus,
    ) -> Case:
        batch, nodes = sizes
        in_features, out_features = _focused(features, focus)
        if focus.what == "nodes":
            batch, nodes, in_features = min(batch, 1), focus.size, min(in_features, 3)
        shape = (batch, nodes, in_features)
        sparse, self_weight, bias = options
        rng = np.random.default_rng(filling.seed + 1)
        neighbours = rng.random((nodes, nodes)) < 0.5
        neighbours |= np.roll(np.eye(nodes, dtype=bool), 1, axis=1)
        neighbours[0, 0] = True
        adjacency = content(filling.held, (nodes, nodes), dtype, rng) * (neighbours if sparse else True)
        arrays: dict[str, Described] = {
            "grad_output": (*shape[:2], out_features),
            "input": shape,
            "adjacency": adjacency,
            "weight": (out_features, in_features),
            "self_weight": (out_features, in_features) if self_weight else None,
            "bias": (out_features,) if bias else None,
        }
        return filling.case("graph_conv", {}, arrays, dtype)

    features = st.sampled_from(_FEATURES)
    sizes = st.tuples(st.sampled_from(BATCHES), st.sampled_from(_NODES))
    options = st.tuples(st.booleans(), st.booleans(), st.booleans())
    focus = focuses(inputs=4, outputs=4, nodes=4)
    return st.builds(build, sizes, st.tuples(features, features), options, fillings(4), focus)


STRATEGIES = {"linear": linear_cases, "graph_conv": graph_conv_cases}
