"""What follows from sizes alone, by hand; that results are right is shown where arrays are computed."""

import numpy as np
import pytest

from refconv.geometry import read_window
from refconv.layout import are_positions, forward, lay_out, phases, united

WHOLE = (1, 1, (0,))


def window(kernel, stride=1, padding=0, dilation=1):
    return read_window((kernel,), stride=stride, padding=padding, dilation=dilation)


def test_a_window_reads_a_position_for_each_tap():
    assert forward((4,), window(3, stride=2, padding=1, dilation=5)) == [WHOLE, WHOLE, (4, 2, (-1, 4, 9))]


def test_a_position_is_reached_by_the_taps_of_its_phase():
    # Position p gets tap k from window (p + 1 - k) / 2.
    even, odd = (0, (3, 1, (0,)), [1]), (1, (2, 1, (1, 0)), [0, 2])
    assert phases((5,), window(3, stride=2, padding=1)) == [[(0, WHOLE, [0])], [(0, WHOLE, [0])], [even, odd]]


def test_a_phase_that_no_tap_reaches_is_left_out():
    assert [first for first, _, _ in phases((5,), window(2, stride=3))[2]] == [0, 1]


def test_a_signal_shorter_than_a_stride_has_a_phase_for_each_position():
    assert [first for first, _, _ in phases((2,), window(4, stride=3))[2]] == [0, 1]


def test_a_sweep_of_all_phases_sees_the_taps_of_each():
    of_three = window(3, stride=2, padding=1)
    axes, places, numbers = united(phases((5,), of_three), of_three)
    assert axes == [WHOLE, WHOLE, (3, 1, (0, 1))]
    assert places == [(0, 0, 0), (0, 0, 1)]
    assert numbers.tolist() == [[1, 3], [2, 0]]  # 3 is none


@pytest.mark.parametrize(("stride", "padding", "same"), [(1, 0, True), (2, 0, False), (1, 1, False)])
def test_windows_are_the_positions_where_nothing_moves_them(stride, padding, same):
    size = 6 if stride == 1 else 3
    assert are_positions(forward((size,), window(1, stride=stride, padding=padding)), (6,)) is same


@pytest.mark.parametrize(("dilation", "size"), [(2, 16 + 4), (40, 3 * 16)])
def test_what_lies_between_far_taps_is_left_out(dilation, size):
    layout = lay_out((1, 1, 1, 16), tuple(forward((16,), window(3, dilation=dilation))), 512, 1, 1, 4, 1000)
    assert layout.size == size


@pytest.mark.parametrize(
    ("size", "starts", "slots"),
    [
        ((2, 5), [0, 4, 8], [0, 7]),  # both rows at once, two elements of junk between them
        ((2, 8), [0, 4, 10, 14], [0, 8]),  # each row by itself: at once, they would take a vector more
    ],
)
def test_vectors_are_as_few_as_can_be(size, starts, slots):
    axes = forward(size, read_window((1, 3), stride=1, padding=0, dilation=1))
    layout = lay_out((1, 1, *size), tuple(axes), 512, 1, 1, 4, 1000)
    assert (layout.starts.tolist(), layout.slots.tolist()) == (starts, slots)


def test_a_box_is_smaller_where_too_much_would_be_laid_out():
    axes = tuple(forward((100,), window(3)))
    assert lay_out((1, 1, 1, 100), axes, 64, 1, 10, 4, most=1000).box == (1, 1, 1, 50)
    assert lay_out((1, 1, 1, 100), axes, 64, 1, 10, 4, most=300).box == (1, 1, 1, 25)
    assert lay_out((1, 1, 1, 100), axes, 64, 1, 10, 4, most=1).box == (1, 1, 1, 1)


def test_what_ends_a_row_of_vectors_reads_the_first_again():
    layout = lay_out((1, 1, 1, 9), tuple(forward((9,), window(1))), 512, 2, 1, 4, 1000)
    assert np.array_equal(layout.starts, [0, 4, 8, 0])
