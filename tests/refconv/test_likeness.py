"""Terms that are alike count as often as there are such; those without a pattern are like no other."""

import numpy as np
import pytest

from refconv import ARITHMETICS, operators
from refconv.likeness import FEW, RUN, alike, like_terms

RNG = np.random.default_rng(0)


def test_values_without_a_pattern_are_like_no_other():
    for shape in ((1,), (7,), (100_000,), (64, 8, 30, 40)):
        assert (alike(RNG.standard_normal(shape)) == 1).all()


def test_a_value_that_comes_again_counts_its_times_whatever_its_sign_and_place():
    array = RNG.permutation(
        np.concatenate([RNG.standard_normal(50), np.full(20, 0.1), np.full(10, -0.1), np.zeros(40)])
    )
    assert (alike(array)[abs(array) == 0.1] == 30).all()
    assert (alike(array)[abs(array) != 0.1] == 1).all()  # adding zero rounds nothing
    assert (alike(np.full(FEW, 0.1)) == 1).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_even_run_along_any_axis_counts_its_length(axis):
    array = RNG.standard_normal((40, 41, 42))
    ends = np.moveaxis(array, axis, -1)
    ends[3, 4] = np.linspace(1, 2, ends.shape[-1])
    ends[5, 6, : RUN + 1], ends[5, 6, RUN + 1] = np.linspace(-1, -2, RUN + 1), 9
    found = np.moveaxis(alike(array), axis, -1)
    assert (found[3, 4] == ends.shape[-1]).all()
    assert (found[5, 6, : RUN + 1] == ends.shape[-1]).all()
    found[3, 4] = found[5, 6, : RUN + 1] = 1
    assert (found == 1).all()


def test_what_is_smooth_along_several_axes_is_alike_all_over():
    row, column = np.ogrid[1:2:30j, 1:2:20j]
    assert (alike(row + column) == 600).all()


def test_a_term_with_a_factor_that_is_like_no_other_is_like_no_other():
    def sums(x, y):
        return (x @ y,)

    constant, normal = np.full(100, 0.1), RNG.standard_normal(100)
    assert like_terms(sums, (normal, normal)) is None
    assert like_terms(sums, (constant, normal)) == (0.0,)
    assert like_terms(sums, (constant, constant)) == (100.0**3,)


def test_only_the_sums_over_what_is_alike_are_granted_more():
    input = RNG.standard_normal((1, 3, 32, 32))
    input[0, 1] = 0.1
    avg_pool = operators["avg_pool"]
    attributes = {**avg_pool.attributes, "kernel_size": 32}
    output = avg_pool.forward(input, **attributes)
    bound = avg_pool.bound(ARITHMETICS["float32"], output, input, **attributes)
    share = (bound.limit / bound.rigorous)[0, :, 0, 0]
    assert share[1] == 1
    assert (share[[0, 2]] < 0.1).all()


def test_special_values_are_no_trouble():
    array = np.array([np.nan, np.inf, -np.inf, 0.0, 5e-324] * 10)
    with np.errstate(invalid="ignore"):
        assert np.isfinite(alike(array)).all()
    assert alike(np.empty((0, 3))).shape == (0, 3)
