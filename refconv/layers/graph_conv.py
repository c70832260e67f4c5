"""Graph convolution: the features of a node's neighbours, each times a shared weight, summed.

    output[n, i, o] = bias[o] + sum of adjacency[i, j] * input[n, j, c] * weight[o, c] over j and c
                              + sum of input[n, i, c] * self_weight[o, c] over c

`n` counts the batch, `i` and `j` the nodes, `c` and `o` the features in and out.
"""

from typing import NamedTuple

import numpy as np

from refconv import arguments, bounds
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.rounding import einsum


class GraphConvGradients(NamedTuple):
    """The gradients of the inputs, each of its input's shape and dtype; None where the input was."""

    input: Array
    weight: Array
    self_weight: Array | None
    bias: Array | None


@np.errstate(all="ignore")  # what isn't finite is handed on
def graph_conv(
    input: Array, adjacency: Array, weight: Array, self_weight: Array | None = None, bias: Array | None = None
) -> Array:
    """Sum the weighted features of each node's neighbours, and its own.

    ::

        output[n, i, o] = bias[o] + sum of adjacency[i, j] * input[n, j, c] * weight[o, c] over j and c
                                  + sum of input[n, i, c] * self_weight[o, c] over c

    Parameters
    ----------
    input : array, shape (batch, nodes, in_features)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    adjacency : array, shape (nodes, nodes)
        Of the dtype of `input`, row i holding ``1 / c_ij`` for each neighbour j of i, whichever norm c is, and 0 for
        all others. It needn't be symmetric, and has no gradient.
    weight : array, shape (out_features, in_features)
        Of the dtype of `input`.
    self_weight : array, shape (out_features, in_features), optional
        Of the dtype of `input`: the weight of the node's own features.
    bias : array, shape (out_features,), optional
        Of the dtype of `input`.

    Returns
    -------
    array, shape (batch, nodes, out_features)
        In the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: shapes that don't match, or no nodes or features.

    Notes
    -----
    Kipf and Welling, who have no weight for the node itself but a neighbour that is the node, write ``A X W``: their
    weight is the transpose of this one, which is as :func:`refconv.linear`'s. Their ``c_ij`` is
    ``sqrt(degree_i * degree_j)``; the mean over neighbours has ``degree_i``. In PyTorch Geometric, GCNConv is the
    first, and GraphConv with its `lin_rel` and `lin_root` has a weight for the node. What isn't finite in a node's
    features makes every output NaN that meets it with a 0 in `adjacency`: nothing is skipped.

    References
    ----------
    T. Kipf, M. Welling, Semi-supervised classification with graph convolutional networks, 2017, arXiv:1609.02907.
    M. Schlichtkrull et al., Modeling relational data with graph convolutional networks, 2018, arXiv:1703.06103,
    equation 2, whose single relation this is.
    """
    call = _read(input, adjacency, weight, self_weight, bias)
    gathered = einsum("ij,njc->nic", call.adjacency, call.features)
    output: Array = einsum("nic,oc->nio", gathered, call.weight)
    if call.self_weight is not None:
        output += einsum("nic,oc->nio", call.features, call.self_weight)
    if call.bias is not None:
        output += call.bias
    return output


@np.errstate(all="ignore")
def graph_conv_backward(
    grad_output: Array,
    input: Array,
    adjacency: Array,
    weight: Array,
    self_weight: Array | None = None,
    bias: Array | None = None,
) -> GraphConvGradients:
    """Return the gradients of ``sum(graph_conv(input, adjacency, weight, self_weight, bias) * grad_output)``.

    ::

        grad_input[n, j, c] = sum of adjacency[i, j] * grad_output[n, i, o] * weight[o, c] over i and o
                              + sum of grad_output[n, j, o] * self_weight[o, c] over o
        grad_weight[o, c] = sum of grad_output[n, i, o] * adjacency[i, j] * input[n, j, c] over n, i and j
        grad_self_weight[o, c] = sum of grad_output[n, i, o] * input[n, i, c] over n and i
        grad_bias[o] = sum of grad_output[n, i, o] over n and i

    Parameters
    ----------
    grad_output : array, shape (batch, nodes, out_features)
        Of the dtype of `input`.
    input, adjacency, weight, self_weight, bias
        As for :func:`graph_conv`.

    Returns
    -------
    GraphConvGradients
        `input`, `weight`, `self_weight` and `bias`, the last two None where the input was.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`graph_conv`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, adjacency, weight, self_weight, bias)
    grad = arguments.matching("grad_output", grad_output, call.features, (*call.features.shape[:2], len(call.weight)))
    handed_back = einsum("ij,nio->njo", call.adjacency, grad)
    grad_input = einsum("njo,oc->njc", handed_back, call.weight)
    if call.self_weight is not None:
        grad_input += einsum("njo,oc->njc", grad, call.self_weight)
    return GraphConvGradients(
        input=grad_input,
        weight=einsum("njo,njc->oc", handed_back, call.features),
        self_weight=None if call.self_weight is None else einsum("nio,nic->oc", grad, call.features),
        bias=None if call.bias is None else grad.sum(axis=(0, 1)),
    )


def graph_conv_bound(arithmetic: Arithmetic, output: Array, *inputs: Array | None) -> Bound:
    """Bound the rounding errors of `output`, a sum of products of three factors: see `refconv.bounds.multilinear`.

    Whether neighbours are gathered before they are weighted or after, each term passes through the roundings of its
    two products and of two sums, of J and of C terms, one after the other: J + C - 2, no more than the J C - 1 of a
    plain sum of all terms, which the bound counts.
    """
    bound: Bound
    (bound,) = bounds.multilinear(graph_conv, arithmetic, (output,), inputs, {}, factors=3)
    return bound


def graph_conv_backward_bound(
    arithmetic: Arithmetic, grads: GraphConvGradients, *inputs: Array | None
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of each gradient, sums of products as well; `inputs` begin with `grad_output`."""
    return bounds.multilinear(graph_conv_backward, arithmetic, grads, inputs, {}, factors=3)


class _Call(NamedTuple):
    features: Array
    adjacency: Array
    weight: Array
    self_weight: Array | None
    bias: Array | None


def _read(input: object, adjacency: object, weight: object, self_weight: object, bias: object) -> _Call:
    features = arguments.array("input", input)
    if features.ndim != 3 or 0 in features.shape[1:]:
        rule = "have shape (batch, nodes, in_features) with at least 1 node and feature"
        raise InvalidValueError("input", rule, features.shape)
    _, nodes, in_features = features.shape
    neighbours = arguments.matching("adjacency", adjacency, features, (nodes, nodes))
    matrix = arguments.array("weight", weight, like=features)
    if matrix.ndim != 2 or matrix.shape[1] != in_features or not matrix.shape[0]:
        rule = f"have shape (out_features, {in_features}) with at least 1 output"
        raise InvalidValueError("weight", rule, matrix.shape)
    own = None if self_weight is None else arguments.matching("self_weight", self_weight, features, matrix.shape)
    offsets = None if bias is None else arguments.matching("bias", bias, features, matrix.shape[:1])
    arguments.fits_memory("output", (*features.shape[:2], len(matrix)), features.dtype)
    return _Call(features, neighbours, matrix, own, offsets)
