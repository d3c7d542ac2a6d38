# SPDX-License-Identifier: Apache-2.0
"""Bench of natural_bank.v: frames written ahead of the passes that read them, up to a full ring."""

from __future__ import annotations

from collections.abc import Iterator

from tb.edge.drivers.ring import RingTrace
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

LATENCY = 1


def writer(bench: RingTrace) -> Iterator[None]:
    """Frames of random words, as long as there is room."""
    b, groups = bench.b, bench.b.params["GROUPS"]
    _, pauses = patterns.any_pattern(b.rng)
    while True:
        frame = yield from bench.next_frame()
        for group in range(groups):
            while next(pauses):
                b.cover("write", "pause")
                yield
            word = b.rng.getrandbits(b.params["WIDTH"])
            bench.trace.drive(bench.now, wr_valid=1, wr_last=int(group == groups - 1), wr_data=word)
            frame.words[group] = (bench.now, word)
            b.cover("write", "word")
            yield


@bench_test(timeout_clocks=5_000)
async def frames(b: Bench) -> None:
    """Passes with and without a sample, read in full, in part or not at all, with resets in between."""
    width = b.params["WIDTH"]
    trace = Trace(
        b, control=["wr_valid", "rd_start", "rd_en", "rd_step"], noise={"wr_last": 1, "wr_data": width, "rd_token": 1}
    )
    trace.watch("rd_data", width)
    reset = ["wr_valid", "wr_last", "rd_start", "rd_token", "rd_step"]
    ring = RingTrace(b, trace, b.params["SLOTS"], b.params["GROUPS"], 1, LATENCY, "rd_data", writer, reset)
    await ring.run(sessions=4, longest=500)
