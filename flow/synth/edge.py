# SPDX-License-Identifier: Apache-2.0
"""What `make synth` synthesises of the edge-processing engine: one of its junctions, and all of it."""

from __future__ import annotations

from dataclasses import dataclass

from flow.synth.netlist import Netlist
from flow.synth.target import Plan, Target, wrapper_text
from models.edge.activation import SigmoidTable
from models.edge.config import EdgeConfig

TOP = "edge_top"
ECP5_MULTIPLIERS = 64
"""Designs with more are not placed and routed: the largest ECP5 has 156, but router1 did not end with 128."""


@dataclass(frozen=True)
class EdgeTarget(Target):
    """What is synthesised: one junction of an engine as it is in there, or all of `edge_top` (junction 0)."""

    config: EdgeConfig
    junction: int = 0

    @property
    def name(self) -> str:
        return f"junction_{self.junction}" if self.junction else TOP

    @property
    def config_name(self) -> str:
        return self.config.name

    @property
    def top(self) -> str:
        return TOP

    @property
    def part(self) -> str:
        return f"*/jn[{self.junction}].junction" if self.junction else "synth_top/top"

    @property
    def junctions(self) -> tuple[int, ...]:
        """Numbers of the junctions in it."""
        return (self.junction,) if self.junction else tuple(range(1, len(self.config.junctions) + 1))

    @property
    def multipliers(self) -> int:
        """z for FF, for UP and (but in junction 1) for BP, P for hidden deltas.

        An operand of UP, a delta scaled by the learning rate, may be wider than the 25 bits of a DSP: two each.
        """
        shapes, width = self.config.junctions, self.config.format.width
        total = 0
        for number in self.junctions:
            shape = shapes[number - 1]
            per_lane = 1 + (2 if width + self.config.lr_max + 1 > 25 else 1) + (number > 1)
            total += shape.z * per_lane + (shape.p if number < len(shapes) else 0)
        return total

    def wrapper(self, place: str) -> str:
        return wrapper_text(TOP, self.config.verilog_parameters(f"{place}/sigmoid.hex"))

    def data(self) -> dict[str, str]:
        return {"sigmoid.hex": SigmoidTable.build(self.config.format).hex_text()}

    def memory_problems(self, found: Netlist) -> list[str]:
        """Weights must be in block RAM."""
        problems = []
        for number in self.junctions:
            bank = "rows.weights." if self.junction else f"jn[{number}].junction.rows.weights."
            if not any(bank in name for name in found.block_rams):
                problems.append(f"the weights of junction {number} are in no block RAM")
            if any(bank in name for name in found.lut_rams):
                problems.append(f"the weights of junction {number} are in LUTs used as memory")
        return problems


def plan(config: EdgeConfig) -> Plan:
    """The last junction and everything, on xc7 and, where it is small enough, on ecp5."""
    targets = [EdgeTarget(config, len(config.junctions)), EdgeTarget(config)]
    runs = [(target, family) for target in targets for family in ("xc7", "ecp5")]
    return Plan(config.name, [(t, f) for t, f in runs if f == "xc7" or t.multipliers <= ECP5_MULTIPLIERS])
