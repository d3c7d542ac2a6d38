# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/adder_tree.v: exact sums in the right clock, a new set of lanes every clock."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import Format
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, signed_range
from tb.lib.trace import Trace

_CLOCKS = 300


def one_lane(b: Bench, lanes: int, width: int) -> values.IntArray:
    """All lanes 0 but one, which is at an end of the range."""
    x = np.zeros(lanes, dtype=np.int64)
    x[b.np.integers(lanes)] = b.rng.choice(signed_range(width))
    return x


@bench_test(timeout_clocks=2 * _CLOCKS)
async def sums(b: Bench) -> None:
    """Lanes of every style, one set per clock."""
    lanes, width, every = b.params["N"], b.params["WIDTH"], b.params["REG_EVERY"]
    levels = (lanes - 1).bit_length()
    first = b.params["FIRST"]
    latency = min(levels, 1) + max(-((first - levels) // every), 0)
    sum_width = width + levels
    trace = Trace(b, [], {"x": lanes * width})
    trace.watch("sum", sum_width, signed=True, fmt=Format(sum_width, 0))
    for clock in range(_CLOCKS):
        style = b.rng.choice([*values.STYLES, "one_lane"])
        x = one_lane(b, lanes, width) if style == "one_lane" else values.signed(b, width, lanes, style)
        trace.drive(clock, x=pack(x.tolist(), width))
        trace.expect(clock + latency, "sum", [sum(x.tolist())])
        b.cover("lanes", style)
    b.cover("shape", "one_lane" if lanes == 1 else "full" if lanes == 1 << levels else "ragged")
    b.cover("latency", min(latency, 3))
    await trace.run(reset=False)
