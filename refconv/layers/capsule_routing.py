"""Routing between capsules: those below vote, and what they agree on is routed to those above.

    b = 0
    repeat:  c = softmax of b over the capsules above
             s[n, j] = sum of c[n, i, j] * votes[n, i, j] over i
             v = squash(s)
             b[n, i, j] += votes[n, i, j] . v[n, j]

The last `v` is the output. `n` counts the batch, `i` the capsules below and `j` those above, each of them a vector. The
formula is stated once, for arrays and for the arrays with errors that make the bounds.
"""

from typing import Any, NamedTuple

import numpy as np

from refconv import arguments
from refconv.arguments import Array, InvalidValueError
from refconv.bounds import Arithmetic, Bound
from refconv.layers.softmax import grad_of_shares, shares
from refconv.layers.squash import grad_of_squashed, squashed
from refconv.rounding import einsum, exactly, zeros_like

MOST_ITERATIONS = 1000  # the backward keeps them all


class CapsuleRoutingGradients(NamedTuple):
    """The gradient of `votes`, of its shape and dtype."""

    votes: Array


@np.errstate(all="ignore")  # what isn't finite is handed on
def capsule_routing(votes: Array, *, iterations: int = 3) -> Array:
    """Route `votes` to the capsules that they agree on, by routing-by-agreement.

    ::

        b = 0, then `iterations` times:
            c = softmax of b over the capsules above
            s[n, j] = sum of c[n, i, j] * votes[n, i, j] over i
            v = squash(s)
            b[n, i, j] += votes[n, i, j] . v[n, j]

    Parameters
    ----------
    votes : array, shape (batch, in_capsules, out_capsules, dim)
        float32, float64 or complex128, in any memory layout: what each capsule below predicts for each above. The batch
        may be empty.
    iterations : int
        From 1 to 1000.

    Returns
    -------
    array, shape (batch, out_capsules, dim)
        The last `v`, in the dtype of `votes`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or votes of another shape.

    Notes
    -----
    With one iteration the votes are averaged and squashed: the agreement found after the last is never used. Squash is
    that of :func:`refconv.squash`, with no epsilon.

    References
    ----------
    S. Sabour, N. Frosst, G. Hinton, Dynamic routing between capsules, 2017, arXiv:1710.09829, procedure 1.
    """
    signal, iterations = _read(votes, iterations)
    output: Array = squashed(_route(signal, iterations)[-1].total, axis=2)
    return output


@np.errstate(all="ignore")
def capsule_routing_backward(grad_output: Array, votes: Array, *, iterations: int = 3) -> CapsuleRoutingGradients:
    """Return the gradient of ``sum(capsule_routing(votes) * grad_output)``, that of the unrolled iterations.

    From the last iteration to the first, with the gradient of b, which is 0 after the last::

        grad_v = sum of grad_b * votes over i; after the last iteration, grad_output
        grad_s = the squash's gradient of grad_v
        grad_votes += grad_b * v + c * grad_s
        grad_b += the softmax's gradient of votes . grad_s

    Parameters
    ----------
    grad_output : array, shape (batch, out_capsules, dim)
        Of the dtype of `votes`.
    votes, iterations
        As for :func:`capsule_routing`.

    Returns
    -------
    CapsuleRoutingGradients
        `votes`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`capsule_routing`; also for a `grad_output` that isn't of the output's shape and dtype.

    Notes
    -----
    Many implementations stop the gradient at all iterations but the last, which holds c constant: another gradient than
    this, which is that of the output.
    """
    signal, iterations = _read(votes, iterations)
    batch, _, out_capsules, dim = signal.shape
    grad = arguments.matching("grad_output", grad_output, signal, (batch, out_capsules, dim), first="votes")
    return CapsuleRoutingGradients(_grad_votes(grad, signal, iterations))


@np.errstate(all="ignore")
def capsule_routing_bound(arithmetic: Arithmetic, output: Array, votes: Array, *, iterations: int = 3) -> Bound:
    """Bound the rounding errors of `output` by running error analysis of the iterations.

    It holds while errors of b, which make relative ones of c, are small against 1: not for votes of a million.
    """
    del output
    route = _route(exactly(votes, arithmetic), iterations)
    bound: Bound = squashed(route[-1].total, axis=2).bound()
    return bound


@np.errstate(all="ignore")
def capsule_routing_backward_bound(
    arithmetic: Arithmetic,
    grads: CapsuleRoutingGradients,
    grad_output: Array,
    votes: Array,
    *,
    iterations: int = 3,
) -> tuple[Bound | None, ...]:
    """Bound the rounding errors of the gradient, by running error analysis of the unrolled iterations."""
    del grads
    return (_grad_votes(grad_output, exactly(votes, arithmetic), iterations).bound(),)


class _Step(NamedTuple):
    """One iteration."""

    share: Any  # c
    total: Any  # s


def _read(votes: object, iterations: object) -> tuple[Array, int]:
    signal = arguments.array("votes", votes)
    if signal.ndim != 4 or 0 in signal.shape[1:]:
        rule = "have shape (batch, in_capsules, out_capsules, dim) with at least 1 capsule and dimension"
        raise InvalidValueError("votes", rule, signal.shape)
    return signal, arguments.integer("iterations", iterations, at_least=1, at_most=MOST_ITERATIONS)


def _route(votes: Any, iterations: int) -> list[_Step]:
    """Return the iterations, of which each gives the next one its logits b."""
    steps: list[_Step] = []
    logits = zeros_like(votes[..., 0])
    for _ in range(iterations):
        if steps:
            logits = logits + einsum("nijd,njd->nij", votes, squashed(steps[-1].total, axis=2))
        share = shares(logits, axis=2)
        steps.append(_Step(share, einsum("nij,nijd->njd", share, votes)))
    return steps


def _grad_votes(grad_output: Any, votes: Any, iterations: int) -> Any:
    grad_votes: Any = 0
    grad_logits: Any = None  # of the logits that the next iteration gets
    for share, total in reversed(_route(votes, iterations)):
        if grad_logits is None:
            grad_total = grad_of_squashed(grad_output, total, axis=2)
        else:
            grad_total = grad_of_squashed(einsum("nij,nijd->njd", grad_logits, votes), total, axis=2)
            grad_votes = grad_votes + einsum("nij,njd->nijd", grad_logits, squashed(total, axis=2))
        grad_votes = grad_votes + einsum("nij,njd->nijd", share, grad_total)
        through = grad_of_shares(einsum("nijd,njd->nij", votes, grad_total), share, axis=2)
        grad_logits = through if grad_logits is None else grad_logits + through
    return grad_votes
