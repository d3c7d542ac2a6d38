# SPDX-License-Identifier: Apache-2.0
"""Driver for the bare ports of edge_engine: parameters, sample frames, predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from cocotb.triggers import RisingEdge

from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.registers import Kind
from tb.lib.bench import Bench
from tb.lib.lanes import pack, unpack


class EnginePort:
    """Everything around an edge_engine: one coroutine per port, all with idle patterns."""

    def __init__(self, bench: Bench, config: EdgeConfig) -> None:
        self.bench, self.dut, self.config = bench, bench.dut, config
        self.width = config.format.width
        self.waiting = 0  # committed frames that the engine has not taken
        self.slots = 0  # free slots of the ring
        self.busy_clocks = self.stall_clocks = self.done_pulses = self.admitted = 0
        self.sums = {name: [0] * len(config.junctions) for name in ("busy_ff", "busy_bp", "busy_up")}
        self.sums |= {name: [0] * len(config.junctions) for name in ("sat_ff", "sat_bp", "sat_up")}
        for name in ("start", "stop", "mode", "stochastic", "lr_shift", "nsamples", "rng_seed", "act_valid", "act_data",
                     "act_commit", "act_abort", "label", "frame_valid", "out_room", "cfg_junction", "cfg_kind",
                     "cfg_shift", "cfg_word", "cfg_write", "cfg_read", "cfg_addr"):  # fmt: skip
            getattr(self.dut, name).value = 0

    async def reset(self, slots: int) -> None:
        """Reset the engine; its input ring then has `slots` free slots."""
        self.waiting, self.slots = 0, slots
        await self.bench.reset()

    # -- parameters ------------------------------------------------------------------------------

    async def load(self, junction: int, kind: int, rows: npt.ArrayLike) -> None:
        """Write rows of words into a bank of junction 1 … L."""
        table = np.atleast_2d(np.asarray(rows))
        self.dut.cfg_junction.value, self.dut.cfg_kind.value = junction, kind
        for address, row in enumerate(table):
            self.dut.cfg_shift.value = 1
            for word in row:
                self.dut.cfg_word.value = int(word) & 0xFFFFFFFF
                await self.bench.clocks()
            self.dut.cfg_shift.value = 0
            self.dut.cfg_addr.value, self.dut.cfg_write.value = address, 1
            await self.bench.clocks()
            self.dut.cfg_write.value = 0
        self.dut.cfg_junction.value = 0

    async def dump(self, junction: int, kind: int, rows: int, lanes: int) -> list[int]:
        """Read `rows` rows of `lanes` signed words back."""
        words = []
        self.dut.cfg_junction.value, self.dut.cfg_kind.value = junction, kind
        for address in range(rows):
            self.dut.cfg_addr.value, self.dut.cfg_read.value = address, 1
            await self.bench.clocks()
            self.dut.cfg_read.value = 0
            await self.bench.clocks(2)
            for _ in range(lanes):
                await self.bench.settle()
                words.append(self.dut.cfg_out.value.to_signed())
                self.dut.cfg_shift.value = 1
                await self.bench.clocks()
                self.dut.cfg_shift.value = 0
        self.dut.cfg_junction.value = 0
        return words

    async def load_network(self, connectivity: Connectivity, network: EdgeNetwork) -> None:
        """Load connectivity and parameters of every junction."""
        for i, shape in enumerate(self.config.junctions):
            await self.load(i + 1, Kind.SEEDS, connectivity.seeds[i])
            if self.config.dither:
                await self.load(i + 1, Kind.PERMS, connectivity.perms[i])
            await self.load(i + 1, Kind.WEIGHTS, network.weights[i].reshape(-1, shape.z))
            await self.load(i + 1, Kind.BIASES, network.biases[i].reshape(-1, shape.p))

    async def compare_network(self, network: EdgeNetwork) -> None:
        """Dump weights and biases and compare them with the model's."""
        board, fmt = self.bench.scoreboard, self.config.format
        for i, shape in enumerate(self.config.junctions):
            for name, kind, values, rows, lanes in (
                ("weights", Kind.WEIGHTS, network.weights[i], shape.clocks, shape.z),
                ("biases", Kind.BIASES, network.biases[i], shape.groups, shape.p),
            ):
                board.expect(f"{name} {i + 1}", values, fmt)
                board.got(f"{name} {i + 1}", await self.dump(i + 1, kind, rows, lanes))

    # -- samples and predictions -----------------------------------------------------------------

    async def send(
        self, samples: npt.ArrayLike, labels: npt.ArrayLike, pauses: Iterator[bool], aborts: float = 0.0
    ) -> None:
        """Write frames as fast as slots and pauses allow; a share `aborts` is begun, given up and sent again."""
        lanes = self.config.in_lanes
        for sample, label in zip(np.asarray(samples), np.asarray(labels), strict=True):
            while self.slots == 0:
                await self._step()
            self.slots -= 1
            words = [pack(beat, self.width) for beat in sample.reshape(-1, lanes)]
            if self.bench.rng.random() < aborts:
                await self._words(words[: self.bench.rng.randint(1, len(words))], pauses)
                self.dut.act_abort.value = 1
                self.bench.cover("frames", "aborted")
            await self._words(words, pauses)
            self.dut.act_commit.value, self.dut.label.value = 1, int(label)
            self.bench.start(self._committed())
        await self._step()

    async def _step(self) -> None:
        await self.bench.clocks()
        self.dut.act_valid.value = self.dut.act_commit.value = self.dut.act_abort.value = 0

    async def _words(self, words: list[int], pauses: Iterator[bool]) -> None:
        for word in words:
            while next(pauses):
                await self._step()
            self.dut.act_valid.value, self.dut.act_data.value = 1, word
            await self._step()

    async def _committed(self) -> None:
        await RisingEdge(self.bench.clk)
        self.waiting += 1

    async def watch(self, room: Iterator[bool]) -> None:
        """Follow the engine clock by clock: tokens, outputs, events; room for predictions comes and goes."""
        dut, board = self.dut, self.bench.scoreboard
        lanes = self.config.junctions[-1].p
        while True:
            dut.frame_valid.value = self.waiting > 0
            dut.out_room.value = not next(room)
            await self.bench.settle()
            take = int(dut.frame_take.value)
            free = int(dut.frame_free.value)
            self.admitted += int(dut.admit.value)
            self.busy_clocks += int(dut.busy.value)
            self.stall_clocks += int(dut.stall.value)
            self.done_pulses += int(dut.done.value)
            for name, totals in self.sums.items():
                width = 1 if name.startswith("busy") else 16
                word = int(getattr(dut, name).value)
                if word:
                    for i, count in enumerate(unpack(word, width, len(totals), signed=False)):
                        totals[i] += count
            if int(dut.out_valid.value):
                board.got("outputs", unpack(int(dut.out_data.value), self.width, lanes))
                if int(dut.out_last.value):
                    board.got("labels", int(dut.out_label.value))
            await self.bench.clocks()
            self.waiting -= take
            self.slots += free

    async def run(
        self, n: int, mode: Mode, lr_shift: int, stochastic: bool, rng_seed: int, stop_after: int = 0
    ) -> None:
        """Start a run of n samples (stop_after: endless, stopped once so many are admitted); wait for its end."""
        dut, limit = self.dut, 200_000
        dut.mode.value, dut.lr_shift.value, dut.stochastic.value = int(mode), lr_shift, int(stochastic)
        dut.nsamples.value, dut.rng_seed.value = 0 if stop_after else n, rng_seed
        dut.start.value = 1
        await self.bench.clocks()
        dut.start.value = 0
        before = self.admitted
        if stop_after:
            what = f"{stop_after} samples admitted"
            await self.bench.wait_for(lambda: self.admitted - before >= stop_after, limit, what)
            dut.stop.value = 1
            await self.bench.clocks()
            dut.stop.value = 0
        ended = self.done_pulses
        await self.bench.wait_for(lambda: self.done_pulses > ended, limit, "the end of the run")
        await self.bench.clocks(20)
