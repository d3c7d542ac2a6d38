# SPDX-License-Identifier: Apache-2.0
"""Sums of products of 8-bit numbers that stay in vector registers: the innermost loops of products.py.

Processors multiply 16-bit numbers in pairs and add the two products, and some add that to a 32-bit sum as well
(x86: VPMADDWD, VPDPWSSD): twice as many products per instruction as in floating point, and exact. LLVM does not find
that form in loops, so the loops are written in its language here. It is portable: other processors get what they have.

Each function stands here twice: as Python, which says what it computes, and as what compiled code calls in its place.
All arrays are flat and contiguous.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

_intrinsic: Any = intrinsic  # neither has types
_cgutils: Any = cgutils

_WIDE = bool(binding.get_host_cpu_features().get("avx512bw"))
LANES = 16 if _WIDE else 8
"""Sums in a vector register."""
STEP = 2 * LANES
"""Products that one instruction adds to them."""
ROWS = 8 if _WIDE else 4
"""Rows of sums that ``panel_sums`` has in registers: with TILE lanes of each, all that there are but a few."""
TILE = 2 * LANES
"""Lanes of ``panel_sums``."""
ROW_TILE = 4 * LANES
"""Lanes of ``row_sums``."""
SIDE = 4 if _WIDE else 2
"""Rows and columns of ``square_dots``."""
TAPS = 3
"""Columns of ``row_dots``."""


def _sums(
    rows: int, lanes: int, data: Array, at: Int, stride: Int, blocks: Array, pairs: Int, weights: Array, out: Array
) -> None:  # fmt: skip
    """out[m*lanes + l] = sum over blocks e and pairs k of data[block e, k, l] * weights[e, k, m], two products each.

    Args:
        data: int8; pair k of block b and lane l is at ``at + (b*pairs + k)*stride + 2*l``.
        blocks: int32, whose pairs are summed.
        weights: int32 (blocks, pairs, rows), two of 16 bits each, the first in the low bits.
        out: int32 (rows, lanes); sums wrap.
    """
    halves = weights.view(np.int16).reshape(len(blocks), pairs, rows, 2).astype(np.int32)
    total = np.zeros((rows, lanes), dtype=np.int32)
    for block, of_block in zip(blocks, halves, strict=True):
        for k in range(pairs):
            begin = at + (int(block) * pairs + k) * stride
            total += of_block[k] @ data[begin : begin + 2 * lanes].reshape(lanes, 2).T.astype(np.int32)
    out[: rows * lanes] = total.reshape(-1)


def _dots(
    rows: int, columns: int, d: Array, d0: Int, d_stride: Int, x: Array, x0: Int, x_stride: Int, steps: Int, out: Array
) -> None:  # fmt: skip
    """out[m*columns + t] = sum over l of d[d0 + m*d_stride + l] * x[x0 + t*x_stride + l], STEP * steps products.

    Both are int8, out is int32; sums wrap.
    """
    left = [d[d0 + m * d_stride :][: STEP * steps] for m in range(rows)]
    right = [x[x0 + t * x_stride :][: STEP * steps] for t in range(columns)]
    out[: rows * columns] = (np.array(left, np.int32) @ np.array(right, np.int32).T).reshape(-1)


def panel_sums(data: Array, at: Int, stride: Int, blocks: Array, pairs: Int, weights: Array, out: Array) -> None:
    """``_sums`` of ROWS rows and TILE lanes."""
    _sums(ROWS, TILE, data, at, stride, blocks, pairs, weights, out)


def row_sums(data: Array, at: Int, stride: Int, blocks: Array, pairs: Int, weights: Array, out: Array) -> None:
    """``_sums`` of one row and ROW_TILE lanes."""
    _sums(1, ROW_TILE, data, at, stride, blocks, pairs, weights, out)


def square_dots(d: Array, d0: Int, d_stride: Int, x: Array, x0: Int, x_stride: Int, steps: Int, out: Array) -> None:
    """``_dots`` of SIDE rows and columns."""
    _dots(SIDE, SIDE, d, d0, d_stride, x, x0, x_stride, steps, out)


def row_dots(d: Array, d0: Int, d_stride: Int, x: Array, x0: Int, x_stride: Int, steps: Int, out: Array) -> None:
    """``_dots`` of one row and TAPS columns."""
    _dots(1, TAPS, d, d0, d_stride, x, x0, x_stride, steps, out)


_INT8, _INT16, _INT32, _INT64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_SUMS = ir.VectorType(_INT32, LANES)
_PRODUCTS = ir.VectorType(_INT32, STEP)
_FACTORS = ir.VectorType(_INT16, STEP)


def _number(value: int) -> ir.Constant:
    return ir.Constant(_INT64, value)


def _picked(indices: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_INT32, len(indices)), [ir.Constant(_INT32, index) for index in indices])


def _bytes_at(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    """STEP bytes as factors."""
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(_INT8, STEP).as_pointer()))
    loaded.align = 1
    return builder.sext(loaded, _FACTORS)


def _pair_everywhere(builder: ir.IRBuilder, pair: ir.Value) -> ir.Value:
    """Two 16-bit numbers, LANES times, as factors."""
    nothing = ir.Constant(_SUMS, ir.Undefined)
    first = builder.insert_element(nothing, pair, ir.Constant(_INT32, 0))
    return builder.bitcast(builder.shuffle_vector(first, nothing, _picked([0] * LANES)), _FACTORS)


def _add_products(builder: ir.IRBuilder, slot: ir.Value, a: ir.Value, b: ir.Value) -> None:
    """Add a[2l] * b[2l] + a[2l+1] * b[2l+1] to lane l of the sums in a slot: the form that LLVM knows."""
    products = builder.mul(builder.sext(a, _PRODUCTS), builder.sext(b, _PRODUCTS))
    nothing = ir.Constant(_PRODUCTS, ir.Undefined)
    even = builder.shuffle_vector(products, nothing, _picked(range(0, STEP, 2)))
    odd = builder.shuffle_vector(products, nothing, _picked(range(1, STEP, 2)))
    builder.store(builder.add(builder.load(slot), builder.add(even, odd)), slot)


def _slots(builder: ir.IRBuilder, count: int) -> list[ir.Value]:
    """Vectors of sums, zero, which LLVM holds in registers."""
    slots = [_cgutils.alloca_once(builder, _SUMS) for _ in range(count)]
    for slot in slots:
        builder.store(ir.Constant(_SUMS, [ir.Constant(_INT32, 0)] * LANES), slot)
    return slots


def _compiled_sums(rows: int, lanes: int) -> Callable[..., Any]:
    vectors = lanes // LANES

    def declared(context: Any, data: Any, at: Any, stride: Any, blocks: Any, pairs: Any, weights: Any, out: Any) -> Any:
        signature = types.void(data, types.int64, types.int64, blocks, types.int64, weights, out)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            arrays = {k: context.make_array(signature.args[k])(context, builder, values[k]) for k in (0, 3, 5, 6)}
            _, at, stride, _, pairs, _, _ = values
            slots = _slots(builder, rows * vectors)
            begin = builder.gep(arrays[0].data, [at])
            block_size = builder.mul(pairs, stride)
            place = _cgutils.alloca_once(builder, begin.type)
            weight = _cgutils.alloca_once_value(builder, arrays[5].data)
            builder.store(arrays[5].data, weight)
            count = _cgutils.unpack_tuple(builder, arrays[3].shape, 1)[0]
            with _cgutils.for_range(builder, count, intp=_INT64) as loop:
                block = builder.sext(builder.load(builder.gep(arrays[3].data, [loop.index])), _INT64)
                builder.store(builder.gep(begin, [builder.mul(block, block_size)]), place)
                with _cgutils.for_range(builder, pairs, intp=_INT64):
                    now, w = builder.load(place), builder.load(weight)
                    x = [_bytes_at(builder, builder.gep(now, [_number(STEP * v)])) for v in range(vectors)]
                    for m in range(rows):
                        pair = _pair_everywhere(builder, builder.load(builder.gep(w, [_number(m)])))
                        for v in range(vectors):
                            _add_products(builder, slots[m * vectors + v], x[v], pair)
                    builder.store(builder.gep(now, [stride]), place)
                    builder.store(builder.gep(w, [_number(rows)]), weight)
            for k, slot in enumerate(slots):
                target = builder.gep(arrays[6].data, [_number(LANES * k)])
                builder.store(builder.load(slot), builder.bitcast(target, _SUMS.as_pointer())).align = 4
            return context.get_dummy_value()

        return signature, generate

    sums = _intrinsic(declared)

    def call(data: Array, at: Int, stride: Int, blocks: Array, pairs: Int, weights: Array, out: Array) -> None:
        sums(data, at, stride, blocks, pairs, weights, out)

    return call


def _compiled_dots(rows: int, columns: int) -> Callable[..., Any]:
    def declared(
        context: Any, d: Any, d0: Any, d_stride: Any, x: Any, x0: Any, x_stride: Any, steps: Any, out: Any
    ) -> Any:  # fmt: skip
        number = types.int64
        signature = types.void(d, number, number, x, number, number, number, out)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
            d, x, out = (context.make_array(signature.args[k])(context, builder, values[k]).data for k in (0, 3, 7))
            _, d0, d_stride, _, x0, x_stride, steps, _ = values

            def lines(first: ir.Value, stride: ir.Value, count: int) -> list[ir.Value]:
                return [builder.gep(first, [builder.mul(stride, _number(k))]) for k in range(count)]

            left = lines(builder.gep(d, [d0]), d_stride, rows)
            right = lines(builder.gep(x, [x0]), x_stride, columns)
            slots = _slots(builder, rows * columns)
            with _cgutils.for_range(builder, steps, intp=_INT64) as loop:
                place = [builder.mul(loop.index, _number(STEP))]
                factors = [_bytes_at(builder, builder.gep(line, place)) for line in left]
                for t, line in enumerate(right):
                    factor = _bytes_at(builder, builder.gep(line, place))
                    for m in range(rows):
                        _add_products(builder, slots[m * columns + t], factors[m], factor)
            name = f"llvm.vector.reduce.add.v{LANES}i32"
            total = _cgutils.get_or_insert_function(builder.module, ir.FunctionType(_INT32, [_SUMS]), name)
            for k, slot in enumerate(slots):
                builder.store(builder.call(total, [builder.load(slot)]), builder.gep(out, [_number(k)]))
            return context.get_dummy_value()

        return signature, generate

    dots = _intrinsic(declared)

    def call(d: Array, d0: Int, d_stride: Int, x: Array, x0: Int, x_stride: Int, steps: Int, out: Array) -> None:
        dots(d, d0, d_stride, x, x0, x_stride, steps, out)

    return call


def _stands_for(function: Callable[..., None], compiled: Callable[..., Any]) -> None:
    """Have compiled code call the second where it names the first."""
    overload(function, strict=False)(lambda *types: compiled)


_stands_for(panel_sums, _compiled_sums(ROWS, TILE))
_stands_for(row_sums, _compiled_sums(1, ROW_TILE))
_stands_for(square_dots, _compiled_dots(SIDE, SIDE))
_stands_for(row_dots, _compiled_dots(1, TAPS))
