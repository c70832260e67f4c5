"""Cases of `linear` and `graph_conv`, which multiply features by matrices.

All shrink towards one of each thing, and small integers.
"""

import hypothesis.strategies as st
import numpy as np

from properties.arrays import content
from properties.case import Case
from properties.filling import Described, Filling, fillings

_BATCHES = (1, 2, 3) * 4 + (0,) + (1, 2, 3) * 4  # the ends of a range are drawn more often
_FEATURES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33)
_NODES = (1, 2, 3, 4, 5, 7, 9)


def linear_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `linear`, with 0 to 3 axes before the last."""

    def build(
        axes: int, sizes: tuple[int, int, int], last: bool, features: tuple[int, int], bias: bool, filling: Filling
    ) -> Case:
        leading = sizes[:axes][:: -1 if last else 1]
        in_features, out_features = features
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
        st.tuples(st.sampled_from(_BATCHES), size, size),
        st.booleans(),  # whether the batch, which may be empty, comes last
        st.tuples(features, features),
        st.booleans(),
        fillings(3),
    )


def graph_conv_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `graph_conv`: in each graph, every node has a neighbour, and some pairs are none; one way, at that."""

    def build(
        shape: tuple[int, int, int], out_features: int, options: tuple[bool, bool, bool], filling: Filling
    ) -> Case:
        _, nodes, in_features = shape
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

    features = st.sampled_from(_FEATURES[:9])
    shapes = st.tuples(st.sampled_from(_BATCHES), st.sampled_from(_NODES), features)
    options = st.tuples(st.booleans(), st.booleans(), st.booleans())
    return st.builds(build, shapes, features, options, fillings(4))


STRATEGIES = {"linear": linear_cases, "graph_conv": graph_conv_cases}
