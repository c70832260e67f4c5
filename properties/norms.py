"""Cases of the norms: sizes, and which values share a mean, are drawn; every case is valid as it is built.

Two values alone normalise to ±1 whatever they are, and their gradients vanish, so most cases have at least four values
to a mean. All shrink towards as few axes as may be, one channel, a batch of one, the defaults, and small integers.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple

import hypothesis.strategies as st

from properties.arrays import CONTENTS, LAYOUTS, content, near
from properties.case import Case
from properties.filling import Filling, fillings
from properties.sizes import BATCHES, Focus, focused, focuses
from properties.tables import SEEDS, picked


class Call(NamedTuple):
    """What is drawn for a norm with a mean."""

    batch: int
    groups: int
    channels: int  # of a group
    spatial: tuple[int, ...]
    least: int  # values that share a mean
    weight: bool
    bias: bool
    eps: float
    near: tuple[float, float]  # what is added to the input, after it was multiplied
    kind: str
    seed: int
    layouts: tuple[str, str, str]  # of grad_output, input and weight
    focus: Focus

    def arrays(self, shape: tuple[int, ...], channels: tuple[int, ...], dtype: str) -> dict[str, Any]:
        """Return `grad_output`, `input`, `weight` and `bias`, as shapes or ready."""
        offset, factor = self.near
        signal = content(self.kind, shape, dtype, self.seed + 1).astype("float64")
        return {
            "grad_output": shape,
            "input": (signal * factor + near(offset, dtype)).astype(dtype),
            "weight": channels if self.weight else None,
            "bias": channels if self.bias else None,
        }

    def filling(self, *, constant: bool) -> Filling:
        """Return the filling; a `constant` gradient proves something, or doesn't."""
        gradient, *others = self.layouts
        return Filling(
            self.kind, self.seed, ("contiguous" if gradient == "constant" and not constant else gradient, *others)
        )


_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17)
_SHORT = (1, 2, 3, 4, 5)
_VARIED = tuple(name for name in LAYOUTS if name != "constant")
_LAYOUTS = tuple(product(("contiguous", *_VARIED), repeat=3))
_CONSTANT = tuple(product(("constant",), _VARIED, ("contiguous",)))


def _spatial(ranks: Sequence[int]) -> st.SearchStrategy[tuple[int, ...]]:
    axes = {0: (), 1: (_SIZES,), 2: (_SHORT, _SIZES), 3: (_SHORT, _SHORT, _SHORT)}
    return st.one_of([st.tuples(*map(st.sampled_from, axes[rank])) for rank in ranks])


def _calls(ranks: Sequence[int], **focus: int) -> st.SearchStrategy[Call]:
    return st.builds(
        Call,
        st.sampled_from(BATCHES),
        st.sampled_from((1, 1, 2, 3, 4)),
        st.sampled_from((1, 2, 3, 5)),
        _spatial(ranks),
        st.sampled_from((4, 5, 6) * 4 + (2, 3, 2) + (4, 9, 33) * 4),
        st.sampled_from((False, True, True)),
        st.sampled_from((False, True, True)),
        st.sampled_from((1e-5, 1e-3, 0.1, 1.0, 0.0, 1e-5, 1e-12)),
        st.sampled_from(((0.0, 1.0),) * 4 + ((0.0, 2.0**-8), (100.0, 1.0), (-1e4, 1.0), (0.0, 1.0))),
        st.sampled_from(tuple(CONTENTS)),
        SEEDS,
        picked((*_LAYOUTS, *_CONSTANT * 3)),
        focuses(channels=5, columns=5, **focus),
    ).map(_valid)


def _valid(call: Call) -> Call:
    return _with_a_variance(_focused(call))


def _focused(call: Call) -> Call:
    """Give the size in focus to what it is of, and make the rest small."""
    what, size = call.focus
    if what == "batch":
        return call._replace(batch=size, groups=1, channels=1, spatial=(), kind="integer")
    if what == "channels":
        groups = call.groups if size % call.groups == 0 else 1
        small = tuple(min(length, 5) for length in call.spatial[-1:])
        return call._replace(batch=min(call.batch, 2), groups=groups, channels=size // groups, spatial=small)
    if what == "columns" and call.spatial:
        small = tuple(min(length, 3) for length in call.spatial[:-1][-1:])
        call = call._replace(groups=min(call.groups, 2), channels=min(call.channels, 2))
        return call._replace(batch=min(call.batch, 2), spatial=(*small, size))
    return call


def _with_a_variance(call: Call) -> Call:
    """Give `call` an eps where values that share a mean may all be the same."""
    certain = call.kind == "normal" and call.near[0] == 0 and "expanded" not in call.layouts
    return call if call.eps or certain else call._replace(eps=1e-5)


def _longer(sizes: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Lengthen the last of `sizes` until they hold `least` values."""
    *others, last = sizes
    return *others, max(last, -(-least // math.prod(others)))


def batch_norm_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `batch_norm`, training and inference."""

    def build(call: Call, training: bool, momentum: float, running: bool) -> Case:
        batch, *spatial = (call.batch, *call.spatial)
        if call.batch:
            sizes = (call.batch, *call.spatial)
            batch, *spatial = _longer(sizes, call.least)
        if call.batch and not training and call.seed % 4 == 3:  # one value in each channel
            batch, spatial = 1, [1 for _ in spatial]
        if not call.batch and call.seed % 4:  # nothing must become of the running statistics
            training = running = True
        if math.prod(spatial) == 1:  # an expanded batch would be of equal values
            gradient, input, weight = call.layouts
            call = call._replace(layouts=(_unexpanded(gradient), _unexpanded(input), weight))
        if training and call.eps == 0:  # which libraries refuse
            call = call._replace(eps=1e-5)
        channels = call.groups * call.channels
        arrays = call.arrays((batch, channels, *spatial), (channels,), dtype)
        if running or not training:
            arrays["running_mean"] = content(call.kind, (channels,), dtype, call.seed + 2)
            arrays["running_var"] = abs(content(call.kind, (channels,), dtype, call.seed + 3))
        attributes = {"training": training, "momentum": momentum, "eps": call.eps}
        return call.filling(constant=not training).case("batch_norm", attributes, arrays, dtype)

    momenta = st.sampled_from((0.1, 0.5, 0.9, 0.0, 1.0, 0.3, 0.1))
    calls = _calls((0, 1, 2, 3), batch=3)
    return st.builds(build, calls, st.sampled_from((True, False, True)), momenta, st.booleans())


def _unexpanded(layout: str) -> str:
    return "contiguous" if layout == "expanded" else layout


def layer_norm_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `layer_norm` over 1 to 4 axes; the input has 0 to 3 others."""

    def build(call: Call, others: tuple[int, ...], spelled_out: bool) -> Case:
        normalized = _longer((call.channels, *call.spatial) if len(call.spatial) > 1 else call.spatial, call.least)
        shape = (*(() if not others else (call.batch, *others[1:])), *normalized)
        arrays = call.arrays(shape, normalized, dtype)
        given = normalized[0] if len(normalized) == 1 and not spelled_out else normalized
        attributes = {"normalized_shape": given, "eps": call.eps}
        return call.filling(constant=call.weight).case("layer_norm", attributes, arrays, dtype)

    others = st.one_of([st.tuples(*[st.sampled_from((1, 2, 3))] * count) for count in (0, 1, 2, 3)])
    return st.builds(build, _calls((1, 2, 3)), others, st.booleans())


def instance_norm_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `instance_norm`."""

    def build(call: Call) -> Case:
        channels = call.groups * call.channels
        shape = (call.batch, channels, *_longer(call.spatial, call.least))
        arrays = call.arrays(shape, (channels,), dtype)
        return call.filling(constant=False).case("instance_norm", {"eps": call.eps}, arrays, dtype)

    return _calls((1, 2, 3)).map(build)


def group_norm_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `group_norm`."""

    def build(call: Call) -> Case:
        per_group, *spatial = _longer((call.channels, *call.spatial), call.least)
        channels = call.groups * per_group
        arrays = call.arrays((call.batch, channels, *spatial), (channels,), dtype)
        attributes = {"num_groups": call.groups, "eps": call.eps}
        return call.filling(constant=False).case("group_norm", attributes, arrays, dtype)

    return _calls((0, 1, 2, 3)).map(build)


def local_response_norm_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `local_response_norm`, its windows narrower and wider than the channels."""

    def build(
        filling: Filling,
        batch: int,
        channels: int,
        spatial: tuple[int, ...],
        size: int,
        constants: tuple[float, float, float],
        focus: Focus,
    ) -> Case:
        alpha, beta, k = constants
        if k == 0 and filling.kind == "wide":  # whose squares' powers leave the range of float32
            k = 1.0
        shape = focused((batch, channels, *spatial), focus)
        attributes = {"size": size, "alpha": alpha, "beta": beta, "k": k}
        return filling.case("local_response_norm", attributes, {"grad_output": shape, "input": shape}, dtype)

    # Where k is 0, a root gives the sign of whatever is alone in its window, which has no gradient.
    some = ((1e-4, 0.75, 1.0), (1.0, 0.5, 2.0), (3.0, 1.0, 0.5), (0.5, 0.75, 0.0), (2.0, 0.3, 1.0), (1.0, 0.75, 1.0))
    constants = st.sampled_from(some)
    return st.builds(
        build,
        fillings(2),
        st.sampled_from(BATCHES),
        st.integers(1, 8),
        _spatial((1, 2, 3)),
        st.sampled_from((1, 2, 3, 4, 5, 6, 7, 9)),
        constants,
        focuses(channels=5, columns=5),
    )


STRATEGIES: dict[str, Callable[[str], st.SearchStrategy[Case]]] = {
    "batch_norm": batch_norm_cases,
    "layer_norm": layer_norm_cases,
    "instance_norm": instance_norm_cases,
    "group_norm": group_norm_cases,
    "local_response_norm": local_response_norm_cases,
}
