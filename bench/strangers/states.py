"""What one call does to another, or a thread to its neighbour."""

import threading
import time

import numpy as np

import refconv
from bench.strangers.convolutions import im2col
from bench.strangers.stranger import Collection

stranger = Collection()
ZEROS = {"padding_mode": "zeros"}


class Convolution:
    """Keeps what it has prepared."""

    def __init__(self, mistake):
        self.mistake = mistake
        self.plans = {}
        self.workspace = np.zeros(0, np.float32)
        self.run = im2col("")

    def __call__(self, input, weight, bias=None, **attributes):
        if self.mistake == "the weight packed at the first call of a shape is used again":
            weight = self.plans.setdefault((input.shape, weight.shape), weight.copy())
        if self.mistake == "the stride of the first call with the same kernel is used again":
            attributes["stride"] = self.plans.setdefault(
                (input.shape, weight.shape, repr(attributes["padding"]), repr(attributes["dilation"])),
                attributes["stride"],
            )
        y = self.run(input, weight, bias, **attributes)
        if self.mistake == "the workspace holds what the call before left in it":
            room = max(y.size, self.workspace.size)
            fresh = np.zeros(room, np.float32)
            fresh[: y.size] = y.ravel()
            left = self.workspace[: y.size] if self.workspace.size > y.size else np.zeros(y.size, np.float32)
            self.workspace = fresh
            y = y + left[: y.size].reshape(y.shape)
        return y.astype(input.dtype)


stranger(
    "conv",
    Convolution,
    "the weight packed at the first call of a shape is used again",
    domain=ZEROS,
    isolated=True,
    names=("earlier|previous|cache|stale|kept|first call|state",),
    when=("second|earlier|again|repeat|before|after|previous|first & call|shape|weight",),
)
stranger(
    "conv",
    Convolution,
    "the stride of the first call with the same kernel is used again",
    domain=ZEROS,
    isolated=True,
    names=("earlier|previous|cache|stale|kept|first call|state",),
    when=("second|earlier|again|repeat|before|after|previous|first & call|shape|stride",),
)
stranger(
    "conv",
    Convolution,
    "the workspace holds what the call before left in it",
    domain=ZEROS,
    isolated=True,
    names=("earlier|previous|cleared|stale|workspace|buffer|state",),
    when=("after|earlier|previous|before|second & call|larger",),
)


class Norm:
    """Keeps the running statistics itself."""

    def __init__(self, mistake):
        self.mistake = mistake
        self.seen = {}
        self.calls = 0

    def __call__(self, input, weight, bias, **attributes):
        self.calls += 1
        y = refconv.layer_norm(input, weight, bias, **attributes)
        if self.mistake == "each fifth call adds the bias twice" and self.calls % 5 == 0 and bias is not None:
            y = y + bias
        return y


stranger(
    "layer_norm",
    Norm,
    "each fifth call adds the bias twice",
    isolated=True,
    names=("earlier|determinis|call|state|same bits",),
    when=("call|sometimes|not always|fifth|now and then|repeat",),
)


def racing(mistake):
    """Two threads that add into one total."""

    def linear(input, weight, bias=None):
        x = np.ascontiguousarray(input).reshape(-1, input.shape[-1]).astype(np.float64)
        half = x.shape[1] // 2
        total = np.zeros((len(x), len(weight)))
        lock = threading.Lock()

        def add(part):
            product = x[:, part] @ weight[:, part].T.astype(np.float64)
            if mistake == "two threads add to a sum without a lock" and x.shape[1] > 4:
                read = total.copy()
                time.sleep(np.random.default_rng().choice([0, 0.0005]))
                total[:] = read + product
            else:
                with lock:
                    total[:] = total + product

        threads = [threading.Thread(target=add, args=(part,)) for part in (slice(0, half), slice(half, None))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        y = total if bias is None else total + bias
        return y.reshape(*input.shape[:-1], len(weight)).astype(input.dtype)

    return linear


stranger(
    "linear",
    racing,
    "two threads add to a sum without a lock",
    names=("race|thread|determinis|same bits|unsynchron",),
    when=("sometimes|not always|now and then|race|differ & (call|time|run|same)|call", "in|feature|term & \\b[45]\\b"),
)


def in_place(mistake):
    def softmax_backward(grad_output, input, *, axis):
        y = refconv.softmax(input, axis=axis).astype(np.float64)
        g = grad_output.astype(np.float64)
        dx = (y * (g - (y * g).sum(axis, keepdims=True))).astype(input.dtype)
        if (
            mistake == "grad_output overwritten where it may be"
            and grad_output.flags.writeable
            and grad_output.flags.c_contiguous
        ):
            grad_output[...] = dx
        return (dx,)

    return softmax_backward


stranger(
    "softmax_backward",
    in_place,
    "grad_output overwritten where it may be",
    names="modif|overwrit|in place|changed|written",
    when=("contiguous|always|every|all|layout|written|writ",),
)


def refused(mistake):
    def add(input, other):
        if mistake == "raises for an empty batch" and input.size == 0:
            raise ValueError("reduction has no identity")
        if mistake == "raises where there is no channel to spare" and input.shape[1] == 1:
            raise RuntimeError("vectorised path needs at least two channels")
        y = np.array(input, order="C")
        y += other
        if mistake == "the input itself is returned where the other is 0" and not other.any():
            return input
        return y

    return add


stranger(
    "add",
    refused,
    "raises for an empty batch",
    names="empty|size 0|refus & (batch|array|empty|size)",
    when=("empty|batch|size & 0|empty|none|no ",),
)
stranger(
    "add",
    refused,
    "raises where there is no channel to spare",
    names="channel & (one|1|two|single|refus)",
    when="channel & \\b[12]\\b|one|single",
)
