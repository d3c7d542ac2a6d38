# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/event_counter.v: the count in every clock, wrapping, with clear and reset."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

_CLOCKS = 1500


@bench_test(timeout_clocks=2 * _CLOCKS)
async def counting(b: Bench) -> None:
    """Steps from none to the largest; clear and reset with and without a step."""
    width, step_width = b.params["WIDTH"], b.params["STEP_WIDTH"]
    largest = (1 << step_width) - 1
    trace = Trace(b, ["rst", "clear", "step"], {})
    trace.watch("count", width)
    count = 0
    trace.expect(0, "count", [0])
    for clock in range(_CLOCKS):
        step = b.rng.choice([0, 1, largest, largest, b.rng.randint(0, largest)])
        zero = b.rng.choice(("reset", "clear", "both")) if b.rng.random() < 0.015 else ""
        rst, clear = zero in ("reset", "both"), zero in ("clear", "both")
        trace.drive(clock, step=step, rst=int(rst), clear=int(clear))
        if zero:
            if count:
                b.cover("zero", zero)
            if step:
                b.cover("zero", "wins_over_step")
            count = 0
        else:
            b.cover("step", "none" if step == 0 else "largest" if step == largest else "between")
            if count + step >= 1 << width:
                b.cover("count", "wraps")
            count = (count + step) % (1 << width)
        trace.expect(clock + 1, "count", [count])
    await trace.run()
