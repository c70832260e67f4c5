"""A tile of sums in vector registers, which compiled loops hold while they sweep over long rows.

What compilers don't find by themselves: sums that stay in registers over a whole loop, so that each vector that is read
is used for a tile's whole side. A tile has `rows` times `columns` vectors, each of as many elements as a register has,
its lanes. Its operations become a handful of instructions; where nothing is compiled, a tile is an array, and they are
NumPy's.

Numba checks no bounds here: the operations do, where ``NUMBA_BOUNDSCHECK`` is set.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from refconv.arguments import Array


def _register_bytes() -> int:
    """Return the size of a vector register of what Numba compiles for, 16 where it can't be told."""
    if config.CPU_FEATURES is not None:
        features = {name[1:]: name[0] == "+" for name in config.CPU_FEATURES.split(",") if name}
    else:
        try:
            features = dict(llvmlite.binding.get_host_cpu_features())
        except RuntimeError:
            features = {}
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


BYTES = _register_bytes()
WIDE = (8, 3) if BYTES == 64 else (4, 3)
"""Rows and columns of a tile for many rows: all but a few of 32 registers, or of 16."""
NARROW = (1, 9)
"""Of a tile for few rows: the nine taps of a 3x3 kernel."""


class Tile(types.Type):  # type: ignore[misc]  # Numba has no types
    """Numba's type of a tile."""

    def __init__(self, dtype: Any, rows: int, columns: int) -> None:
        self.dtype, self.rows, self.columns = dtype, rows, columns
        super().__init__(f"Tile({dtype}, {rows}, {columns}, {BYTES})")

    @property
    def lanes(self) -> int:
        """The elements of a vector."""
        return BYTES * 8 // int(self.dtype.bitwidth)

    @property
    def places(self) -> list[tuple[int, int]]:
        """The rows and columns of the vectors, in order."""
        return [(row, column) for row in range(self.rows) for column in range(self.columns)]


@register_model(Tile)
class _TileModel(models.PrimitiveModel):  # type: ignore[misc]  # nor has its model of one
    def __init__(self, manager: Any, tile: Tile) -> None:
        element = manager.lookup(tile.dtype).get_value_type()
        vector = ir.VectorType(element, tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(vector, tile.rows * tile.columns))


class _Code:
    """What the operations are built of: positions in arrays, vectors, and bounds that are checked on demand."""

    def __init__(self, context: Any, builder: Any, tile: Tile) -> None:
        self.context, self.builder, self.tile = context, builder, tile
        self.vector = context.get_value_type(tile).element

    def at(self, array_type: Any, array: Any, index: Any, length: Any) -> Any:
        """Return a pointer to element `index` of a flat array, of which `length` elements are touched."""
        found = self.context.make_array(array_type)(self.context, self.builder, array)
        if config.BOUNDSCHECK:
            length = index.type(length) if isinstance(length, int) else length
            end = self.builder.add(index, length)
            above = self.builder.icmp_signed(">", end, found.nitems)
            below = self.builder.icmp_signed("<", index, index.type(0))
            with self.builder.if_then(self.builder.or_(above, below), likely=False):
                self.context.call_conv.return_user_exc(self.builder, IndexError, ("a tile leaves its array",))
        return self.builder.gep(found.data, [index])

    def scalar(self, array_type: Any, array: Any, index: Any) -> Any:
        """Read one element."""
        return self.builder.load(self.at(array_type, array, index, 1))

    def splat(self, array_type: Any, array: Any, index: Any) -> Any:
        """Read one element into all lanes of a vector."""
        return self._splat(self.scalar(array_type, array, index), self.vector)

    def _splat(self, scalar: Any, vector: Any) -> Any:
        undefined = ir.Constant(vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.IntType(32)(0))
        return self.builder.shuffle_vector(one, undefined, self._order([0] * self.tile.lanes))

    def read(self, array_type: Any, array: Any, index: Any) -> Any:
        """Read a vector from wherever it begins."""
        pointer = self.at(array_type, array, index, self.tile.lanes)
        return self.builder.load(self._of_vectors(pointer), align=self.tile.dtype.bitwidth // 8)

    def write(self, vector: Any, array_type: Any, array: Any, index: Any) -> None:
        """Write a vector."""
        pointer = self.at(array_type, array, index, self.tile.lanes)
        self.builder.store(vector, self._of_vectors(pointer), align=self.tile.dtype.bitwidth // 8)

    def masked_read(self, array_type: Any, array: Any, index: Any, count: Any) -> Any:
        """Read the first `count` lanes of a vector, the others 0."""
        zero = ir.Constant(self.vector, None)
        pointer = self._masked(array_type, array, index, count)
        return self._call("load", self.vector, [pointer[0], self._alignment, pointer[1], zero])

    def masked_write(self, vector: Any, array_type: Any, array: Any, index: Any, count: Any) -> None:
        """Write the first `count` lanes of a vector."""
        pointer, mask = self._masked(array_type, array, index, count)
        self._call("store", ir.VoidType(), [vector, pointer, self._alignment, mask])

    def _masked(self, array_type: Any, array: Any, index: Any, count: Any) -> tuple[Any, Any]:
        lanes = self.tile.lanes
        count = self.builder.select(self.builder.icmp_signed("<", count, count.type(lanes)), count, count.type(lanes))
        if config.BOUNDSCHECK:
            last = self.builder.select(self.builder.icmp_signed(">", count, count.type(0)), count, count.type(0))
            first = self.builder.select(self.builder.icmp_signed("==", last, count.type(0)), last, index)
            self.at(array_type, array, first, last)
        integer = ir.IntType(self.tile.dtype.bitwidth)  # as wide as a lane: one instruction compares them
        numbers = ir.Constant(ir.VectorType(integer, lanes), list(range(lanes)))
        count = count if count.type == integer else self.builder.trunc(count, integer)
        mask = self.builder.icmp_signed("<", numbers, self._splat(count, numbers.type))
        found = self.context.make_array(array_type)(self.context, self.builder, array)
        return self._of_vectors(self.builder.gep(found.data, [index])), mask

    def _call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        name = f"llvm.masked.{name}.v{self.tile.lanes}f{self.tile.dtype.bitwidth}.p0"
        function = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, function, name), arguments)

    @property
    def _alignment(self) -> Any:
        return ir.IntType(32)(self.tile.dtype.bitwidth // 8)

    def every(self, vectors: list[Any]) -> Any:
        """Return the elements of one vector, or every second of two."""
        if len(vectors) == 1:
            return vectors[0]
        return self.builder.shuffle_vector(*vectors, self._order(range(0, 2 * self.tile.lanes, 2)))

    def _order(self, lanes: Any) -> Any:
        return ir.Constant(ir.VectorType(ir.IntType(32), self.tile.lanes), [*lanes])

    def _of_vectors(self, pointer: Any) -> Any:
        return self.builder.bitcast(pointer, self.vector.as_pointer())

    def stepped(self, index: Any, pitch: Any, steps: int) -> Any:
        """Return ``index + pitch * steps``."""
        return self.builder.add(index, self.builder.mul(pitch, pitch.type(steps)))

    def totals(self, vectors: list[Any]) -> list[Any]:
        """Return the sums over the lanes of each vector, side by side in as few vectors as hold them."""
        lanes, width = self.tile.lanes, 1
        while width < lanes:  # each vector holds `width` sums, of so many lanes each
            others = vectors[1::2] or vectors
            vectors = [self._paired(left, right) for left, right in zip(vectors[::2], others, strict=True)]
            width *= 2
        return vectors

    def _paired(self, left: Any, right: Any) -> Any:
        """Return the sums of neighbours in `left`, and then those in `right`."""
        even, odd = (
            self.builder.shuffle_vector(left, right, self._order(range(begin, 2 * self.tile.lanes, 2)))
            for begin in (0, 1)
        )
        return self.builder.fadd(even, odd)

    def fused(self, tile: Any, left: list[Any], right: list[Any]) -> Any:
        """Return `tile`, to each vector the product of its row's in `left` and its column's in `right` added."""
        for place, (row, column) in enumerate(self.tile.places):
            total = self.builder.extract_value(tile, place)
            product = self.builder.fmul(left[row], right[column], flags=("contract",))
            total = self.builder.fadd(product, total, flags=("contract",))
            tile = self.builder.insert_value(tile, total, place)
        return tile


@intrinsic
def _lanes(_typing: Any, array: Any) -> Any:
    def code(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return context.get_constant(types.intp, Tile(array.dtype, 1, 1).lanes)

    return types.intp(array), code


@intrinsic(prefer_literal=True)
def _zeros(_typing: Any, array: Any, rows: Any, columns: Any) -> Any:
    tile = Tile(array.dtype, rows.literal_value, columns.literal_value)

    def code(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(array, rows, columns), code


@intrinsic(prefer_literal=True)
def _read(_typing: Any, array: Any, index: Any, pitch: Any, rows: Any, columns: Any) -> Any:
    tile = Tile(array.dtype, rows.literal_value, columns.literal_value)

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, first, step, *_ = arguments
        emit = _Code(context, builder, tile)
        found = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for place, (row, column) in enumerate(tile.places):
            where = builder.add(emit.stepped(first, step, row), first.type(column * tile.lanes))
            found = builder.insert_value(found, emit.read(array, source, where), place)
        return found

    return tile(array, types.intp, types.intp, rows, columns), code


@intrinsic
def _write(_typing: Any, tile: Any, array: Any, index: Any, pitch: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value, target, first, step = arguments
        emit = _Code(context, builder, tile)
        for place, (row, column) in enumerate(tile.places):
            where = builder.add(emit.stepped(first, step, row), first.type(column * tile.lanes))
            emit.write(builder.extract_value(value, place), array, target, where)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp, types.intp), code


def _adder(factors: Callable[..., Any]) -> Any:
    """Return the sum of a tile and products, of what `factors` reads on the left for each row."""

    @intrinsic
    def _add(
        _typing: Any, tile: Any, left: Any, index: Any, pitch: Any, right: Any, base: Any, starts: Any, first: Any
    ) -> Any:
        def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value, ours, where, step, others, begin, offsets, at = arguments
            emit = _Code(context, builder, tile)
            vectors = []
            for column in range(tile.columns):
                offset = emit.scalar(starts, offsets, builder.add(at, at.type(column)))
                vectors.append(emit.read(right, others, builder.add(begin, offset)))
            rows = [factors(emit, left, ours, emit.stepped(where, step, row)) for row in range(tile.rows)]
            return emit.fused(value, rows, vectors)

        intp = types.intp
        return tile(tile, left, intp, intp, right, intp, starts, intp), code

    return _add


@intrinsic
def _add_totals(_typing: Any, tile: Any, array: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value, target, first = arguments
        emit = _Code(context, builder, tile)
        for column in range(tile.columns):
            places = [place for place, (_, each) in enumerate(tile.places) if each == column]
            vectors = emit.totals([builder.extract_value(value, place) for place in places])
            for number, vector in enumerate(vectors):
                where = builder.add(first, first.type((column * len(vectors) + number) * tile.lanes))
                total = builder.fadd(emit.read(array, target, where), vector)
                emit.write(total, array, target, where)
        return context.get_dummy_value()

    return types.void(tile, array, types.intp), code


def _copier(stride: int) -> Any:
    """Return the copy of every stride-th element: whole vectors, then as many lanes as are left."""

    @intrinsic
    def _copy(_typing: Any, target: Any, at: Any, source: Any, index: Any, count: Any) -> Any:
        tile = Tile(target.dtype, 1, 1)

        def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            to, first, origin, begin, number = arguments
            emit = _Code(context, builder, tile)
            end = builder.add(emit.stepped(begin, builder.sub(number, number.type(1)), stride), number.type(1))
            with cgutils.for_range_slice(builder, number.type(0), number, number.type(tile.lanes)) as (done, _):
                left = builder.sub(number, done)
                there = emit.stepped(begin, done, stride)
                read = [
                    emit.masked_read(source, origin, where, builder.sub(end, where))
                    for where in (builder.add(there, there.type(part * tile.lanes)) for part in range(stride))
                ]
                emit.masked_write(emit.every(read), target, to, builder.add(first, done), left)
            return context.get_dummy_value()

        intp = types.intp
        return types.void(target, intp, source, intp, intp), code

    return _copy


@intrinsic
def _clear(_typing: Any, target: Any, at: Any, count: Any) -> Any:
    tile = Tile(target.dtype, 1, 1)

    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        to, first, number = arguments
        emit = _Code(context, builder, tile)
        zero = ir.Constant(emit.vector, None)
        with cgutils.for_range_slice(builder, number.type(0), number, number.type(tile.lanes)) as (done, _):
            emit.masked_write(zero, target, to, builder.add(first, done), builder.sub(number, done))
        return context.get_dummy_value()

    return types.void(target, types.intp, types.intp), code


def _plainly(compiled: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    return plain if config.DISABLE_JIT else compiled


def _lanes_of(array: Array) -> int:
    return BYTES // array.itemsize


def _vector(array: Array, index: int) -> Array:
    if not 0 <= index <= array.size - _lanes_of(array):
        raise IndexError("a tile leaves its array")
    return array[index : index + _lanes_of(array)]


def _zero_tile(array: Array, rows: int, columns: int) -> Array:
    return np.zeros((rows, columns, _lanes_of(array)), array.dtype)


def _tile_at(array: Array, index: int, pitch: int, rows: int, columns: int) -> Array:
    steps = range(0, columns * _lanes_of(array), _lanes_of(array))
    return np.array([[_vector(array, index + row * pitch + step) for step in steps] for row in range(rows)])


def _put_tile(tile: Array, array: Array, index: int, pitch: int) -> None:
    for row, vectors in enumerate(tile):
        for column, vector in enumerate(vectors):
            _vector(array, index + row * pitch + column * len(vector))[:] = vector


def _with_outer(
    tile: Array, left: Array, index: int, pitch: int, right: Array, base: int, starts: Array, first: int
) -> Array:
    columns = [_vector(right, base + start) for start in starts[first : first + tile.shape[1]]]
    rows = [left[index + row * pitch] for row in range(tile.shape[0])]
    with np.errstate(all="ignore"):
        total: Array = tile + np.array(rows)[:, None, None] * np.array(columns)
    return total


def _with_products(
    tile: Array, left: Array, index: int, pitch: int, right: Array, base: int, bases: Array, first: int
) -> Array:
    columns = [_vector(right, base + offset) for offset in bases[first : first + tile.shape[1]]]
    rows = [_vector(left, index + row * pitch) for row in range(tile.shape[0])]
    with np.errstate(all="ignore"):
        total: Array = tile + np.array(rows)[:, None] * np.array(columns)
    return total


def _cleared(target: Array, at: int, count: int) -> None:
    target[at : at + count] = 0


def _copied(target: Array, at: int, source: Array, index: int, count: int) -> None:
    target[at : at + count] = source[index : index + count]


def _halved(target: Array, at: int, source: Array, index: int, count: int) -> None:
    target[at : at + count] = source[index : index + 2 * count : 2][:count]


def _put_totals(tile: Array, array: Array, index: int) -> None:
    rows, columns, lanes = tile.shape
    space = max(rows, lanes)
    with np.errstate(all="ignore"):
        for column in range(columns):
            array[index + column * space : index + column * space + rows] += tile[:, column].sum(axis=1)


lanes = _plainly(_lanes, _lanes_of)
"""``lanes(array)``: the elements of `array` that a vector has."""
zeros = _plainly(_zeros, _zero_tile)
"""``zeros(array, rows, columns)``: a tile of zeros, of the dtype of `array`."""
read = _plainly(_read, _tile_at)
"""``read(array, index, pitch, rows, columns)``: a tile whose rows begin `pitch` apart, from `index` on."""
write = _plainly(_write, _put_tile)
"""``write(tile, array, index, pitch)``: store what :func:`read` would read."""
add_outer = _plainly(_adder(_Code.splat), _with_outer)
"""``add_outer(tile, left, index, pitch, right, base, starts, first)``: add, to the vector in row i and column j,
``left[index + i * pitch]`` times the vector at ``base + starts[first + j]`` of `right`."""
add_products = _plainly(_adder(_Code.read), _with_products)
"""``add_products(...)``: the same, with the vector at ``index + i * pitch`` of `left`."""
add_totals = _plainly(_add_totals, _put_totals)
"""``add_totals(tile, array, index)``: add the sum over the lanes of each vector, column by column, the rows of one side
by side from ``index + column * max(rows, lanes)`` on."""
copy = _plainly(_copier(1), _copied)
"""``copy(target, at, source, index, count)``: copy `count` elements; short rows take a few instructions."""
copy_second = _plainly(_copier(2), _halved)
"""``copy_second(...)``: the same, of every second element from `index` on."""
clear = _plainly(_clear, _cleared)
"""``clear(target, at, count)``: set `count` elements to 0, in as few."""
