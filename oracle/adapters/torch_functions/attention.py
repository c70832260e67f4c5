"""What normalises along an axis, and what is built of it; PyTorch has no `squash` and no `capsule_routing`."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from oracle.contract import Deviation
from properties import Case
from refconv import ARITHMETICS


def _softmax(input: Any, *, axis: int) -> Any:
    return F.softmax(input, axis)


def _log_softmax(input: Any, *, axis: int) -> Any:
    return F.log_softmax(input, axis)


def _squash(input: Any, *, axis: int) -> Any:
    norm = torch.linalg.vector_norm(input, dim=axis, keepdim=True)
    return input * (norm / (1 + norm * norm))  # 0 / 0 nowhere


def _non_local(input: Any, theta: Any, phi: Any, g: Any, *, mode: str) -> Any:
    if mode not in {"gaussian", "embedded_gaussian"}:
        raise ValueError(f"mode must be 'gaussian' or 'embedded_gaussian', got {mode!r}")
    x = input.flatten(2)
    query, key = (x, x) if mode == "gaussian" else (theta @ x, phi @ x)
    value = g @ x
    output = F.scaled_dot_product_attention(query.mT, key.mT, value.mT, scale=1.0).mT
    return output.reshape(input.shape[0], g.shape[0], *input.shape[2:])


def _capsule_routing(votes: Any, *, iterations: int) -> Any:
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
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


def _leaves_nothing(case: Case) -> bool:
    """Whether all scores of a query are -inf, or beyond the dtype's range."""
    x, theta, phi, _ = (array if array is None else array.astype(np.float64) for array in case.inputs)
    assert x is not None
    pixels = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    with np.errstate(all="ignore"):
        query, key = (pixels if weight is None else weight @ pixels for weight in (theta, phi))
        scores = np.einsum("nci,ncj->nij", query, key)
    return bool((scores < -ARITHMETICS[str(case.dtype)].largest).all(2).any())


_NOTHING_LEFT = """import torch

x = torch.ones(1, 1, 1)
y = torch.nn.functional.scaled_dot_product_attention(x, -torch.inf * x, x)
print(y.nan_to_num(7.0).item())  # should be 7"""
DEVIATIONS = tuple(
    Deviation(
        "non_local",
        direction,
        _leaves_nothing,
        "scaled_dot_product_attention takes scores that are all -inf for masked, and gives 0 in place of NaN",
        "2.13.0 (CPU)",
        "non_local(input[1, 1, 1], theta[1, 1], phi[1, 1], g[1, 1]), phi -inf",
        _NOTHING_LEFT,
        thread="https://github.com/pytorch/pytorch/pull/131060",
    )
    for direction in ("forward", "backward")
)
