"""The catalogue: variants are wrong, told apart by their names, and do nothing but return results."""

import re
from collections import Counter
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import refconv
from oracle.contract import arguments_of, results_of
from oracle.diagnosis import CATALOGUE, variants
from oracle.diagnosis.catalogue import modules
from oracle.diagnosis.planted import name_of
from properties import cases
from refconv import InvalidTypeError, InvalidValueError

BY_FUNCTION = sorted({(variant.operator, variant.direction) for variant in CATALOGUE})
FEW = 12


def drawn(operator):
    found = []

    @settings(
        max_examples=FEW,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),  # drawing is all that is done
    )
    @hypothesis.seed(0)
    @given(cases(operator))
    def draw(case):
        found.append(case)

    draw()
    return found


def test_every_function_has_mistakes_of_its_own():
    assert len(CATALOGUE) >= 900
    assert len(BY_FUNCTION) == 2 * len(refconv.operators)
    assert min(Counter((variant.operator, variant.direction) for variant in CATALOGUE).values()) >= 2


def test_every_module_of_mistakes_is_named_as_a_layer_and_in_the_catalogue():
    folder = Path(variants.__file__).parent
    collecting = [path.stem for path in folder.glob("*.py") if "\nwrong = Catalogue()" in path.read_text()]
    assert sorted(collecting) == sorted(module.__name__.rpartition(".")[2] for module in modules())


def test_names_are_apart():
    assert max(Counter(map(name_of, CATALOGUE)).values()) == 1


def test_names_and_causes_are_what_a_report_can_say():
    for variant in CATALOGUE:
        assert re.fullmatch(r"\S.*[^\s.]", variant.name), variant
        assert re.fullmatch(r"\S.*\.", variant.cause), variant
        assert variant.thread is None or re.fullmatch(r"[\w.-]+/[\w.-]+(#\d+|@[0-9a-f]{7,})", variant.thread), variant


def test_real_bugs_have_their_threads():
    assert len({variant.thread for variant in CATALOGUE if variant.thread}) >= 60


@pytest.mark.parametrize(("operator", "direction"), BY_FUNCTION)
def test_variants_leave_their_arguments_alone_and_return_what_the_contract_asks_for(operator, direction):
    own = [v for v in CATALOGUE if (v.operator, v.direction) == (operator, direction) and not v.symptom]
    for case in drawn(operator):
        arguments = arguments_of(case, direction)
        before = [array is not None and array.tobytes() for array in arguments.values()]
        for variant in own:
            try:
                with np.errstate(all="ignore"):
                    returned = variant.implementation()(*arguments.values(), **case.attributes)
            except (InvalidTypeError, InvalidValueError, RuntimeError):  # a mistake may make a call senseless
                continue
            results = results_of(returned, case, direction)
            assert all(value is None or value.dtype in (case.dtype, np.int64) for value in results.values()), (
                variant.key
            )
            assert [array is not None and array.tobytes() for array in arguments.values()] == before, variant.key
