"""A tile's operations are what their arrays say."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import config, njit

from properties import content
from refconv import tiles
from refconv.tiles import add_outer, add_products, add_totals, copy, copy_second, lanes, read, write, zeros

ROWS, COLUMNS = tiles.WIDE
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@njit
def width_of(array):
    return lanes(array)


@njit
def moved(source, index, pitch, target, to, spacing):
    write(read(source, index, pitch, ROWS, COLUMNS), target, to, spacing)


@njit
def outer(left, index, pitch, right, base, starts, first, target):
    tile = zeros(target, ROWS, COLUMNS)
    for _ in range(2):
        tile = add_outer(tile, left, index, pitch, right, base, starts, first)
    write(tile, target, 0, COLUMNS * lanes(target))


@njit
def products(left, index, pitch, right, base, bases, first, target, at):
    tile = add_products(zeros(target, ROWS, COLUMNS), left, index, pitch, right, base, bases, first)
    add_totals(tile, target, at)


@njit
def narrow_products(left, right, bases, target):
    add_totals(add_products(zeros(target, 1, 9), left, 0, 0, right, 0, bases, 0), target, 0)


@njit
def copied(target, at, source, index, count):
    copy(target, at, source, index, count)


@njit
def halved(target, at, source, index, count):
    copy_second(target, at, source, index, count)


def vectors(array, starts):
    return np.array([array[start : start + width_of(array)] for start in starts])


@DTYPES
def test_a_vector_is_as_long_as_a_register(dtype):
    assert width_of(np.zeros(1, dtype)) == tiles.BYTES // np.dtype(dtype).itemsize


CONVOLUTIONS = """
import numpy as np
import refconv

def convolutions(path):
    found = []
    random = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        for groups, ins, outs, stride in ((1, 3, 13, 1), (2, 4, 6, 2), (5, 5, 5, 2), (1, 5, 2, 1)):
            x = random.integers(-4, 5, (2, ins, 11, 9)).astype(dtype)
            w = random.integers(-4, 5, (outs, ins // groups, 3, 2)).astype(dtype)
            with refconv.using(path):
                y = refconv.conv(x, w, stride=stride, padding=1, groups=groups)
                grads = refconv.conv_backward(y, x, w, stride=stride, padding=1, groups=groups)
            found.append([y.tolist(), grads.input.tolist(), grads.weight.tolist()])
    return found
"""


@pytest.mark.slow
@pytest.mark.skipif(
    bool(config.DISABLE_JIT) or platform.machine() != "x86_64", reason="runs where x86 code is compiled"
)
@pytest.mark.parametrize(("features", "width"), [("+sse2", 16), ("+sse2,+avx,+avx2,+fma", 32)])
def test_other_registers_give_what_the_definition_gives(features, width):
    environment = {**os.environ, "NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    code = CONVOLUTIONS + "import json; print(json.dumps([refconv.tiles.BYTES, *convolutions('fast')]))"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    here = {}
    exec(CONVOLUTIONS, here)
    assert json.loads(run.stdout) == [width, *here["convolutions"]("definition")]


@DTYPES
def test_reading_and_writing(dtype):
    source = content("integer", (1000,), dtype, 0)
    row = COLUMNS * width_of(source)
    target = np.zeros(ROWS * (row + 1) + 3, dtype)
    moved(source, 5, row + 2, target, 3, row + 1)
    for i in range(ROWS):
        begin = 3 + i * (row + 1)
        assert (target[begin : begin + row] == source[5 + i * (row + 2) :][:row]).all()
        target[begin : begin + row] = 0
    assert not target.any()


@DTYPES
def test_outer_products_are_added(dtype):
    left, right = content("integer", (100,), dtype, 1), content("integer", (200,), dtype, 2)
    starts = np.array([7, 3, 50, 0, 11])
    target = np.zeros(ROWS * COLUMNS * width_of(left), dtype)
    outer(left, 4, 9, right, 6, starts, 1, target)
    columns = vectors(right, 6 + starts[1 : 1 + COLUMNS])
    expected = 2 * left[4 + 9 * np.arange(ROWS)][:, None, None] * columns
    assert (target == expected.ravel()).all()


@DTYPES
def test_products_are_added_up_over_the_lanes(dtype):
    left, right = content("integer", (1000,), dtype, 1), content("integer", (200,), dtype, 2)
    width = width_of(left)
    bases = np.array([7, 3, 50, 0, 11])
    space = max(ROWS, width)
    target = np.ones(5 + COLUMNS * space, dtype)
    products(left, 4, 70, right, 6, bases, 2, target, 5)
    rows, columns = vectors(left, 4 + 70 * np.arange(ROWS)), vectors(right, 6 + bases[2 : 2 + COLUMNS])
    expected = 1 + (rows[:, None] * columns).sum(axis=2)
    assert (expected == target[5:].reshape(COLUMNS, space)[:, :ROWS].T).all()
    assert (target[:5] == 1).all()


@DTYPES
def test_a_tile_of_one_row(dtype):
    left, right = content("integer", (16,), dtype, 1), content("integer", (40,), dtype, 2)
    bases = np.arange(9)
    width = width_of(left)
    target = np.zeros(9 * width, dtype)
    narrow_products(left, right, bases, target)
    assert (target.reshape(9, width)[:, 0] == (left[:width] * vectors(right, bases)).sum(axis=1)).all()


@DTYPES
@pytest.mark.parametrize("count", [0, 1, 3, 8, 15, 16, 17, 40])
def test_rows_of_any_length_are_copied_and_nothing_beside_them(dtype, count):
    source = content("integer", (83,), dtype, 1) + 10
    for copier, step in ((copied, 1), (halved, 2)):
        target = np.zeros(45, dtype)
        copier(target, 2, source, 3, count)
        assert (target[2 : 2 + count] == source[3 : 3 + step * count : step]).all()
        assert not target[:2].any()
        assert not target[2 + count :].any()


@DTYPES
def test_the_last_element_can_be_the_last_that_is_copied(dtype):
    source = content("integer", (9,), dtype, 1)
    target = np.zeros(4, dtype)
    halved(target, 0, source, 2, 4)
    assert (target == source[2::2]).all()


@pytest.mark.skipif(not (config.BOUNDSCHECK or config.DISABLE_JIT), reason="runs where NUMBA_BOUNDSCHECK=1")
@pytest.mark.parametrize("index", [-1, 1000 - (ROWS - 1) * 70])
def test_a_tile_that_leaves_its_array_is_found(index):
    source = np.zeros(1000)
    with pytest.raises(IndexError, match="a tile leaves its array"):
        moved(source, index, 70, np.zeros(5000), 0, 600)


@pytest.mark.skipif(not config.BOUNDSCHECK, reason="runs where NUMBA_BOUNDSCHECK=1")
@pytest.mark.parametrize(("at", "index", "count"), [(0, 6, 5), (0, -1, 2), (7, 0, 4), (-1, 0, 4)])
def test_a_copy_that_leaves_its_array_is_found(at, index, count):
    with pytest.raises(IndexError, match="a tile leaves its array"):
        copied(np.zeros(10), at, np.zeros(10), index, count)
