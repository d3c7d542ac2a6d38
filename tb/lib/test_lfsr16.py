# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/lfsr16.v against lfsr_step of models/lib/fixed_point.py."""

from __future__ import annotations

from models.lib.fixed_point import lfsr_step
from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

_CLOCKS = 2000


@bench_test(timeout_clocks=2 * _CLOCKS)
async def sequences(b: Bench) -> None:
    """Loads and steps at random, the state compared in every clock."""
    trace = Trace(b, ["load", "step"], {"seed": 16})
    trace.watch("state", 16)
    state: int | None = None
    stepping = 1.0
    for clock in range(_CLOCKS):
        if clock % 200 == 0:
            stepping = b.rng.choice([0.2, 0.9, 1.0])
        step = b.rng.random() < stepping
        trace.drive(clock, step=int(step))
        if clock % 200 == 0 or b.rng.random() < 0.02:
            seed = b.rng.choice([0, 1, 0xFFFF, 1 << b.rng.randrange(16), b.rng.getrandbits(16)])
            trace.drive(clock, load=1, seed=seed)
            state = seed or 1
            b.cover("load", "zero" if seed == 0 else "with_step" if step else "alone")
        elif step and state is not None:
            b.cover("step", "tap" if state & 1 else "shift")
            state = int(lfsr_step(state))
        else:
            b.cover("step", "hold")
        if state is not None:
            trace.expect(clock + 1, "state", [state])
    await trace.run(reset=False)
