# SPDX-License-Identifier: Apache-2.0
"""Frozen networks layer by layer: each method adds a layer and gives its number, by which later ones name its map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import Conv, Pool, Positions
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network.frozen.network import FrozenConfig, FrozenNetwork
from models.pe_array.network.kinds.average_pool import AveragePool
from models.pe_array.network.kinds.concat import Concat
from models.pe_array.network.kinds.convolution import Convolution, Dense
from models.pe_array.network.kinds.identity import Identity
from models.pe_array.network.kinds.max_pool import MaxPool
from models.pe_array.network.layer import IMAGE, Layer, Shape
from models.pe_array.network.scaling import Scaling
from models.pe_array.network.weights import Weights

WEIGHT_MAX = 255
"""Of a weight less its zero point, where both are bytes without a sign."""


class FrozenBuilder:
    """A network in the making. ``reads`` and ``add`` are numbers of earlier layers, or ``IMAGE``.

    Args:
        name: of the network.
        in_shape: (channels, H, W) of the images.
        batch: 8, 16, 32 or 64.
        zero: zero point of the images.

    Attributes:
        layers: made so far.

    Raises (all methods):
        ValueError: a window does not fit on its map, sizes do not agree, or a number is out of its range.
    """

    def __init__(self, name: str, in_shape: Shape, batch: int, zero: int = 0, widths: Widths = STANDARD) -> None:
        self._name, self._in_shape, self._batch, self._zero, self._widths = name, in_shape, batch, zero, widths
        self.layers: list[Layer] = []
        self._weights: list[Weights | None] = []

    def shape(self, index: int) -> Shape:
        """(channels, H, W) of the map of a layer, or of the images."""
        return self._in_shape if index == IMAGE else self.layers[index].out_shape

    def convolution(
        self, reads: int, conv: Conv, weights: npt.ArrayLike, scaling: Scaling | None, add: int | None = None,
        name: str = "",
    ) -> int:  # fmt: skip
        """A convolution. ``weights``: (rows, cols // groups, KH, KW) whole numbers, -255 … 255.

        A kernel with a weight beyond a byte is several elements at the same position, whose products add up; kernels
        of zeros are left out.
        """
        channels, height, width = self.shape(reads)
        if channels != conv.cols:
            raise ValueError(f"a map of {channels} channels does not fit a convolution of {conv.cols}")
        out_shape = (conv.rows, *conv.out_size(height, width))
        layer = self._layer(Convolution, conv, reads, (channels, height, width), out_shape, scaling, add, name)
        return self._put(layer, elements(conv, weights, self._widths))

    def dense(
        self, reads: int, weights: npt.ArrayLike, scaling: Scaling | None, add: int | None = None, name: str = ""
    ) -> int:
        """Fully connected, of the flattened map. ``weights``: (rows, cols), see ``convolution``."""
        matrix = np.asarray(weights)
        flat = (math.prod(self.shape(reads)), 1, 1)
        if matrix.ndim != 2 or matrix.shape[1] != flat[0]:
            raise ValueError(f"weights {matrix.shape} do not fit a map of {flat[0]} values")
        conv = Conv(rows=matrix.shape[0], cols=matrix.shape[1])
        layer = self._layer(Dense, conv, reads, flat, (conv.rows, 1, 1), scaling, add, name)
        return self._put(layer, elements(conv, matrix[:, :, None, None], self._widths))

    def max_pool(self, reads: int, pool: Pool, scaling: Scaling | None = None, name: str = "") -> int:
        """Largest values; limits of the scales count, nothing else of them."""
        return self._channel_wise(MaxPool, reads, pool, scaling, None, name)

    def average_pool(self, reads: int, pool: Pool, scaling: Scaling, name: str = "") -> int:
        """Sums of windows, which the scales turn into averages; padding counts."""
        return self._channel_wise(AveragePool, reads, pool, scaling, None, name)

    def identity(
        self, reads: int, scaling: Scaling | None = None, add: int | None = None, factor: int = 1, name: str = ""
    ) -> int:
        """A map with other scales, times ``factor`` before them; with ``add``, the sum of two maps of one size."""
        return self._channel_wise(Identity, reads, Pool(), scaling, add, name, factor=factor)

    def concat(self, sources: Sequence[int], name: str = "") -> int:
        """Maps of one size, with one scale and zero point, channel after channel."""
        shapes = [self.shape(source) for source in sources]
        if len({shape[1:] for shape in shapes}) != 1:
            raise ValueError(f"maps of {shapes} must have one height and width to be concatenated")
        counts = tuple(shape[0] for shape in shapes)
        shape, more = (sum(counts), *shapes[0][1:]), tuple(sources[1:])
        layer = self._layer(Concat, Pool(), sources[0], shape, shape, None, None, name, more=more, counts=counts)
        return self._put(layer, None)

    def network(self, pes: int = 8) -> FrozenNetwork:
        """The network; its outputs are those of the last layer."""
        if not self.layers:
            raise ValueError("a network must have a layer")
        config = FrozenConfig(
            self._name, self._in_shape, tuple(self.layers), self._batch, self._zero, pes, self._widths
        )
        return FrozenNetwork(config, list(self._weights))

    def _channel_wise(
        self, kind: type[Layer], reads: int, pool: Pool, scaling: Scaling | None, add: int | None, name: str,
        **more: Any,
    ) -> int:  # fmt: skip
        shape = self.shape(reads)
        out_shape = (shape[0], *pool.out_size(*shape[1:]))
        return self._put(self._layer(kind, pool, reads, shape, out_shape, scaling, add, name, **more), None)

    def _layer(
        self, kind: type[Layer], window: Conv | Pool, reads: int, in_shape: Shape, out_shape: Shape,
        scaling: Scaling | None, add: int | None, name: str, **more: Any,
    ) -> Layer:  # fmt: skip
        if add is not None and self.shape(add) != out_shape:
            raise ValueError(f"a map of {self.shape(add)} cannot be added to one of {out_shape}")
        if scaling is not None:
            if len(scaling.biases) not in (1, out_shape[0]):
                raise ValueError(f"scales of {len(scaling.biases)} channels do not fit {out_shape[0]}")
            if (add is None) != (scaling.addend is None):
                raise ValueError("a map is added where the scales say how, and only there")
        number = len(self.layers)
        return kind(
            window, in_shape, out_shape, False, 0, 0, 0, 0, widths=self._widths, name=name or f"layers[{number}]",
            reads=reads, add=add, scaling=scaling, **more,
        )  # fmt: skip

    def _put(self, layer: Layer, weights: Weights | None) -> int:
        self.layers.append(layer)
        self._weights.append(weights)
        return len(self.layers) - 1


def elements(conv: Conv, weights: npt.ArrayLike, widths: Widths = STANDARD) -> Weights:
    """Elements of a convolution's whole-number weights (rows, cols // groups, KH, KW), -255 … 255."""
    given = np.asarray(weights, dtype=np.int64)
    wanted = (conv.rows, conv.cols // conv.groups, *conv.kernel)
    if given.shape != wanted:
        raise ValueError(f"weights {given.shape} must be {wanted}")
    limit = 1 << widths.data - 1
    if given.size and np.abs(given).max() > WEIGHT_MAX:
        raise ValueError(f"weights of {given.min()} … {given.max()} must be {-WEIGHT_MAX} … {WEIGHT_MAX}")
    row: list[npt.NDArray[np.int64]] = []
    col: list[npt.NDArray[np.int64]] = []
    mac: list[npt.NDArray[np.int64]] = []
    while given.any() or not row:
        part = np.clip(given, -limit, limit - 1)
        r, c = np.nonzero(part.any(axis=(2, 3)))
        row.append(r)
        col.append(c + r // (conv.rows // conv.groups) * wanted[1])
        mac.append(part[r, c])
        given = given - part
    rows, cols, values = (np.concatenate(each) for each in (row, col, mac))
    order = np.lexsort((cols, rows))
    positions = Positions(rows[order].astype(np.int32), cols[order].astype(np.int32))
    return Weights.frozen(conv, positions, np.ascontiguousarray(values[order].astype(np.int8)), widths)
