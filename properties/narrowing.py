"""Cases made narrower: of one rank, with no side longer than some size, with attributes that are given.

A drawn case is cut: arrays to their first parts, axes off or, of size 1, on. What is cut has the content, the layouts
and the odd sizes of what was drawn, and is valid by construction, but for the few that the operator refuses.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from properties.arrays import content, lay_out
from properties.axes import WINDOWED, lifted, lowered, per_axis, rank_of, within
from properties.case import Case, array, but, doubled, layout_of
from refconv import InvalidTypeError, InvalidValueError, operators
from refconv.arguments import Array
from refconv.geometry import output_size, read_window
from refconv.words import did_you_mean

MERGED: Mapping[str, tuple[str, ...]] = {
    "batch_norm": ("input",),
    "instance_norm": ("input",),
    "group_norm": ("input",),
    "local_response_norm": ("input",),
    "channel_shuffle": ("input",),
    "non_local": ("input",),
    "cross_entropy": ("input",),
}
"""Operators to which positions are alike, whatever the axes that they are spread over."""
RANKS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys((*WINDOWED, *MERGED), (1, 2, 3)),
    **dict.fromkeys(("batch_norm", "group_norm", "cross_entropy"), (0, 1, 2, 3)),
}
"""How many spatial axes the input of an operator may have; those that aren't named have none of their own."""
_GROUPED = ("conv", "conv_transpose")


def narrowed(case: Case, rank: int | None, max_side: int | None, attributes: Mapping[str, object]) -> Case | None:
    """Return `case`, made narrower; None where the operator refuses what came of it."""
    if rank is not None:
        case = _ranked(case, rank)
    own = dict(attributes)
    if case.operator in _GROUPED and "groups" in own:
        case = _grouped(case, own.pop("groups"))
    if max_side is not None:
        case = _shortened(case, max_side)
    return _fitting(but(case, **own))


def check_narrowing(operator: str, rank: object, max_side: object, attributes: Mapping[str, object]) -> None:
    """Refuse what no case of `operator` has.

    Raises
    ------
    ValueError
        With the argument, its value and the rule.
    """
    known, ranks = operators[operator].attributes, RANKS.get(operator, ())
    for name in attributes:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"attributes of {operator} must be of {', '.join(known) or 'none'}, got {name!r}{hint}")
    for name, value in (("rank", rank), ("max_side", max_side)):
        if value is not None and not ranks:
            raise ValueError(f"{name} must be None for {operator}, which has no spatial axes of its own, got {value!r}")
    if rank is not None and rank not in ranks:
        raise ValueError(f"rank must be one of {', '.join(map(str, ranks))} for {operator}, got {rank!r}")
    groups = attributes.get("groups", 1)
    for name, value in (("max_side", 1 if max_side is None else max_side), ("groups", groups)):
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, got {value!r}")


def _ranked(case: Case, rank: int) -> Case:
    if case.operator in MERGED:
        return _merged(case, rank)
    if case.attributes.get("mode") == "cubic" and rank != 2:
        case = but(case, mode="linear")
    while rank_of(case) > rank:
        case = lowered(case, case.number % rank_of(case))
    while rank_of(case) < rank:
        case = lifted(case, case.number % (rank_of(case) + 1))
    return case


def _merged(case: Case, rank: int) -> Case:
    """Spread the positions over `rank` axes: those that are too many become one, those that lack have size 1."""
    sizes = array(case, "input").shape[2:]
    kept, rest = sizes[: max(rank - 1, 0)], sizes[max(rank - 1, 0) :]
    shape = (*[1] * (rank - len(sizes)), *sizes) if len(sizes) < rank else (*kept, int(np.prod(rest)))
    if rank == 0:
        shape = ()
    changed: dict[str, Array | None] = {}
    for name in ("grad_output", "input", "target"):
        given = case.arrays.get(name)
        if given is not None and given.ndim:
            leading = given.shape[: 1 if name == "target" else 2]
            first = given if rank else given[within(..., *[slice(0, 1)] * len(sizes))]
            changed[name] = _laid_out(np.ascontiguousarray(first).reshape(*leading, *shape), given)
    return but(case, **changed)


def _laid_out(values: Array, like: Array) -> Array:
    layout = layout_of(like)
    return lay_out(values, layout) if values.ndim > 1 else values


def _grouped(case: Case, groups: Any) -> Case:
    """Return the first of a convolution's groups, as often as is asked for, each with its elements in another order."""
    present: Any = case.attributes["groups"]
    if present == groups:
        return case

    def made(name: str, axis: int) -> Array | None:
        given = case.arrays[name]
        if given is None:
            return None
        size = given.shape[axis] // present
        first = given[(slice(None),) * axis + (slice(0, size),)]
        if groups == 1:
            return first
        parts = [np.roll(first.ravel(), number).reshape(first.shape) for number in range(groups)]
        whole = np.concatenate(parts, axis)
        return whole if 0 in given.strides else _laid_out(whole, given)  # where all share memory, groups would, too

    changed = {"grad_output": made("grad_output", 1), "input": made("input", 1)}
    changed |= {"weight": made("weight", 0), "bias": made("bias", 0)}
    return but(case, **changed, groups=groups)


def _shortened(case: Case, longest: int) -> Case:
    """Cut the spatial axes of what is longer, and the kernels that would not fit."""
    if case.operator not in RANKS:
        return case
    axes = per_axis(case) if case.operator in WINDOWED else {}
    spatial = slice(0, longest)
    changed: dict[str, Array | None] = {}
    for name in ("input", "indices") if case.operator == "max_unpool" else ("input",):
        given = array(case, name)
        changed[name] = given[(slice(None), slice(None), *[spatial] * (given.ndim - 2))]
    if case.operator == "cross_entropy":
        target = array(case, "target")
        changed["target"] = target[(slice(None), *[spatial] * (target.ndim - 1))]
    sizes = tuple(min(length, longest) for length in array(case, "input").shape[2:])
    attributes: dict[str, Any] = {
        name: _at_most(axes[name], longest) for name in ("size", "output_size") if name in axes
    }
    dilation = axes.get("dilation", (1,) * len(sizes))
    if case.operator in ("conv", "conv_transpose", "locally_connected"):
        weight = array(case, "weight")
        taps = _taps(weight.shape[weight.ndim - len(sizes) :], dilation, longest)
        changed["weight"] = weight[within(..., *(slice(0, count) for count in taps))]
    elif "kernel_size" in axes:
        most = [2 * size - 1 for size in sizes] if case.operator == "blur_pool" else [longest] * len(sizes)
        limits = zip(_taps(axes["kernel_size"], dilation, longest), most, strict=True)
        attributes["kernel_size"] = tuple(min(pair) for pair in limits)
    if case.attributes.get("mode", case.attributes.get("padding_mode")) in ("reflect", "circular"):
        pairs = zip(axes.get("padding", ()), sizes, strict=False)
        attributes |= {"padding": tuple(_clipped(side, size - 1) for side, size in pairs)} if "padding" in axes else {}
    shorter = but(case, **changed, **attributes)
    if case.operator == "locally_connected":
        return _with_fewer_windows(shorter)
    return _with_indices_inside(shorter) if case.operator == "max_unpool" else shorter


def _at_most(entries: tuple[int, ...], longest: int) -> tuple[int, ...]:
    return tuple(min(entry, longest) for entry in entries)


def _taps(kernel: tuple[int, ...], dilation: tuple[int, ...], longest: int) -> tuple[int, ...]:
    """Return how many taps of each axis span no more than `longest`."""
    return tuple(min(count, (longest - 1) // apart + 1) for count, apart in zip(kernel, dilation, strict=True))


def _clipped(side: Any, most: int) -> Any:
    return min(side, most) if isinstance(side, int) else tuple(min(one, most) for one in side)


def _with_fewer_windows(case: Case) -> Case:
    """Cut the weight and the bias of `locally_connected` to the windows that are left."""
    signal, weight = array(case, "input"), array(case, "weight")
    rank = rank_of(case)
    how: dict[str, Any] = {name: case.attributes[name] for name in ("stride", "padding", "dilation")}
    windows = output_size(signal.shape[2:], read_window(weight.shape[-rank:], **how))
    fewer = tuple(slice(0, count) for count in windows)
    bias = case.arrays["bias"]
    cut = None if bias is None else bias[(slice(None), *fewer)]
    return but(case, weight=weight[(slice(None), *fewer)], bias=cut)


def _with_indices_inside(case: Case) -> Case:
    """Bring the indices of `max_unpool` back into what is left of the output."""
    sizes = per_axis(case)["output_size"]
    return but(case, indices=array(case, "indices") % int(np.prod(sizes)))


def _fitting(case: Case) -> Case | None:
    """Give `grad_output` the shape of the output; None where there is no output."""
    try:
        shape = _output_shape(case)
    except (InvalidTypeError, InvalidValueError):
        return None
    gradient = case.grad_output
    if gradient.shape == shape:
        return case
    if gradient.ndim == len(shape) and all(map(int.__ge__, gradient.shape, shape)):
        return but(case, grad_output=gradient[tuple(map(slice, shape))])
    integers = bool((gradient == np.rint(gradient)).all())
    made = content("integer" if integers else "normal", shape, str(case.dtype), case.number)
    return but(case, grad_output=made)


def _output_shape(case: Case) -> tuple[int, ...]:
    """Return the shape of the output: of what takes seconds to compile, by a batch of none, which runs no loop."""
    inputs = list(map(doubled, case.inputs))
    batch = None
    if case.operator in ("conv", "conv_transpose") and inputs[0] is not None and inputs[0].ndim > 2:
        batch, inputs[0] = len(inputs[0]), inputs[0][:0]
    returned = case.row.forward(*inputs, **case.attributes)
    output: Array = returned[0] if isinstance(returned, tuple) else returned
    return output.shape if batch is None else (batch, *output.shape[1:])
