# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/weight_update.v: all settings, every kind of stall, random lanes, momentum, decay."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import LFSR_SEED_FACTOR, IntArray
from models.pe_array.network.requantise import RandomLanes
from models.pe_array.network.weight_update import weight_update
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.pipeline import Pins, Pipeline, WordSource

LATENCY = 7
INPUTS = ("gradient", "master", "momentum")

KEPT = ("seed_load", "seed", "gradient_valid")
"""A reset leaves the random states as they are: these inputs change them."""


class Unit:
    """A weight_update and its model."""

    def __init__(self, b: Bench) -> None:
        self.b, self.lanes, self.base = b, b.params["U"], b.params["LANE_BASE"]
        self.widths = widths_of(b)
        self.random = RandomLanes(self.lanes, 0, self.base)
        self.gaps = Gaps(b, *INPUTS, "output")
        self.sources = [WordSource(b, self.gaps, name, name, self.lanes * 32) for name in INPUTS]
        self.pipe = Pipeline(b, self.gaps, self.sources, LATENCY, self._result, lambda p: [True, True, p["decay"] > 0])
        self.kind = self.draw_kind()

    def draw_kind(self) -> Pins:
        """Settings for the words of a while."""
        rng = self.b.rng
        return {
            "shift": rng.choice([0, 1, 15, 16, 17, 31, rng.randrange(32)]),
            "stochastic": rng.randrange(2),
            "decay": rng.choice([0, 0, 1, 15, rng.randrange(16)]),
            "nesterov": rng.randrange(2),
            "weight_decay": rng.choice([0, 0, 1, 31, rng.randrange(32)]),
        }

    def settings(self, change: float) -> Pins:
        """Settings of the next clock, now and then others, and now and then a load of the seeds."""
        rng = self.b.rng
        if rng.random() < change:
            self.kind = self.draw_kind()
        load = rng.random() < 0.02
        seed = rng.getrandbits(16)
        if load and rng.random() < 0.3:
            seed = (self.base + rng.randrange(self.lanes) + 1) * LFSR_SEED_FACTOR & 0xFFFF
            self.b.cover("seed", "zero_in_a_lane")
        return self.kind | {"seed_load": int(load), "seed": seed}

    def feed(self, words: int) -> None:
        """More words for all three inputs; the upper bits of the masters' containers are anything."""
        b = self.b
        gradient, master, momentum = self.sources
        for _ in range(words):
            g = values.signed(b, 32, self.lanes)
            if b.rng.random() < 0.3:  # ties of rounding
                g = values.signed(b, 8, self.lanes, "uniform") << b.rng.randrange(24)
            gradient.queue.append(pack(g, 32))
            bits = self.widths.master
            w = values.signed(b, bits, self.lanes) & ((1 << bits) - 1)
            master.queue.append(pack(b.np.integers(0, 1 << 32 - bits, self.lanes) << bits | w, 32))
            momentum.queue.append(pack(values.signed(b, 32, self.lanes), 32))

    def _signed(self, word: int | None, width: int = 32) -> IntArray:
        containers = unpack(word or 0, 32, self.lanes, signed=False)
        return np.array(unpack(pack((c & ((1 << width) - 1) for c in containers), width), width, self.lanes))

    def _result(self, pins: Pins, words: list[int | None]) -> Pins:
        g, w = self._signed(words[0]), self._signed(words[1], self.widths.master)
        shift, decay = pins["shift"], pins["decay"]
        v = self._signed(words[2]) if decay else None
        random = self.random.take(1)[0] if pins["stochastic"] else None
        nesterov, weight_decay = bool(pins["nesterov"]), pins["weight_decay"]
        new = weight_update(
            w, g, shift, random, v, decay, self.widths, nesterov=nesterov, weight_decay=weight_decay
        )  # fmt: skip
        plain = weight_update(w, g, shift, random, v, decay, self.widths, weight_decay=weight_decay)
        self._cover(pins, g if new.momentum is None else new.momentum)
        ahead = new.momentum_clipped & ~plain.momentum_clipped
        for name, clipped in (
            ("master", new.master_clipped & (new.master > 0)),
            ("master_low", new.master_clipped & (new.master < 0)),
            ("momentum", plain.momentum_clipped),
            ("ahead", ahead),
            ("weight", new.weight_clipped),
        ):
            if clipped.any():
                self.b.cover("clipped", name)
        return {
            "m_master": pack(new.master, 32),
            "m_momentum": pack(g if new.momentum is None else new.momentum, 32),
            "m_weight": pack(new.weight, 8),
            "m_master_clipped": int(new.master_clipped.sum()),
            "m_momentum_clipped": int(new.momentum_clipped.sum()),
            "m_weight_clipped": int(new.weight_clipped.sum()),
        }

    def _cover(self, pins: Pins, step: IntArray) -> None:
        b, shift = self.b, pins["shift"]
        b.cover("rounding", "stochastic" if pins["stochastic"] else "half_up")
        b.cover("shift", "0" if shift == 0 else "to_16" if shift <= 16 else "above_16")
        b.cover("momentum", {0: "none", 1: "1", 15: "15"}.get(pins["decay"], "between"))
        b.cover("nesterov", "no" if not pins["nesterov"] else "yes" if pins["decay"] else "ignored")
        b.cover("weight_decay", {0: "none", 1: "1", 31: "31"}.get(pins["weight_decay"], "between"))
        plain = not (pins["stochastic"] or (pins["nesterov"] and pins["decay"]))
        if plain and shift and ((step & ((1 << shift) - 1)) == 1 << (shift - 1)).any():
            b.cover("rounding", "tie")

    async def step(self, change: float = 0.1) -> None:
        """One clock."""
        pins = self.settings(change)
        await self.pipe.step(pins)
        if pins["seed_load"]:
            self.random.load(pins["seed"])

    async def start(self) -> None:
        """Reset and load seeds."""
        self.b.drive(self.kind, seed=0, seed_load=1)
        await self.pipe.reset(*KEPT)

    async def drain(self) -> None:
        """Until all words are through."""
        for _ in range(20_000):
            if not self.pipe.busy:
                return
            await self.step()
        raise TimeoutError("words are still inside")


@bench_test(timeout_clocks=60_000)
async def words(b: Bench) -> None:
    """Words of all kinds under every pattern of pauses at the four handshakes."""
    unit = Unit(b)
    await unit.start()
    for _ in range(10):
        unit.gaps.any()
        change = b.rng.choice([0.02, 0.3, 1.0])
        unit.feed(30)
        for _ in range(60):
            await unit.step(change)
    await unit.drain()


@bench_test(timeout_clocks=20_000)
async def full_rate(b: Bench) -> None:
    """A word per clock where nobody waits."""
    unit = Unit(b)
    await unit.start()
    unit.feed(200)
    for _ in range(200):
        await unit.step()
    b.equal("taken", unit.pipe.taken, 200)
    await unit.drain()


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets the words inside and nothing else."""
    unit = Unit(b)
    await unit.start()
    for _ in range(8):
        unit.gaps.any()
        unit.feed(10)
        for _ in range(b.rng.randint(1, 20)):
            await unit.step()
        b.cover("reset", "in_flight" if any(unit.pipe.stages) else "empty")
        b.drive(seed_load=0)
        await unit.pipe.reset(*KEPT)
    await unit.drain()
