# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/requantise.v: all settings, every kind of stall, random lanes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.lib.fixed_point import LFSR_SEED_FACTOR, IntArray, round_shift
from models.pe_array.isa.descriptors import MULTIPLIER_BITS, MULTIPLIER_MAX, ONE
from models.pe_array.network.requantise import (
    CUT,
    CUT_MASK,
    POINT_MASK,
    AccumulatorField,
    BoolArray,
    DrainSettings,
    RandomLanes,
    requantise,
)  # fmt: skip
from models.pe_array.network.scaling import HALF
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.hdl_widths import has_multipliers, widths_of
from tb.pe_array.drivers.pipeline import Pins, Pipeline, WordSource

LATENCY = 7

KEPT = ("seed_load", "seed", "s_valid")
"""A reset leaves the random states as they are: these inputs change them."""


class Unit:
    """A requantise and its model."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.lanes, self.acc, self.base = b.params["B"], b.params["ACC"], b.params["LANE_BASE"]
        self.bits, self.scale = widths_of(b).data, has_multipliers(b)
        self.random = RandomLanes(self.lanes, 0, self.base)
        self.gaps = Gaps(b, "words", "maps", "output")
        self.words = WordSource(b, self.gaps, "words", "s", self.lanes * self.acc)
        self.maps = WordSource(b, self.gaps, "maps", "map", self.lanes * 8)
        self.pipe = Pipeline(
            b, self.gaps, [self.words, self.maps], LATENCY, self._result,
            lambda p: [True, bool(p["use_mask"] or p["addend"])],
        )  # fmt: skip
        self.kind = self.draw_kind()

    def draw_kind(self) -> Pins:
        """Settings for the words of a while: powers of two, as they are in training, or any scale."""
        b, rng = self.b, self.b.rng
        kind = {
            "shift": rng.choice([0, 1, 15, 16, 17, 31, rng.randrange(32)]), "stochastic": rng.randrange(2),
            "relu": rng.randrange(2), "use_mask": rng.randrange(2), "field": rng.choice([0, 0, 0, 1, 2]),
            "bias": 0, "bias_shift": 0, "multiplier": ONE, "even": 0, "zero": 0, "low": -128, "high": 127,
            "mask_high": 0, "addend": 0, "addend_zero": 0, "addend_multiplier": ONE, "addend_shift": 0, "near_half": 0,
        }  # fmt: skip
        if rng.random() < 0.3:
            return kind
        addend, small = int(rng.random() < 0.4), values.signed(b, 8, 4).tolist()
        return kind | {
            "bias": int(values.signed(b, 32, 1)[0]), "bias_shift": rng.randrange(16),
            "multiplier": self.multiplier(), "even": rng.randrange(2), "stochastic": int(rng.random() < 0.3),
            "zero": small[0], "low": rng.choice([-128, 0, small[1]]), "high": rng.choice([127, 6, small[2]]),
            "mask_high": rng.randrange(2), "addend": addend, "use_mask": rng.randrange(2) * (1 - addend),
            "addend_zero": small[3], "addend_multiplier": self.multiplier(),
            "addend_shift": rng.choice([0, 0, 1, 8, 31, rng.randrange(32)]), "near_half": rng.randrange(2),
        }  # fmt: skip

    def multiplier(self) -> int:
        """A multiplier, 1.0 of a unit without any; often a power of two, with which there are halves."""
        rng = self.b.rng
        some = [0, 1, MULTIPLIER_MAX, 1 << rng.randrange(MULTIPLIER_BITS)]
        some += [rng.getrandbits(MULTIPLIER_BITS) for _ in range(2)]
        return rng.choice(some) if self.scale else ONE

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
        """More words, and a word of the other map for each of them."""
        for _ in range(words):
            shift = self.b.rng.randrange(self.acc - 8)
            acc = values.signed(self.b, self.acc, self.lanes)
            if self.b.rng.random() < 0.5:  # about as large as a byte, shifted, with the ties of rounding
                acc = values.signed(self.b, 9, self.lanes, "uniform") << shift >> self.b.rng.randrange(2)
            self.words.queue.append(pack(acc, self.acc))
            self.maps.queue.append(pack(values.signed(self.b, 8, self.lanes), 8))

    def _result(self, pins: Pins, words: list[int | None]) -> Pins:
        acc = np.array(unpack(words[0] or 0, self.acc, self.lanes))
        beside = None if words[1] is None else np.array(unpack(words[1], 8, self.lanes))
        same = {name: pins[name] for name in (
            "shift", "bias", "bias_shift", "multiplier", "zero", "low", "high", "addend_zero", "addend_multiplier",
            "addend_shift")}  # fmt: skip
        settings = DrainSettings(
            relu=bool(pins["relu"]), field=AccumulatorField(pins["field"]), bits=self.bits, even=bool(pins["even"]),
            mask_high=bool(pins["mask_high"]), near_half=bool(pins["near_half"]), **same,
        )  # fmt: skip
        is_sum = settings.field is AccumulatorField.SUM
        random = self.random.take(1)[0] if pins["stochastic"] and is_sum else None
        others = (beside, None) if pins["use_mask"] else (None, beside)
        y, clipped = requantise(acc, settings, random, *others)
        self.b.cover("field", settings.field.name.lower())
        if is_sum:
            self._cover_sum(acc, settings, random is not None, clipped, beside)
        if settings.field is not AccumulatorField.INDEX:
            self.b.cover("after", f"relu{pins['relu']}_mask{pins['use_mask']}")
            limits = replace(settings, low=-128, high=127, mask_high=False)
            free = requantise(acc, limits, random, *others)[0]
            for name, moved in (("low", free < y), ("high", free > y)):
                if moved.any() and settings.low <= settings.high and not settings.mask_high:
                    self.b.cover("limit", name)
            if beside is not None and pins["use_mask"] and settings.mask_high:
                self.b.cover("limit", "mask" if ((free != y) & (beside >= settings.high)).any() else "mask_not")
        return {"m_data": pack(y, 8), "m_clipped": int(clipped.sum())}

    def _cover_sum(
        self, acc: IntArray, of: DrainSettings, stochastic: bool, clipped: BoolArray, beside: IntArray | None
    ) -> None:  # fmt: skip
        b = self.b
        shift, multiplier, bias = int(of.shift), int(of.multiplier), int(of.bias)
        b.cover("rounding", "stochastic" if stochastic else "even" if of.even else "half_up")
        b.cover("shift", "0" if shift == 0 else "to_16" if shift <= 16 else "above_16")
        b.cover("multiplier", {ONE: "one", 0: "zero", MULTIPLIER_MAX: "largest"}.get(multiplier, "any"))
        product = (acc + round_shift(bias, of.bias_shift)) * multiplier  # (up to 73 bits: what is lost is beyond a tie)
        half = product >> CUT + shift & POINT_MASK == HALF
        tie = half & (product & (1 << CUT + shift) - 1 == 0)
        lost = half & ~tie
        if not stochastic and beside is None and not clipped.all():
            for name, found in (("tie", tie & ~clipped), ("nearly_a_tie", lost & ~clipped)):
                if found.any():
                    b.cover("half", f"{name}_{'to_even' if of.even else 'up'}")
        if of.even and not stochastic and beside is None:
            if of.near_half and (lost & ~clipped).any():
                b.cover("half", "near")
            if not of.near_half:
                if (lost & ~clipped & (product >> CUT & (1 << shift) - 1 == 0)).any():
                    b.cover("lost", "by_the_cut")
                if (lost & ~clipped & (product & CUT_MASK == 0)).any():
                    b.cover("lost", "by_the_shift")
        if bias and of.bias_shift and bias & (1 << of.bias_shift - 1):
            b.cover("bias", "rounded_up")
        wide = acc.astype(object) + bias
        if of.bias_shift == 0 and ((wide >> self.acc - 1) != (wide >> self.acc)).any():
            b.cover("bias", "beyond_an_accumulator")
        if of.zero and clipped.any():
            b.cover("bias", "zero_and_clipped")
        if clipped.any():
            b.cover("clipped", "all" if clipped.all() else "some")
        if clipped.any() and beside is not None and of.relu:
            b.cover("clipped", "then_hidden")

    def feed_halves(self) -> None:
        """Other settings with words that are halves under them, some with a little more or less that the shift drops.

        All words before must be through.
        """
        rng, zero = self.b.rng, dict.fromkeys(("stochastic", "use_mask", "field", "bias_shift", "addend"), 0)
        most, one = min(30, self.acc - 12), MULTIPLIER_BITS - 1
        low = rng.randint(0, most)  # the lowest bit of the sums: 2^low * multiplier is a half
        log2 = rng.randint(max(0, one - low), one) if self.scale else one
        cut = bool(self.scale) and most + CUT > one and rng.random() < 0.3  # the cut alone drops the little more
        if cut:
            low = rng.randint(one - CUT + 1, most)
            log2 = rng.randint(max(0, one - low), CUT - 1)
        shift = low + log2 - (one - 1)
        bias = rng.choice([0, int(values.signed(self.b, min(32, self.acc - 2), 1)[0])])
        self.kind = self.draw_kind() | zero | {
            "shift": shift, "multiplier": 1 << log2, "bias": bias, "even": rng.randrange(2),
        }  # fmt: skip
        if cut:
            self.kind |= {"even": 1, "near_half": 0, "relu": 0, "zero": 0, "low": -128, "high": 127}
        for _ in range(4):
            acc = values.signed(self.b, 9, self.lanes, "uniform") * 2 + 1 << low
            if log2 < CUT + shift:
                acc += self.b.np.integers(-1, 2, self.lanes)
            self.words.queue.append(pack(acc - bias, self.acc))

    def feed_whole(self) -> None:
        """A word that its random words make whole numbers: only rounding to even would look at that.

        All words before must be through.
        """
        zero = dict.fromkeys(("use_mask", "field", "bias", "bias_shift", "addend"), 0)
        self.kind = self.draw_kind() | zero | {"shift": 16, "multiplier": ONE, "stochastic": 1, "even": 1}
        acc = (values.signed(self.b, 7, self.lanes, "uniform") << 16) - self.random.state
        self.words.queue.append(pack(acc & (1 << self.acc) - 1, self.acc))

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

    async def drain(self, change: float = 0.1) -> None:
        """Until all words are through."""
        for _ in range(20_000):
            if not self.pipe.busy:
                return
            await self.step(change)
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


@bench_test(timeout_clocks=60_000)
async def halves(b: Bench) -> None:
    """Words that are halves, exactly or but for what the shift drops."""
    unit = Unit(b)
    await unit.start()
    for _ in range(40):
        unit.feed_halves()
        await unit.drain(0)
        unit.feed_whole()
        await unit.drain(0)


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
