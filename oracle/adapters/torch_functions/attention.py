"""What normalises along an axis, and what is built of it; PyTorch has no `squash` and no `capsule_routing`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F

from oracle.deviations import Deviation


def _softmax(input: Any, *, axis: int) -> Any:
    return F.softmax(input, axis)


def _log_softmax(input: Any, *, axis: int) -> Any:
    return F.log_softmax(input, axis)


def _squash(input: Any, *, axis: int) -> Any:
    norm = torch.linalg.vector_norm(input, dim=axis, keepdim=True)
    return input * (norm / (1 + norm * norm))  # 0 / 0 nowhere


def _non_local(input: Any, theta: Any, phi: Any, g: Any, *, mode: str) -> Any:
    x = input.flatten(2)
    query, key = (x, x) if mode == "gaussian" else (theta @ x, phi @ x)
    value = g @ x
    output = F.scaled_dot_product_attention(query.mT, key.mT, value.mT, scale=1.0).mT
    return output.reshape(input.shape[0], g.shape[0], *input.shape[2:])


def _capsule_routing(votes: Any, *, iterations: int) -> Any:
    logits = torch.zeros_like(votes[..., 0])
    for _ in range(iterations - 1):
        logits = logits + torch.einsum("nijd,njd->nij", votes, _routed(votes, logits))
    return _routed(votes, logits)


def _routed(votes: Any, logits: Any) -> Any:
    return _squash(torch.einsum("nij,nijd->njd", F.softmax(logits, 2), votes), axis=2)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "squash": _squash,
    "non_local": _non_local,
    "capsule_routing": _capsule_routing,
}
DEVIATIONS: tuple[Deviation, ...] = ()
