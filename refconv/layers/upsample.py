"""Upsampling: values between those that there are, by the nearest, by linear or by cubic interpolation.

    output[n, c, o] = sum of weight[o, i] * input[n, c, i] over i       weights multiply along the spatial axes

    position(o) = (o + 1/2) * ratio - 1/2      half-pixel centres; aligned corners: o * (inputs - 1) / (outputs - 1)
    nearest     weight 1 for i = floor(o * ratio)
    linear      1 - t and t for i = floor(position) and the next, t = position - floor(position)
    cubic       keys(|position - i|) for the two i on either side

`n` counts the batch, `c` the channels, `o` and `i` the positions along each spatial axis, of which there are `outputs`
and `inputs`; `ratio` is ``inputs / outputs``, or ``1 / scale_factor`` where that is given. Of Keys' kernel, a is -3/4.
"""

import math
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

from refconv import arguments, bounds
from refconv.arguments import LARGEST, Array, InvalidTypeError, InvalidValueError, shown
from refconv.bounds import Arithmetic, Bound
from refconv.geometry import IntPerAxis
from refconv.interpolation import MODES, Axis, interpolation, interpolation_bound
from refconv.resampling import Map, resample, transposed
from refconv.results import InputGradient

Scale: TypeAlias = float | tuple[float, ...]


def upsample(
    input: Array,
    *,
    size: IntPerAxis | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Array:
    """Resize `input` to a `size` or by a `scale_factor`, along 1, 2 or 3 spatial axes.

    ::

        output[n, c, o] = sum of weight[o, i] * input[n, c, i] over i       weights multiply along the spatial axes

        position(o) = (o + 1/2) * ratio - 1/2      half-pixel centres; aligned corners: o * (inputs - 1) / (outputs - 1)
        nearest     weight 1 for i = floor(o * ratio)
        linear      1 - t and t for i = floor(position) and the next, t = position - floor(position)
        cubic       keys(|position - i|) for the two i on either side

        keys(d) = (a + 2) d**3 - (a + 3) d**2 + 1 up to d = 1, a d**3 - 5 a d**2 + 8 a d - 4 a up to 2; a = -3/4

    Parameters
    ----------
    input : array, shape (batch, channels, *spatial)
        float32, float64 or complex128, in any memory layout. The batch may be empty.
    size : int or one int for each spatial axis, optional
        At least 1: that of the output. Either this or `scale_factor` is given. It may be smaller than the input's.
    scale_factor : float or one float for each spatial axis, optional
        Above 0; below 1, the output is smaller.
    mode : {"nearest", "linear", "cubic"}
        "linear" is bilinear along two axes and trilinear along three; "cubic" needs two.
    align_corners : bool
        Whether the outermost values stay where they are; not for "nearest".

    Returns
    -------
    array, shape (batch, channels, *size)
        ``size = floor(spatial * scale_factor)`` where that is given; in the dtype of `input`.

    Raises
    ------
    InvalidTypeError
        A TypeError: an argument of a type or dtype that isn't named above.
    InvalidValueError
        A ValueError: an argument out of its range, or two that don't go together.

    Notes
    -----
    Beyond the border, "linear" moves the position to 0, "cubic" repeats the outermost value. Nothing is smoothed where
    the output is smaller, as PIL, and TensorFlow with ``antialias=True``, do.

    The ratio is ``1 / scale_factor`` where that is given, not that of the sizes, as in PyTorch unless
    ``recompute_scale_factor=True`` and in ONNX; aligned corners have no use for it. Sizes, ``spatial * scale_factor``
    and ``o * (1 / scale_factor)`` are rounded in float64 before they are rounded down. The ratio of sizes is exact:
    PyTorch's "nearest" rounds it to float32, and takes the neighbour at some sizes.

    "nearest" reads ``floor(o * ratio)``, as PyTorch and TensorFlow 1 do, and ONNX with "asymmetric" and "floor".
    ONNX's default, TensorFlow 2 and PyTorch's "nearest-exact" read what is nearest to the half-pixel position. Half
    pixels are the default of ONNX's and TensorFlow 2's "linear", too; TensorFlow 1's was ``o * ratio``. Keys' a is
    -3/4 in PyTorch, ONNX and OpenCV, -1/2 in TensorFlow 2 and PIL.

    References
    ----------
    ``torch.nn.functional.interpolate``; ONNX Resize.
    R. Keys, Cubic convolution interpolation for digital image processing, 1981, IEEE Transactions on Acoustics, Speech,
    and Signal Processing 29(6).
    """
    call = _read(input, size, scale_factor, mode, align_corners)
    return resample(call.signal, call.maps)


def upsample_backward(
    grad_output: Array,
    input: Array,
    *,
    size: IntPerAxis | None = None,
    scale_factor: Scale | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> InputGradient:
    """Return the gradient of ``sum(upsample(input) * grad_output)``.

    ::

        grad_input[n, c, i] = sum of weight[o, i] * grad_output[n, c, o] over o

    Parameters
    ----------
    grad_output : array, shape of the output
        Of the dtype of `input`.
    input, size, scale_factor, mode, align_corners
        As for :func:`upsample`.

    Returns
    -------
    InputGradient
        `input`.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        As for :func:`upsample`; also for a `grad_output` that isn't of the output's shape and dtype.
    """
    call = _read(input, size, scale_factor, mode, align_corners)
    grad = arguments.array("grad_output", grad_output, like=call.signal)
    arguments.shape("grad_output", grad, (*call.signal.shape[:2], *(map_.outputs for map_ in call.maps)))
    return InputGradient(resample(grad, transposed(call.maps)))


def upsample_bound(arithmetic: Arithmetic, output: Array, input: Array, **attributes: object) -> Bound:
    """Bound the rounding errors of `output`: none where values are moved, else those of sums of products.

    Weights come from positions that are rounded themselves, by a few units of their own size: their errors come on top
    of the sum's, see :mod:`refconv.interpolation`. Where ratios have few binary digits, as when a size is doubled,
    weights are exact, and on small integers so is all.
    """
    call = _read(input, **attributes)
    if call.mode == "nearest":
        return bounds.exact(output)
    return interpolation_bound(arithmetic, output, input, call.mode, call.axes)


def upsample_backward_bound(
    arithmetic: Arithmetic, grads: InputGradient, grad_output: Array, input: Array, **attributes: object
) -> tuple[Bound]:
    """Bound the rounding errors of the gradient, a sum of products with the same weights."""
    call = _read(input, **attributes)
    if call.mode == "nearest":
        maps = transposed(call.maps)
        bound: Bound
        (bound,) = bounds.multilinear(
            lambda grad: resample(grad, maps), arithmetic, (grads.input,), (grad_output,), {}, factors=1
        )
        return (bound,)
    return (interpolation_bound(arithmetic, grads.input, grad_output, call.mode, call.axes, backward=True),)


class _Call(NamedTuple):
    signal: Array
    mode: str
    axes: tuple[Axis, ...]
    maps: tuple[Map, ...]


def _read(input: object, size: object, scale_factor: object, mode: object, align_corners: object) -> _Call:
    signal = arguments.signal("input", input)
    inputs = signal.shape[2:]
    scales: tuple[float | None, ...] = (None,) * len(inputs)
    if scale_factor is None:
        if size is None:
            raise InvalidValueError("size", "be given unless scale_factor is", None)
        outputs = arguments.per_axis("size", size, len(inputs), at_least=1)
    elif size is not None:
        raise InvalidValueError("scale_factor", "be None where size is given", shown(scale_factor))
    else:
        factors = _read_scales(scale_factor, len(inputs))
        outputs = tuple(math.floor(length * factor) for length, factor in zip(inputs, factors, strict=True))
        scales = factors
        if min(outputs) < 1:
            raise InvalidValueError("scale_factor", f"leave at least 1 of the sizes {inputs}", shown(scale_factor))
    mode = arguments.one_of("mode", mode, MODES)
    if mode == "cubic" and len(inputs) != 2:
        raise InvalidValueError("mode", "be 'nearest' or 'linear' unless there are 2 spatial axes", shown(mode))
    aligned = arguments.boolean("align_corners", align_corners)
    if aligned and mode == "nearest":
        raise InvalidValueError("align_corners", "be False where mode is 'nearest'", aligned)
    arguments.fits_memory("output", (*signal.shape[:2], *outputs), signal.dtype)
    axes = tuple(Axis(*axis, aligned) for axis in zip(inputs, outputs, scales, strict=True))
    return _Call(signal, mode, axes, tuple(interpolation(mode, axis) for axis in axes))


def _read_scales(value: object, rank: int) -> tuple[float, ...]:
    entries: Any = value if isinstance(value, tuple | list) else (value,) * rank
    if len(entries) != rank or not all(isinstance(entry, Real) and not isinstance(entry, bool) for entry in entries):
        raise InvalidTypeError("scale_factor", f"be a number or a sequence of {rank} numbers", shown(value))
    if not all(0 < entry <= LARGEST for entry in entries):
        raise InvalidValueError("scale_factor", f"be above 0 and at most {LARGEST}", shown(value))
    return tuple(map(float, entries))
