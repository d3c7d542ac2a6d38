# SPDX-License-Identifier: Apache-2.0
"""Where the maps of a network lie in memory: which share a tensor, and which have a border of their zero point.

- A concatenation costs nothing: its sources are made where they belong in its tensor, channel after channel. A source
  that has another place already, or is the image, is copied.
- A map that a layer reads with padding worth something else than 0 has a *halo*: rows and columns of that value around
  it, which the host writes once. All maps of a tensor have the same halo, and so has a map that is added to another
  one, because a drain reads and writes with one pattern of addresses.
- A layer that flattens a map with a halo reads a copy without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.pe_array.isa.shapes import Pads
from models.pe_array.network.layer import IMAGE, Layer, Shape
from models.pe_array.network.seen_map import NO_PADS

IMAGE_TENSOR = "image"


@dataclass(frozen=True)
class PlacedMap:
    """A map in memory.

    Attributes:
        tensor: that it is a part of.
        channel: of the tensor, its first one.
        shape: (channels, H, W), without its halo.
        halo: rows and columns of the tensor around it: top, left, bottom, right.
    """

    tensor: str
    channel: int
    shape: Shape
    halo: Pads = NO_PADS

    @property
    def outer(self) -> tuple[int, int]:
        """Rows and columns of the tensor."""
        top, left, bottom, right = self.halo
        return self.shape[1] + top + bottom, self.shape[2] + left + right

    @property
    def inside(self) -> tuple[slice, slice, slice]:
        """Channels, rows and columns of the tensor that are the map."""
        channels, height, width = self.shape
        top, left = self.halo[:2]
        return slice(self.channel, self.channel + channels), slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True)
class Copy:
    """A map that is made a second time.

    Attributes:
        source: the layer whose map it is, or ``IMAGE``.
        target: name of the copy.
        before: layer whose phase it is made before.
    """

    source: int
    target: str
    before: int


def output_of(index: int) -> str:
    """Name of the map that a layer makes, or of the image."""
    return IMAGE_TENSOR if index == IMAGE else f"output{index}"


class MapStorage:
    """Places of the maps of FF.

    Args:
        layers: of the network.
        in_shape: of the images.

    Attributes:
        maps: by name, ``image`` and ``output3``, and those of copies.
        copies: to be made, in order.
        parts: the maps that another one consists of, by its name: it is complete when they are.
    """

    def __init__(self, layers: Sequence[Layer], in_shape: Shape) -> None:
        self._layers, self._shapes = layers, {IMAGE: in_shape} | {n: each.out_shape for n, each in enumerate(layers)}
        self.copies: list[Copy] = []
        self.parts: dict[str, tuple[str, ...]] = {}
        self._inside: dict[str, tuple[str, int]] = {}  # map or copy: what it is made in, and from which channel on
        self._copy_shapes: dict[str, Shape] = {}
        for index in reversed(range(len(layers))):
            if layers[index].joins:
                self._join(index)
        self._reads: dict[int, str] = {}
        names = {output_of(index): shape for index, shape in self._shapes.items()} | self._copy_shapes
        self.maps: dict[str, PlacedMap] = {name: PlacedMap(*self._place(name), shape) for name, shape in names.items()}
        self._halos()
        self._flattened()

    def source(self, index: int) -> str:
        """Name of the map that a layer reads: a copy where the one that it names lies otherwise."""
        return self._reads.get(index, output_of(self._layers[index].reads))

    def part(self, name: str, channel: int, shape: Shape) -> str:
        """Name of a part of another tensor, that of a gradient by a concatenation, from a channel on."""
        made = f"{name}[{channel}]"
        self.maps[made], self.parts[made] = PlacedMap(name, channel, shape), (name,)
        return made

    def tensors(self) -> dict[str, tuple[Shape, str]]:
        """Name and outer shape of all tensors, and a map that lies in them."""
        found: dict[str, tuple[Shape, str]] = {}
        for name, stored in self.maps.items():
            if name.endswith("]"):
                continue
            channels = found.get(stored.tensor, ((0, 0, 0), ""))[0][0]
            end = max(channels, stored.channel + stored.shape[0])
            found[stored.tensor] = (end, *stored.outer), name
        return found

    def _join(self, index: int) -> None:
        """Give the sources of a concatenation their places in it, as far as they have none."""
        layer, name = self._layers[index], output_of(index)
        names = [output_of(source) for source in layer.sources]
        channels = [self._shapes[source][0] for source in layer.sources]
        places = [sum(channels[:n]) for n in range(len(channels))]
        placed = [self._inside.get(each) for each in names]
        first = placed[0]
        there = first is not None and placed == [(first[0], first[1] + place) for place in places]
        if there and first is not None and name not in self._inside:  # they lie like that in a later one
            self._inside[name] = first
            self.parts[name] = tuple(names)
            return
        made: list[str] = []
        for n, (source, each) in enumerate(zip(layer.sources, names, strict=True)):
            part = each
            if source == IMAGE or each in self._inside:
                part = f"part{index}.{n}"
                self.copies.append(Copy(source, part, index))
                self._copy_shapes[part] = self._shapes[source]
            self._inside[part] = name, places[n]
            made.append(part)
        self.parts[name] = tuple(made)

    def _place(self, name: str) -> tuple[str, int]:
        """Tensor and first channel."""
        channel = 0
        while name in self._inside:
            name, more = self._inside[name]
            channel += more
        return name, channel

    def _halos(self) -> None:
        """Halos as large as the borders that readers need; maps of a tensor and what is added to them have the same."""
        wanted: dict[str, Pads] = {}

        def grow(tensor: str, border: Pads) -> bool:
            old = wanted.get(tensor, NO_PADS)
            top, left, bottom, right = (max(pair) for pair in zip(old, border, strict=True))
            wanted[tensor] = top, left, bottom, right
            return wanted[tensor] != old

        for index, layer in enumerate(self._layers):
            grow(self.maps[self.source(index)].tensor, layer.border)
        changed = True
        while changed:
            changed = False
            for index, layer in enumerate(self._layers):
                if layer.add is not None and layer.scaling is not None:
                    pair = [self.maps[output_of(each)].tensor for each in (index, layer.add)]
                    for one, other in (pair, pair[::-1]):
                        changed |= grow(one, wanted.get(other, NO_PADS))
        self.maps = {name: replace(each, halo=wanted.get(each.tensor, NO_PADS)) for name, each in self.maps.items()}

    def _flattened(self) -> None:
        """Copies for layers that read a map with a halo as one pixel."""
        for index, layer in enumerate(self._layers):
            stored = self.maps[output_of(layer.reads)]
            flattened = not layer.joins and (layer.in_shape != stored.shape or layer.parts > 1)
            if flattened and any(stored.halo):
                name = f"flat{index}"
                self.copies.append(Copy(layer.reads, name, index))
                self.maps[name] = PlacedMap(name, 0, stored.shape)
                self._reads[index] = name
