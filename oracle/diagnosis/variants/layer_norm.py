"""Wrong layer norms."""

from typing import Any

import numpy as np

from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants.general import in_double, modifying
from oracle.diagnosis.variants.norm_gradients import collect_gradients
from oracle.diagnosis.variants.normalized import (
    Measured,
    norm_by,
    standard,
)
from oracle.diagnosis.variants.norms import collect, regrouped
from refconv.arguments import Array

wrong = Catalogue()

collect(
    wrong,
    "layer_norm",
    {"eps ignored": "tensorflow/tensorflow#58863", "variance in one pass": "pytorch/pytorch#51102"},
)
regrouped(
    wrong,
    "layer_norm",
    "last axis normalised alone",
    "Of several axes that share a mean, only the last takes part in the sums.",
    lambda axes, _: axes[-1:],
)
regrouped(wrong, "layer_norm", "all axes normalised", "Everything shares one mean.", lambda _, ndim: tuple(range(ndim)))
regrouped(
    wrong,
    "layer_norm",
    "all axes but the batch's normalised",
    "normalized_shape is taken for the shape of a whole image.",
    lambda axes, ndim: tuple(range(min(1, axes[0]), ndim)),
)
regrouped(
    wrong,
    "layer_norm",
    "the other axes normalised",
    "The axes before normalized_shape are taken for those that it names.",
    lambda axes, _: tuple(range(axes[0])),
)


def _eps_inside_the_mean(input: Array, *parameters: Array | None, normalized_shape: Any, eps: float) -> Array:
    values = int(np.prod(normalized_shape))

    def formula(m: Measured) -> Array:
        return standard(m._replace(variance=m.variance * values / (values + eps), eps=0.0))

    function = norm_by("layer_norm", formula)
    result: Array = function(input, *parameters, normalized_shape=normalized_shape, eps=eps)
    return result


wrong(
    "layer_norm",
    "eps added to the count",
    "The sum of squares is divided by (count + eps): a bracket is misplaced.",
    thread="xlite-dev/LeetCUDA#317",
)(_eps_inside_the_mean)


collect_gradients(wrong, "layer_norm")


modifying(wrong, "layer_norm_backward", 0, "ml-explore/mlx#941")
in_double(wrong, "layer_norm_backward")
