"""Wrong graph convolutions, and wrong gradients of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue
from oracle.diagnosis.variants import kernels
from oracle.diagnosis.variants.kernels import with_zeros
from refconv import GraphConvGradients
from refconv.arguments import Array

wrong = Catalogue()


def _graph(change: Callable[..., dict[str, Any]]) -> Callable[..., Array]:
    """Return a graph convolution of other arrays: `change` takes the right ones, returns those that it changes."""

    def graph_conv(
        input: Array, adjacency: Array, weight: Array, self_weight: Array | None = None, bias: Array | None = None
    ) -> Array:
        arrays = {"input": input, "adjacency": adjacency, "weight": weight, "self_weight": self_weight, "bias": bias}
        output: Array = refconv.graph_conv(**{**arrays, **change(**arrays)})
        return output

    return graph_conv


def _per_neighbour(adjacency: Array, **_: Any) -> dict[str, Any]:
    degrees = np.count_nonzero(adjacency, axis=1, keepdims=True)
    return {"adjacency": adjacency / np.maximum(degrees, 1).astype(adjacency.dtype)}


def _one_weight(weight: Array, self_weight: Array | None, **_: Any) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        return {} if self_weight is None else {"weight": weight + self_weight, "self_weight": None}


def _one_half(adjacency: Array, **_: Any) -> dict[str, Any]:
    lower = np.tril(adjacency)
    return {"adjacency": lower + np.tril(adjacency, -1).T}


_ADJACENCIES: list[tuple[str, str, Callable[..., dict[str, Any]]]] = [
    (
        "adjacency transposed",
        "Neighbours are read down the columns: edges point the other way.",
        lambda adjacency, **_: {"adjacency": np.ascontiguousarray(adjacency.T)},
    ),
    ("one half of the adjacency read", "It is stored as if it were symmetric.", _one_half),
    ("adjacency normalised again", "The sum is divided by the number of neighbours, which it holds.", _per_neighbour),
    (
        "adjacency taken for 0 and 1",
        "Neighbours are summed without the entry that belongs to them.",
        lambda adjacency, **_: {"adjacency": (adjacency != 0).astype(adjacency.dtype)},
    ),
    (
        "a node's own adjacency left out",
        "The diagonal is skipped.",
        lambda adjacency, **_: {"adjacency": with_zeros(adjacency, np.diag_indices_from(adjacency))},
    ),
    (
        "a node added to its own neighbours",
        "Self-loops are added to an adjacency that holds them where they belong.",
        lambda adjacency, **_: {"adjacency": adjacency + np.eye(len(adjacency), dtype=adjacency.dtype)},
    ),
]
for mistake, reason, other_arrays in _ADJACENCIES:
    wrong("graph_conv", mistake, reason)(_graph(other_arrays))

wrong("graph_conv", "weight reshaped, not transposed", "The memory of (out, in) is read as (in, out).")(
    _graph(lambda weight, **_: {"weight": kernels.reshaped(weight)})
)
wrong("graph_conv", "node's own weight left out", "Only neighbours are summed.")(
    _graph(lambda **_: {"self_weight": None})
)
wrong("graph_conv", "node's own weight used for its neighbours, and the other way round", "They are swapped.")(
    _graph(
        lambda weight, self_weight, **_: {} if self_weight is None else {"weight": self_weight, "self_weight": weight}
    )
)
wrong("graph_conv", "node's own weight added to its neighbours'", "Own features are aggregated like the others.")(
    _graph(_one_weight)
)
wrong("graph_conv", "bias missing", "The bias isn't added.")(_graph(lambda **_: {"bias": None}))


@wrong("graph_conv", "bias summed over the neighbours", "It is added before the aggregation.")
def _bias_aggregated(
    input: Array, adjacency: Array, weight: Array, self_weight: Array | None = None, bias: Array | None = None
) -> Array:
    output: Array = refconv.graph_conv(input, adjacency, weight, self_weight)
    if bias is not None:
        with np.errstate(all="ignore"):
            output += adjacency.sum(axis=1, keepdims=True) * bias
    return output


def _times_sums(grad_output: Array, adjacency: Array) -> Array:
    """Return `grad_output`, each node's times its row's sum."""
    with np.errstate(all="ignore"):
        product: Array = grad_output * adjacency.sum(axis=1, keepdims=True)
    return product


def _graph_gradients(change: Callable[..., dict[str, Any]], *parts: str) -> Callable[..., GraphConvGradients]:
    """Return gradients of which `parts` are those of other arrays: `change` returns what it changes."""

    def graph_conv_backward(
        grad_output: Array,
        input: Array,
        adjacency: Array,
        weight: Array,
        self_weight: Array | None = None,
        bias: Array | None = None,
    ) -> GraphConvGradients:
        arrays: dict[str, Any] = {"grad_output": grad_output, "input": input, "adjacency": adjacency}
        arrays |= {"weight": weight, "self_weight": self_weight, "bias": bias}
        grads = refconv.graph_conv_backward(**arrays)
        other = refconv.graph_conv_backward(**{**arrays, **change(**arrays)})
        return grads._replace(**{part: getattr(other, part) for part in parts if getattr(grads, part) is not None})

    return graph_conv_backward


_TRANSPOSED = _ADJACENCIES[0][2]
for mistake, reason, changed_arrays, parts in (
    (
        "adjacency not transposed in the gradient of the input",
        "The forward's adjacency is used.",
        _TRANSPOSED,
        ["input"],
    ),
    ("adjacency transposed in the gradient of the weight", "The input's gradient's is used.", _TRANSPOSED, ["weight"]),
    (
        "adjacency normalised again",
        "The gradient is divided by the number of neighbours.",
        _per_neighbour,
        ["input", "weight"],
    ),
    (
        "node itself left out of the gradient of the input",
        "Only what comes through the neighbours is summed.",
        lambda **_: {"self_weight": None},
        ["input"],
    ),
    (
        "neighbours left out of the gradient of the weight",
        "It is computed of a node's own features.",
        lambda adjacency, **_: {"adjacency": np.eye(len(adjacency), dtype=adjacency.dtype)},
        ["weight"],
    ),
    (
        "weight reshaped in the gradient of the input",
        "The memory of (out, in) is read as (in, out).",
        lambda weight, **_: {"weight": kernels.reshaped(weight)},
        ["input"],
    ),
    (
        "only the last batch element in the gradients of the weights",
        "They are assigned for each element of the batch, not added to.",
        lambda grad_output, **_: {"grad_output": with_zeros(grad_output, np.s_[:-1])},
        ["weight", "self_weight"],
    ),
    (
        "gradient of the bias from the first batch element alone",
        "The batch isn't summed over.",
        lambda grad_output, **_: {"grad_output": with_zeros(grad_output, np.s_[1:])},
        ["bias"],
    ),
    (
        "gradient of the bias from the first node alone",
        "The nodes aren't summed over.",
        lambda grad_output, **_: {"grad_output": with_zeros(grad_output, np.s_[:, 1:])},
        ["bias"],
    ),
    (
        "gradient of the bias summed over the neighbours",
        "It is taken after the aggregation.",
        lambda grad_output, adjacency, **_: {"grad_output": _times_sums(grad_output, adjacency)},
        ["bias"],
    ),
    (
        "gradients averaged over the batch",
        "A mean is taken in place of a sum.",
        lambda grad_output, **_: {"grad_output": kernels.shared(grad_output, len(grad_output))},
        ["weight", "self_weight", "bias"],
    ),
    (
        "grad_output taken for ones",
        "The gradient of the sum of the output is computed.",
        lambda grad_output, **_: {"grad_output": np.ones(grad_output.shape, grad_output.dtype)},
        ["input", "weight", "self_weight", "bias"],
    ),
):
    wrong("graph_conv_backward", mistake, reason)(_graph_gradients(changed_arrays, *parts))


@wrong("graph_conv_backward", "gradient of the node's own weight summed over the neighbours", "It is the neighbours'.")
def _own_weight_aggregated(
    grad_output: Array,
    input: Array,
    adjacency: Array,
    weight: Array,
    self_weight: Array | None = None,
    bias: Array | None = None,
) -> GraphConvGradients:
    grads = refconv.graph_conv_backward(grad_output, input, adjacency, weight, self_weight, bias)
    return grads._replace(self_weight=None if self_weight is None else grads.weight.copy())
