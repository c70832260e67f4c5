"""A domain is said in the words of `cases`, and everything is within it."""

from itertools import chain

import numpy as np
import pytest

from properties import Case
from properties.domain import DomainError, allowed_classes, fits, narrowed_cases, narrowed_to, read_domain
from properties.models import MODELS
from properties.plan import Plan


def conv(rank=2, **attributes):
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros", **attributes}
    input, weight = np.ones((1, given["groups"], *[9] * rank), "f"), np.ones((given["groups"], 1, *[3] * rank), "f")
    return Case("conv", (input, weight, None), given, np.ones((1, given["groups"], *[7] * rank), "f"))


@pytest.mark.parametrize(
    ("only", "inside", "outside"),
    [
        ({"rank": 2}, conv(2), conv(1)),
        ({"groups": 1}, conv(), conv(groups=2)),
        ({"dilation": 1}, conv(dilation=(1, 1)), conv(dilation=(1, 2))),
        ({"padding": 1}, conv(padding=((1, 1), (1, 1))), conv(padding=((1, 0), (1, 1)))),
        ({"padding_mode": {"zeros", "reflect"}}, conv(padding_mode="reflect"), conv(padding_mode="circular")),
        ({"stride": {1, 2}}, conv(stride=2), conv(stride=3)),
        ({"bias": "False"}, conv(), None),
        ({"groups": "2"}, conv(groups=2), conv(groups=3)),
    ],
)
def test_a_case_is_within_or_not(only, inside, outside):
    domain = read_domain(only, ["conv"])
    assert fits(inside, domain)
    assert outside is None or not fits(outside, domain)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ({"grops": 1}, "only must name some of .*groups.*, got 'grops'"),
        ({"groups": set()}, "only must leave some groups, got none"),
        ({"padding_mode": "mirror"}, "only leaves no padding_mode of conv: it must be of zeros, .*, got 'mirror'"),
        ({"rank": 4}, "only leaves no rank of conv: it must be of 2, 1, 3, got 4"),
        (
            {"rank": 2, "stride": (1, 2, 3)},
            r"only leaves no stride of conv: it must be of 1, 2, 3-, differing, got \(1, 2, 3\)$",
        ),
        ({"rank": {4, 5}}, "only leaves no rank of conv: it must be of 2, 1, 3, got 4, 5$"),
        ({"padding_mode": "zero"}, "got 'zero'; did you mean zeros\\?$"),
        ({"stride": {"a": 1}}, r"only must have a value for stride, or a set of them, got {'a': 1}$"),
        ([("rank", 2)], "only must be a mapping, got list"),
    ],
)
def test_what_makes_no_sense_is_said(only, said):
    with pytest.raises(DomainError, match=said):
        read_domain(only, ["conv"])


@pytest.mark.parametrize(
    ("asked", "own", "said"),
    [
        ({}, {"grops": 1}, "^the domain of mine must name some of .*groups.*, got 'grops'; did you mean groups\\?$"),
        ({}, {"groups": set()}, "^the domain of mine must leave some groups, got none$"),
        ({}, {"rank": 4}, "^the domain of mine leaves no rank of conv: it must be of 2, 1, 3, got 4$"),
        ({"rank": 2}, {"rank": {1, 3}}, "^only must leave some rank of the domain of mine, 1, 3, got 2$"),
        ({}, "rank=2", "^the domain of mine must be a mapping, got str$"),
    ],
)
def test_an_implementation_s_own_domain_that_makes_no_sense_is_said_to_be_its_own(asked, own, said):
    with pytest.raises(DomainError, match=said):
        narrowed_to(read_domain(asked, ["conv"]), own, ["conv"], "mine")


def test_an_implementation_s_own_domain_is_of_all_that_it_is_for():
    own = {"groups": 1, "mode": "nearest"}
    found = narrowed_to(
        {"axes": frozenset({2})}, own, ["relu", "upsample"], "mine"
    )  # `pad` has a mode, and isn't offered
    assert found == {"axes": {2}, "groups": {1}, "mode": {"nearest"}}


def test_values_that_no_draw_has_are_given_up_soon():
    plan = Plan("relu", "float32", 0, largest=1000, only=read_domain({"elements": 4999}, ["relu"]))
    assert not list(plan.of_design())
    assert plan.design.triples[0] == 0


def test_a_value_allows_the_classes_that_have_it():
    only = read_domain({"rank": 2, "padding": 1, "stride": 2}, ["conv"])
    allowed = allowed_classes(MODELS["conv"], only)
    assert allowed["rank"] == {"2"}
    assert allowed["stride"] == {"2"}
    assert "inside" in allowed["padding"]
    assert "0" not in allowed["padding"]


def test_a_plan_keeps_within_a_domain():
    only = read_domain({"rank": 2, "groups": 1, "dilation": 1, "padding_mode": "zeros"}, ["conv"])
    plan = Plan("conv", "float32", 0, largest=300_000, only=only)
    seen = 0
    for planned in chain(plan.of_layers(), plan.of_design()):  # each is noted before the next
        case, terms = planned.recipe.made("float32")
        assert fits(case, only), case
        plan.ran(planned, case, terms)
        seen += 1
    coverage = plan.counted()
    assert coverage.layers == coverage.of_layers > 50
    assert seen > 100


def test_free_cases_keep_within_a_domain(collect):
    only = read_domain({"rank": {1, 2}, "groups": 1, "stride": 1}, ["conv"])
    for case in collect(narrowed_cases("conv", "float32", only, lambda case: False), 50):
        assert fits(case, only)
