# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/permute.v: gather, scatter and straight, a new permutation every clock."""

from __future__ import annotations

import numpy as np

from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace

_CLOCKS = 300
_KINDS = ("identity", "reversed", "rotated", "random")


def permutation(b: Bench, lanes: int, kind: str) -> values.IntArray:
    """A permutation of the lane numbers."""
    lane = np.arange(lanes, dtype=np.int64)
    if kind == "random":
        return b.np.permutation(lane)
    if kind == "rotated":
        return np.roll(lane, b.rng.randrange(lanes))
    return lane[::-1] if kind == "reversed" else lane


@bench_test(timeout_clocks=2 * _CLOCKS)
async def permutations(b: Bench) -> None:
    """Words on their lanes one clock later; gather also takes numbers that are no permutation."""
    lanes, width = b.params["LANES"], b.params["WIDTH"]
    scatter, enable = b.params["SCATTER"], b.params["ENABLE"]
    number_width = max(1, (lanes - 1).bit_length())
    trace = Trace(b, [], {"x": lanes * width, "perm": lanes * number_width})
    trace.watch("y", width, signed=True)
    kinds = _KINDS if scatter else (*_KINDS, "repeating")
    for clock in range(_CLOCKS):
        x = values.signed(b, width, lanes, "uniform")
        y = x.copy()
        trace.drive(clock, x=pack(x.tolist(), width))
        if enable:  # else perm is noise, and must not matter
            kind = b.rng.choice(kinds)
            perm = b.np.integers(0, lanes, lanes) if kind == "repeating" else permutation(b, lanes, kind)
            trace.drive(clock, perm=pack(perm.tolist(), number_width))
            if scatter:
                y[perm] = x
            else:
                y = x[perm]
            b.cover("scatter" if scatter else "gather", kind)
        else:
            b.cover("straight", "scatter" if scatter else "gather")
        trace.expect(clock + 1, "y", y.tolist())
    await trace.run(reset=False)
