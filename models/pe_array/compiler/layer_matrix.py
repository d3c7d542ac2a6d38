# SPDX-License-Identifier: Apache-2.0
"""Weights of a network's layer as a CSB matrix in memory: sizes of its blocks, and where which weight is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.csb import Csb, CsbImage, CsbShape, beat_offsets, encode_elements, to_image
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import Program
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry, Split, choose_split


@dataclass(frozen=True)
class LayerMatrix:
    """A layer's weights in memory. Values, masters, momenta and gradients have their weights at the same places.

    Attributes:
        csb: the matrix, of channels in the order of memory.
        image: its bytes; values and masters are those of the time when it was made.
        element: element of the network's ``Weights`` that element ``e`` of the matrix is, int64 (elements,).
        places: of every weight in arrays of bytes (values) or of 32-bit words, int64 (elements, KH*KW).
        length: of these arrays, a multiple of the bytes of a beat of weights.
    """

    csb: Csb
    image: CsbImage
    element: IntArray
    places: IntArray
    length: int

    @classmethod
    def make(cls, weights: Weights, block: Pair, grid: Grid, rows: IntArray, cols: IntArray) -> LayerMatrix:
        """Encode.

        Args:
            block: rows and columns of a block.
            grid: whose beats they are laid out for.
            rows, cols: the channel that is in place ``n`` of memory, of outputs and of inputs.
        """
        conv, positions = weights.conv, weights.positions
        shape = CsbShape(conv.rows, conv.cols, *block, *conv.kernel)
        # argsort turns an order around: the place of every channel
        row, col = np.argsort(rows)[positions.row], np.argsort(cols)[positions.col]
        csb, element = encode_elements(shape, row, col, weights.masters, weights.mac)
        offsets = beat_offsets(csb.pointers, csb.shape.weights, grid.beat) * grid.beat
        of_block = np.repeat(offsets[:-1] - csb.pointers[:-1] * csb.shape.weights, np.diff(csb.pointers))
        weight = np.arange(len(of_block) * csb.shape.weights, dtype=np.int64).reshape(-1, csb.shape.weights)
        image = to_image(csb, grid.shape.lanes, grid.wide)
        return cls(csb, image, element, weight + of_block[:, None], int(offsets[-1]))

    def spread(self, weights: npt.NDArray[np.integer], dtype: str) -> npt.NDArray[np.integer]:
        """Array as in memory of the network's (n, KH, KW), zeros between the blocks."""
        array: npt.NDArray[np.integer] = np.zeros(self.length, dtype=dtype)
        array[self.places] = weights.reshape(self.places.shape)[self.element]
        return array

    def gather(self, array: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The network's (n, KH, KW) of an array as in memory."""
        shape = self.csb.shape
        weights = np.empty(self.places.shape, dtype=array.dtype)
        weights[self.element] = array[self.places]
        return weights.reshape(-1, shape.kernel_height, shape.kernel_width)

    def gaps(self, array: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """What an array has between the blocks; must be zeros."""
        between = np.ones(self.length, dtype=np.bool_)
        between[self.places] = False
        return array[between]


def first_fit(
    make: Callable[[Split], Program], phase: PhaseGeometry, grid: Grid, parts: int
) -> Program:  # fmt: skip
    """The program of the first split that fits, those with the least work for the busiest PE first.

    Args:
        make: of a split; ValueError where it does not fit.
        phase: that it works on.
        parts: blocks, or groups of channels, that slots can work on at the same time.

    Raises:
        ValueError: of the last split, if none fits.
    """
    why = ValueError("no split")
    for split in choose_split(phase, grid.pes, parts):
        try:
            return make(split)
        except ValueError as error:
            why = error
    raise why
