"""The measurement behind the verdict's constant, in short, and its picture."""

import numpy as np
import pytest
from click.testing import CliRunner

from bench.bounds import DATA, LENGTHS, MIXED, ORDERS, WEIGHTS, main, measured, rounded_to, sequential, worst
from refconv.bounds import ERRORS_PER_B


def test_errors_and_bounds_are_in_units_of_the_magnitude():
    found = list(measured(sequential, seeds=2))
    assert [of.length for of in found] == sorted([*LENGTHS, *LENGTHS])
    rigorous = [of.length + 1 for of in found]  # gamma has n u / (1 - n u), 0.4 % more at most
    np.testing.assert_allclose([of.rigorous for of in found], rigorous, rtol=5e-3)
    assert all(0 < of.error < ERRORS_PER_B * of.statistical for of in found)


def test_factors_of_fewer_bits_are_told():
    values = np.array([1 + 2**-10, 1 + 2**-11, -(1 + 3 * 2**-11), 0.0], np.float32)
    assert rounded_to(11)(values).tolist() == [1 + 2**-10, 1.0, -(1 + 2**-9), 0.0]  # ties go to even
    assert np.median([of.error / of.statistical for of in measured(sequential, rounded_to(11), seeds=3)]) > ERRORS_PER_B


@pytest.mark.parametrize("data", DATA)
def test_no_honest_sum_fails_whatever_it_adds_and_however(data):
    for weights in WEIGHTS:
        assert 0 < worst(data, weights, (9, 64, 1152), seeds=1).error < 0.7
        assert worst(data, weights, (4608,), seeds=1).error < 0.7


@pytest.mark.parametrize(("data", "weights"), [(MIXED, "1"), *((data, "normal") for data in DATA)])
def test_factors_of_eleven_bits_are_told_where_terms_have_mixed_signs(data, weights):
    assert worst(data, weights, (64, 576, 4608), seeds=2).told == 1


def test_all_orders_give_sums():
    x, y = np.random.default_rng(0).integers(-4, 5, (2, 3, 100)).astype(np.float32)
    for summed in ORDERS.values():
        assert summed(x, y).tolist() == (x * y).sum(-1).tolist()


def test_the_table_is_printed_and_the_picture_drawn(tmp_path):
    arguments = ["--seeds", "1", "--longest", "27", str(tmp_path / "bounds.png")]
    run = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert run.exit_code == 0
    assert len(run.output.splitlines()) == 1 + len(DATA) * len(WEIGHTS)
    assert (tmp_path / "bounds.png").read_bytes().startswith(b"\x89PNG")
