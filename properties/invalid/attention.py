"""What breaks the rules of what normalises along an axis, and of what is built of it."""

from collections.abc import Mapping

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import (
    Breakage,
    Change,
    axis_rows,
    int_rows,
    longer,
    shape,
    signal_rows,
    with_array,
    without,
    word_rows,
)
from refconv.layers.capsule_routing import MOST_ITERATIONS
from refconv.layers.non_local import MODES


def _no_axis(case: Case) -> dict[str, object]:
    return {"input": np.zeros((), case.dtype)}


def _where(mode: str, name: str, value: object) -> Change:
    return lambda case: {name: value} if case.attributes["mode"] == mode else {}


def _too_many_positions(case: Case) -> dict[str, object]:
    input, weight = np.zeros((1, 1, 2**20), case.dtype), np.zeros((1, 1), case.dtype)
    return {"input": input, "theta": None, "phi": None, "g": weight, "mode": "gaussian"}


def _embedding(name: str) -> Change:
    """Give one weight alone, where there should be none."""

    def change(case: Case) -> dict[str, object]:
        weight = np.zeros(shape(case, "g"), case.dtype)
        return {name: weight} if case.attributes["mode"] == "gaussian" else {}

    return change


_ALONG_AN_AXIS = [
    Breakage("input", "have at least 1 axis", _no_axis),
    *axis_rows(),
]

ROWS: Mapping[str, list[Breakage]] = {
    "softmax": _ALONG_AN_AXIS,
    "log_softmax": _ALONG_AN_AXIS,
    "squash": _ALONG_AN_AXIS,
    "non_local": [
        *signal_rows(),
        *word_rows("mode", MODES),
        *[
            Breakage("g", "have shape (inner, {in_channels}) with an inner of at least 1", with_array("g", make))
            for make in (longer(1), without(0), lambda array: array[0], lambda array: array[..., None])
        ],
        *[
            Breakage(name, "have shape", with_array(name, make))
            for name in ("theta", "phi")
            for make in (longer(0), longer(1), lambda array: array[..., None])
        ],
        *[Breakage(name, "be a NumPy array", _where("embedded_gaussian", name, None)) for name in ("theta", "phi")],
        *[Breakage(name, "be None where mode is 'gaussian'", _embedding(name)) for name in ("theta", "phi")],
        Breakage("shares", "fit into a quarter of memory", _too_many_positions),
        *[Breakage("grad_output", "have shape", with_array("grad_output", longer(axis))) for axis in (1, -1)],
    ],
    "capsule_routing": [
        *[
            Breakage("votes", "have shape (batch, in_capsules, out_capsules, dim)", with_array("votes", make))
            for make in (*map(without, (1, 2, 3)), lambda array: array[..., None], lambda array: array[..., 0])
        ],
        *int_rows("iterations", least=1, most=MOST_ITERATIONS),
        *[Breakage("grad_output", "have shape", with_array("grad_output", longer(axis))) for axis in (1, 2)],
    ],
}
