"""A convolution in C, built by the system's compiler and called by ctypes: ``conv``, and a ``first_try`` with a bug."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import oracle
from refconv.geometry import output_size, read_window

_SOURCE = Path(__file__).with_name("conv.c")
_FIELDS = ("N", "C", "H", "W", "O", "KH", "KW", "OH", "OW", "SH", "SW", "PH", "PW", "DH", "DW", "groups")


class _Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in _FIELDS]


def _built(*options: str) -> ctypes.CDLL:
    """Compile conv.c, and load it."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("this example needs a C compiler: none of cc, gcc and clang is there, and CC isn't set")
    library = Path(tempfile.mkdtemp()) / "libconv.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *options, str(_SOURCE), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def _read(input: Any, weight: Any, bias: Any, groups: int, padding_mode: str, **window: Any) -> tuple[Any, ...]:
    """Return the shape as C takes it, the output's shape, and the arrays, contiguous."""
    if input.ndim != 4 or input.dtype != np.float32 or padding_mode != "zeros":
        raise oracle.Unsupported("two axes, float32, padded with zeros")
    if groups < 1 or input.shape[1] != groups * weight.shape[1] or weight.shape[0] % groups:
        raise ValueError(f"groups must divide the channels of input and weight, got {groups}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape {weight.shape[:1]}, got {bias.shape}")
    read = read_window(weight.shape[2:], words=True, **window)
    out = output_size(input.shape[2:], read)
    before = [pair[0] for pair in read.padding]
    outs = weight.shape[0]
    numbers = (*input.shape, outs, *read.kernel, *out, *read.stride, *before, *read.dilation, groups)
    arrays = [array if array is None else np.ascontiguousarray(array) for array in (input, weight, bias)]
    return _Shape(*numbers), (input.shape[0], outs, *out), *arrays


def _pointer(array: Any) -> Any:
    return None if array is None else array.ctypes.data_as(ctypes.c_void_p)


def _implementation(name: str, library: ctypes.CDLL) -> SimpleNamespace:
    def conv(
        input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, padding_mode: str = "zeros",
    ) -> Any:  # fmt: skip
        window = {"stride": stride, "padding": padding, "dilation": dilation}
        shape, out, *arrays = _read(input, weight, bias, groups, padding_mode, **window)
        output = np.empty(out, np.float32)
        library.conv(ctypes.byref(shape), *map(_pointer, [*arrays, output]))
        return output

    def conv_backward(
        grad_output: Any, input: Any, weight: Any, bias: Any = None, *, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros",
    ) -> Any:  # fmt: skip
        window = {"stride": stride, "padding": padding, "dilation": dilation}
        shape, out, *arrays = _read(input, weight, bias, groups, padding_mode, **window)
        if grad_output.shape != out or grad_output.dtype != np.float32:
            raise ValueError(f"grad_output must be float32 of shape {out}, got {grad_output.dtype} {grad_output.shape}")
        gradients = [None if array is None else np.zeros(array.shape, np.float32) for array in arrays]
        given = [np.ascontiguousarray(grad_output), *arrays[:2], *gradients]
        library.conv_backward(ctypes.byref(shape), *map(_pointer, given))
        return tuple(gradients)

    return SimpleNamespace(name=name, conv=conv, conv_backward=conv_backward)


first_try = _implementation("first_try", _built("-DFIRST_TRY"))
convolution = _implementation("convolution", _built())
