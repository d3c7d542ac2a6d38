# SPDX-License-Identifier: Apache-2.0
"""Bench of up_unit.v: updates of weights and biases with both kinds of rounding, and every lane's LFSR."""

from __future__ import annotations

import numpy as np

from models.edge.arithmetic import bias_update, rounding_addend, weight_update
from models.lib.fixed_point import LFSR_SEED_FACTOR, Format, lane_seed, lfsr_step
from tb.lib import patterns, values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace
from tb.lib.values import IntArray

LATENCY = 2


class UpdateTrace:
    """Rows of Z edges on their way through an up_unit, and the state of its LFSRs."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.p, self.base = b.params["Z"], b.params["P"], b.params["LANE_BASE"]
        self.width, self.frac, self.lr_max = b.params["WIDTH"], b.params["FRAC"], b.params["LR_MAX"]
        self.shift = self.frac + self.lr_max
        self.step_width = self.width + self.lr_max + 1
        # an update of a weight 0 in a format with room for it is the bare update
        self.wide = Format(48, self.frac)
        self.now = 0
        self.weight_lfsr = self.bias_lfsr = np.zeros(0, dtype=np.int64)
        noise = {
            "first": 1,
            "act": self.z * self.width,
            "step": self.p * self.step_width,
            "rng_seed": 16,
            "stochastic": 1,
        }
        self.trace = Trace(b, ["seed_load", "valid"], noise)
        self.trace.watch("upd", 2 * self.width - self.frac, signed=True)
        self.trace.watch("bias_upd", self.width + 1, signed=True)
        b.cover("addend", "above_16" if self.shift > 16 else "below_16" if self.shift < 16 else "is_16")

    def seed(self) -> None:
        """Load all LFSRs; now and then with the seed that is 0 in one of the lanes."""
        rng_seed = self.b.rng.getrandbits(16)
        lanes = self.base + np.arange(self.z + self.p)
        if self.b.rng.random() < 0.3:
            rng_seed = (self.b.rng.choice(lanes.tolist()) + 1) * LFSR_SEED_FACTOR & 0xFFFF
            self.b.cover("seed", "zero_in_a_lane")
        states = lane_seed(lanes, rng_seed)
        self.weight_lfsr, self.bias_lfsr = states[: self.z], states[self.z :]
        self.trace.drive(self.now, seed_load=1, rng_seed=rng_seed)
        self.now += 1

    def rows(self, count: int, stochastic: bool) -> None:
        """A run of rows with one kind of rounding, with pauses."""
        rng = self.b.rng
        name, pauses = patterns.any_pattern(rng)
        self.b.cover("gaps", name)
        self.b.cover("rounding", "stochastic" if stochastic else "half_up")
        begin = self.now
        style = rng.choice([None, *values.STYLES])
        for _ in range(count):
            while next(pauses):
                self.now += 1
            act = values.signed(self.b, self.width, self.z, style)
            delta = values.signed(self.b, self.width, self.p, style)
            self._row(
                act, delta, rng.choice([0, self.lr_max, rng.randint(0, self.lr_max)]), rng.random() < 0.5, stochastic
            )
        for clock in range(begin, self.now + LATENCY):
            self.trace.drive(clock, stochastic=int(stochastic))
        self.now += LATENCY + rng.randint(0, 3)

    def _row(self, act: IntArray, delta: IntArray, lr: int, first: bool, stochastic: bool) -> None:
        step = -delta << (self.lr_max - lr)
        self.trace.drive(
            self.now, valid=1, first=int(first), act=pack(act, self.width), step=pack(step, self.step_width)
        )
        by_lane = np.repeat(delta, self.z // self.p)
        r = rounding_addend(self.shift, stochastic, self.weight_lfsr)
        update, _ = weight_update(0, act, by_lane, lr, self.lr_max, r, self.wide)
        self.trace.expect(self.now + LATENCY, "upd", update)
        self.weight_lfsr = lfsr_step(self.weight_lfsr)
        if first:
            r = rounding_addend(self.lr_max, stochastic, self.bias_lfsr)
            update, _ = bias_update(0, delta, lr, self.lr_max, r, self.wide)
            self.trace.expect(self.now + LATENCY, "bias_upd", update)
            self.bias_lfsr = lfsr_step(self.bias_lfsr)
        self._cover(act * by_lane << (self.lr_max - lr), lr, stochastic)
        self.now += 1

    def _cover(self, steps: IntArray, lr: int, stochastic: bool) -> None:
        self.b.cover("lr", {0: "least", self.lr_max: "most"}.get(lr, "between"))
        half = 1 << (self.shift - 1)
        if not stochastic and ((steps & (2 * half - 1)) == half).any():
            self.b.cover("rounding", "tie")
        if (steps == 1 << (2 * self.width - 2 + self.lr_max)).any():
            self.b.cover("product", "largest")


@bench_test(timeout_clocks=30_000)
async def updates(b: Bench) -> None:
    """Runs of rows; the LFSRs go on through changes of rounding, and start again where they are loaded."""
    up = UpdateTrace(b)
    for _ in range(4):
        up.seed()
        for _ in range(b.rng.randint(1, 6)):
            up.rows(b.rng.randint(1, 40), stochastic=b.rng.random() < 0.6)
    await up.trace.run(reset=False)
