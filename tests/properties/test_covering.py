"""Designs cover what can occur together, and nothing that can't."""

from itertools import combinations

import pytest

from properties.covering import Design
from properties.models import MODELS
from properties.models.feature import Call, Model, one_of, sizes


def model(**more):
    features = (
        one_of("rank", lambda case: 2, 2, 1, 3),
        one_of("kind", lambda case: None, "a", "b", "c"),
        one_of("flag", lambda case: None, True, False),
        sizes("size", lambda case: 1, "1", "8-16", "100-200"),
    )
    return Model("relu", features, lambda contents, chosen: Call({}, {}), costs=((1, ("size",)),), **more)


def rows_of(design):
    for row in design.rows():
        design.note(row)
        yield row


def triples(rows, names):
    return {frozenset((name, row[name]) for name in three) for row in rows for three in combinations(names, 3)}


def test_every_triple_occurs():
    rows = list(rows_of(Design(model(), 1000, 0)))
    found = triples(rows, ["rank", "kind", "flag", "size"])
    assert len(found) == 3 * 3 * 2 + 3 * 3 * 3 + 3 * 2 * 3 + 3 * 2 * 3
    assert len(rows) < 3 * 3 * 2 * 3


def test_what_is_impossible_never_occurs():
    design = Design(model(impossible=({"kind": ("b",), "flag": ("False",)},)), 1000, 0)
    rows = list(rows_of(design))
    assert rows
    assert not any(row["kind"] == "b" and row["flag"] == "False" for row in rows)
    assert design.triples[0] == design.triples[1] == 3 * 5 + 3 * 3 * 3 + 3 * 2 * 3 + 5 * 3


def test_what_costs_too_much_does_not_count():
    design = Design(model(), 50, 0)
    rows = list(rows_of(design))
    assert {row["size"] for row in rows} == {"1", "8-16"}
    assert design.triples[0] == design.triples[1]


def test_a_narrower_design_uses_what_is_allowed_alone():
    design = Design(model(), 1000, 0)
    design.allow_only({"rank": {"3"}})
    rows = list(rows_of(design))
    assert {row["rank"] for row in rows} == {"3"}
    assert design.triples[0] == design.triples[1]
    assert design.pairs[0] == design.pairs[1] > 0


def test_what_is_forbidden_on_the_way_occurs_no_more():
    design = Design(model(), 1000, 0)
    rows = []
    for row in design.rows():
        if row["kind"] == "c":
            design.forbid(("kind", "c"))
        else:
            design.note(row)
            rows.append(row)
    assert {row["kind"] for row in rows} == {"a", "b"}
    assert design.triples[0] == design.triples[1]


def test_a_row_that_is_refused_again_and_again_ends():
    design = Design(model(), 1000, 0)
    for _row in design.rows():
        design.refuse()
    assert design.triples == (0, 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_gives_the_same_design(seed):
    first, second = (list(rows_of(Design(MODELS["relu"], 100_000, seed))) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_design():
    first, second = (list(rows_of(Design(MODELS["relu"], 100_000, seed))) for seed in (0, 1))
    assert first != second


def test_pairs_come_early():
    design = Design(MODELS["conv"], 1_000_000, 0)
    for number, row in enumerate(design.rows()):
        design.note(row)
        if number == 99:
            break
    covered, possible = design.pairs
    assert covered > 0.95 * possible
