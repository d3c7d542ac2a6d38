# SPDX-License-Identifier: Apache-2.0
"""How busy every unit is while a run fills, runs and drains, read from the engine's counters while it works."""

from __future__ import annotations

from typing import Any

from models.edge.comparison import busy_units, counter_registers
from models.edge.config import EdgeConfig, Mode
from models.edge.registers import EdgeReg, EdgeStatus
from models.edge.schedule import Schedule
from tb.edge.runs.train_player import Player

_PER_PASS = 32
"""Readings that are kept of a pass, at most: a pass may take a hundred thousand clocks."""


class Profile:
    """Readings of all busy counters, each with the clock in which it was taken."""

    def __init__(self, player: Player, config: EdgeConfig) -> None:
        self.player = player
        registers = counter_registers(config)
        self.units = busy_units(config)
        self.registers = {name: registers[name] for name in self.units}
        self.begin = player.now
        self.spacing = config.pass_clocks // _PER_PASS
        self.parts: dict[str, list[list[list[int]]]] = {"fill": [], "drain": []}

    async def sample(self, part: str) -> None:
        """Read every counter once: a list of [clock since the start of the run, count] per unit."""
        row = []
        for name, address in self.registers.items():
            values = await self.player.read({name: address})
            row.append([self.player.now - self.begin, values[name]])
        kept = self.parts[part]
        if len(kept) >= 2 and row[0][0] - kept[-2][0][0] < self.spacing:
            kept.pop()  # the first and the last reading of a part are always there
        kept.append(row)

    async def fill(self, schedule: Schedule, n: int, mode: Mode) -> None:
        """Read until the pipeline is full and a few samples more have entered, or the run ends."""
        clocks = min((schedule.pipeline + 8) * schedule.pass_clocks, schedule.clocks(n, mode))
        while self.player.now - self.begin < clocks:
            await self.sample("fill")

    async def drain(self, limit: int) -> None:
        """Read until the run has ended."""
        while True:
            await self.sample("drain")
            if not (await self.player.read({"STATUS": EdgeReg.STATUS}))["STATUS"] & EdgeStatus.RUN_BUSY:
                return
            if self.player.now - self.begin > limit:
                raise TimeoutError(f"waited {limit} clocks for the end of the run")

    def result(self) -> dict[str, Any]:
        """All readings: {"units": names, "fill": rows, "drain": rows}."""
        return {"units": self.units, **self.parts}
