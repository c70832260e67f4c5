"""A ratio is told where its own interval carries it."""

import math

import numpy as np
import pytest

from bench.ratios import CARRIED, Ratio, ratio, spread


def logarithms(seed, noise, *, processes=3, rounds=5, faster=2.0, between=0.0):
    rng = np.random.default_rng(seed)
    return [
        list(-math.log(faster) + between * rng.standard_normal() + noise * rng.standard_normal(rounds))
        for _ in range(processes)
    ]


def test_rounds_that_agree_carry_their_ratio():
    found = ratio([[-math.log(2)] * 5] * 3)
    assert found.interval == pytest.approx((2, 2, 2))
    assert found.carried
    assert str(found) == "2.00"


def test_a_quiet_machine_measures_what_there_is():
    for seed in range(50):
        found = ratio(logarithms(seed, 0.02))
        assert found.carried
        assert found.interval.low <= 2.1
        assert found.interval.high >= 1.9


def test_a_disturbed_machine_measures_nothing():
    """Rounds of which the middle half lies between 0.55 and 1.8 times the ratio, as were seen beside "444 x torch"."""
    withheld = [ratio(logarithms(seed, 0.9, faster=444)) for seed in range(100)]
    assert sum(not found.carried for found in withheld) >= 97
    assert all(str(found).startswith("not measurable here (spread ") for found in withheld if not found.carried)


def test_processes_that_differ_carry_no_ratio_though_each_is_steady():
    steady = [[-math.log(factor) + wobble for wobble in (-0.01, 0.0, 0.01)] for factor in (1.0, 2.0, 4.0)]
    found = ratio(steady)
    assert not found.carried
    assert found.interval.low < 1.0
    assert found.interval.high > 4.0


def test_rounds_that_differ_carry_no_ratio_though_the_processes_agree():
    found = ratio([[-math.log(factor) for factor in (0.5, 0.6, 2.0, 7.0, 8.0)]] * 3)
    assert found.interval.estimate == pytest.approx(2.0)
    assert found.interval.low < 1 < 4 < found.interval.high
    assert str(found) == "not measurable here (spread 160%)"


def test_one_process_is_judged_by_its_rounds():
    assert ratio([[-math.log(factor) for factor in (1.9, 2.0, 2.1)]]).interval == pytest.approx((1.9, 2.0, 2.1))
    assert not ratio([[-math.log(factor) for factor in (1.0, 2.0, 4.0)]]).carried


def test_a_single_round_carries_nothing():
    assert str(ratio([[-math.log(2)]])) == "not measurable here (one round)"


def test_of_nothing_there_is_no_ratio():
    assert ratio([]) is None
    assert ratio([[], []]) is None


@pytest.mark.parametrize(("factor", "carried"), [(0.99 * CARRIED, True), (1.01 * CARRIED, False)])
@pytest.mark.parametrize("up", [True, False])
def test_how_far_the_ends_may_lie(factor, carried, up):
    found = ratio([[0.0, 0.0, -math.log(factor) if up else math.log(factor)]])  # its own order alone
    assert found.carried is carried
    assert isinstance(found, Ratio)


def test_the_interval_holds_the_ratio_as_often_as_it_says():
    held = 0
    for seed in range(400):
        low, _, high = ratio(logarithms(seed, 0.05, between=0.03)).interval
        held += low <= 2 <= high
    assert held >= 375  # 380 expected at least, with a deviation of 4


def test_the_spread_is_half_of_the_middle_half():
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(0.5)
    assert spread([1.0]) == 0.0
