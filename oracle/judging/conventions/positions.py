"""Conventions of upsampling: where an output lies between the inputs, and how much its neighbours weigh.

Frameworks differ in all outputs, not at some borders, and name what they do by attributes that translate: so `upsample`
means what ``torch.nn.functional.interpolate`` does, and who computes something else is told what it is.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from oracle.judging.conventions.convention import Asked, Convention, Results
from oracle.judging.values import Expected
from properties.case import array
from refconv import Bound
from refconv.arguments import Array
from refconv.interpolation import Axis, interpolation
from refconv.resampling import Map, resample, taps, transposed

_RULE = "upsample means torch.nn.functional.interpolate"
_CLOSE = 64  # roundings by which a result may differ from what explains it
Mapped: TypeAlias = Callable[[str, Axis], Map]


def _ratio(axis: Axis) -> float:
    return axis.inputs / axis.outputs if axis.scale is None else 1 / axis.scale


def _half_pixel(axis: Axis) -> Array:
    return np.asarray((np.arange(axis.outputs) + 0.5) * _ratio(axis) - 0.5)


def _nearest_half_pixel(mode: str, axis: Axis, *, down: bool) -> Map:
    """Return what is nearest to the position by half-pixel centres; of two, the lower or the upper."""
    if mode != "nearest":
        return interpolation(mode, axis)
    position = _half_pixel(axis)
    index = np.ceil(position - 0.5) if down else np.floor(position + 0.5)
    return taps(axis.inputs, index.clip(0, axis.inputs - 1).astype(int)[:, None], np.ones((axis.outputs, 1)))


def _asymmetric(mode: str, axis: Axis) -> Map:
    """Return linear or cubic interpolation at ``o * ratio``."""
    if mode == "nearest" or axis.align_corners:
        return interpolation(mode, axis)
    return _at(mode, axis, np.arange(axis.outputs) * _ratio(axis))


def _one_at_zero(mode: str, axis: Axis) -> Map:
    """Return interpolation by half-pixel centres, but for an output of one, which lies at 0."""
    if mode == "nearest" or axis.align_corners or axis.outputs > 1:
        return interpolation(mode, axis)
    return _at(mode, axis, np.zeros(1))


def _cubic_half(mode: str, axis: Axis) -> Map:
    """Return cubic interpolation with Keys' a of -1/2."""
    if mode != "cubic":
        return interpolation(mode, axis)
    aligned = np.arange(axis.outputs) * ((axis.inputs - 1) / max(axis.outputs - 1, 1))
    return _at(mode, axis, aligned if axis.align_corners else _half_pixel(axis), a=-0.5)


def _by_sizes(mode: str, axis: Axis) -> Map:
    """Return interpolation by the ratio of the sizes, where a scale factor is given."""
    return interpolation(mode, axis._replace(scale=None))


def _at(mode: str, axis: Axis, position: Array, a: float = -0.75) -> Map:
    """Return the map of linear or cubic interpolation at `position`."""
    reach = 1 if mode == "linear" else 2
    position = position.clip(0, axis.inputs - 1) if mode == "linear" else position
    source = np.floor(position).astype(int)[:, None] + np.arange(1 - reach, reach + 1)
    distance = abs(position[:, None] - source)
    weights = np.maximum(1 - distance, 0) if mode == "linear" else _keys(distance, a)
    return taps(axis.inputs, source.clip(0, axis.inputs - 1), weights)


def _keys(d: Array, a: float) -> Array:
    inner, outer = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))


def _resampled(asked: Asked, *, mapped: Mapped) -> Results | None:
    """Return what comes of other maps along the axes; None where they are those of the definition."""
    if asked.expected is None:
        return None
    attributes: Any = asked.case.attributes
    axes = _axes(array(asked.case, "input").shape[2:], asked.case, attributes)
    maps: Any = [mapped(attributes["mode"], axis) for axis in axes]
    name, given = ("output", "input") if asked.direction == "forward" else ("grad_input", "grad_output")
    maps = maps if asked.direction == "forward" else transposed(maps)
    value = resample(np.ascontiguousarray(array(asked.case, given), np.float64), maps)
    expected = asked.expected[name]
    assert expected is not None
    room = _CLOSE * max(asked.arithmetic.accumulation, asked.arithmetic.storage) * abs(value).max(initial=0)
    with np.errstate(invalid="ignore"):  # infinities
        if value.shape != expected.value.shape or (abs(value - expected.value) <= room).all():
            return None
    return {name: Expected(value, Bound(*(error + room for error in expected.bound)))}


def _axes(sizes: tuple[int, ...], case: Any, attributes: Any) -> list[Axis]:
    outputs = case.grad_output.shape[2:]
    scale = attributes["scale_factor"]
    scales = scale if isinstance(scale, tuple | list) else (scale,) * len(sizes)
    return [Axis(*axis, attributes["align_corners"]) for axis in zip(sizes, outputs, scales, strict=True)]


_CENTRES: dict[str, Mapped] = {
    "nearest by half-pixel centres, the upper of two (PyTorch's 'nearest-exact', TensorFlow 2, JAX)": partial(
        _nearest_half_pixel, down=False
    ),
    "nearest by half-pixel centres, the lower of two (ONNX's default)": partial(_nearest_half_pixel, down=True),
    "positions o * ratio (ONNX's 'asymmetric', TensorFlow 1)": _asymmetric,
    "an output of one at position 0 (ONNX's 'pytorch_half_pixel')": _one_at_zero,
    "Keys' a of -1/2 (TensorFlow 2, JAX, Pillow)": _cubic_half,
    "positions by the ratio of the sizes (PyTorch's recompute_scale_factor=True)": _by_sizes,
}


def conventions() -> Iterator[Convention]:
    """Yield those of upsampling, none of which is accepted."""
    functions = frozenset({("upsample", "forward"), ("upsample", "backward")})
    for name, mapped in _CENTRES.items():
        yield Convention(name, functions, partial(_resampled, mapped=mapped), _RULE)
