"""The scorecard, in short: one variant in thirty is found and named, and correct implementations pass."""

import re

import pytest
from click.testing import CliRunner

from bench.power import PRECISIONS, alarm, power_command, precision, score
from oracle.diagnosis import CATALOGUE

KEPT = [number for number, variant in enumerate(CATALOGUE) if variant.operator == "linear"]


@pytest.mark.parametrize("number", range(0, len(CATALOGUE), 30), ids=lambda number: CATALOGUE[number].key)
def test_a_variant_is_found_and_called_by_its_name(number):
    found = score(number, seeds=1, examples=200)
    assert found.found == 1
    assert found.rightly, found.named
    assert found.elements <= 200 or found.named == "depends on earlier calls"  # which no single case shows


def test_a_correct_implementation_raises_no_alarm():
    heard = alarm("pairwise float32", 50)
    assert heard.failures == ()
    assert heard.cases >= 100
    assert alarm("winograd float32", 20).cases >= 40


def test_precisions_are_told_apart():
    assert [precision(name, 1).told for name in PRECISIONS] == [1] * len(PRECISIONS)


def test_the_scorecard_says_what_was_found():
    arguments = ["--operator", "tanh", "--seeds", "1", "--honest", "5", "--precision", "1", "--examples", "30"]
    run = CliRunner().invoke(power_command, arguments, standalone_mode=False)
    assert re.search(r"tanh +6 +6 of 6 ", run.stdout), run.stdout
    assert "6 variants: 6 found with each of 1 seeds, 6 named rightly (100%)" in run.stdout
    assert "tf32: precision told rightly in 1 of 1 seeds" in run.stdout
    assert run.return_value == 0


def test_laws_alone_find_variants():
    run = CliRunner().invoke(
        power_command, ["--laws", "--operator", "softmax", "--examples", "20"], standalone_mode=False
    )
    assert re.search(r"softmax +\d+ +13 +1[123] ", run.stdout), run.stdout
    assert re.search(r"1[123] of 13 variants break a law \(\d+%\); \d+ laws", run.stdout)
