# SPDX-License-Identifier: Apache-2.0
"""Bench of delta_bank.v: sums written at any addresses of their memories, read in natural order."""

from __future__ import annotations

from collections.abc import Iterator

from tb.edge.drivers.ring import RingTrace
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace
from tb.lib.values import signed

LATENCY = 2


def writer(bench: RingTrace) -> Iterator[None]:
    """Passes, some with a sample; the sums of a pass come WR_DELAY clocks after it, one per memory and clock."""
    rng, params = bench.b.rng, bench.b.params
    z, depth, delay = params["Z"], params["D"], params["WR_DELAY"]
    sums: dict[int, dict[str, int]] = {}  # inputs of the write port by clock
    while True:
        token = bench.ring.room and rng.random() < 0.8
        if not bench.ring.room:
            bench.b.cover("write", "full")
        bench.trace.drive(bench.now, wr_start=1, wr_token=int(token))
        clocks = rng.randint(1, 4)
        if token:
            frame = bench.ring.begin(trained=rng.random() < 0.9)
            bench.b.cover("write", "trained" if frame.trained else "untrained")
            if frame.trained:
                clocks = depth + rng.choice([0, 0, rng.randint(1, depth + 4)])
                first = bench.now + delay + 1
                rows = [rng.sample(range(depth), depth) for _ in range(z)]
                for step, clock in enumerate(sorted(rng.sample(range(first, first + clocks), depth))):
                    words = signed(bench.b, params["WIDTH"], z).tolist()
                    address = [row[step] for row in rows]
                    for memory, word in enumerate(words):
                        frame.words[address[memory] * z + memory] = (clock, word)
                    pins = {"wr_addr": pack(address, index_width(depth)), "wr_sum": pack(words, params["WIDTH"])}
                    sums[clock] = pins | {"wr_valid": 1}
        for _ in range(clocks):
            if bench.now in sums:
                bench.trace.drive(bench.now, **sums.pop(bench.now))
            yield


@bench_test(timeout_clocks=5_000)
async def frames(b: Bench) -> None:
    """Passes with and without a sample on both sides, with resets in between."""
    z, depth, width = b.params["Z"], b.params["D"], b.params["WIDTH"]
    trace = Trace(
        b,
        control=["wr_start", "wr_valid", "rd_start", "rd_en", "rd_step"],
        noise={"wr_token": 1, "rd_token": 1, "wr_addr": z * index_width(depth), "wr_sum": z * width},
    )
    trace.watch("rd_sum", width, signed=True)
    reset = ["wr_start", "wr_token", "wr_valid", "rd_start", "rd_token", "rd_step"]
    p = b.params["P"]
    ring = RingTrace(b, trace, b.params["SLOTS"], z * depth // p, p, LATENCY, "rd_sum", writer, reset)
    await ring.run(sessions=4, longest=500)
