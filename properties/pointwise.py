"""Cases of what works on each element by itself, moves elements, or sums them up to a loss.

All shrink towards few axes of size 1, the defaults, and small integers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np

from properties.arrays import CONTENTS, content
from properties.case import Case
from properties.filling import Described, Filling, fillings, layouts
from properties.sizes import BATCHES, MANY, Focus, focused, focuses
from properties.tables import SEEDS, picked
from refconv.arguments import Array
from refconv.layers import pad

_EXTREMES = np.array([1e4, -1e4, 88.5, -88.5, 0.0])  # exp overflows in float32, or as good as that
_CHANNELS = (1, 2, 3, 4, 6, 8, 9)
_SIZES = {1: (1, 2, 3, 5, 7, 8, 9, 15, 16, 17), 2: (1, 2, 3, 4, 7), 3: (1, 2, 3)}
_SMOOTH = ("integer", "normal", "wide")  # what is ±1024 everywhere saturates, and proves nothing


_FOCUS = focuses(channels=5, columns=6, batch=2)


def _unfocused(rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    sizes = [st.sampled_from(_SIZES[rank])] * rank if rank else []
    return st.tuples(st.sampled_from(BATCHES), st.sampled_from(_CHANNELS), *sizes)


def _signals(ranks: Sequence[int], focus: st.SearchStrategy[Focus] = _FOCUS) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw shapes (batch, channels, *spatial)."""
    return st.builds(focused, st.one_of([_unfocused(rank) for rank in ranks]), focus)


def _shapes() -> st.SearchStrategy[tuple[int, ...]]:
    """Draw shapes of any number of axes from one."""
    flat = st.tuples(st.sampled_from(BATCHES))
    # What takes the fewest choices comes first.
    return st.builds(focused, st.one_of([flat, *(_unfocused(rank) for rank in range(4))]), _FOCUS)


def _positive_first(array: Array) -> Array:
    """Make the first element positive, so that not all may be cut off."""
    array.ravel()[:1] = abs(array.ravel()[:1])
    return array


def _relu_like(operator: str, **attributes: st.SearchStrategy[Any]) -> Callable[[str], st.SearchStrategy[Case]]:
    def cases(dtype: str) -> st.SearchStrategy[Case]:
        def build(shape: tuple[int, ...], filling: Filling, zeros: bool, drawn: dict[str, Any]) -> Case:
            signal = _positive_first(content(filling.kind, shape, dtype, filling.seed + 1))
            if zeros:
                signal.ravel()[1::2] = 0  # where the slope is contested
            return filling.case(operator, drawn, {"grad_output": shape, "input": signal}, dtype)

        zeros = st.sampled_from((False, False, True))
        return st.builds(build, _shapes(), fillings(2), zeros, st.fixed_dictionaries(attributes))

    return cases


def _saturating(operator: str) -> Callable[[str], st.SearchStrategy[Case]]:
    def cases(dtype: str) -> st.SearchStrategy[Case]:
        def build(shape: tuple[int, ...], filling: Filling, extreme: bool) -> Case:
            few = filling.kind == "wide" and np.prod(shape) < 5  # all might saturate
            signal = content("normal" if few else filling.kind, shape, dtype, filling.seed + 1)
            if extreme and signal.size > 1:
                places = signal.ravel()[1::2]
                places[:] = np.resize(_EXTREMES, places.shape)
            return filling.case(operator, {}, {"grad_output": shape, "input": signal}, dtype)

        return st.builds(build, _shapes(), fillings(2, _SMOOTH), st.sampled_from((False, False, True)))

    return cases


def _alike(operator: str, *names: str) -> Callable[[str], st.SearchStrategy[Case]]:
    """Cases of an operator whose arrays all have one shape."""

    def cases(dtype: str) -> st.SearchStrategy[Case]:
        def build(shape: tuple[int, ...], filling: Filling) -> Case:
            return filling.case(operator, {}, dict.fromkeys(("grad_output", *names), shape), dtype)

        return st.builds(build, _shapes(), fillings(3))

    return cases


def dropout_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `dropout`; something is always kept."""

    def build(shape: tuple[int, ...], filling: Filling, p: float) -> Case:
        mask = (np.random.default_rng(filling.seed).random(shape) >= p).astype(dtype)
        mask.ravel()[:1] = 1
        return filling.case("dropout", {"p": p}, {"grad_output": shape, "input": shape, "mask": mask}, dtype)

    return st.builds(build, _shapes(), fillings(3), st.sampled_from((0.5, 0.0, 0.25, 0.1, 0.9, 0.75, 0.3)))


def flatten_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `flatten`."""

    def build(shape: tuple[int, ...], filling: Filling) -> Case:
        flat = (shape[0], int(np.prod(shape[1:])))
        return filling.case("flatten", {}, {"grad_output": flat, "input": shape}, dtype)

    return st.builds(build, _shapes(), fillings(2))


def concat_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `concat` along every axis, counted from either end."""

    def build(shape: tuple[int, ...], number: int, length: int, negative: bool, filling: Filling) -> Case:
        axis = number % len(shape)
        before, after = shape[:axis], shape[axis + 1 :]
        arrays = {
            "grad_output": (*before, shape[axis] + length, *after),
            "input": shape,
            "other": (*before, length, *after),
        }
        return filling.case("concat", {"axis": axis - len(shape) if negative else axis}, arrays, dtype)

    axes = st.sampled_from((1, 1, 1, 0, 2, 3, 4))
    lengths = st.sampled_from((1, 2, 3, 5, 8))
    return st.builds(build, _signals((0, 1, 2, 3)), axes, lengths, st.booleans(), fillings(3))


def pad_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `pad`, each side of each axis by itself."""

    def build(shape: tuple[int, ...], sides: list[int], alike: bool, mode: str, value: float, filling: Filling) -> Case:
        most = {"reflect": [length - 1 for length in shape[2:]], "circular": list(shape[2:])}.get(mode, [9] * 3)
        pairs = [
            (min(before, limit), min(after, limit))
            for before, after, limit, _ in zip(sides[::2], sides[1::2], most, shape[2:], strict=False)
        ]
        if mode == "circular" and filling.seed % 3 == 0:
            pairs = [(before, 0) for before, _ in pairs]
        if shape[0] == MANY:
            pairs = [(before % 2, 0) for before, _ in pairs]
        size = min(min(pair) for pair in pairs)
        padding: object = size if alike else tuple(pairs)
        taken = [(size, size)] * len(pairs) if alike else pairs
        out = (*shape[:2], *(length + sum(pair) for length, pair in zip(shape[2:], taken, strict=True)))
        attributes = {"padding": padding, "mode": mode, "value": value if mode == "constant" else 0.0}
        return filling.case("pad", attributes, {"grad_output": out, "input": shape}, dtype)

    return st.builds(
        build,
        _signals((1, 2, 3)),
        st.lists(st.integers(0, 5), min_size=6, max_size=6),
        st.sampled_from((False, False, True)),
        st.sampled_from(pad.MODES),
        st.sampled_from((1.0, -2.0, 0.1, -1e3, 0.0)),
        fillings(2),
    )


def channel_shuffle_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `channel_shuffle`."""

    def build(shape: tuple[int, ...], groups: int, per_group: int, filling: Filling) -> Case:
        batch, channels, *spatial = shape
        if channels > max(_CHANNELS):
            per_group = -(-channels // groups)
        if batch == MANY:
            groups = per_group = 1
        shape = (batch, groups * per_group, *spatial)
        return filling.case("channel_shuffle", {"groups": groups}, {"grad_output": shape, "input": shape}, dtype)

    counts = st.sampled_from((1, 2, 3, 4, 5))
    return st.builds(build, _signals((1, 2, 3)), counts, counts, fillings(2))


def cross_entropy_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `cross_entropy` with 0 to 3 spatial axes; a batch is rarely empty, since its loss is NaN."""

    def build(shape: tuple[int, ...], classes: int, filling: Filling, extreme: bool) -> Case:
        batch, channels, *spatial = shape
        shape = (batch, channels if channels > max(_CHANNELS) else classes, *spatial)
        rng = np.random.default_rng(filling.seed)
        scores = content(filling.kind, shape, dtype, rng)
        if extreme and scores.size > 1:
            places = scores.ravel()[1::2]
            places[:] = np.resize(_EXTREMES, places.shape)
        target = rng.integers(0, shape[1], (batch, *spatial))
        if target.size and (extreme or filling.kind in ("wide", "cancelling")):  # all might have won, without a loss
            target.flat[0] = scores.reshape(batch, shape[1], -1)[0, :, 0].argmin()
        arrays: dict[str, Described] = {"grad_output": (), "input": scores, "target": target}
        return filling.case("cross_entropy", {}, arrays, dtype)

    # A single class has no loss; scores that all are the same have one. Targets lie as they are.
    classes = st.sampled_from((2, 3, 4, 10) * 12 + (1,) + (3, 5, 7, 17) * 12)
    shapes = _signals((0, 1, 2, 3), focuses(channels=5, columns=6))
    return st.builds(build, shapes, classes, fillings(2), st.sampled_from((False, False, False, True)))


def mse_loss_cases(dtype: str) -> st.SearchStrategy[Case]:
    """Cases of `mse_loss`."""

    def build(shape: tuple[int, ...], filling: Filling) -> Case:
        return filling.case("mse_loss", {}, {"grad_output": (), "input": shape, "target": shape}, dtype)

    varied = st.builds(Filling, st.sampled_from(tuple(CONTENTS)), SEEDS, picked(layouts(3)))
    return st.builds(build, _shapes(), varied)


STRATEGIES: Mapping[str, Callable[[str], st.SearchStrategy[Case]]] = {
    "relu": _relu_like("relu"),
    "leaky_relu": _relu_like("leaky_relu", negative_slope=st.sampled_from((0.01, 0.25, 0.0, 2.0, -0.5, 1e-3))),
    "sigmoid": _saturating("sigmoid"),
    "tanh": _saturating("tanh"),
    "dropout": dropout_cases,
    "flatten": flatten_cases,
    "add": _alike("add", "input", "other"),
    "concat": concat_cases,
    "pad": pad_cases,
    "channel_shuffle": channel_shuffle_cases,
    "cross_entropy": cross_entropy_cases,
    "mse_loss": mse_loss_cases,
    "highway": _alike("highway", "input", "transform", "gate"),
}
