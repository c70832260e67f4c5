"""The calls that networks make of an operator, cut down to what a check can afford, and their recipes.

They come before all else in a plan: what is common has to work. What is cut first are positions, since kernels, strides
and channels are what implementations choose their ways by.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

from properties.layer import Layer, Shape
from properties.models import MODELS, Model, Recipe
from properties.models.feature import ELEMENT, seeded
from properties.networks import ALL
from refconv.geometry import output_size, read_padding, read_window

Sizes: TypeAlias = dict[str, tuple[int, ...]]
"""The lengths of axes by their letter: of `s`, `k` and `r` there is one for each spatial axis."""

_AXES: Mapping[str, tuple[str, ...]] = {
    "conv": ("ncs", "oik", "o"),
    "conv_transpose": ("ncs", "cpk", "o"),
    "locally_connected": ("ncs", "orck", "or"),
    "linear": ("nsf", "of", "o"),
    "layer_norm": ("nsf", "f", "f"),
    **dict.fromkeys(("batch_norm", "instance_norm", "group_norm"), ("ncs", "c", "c", "c", "c")),
    "concat": ("ncs", "nes"),
    "cross_entropy": ("ncs", "ns"),
    "graph_conv": ("nmf", "mm", "of", "of", "o"),
    "non_local": ("ncs", "ic", "ic", "ic"),
    "capsule_routing": ("nmhd",),
}
"""What the axes of each input are: n the batch, s and m positions, k a kernel's, r a result's; i and p are channels of
one group; c, e, f and o others; h and d capsules."""
_OF_ROWS = {"linear": 32, "softmax": 8, "log_softmax": 8, "layer_norm": 8, "cross_entropy": 8, "highway": 8}
"""What goes along rows, and of how many it is tried where a network has a single one."""
_SPATIAL = "skr"
_FEATURES = "cefiop"
_GROUPED = {"conv": "groups", "conv_transpose": "groups", "channel_shuffle": "groups", "group_norm": "num_groups"}
_FEWEST = {"positions": 4, "features": 8, "groups": 32}
"""That nothing is cut below."""
_COMMON = 16
"""Layers that may take as much as a case can: the others are smaller, since there are hundreds of them."""
_RARER = 12
_WEIGHT = 3  # multiply-adds, as which an element of a weight counts
_WHOLE = 256  # parts, by which what may be cut away is counted


def layers(operator: str, largest: int) -> tuple[Layer, ...]:
    """Return the distinct calls that networks make of `operator`, the commonest first.

    Each takes no more than `largest` multiply-adds, or a part of that where it isn't among the commonest, an element of
    its largest array counting as some of them. Nothing is cut below 4 positions along an axis, 8 channels of a
    group, or 32 groups: what takes too much even so is kept. Those that are the same once they are cut are one, which
    comes where the commonest of them does.
    """
    return _layers(operator, largest)


@cache
def _layers(operator: str, largest: int) -> tuple[Layer, ...]:
    whole: Counter[Layer] = Counter()
    for layer, count in _calls().get(operator, {}).items():
        for each in _with_batches(layer):
            whole[each._replace(times=1)] += count
    times: Counter[object] = Counter()
    first: dict[object, Layer] = {}
    for place, (layer, count) in enumerate(whole.most_common()):
        cut = _cut_down(layer, largest if place < _COMMON else largest // _RARER)
        call = call_of(cut)
        first.setdefault(call, cut)
        times[call] += count
    return tuple(layer._replace(times=times[call]) for call, layer in first.items())


@cache
def _calls() -> Mapping[str, Counter[Layer]]:
    """Return the distinct layers of all networks, by operator, each with how often there is one."""
    calls: dict[str, Counter[Layer]] = {}
    for network in ALL.values():
        for layer in network().layers:
            calls.setdefault(layer.operator, Counter())[layer] += 1
    return calls


def call_of(layer: Layer) -> tuple[object, ...]:
    """Return what tells a layer's call from others: operator, shapes, and all attributes, however they are spelled."""
    row = layer.row
    attributes = {**row.attributes, **dict(layer.attributes)}
    shapes = (*layer.shapes, *[None] * (len(row.inputs) - len(layer.shapes)))
    return (layer.operator, shapes, *(_short(value) for value in attributes.values()))


def _short(value: object) -> object:
    return value[0] if isinstance(value, tuple) and len({*value}) == 1 and not isinstance(value[0], tuple) else value


def _with_batches(layer: Layer) -> Iterator[Layer]:
    """Yield a layer, and its like on a batch where a single sample would show little."""
    yield layer
    attributes = dict(layer.attributes)
    if layer.operator == "batch_norm":
        trained = {name: value for name, value in attributes.items() if name != "training"}
        yield layer._replace(attributes=tuple(trained.items())).of_batch(8)
        yield layer._replace(attributes=(*trained.items(), ("training", False)))
    elif layer.operator in _OF_ROWS and len(layer.input) == 2:
        yield layer.of_batch(_OF_ROWS[layer.operator])
    elif layer.operator.startswith("adaptive") and attributes["output_size"] == 1:
        yield layer.of_batch(8)


class _Kept(NamedTuple):
    """How much of what may be cut is kept, in parts of `_WHOLE`."""

    groups: int = 0
    features: int = 0
    positions: int = 0


def _cut_down(layer: Layer, largest: int) -> Layer:
    """Return the largest part of a layer that takes no more than `largest`: groups go last, positions first."""
    if _work(layer) <= largest:
        return layer
    kept = _Kept()
    for kind in _Kept._fields:
        fits, over = 0, _WHOLE + 1
        while over - fits > 1:
            tried = (fits + over) // 2
            if _work(_cut(layer, kept._replace(**{kind: tried}))) <= largest:
                fits = tried
            else:
                over = tried
        kept = kept._replace(**{kind: fits})
    return _cut(layer, kept)


def _work(layer: Layer) -> int:
    """Return what the forward takes, in multiply-adds, about."""
    elements = max(prod(layer.input), prod(layer.output))
    weights = max((prod(shape) for shape in layer.shapes[1:] if shape is not None), default=0)
    work = layer.multiply_adds("forward")
    if layer.operator == "non_local":  # what all positions make of each other is an array, too
        batch, channels, positions = layer.input[0], layer.input[1], prod(layer.input[2:])
        elements = max(elements, batch * positions**2)
        work = batch * positions * channels * (3 * layer.output[1] + 2 * positions)
    elif layer.operator == "graph_conv":
        batch, nodes, features = layer.input
        work = batch * nodes * features * (nodes + layer.output[2])
    return max(work, ELEMENT * elements, _WEIGHT * weights)


def _patterns(layer: Layer) -> tuple[str, ...]:
    axis = dict(layer.attributes).get("axis", 1)
    if axis in (-1, len(layer.input) - 1) and layer.operator in ("softmax", "log_softmax", "squash"):
        return ("nsf",)
    return _AXES.get(layer.operator, ("ncs",) * len(layer.shapes))


def _sizes(layer: Layer, patterns: tuple[str, ...]) -> Sizes:
    rank = len(layer.input) - sum(letter not in _SPATIAL for letter in patterns[0])
    sizes: Sizes = {}
    for shape, pattern in zip(layer.shapes, patterns, strict=False):
        rest = shape or ()
        for letter in pattern if shape is not None else "":
            count = rank if letter in _SPATIAL else 1
            sizes[letter], rest = rest[:count], rest[count:]
    return sizes


def _cut(layer: Layer, kept: _Kept) -> Layer:
    """Return a layer of which no more is kept than that."""
    patterns = _patterns(layer)
    sizes, attributes = _sizes(layer, patterns), dict(layer.attributes)
    grouped = _GROUPED.get(layer.operator)
    groups: Any = attributes.get(grouped, 1) if grouped else 1
    fewer = groups
    if layer.operator in ("conv", "conv_transpose") and groups > 1:
        fewer = attributes["groups"] = _shorter(groups, _FEWEST["groups"], kept.groups, 8)
    for letter in sizes.keys() & {*_FEATURES}:
        (length,) = sizes[letter]
        before, after = (1, 1) if letter in "ip" else (groups, fewer)
        sizes[letter] = (after * _narrower(length // before, kept.features),)
    for letter in sizes.keys() & {"s", "m"}:
        axes = zip(sizes[letter], _room(layer, len(sizes[letter])), strict=True)
        sizes[letter] = tuple(_shorter(length, least, kept.positions, step) for length, (least, step) in axes)
    if layer.operator == "layer_norm":
        attributes["normalized_shape"] = sizes["f"]
    if "s" in sizes:
        attributes |= _resized(layer, sizes["s"], kept.positions)
    if "r" in sizes:
        every = {**layer.row.attributes, **attributes}
        windows: dict[str, Any] = {name: every[name] for name in ("stride", "padding", "dilation")}
        sizes["r"] = output_size(sizes["s"], read_window(sizes["k"], **windows))
    shapes = [
        None if shape is None else tuple(length for letter in pattern for length in sizes[letter])
        for shape, pattern in zip(layer.shapes, patterns, strict=False)
    ]
    return layer._replace(shapes=tuple(shapes), attributes=tuple(attributes.items()))


def _shorter(length: int, least: int, kept: int, step: int) -> int:
    """Return that part of a length, but `least`, with the same remainder by `step`."""
    if length <= least:
        return length
    part = least + (length - least) * kept // _WHOLE
    part -= (part - length) % step
    return part if part >= least else part + step


def _narrower(length: int, kept: int) -> int:
    """Return that part of a number of channels; what is a multiple of 8, or where there are many of 32, remains one."""
    part = _shorter(length, _FEWEST["features"], kept, 1)
    return _shorter(length, _FEWEST["features"], kept, 32 if part >= 2 * 32 else 8)


def _room(layer: Layer, rank: int) -> list[tuple[int, int]]:
    """Return how long each axis has to be, such that there are a few windows, and a step that changes nothing else."""
    least, attributes = _FEWEST["positions"], {**layer.row.attributes, **dict(layer.attributes)}

    def entries(name: str) -> tuple[Any, ...]:
        value = attributes[name]
        return value if isinstance(value, tuple) else (value,) * rank

    if layer.operator.startswith("adaptive"):
        return [(max(least, size), size) for size in entries("output_size")]
    if layer.operator == "pad":
        return [(max(least, *(1 + side for side in pair)), 1) for pair in read_padding(attributes["padding"], rank)]
    if "stride" not in attributes or layer.operator == "conv_transpose":
        return [(least, 1)] * rank
    kernel = layer.weight[-rank:] if layer.weight is not None else entries("kernel_size")
    strides = kernel if attributes["stride"] is None else entries("stride")
    apart = entries("dilation") if "dilation" in attributes else (1,) * rank
    pairs = read_padding(attributes.get("padding", 0), rank)
    room = []
    for taps, stride, each, pair, windows in zip(kernel, strides, apart, pairs, layer.output[2:], strict=True):
        extent = each * (taps - 1) + 1
        several = (min(windows, least) - 1) * stride + extent - sum(pair)
        room.append((max(least, extent, several), stride))
    return room


def _resized(layer: Layer, size: Shape, kept: int) -> dict[str, object]:
    """Return the attribute that says how large the output is, where there is one."""
    name = {"upsample": "size", "max_unpool": "output_size"}.get(layer.operator)
    given: Any = dict(layer.attributes).get(name) if name else None
    if name is None or given is None:
        return {}
    before = layer.input[2:]
    targets = given if isinstance(given, tuple) else (given,) * len(before)
    resized = []
    for old, new, target in zip(before, size, targets, strict=True):
        steps = (old - 1, target - 1)
        if old <= _FEWEST["positions"]:
            resized.append(_shorter(target, _FEWEST["positions"] * old, kept, old))
        elif layer.operator == "upsample" and steps[1] % steps[0] == 0:
            resized.append((new - 1) * (steps[1] // steps[0]) + 1)
        else:
            resized.append(new * (target // old) + target % old)
    return {name: resized[0] if not isinstance(given, tuple) and len({*resized}) == 1 else tuple(resized)}


_ODD = 4  # one layer in so many holds something else than what is the simplest


def recipe_of(layer: Layer, seed: int) -> Recipe:
    """Return the recipe of a layer's call, whose arrays are packed, and mostly hold what is the simplest."""
    model = MODELS[layer.operator]
    case = layer.case("float32", seed)
    choices: dict[str, Any] = {}
    rng = seeded(seed, zlib.crc32(repr(call_of(layer)).encode()))
    simplest = {feature.name: feature.classes[0].name for feature in model.features}
    for feature in model.features:
        name = feature.name
        packed = name.startswith("layout of") or name == "address"
        value = False if name == "in full" else None if packed or name == "content" else feature.read(case)
        choices[name] = feature.classes[0].draw(rng, choices, simplest) if value is None else value
    if rng.integers(_ODD) == 0:
        classes = model.by_name["content"].classes[1:]
        odd = classes[int(rng.integers(len(classes)))] if classes else None
        other = choices if odd is None else {**choices, "content": odd.draw(rng, choices, simplest)}
        choices = other if _possible(model, other) else choices
    return Recipe(model, choices, seed)


def _possible(model: Model, choices: Mapping[str, Any]) -> bool:
    """Whether none of the classes exclude each other."""
    classes = model.classes(choices)
    return not any(all(classes[name] in names for name, names in each.items()) for each in model.impossible)
