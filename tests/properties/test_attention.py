"""What the cases of operators along an axis, and of those built of them, reach."""

import math

import numpy as np
import pytest

from properties import cases

ALONG_AN_AXIS = ("softmax", "log_softmax", "squash")


def length(case):
    return case.inputs[0].shape[case.attributes["axis"]]


def vectors(case):
    """The input's vectors along the axis, one in each row."""
    moved = np.moveaxis(case.inputs[0], case.attributes["axis"], -1)
    return moved.reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])


def scores(case):
    """What a softmax over positions gets."""
    input, theta, phi, _ = case.inputs
    x = input.astype(float).reshape(*input.shape[:2], math.prod(input.shape[2:]))
    query, key = (x, x) if theta is None else (theta @ x, phi @ x)
    return query.swapaxes(1, 2) @ key


AXIS_EDGES = {
    **{f"{ndim} axes": lambda case, ndim=ndim: case.inputs[0].ndim == ndim for ndim in (1, 2, 3, 4)},
    **{f"axis {axis}": lambda case, axis=axis: case.attributes["axis"] == axis for axis in range(-4, 4)},
    "an empty batch": lambda case: case.inputs[0].size == 0,
    "one value": lambda case: length(case) == 1,
    "two values": lambda case: length(case) == 2,
    "many values": lambda case: length(case) == 33,
    "an axis that isn't the last": lambda case: (
        length(case) > 1 < case.inputs[0].shape[-1]
        and min(case.inputs[0].strides) == case.inputs[0].strides[-1] != case.inputs[0].strides[case.attributes["axis"]]
    ),
    "a transposed input": lambda case: not case.inputs[0].flags.c_contiguous and case.inputs[0].flags.f_contiguous,
}
EDGES = {
    **dict.fromkeys(ALONG_AN_AXIS, AXIS_EDGES),
    "non_local": {
        "embedded": lambda case: case.attributes["mode"] == "embedded_gaussian",
        "gaussian": lambda case: case.attributes["mode"] == "gaussian",
        **{f"{rank} spatial axes": lambda case, rank=rank: case.inputs[0].ndim == rank + 2 for rank in (1, 2, 3)},
        "an empty batch": lambda case: len(case.inputs[0]) == 0,
        "an axis of size 1": lambda case: 1 in case.inputs[0].shape[2:],
        "one position": lambda case: case.inputs[0][0, 0].size == 1 if len(case.inputs[0]) else False,
        "more channels than inner": lambda case: case.inputs[3].shape[1] > case.inputs[3].shape[0],
        "more inner than channels": lambda case: case.inputs[3].shape[1] < case.inputs[3].shape[0],
        "scores far from 0": lambda case: case.inputs[0].size > 0 and scores(case).min() > 100,
        "scores beyond all exponentials": lambda case: case.inputs[0].size > 0 and scores(case).max() > 750,
        "scores below all exponentials": lambda case: case.inputs[0].size > 0 and scores(case).max() < -750,
    },
    "capsule_routing": {
        **{
            f"{count} iterations": lambda case, count=count: case.attributes["iterations"] == count
            for count in (1, 2, 3, 4)
        },
        "an empty batch": lambda case: len(case.inputs[0]) == 0,
        "one capsule below": lambda case: case.inputs[0].shape[1] == 1,
        "one capsule above": lambda case: case.inputs[0].shape[2] == 1,
        "one dimension": lambda case: case.inputs[0].shape[3] == 1,
        "as many below as above": lambda case: case.inputs[0].shape[1] == case.inputs[0].shape[2] > 1,
        "more above than below": lambda case: case.inputs[0].shape[1] < case.inputs[0].shape[2],
        "shares that differ": lambda case: case.inputs[0].size > 0 and abs(case.inputs[0]).max() > 1,
    },
}


@pytest.mark.parametrize(("operator", "edge"), [(operator, edge) for operator in EDGES for edge in EDGES[operator]])
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    assert any(EDGES[operator][edge](case) for case in drawn(operator))


@pytest.mark.parametrize("operator", ["softmax", "log_softmax"])
@pytest.mark.parametrize("value", [1e4, -1e4])
def test_rows_far_from_0_are_drawn(operator, value, drawn):
    assert any(
        len(rows) > 1 and rows.size and (abs(rows[:, 0] - value) < 100).any() for rows in map(vectors, drawn(operator))
    )


def test_vectors_of_zeros_are_drawn_beside_others(drawn):
    counts = [(rows == 0).all(axis=1).mean() for rows in map(vectors, drawn("squash")) if len(rows) > 1]
    assert any(0 < count < 1 for count in counts)


def test_wide_and_cancelling_vectors_are_drawn_where_they_prove_something(drawn):
    for operator in ("log_softmax", "squash"):
        assert any(case.inputs[0].size > 9 and abs(case.inputs[0]).max() > 1e5 for case in drawn(operator))


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [
        *[(operator, [(1, 2)]) for operator in ALONG_AN_AXIS],
        ("non_local", [(1, 1, 2), (1, 1), (1, 1), (1, 1)]),
        ("capsule_routing", [(1, 1, 1, 1)]),
    ],
)
def test_cases_shrink_to_one_of_everything(operator, shapes, smallest):
    case = smallest(cases(operator))
    assert [array.shape for array in case.inputs] == shapes
    assert case.spelled_attributes == []
    assert all((abs(array) <= 4).all() for array in case.arrays.values())
