# SPDX-License-Identifier: Apache-2.0
"""Compressed sparse blocks (CSB), the format of weights in memory (docs/pe_array/csb.md)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray, saturate
from models.pe_array.isa.csb_order import BLOCK_MAX, hazard_order
from models.pe_array.isa.pe_command import ByteArray, pad_bytes
from models.pe_array.isa.widths import STANDARD, Widths

Coordinates = npt.NDArray[np.uint16]

MASTER_BYTES = 4
"""Of a master in memory."""


class CsbError(ValueError):
    """Corrupt CSB; the message names array, index, value and rule."""


@dataclass(frozen=True)
class CsbShape:
    """Size of a weight matrix and of its blocks; elements are kernels.

    Raises:
        ValueError: a size below 1, or a block above 256.
    """

    rows: int
    cols: int
    block_rows: int
    block_cols: int
    kernel_height: int = 1
    kernel_width: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("rows", "cols", "block_rows", "block_cols", "kernel_height", "kernel_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be at least 1")
        for name in ("block_rows", "block_cols"):
            if getattr(self, name) > BLOCK_MAX:
                raise ValueError(f"{name} = {getattr(self, name)} must be at most {BLOCK_MAX}")

    @property
    def grid(self) -> tuple[int, int]:
        """Block rows and block columns."""
        return -(-self.rows // self.block_rows), -(-self.cols // self.block_cols)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.grid[0] * self.grid[1]

    @property
    def weights(self) -> int:
        """Weights per element, KH*KW."""
        return self.kernel_height * self.kernel_width

    def extent(self, i: int, j: int) -> tuple[int, int]:
        """Rows and columns of block (i, j), which may be ragged."""
        return (
            min(self.block_rows, self.rows - i * self.block_rows),
            min(self.block_cols, self.cols - j * self.block_cols),
        )

    def order(self, transposed: bool = False) -> IntArray:
        """Numbers of the blocks in row-major order or, for NG, in that of the transposed matrix."""
        numbers = np.arange(self.blocks, dtype=np.int64).reshape(self.grid)
        return (numbers.T if transposed else numbers).reshape(-1)


@dataclass(frozen=True)
class Csb:
    """A weight matrix in CSB. Build it with ``encode``; one from elsewhere passes ``check`` before it is used.

    Attributes:
        shape: sizes.
        pointers: elements before each block, int64 (blocks + 1,).
        coordinates: row in bits 15 … 8, column in 7 … 0, inside the block, uint16 (elements,).
        values: MAC weights, int8 (elements, KH*KW).
        masters: master weights, int32 (elements, KH*KW).
    """

    shape: CsbShape
    pointers: IntArray
    coordinates: Coordinates
    values: ByteArray
    masters: npt.NDArray[np.int32]

    def elements(self, block: int) -> slice:
        """Where the elements of a block are in coordinates, values and masters."""
        return slice(int(self.pointers[block]), int(self.pointers[block + 1]))

    def walk(self, transposed: bool = False) -> Iterator[tuple[int, int, slice]]:
        """(i, j, elements) of every block, in row-major order or in that of the transposed matrix."""
        for block in self.shape.order(transposed):
            i, j = divmod(int(block), self.shape.grid[1])
            yield i, j, self.elements(int(block))

    def positions(self) -> tuple[IntArray, IntArray]:
        """Row and column of every element in the whole matrix, int64 (elements,) each."""
        block = np.repeat(np.arange(self.shape.blocks), np.diff(self.pointers))
        i, j = np.divmod(block, self.shape.grid[1])
        coordinates = self.coordinates.astype(np.int64)
        return i * self.shape.block_rows + (coordinates >> 8), j * self.shape.block_cols + (coordinates & 0xFF)


def encode(
    masters: npt.ArrayLike, mask: npt.ArrayLike, block_rows: int, block_cols: int, values: npt.ArrayLike | None = None,
    widths: Widths = STANDARD,
) -> Csb:  # fmt: skip
    """Encode the elements of a matrix that a mask selects.

    Args:
        masters: raw weights, (rows, cols, KH, KW), or (rows, cols) for 1 x 1 kernels.
        mask: (rows, cols), true where an element is stored.
        block_rows, block_cols: size of the blocks, 1 … 256.
        values: raw MAC weights, shape of ``masters``; by default those of the masters.
        widths: of masters and MAC weights.

    Raises:
        ValueError: shapes do not agree or a weight does not fit in its bits.
    """
    dense = _kernels("masters", masters, widths.master)
    rows, cols, height, width = dense.shape
    small = widths.mac_weights(dense) if values is None else _kernels("values", values, widths.data).astype(np.int8)
    stored = np.asarray(mask, dtype=np.bool_)
    if stored.shape != (rows, cols) or small.shape != dense.shape:
        raise ValueError(
            f"masters {dense.shape}, values {small.shape} and mask {stored.shape} must be of one matrix of kernels"
        )
    shape = CsbShape(rows, cols, block_rows, block_cols, height, width)
    row, col = np.nonzero(stored)
    return encode_elements(shape, row, col, dense[row, col].astype(np.int32), small[row, col])[0]


def encode_elements(
    shape: CsbShape, row: IntArray, col: IntArray, masters: npt.NDArray[np.int32], values: ByteArray
) -> tuple[Csb, IntArray]:
    """Encode elements whose matrix is never made: it may be far larger than what is stored.

    Args:
        row, col: of every element in the whole matrix, in any order, (elements,).
        masters, values: of every element, (elements, KH, KW) or (elements, KH*KW).

    Returns:
        The matrix, and which of the given elements each of its elements is, int64 (elements,).
    """
    block = row // shape.block_rows * shape.grid[1] + col // shape.block_cols
    inside = row % shape.block_rows << 8 | col % shape.block_cols
    # block by block, in row-major order: 16-bit keys are sorted in linear time
    order = np.argsort(inside.astype(np.uint16), kind="stable")
    order = order[np.argsort(block[order].astype(np.min_scalar_type(shape.blocks)), kind="stable")]
    pointers = np.zeros(shape.blocks + 1, dtype=np.int64)
    np.cumsum(np.bincount(block, minlength=shape.blocks), out=pointers[1:])
    coordinates = inside[order]
    bounds = pointers.tolist()
    for first, last in pairwise(bounds):
        if last - first > 1:
            apart = hazard_order(coordinates[first:last] >> 8, coordinates[first:last] & 0xFF)
            order[first:last] = order[first:last][apart]
    kept = (len(order), shape.weights)
    return Csb(
        shape=shape,
        pointers=pointers,
        coordinates=inside[order].astype(np.uint16),
        values=values[order].reshape(kept),
        masters=masters[order].reshape(kept),
    ), order


def decode(csb: Csb, widths: Widths = STANDARD) -> tuple[IntArray, ByteArray, npt.NDArray[np.bool_]]:
    """Masters (rows, cols, KH, KW) int64, values of that shape int8, and mask (rows, cols) of a matrix.

    Raises:
        CsbError: the matrix is corrupt.
    """
    check(csb, widths)
    shape = csb.shape
    row, col = csb.positions()
    dense = (shape.rows, shape.cols, shape.kernel_height, shape.kernel_width)
    masters, values = np.zeros(dense, dtype=np.int64), np.zeros(dense, dtype=np.int8)
    mask = np.zeros(dense[:2], dtype=np.bool_)
    masters[row, col] = csb.masters.reshape(-1, *dense[2:])
    values[row, col] = csb.values.reshape(-1, *dense[2:])
    mask[row, col] = True
    return masters, values, mask


def check(csb: Csb, widths: Widths = STANDARD) -> None:
    """Raise CsbError, with array, index, value and rule, where a matrix breaks a rule of the format."""
    shape, elements = csb.shape, len(csb.coordinates)
    check_pointers(shape, csb.pointers)
    if csb.pointers[-1] != elements:
        raise CsbError(
            f"pointers[{shape.blocks}] = {csb.pointers[-1]} must be the number of elements, {elements} coordinates"
        )
    for name, array in (("values", csb.values), ("masters", csb.masters)):
        if array.shape != (elements, shape.weights):
            raise CsbError(f"{name}: shape {array.shape} must be (elements, KH*KW) = {(elements, shape.weights)}")
    for element, weight in np.argwhere(saturate(csb.masters, widths.master)[1])[:1]:
        raise CsbError(
            f"masters[{element}][{weight}] = {csb.masters[element, weight]} must fit in {widths.master} bits, signed"
        )
    for i, j, where in csb.walk():
        coordinates = csb.coordinates[where].astype(np.int64)
        for name, part, extent in (
            ("row", coordinates >> 8, shape.extent(i, j)[0]),
            ("column", coordinates & 0xFF, shape.extent(i, j)[1]),
        ):
            for index in np.flatnonzero(part >= extent)[:1]:
                raise CsbError(
                    f"coordinates[{where.start + index}] = {coordinates[index]:#06x}: {name} {part[index]} must be "
                    f"below {extent} in block ({i}, {j})"
                )
        seen, first = np.unique(coordinates, return_index=True)
        if len(seen) != len(coordinates):
            index = int(np.setdiff1d(np.arange(len(coordinates)), first)[0])
            raise CsbError(
                f"coordinates[{where.start + index}] = {coordinates[index]:#06x} must occur only once "
                f"in block ({i}, {j})"
            )


def check_pointers(shape: CsbShape, pointers: IntArray) -> None:
    """Raise CsbError where pointers break a rule, all but that of their end."""
    if len(pointers) != shape.blocks + 1:
        raise CsbError(f"pointers: {len(pointers)} numbers, must be blocks + 1 = {shape.blocks + 1}")
    if pointers[0] != 0:
        raise CsbError(f"pointers[0] = {pointers[0]} must be 0")
    for index in np.flatnonzero(np.diff(pointers) < 0)[:1]:
        raise CsbError(
            f"pointers[{index + 1}] = {pointers[index + 1]} must not be below pointers[{index}] = {pointers[index]}"
        )


@dataclass(frozen=True)
class CsbImage:
    """The bytes of a matrix in memory; every block starts on a beat of coordinates and on one of weights.

    Attributes:
        lanes: B, bytes of a beat of coordinates; beats of weights have as many or twice that.
        pointers, coordinates, values, masters: the arrays, int8, a multiple of B long, zeros between the blocks; the
            masters are as long as four times the values.
    """

    lanes: int
    pointers: ByteArray
    coordinates: ByteArray
    values: ByteArray
    masters: ByteArray


def beat_offsets(pointers: IntArray, element_bytes: int, lanes: int) -> IntArray:
    """First beat of every block in an array of so many bytes per element; the last entry is the number of beats.

    For coordinates and values. A block has four times the beats of its values in masters, gradients and momenta.
    """
    beats = -(-np.diff(pointers) * element_bytes // lanes)
    return np.concatenate([[0], np.cumsum(beats)]).astype(np.int64)


def to_image(csb: Csb, lanes: int, wide: int = 1) -> CsbImage:
    """Bytes of a matrix in memory, for beats of ``lanes`` bytes, and ``wide`` times that of weights."""

    def blocks(array: npt.NDArray[Any], unit: int = lanes) -> ByteArray:
        size = array.itemsize * math.prod(array.shape[1:])
        flat = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(-1).view(np.int8)
        offsets = (beat_offsets(csb.pointers, size, unit) * unit).tolist()
        image = np.zeros(offsets[-1], dtype=np.int8)
        for offset, first, last in zip(offsets, bounds, bounds[1:], strict=False):
            image[offset : offset + (last - first) * size] = flat[first * size : last * size]
        return image

    bounds = csb.pointers.tolist()

    pointers = pad_bytes(csb.pointers.astype(np.uint32), lanes)
    return CsbImage(
        lanes, pointers, blocks(csb.coordinates), blocks(csb.values, wide * lanes),
        blocks(csb.masters, MASTER_BYTES * wide * lanes),
    )  # fmt: skip


def _kernels(name: str, weights: npt.ArrayLike, bits: int) -> IntArray:
    """Weights as (rows, cols, KH, KW), each of which fits in so many bits."""
    array = np.asarray(weights, dtype=np.int64)
    if array.ndim == 2:
        array = array[:, :, np.newaxis, np.newaxis]
    if array.ndim != 4:
        raise ValueError(f"{name}: shape {array.shape} must be (rows, cols) or (rows, cols, KH, KW)")
    if saturate(array, bits)[1].any():
        raise ValueError(f"{name} must fit in {bits} bits, signed")
    return array
