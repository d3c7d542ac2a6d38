# SPDX-License-Identifier: Apache-2.0
"""Bench of up_unit.v: new weights and biases with both kinds of rounding, clipped ones, and every lane's LFSR."""

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
LOADING = 17
"""Clocks from seed_load to the first row, at least."""


class UpdateTrace:
    """Rows of Z edges on their way through an up_unit, and the state of its LFSRs."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.p, self.base = b.params["Z"], b.params["P"], b.params["LANE_BASE"]
        self.fmt, self.lr_max = Format(b.params["WIDTH"], b.params["FRAC"]), b.params["LR_MAX"]
        self.width, self.shift = self.fmt.width, self.fmt.frac + self.lr_max
        self.step_width = self.width + self.lr_max + 1
        self.now = 0
        self.stochastic = False
        self.weight_lfsr = self.bias_lfsr = np.zeros(0, dtype=np.int64)
        noise = {
            "first": 1, "act": self.z * self.width, "step": self.p * self.step_width, "w": self.z * self.width,
            "b": self.p * self.width, "rng_seed": 16, "stochastic": 1,
        }  # fmt: skip
        self.trace = Trace(b, ["seed_load", "valid"], noise)
        self.trace.watch("new_w", self.width, signed=True, fmt=self.fmt)
        self.trace.watch("new_b", self.width, signed=True, fmt=self.fmt)
        self.trace.watch("w_sat", 1)
        self.trace.watch("b_sat", 1)
        b.cover("addend", "above_16" if self.shift > 16 else "below_16" if self.shift < 16 else "is_16")

    def run(self, rows: list[int]) -> None:
        """Load all LFSRs, now and then with the seed that is 0 in one of the lanes; then groups of so many rows."""
        begin, self.stochastic = self.now, self.b.rng.random() < 0.6
        rng_seed = self.b.rng.getrandbits(16)
        lanes = self.base + np.arange(self.z + self.p)
        if self.b.rng.random() < 0.3:
            rng_seed = (self.b.rng.choice(lanes.tolist()) + 1) * LFSR_SEED_FACTOR & 0xFFFF
            self.b.cover("seed", "zero_in_a_lane")
        states = lane_seed(lanes, rng_seed)
        self.weight_lfsr, self.bias_lfsr = states[: self.z], states[self.z :]
        self.trace.drive(self.now, seed_load=1, rng_seed=rng_seed)
        self.now += LOADING + self.b.rng.choice([0, 0, 1, 5])
        self.b.cover("rounding", "stochastic" if self.stochastic else "half_up")
        for count in rows:
            self._rows(count)
        for clock in range(begin, self.now):
            self.trace.drive(clock, stochastic=int(self.stochastic))

    def _rows(self, count: int) -> None:
        """Rows with values of one style, with pauses."""
        rng = self.b.rng
        name, pauses = patterns.any_pattern(rng)
        self.b.cover("gaps", name)
        style = rng.choice([None, *values.STYLES])
        for _ in range(count):
            while next(pauses):
                self.now += 1
            self._row(style, rng.choice([0, self.lr_max, rng.randint(0, self.lr_max)]), rng.random() < 0.5)
        self.now += rng.randint(0, 3)

    def _row(self, style: str | None, lr: int, first: bool) -> None:
        act = values.signed(self.b, self.width, self.z, style)
        delta = values.signed(self.b, self.width, self.p, style)
        w, bias = (values.signed(self.b, self.width, lanes) for lanes in (self.z, self.p))
        step = -delta << (self.lr_max - lr)
        self.trace.drive(
            self.now, valid=1, first=int(first), act=pack(act, self.width), step=pack(step, self.step_width)
        )
        self.trace.drive(self.now + 1, w=pack(w, self.width), b=pack(bias, self.width))
        by_lane = np.repeat(delta, self.z // self.p)
        r = rounding_addend(self.shift, self.stochastic, self.weight_lfsr)
        new, clipped = weight_update(w, act, by_lane, lr, self.lr_max, r, self.fmt)
        self.trace.expect(self.now + LATENCY, "new_w", new)
        self.trace.expect(self.now + LATENCY, "w_sat", clipped)
        self.weight_lfsr = lfsr_step(self.weight_lfsr)
        r = rounding_addend(self.lr_max, self.stochastic, self.bias_lfsr)
        new_bias, bias_clipped = bias_update(bias, delta, lr, self.lr_max, r, self.fmt)
        if first:
            self.trace.expect(self.now + LATENCY, "new_b", new_bias)
            self.trace.expect(self.now + LATENCY, "b_sat", bias_clipped)
            self.bias_lfsr = lfsr_step(self.bias_lfsr)
        for name, out in (("weight", new[clipped]), ("bias", new_bias[bias_clipped])):
            for value in out.tolist():
                self.b.cover(name, "clipped_high" if value > 0 else "clipped_low")
        self._cover(act * by_lane << (self.lr_max - lr), lr)
        self.now += 1

    def _cover(self, steps: IntArray, lr: int) -> None:
        self.b.cover("lr", {0: "least", self.lr_max: "most"}.get(lr, "between"))
        half = 1 << (self.shift - 1)
        if not self.stochastic and ((steps & (2 * half - 1)) == half).any():
            self.b.cover("rounding", "tie")
        if (steps == 1 << (2 * self.width - 2 + self.lr_max)).any():
            self.b.cover("product", "largest")


@bench_test(timeout_clocks=30_000)
async def updates(b: Bench) -> None:
    """Runs of rows with one kind of rounding each; the LFSRs start again where they are loaded."""
    up = UpdateTrace(b)
    for _ in range(6):
        up.run([b.rng.randint(1, 40) for _ in range(b.rng.randint(1, 4))])
    await up.trace.run(reset=False)
