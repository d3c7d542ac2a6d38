# SPDX-License-Identifier: Apache-2.0
"""Bench of junction.v: random passes of FF, BP and UP against the operations of the model, to the clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.edge.activation import Activation
from models.edge.arithmetic import (
    bias_update,
    bp_sum,
    ff_sum,
    hidden_delta,
    output_delta,
    rounding_addend,
    weight_update,
)
from models.edge.interleaver import Connectivity
from models.edge.registers import Kind
from models.edge.schedule import tree_latency
from models.edge.shape import JunctionShape, pass_clocks
from models.edge.stages import Span, Stage
from models.lib.fixed_point import Format, lane_seed, lfsr_step
from tb.edge.drivers.rows import RowAccess, together
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace
from tb.lib.values import IntArray

S0 = 1  # clocks from pass_start to the first row


@dataclass
class Sample:
    """A sample on its way through the junction."""

    left: IntArray
    label: int
    derivative: IntArray
    delta: IntArray | None = None  # of the output layer
    sums: IntArray | None = None  # BP sums of the left layer


class JunctionTrace:
    """Passes of a junction with its parameters, planned clock by clock."""

    def __init__(self, b: Bench) -> None:
        self.b, p = b, b.params
        self.fmt = Format(p["WIDTH"], p["FRAC"])
        self.shape = JunctionShape(p["N_LEFT"], p["N_RIGHT"], p["FAN_OUT"], p["Z"], p["LANE_BASE"])
        self.lr_max, self.last, self.first = p["LR_MAX"], bool(p["IS_LAST"]), p["INDEX"] == 1
        self.p_in, self.right_width = p["P_IN"], p["RIGHT_SUM"]
        self.left_width = 2 * self.fmt.width + (self.shape.fan_out - 1).bit_length()
        self.latency = S0 + Stage.ACTIVATION_WRITE + tree_latency(self.shape)
        # passes from FF to UP of a sample, and from UP to the reading of its sums
        self.up_after, self.sums_after = p["RIGHT_SLOTS"] - 1, p["SUM_SLOTS"] - 1
        clocks, need = self.shape.clocks, Span.FF_TO_DELTA + tree_latency(self.shape)
        self.pass_clocks = pass_clocks([self.shape])
        b.require(self.up_after >= math.ceil((clocks + need) / self.pass_clocks), "RIGHT_SLOTS is too small")
        b.require(
            self.sums_after >= math.ceil((clocks + Span.SUM_TO_DELTA) / self.pass_clocks), "SUM_SLOTS is too small"
        )
        b.require(p["LEFT_SLOTS"] >= self.up_after + 2, "LEFT_SLOTS is too small")
        noise = {
            "left_act": self.p_in * self.fmt.width, "right_sum": self.shape.p * self.right_width, "label": 16,
            "ff_token": 1, "up_token": 1, "copy_token": 1, "up_train": 1, "rng_seed": 16, "cfg_word": 32,
            "cfg_addr": 16, "left_rd_token": 1, "lr_shift": 5, "cfg_kind": 2,
        }  # fmt: skip
        control = ["pass_start", "left_valid", "left_commit", "left_abort", "left_rd_start", "left_rd_en",
                   "left_rd_step", "seed_load", "stochastic", "cfg_shift", "cfg_write", "cfg_read",
                   "cfg_junction"]  # fmt: skip
        self.trace = Trace(b, control, noise)
        for pin in ("right_valid", "busy_ff", "busy_bp", "busy_up", "sat_ff", "sat_bp", "sat_up", "right_rd_en",
                    "right_rd_step"):  # fmt: skip
            self.trace.watch(pin, 16 if pin.startswith("sat") else 1, default=0)
        self.trace.watch("right_last", 1)
        self.trace.watch("right_act", self.fmt.width, signed=True, fmt=self.fmt)
        self.trace.watch("left_sum", self.left_width, signed=True, default=0 if self.first else None)
        self.trace.watch("cfg_out", 32, signed=True)
        self.now = 0
        shape, self.dither = self.shape, bool(p["DITHER"])
        self.w = np.zeros(shape.edges, dtype=np.int64)
        self.bias = np.zeros(shape.n_right, dtype=np.int64)
        seeds = np.zeros((shape.fan_out if p["SWEEP_SEEDS"] else 1, shape.z), dtype=np.int64)
        perms = np.tile(np.arange(shape.z), (shape.fan_out, 1))
        self.tables: list[IntArray] = [self.w.reshape(-1, shape.z), self.bias.reshape(-1, shape.p), seeds, perms]
        widths = self.fmt.width, self.fmt.width, index_width(shape.sweep), index_width(shape.z)
        self.accesses = [self._access(kind, width) for kind, width in enumerate(widths)]

    # -- parameters ------------------------------------------------------------------------------

    def _access(self, kind: int, width: int) -> RowAccess:
        index = self.b.params["INDEX"]
        elsewhere = {"cfg_junction": index ^ 1 << self.b.rng.randrange(8)}  # with any kind
        return RowAccess(self.b, self.trace, width, 32, {"cfg_junction": index, "cfg_kind": kind}, elsewhere)

    def load(self, what: str) -> None:
        """New parameters, also seeds and permutations. Without DITHER what is written to these must go nowhere.

        Args:
            what: "apart": all banks, one behind the other in any order; "together": all, their clocks mixed;
                "some": some rows of some banks; the rest stays.
        """
        rng = self.b.rng
        self.b.cover("load", what)
        style = rng.choice(["small", "uniform", "corners"])
        steps = []
        for kind in rng.sample(range(4), rng.randint(1, 3) if what == "some" else 4):
            table = self.tables[kind]
            addresses = rng.sample(range(len(table)), rng.randint(1, len(table)) if what == "some" else len(table))
            words = self._words(kind, (len(addresses), table.shape[1]), style)
            if kind != Kind.PERMS or self.dither:
                table[addresses] = words
            steps.append((self.accesses[kind], self.accesses[kind].loading(words, addresses)))
        for group in [steps] if what == "together" else [[step] for step in steps]:
            self.now = together(self.now, group)
        seeds, perms = (self.tables[kind].astype(np.int32) for kind in (Kind.SEEDS, Kind.PERMS))
        self.left_of = Connectivity((self.shape,), (seeds,), (perms,)).left_neuron(0)
        self.now += 2

    def _words(self, kind: int, rows: tuple[int, int], style: str) -> IntArray:
        if kind == Kind.SEEDS:
            return self.b.np.integers(0, self.shape.sweep, rows)
        if kind == Kind.PERMS:
            return self.b.np.permuted(np.tile(np.arange(rows[1]), (rows[0], 1)), axis=1)
        return values.signed(self.b, self.fmt.width, rows, style)

    def dump(self) -> None:
        """Read all banks, one behind the other or their clocks mixed; without DITHER all permutations read 0."""
        tables = [table * (kind != Kind.PERMS or self.dither) for kind, table in enumerate(self.tables)]
        steps = [(access, access.dumping(table)) for access, table in zip(self.accesses, tables, strict=True)]
        self.b.rng.shuffle(steps)
        for group in self.b.rng.choice([[steps], [[step] for step in steps]]):
            self.now = together(self.now, group)
        self.now += 1

    # -- passes ----------------------------------------------------------------------------------

    def run(self, passes: int, train: bool, stochastic: bool) -> None:
        """A run: passes with and without samples, then enough empty ones to let all samples through."""
        b, rng = self.b, self.b.rng
        begin = self.now
        rng_seed = rng.getrandbits(16)
        self.trace.drive(self.now, seed_load=1, rng_seed=rng_seed)
        lanes = self.shape.lane_base + np.arange(self.shape.lanes)
        states = lane_seed(lanes, rng_seed)
        self.w_lfsr, self.b_lfsr = states[: self.shape.z], states[self.shape.z :]
        self.now += 1
        self.begun: dict[int, Sample | None] = {}
        self.writer = start = self.now
        style, spacing = rng.choice([None, "small", "small"]), rng.choice([0, 0, 1, 5, 30])
        depth = self.up_after + self.sums_after
        for number in range(passes + depth + 1):
            self.writer = max(self.writer, start)  # at most one frame ahead of the passes
            sample = self._write_frame(style) if number < passes and rng.random() < 0.8 else None
            self.begun[number] = sample
            start = max(self.now, self.writer)
            lr = rng.randint(0, self.lr_max)
            for clock in range(start, start + self.shape.clocks):
                self.trace.drive(clock, lr_shift=lr)
            self._pass(number, start, lr, train, stochastic)
            b.cover("gap", "none" if spacing == 0 else "some")
            self.now = start + self.pass_clocks + rng.randint(0, spacing)
        self.now += self.latency + 16
        for clock in range(begin, self.now):
            self.trace.drive(clock, stochastic=int(stochastic))
            if rng.random() < 0.2:
                rng.choice(self.accesses).idle(clock)

    def _write_frame(self, style: str | None) -> Sample:
        """Write the left activations of a sample, as a frame that may be given up once before."""
        rng, width = self.b.rng, self.fmt.width
        left = values.signed(self.b, width, self.shape.n_left, style)
        words = [pack(word, width) for word in left.reshape(-1, self.p_in)]
        clock = self.writer
        if self.first and rng.random() < 0.1:
            for word in words[: rng.randint(1, len(words))]:
                self.trace.drive(clock, left_valid=1, left_act=word ^ 1)
                clock += 1
            self.trace.drive(clock, left_abort=1)
            clock += 1
            self.b.cover("frame", "aborted")
        for word in words:
            self.trace.drive(clock, left_valid=1, left_act=word)
            clock += 1
        self.trace.drive(clock, left_commit=1)
        self.writer = clock + 1
        label = rng.randrange(self.shape.n_right)
        return Sample(left, label, np.zeros(self.shape.n_right, dtype=np.int64))

    def _pass(self, number: int, start: int, lr: int, train: bool, stochastic: bool) -> None:
        ff, up, next_up = (self.begun.get(n) for n in (number, number - self.up_after, number - self.up_after + 1))
        read = self.begun.get(number - self.up_after - self.sums_after)
        self.trace.drive(start, pass_start=1, ff_token=int(ff is not None), up_token=int(up is not None),
                         up_train=int(train), copy_token=int(next_up is not None),
                         left_rd_start=1, left_rd_token=int(read is not None))  # fmt: skip
        working = up is not None and train
        self.b.cover("pass", f"{'ff' if ff else 'no_ff'}_{'up' if working else 'token' if up else 'no_up'}")
        if read is not None and read.sums is not None:
            self._read_sums(start + S0, read.sums)
        w, bias = self.w.copy(), self.bias.copy()  # FF and BP see the parameters from before this pass's UP
        if ff is not None:
            self._ff(start + S0, ff, w, bias)
        if up is not None and working:
            self._up(start + S0, up, w, lr, stochastic)

    def _ff(self, s0: int, sample: Sample, w: IntArray, bias: IntArray) -> None:
        shape, trace = self.shape, self.trace
        products = (w * sample.left[self.left_of]).reshape(shape.n_right, shape.fan_in).sum(axis=1)
        s, clipped = ff_sum(products, bias, self.fmt)
        act, sample.derivative = Activation(self.b.params["ACTIVATION"])(s, self.fmt)
        sample.delta = output_delta(act, np.arange(shape.n_right) == sample.label, self.fmt)
        for clock in range(shape.clocks):
            trace.expect(s0 + clock, "busy_ff", [1])
        for group in range(shape.groups):
            neurons = slice(group * shape.p, (group + 1) * shape.p)
            done = s0 + group * shape.q + shape.q - 1 + self.latency - S0
            trace.expect(done, "right_valid", [1])
            trace.expect(done, "right_last", [group == shape.groups - 1])
            trace.expect(done, "right_act", act[neurons])
            trace.drive(done, label=sample.label)
            if clipped[neurons].any():
                trace.expect(done - 2, "sat_ff", [clipped[neurons].sum()])
                self.b.cover("saturated", "ff")

    def _up(self, s0: int, sample: Sample, w: IntArray, lr: int, stochastic: bool) -> None:
        shape, fmt, trace = self.shape, self.fmt, self.trace
        delta = self._right_delta(s0, sample)
        by_edge = np.repeat(delta, shape.fan_in)
        if not self.first:
            sample.sums = np.zeros(shape.n_left, dtype=np.int64)
            np.add.at(sample.sums, self.left_of, w * by_edge)
        act = sample.left[self.left_of]
        for clock in range(shape.clocks):
            edges = slice(clock * shape.z, (clock + 1) * shape.z)
            r = rounding_addend(fmt.frac + self.lr_max, stochastic, self.w_lfsr)
            self.w[edges], clipped = weight_update(w[edges], act[edges], by_edge[edges], lr, self.lr_max, r, fmt)
            self.w_lfsr = lfsr_step(self.w_lfsr)
            count = int(clipped.sum())
            first, group = clock % shape.q == 0, clock // shape.q
            if first:
                neurons = slice(group * shape.p, (group + 1) * shape.p)
                r = rounding_addend(self.lr_max, stochastic, self.b_lfsr)
                self.bias[neurons], clipped = bias_update(self.bias[neurons], delta[neurons], lr, self.lr_max, r, fmt)
                self.b_lfsr = lfsr_step(self.b_lfsr)
                count += int(clipped.sum())
            if count:
                trace.expect(s0 + clock + 9, "sat_up", [count])
                self.b.cover("saturated", "up")
            trace.expect(s0 + clock, "busy_up", [1])
            trace.expect(s0 + clock, "right_rd_en", [1])
            if not self.first:
                trace.expect(s0 + clock, "busy_bp", [1])
            if clock % shape.q == shape.q - 1:
                trace.expect(s0 + clock, "right_rd_step", [1])

    def _right_delta(self, s0: int, sample: Sample) -> IntArray:
        """Deltas of the right layer; for a hidden one from random BP sums, given when they are asked for."""
        shape = self.shape
        if self.last:
            assert sample.delta is not None
            return sample.delta
        sums = values.signed(self.b, self.right_width, shape.n_right, self.b.rng.choice(["small", "small", "corners"]))
        sums = np.clip(sums, -(1 << (self.right_width - 2)), (1 << (self.right_width - 2)) - 1)
        t, clipped = bp_sum(sums, self.fmt)
        for clock in range(shape.clocks):
            neurons = slice(clock // shape.q * shape.p, (clock // shape.q + 1) * shape.p)
            self.trace.drive(s0 + clock + 2, right_sum=pack(sums[neurons], self.right_width))
            if clock % shape.q == 0 and clipped[neurons].any():
                self.trace.expect(s0 + clock + 3, "sat_bp", [clipped[neurons].sum()])
                self.b.cover("saturated", "bp")
        return hidden_delta(t, sample.derivative, self.fmt)

    def _read_sums(self, s0: int, sums: IntArray) -> None:
        """The junction to the left reads the sums of a sample, group after group."""
        for group, words in enumerate(sums.reshape(-1, self.p_in)[: self.shape.clocks]):
            self.trace.drive(s0 + group, left_rd_en=1, left_rd_step=1)
            self.trace.expect(s0 + group + 2, "left_sum", words)
            self.b.cover("sums", "read")


@bench_test(timeout_clocks=60_000)
async def passes(b: Bench) -> None:
    """Runs, trained or not, between loads of all parameters and of some; all are compared before and after each."""
    junction = JunctionTrace(b)
    for what in [*b.rng.sample(["apart", "together"], 2), "some"]:
        junction.load(what)
        junction.dump()
        train, stochastic = b.rng.random() < 0.8, b.rng.random() < 0.5
        b.cover("run", "training" if train else "inference")
        b.cover("rounding", "stochastic" if stochastic else "half_up")
        junction.run(b.rng.randint(3, 12), train, stochastic)
        junction.dump()
    await junction.trace.run()
