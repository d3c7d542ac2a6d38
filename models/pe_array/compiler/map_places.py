# SPDX-License-Identifier: Apache-2.0
"""Where the maps of a phase are: addresses for what reads and writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from models.lib.fixed_point import IntArray
from models.pe_array.compiler.allocation import Tensor
from models.pe_array.compiler.output_pattern import MapAt, OutputAt
from models.pe_array.compiler.phases import MapOutput, Phase
from models.pe_array.compiler.records import records_of, scales_of
from models.pe_array.compiler.storage import MapStorage
from models.pe_array.isa.channel_records import Records
from models.pe_array.isa.descriptors import Scales
from models.pe_array.isa.shapes import Pads
from models.pe_array.network.layer import Shape
from models.pe_array.network.seen_map import NO_PADS


@dataclass(frozen=True)
class MapPlaces:
    """Of the maps of a program.

    Attributes:
        tensors: by name.
        storage: of the maps of FF.
        orders: of the channels, by name of the map.
        lanes: B.
    """

    tensors: Mapping[str, Tensor]
    storage: MapStorage
    orders: Mapping[str, IntArray]
    lanes: int

    def at(self, name: str, shape: Shape, border: Pads = NO_PADS) -> MapAt:
        """A map as a layer sees it: with a part of its halo, or flattened."""
        stored = self.storage.maps.get(name)
        if stored is None:
            return MapAt(self.tensors[name].address, *shape)
        plane = math.prod(stored.outer) * self.lanes
        address = self.tensors[stored.tensor].address + stored.channel * plane
        top, left, bottom, right = (a - b for a, b in zip(stored.halo, border, strict=True))
        return MapAt(address, *shape, (top, left, bottom, right))

    def output(self, made: MapOutput, phase: Phase) -> OutputAt:
        """What becomes of the sums of a phase, with addresses."""
        shape = made.shape or phase.program.out
        beside = made.mask or made.added
        scales, records = None, None
        if made.bias is not None or made.clip:
            scales = Scales(mask_high=bool(made.clip and made.mask), high=made.clip or Scales.high)
        if made.bias is not None:
            scales = replace(scales or Scales(), records=Records.BIASES, bias_shift=made.bias_shift)
            records = self.tensors[made.bias].address
        elif made.scaling is not None:
            kind, _ = records_of(made.scaling, made.field, self.orders[made.tensor])
            records = None if kind is Records.NONE else self.tensors[f"records{phase.layer}"].address
            scales = scales_of(made.scaling, kind)
        return OutputAt(
            self.at(made.tensor, shape), made.shift, made.field, made.stochastic, made.relu,
            mask=None if beside is None else self.at(beside, shape).address, use_mask=made.mask is not None,
            scales=scales, records=records, places=None if made.places is None else self.tensors[made.places].address,
            limited=made.clip > 0 and made.places is not None,
        )  # fmt: skip
