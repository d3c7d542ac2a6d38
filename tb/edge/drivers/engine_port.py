# SPDX-License-Identifier: Apache-2.0
"""Driver for the bare ports of edge_engine: parameters, sample frames, predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.registers import Kind
from tb.lib import patterns
from tb.lib.bench import Bench
from tb.lib.lanes import pack, unpack
from tb.lib.ports import Beside

_INPUTS = {
    "": ("start", "stop", "mode", "stochastic", "lr_shift", "nsamples", "rng_seed", "label", "frame_valid", "out_room"),
    "act": ("valid", "data", "commit", "abort"),
    "cfg": ("junction", "kind", "shift", "word", "write", "read", "addr"),
}
"""By the prefix of their port."""


class EnginePort(Beside):
    """Everything around an edge_engine: one coroutine per port, all with idle patterns."""

    def __init__(self, bench: Bench, config: EdgeConfig) -> None:
        super().__init__(bench, later=True)
        self.config = config
        self._room = patterns.never()
        self.width = config.format.width
        self.waiting = 0  # committed frames that the engine has not taken
        self.slots = 0  # free slots for frames
        self.busy_clocks = self.stall_clocks = self.done_pulses = self.admitted = 0
        self.sums = {name: [0] * len(config.junctions) for name in ("busy_ff", "busy_bp", "busy_up")}
        self.sums |= {name: [0] * len(config.junctions) for name in ("sat_ff", "sat_bp", "sat_up")}
        for port, pins in _INPUTS.items():
            self.b.drive(dict.fromkeys((f"{port}_{pin}" if port else pin for pin in pins), 0))

    async def restart(self, slots: int) -> None:
        """Reset the engine; junction 1 then has room for `slots` frames."""
        self.waiting, self.slots = 0, slots
        await self.b.reset()

    # -- parameters ------------------------------------------------------------------------------

    async def load(self, junction: int, kind: int, rows: npt.ArrayLike) -> None:
        """Write rows of words into a bank of junction 1 … L."""
        table = np.atleast_2d(np.asarray(rows))
        self.b.drive(cfg_junction=junction, cfg_kind=kind)
        for address, row in enumerate(table):
            self.b.drive(cfg_shift=1)
            for word in row:
                self.b.drive(cfg_word=int(word) & 0xFFFFFFFF)
                await self.b.clocks()
            self.b.drive(cfg_shift=0, cfg_addr=address, cfg_write=1)
            await self.b.clocks()
            self.b.drive(cfg_write=0)
        self.b.drive(cfg_junction=0)

    async def dump(self, junction: int, kind: int, rows: int, lanes: int) -> list[int]:
        """Read `rows` rows of `lanes` signed words back."""
        words = []
        self.b.drive(cfg_junction=junction, cfg_kind=kind)
        for address in range(rows):
            self.b.drive(cfg_addr=address, cfg_read=1)
            await self.b.clocks()
            self.b.drive(cfg_read=0)
            await self.b.clocks()
            for _ in range(lanes):
                await self.b.clocks()
                self.b.drive(cfg_shift=1)
                await self.b.clocks()
                words.append(self.b.see_signed("cfg_out"))
                self.b.drive(cfg_shift=0)
        self.b.drive(cfg_junction=0)
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
        fmt = self.config.format
        for i, shape in enumerate(self.config.junctions):
            for name, kind, values, rows, lanes in (
                ("weights", Kind.WEIGHTS, network.weights[i], shape.clocks, shape.z),
                ("biases", Kind.BIASES, network.biases[i], shape.groups, shape.p),
            ):
                self.b.equal(f"{name} {i + 1}", await self.dump(i + 1, kind, rows, lanes), values, fmt)

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
            if self.b.rng.random() < aborts:
                await self._words(words[: self.b.rng.randint(1, len(words))], pauses)
                self.b.drive(act_abort=1)
                self.b.cover("frames", "aborted")
            await self._words(words, pauses)
            self.b.drive(act_commit=1, label=label)
            self.b.start(self._committed())
        await self._step()

    async def _step(self) -> None:
        await self.b.clocks()
        self.b.drive(act_valid=0, act_commit=0, act_abort=0)

    async def _words(self, words: list[int], pauses: Iterator[bool]) -> None:
        for word in words:
            while next(pauses):
                await self._step()
            self.b.drive(act_valid=1, act_data=word)
            await self._step()

    async def _committed(self) -> None:
        await self.b.clocks()
        self.waiting += 1

    def follow(self, room: Iterator[bool]) -> None:
        """From now on tokens, outputs and events are followed; room for predictions comes and goes."""
        self._room = room
        self.begin()
        self.drive()

    def look(self) -> None:
        """Outputs are compared, events counted."""
        b = self.b
        self.admitted += b.see("admit")
        self.busy_clocks += b.see("busy")
        self.stall_clocks += b.see("stall")
        self.done_pulses += b.see("done")
        for name, totals in self.sums.items():
            width = 1 if name.startswith("busy") else 16
            word = b.see(name)
            if word:
                for i, count in enumerate(unpack(word, width, len(totals), signed=False)):
                    totals[i] += count
        if b.see("out_valid"):
            b.got("outputs", unpack(b.see("out_data"), self.width, self.config.junctions[-1].p))
            if b.see("out_last"):
                b.got("labels", b.see("out_label"))
        self.waiting -= b.see("frame_take")
        self.slots += b.see("frame_free")

    def drive(self) -> None:
        """Frames that wait, and room for predictions."""
        self.b.drive(frame_valid=self.waiting > 0, out_room=not next(self._room))

    async def run(
        self, n: int, mode: Mode, lr_shift: int, stochastic: bool, rng_seed: int, stop_after: int = 0
    ) -> None:
        """Start a run of n samples (stop_after: endless, stopped once so many are admitted); wait for its end."""
        limit = 200000
        self.b.drive(
            mode=mode,
            lr_shift=lr_shift,
            stochastic=stochastic,
            nsamples=0 if stop_after else n,
            rng_seed=rng_seed,
            start=1,
        )
        await self.b.clocks()
        self.b.drive(start=0, mode=self.b.rng.choice(list(Mode)), nsamples=self.b.rng.getrandbits(32))
        before = self.admitted
        if stop_after:
            what = f"{stop_after} samples admitted"
            await self.b.wait_for(lambda: self.admitted - before >= stop_after, limit, what)
            self.b.drive(stop=1)
            await self.b.clocks()
            self.b.drive(stop=0)
        ended = self.done_pulses
        await self.b.wait_for(lambda: self.done_pulses > ended, limit, "the end of the run")
        await self.b.clocks(20)
