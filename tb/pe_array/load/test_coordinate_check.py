# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/load/coordinate_check.v: every beat's verdict two clocks later."""

from __future__ import annotations

from collections import deque

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack

LATENCY = 2


@bench_test(timeout_clocks=3_000)
async def beats(b: Bench) -> None:
    """Beats with none, one or many coordinates beyond, at the limits and behind the end; resets."""
    rng, wide = b.rng, int(b.params.get("WIDE", 1))
    lanes = wide * int(b.params["B"]) // 2
    b.drive(s_valid=0, s_pair=0)
    await b.reset()
    way = deque([False] * LATENCY)
    _, gaps = patterns.any_pattern(rng)
    for _ in range(600):
        row, col = (rng.choice([0, 1, 254, 255, rng.getrandbits(8)]) for _ in range(2))
        pairs = [[rng.randint(0, row), rng.randint(0, col)] for _ in range(lanes)]
        pairs[rng.randrange(lanes)] = [row, col]
        for _ in range(rng.choice([0, 0, 1, 1, lanes])):
            lane, axis = rng.randrange(lanes), rng.randrange(2)
            limit = (row, col)[axis]
            pairs[lane][axis] = rng.choice([min(limit + 1, 255), 255, rng.randint(limit, 255)])
        left = rng.choice([0, 1, lanes - 1, lanes, rng.randint(0, lanes), rng.getrandbits(12)])
        valid, reset = not next(gaps), rng.random() < 0.02
        pair = wide > 1 and rng.random() < 0.6
        there = lanes if pair or wide == 1 else lanes // 2
        b.drive(
            {f"s_{name}": value for name, value in (("valid", valid), ("left", left), ("row", row), ("col", col))},
            s_pair=pair,
            s_data=pack([r << 8 | c for r, c in pairs], 16),
            rst=reset,
        )
        await b.clocks()
        b.check(bad=way.popleft())
        beyond = [r > row or c > col for r, c in pairs]
        bad = valid and any(beyond[: min(left, there)])
        way.append(bad)
        if valid:
            if wide > 1:
                b.cover("pair", "both" if pair else "one")
            behind = not bad and any(beyond)
            b.cover("beat", "bad" if bad else "behind_the_end" if behind else "good")
        if reset:
            b.cover("reset", "bad_inside" if any(way) else "else")
            way = deque([False] * LATENCY)
