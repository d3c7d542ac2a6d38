# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/requantise.v: all settings, every kind of stall, random lanes."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import LFSR_SEED_FACTOR
from models.pe_array.network.requantise import AccumulatorField, DrainSettings, RandomLanes, requantise
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.pipeline import Pins, Pipeline, WordSource

LATENCY = 3

KEPT = ("seed_load", "seed", "s_valid")
"""A reset leaves the random states as they are: these inputs change them."""


class Unit:
    """A requantise and its model."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.lanes, self.acc, self.base = b.params["B"], b.params["ACC"], b.params["LANE_BASE"]
        self.bits = widths_of(b).data
        self.random = RandomLanes(self.lanes, 0, self.base)
        self.gaps = Gaps(b, "words", "masks", "output")
        self.words = WordSource(b, self.gaps, "words", "s", self.lanes * self.acc)
        self.masks = WordSource(b, self.gaps, "masks", "mask", self.lanes * 8)
        self.pipe = Pipeline(
            b, self.gaps, [self.words, self.masks], LATENCY, self._result, lambda p: [True, bool(p["use_mask"])]
        )
        self.kind = self.draw_kind()

    def draw_kind(self) -> Pins:
        """Settings for the words of a while."""
        rng = self.b.rng
        return {
            "shift": rng.choice([0, 1, 15, 16, 17, 31, rng.randrange(32)]),
            "stochastic": rng.randrange(2),
            "relu": rng.randrange(2),
            "use_mask": rng.randrange(2),
            "field": rng.choice([0, 0, 0, 1, 2]),
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
        """More words, and a mask for each of them."""
        for _ in range(words):
            shift = self.b.rng.randrange(self.acc - 8)
            acc = values.signed(self.b, self.acc, self.lanes)
            if self.b.rng.random() < 0.5:  # about as large as a byte, shifted, with the ties of rounding
                acc = values.signed(self.b, 9, self.lanes, "uniform") << shift >> self.b.rng.randrange(2)
            self.words.queue.append(pack(acc, self.acc))
            self.masks.queue.append(pack(values.signed(self.b, 8, self.lanes), 8))

    def _result(self, pins: Pins, words: list[int | None]) -> Pins:
        b = self.b
        acc = np.array(unpack(words[0] or 0, self.acc, self.lanes))
        mask = None if words[1] is None else np.array(unpack(words[1], 8, self.lanes))
        field, shift = AccumulatorField(pins["field"]), pins["shift"]
        stochastic = bool(pins["stochastic"]) and field is AccumulatorField.SUM
        random = self.random.take(1)[0] if stochastic else None
        y, clipped = requantise(
            acc, DrainSettings(shift, bool(pins["relu"]), field, self.bits), random, mask
        )
        b.cover("field", field.name.lower())
        if field is AccumulatorField.SUM:
            b.cover("rounding", "stochastic" if stochastic else "half_up")
            b.cover("shift", "0" if shift == 0 else "to_16" if shift <= 16 else "above_16")
            if not stochastic and shift and ((acc & ((1 << shift) - 1)) == 1 << (shift - 1)).any():
                b.cover("rounding", "tie")
            if clipped.any():
                b.cover("clipped", "all" if clipped.all() else "high" if (acc[clipped] > 0).any() else "low")
            if clipped.any() and mask is not None and pins["relu"]:
                b.cover("clipped", "then_hidden")
        if field is not AccumulatorField.INDEX:
            b.cover("after", f"relu{pins['relu']}_mask{pins['use_mask']}")
        return {"m_data": pack(y, 8), "m_clipped": int(clipped.sum())}

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
    """Words of all kinds under every pattern of pauses at the three handshakes."""
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
