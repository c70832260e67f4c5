"""Laws of what mixes nodes, positions and capsules: `graph_conv`, `non_local` and `capsule_routing`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from properties.case import Case, array, but
from properties.laws.law import Calls, Equation, Laws, call, exact, generator, planes
from refconv.rounding import Rounded, einsum

law = Laws()


@law("graph_conv", needs=["linear"])
def edge_carries_features(calls: Calls, case: Case) -> Iterator[Equation]:
    """With one edge of weight 1, one node gets `linear` of the other's features; all get their own, and the bias."""
    signal, adjacency, rng = array(case, "input"), array(case, "adjacency"), generator(case)
    node, neighbour = (int(rng.integers(len(adjacency))) for _ in range(2))
    edge = np.zeros(adjacency.shape, case.dtype)
    edge[node, neighbour] = 1
    carried = calls.forward(call("linear", signal[:, neighbour], array(case, "weight")))
    shape = case.grad_output.shape
    at_node = np.zeros((shape[1], 1))
    at_node[node] = 1.0
    expected = carried.moved(lambda values: values[:, None]) * at_node
    own = case.arrays["self_weight"]
    if own is not None:
        expected = expected + calls.forward(call("linear", signal, own))
    bias = case.arrays["bias"]
    if bias is not None:
        expected = expected + exact(bias)
    yield Equation(calls.forward(but(case, adjacency=edge)), expected, f"output for an edge to {node} from {neighbour}")


@law("graph_conv")
def edges_add_up(calls: Calls, case: Case) -> Iterator[Equation]:
    """What all edges carry is what one half of them carries, and the other: a sum over the neighbours."""
    adjacency, rng = array(case, "adjacency"), generator(case)
    some = rng.random(adjacency.shape) < 0.5
    zero = np.zeros((), case.dtype)
    parts = [calls.forward(but(case, adjacency=np.where(mask, adjacency, zero))) for mask in (some, ~some)]
    none = calls.forward(but(case, adjacency=np.zeros_like(adjacency)))
    yield Equation(calls.forward(case) + none, parts[0] + parts[1])


@law("graph_conv")
def names_of_nodes_mean_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """Nodes in another order, in the adjacency alike, give the same, in that order (Kipf and Welling, 2017)."""
    adjacency = array(case, "adjacency")
    order = generator(case).permutation(len(adjacency))
    other = but(case, input=array(case, "input")[:, order], adjacency=adjacency[order][:, order])
    yield Equation(calls.forward(case)[:, order], calls.forward(other))


@law("non_local", needs=["softmax"])
def output_is_a_weighted_mean(calls: Calls, case: Case) -> Iterator[Equation]:
    """Each output is the mean of g x over the positions, weighted by `softmax` of the scores.

    On integers, so that the scores are exact (Wang et al., Non-local neural networks, 2018, section 3.2).
    """
    rng, signal = generator(case), array(case, "input")
    integers = rng.integers(-2, 3, signal.shape).astype(case.dtype)
    arrays: dict[str, Any] = {"input": integers}
    for name in ("theta", "phi"):
        given = case.arrays[name]
        arrays[name] = None if given is None else rng.integers(-1, 2, given.shape).astype(case.dtype)
    changed = but(case, **arrays)
    rows = planes(integers).astype(np.float64)
    sides = [
        rows if arrays[name] is None else np.einsum("kc,ncp->nkp", arrays[name].astype(np.float64), rows)
        for name in ("theta", "phi")
    ]
    scores = np.einsum("nki,nkj->nij", *sides)
    if abs(scores).max(initial=0) >= 2.0**8:
        return
    shares = calls.forward(call("softmax", scores.astype(case.dtype), axis=2))
    carried = einsum("kc,ncj->nkj", exact(array(case, "g")), exact(rows))
    expected = einsum("nij,nkj->nki", shares, carried)
    shape = case.grad_output.shape
    yield Equation(calls.forward(changed), expected.moved(lambda values: values.reshape(shape)))


@law("non_local")
def alike_positions_share_alike(calls: Calls, case: Case) -> Iterator[Equation]:
    """Where all positions hold the same features x, each output is g x, whatever the scores: the shares sum up to 1."""
    signal = array(case, "input")
    if not signal.size:
        return
    first = planes(signal)[:, :, :1]
    alike = np.broadcast_to(first, (*signal.shape[:2], int(np.prod(signal.shape[2:])))).reshape(signal.shape)
    expected = einsum("kc,ncj->nkj", exact(array(case, "g")), exact(first))
    shape = case.grad_output.shape
    spread = expected.moved(
        lambda values: np.broadcast_to(values, (*shape[:2], int(np.prod(shape[2:])))).reshape(shape)
    )
    yield Equation(calls.forward(but(case, input=alike.copy())), spread, "output of alike positions")


@law("non_local")
def order_of_positions_means_nothing(calls: Calls, case: Case) -> Iterator[Equation]:
    """Positions in another order give the same, in that order: the operation knows no distances."""
    signal = array(case, "input")
    axis = signal.ndim - 1
    order = generator(case).permutation(signal.shape[axis])
    shuffled = calls.forward(but(case, input=signal.take(order, axis)))
    yield Equation(calls.forward(case).moved(lambda values: values.take(order, axis)), shuffled)


@law("capsule_routing", needs=["squash"])
def first_iteration_shares_alike(calls: Calls, case: Case) -> Iterator[Equation]:
    """After one iteration, the output is `squash` of the votes' sum over the number of capsules above.

    All logits are 0 then, and the softmax of them is the same for all. With one capsule above, it always is.
    """
    votes = array(case, "votes")
    above = votes.shape[2]
    means = votes.astype(np.float64).sum(1) / above
    if votes.size and (means.astype(case.dtype) == means).all():  # else `squash` would be of something else
        expected = calls.forward(call("squash", means.astype(case.dtype), axis=2))
        yield Equation(calls.forward(but(case, iterations=1)), expected, "output of one iteration")
        if above == 1:
            yield Equation(calls.forward(case), expected)


@law("capsule_routing")
def second_iteration_follows_the_first(calls: Calls, case: Case) -> Iterator[Equation]:
    """The logits of the second iteration are how much each vote agrees with the output of the first, and so on.

    Sabour et al., Dynamic routing between capsules (2017), procedure 1: each output is found from those before it.
    """
    votes, iterations = exact(array(case, "votes")), case.attributes["iterations"]
    assert isinstance(iterations, int)
    if not votes.value.size or iterations < 2:
        return
    outputs = [calls.forward(but(case, iterations=count)) for count in range(1, iterations)]
    agreed = outputs[0]
    for output in outputs[1:]:
        agreed = agreed + output
    logits = (votes * agreed.moved(lambda values: values[:, None])).sum(3, keepdims=False)
    powers = (logits - logits.value.max(2, keepdims=True)).exp()
    shares = powers / powers.sum(2)
    total = (shares.moved(lambda values: values[..., None]) * votes).sum(1, keepdims=False)
    yield Equation(calls.forward(case), _squashed(total), f"output of iteration {iterations}")


def _squashed(vectors: Rounded) -> Rounded:
    square = (vectors * vectors).sum(-1)
    length = square.sqrt()
    return vectors * (length / (square + 1.0))
