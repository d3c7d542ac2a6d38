# SPDX-License-Identifier: Apache-2.0
"""Bench of slot_counter.v: passes with and without a sample, at any distance, and resets."""

from __future__ import annotations

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width
from tb.lib.trace import Trace

_CLOCKS = 1_000


@bench_test(timeout_clocks=2 * _CLOCKS)
async def passes(b: Bench) -> None:
    """The n-th pass that carries a sample has slot n mod SLOTS, from the clock after its start to the next start."""
    slots = b.params["SLOTS"]
    trace = Trace(b, control=["pass_start"], noise={"token": 1})
    trace.watch("slot", index_width(slots))
    _, pauses = patterns.any_pattern(b.rng)
    sample_share = b.rng.choice([0.2, 0.8, 1.0])
    samples = 0
    carries = started = False  # the present pass carries a sample; it started in the clock before
    for clock in range(_CLOCKS):
        start, reset = not next(pauses), b.rng.random() < 0.01
        token = b.rng.random() < sample_share
        if carries:
            trace.expect(clock, "slot", [(samples - 1) % slots])
        if start:
            trace.drive(clock, pass_start=1, token=int(token))
            b.cover("pass", "sample" if token else "empty")
            b.cover("start", "back_to_back" if started else "after_pause")
            if token and samples and samples % slots == 0:
                b.cover("slot", "wrapped")
            carries = token
            samples += token
        if reset:
            trace.reset(clock)
            b.cover("reset", "with_start" if start else "alone")
            samples, carries = 0, False
        started = start
    await trace.run()
