"""Conventions of upsampling: where an output lies between the inputs, and how much its neighbours weigh.

Frameworks differ in all outputs, not at some borders, and name what they do by attributes that translate: so `upsample`
means what ``torch.nn.functional.interpolate`` does, and who computes something else is told what it is.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from oracle.judging.conventions import maps
from oracle.judging.conventions.convention import Asked, Convention, Results
from oracle.judging.values import Expected
from properties.case import array
from refconv import Bound
from refconv.interpolation import Axis
from refconv.resampling import resample, transposed

_RULE = "upsample means torch.nn.functional.interpolate"
_CLOSE = 64  # roundings by which a result may differ from what explains it


def _resampled(asked: Asked, *, mapped: maps.Mapped) -> Results | None:
    """Return what comes of other maps along the axes; None where they are those of the definition."""
    if asked.expected is None:
        return None
    attributes: Any = asked.case.attributes
    axes = _axes(array(asked.case, "input").shape[2:], asked.case, attributes)
    along: Any = [mapped(attributes["mode"], axis) for axis in axes]
    name, given = ("output", "input") if asked.direction == "forward" else ("grad_input", "grad_output")
    along = along if asked.direction == "forward" else transposed(along)
    value = resample(np.ascontiguousarray(array(asked.case, given), np.float64), along)
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


_CENTRES: dict[str, maps.Mapped] = {
    "nearest by half-pixel centres, the upper of two (PyTorch's 'nearest-exact', TensorFlow 2, JAX)": partial(
        maps.nearest_half_pixel, down=False
    ),
    "nearest by half-pixel centres, the lower of two (ONNX's default)": partial(maps.nearest_half_pixel, down=True),
    "positions o * ratio (ONNX's 'asymmetric', TensorFlow 1)": maps.asymmetric,
    "an output of one at position 0 (ONNX's 'pytorch_half_pixel')": maps.one_at_zero,
    "Keys' a of -1/2 (TensorFlow 2, JAX, Pillow)": maps.cubic_half,
    "positions by the ratio of the sizes (PyTorch's recompute_scale_factor=True)": maps.by_sizes,
}


def conventions() -> Iterator[Convention]:
    """Yield those of upsampling, none of which is accepted."""
    functions = frozenset({("upsample", "forward"), ("upsample", "backward")})
    for name, mapped in _CENTRES.items():
        yield Convention(name, functions, partial(_resampled, mapped=mapped), _RULE)
