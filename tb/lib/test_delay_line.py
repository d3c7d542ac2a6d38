# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/delay_line.v: q in every clock, with resets that count or are ignored."""

from __future__ import annotations

from collections import deque

from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

_CLOCKS = 400


@bench_test(timeout_clocks=2 * _CLOCKS)
async def delay(b: Bench) -> None:
    """New data every clock, and resets of one or several clocks in the stream."""
    width, depth, resets = b.params["WIDTH"], b.params["DEPTH"], b.params["RESET"]
    trace = Trace(b, ["rst"], {"d": width})
    trace.watch("q", width)
    # the registers, the one next to q first
    line: deque[int | None] = deque([0 if resets else None] * depth)
    rst = False
    for clock in range(_CLOCKS):
        rst = b.rng.random() < (0.5 if rst else 0.05)
        d = b.rng.getrandbits(width)
        trace.drive(clock, d=d, rst=int(rst))
        line.append(d)
        q = line.popleft()
        if q is not None:
            trace.expect(clock, "q", [q])
        if rst:
            b.cover("reset", "clears" if resets and depth else "ignored")
            if resets:
                line = deque([0] * depth)
    b.cover("depth", "wire" if depth == 0 else "one" if depth == 1 else "several")
    await trace.run()
