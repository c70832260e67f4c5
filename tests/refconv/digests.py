"""Print what each operator's results hash to, a line for each operator, direction and dtype.

A program of its own, since what matters is what a new process gets: ``python digests.py [DTYPE ...]``. Arrays are long
enough for vectors and their remainders, and for threads.
"""

import hashlib
import sys
import zlib

import numpy as np

import refconv

IMAGE = (4, 16, 33, 37)
CALLS = {
    "conv": [
        ([IMAGE, (24, 8, 3, 3), (24,)], {"padding": 1, "groups": 2}),
        ([(2, 4, 9, 7), (4, 4, 3, 2), (4,)], {"stride": (2, 1), "padding": 1}),
    ],
    "conv_transpose": [
        ([IMAGE, (16, 12, 3, 3), (24,)], {"stride": 2, "groups": 2}),
        ([(2, 4, 9, 7), (4, 4, 3, 2), (4,)], {"stride": (2, 1), "padding": 1}),
    ],
    "locally_connected": [([(2, 8, 11, 12), (8, 9, 10, 8, 3, 3), (8, 9, 10)], {})],
    "linear": [([(33, 517), (70, 517), (70,)], {}), ([(3, 17), (5, 17), (5,)], {})],
    "max_pool": [([IMAGE], {"kernel_size": 3, "stride": 2, "padding": 1})],
    "max_unpool": [([(2, 3, 4, 4), "indices"], {"output_size": (16, 16)})],
    "avg_pool": [([IMAGE], {"kernel_size": 3, "stride": 2, "padding": 1}), ([IMAGE], {"kernel_size": 11})],
    "lp_pool": [([IMAGE], {"norm_type": p, "kernel_size": 3}) for p in (1, 2, 2.5)],
    "adaptive_avg_pool": [([IMAGE], {"output_size": size}) for size in (1, 7)],
    "adaptive_max_pool": [([IMAGE], {"output_size": 7})],
    "upsample": [([IMAGE], {"scale_factor": 1.7, "mode": mode}) for mode in ("nearest", "linear", "cubic")],
    "blur_pool": [([IMAGE], {})],
    "batch_norm": [
        ([IMAGE, (16,), (16,)], {}),
        ([IMAGE, (16,), (16,), (16,), "variances"], {"training": False}),
    ],
    "layer_norm": [
        ([IMAGE, IMAGE[1:], IMAGE[1:]], {"normalized_shape": IMAGE[1:]}),
        ([IMAGE], {"normalized_shape": 37}),
    ],
    "instance_norm": [([IMAGE, (16,), (16,)], {})],
    "group_norm": [([IMAGE, (16,), (16,)], {"num_groups": 4})],
    "local_response_norm": [([IMAGE], {"size": 5})],
    "relu": [([IMAGE], {})],
    "leaky_relu": [([IMAGE], {})],
    "sigmoid": [([IMAGE], {})],
    "tanh": [([IMAGE], {})],
    "softmax": [([(33, 1000)], {}), ([IMAGE], {})],
    "log_softmax": [([(33, 1000)], {}), ([IMAGE], {})],
    "squash": [([IMAGE], {})],
    "dropout": [([IMAGE, "mask"], {"p": 0.5})],
    "flatten": [([IMAGE], {})],
    "add": [([IMAGE, IMAGE], {})],
    "concat": [([IMAGE, IMAGE], {})],
    "pad": [([IMAGE], {"padding": 2, "mode": mode}) for mode in ("zeros", "reflect")],
    "channel_shuffle": [([IMAGE], {"groups": 4})],
    "cross_entropy": [([(33, 1000), "target"], {})],
    "mse_loss": [([IMAGE, IMAGE], {})],
    "highway": [([IMAGE, IMAGE, IMAGE], {})],
    "graph_conv": [([(2, 40, 33), (40, 40), (17, 33), (17, 33), (17,)], {})],
    "non_local": [([(2, 16, 11, 13), (8, 16), (8, 16), (8, 16)], {})],
    "capsule_routing": [([(2, 40, 10, 16)], {})],
}


def _array(what, shape, dtype, rng):
    if what == "indices":  # windows that don't overlap
        rows, columns = np.indices((4, 4)) * 4
        return np.broadcast_to(rows * 16 + columns, shape).copy()
    if what == "target":
        return rng.integers(0, shape[1], shape[0])
    if what == "mask":
        return rng.integers(0, 2, shape).astype(dtype)
    values = rng.standard_normal(shape[1] if what == "variances" else what)
    return (abs(values) if what == "variances" else values).astype(dtype)


def digests(dtype, names=CALLS):
    """Return them by operator and direction."""
    found = {}
    for name in names:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        hashes = hashlib.sha256(), hashlib.sha256()
        row = refconv.operators[name]
        for inputs, attributes in CALLS[name]:
            arrays = [_array(each, inputs[0], dtype, rng) for each in inputs]
            returned = row.forward(*arrays, **attributes)
            outputs = returned if isinstance(returned, tuple) else (returned,)
            grads = row.backward(rng.standard_normal(outputs[0].shape).astype(dtype), *arrays, **attributes)
            for hash_, results in zip(hashes, (outputs, grads), strict=True):
                for result in results:
                    hash_.update(b"" if result is None else np.ascontiguousarray(result).tobytes())
        for direction, hash_ in zip(("forward", "backward"), hashes, strict=True):
            found[f"{name}.{direction}.{dtype}"] = hash_.hexdigest()
    return found


if __name__ == "__main__":
    assert set(CALLS) == set(refconv.operators)
    for dtype in sys.argv[1:] or ("float32", "float64"):
        for key, digest in digests(dtype).items():
            print(key, digest)
