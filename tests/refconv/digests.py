"""Print what each operator's results hash to, a line for each operator, direction and dtype.

A program of its own, since what matters is what a new process gets: ``python digests.py [DTYPE ...] [OPERATOR ...]``,
in that order; with the word ``apart``, operators from the last to the first, and arrays whose elements don't lie side by
side. Arrays are long enough for vectors and their remainders, and for threads. After them come the functions that the
object of a compiled loop holds beside its own: there must be none.
"""

import gc
import hashlib
import sys
import zlib

import numpy as np
from numba.core.registry import CPUDispatcher

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


def side_by_side(array):
    return array


def apart(array):
    return np.repeat(array, 2, -1)[..., ::2] if array.ndim else array


def digests(dtype, names=CALLS, lay_out=side_by_side):
    """Return them by operator and direction."""
    found = {}
    for name in names:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        hashes = hashlib.sha256(), hashlib.sha256()
        row = refconv.operators[name]
        for inputs, attributes in CALLS[name]:
            arrays = [lay_out(_array(each, inputs[0], dtype, rng)) for each in inputs]
            returned = row.forward(*arrays, **attributes)
            outputs = returned if isinstance(returned, tuple) else (returned,)
            grad_output = rng.standard_normal(outputs[0].shape).astype(dtype)
            grads = row.backward(lay_out(grad_output), *arrays, **attributes)
            for hash_, results in zip(hashes, (outputs, grads), strict=True):
                for result in results:
                    hash_.update(b"" if result is None else np.ascontiguousarray(result).tobytes())
        for direction, hash_ in zip(("forward", "backward"), hashes, strict=True):
            found[f"{name}.{direction}.{dtype}"] = hash_.hexdigest()
    return found


def loops():
    """Return what of refconv Numba compiles."""
    found = [each for each in gc.get_objects() if isinstance(each, CPUDispatcher)]
    return [each for each in found if each.py_func.__module__.startswith("refconv.")]


def shared_functions():
    """Return the functions that objects define beside their own: which copy of one runs, the process would decide."""
    return [
        f"{loop.py_func.__name__} defines {function.name}"
        for loop in loops()
        for compiled in loop.overloads.values()
        for function in compiled.library.get_defined_functions()
        if function.name not in {compiled.fndesc.mangled_name, compiled.fndesc.llvm_cpython_wrapper_name}
        and not function.name.startswith("_ZN5numba2np8arrayobj")  # which reckon with indices alone
    ]


if __name__ == "__main__":
    assert set(CALLS) == set(refconv.operators)
    words = sys.argv[1:]
    names = [word for word in words if word in CALLS] or list(CALLS)
    if "apart" in words:
        names, lay_out = names[::-1], apart
    else:
        lay_out = side_by_side
    for dtype in [word for word in words if word not in {"apart", *CALLS}] or ("float32", "float64"):
        for key, digest in digests(dtype, names, lay_out).items():
            print(key, digest)
    for line in shared_functions():
        print(line)
