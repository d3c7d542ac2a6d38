# SPDX-License-Identifier: Apache-2.0
"""Bench of hidden_delta.v: BP sums of both signs and any size times the derivatives kept for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.edge.arithmetic import Mask, bp_sum, hidden_delta
from models.lib.fixed_point import Format
from tb.edge.drivers.ring import RingTrace
from tb.lib import patterns, values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace
from tb.lib.values import IntArray

SUM_LATENCY = 2
LATENCY = 5


def derivatives(b: Bench, p: int, one: int) -> IntArray:
    """Derivatives of P neurons: as ReLU has them, as sigmoid has them, or anything from 0 to 1."""
    kind = b.rng.choice(["relu", "sigmoid", "any"])
    b.cover("derivative", kind)
    if kind == "relu":
        return b.np.choice(np.array([0, one]), p)
    return b.np.integers(0, one // 4 if kind == "sigmoid" else one, p, endpoint=True)


def writer(bench: RingTrace) -> Iterator[None]:
    """Frames of derivatives, as long as there is room."""
    b = bench.b
    p, groups, frac = b.params["P"], b.params["GROUPS"], b.params["FRAC"]
    _, pauses = patterns.any_pattern(b.rng)
    while True:
        frame = yield from bench.next_frame()
        for group in range(groups):
            while next(pauses):
                yield
            words = derivatives(b, p, 1 << frac).tolist()
            bench.trace.drive(bench.now, wr_valid=1, wr_last=int(group == groups - 1), wr_deriv=pack(words, frac + 1))
            for neuron, word in enumerate(words):
                frame.words[group * p + neuron] = (bench.now, word)
            yield


class HiddenDeltaRing(RingTrace):
    """Groups that are read meet their BP sums, which come two clocks later."""

    def read_group(self, words: list[int], first: bool) -> None:
        b, params = self.b, self.b.params
        fmt = Format(params["WIDTH"], params["FRAC"])
        sums = values.signed(b, params["SUM_WIDTH"], params["P"], b.rng.choice([None, *values.STYLES]))
        t, clipped = bp_sum(sums, fmt)
        self.trace.drive(self.now, rd_first=int(first))
        self.trace.drive(self.now + SUM_LATENCY, sum=pack(sums, params["SUM_WIDTH"]))
        if first:
            self.trace.expect(self.now + SUM_LATENCY + 1, "sat", [int(clipped.sum())])
        self.trace.expect(self.now + LATENCY, "delta", hidden_delta(t, words, fmt))
        self._cover(sums, t, clipped, words, first)

    def _cover(self, sums: IntArray, t: IntArray, clipped: Mask, words: list[int], first: bool) -> None:
        b, one = self.b, 1 << self.b.params["FRAC"]
        for neuron, cut in zip(t.tolist(), clipped.tolist(), strict=True):
            b.cover("sum", ("clipped_high" if neuron > 0 else "clipped_low") if cut else "fits")
        if clipped.all() and not first:
            b.cover("sum", "clipped_but_counted_before")
        if (((sums & (one - 1)) == one >> 1) & ~clipped).any():
            b.cover("tie", "sum")
        if (((t * np.array(words)) & (one - 1)) == one >> 1).any():
            b.cover("tie", "delta")


@bench_test(timeout_clocks=5_000)
async def frames(b: Bench) -> None:
    """Passes that read every group for one or more clocks, with resets in between."""
    p, frac = b.params["P"], b.params["FRAC"]
    trace = Trace(
        b,
        control=["wr_valid", "rd_start", "rd_en", "rd_step"],
        noise={
            "wr_last": 1, "wr_deriv": p * (frac + 1), "rd_token": 1, "rd_first": 1, "sum": p * b.params["SUM_WIDTH"],
        },
    )  # fmt: skip
    trace.watch("delta", b.params["WIDTH"], signed=True, fmt=Format(b.params["WIDTH"], frac))
    trace.watch("sat", p.bit_length(), default=0)
    reset = ["wr_valid", "wr_last", "rd_start", "rd_token", "rd_step", "rd_en"]
    ring = HiddenDeltaRing(b, trace, b.params["SLOTS"], b.params["GROUPS"], p, LATENCY, "delta", writer, reset)
    await ring.run(sessions=4, longest=400)
