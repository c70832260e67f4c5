"""`upsample`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F

from oracle.deviations import Deviation

_MODES = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear", ("cubic", 2): "bicubic"}


def _upsample(input: Any, *, mode: str, align_corners: bool, **sizes: Any) -> Any:
    if mode == "nearest":
        return F.interpolate(input, mode=mode, **sizes)
    return F.interpolate(input, mode=_MODES[mode, input.ndim - 2], align_corners=align_corners, **sizes)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {"upsample": _upsample}
DEVIATIONS: tuple[Deviation, ...] = ()
