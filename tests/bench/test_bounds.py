"""The measurement behind the verdict's constant, in short, and its picture."""

import numpy as np
from click.testing import CliRunner

from bench.bounds import LENGTHS, main, measured, rounded_to, sequential
from refconv.bounds import ERRORS_PER_B


def test_errors_and_bounds_are_in_units_of_the_magnitude():
    found = list(measured(sequential, seeds=2))
    assert [of.length for of in found] == sorted([*LENGTHS, *LENGTHS])
    rigorous = [of.length + 1 for of in found]  # gamma has n u / (1 - n u), 0.1 % more at most
    np.testing.assert_allclose([of.rigorous for of in found], rigorous, rtol=2e-3)
    assert all(0 < of.error < ERRORS_PER_B * of.statistical for of in found)


def test_factors_of_fewer_bits_are_told():
    values = np.array([1 + 2**-10, 1 + 2**-11, -(1 + 3 * 2**-11), 0.0], np.float32)
    assert rounded_to(11)(values).tolist() == [1 + 2**-10, 1.0, -(1 + 2**-9), 0.0]  # ties go to even
    assert np.median([of.error / of.statistical for of in measured(sequential, rounded_to(11), seeds=3)]) > ERRORS_PER_B


def test_the_picture_is_drawn(tmp_path):
    run = CliRunner().invoke(main, [str(tmp_path / "bounds.png")], catch_exceptions=False)
    assert run.exit_code == 0
    assert (tmp_path / "bounds.png").read_bytes().startswith(b"\x89PNG")
