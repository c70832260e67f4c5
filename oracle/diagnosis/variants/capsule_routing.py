"""Wrong capsule routings."""

from collections.abc import Callable
from typing import Any

import numpy as np

import refconv
from oracle.diagnosis.variant import Catalogue, Function
from oracle.diagnosis.variants.arrays import like
from refconv import CapsuleRoutingGradients
from refconv.arguments import Array

wrong = Catalogue()


def _more_iterations(called: str, more: int) -> Function:
    def function(*arrays: Array, iterations: int) -> Any:
        return getattr(refconv, called)(*arrays, iterations=max(iterations + more, 1))

    return function


for _called in ("capsule_routing", "capsule_routing_backward"):
    wrong(_called, "one iteration less", "The first, of equal shares, is counted as none.")(
        _more_iterations(_called, -1)
    )
    wrong(_called, "one iteration more", "The first, of equal shares, isn't counted.")(_more_iterations(_called, 1))


def _totals(share: Array, votes: Array) -> Array:
    totals: Array = np.einsum("nij,nijd->njd", share, votes)
    return totals


def _routed(
    *,
    shared: Callable[[Array], Array] = lambda logits: refconv.softmax(logits, axis=2),
    squashed: Callable[[Array], Array] = lambda totals: refconv.squash(totals, axis=2),
    kept: float = 1.0,
    last: Callable[[Array], Array] = lambda totals: refconv.squash(totals, axis=2),
) -> Function:
    """Return a routing by other steps; `kept` is what each iteration keeps of the logits."""

    @np.errstate(all="ignore")
    def function(votes: Array, *, iterations: int) -> Array:
        wide = votes.astype(np.float64)
        logits = np.zeros(votes.shape[:3])
        for _ in range(iterations - 1):
            agreed = squashed(_totals(shared(logits), wide))
            logits = kept * logits + np.einsum("nijd,njd->nij", wide, agreed)
        return like(votes, last(_totals(shared(logits), wide)))

    return function


wrong("capsule_routing", "softmax over the capsules below", "Each capsule must share itself out among those above.")(
    _routed(shared=lambda logits: refconv.softmax(logits, axis=1))
)


wrong("capsule_routing", "softmax missing", "The logits themselves weigh the votes, from 1 on.")(
    _routed(shared=lambda logits: logits + 1)
)


wrong("capsule_routing", "not squashed between iterations", "The agreement is with the sums, not with the outputs.")(
    _routed(squashed=lambda totals: totals)
)


wrong("capsule_routing", "output not squashed", "The last sums are returned.")(_routed(last=lambda totals: totals))


wrong("capsule_routing", "logits replaced, not added to", "b = agreement in place of b += agreement.")(
    _routed(kept=0.0)
)


wrong("capsule_routing", "squashed over the capsules", "The length is taken along the wrong axis.")(
    _routed(last=lambda totals: refconv.squash(totals, axis=1))
)


def _last_step(votes: Array, iterations: int) -> tuple[Array, Array]:
    """Return the shares and the sums of the last iteration."""
    logits = np.zeros(votes.shape[:3])
    for passed in range(1, iterations):
        agreed = refconv.capsule_routing(votes, iterations=passed)
        logits += np.einsum("nijd,njd->nij", votes, agreed)
    share = refconv.softmax(logits, axis=2)
    return share, _totals(share, votes)


@wrong("capsule_routing_backward", "shares taken for constants", "Nothing goes back through the earlier iterations.")
@np.errstate(all="ignore")
def _shares_constant(grad_output: Array, votes: Array, *, iterations: int) -> CapsuleRoutingGradients:
    share, totals = _last_step(votes.astype(np.float64), iterations)
    grad_totals = refconv.squash_backward(grad_output.astype(np.float64), totals, axis=2).input
    return CapsuleRoutingGradients(like(votes, share[..., None] * grad_totals[:, None]))


@wrong("capsule_routing_backward", "squash taken for the identity", "Nothing but the shares goes into the gradient.")
@np.errstate(all="ignore")
def _squash_forgotten(grad_output: Array, votes: Array, *, iterations: int) -> CapsuleRoutingGradients:
    share, _ = _last_step(votes.astype(np.float64), iterations)
    return CapsuleRoutingGradients(like(votes, share[..., None] * grad_output[:, None]))


@wrong(
    "capsule_routing_backward",
    "outputs of earlier iterations taken for constants",
    "The last logits alone are differentiated.",
)
@np.errstate(all="ignore")
def _outputs_constant(grad_output: Array, votes: Array, *, iterations: int) -> CapsuleRoutingGradients:
    wide = votes.astype(np.float64)
    share, totals = _last_step(wide, iterations)
    grad_totals = refconv.squash_backward(grad_output.astype(np.float64), totals, axis=2).input
    grad_share = np.einsum("nijd,njd->nij", wide, grad_totals)
    grad_logits = share * (grad_share - (share * grad_share).sum(axis=2, keepdims=True))
    agreed = np.zeros_like(totals)
    for passed in range(1, iterations):
        agreed += refconv.capsule_routing(wide, iterations=passed)
    return CapsuleRoutingGradients(
        like(votes, share[..., None] * grad_totals[:, None] + grad_logits[..., None] * agreed[:, None])
    )
