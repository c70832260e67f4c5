import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from refconv import correlation


@njit
def _read_beyond(array):
    return array[array.size]


@pytest.mark.skipif(os.environ.get("NUMBA_BOUNDSCHECK") != "1", reason="runs where NUMBA_BOUNDSCHECK=1")
def test_the_bounds_check_is_on():
    with pytest.raises(IndexError):
        _read_beyond(np.zeros(3))


@pytest.mark.parametrize(
    ("position", "stride", "size", "row"),
    [
        (0, 1, 3, 0),
        (2, 1, 3, 2),
        (3, 1, 3, -1),
        (-1, 1, 3, -1),
        (4, 2, 3, 2),
        (3, 2, 3, -1),
        (6, 2, 3, -1),
        (-2, 2, 3, -1),
    ],
)
def test_rows_of_a_stride_dilated_gradient(position, stride, size, row):
    assert correlation._undilated(position, stride, size) == row


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled where NUMBA_DISABLE_JIT=1")
def test_nothing_is_compiled_at_import():
    code = (
        "from refconv import correlation as c; "
        "assert not any(f.signatures for f in (c._fill_output, c._fill_grad_input, c._fill_grad_weight))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
