"""An ONNX model run by ONNX Runtime: a ``Conv`` node, made for each call's attributes."""

from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

import oracle
from refconv.geometry import output_size, read_window

name = "onnx_model"
version = onnxruntime.__version__
_OPSET = 21


@cache
def _session(rank: int, biased: bool, groups: int, kernel: Any, strides: Any, pads: Any, dilations: Any) -> Any:
    """Return a session that runs a model of one convolution."""
    names = ["X", "W", *["B"] * biased]
    node = helper.make_node(
        "Conv", names, ["Y"], kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, group=groups
    )
    shapes = {"X": rank + 2, "W": rank + 2, "B": 1}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * shapes[name]) for name in names]
    output = helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None] * (rank + 2))
    graph = helper.make_graph([node], "conv", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as well
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def conv(
    input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1, padding_mode: str = "zeros",
) -> Any:  # fmt: skip
    """Run the model; a runtime for inference has no backward."""
    if padding_mode != "zeros" or not input.size or input.dtype != np.float32:
        raise oracle.Unsupported("float32 images that aren't empty, padded with zeros")
    window = read_window(weight.shape[2:], stride=stride, padding=padding, dilation=dilation, words=True)
    output_size(input.shape[2:], window)
    before, after = zip(*window.padding, strict=True)
    session = _session(
        len(window.kernel), bias is not None, groups, window.kernel, window.stride, (*before, *after), window.dilation
    )
    given = {"X": input, "W": weight, **({} if bias is None else {"B": bias})}
    return session.run(None, {name: np.ascontiguousarray(array) for name, array in given.items()})[0]
