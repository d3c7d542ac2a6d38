# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/mux_tree.v: the chosen lane with valid and side bits in the right clock, a new choice per clock."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace

_CLOCKS = 300


@bench_test(timeout_clocks=2 * _CLOCKS)
async def choices(b: Bench) -> None:
    """Every lane, in order and at random, with idle clocks and a reset, which clears valid alone."""
    lanes, width, side = (int(b.params[name]) for name in ("N", "WIDTH", "SIDE"))
    latency = ((lanes - 1).bit_length() + 1) // 2
    select_bits = index_width(lanes)
    trace = Trace(b, ["s_valid"], {"s_select": select_bits, "s_data": lanes * width, "s_side": side})
    trace.watch("m_valid", 1, default=0)
    trace.watch("m_data", width)
    trace.watch("m_side", side)
    order = b.rng.random() < 0.5
    for clock in range(_CLOCKS):
        lane = clock % lanes if order else b.rng.randrange(lanes)
        words = [b.rng.choice([0, (1 << width) - 1, b.rng.getrandbits(width)]) for _ in range(lanes)]
        extra = b.rng.getrandbits(side)
        trace.drive(clock, s_select=lane, s_data=pack(words, width), s_side=extra)
        trace.expect(clock + latency, "m_data", [words[lane]])
        trace.expect(clock + latency, "m_side", [extra])
        if b.rng.random() < 0.7:
            trace.drive(clock, s_valid=1)
            trace.expect(clock + latency, "m_valid", [1])
    b.cover("order", "rising" if order else "random")
    b.cover("levels", latency)
    await trace.run()


@bench_test(timeout_clocks=2 * _CLOCKS)
async def reset_clears_valid(b: Bench) -> None:
    """What is on its way at a reset does not come out; a wire has nothing on its way."""
    lanes, width, side = (int(b.params[name]) for name in ("N", "WIDTH", "SIDE"))
    latency = ((lanes - 1).bit_length() + 1) // 2
    trace = Trace(b, ["s_valid"], {"s_select": index_width(lanes), "s_data": lanes * width, "s_side": side})
    trace.watch("m_valid", 1, default=0)
    for clock in range(100):
        trace.drive(clock, s_valid=1)
        trace.expect(clock + latency, "m_valid", [1])
        if b.rng.random() < 0.1:
            if latency:
                trace.reset(clock)
            b.cover("reset", "clears" if latency else "none")
    await trace.run()
