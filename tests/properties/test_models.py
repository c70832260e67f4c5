"""A row of classes gives the case that it names: what is read off the case is what was chosen."""

import math

import numpy as np
import pytest

from properties.covering import Design
from properties.models import MODELS, drawn

LARGEST = 2_000_000
TOO_MUCH = 4  # times that: sizes have a least in each class
UNTOLD = ("content", "address", "in full")


@pytest.fixture(scope="module", params=MODELS)
def recipes(request):
    """Those of a whole design, each with its row."""
    model = MODELS[request.param]
    design = Design(model, LARGEST, 0)
    made = []
    for number, row in enumerate(design.rows()):
        recipe = drawn(model, row, number, LARGEST)
        if recipe.work > TOO_MUCH * LARGEST:
            design.refuse()
            continue
        design.note(recipe.classes)
        made.append((row, recipe))
    assert design.triples[0] == design.triples[1] > 0
    assert design.pairs[0] == design.pairs[1]
    return made


def test_a_recipe_is_of_the_classes_of_its_row(recipes):
    for row, recipe in recipes:
        assert recipe.classes == row, recipe.choices


def test_what_is_read_off_a_case_are_its_choices(recipes):
    for _, recipe in recipes:
        case = recipe.case("float32")
        read = recipe.model.read(case)
        for name, value in recipe.choices.items():
            if name not in UNTOLD and not name.startswith("layout"):
                assert read[name] == value, (name, case)


def test_the_reference_takes_every_case(recipes):
    for _, recipe in recipes[:60]:
        case = recipe.case("float32")
        assert case.refusal("backward") is None, case
        output = case.reference("forward")[0]
        assert output.shape == case.grad_output.shape


def test_work_is_about_that_of_the_elements(recipes):
    for _, recipe in recipes:
        sizes = [array.size for array in recipe.case("float32").arrays.values() if array is not None]
        assert max(sizes) <= max(recipe.work, 64), recipe.choices


def test_the_same_recipe_makes_the_same_case(recipes):
    _, recipe = recipes[len(recipes) // 2]
    one, other = (recipe.case("float32") for _ in range(2))
    for first, second in zip(one.arrays.values(), other.arrays.values(), strict=True):
        np.testing.assert_array_equal(first, second)
    assert one.attributes == other.attributes


def test_most_cases_are_cheap(recipes):
    assert np.median([recipe.work for _, recipe in recipes]) <= LARGEST
    assert math.isfinite(max(recipe.work for _, recipe in recipes))
