import numpy as np
import pytest

from bench.intervals import interval, quotient, rounds_needed


def rounds(seed, shift=0.0, processes=4, count=8, between=0.005, within=0.02):
    rng = np.random.default_rng(seed)
    return [shift + between * rng.standard_normal() + within * rng.standard_normal(count) for _ in range(processes)]


@pytest.mark.parametrize(("confidence", "needed"), [(0.5, 2), (0.75, 3), (0.95, 6), (0.99, 8), (0.999, 11)])
def test_how_many_rounds_a_confidence_needs(confidence, needed):
    assert rounds_needed(confidence) == needed
    assert 1 - 2 ** (1 - needed) >= confidence > 1 - 2 ** (2 - needed)


def test_rounds_that_agree_leave_no_doubt():
    low, estimate, high = interval([[np.log(1.25)] * 4] * 3, 0.95)
    assert low == pytest.approx(1.25)
    assert estimate == pytest.approx(1.25)
    assert high == pytest.approx(1.25)


def test_an_interval_holds_the_ratio_as_often_as_it_says():
    held = 0
    for seed in range(400):
        low, _, high = interval(rounds(seed, np.log(1.1)), 0.9)
        held += low <= 1.1 <= high
    assert 336 <= held <= 384  # 360 expected, with a deviation of 6


def test_processes_that_differ_widen_it():
    narrow, wide = (interval(rounds(0, between=between), 0.95) for between in (0.0, 0.05))
    assert np.log(wide.high / wide.low) > 2 * np.log(narrow.high / narrow.low)


def test_a_higher_confidence_widens_it():
    loose, strict = (interval(rounds(1), confidence) for confidence in (0.5, 0.99))
    assert strict.low < loose.low < loose.estimate < loose.high < strict.high


def test_the_quotient_of_two_ratios():
    low, estimate, high = quotient(rounds(2, np.log(3.3)), rounds(3, np.log(3.0)), 0.99)
    assert low < 1.1 < high
    assert estimate == pytest.approx(1.1, rel=0.02)
    assert (low, estimate, high) == quotient(rounds(2, np.log(3.3)), rounds(3, np.log(3.0)), 0.99)


def test_a_round_that_was_disturbed_changes_little():
    calm = rounds(4)
    disturbed = [np.append(process[:-1], 3.0) for process in calm]
    assert interval(disturbed, 0.95).estimate == pytest.approx(interval(calm, 0.95).estimate, abs=0.02)
