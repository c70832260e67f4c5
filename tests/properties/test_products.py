"""What the cases of `linear` and `graph_conv` reach."""

import numpy as np
import pytest

from properties import cases


def shape(case, name):
    return case.arrays[name].shape


def integer(array):
    return bool((array == np.rint(array)).all())


EDGES = {
    "linear": {
        **{f"{ndim} axes": lambda case, ndim=ndim: case.inputs[0].ndim == ndim for ndim in (1, 2, 3, 4)},
        "an empty axis": lambda case: case.inputs[0].size == 0,
        "an empty axis within": lambda case: 0 in case.inputs[0].shape[1:],
        "one feature in": lambda case: shape(case, "weight")[1] == 1 < shape(case, "weight")[0],
        "one feature out": lambda case: shape(case, "weight")[0] == 1 < shape(case, "weight")[1],
        "more in than out": lambda case: shape(case, "weight")[1] > shape(case, "weight")[0] > 1,
        "more out than in": lambda case: shape(case, "weight")[0] > shape(case, "weight")[1] > 1,
        "a long sum": lambda case: shape(case, "weight")[1] in (31, 32, 33),
        "a bias": lambda case: case.inputs[2] is not None,
        "no bias": lambda case: case.inputs[2] is None,
        "integers": lambda case: case.inputs[0].size > 3 and integer(case.inputs[0]),
        "a reversed weight": lambda case: min(case.inputs[1].strides) < 0,
        "an expanded input": lambda case: case.inputs[0].ndim > 1 and case.inputs[0].strides[0] == 0,
    },
    "graph_conv": {
        "one node": lambda case: shape(case, "input")[1] == 1,
        "several nodes": lambda case: shape(case, "input")[1] > 1,
        "an empty batch": lambda case: shape(case, "input")[0] == 0,
        "as many nodes as features": lambda case: shape(case, "input")[1] == shape(case, "input")[2] > 1,
        "more out than in": lambda case: shape(case, "weight")[0] > shape(case, "weight")[1] > 1,
        "pairs that are no neighbours": lambda case: not case.inputs[1].all(),
        "all are neighbours": lambda case: bool(case.inputs[1].all()) and case.inputs[1].size > 1,
        "neighbours one way": lambda case: ((case.inputs[1] == 0) != (case.inputs[1].T == 0)).any(),
        "a self weight and a bias": lambda case: case.inputs[3] is not None and case.inputs[4] is not None,
        "a self weight alone": lambda case: case.inputs[3] is not None and case.inputs[4] is None,
        "a bias alone": lambda case: case.inputs[3] is None and case.inputs[4] is not None,
        "neither": lambda case: case.inputs[3] is case.inputs[4] is None,
        "integers": lambda case: case.inputs[0].size > 3 and all(map(integer, case.inputs[:3])),
        "a wide range": lambda case: np.ptp(np.log2(abs(case.inputs[1][case.inputs[1] != 0]))) > 20,
        "a transposed adjacency": lambda case: not case.inputs[1].flags.c_contiguous,
    },
}


@pytest.mark.parametrize(("operator", "edge"), [(operator, edge) for operator in EDGES for edge in EDGES[operator]])
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    assert any(EDGES[operator][edge](case) for case in drawn(operator))


def test_every_node_has_a_neighbour(drawn):
    assert all(case.inputs[1].any(axis=1).all() for case in drawn("graph_conv"))


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [("linear", [(1, 1), (1, 1), None]), ("graph_conv", [(1, 1, 1), (1, 1), (1, 1), None, None])],
)
def test_cases_shrink_to_one_of_everything(operator, shapes, smallest):
    case = smallest(cases(operator))
    assert [array if array is None else array.shape for array in case.inputs] == shapes
    assert all((abs(array) <= 4).all() for array in case.arrays.values() if array is not None)
