"""What breaks the rules of `linear` and `graph_conv`."""

from collections.abc import Mapping

import numpy as np

from properties.case import Case
from properties.invalid.vocabulary import Breakage, longer, with_array, without

_MATRIX = "have shape (out_features, "
_BIAS = [Breakage("bias", "have shape", with_array("bias", make)) for make in (longer(0), lambda array: array[None])]
_WEIGHT = [
    Breakage("weight", _MATRIX, with_array("weight", make))
    for make in (longer(1), without(0), lambda array: array[0], lambda array: array[None])
]


def _no_axis(case: Case) -> dict[str, object]:
    return {"input": np.zeros((), case.dtype)}


ROWS: Mapping[str, list[Breakage]] = {
    "linear": [
        Breakage("input", "have at least 1 feature on its last axis", _no_axis),
        Breakage("input", "have at least 1 feature on its last axis", with_array("input", without(-1))),
        *_WEIGHT,
        *_BIAS,
        Breakage("grad_output", "have shape", with_array("grad_output", longer(-1))),
    ],
    "graph_conv": [
        *[
            Breakage("input", "have shape (batch, nodes, in_features)", with_array("input", make))
            for make in (without(1), without(2), lambda array: array[..., None], lambda array: array[..., 0])
        ],
        *[
            Breakage("adjacency", "have shape", with_array("adjacency", make))
            for make in (longer(0), longer(1), lambda array: array[0], lambda array: array[None])
        ],
        *_WEIGHT,
        *[
            Breakage("self_weight", "have shape", with_array("self_weight", make))
            for make in (longer(0), longer(1), lambda array: array[0])
        ],
        *_BIAS,
        *[Breakage("grad_output", "have shape", with_array("grad_output", longer(axis))) for axis in (1, 2)],
    ],
}
