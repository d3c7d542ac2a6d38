# SPDX-License-Identifier: Apache-2.0
"""Energy of a training sample on either engine, estimated: for ratios between configurations, as ``studies.energy``."""

from __future__ import annotations

import math

from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Schedule
from models.pe_array.network.config import PeConfig
from studies.energy import HOROWITZ_45NM, Energy, activity, energy
from studies.networks import WeightLayer
from studies.published import PHASES

_ACCESSES = 4
"""Of a weight: FF, BP and UP read it, UP writes it; and of a left value, which FF and UP read and BP sums into."""


def _of_width(narrow: float, wide: float, bits: int) -> float:
    """Energy of an operation on so many bits: a power law through those of 8 and of 32."""
    return narrow * math.pow(bits / 8, math.log(wide / narrow) / math.log(4))


def of_edge(config: EdgeConfig) -> Energy:
    """Of a training sample on the edge engine.

    Counted: the products and sums of FF, BP and UP, for each of them the accesses to weights and to left values, and
    the inputs from external memory, once. Not counted: clock, control, wires, rings of activations, biases.
    """
    table, width = HOROWITZ_45NM, config.format.width
    operations = Schedule(config).edge_slots(1, Mode.PIPELINED)
    multiply = _of_width(table.multiply["int8"], table.multiply["int32"], width)
    add = _of_width(table.add["int8"], table.add["int32"], width)
    values = sum(
        2 * junction.edges * (_ACCESSES - (not number)) for number, junction in enumerate(config.junctions)
    )  # the first junction has no BP
    capacity = max(junction.clocks for junction in config.junctions) * width // 8
    inputs = config.layers[0] * width / 8
    return Energy(
        operations * (multiply + add), values * width / 8 * table.sram_byte(capacity),
        (inputs * table.dram[0] / 8, inputs * table.dram[1] / 8),
    )  # fmt: skip


def of_array(config: PeConfig, dense: bool) -> Energy:
    """Of a training sample on the PE array: its share of a step, layers with weights alone.

    Args:
        dense: with all weights, as before the network is pruned.
    """
    total = Energy(0.0, 0.0, (0.0, 0.0))
    for number, layer in enumerate(config.layers):
        if layer.has_weights:
            shape = WeightLayer(layer.name or f"layer {number}", layer.conv, *layer.in_shape[1:])
            for phase in PHASES:
                if number or phase != "NG":
                    density = 1.0 if dense else layer.density
                    total += energy(activity(shape, phase, config.batch, density, lanes=config.batch))
    low, high = (part / config.batch for part in total.dram)
    return Energy(total.mac / config.batch, total.sram / config.batch, (low, high))
