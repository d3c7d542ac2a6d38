# SPDX-License-Identifier: Apache-2.0
"""Bench of activation_function.v: of the whole range of sums, one for every entry of a table, a new one every clock."""

from __future__ import annotations

import numpy as np

from models.edge.activation import MAX_ADDRESS_BITS, Activation
from models.lib.fixed_point import Format
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace
from tb.lib.values import signed

LATENCY = 2


@bench_test(timeout_clocks=5_000)
async def sums(b: Bench) -> None:
    """Every value of the upper bits in random order, with any bits below them, and corners in between."""
    fmt = Format(b.params["WIDTH"], b.params["FRAC"])
    activation = Activation(b.params["ACTIVATION"])
    step = 1 << (fmt.width - min(fmt.width, MAX_ADDRESS_BITS))
    upper = np.arange(fmt.min_raw, fmt.max_raw, step)
    values = np.concatenate([upper + b.np.integers(0, step, upper.shape), signed(b, fmt.width, 200, "corners")])
    b.np.shuffle(values)
    activations, derivatives = activation(values, fmt)

    trace = Trace(b, control=[], noise={"s": fmt.width})
    trace.watch("a", fmt.width, signed=True, fmt=fmt)
    trace.watch("d", fmt.frac + 1, fmt=fmt)
    for clock, s in enumerate(values.tolist()):
        trace.drive(clock, s=pack([s], fmt.width))
        trace.expect(clock + LATENCY, "a", [activations[clock]])
        trace.expect(clock + LATENCY, "d", [derivatives[clock]])
        b.cover(activation.name.lower(), "negative" if s < 0 else "positive" if s > 0 else "zero")
    await trace.run(reset=False)
