# SPDX-License-Identifier: Apache-2.0
"""Where the compiled loops find what belongs to a junction: one table for the bit-exact network and its float twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.edge.config import EdgeConfig
from models.edge.schedule import Schedule

FIELDS = (
    "n_left", "n_right", "fan_in", "z", "p", "activation",
    "edge0", "neuron0", "lane0",  # first edge, right neuron and lane in the arrays that hold all junctions
    "wide",  # 1: fixed-point FF sums need 64 bits
    "gather0", "gather_slots",  # ring of left activations in edge order
    "act0", "act_slots", "slope0", "slope_slots", "delta0", "delta_slots",  # rings of the right layer
)  # fmt: skip
ROW = np.dtype([(name, np.int64) for name in FIELDS])


@dataclass(frozen=True)
class Layout:
    """A row per junction, and the lengths of the arrays that the rings of all junctions share.

    Sample n of a ring of k slots is in slot n mod k. The rings are as short as the schedule lets them be.
    """

    table: np.recarray[Any, Any]
    gathered: int
    act: int
    slope: int
    delta: int
    sums: int

    @classmethod
    def build(cls, config: EdgeConfig, schedule: Schedule) -> Layout:
        """Layout of a configuration."""
        table = np.recarray(len(config.junctions), dtype=ROW)
        ffo, upo = schedule.ffo, schedule.upo
        edge = neuron = gathered = act = slope = delta = 0
        for i, shape in enumerate(config.junctions):
            last = i == len(config.junctions) - 1
            gather_slots = upo[i] - ffo[i] + 1
            act_slots = 1 if last else ffo[i + 1] - ffo[i] + 1
            slope_slots = 1 if last else upo[i + 1] - ffo[i] + 1
            delta_slots = upo[i] - (ffo[i] if last else upo[i + 1]) + 1
            table[i] = (
                shape.n_left, shape.n_right, shape.fan_in, shape.z, shape.p, config.activation_codes[i],
                edge, neuron, shape.lane_base,
                shape.fan_in << (2 * config.format.width - 2) >= 1 << 31,
                gathered, gather_slots,
                act, act_slots, slope, slope_slots, delta, delta_slots,
            )  # fmt: skip
            edge += shape.edges
            neuron += shape.n_right
            gathered += shape.edges * gather_slots
            act += shape.n_right * act_slots
            slope += shape.n_right * slope_slots
            delta += shape.n_right * delta_slots
        return cls(table, gathered, act, slope, delta, max(config.layers))
