# SPDX-License-Identifier: Apache-2.0
"""The order of the channels of every map in memory, for which slots have even work (``balance``).

Layers without weights keep the order of what they read, and maps that are added have the same. A concatenation has the
orders of its parts behind each other: so a map is a row of *parts*, each with an order of its own. In inference
depth-wise convolutions keep the order too: then a slot reads the channels that it makes, and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.compiler import balance
from models.pe_array.isa.shapes import Pair
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.layer import IMAGE, Layer
from models.pe_array.network.network import PeNetwork

Part = tuple[str, int]
"""Name of an order, and its channels."""


class _Parts:
    """Parts of all maps; orders that must be the same have one name."""

    def __init__(self, layers: Sequence[Layer], channels: int, keeping: Collection[int]) -> None:
        """keeping: layers with weights that keep the order of what they read."""
        self.of: dict[int, tuple[Part, ...]] = {IMAGE: (("image", channels),)}
        self._same: dict[str, str] = {}
        self._ragged: set[str] = {"image"}
        for index, layer in enumerate(layers):
            if layer.has_weights and index not in keeping:
                own = ((f"output{index}", layer.out_shape[0]),)
                self.of[index] = own if layer.add is None else self.of[layer.add]
                continue
            self.of[index] = tuple(part for source in layer.sources for part in self.of[source])
            if layer.add is not None:
                self._unite(self.of[index], self.of[layer.add])
        self._ragged |= {name for name, _ in self.of[len(layers) - 1]}  # outputs are where a host expects them

    def name(self, part: Part) -> str:
        """The one of its order."""
        name = part[0]
        while name in self._same:
            name = self._same[name]
        return name

    @property
    def fixed(self) -> set[str]:
        """Orders in which all channels stay where they are."""
        return {self.name((name, 0)) for name in self._ragged}

    def pieces(self, index: int) -> Iterator[tuple[str, slice]]:
        """Name and channels of the parts of a map."""
        first = 0
        for part in self.of[index]:
            yield self.name(part), slice(first, first + part[1])
            first += part[1]

    def _unite(self, one: Sequence[Part], other: Sequence[Part]) -> None:
        if [count for _, count in one] != [count for _, count in other]:
            self._ragged |= {name for name, _ in (*one, *other)}
            return
        for a, b in zip(one, other, strict=True):
            if self.name(a) != self.name(b):
                self._same[self.name(a)] = self.name(b)


def channel_orders(
    network: PeNetwork | FrozenNetwork, blocks: Mapping[int, Pair], balanced: bool
) -> list[IntArray]:  # fmt: skip
    """For the image and the output of every layer: the channel that is in every place. Image and last map stay.

    Args:
        blocks: rows and columns of the blocks of the layers with weights.
        balanced: otherwise all channels stay where they are.
    """
    layers, channels = network.config.layers, network.config.in_shape[0]
    keeping = set()
    if isinstance(network, FrozenNetwork):
        keeping = {n for n in blocks if layers[n].conv.groups == layers[n].conv.rows == layers[n].conv.cols}
    blocks = {n: block for n, block in blocks.items() if n not in keeping}
    parts = _Parts(layers, channels, keeping)
    orders = {
        name: np.arange(piece.stop - piece.start) for index in parts.of for name, piece in parts.pieces(index)
    }  # fmt: skip
    if balanced:
        ends = {"image": channels} | {name: block[0] for n, block in blocks.items() for name, _ in parts.pieces(n)}
        made = [each for index in blocks for each in _balanced(network, parts, index)]
        orders |= balance.orders_of_tensors(made, ends, parts.fixed)
    return [
        np.concatenate([piece.start + orders[name] for name, piece in parts.pieces(index)])
        for index in range(IMAGE, len(layers))
    ]


def _balanced(
    network: PeNetwork | FrozenNetwork, parts: _Parts, index: int
) -> Iterator[balance.BalancedLayer]:  # fmt: skip
    """A layer with weights, once for each part that it makes of each part that it reads."""
    layer = network.config.layers[index]
    mask, pixels = network.layer_weights(index).positions.mask(layer.conv), pixels_of(network, index)
    for target, rows in parts.pieces(index):
        for source, cols in parts.pieces(layer.reads):
            piece = mask[rows, cols.start * pixels : cols.stop * pixels]
            yield balance.BalancedLayer(piece, source, target, pixels, ng=int(not layer.reads_image))


def pixels_of(network: PeNetwork | FrozenNetwork, index: int) -> int:
    """Columns of a layer's matrix per channel of the map that it reads: above 1 where that is flattened."""
    config = network.config
    layer = config.layers[index]
    read = config.in_shape if layer.reads == IMAGE else config.layers[layer.reads].out_shape
    return layer.in_shape[0] // read[0]
