"""Linear maps along one spatial axis at a time: the loops under averages, blurs and interpolation.

A map over several axes whose weights are products of a weight for each axis is carried out axis by axis:

    output[o] = sum of weight[o, i] * input[i] over i        along each axis

The gradient of its input is the transposed map, so one loop serves forward and backward. Of a map are kept, for each
`o`, the range of `i` where all its weights are 1 (:class:`Ranges`), else its taps (:class:`Taps`).
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from refconv import bounds
from refconv.arguments import Array
from refconv.bounds import Arithmetic, Bound
from refconv.kernels import kernel, summing
from refconv.threads import spread


class Ranges(NamedTuple):
    """Along one axis, ``output[o] = sum of input[i]`` over the `i` from ``begin[o]`` to before ``end[o]``.

    Neither falls from one `o` to the next.
    """

    inputs: int
    begin: Array
    end: Array

    @property
    def outputs(self) -> int:
        """The size of what comes out."""
        return len(self.begin)

    @property
    def steps(self) -> int:
        """How many elements are read for each column."""
        return int(np.maximum(self.end - self.begin, 1).sum())

    def transposed(self) -> "Ranges":
        """Return the map of the gradients: the `o` whose ranges hold `i` are a range, too."""
        inputs = np.arange(self.inputs)
        begin = np.searchsorted(self.end, inputs, side="right")
        return Ranges(self.outputs, begin, np.searchsorted(self.begin, inputs, side="right"))


class Taps(NamedTuple):
    """Along one axis, ``output[o] = sum of weight[t] * input[source[t]]``, t from ``begin[o]`` to before the next."""

    inputs: int
    begin: Array
    source: Array
    weight: Array

    @property
    def outputs(self) -> int:
        """The size of what comes out."""
        return len(self.begin) - 1

    @property
    def steps(self) -> int:
        """How many elements are read for each column."""
        return len(self.source) + self.outputs

    def transposed(self) -> "Taps":
        """Return the map of the gradients: each tap goes from its source to its output."""
        order = np.argsort(self.source, kind="stable")
        begin = np.searchsorted(self.source[order], np.arange(self.inputs + 1))
        outputs = np.repeat(np.arange(self.outputs), np.diff(self.begin))
        return Taps(self.outputs, begin, outputs[order], self.weight[order])


Map: TypeAlias = Ranges | Taps
SomeMap = TypeVar("SomeMap", Ranges, Taps, Map)


def taps(inputs: int, source: Array, weight: Array) -> Taps:
    """Return a map of as many taps for every output: `source` and `weight` are ``(outputs, taps)``."""
    outputs, count = source.shape
    return Taps(inputs, np.arange(outputs + 1) * count, source.ravel(), weight.ravel())


def transposed(maps: Sequence[SomeMap]) -> tuple[SomeMap, ...]:
    """Return the maps of the gradients."""
    return tuple(map_.transposed() for map_ in maps)


@np.errstate(all="ignore")  # the loops don't warn of what overflows, either
def resample(
    signal: Array, maps: Sequence[Map], *, divide_first: Array | None = None, divide_last: Array | None = None
) -> Array:
    """Apply a map along each spatial axis of `signal`, ``(batch, channels, *spatial)``.

    Parameters
    ----------
    signal : array
        Contiguous.
    maps : sequence of Ranges or Taps
        One for each spatial axis.
    divide_first, divide_last : array, optional
        What `signal`, or the result, is divided by: of its spatial shape, or one number.
    """
    original, size = signal.shape[2:], tuple(map_.outputs for map_ in maps)
    maps = _merged(maps)
    signal = signal.reshape(*signal.shape[:2], *(map_.inputs for map_ in maps))
    # What shrinks comes first, so no intermediate is larger than both ends; and the last axis, the slowest, is met
    # when there is least.
    shrinking = [axis for axis, map_ in enumerate(maps) if map_.outputs <= map_.inputs]
    growing = [axis for axis, map_ in enumerate(maps) if map_.outputs > map_.inputs]
    passes, sizes, steps = [], list(signal.shape[2:]), 0
    between = 0 if divide_first is None else prod(sizes)
    for axis in (*shrinking, *reversed(growing)):
        steps += prod(sizes) // sizes[axis] * maps[axis].steps
        sizes[axis] = maps[axis].outputs
        passes.append((1 + axis, sizes[axis], _loop_form(maps[axis], signal)))
        between = max(between, prod(sizes) if len(passes) < len(maps) else 0)
    output = np.empty((*signal.shape[:2], *sizes), signal.dtype)
    planes = signal.shape[0] * signal.shape[1]
    flat = [array.reshape(planes, *array.shape[2:]) for array in (output, signal)]
    divisors = [
        None if divisor is None else _divisor(divisor, shape, array.shape[1:]).astype(signal.real.dtype)
        for divisor, shape, array in ((divide_last, size, flat[0]), (divide_first, original, flat[1]))
    ]
    if sizes == [1] and divide_first is None:  # a short call, of which little should be Python's
        loop, rows, *arrays = _loop(1, flat[0], flat[1], passes[0][2])
        spread(loop, rows, planes * steps, *arrays)
        if divide_last is not None:
            output /= divisors[0]
        return output.reshape(*signal.shape[:2], *size)
    block = max(1, _BLOCK // max(1, between))
    spread(_fill, planes, planes * steps, *flat, *divisors, passes, block)
    return output.reshape(*signal.shape[:2], *size)


def _divisor(divisor: Array, shape: tuple[int, ...], merged: tuple[int, ...]) -> Array:
    return divisor.reshape(()) if divisor.size == 1 else np.broadcast_to(divisor, shape).reshape(merged)


def products_bound(arithmetic: Arithmetic, value: Array, signal: Array, maps: Sequence[Taps]) -> Bound:
    """Bound the rounding errors of ``value = resample(signal, maps)``: a sum of products with a weight for each axis.

    Each product has as many roundings as axes, in whatever order it is computed. Weights with few binary digits after
    the point count as integers, scaled by a power of two, which rounds nothing: on small integers the result is exact.
    What has one weight, of 1, is the value that it weighs.
    """
    shifts = [_digits(map_.weight) for map_ in maps]

    def sums(signal: Array, *weights: Array) -> Array:
        return resample(signal, [map_._replace(weight=weight) for map_, weight in zip(maps, weights, strict=True)])

    weights = [np.ldexp(map_.weight, shift) for map_, shift in zip(maps, shifts, strict=True)]
    terms = arithmetic._replace(product=len(maps) * arithmetic.product)
    whole: Bound
    (whole,) = bounds.multilinear(sums, terms, (np.ldexp(value, sum(shifts)),), (signal, *weights), {})
    one = np.ones((1, 1, *signal.shape[2:]))
    taken = [map_._replace(weight=np.where(map_.weight != 0, 1.0, 0.0)) for map_ in maps]
    sizes = [map_._replace(weight=abs(map_.weight)) for map_ in maps]
    copied = (resample(one, taken) == 1) & (resample(one, sizes) == 1)
    lost = bounds.lost_when_stored(arithmetic, value)
    return Bound(*(np.where(copied, lost, np.ldexp(error, -sum(shifts))) for error in whole))


def _digits(weight: Array) -> int:
    """Return the binary digits after the point that all of `weight` have at most, 0 where it is more than a few."""
    return next((n for n in range(25) if (np.ldexp(weight, n) == np.rint(np.ldexp(weight, n))).all()), 0)


_BLOCK = 2**17  # elements: what lies between two passes stays in a core's cache


@np.errstate(all="ignore")  # each thread has a state of its own
def _fill(
    first: int,
    last: int,
    output: Array,
    signal: Array,
    divide_last: Array | None,
    divide_first: Array | None,
    passes: Sequence[tuple[int, int, tuple[Array, ...]]],
    planes: int,
) -> None:
    for begin in range(first, last, planes):
        block = slice(begin, min(begin + planes, last))
        part = signal[block] if divide_first is None else signal[block] / divide_first
        for number, (axis, size, tables) in enumerate(passes, start=1):
            shape = (*part.shape[:axis], size, *part.shape[axis + 1 :])
            result = output[block] if number == len(passes) else np.empty(shape, part.dtype)
            _along(axis, result, part, tables)
            part = result
        if divide_last is not None:
            part /= divide_last


def _merged(maps: Sequence[Map]) -> list[Map]:
    """Return `maps`, neighbouring axes as one where all is summed, or, backwards, where one element is read by all."""
    merged: list[Map] = []
    for map_ in maps:
        last = merged[-1] if merged else None
        if last and _sums_all(last) and _sums_all(map_):
            merged[-1] = _sum_of_all(last.inputs * map_.inputs)
        elif last and _sums_all(last, backwards=True) and _sums_all(map_, backwards=True):
            merged[-1] = _sum_of_all(last.outputs * map_.outputs).transposed()
        else:
            merged.append(map_)
    return merged


def _sums_all(map_: Map, *, backwards: bool = False) -> bool:
    if isinstance(map_, Taps):
        return False
    if backwards:
        return map_.inputs == 1 and bool((map_.end > map_.begin).all())
    return map_.outputs == 1 and bool(map_.end[0] - map_.begin[0] == map_.inputs)


def _sum_of_all(inputs: int) -> Ranges:
    return Ranges(inputs, np.array([0]), np.array([inputs]))


def _along(axis: int, output: Array, input: Array, tables: tuple[Array, ...]) -> None:
    """Apply one map."""
    loop, rows, *arrays = _loop(axis, output, input, tables)
    loop(0, rows, *arrays)


def _loop(axis: int, output: Array, input: Array, tables: tuple[Array, ...]) -> tuple[Any, ...]:
    """Return the loop of a map, and what it runs over: the axes before `axis` as rows, those after it as columns."""
    rows, columns = prod(input.shape[:axis]), prod(input.shape[axis + 1 :])
    along = () if columns == 1 else (columns,)
    loops: dict[tuple[int, bool], Callable[..., None]] = {
        (1, True): _fill_copies,
        (1, False): _fill_copies_of_rows,
        (2, True): _fill_sums,
        (2, False): _fill_sums_of_rows,
        (3, True): _fill_products,
        (3, False): _fill_products_of_rows,
    }
    arrays = (array.reshape(rows, array.shape[axis], *along) for array in (output, input))
    return loops[len(tables), columns == 1], rows, *arrays, *tables


def _loop_form(map_: Map, signal: Array) -> tuple[Array, ...]:
    """Return the tables as the loops read them: positions unsigned, since numba lets signed ones count from the end."""
    if isinstance(map_, Ranges):
        begin, end = map_.begin.astype(np.uintp), map_.end.astype(np.uintp)
        return (begin,) if (end - begin == 1).all() else (begin, end)
    return map_.begin.astype(np.uintp), map_.source.astype(np.uintp), map_.weight.astype(signal.real.dtype)


@summing
def _sum_at(row, o, input, begin, end):
    total = input.dtype.type(0)
    for i in range(begin[o], end[o]):
        total += input[row, i]
    return total


@summing
def _product_at(row, o, input, begin, source, weight):
    total = input.dtype.type(0)
    for tap in range(begin[o], begin[o + 1]):
        total += weight[tap] * input[row, source[tap]]
    return total


@kernel
def _fill_copies(first, last, output, input, source):
    _, outputs = output.shape
    for row in range(first, last):
        for o in range(outputs):
            output[row, o] = input[row, source[o]]


@kernel
def _fill_sums(first, last, output, input, begin, end):
    _, outputs = output.shape
    for row in range(first, last):
        for o in range(outputs):
            output[row, o] = _sum_at(row, o, input, begin, end)


@kernel
def _fill_products(first, last, output, input, begin, source, weight):
    _, outputs = output.shape
    for row in range(first, last):
        for o in range(outputs):
            output[row, o] = _product_at(row, o, input, begin, source, weight)


# The same where columns follow the axis: all of a row's columns are summed at once, which can be vectorised.


@kernel
def _fill_copies_of_rows(first, last, output, input, source):
    _, outputs, columns = output.shape
    for row in range(first, last):
        for o in range(outputs):
            for column in range(columns):
                output[row, o, column] = input[row, source[o], column]


@kernel
def _fill_sums_of_rows(first, last, output, input, begin, end):
    _, outputs, columns = output.shape
    for row in range(first, last):
        for o in range(outputs):
            for column in range(columns):
                output[row, o, column] = 0
            for i in range(begin[o], end[o]):
                for column in range(columns):
                    output[row, o, column] += input[row, i, column]


@kernel
def _fill_products_of_rows(first, last, output, input, begin, source, weight):
    _, outputs, columns = output.shape
    for row in range(first, last):
        for o in range(outputs):
            for column in range(columns):
                output[row, o, column] = 0
            for tap in range(begin[o], begin[o + 1]):
                for column in range(columns):
                    output[row, o, column] += weight[tap] * input[row, source[tap], column]
