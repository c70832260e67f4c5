"""What the strategies of the norms reach."""

import numpy as np
import pytest

from properties import cases

NORMS = ("batch_norm", "layer_norm", "instance_norm", "group_norm")


def groups_of(case):
    """The input, with the values that share a mean along the last axis."""
    input = case.inputs[0]
    if case.operator == "batch_norm":
        return np.moveaxis(input, 1, 0).reshape(input.shape[1], -1)
    attributes = case.attributes
    size = {
        "layer_norm": lambda: np.prod(attributes["normalized_shape"]),
        "instance_norm": lambda: np.prod(input.shape[2:]),
        "group_norm": lambda: np.prod(input.shape[1:]) // attributes["num_groups"],
    }[case.operator]()
    return input.reshape(-1, int(size))


def ratio(case):
    """The largest mean of a group, in its standard deviations."""
    if not case.inputs[0].size:
        return 0
    values = groups_of(case).astype(np.float64)
    with np.errstate(all="ignore"):
        return (abs(values.mean(1)) / values.std(1)).max(initial=0)


def attribute(name, value):
    return lambda case: case.attributes[name] == value


EDGES = {
    "a weight alone": lambda case: case.inputs[1] is not None and case.inputs[2] is None,
    "a bias alone": lambda case: case.inputs[1] is None and case.inputs[2] is not None,
    "neither": lambda case: case.inputs[1] is case.inputs[2] is None,
    "an empty batch": lambda case: case.inputs[0].size == 0,
    "a large mean": lambda case: 5e3 < ratio(case) < 1e6,
    "a small variance": lambda case: case.inputs[0].size > 0 and groups_of(case).var(1).max() < 1e-4,
    "a large eps": attribute("eps", 1.0),
    "a small eps": attribute("eps", 1e-12),
    "no eps": attribute("eps", 0.0),
    "few values to a mean": lambda case: groups_of(case).shape[1] in {2, 3},
    "many values to a mean": lambda case: groups_of(case).shape[1] > 64,
    "a batch of one": lambda case: len(case.inputs[0]) == 1,
    "a batch of several": lambda case: len(case.inputs[0]) > 1,
    "a channels-last input": lambda case: (
        (not case.inputs[0].flags.c_contiguous and np.moveaxis(case.inputs[0], 1, -1).flags.c_contiguous)
        if case.inputs[0].ndim > 1
        else False
    ),
    "layouts that differ": lambda case: case.inputs[0].strides != case.grad_output.strides,
}
OWN = {
    "batch_norm": {
        **{f"{rank} spatial axes": lambda case, rank=rank: case.inputs[0].ndim == rank + 2 for rank in range(4)},
        "inference": attribute("training", False),
        "training with running statistics": lambda case: case.attributes["training"] and case.inputs[3] is not None,
        "training without": lambda case: case.inputs[3] is None,
        "a momentum of 0": attribute("momentum", 0.0),
        "a momentum of 1": attribute("momentum", 1.0),
        "a batch of one in inference": lambda case: not case.attributes["training"] and len(case.inputs[0]) == 1,
        "a constant grad_output": lambda case: case.grad_output.size > 1 and not any(case.grad_output.strides),
    },
    "layer_norm": {
        "an int": lambda case: isinstance(case.attributes["normalized_shape"], int),
        "an int spelled out": lambda case: np.shape(case.attributes["normalized_shape"]) == (1,),
        "several axes": lambda case: np.size(case.attributes["normalized_shape"]) > 2,
        "all axes": lambda case: np.size(case.attributes["normalized_shape"]) == case.inputs[0].ndim,
        "a weight that isn't contiguous": lambda case: (
            case.inputs[1] is not None and not case.inputs[1].flags.c_contiguous
        ),
    },
    "instance_norm": {
        f"{rank} spatial axes": lambda case, rank=rank: case.inputs[0].ndim == rank + 2 for rank in (1, 2, 3)
    },
    "group_norm": {
        **{f"{rank} spatial axes": lambda case, rank=rank: case.inputs[0].ndim == rank + 2 for rank in range(4)},
        "one group of several channels": lambda case: case.attributes["num_groups"] == 1 < case.inputs[0].shape[1],
        "several groups of several channels": lambda case: 1 < case.attributes["num_groups"] < case.inputs[0].shape[1],
        "a group for each channel": lambda case: case.attributes["num_groups"] == case.inputs[0].shape[1] > 1,
    },
    "local_response_norm": {
        **{f"{rank} spatial axes": lambda case, rank=rank: case.inputs[0].ndim == rank + 2 for rank in (1, 2, 3)},
        "an empty batch": lambda case: len(case.inputs[0]) == 0,
        "an even window within the channels": lambda case: (
            case.attributes["size"] % 2 == 0 and case.attributes["size"] < case.inputs[0].shape[1]
        ),
        "an odd window within the channels": lambda case: (
            1 < case.attributes["size"] < case.inputs[0].shape[1] and case.attributes["size"] % 2 == 1
        ),
        "a window of one": attribute("size", 1),
        "a window of more than the channels": lambda case: case.attributes["size"] > 2 * case.inputs[0].shape[1],
        "a k of 0": attribute("k", 0.0),
        "a large alpha": lambda case: case.attributes["alpha"] >= 1,
    },
}


@pytest.mark.parametrize(
    ("operator", "edge"),
    [
        *[(operator, edge) for operator in NORMS for edge in EDGES],
        *[(operator, edge) for operator in OWN for edge in OWN[operator]],
    ],
)
def test_an_edge_is_drawn_within_500_cases(operator, edge, drawn):
    holds = {**EDGES, **OWN[operator]}[edge]
    assert any(holds(case) for case in drawn(operator))


@pytest.mark.parametrize(
    ("operator", "shape"),
    [("batch_norm", (4, 1)), ("layer_norm", (4,)), ("instance_norm", (1, 1, 4)), ("group_norm", (1, 4))],
)
def test_norms_shrink_to_four_values(operator, shape, smallest):
    case = smallest(cases(operator))
    assert case.inputs[0].shape == shape
    assert [array is None for array in case.inputs[1:3]] == [True, True]
    assert all(abs(array.ravel()).max() <= 4 for array in (case.inputs[0], case.grad_output))


def test_local_response_norm_shrinks_to_one_of_everything(smallest):
    case = smallest(cases("local_response_norm"))
    assert case.inputs[0].shape == (1, 1, 1)
    assert case.spelled_attributes == ["size=1"]


def test_a_running_variance_is_positive(drawn):
    variances = [case.inputs[4] for case in drawn("batch_norm") if case.inputs[4] is not None]
    assert all((variance >= 0).all() for variance in variances)
