"""Products of matrices in tiles, attention in blocks, graphs as edges."""

import math

import numpy as np

from bench.strangers.stranger import Collection, near

stranger = Collection()


def tiled(mistake, T=16):
    """A block of threads for each tile of 16 by 16, as in CUDA."""

    def linear(input, weight, bias=None):
        K = input.shape[-1]
        A = np.ascontiguousarray(input).reshape(-1, K) if K else np.zeros((math.prod(input.shape[:-1]), 0), input.dtype)
        M, N = len(A), len(weight)
        C = np.zeros((M, N), input.dtype)
        for bm in range(0, M, T):
            acc = np.zeros((T, T), np.float32)
            for bn in range(0, N, T):
                if mistake != "sums not cleared between tiles of output features":
                    acc = np.zeros((T, T), np.float32)
                if mistake == "sums in half precision from 33 terms on" and K > 32:
                    acc = acc.astype(np.float16)
                for bk in range(0, K, T):
                    a, b = A[bm : bm + T, bk : bk + T], weight[bn : bn + T, bk : bk + T]
                    if mistake == "a last tile of terms that isn't full is left out" and a.shape[1] < T and bk:
                        continue
                    part = (a @ b.T).astype(acc.dtype)
                    acc[: len(a), : len(b)] = acc[: len(a), : len(b)] + part
                C[bm : bm + T, bn : bn + T] = acc[: len(A[bm : bm + T]), : len(weight[bn : bn + T])]
        if bias is not None:
            if mistake == "the bias is read from the start again in each tile":
                bias = bias[np.arange(N) % T]
            C = C + bias
        if mistake == "rows beyond 64 not written" and M > 64:
            C[64:] = 0
        return C.reshape(*input.shape[:-1], N).astype(input.dtype)

    return linear


stranger(
    "linear",
    tiled,
    "sums not cleared between tiles of output features",
    names=(
        "not cleared|stale|accumul|previous|earlier|left & tile|sum|block|accumul|feature|buffer",
        "not (cleared|zeroed|reset)",
    ),
    when=f"out|feature|weight|column & {near(17)}",
)
stranger(
    "linear",
    tiled,
    "sums in half precision from 33 terms on",
    names="float16|half|fp16|11 bits",
    when=f"in|feature|term|sum|product & {near(33)}",
)
stranger(
    "linear",
    tiled,
    "a last tile of terms that isn't full is left out",
    names="tile|tail|remainder|partial|last & (term|feature|channel|tile|sum|input)",
    when=f"in|feature|term|product & ({near(17)}|multiple)",
)
stranger(
    "linear",
    tiled,
    "the bias is read from the start again in each tile",
    names="bias & index|tile|wrap|repeat|first|start",
    when=(f"out|feature & {near(17)}", f"bias & {near(17)}"),
)
stranger(
    "linear",
    tiled,
    "rows beyond 64 not written",
    names="row|batch & (beyond|64|not written|zero|first|tail|left)",
    when=f"row|batch|position|size|leading|image & {near(65)}",
)


def by_hand(mistake):
    def linear_backward(grad_output, input, weight, bias=None):
        g = np.ascontiguousarray(grad_output).reshape(-1, len(weight))
        x = np.ascontiguousarray(input).reshape(len(g), weight.shape[1])
        dx = g @ weight
        dw = np.zeros(weight.shape, np.float64)
        for r in range(len(g)):
            if mistake == "rows after the first 32 left out of the weight's gradient" and r > 31:
                break
            dw += np.outer(g[r], x[r])
        db = g.sum(0, dtype=np.float64)
        if mistake == "the bias' gradient of one sequence where there are several" and grad_output.ndim > 2:
            db = grad_output[-1].reshape(-1, len(weight)).sum(0) if len(grad_output) else db
        if mistake == "weight not transposed where it is square" and weight.shape[0] == weight.shape[1]:
            dx = g @ weight.T
        return (
            dx.reshape(input.shape).astype(input.dtype),
            dw.astype(input.dtype),
            None if bias is None else db.astype(input.dtype),
        )

    return linear_backward


stranger(
    "linear_backward",
    by_hand,
    "rows after the first 32 left out of the weight's gradient",
    names="row|batch|sum & (32|first|tail|tile|left|last)",
    when=f"row|batch|position|size|leading|image & {near(33)}",
)
stranger(
    "linear_backward",
    by_hand,
    "the bias' gradient of one sequence where there are several",
    names="bias & (last|one|axis|batch|image|sequence)",
    when=("rank|axes|dimension|axis|3.?d|ndim|leading|\\b[23]\\b",),
)
stranger(
    "linear_backward",
    by_hand,
    "weight not transposed where it is square",
    names="transpos|weight & swap|read|reshap|square",
    when=("square|equal|same|alike|=",),
)


def blocks(mistake):
    """Attention over keys in blocks of 16, with a running maximum."""

    def non_local(input, theta, phi, g, *, mode):
        n, c = input.shape[:2]
        x = input.reshape(n, c, -1).astype(np.float64) if input.size else np.zeros((n, c, math.prod(input.shape[2:])))
        q = x if theta is None else np.einsum("ic,ncp->nip", theta, x)
        k = x if phi is None else np.einsum("ic,ncp->nip", phi, x)
        v = np.einsum("ic,ncp->nip", g, x)
        P = x.shape[2]
        if mistake == "keys divided by the root of their channels from three on" and q.shape[1] > 2:
            k = k / math.sqrt(q.shape[1])
        best = np.full((n, P, 1), -np.inf)
        total = np.zeros((n, P, 1))
        acc = np.zeros((n, P, len(g)))
        for start in range(0, P, 16):
            s = np.einsum("nip,niq->npq", q, k[:, :, start : start + 16])
            new = np.maximum(best, s.max(-1, keepdims=True))
            e = np.exp(s - new)
            factor = np.exp(best - new)
            total = total * factor + e.sum(-1, keepdims=True)
            if mistake == "what was summed isn't rescaled in a later block":
                factor = np.ones_like(factor)
            acc = acc * factor + np.einsum("npq,niq->npi", e, v[:, :, start : start + 16])
            best = new
        y = acc / total
        return np.array(y.swapaxes(1, 2).reshape(n, len(g), *input.shape[2:]), input.dtype, order="C")

    return non_local


stranger(
    "non_local",
    blocks,
    "keys divided by the root of their channels from three on",
    names="root|scal|channel & (divi|scal|root)",
    when="channel|inner & \\b[23]\\b",
)
stranger(
    "non_local",
    blocks,
    "what was summed isn't rescaled in a later block",
    names=("rescal|block|online|maximum",),
    when=f"position|size|pixel|height|width|key & {near(17)}",
)


def edges(mistake):
    """A message along each edge."""

    def graph_conv(input, adjacency, weight, self_weight=None, bias=None):
        x = input.astype(np.float64)
        y = np.zeros((*input.shape[:2], weight.shape[0]), np.float64)
        for i in range(len(adjacency)):
            for j in range(len(adjacency)):
                a = (
                    adjacency[j, i]
                    if mistake == "edges followed backwards from four nodes on" and len(adjacency) > 3
                    else adjacency[i, j]
                )
                y[:, i] += (a * x[:, j]) @ weight.T
        if self_weight is not None:
            y += x @ (
                self_weight.T
                if not (
                    mistake == "self loops by the neighbours' weight without a bias"
                    and bias is None
                    and self_weight.shape == weight.shape
                )
                else weight.T
            )
        if bias is not None:
            y += bias
        return y.astype(input.dtype)

    return graph_conv


stranger(
    "graph_conv",
    edges,
    "edges followed backwards from four nodes on",
    names="adjacency|edge|transpos|direction",
    when="node|adjacency & \\b[34]\\b",
)
stranger(
    "graph_conv",
    edges,
    "self loops by the neighbours' weight without a bias",
    names="self & weight",
    when="bias & none|without|no|not|absent|missing",
)


def routed(mistake):
    def capsule_routing(votes, *, iterations):
        v = votes.astype(np.float64)
        logits = np.zeros(v.shape[:3])
        for turn in range(iterations):
            e = np.exp(logits - logits.max(2, keepdims=True)) if logits.size else logits
            share = e / e.sum(2, keepdims=True)
            if mistake == "shares not normalised after the second turn" and turn > 1:
                share = e
            s = (share[..., None] * v).sum(1)
            length = np.sqrt((s * s).sum(-1, keepdims=True))
            out = s * (length / (1 + length * length))
            if turn < iterations - 1:
                logits = logits + (v * out[:, None]).sum(-1)
                if mistake == "the agreement of the first image for all" and len(logits) > 1:
                    logits = np.repeat(logits[:1], len(logits), 0)
        return out.astype(votes.dtype)

    return capsule_routing


stranger(
    "capsule_routing",
    routed,
    "shares not normalised after the second turn",
    names="softmax|share|normali",
    when="iteration & \\b[23]\\b",
)
stranger(
    "capsule_routing",
    routed,
    "the agreement of the first image for all",
    names="first|batch|image & (batch|image|first|agree|logit)",
    when=("batch|image & \\b[12]\\b", "batch|image & more|several"),
)
