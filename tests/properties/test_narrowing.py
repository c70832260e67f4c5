"""Cases of one rank, of short sides, of given attributes: valid, and as varied as what they are cut from."""

import numpy as np
import pytest
from hypothesis import find, settings
from hypothesis.errors import NoSuchExample

from oracle.judging.judge import expectation
from properties import cases
from properties.narrowing import RANKS
from refconv import ARITHMETICS, operators

PAIRS = [(operator, rank) for operator, ranks in RANKS.items() for rank in ranks]


def check(case):
    """A whole case, which the reference takes."""
    assert case.refusal("backward") is None
    returned = case.row.forward(*case.inputs, **case.attributes)
    output = returned[0] if isinstance(returned, tuple) else returned
    assert output.shape == case.grad_output.shape
    assert output.dtype == case.grad_output.dtype


@pytest.mark.parametrize(("operator", "rank"), PAIRS)
def test_cases_of_a_rank_with_short_sides(operator, rank, collect):
    drawn = collect(cases(operator, rank=rank, max_side=6), 60)
    for case in drawn:
        check(case)
        assert case.inputs[0].ndim == rank + 2
        assert max(case.inputs[0].shape[2:], default=0) <= 6
    shown = [expectation(case, "backward", ARITHMETICS["float32"]) for case in drawn if case.inputs[0].size]
    proving = [any(item is not None and item.value.any() for item in expected.values()) for expected in shown]
    assert sum(proving) > 0.7 * len(proving)
    assert rank == 0 or len({case.inputs[0].shape for case in drawn}) > 15


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("operator", ["conv", "conv_transpose"])
def test_cases_with_so_many_groups(operator, groups, collect):
    drawn = collect(cases(operator, groups=groups), 60)
    assert all(case.attributes["groups"] == groups for case in drawn)
    assert len({repr(case) for case in drawn}) > 50
    for case in drawn:
        check(case)
        weight = case.inputs[1]
        if groups == 2 and all(weight.strides) and len(np.unique(weight)) > 20:
            assert not np.array_equal(*np.split(weight, 2, 0))  # each group has a kernel of its own


GIVEN = [
    ("conv", {"stride": 2, "padding": 1}),
    ("conv", {"padding": "same"}),
    ("conv", {"padding_mode": "reflect", "rank": 2}),
    ("conv_transpose", {"stride": (2, 3), "rank": 2, "output_padding": 1}),
    ("max_pool", {"return_indices": True, "kernel_size": 2}),
    ("avg_pool", {"count_include_pad": False, "ceil_mode": True}),
    ("upsample", {"mode": "linear", "align_corners": True}),
    ("batch_norm", {"training": False, "eps": 0.5}),
    ("group_norm", {"num_groups": 2}),
    ("softmax", {"axis": -1}),
    ("dropout", {"p": 0.25}),
    ("capsule_routing", {"iterations": 2}),
]


@pytest.mark.parametrize(("operator", "given"), GIVEN, ids=str)
def test_cases_with_given_attributes(operator, given, collect):
    drawn = collect(cases(operator, **given), 40)
    assert len({repr(case) for case in drawn}) > 15
    for case in drawn:
        check(case)
        assert all(case.attributes[name] == value for name, value in given.items() if name != "rank")


def test_what_is_cut_has_the_layouts_and_edges_of_what_was_drawn(collect):
    drawn = collect(cases("conv", rank=2, groups=1, max_side=16, dtype="float16"), 500)
    edges = {
        "an empty batch": lambda case: case.inputs[0].shape[0] == 0,
        "a layout": lambda case: not case.inputs[0].flags.c_contiguous,
        "padding on one side": lambda case: np.ndim(case.attributes["padding"]) == 2,
        "dilation by axis": lambda case: len(set(np.atleast_1d(case.attributes["dilation"]))) == 2,
        "stride by axis": lambda case: len(set(np.atleast_1d(case.attributes["stride"]))) == 2,
        "channels beyond a vector": lambda case: case.inputs[0].shape[1] > 8,
        "one column": lambda case: case.inputs[0].shape[3] == 1,
        "a long row": lambda case: case.inputs[0].shape[3] > 12,
    }
    assert [name for name, met in edges.items() if not any(map(met, drawn))] == []
    assert {str(case.dtype) for case in drawn} == {"float16"}


def test_they_shrink_to_the_smallest_of_their_kind(smallest):
    case = smallest(cases("conv", rank=2), lambda case: case.grad_output.size > 0)
    assert [array.shape for array in case.inputs[:2]] == [(1, 1, 1, 1)] * 2
    assert case.inputs[2] is None


def test_what_cannot_be_isn_t_found():
    with pytest.raises(NoSuchExample):
        find(
            cases("conv", rank=3, max_side=4),
            lambda case: max(case.inputs[0].shape[2:]) > 4,
            settings=settings(max_examples=200, database=None),
        )


@pytest.mark.parametrize(
    ("operator", "given", "said"),
    [
        ("conv", {"rank": 4}, r"^rank must be one of 1, 2, 3 for conv, got 4$"),
        ("conv", {"rank": "2"}, r"^rank must be one of 1, 2, 3 for conv, got '2'$"),
        ("linear", {"rank": 2}, r"^rank must be None for linear, which has no spatial axes of its own, got 2$"),
        ("linear", {"max_side": 2}, r"^max_side must be None for linear, which has no"),
        ("conv", {"max_side": 0}, r"^max_side must be an int of at least 1, got 0$"),
        ("conv", {"groups": 0}, r"^groups must be an int of at least 1, got 0$"),
        ("conv", {"kernel": 3}, r"^attributes of conv must be of stride, padding, dilation, groups, padding_mode, got 'kernel'$"),
        ("relu", {"inplace": True}, r"^attributes of relu must be of none, got 'inplace'$"),
    ],
)  # fmt: skip
def test_what_no_case_has_is_refused(operator, given, said):
    with pytest.raises(ValueError, match=said):
        cases(operator, **given)


def test_ranks_are_those_that_the_operators_take():
    assert set(RANKS) < set(operators)
