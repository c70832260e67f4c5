"""Cases for what most cases are not for."""

from typing import Any

import hypothesis.strategies as st
import numpy as np

import refconv
from properties import CONTENTS, Case, content


@st.composite
def small_kernels(draw: st.DrawFn) -> Case:
    """Draw a case for Winograd's algorithm: a kernel of 3x3, nothing strided or dilated."""
    batch, groups, per_in, per_out, seed = (
        draw(st.integers(*span)) for span in ((1, 3), (1, 3), (1, 3), (1, 3), (0, 2**32))
    )
    size = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    padding = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    mode = draw(st.sampled_from(("zeros", "reflect", "replicate", "circular")))
    rng, kind = np.random.default_rng(seed), draw(st.sampled_from(tuple(CONTENTS)))
    shapes = (batch, groups * per_in, *size), (groups * per_out, per_in, 3, 3), (groups * per_out,)
    inputs = tuple(content(kind, shape, "float32", rng) for shape in shapes)
    attributes: dict[str, Any] = {
        "stride": 1,
        "padding": padding,
        "dilation": 1,
        "groups": groups,
        "padding_mode": mode,
    }
    output = refconv.conv(*inputs, **attributes)
    return Case("conv", inputs, attributes, content(kind, output.shape, "float32", rng))
