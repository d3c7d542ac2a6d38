# SPDX-License-Identifier: Apache-2.0
"""Bench of output_delta.v: activations minus the one-hot label, kept until their pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.edge.arithmetic import output_delta
from models.lib.fixed_point import Format
from tb.edge.drivers.ring import RingTrace
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace

WRITE_LATENCY = 1
LATENCY = 5


def random_label(b: Bench, neurons: int) -> int:
    """Any neuron, often the first or the last, or a class that no neuron has."""
    kind = b.rng.choice(["first", "last", "any", "any", "no_neuron"])
    b.cover("label", kind)
    other = b.rng.choice([neurons, 65535, b.rng.randint(neurons, 65535)])
    return {"first": 0, "last": neurons - 1, "any": b.rng.randrange(neurons), "no_neuron": other}[kind]


def writer(bench: RingTrace) -> Iterator[None]:
    """Frames of sigmoid activations with a label each, as long as there is room."""
    b = bench.b
    p, groups, fmt = b.params["P"], b.params["GROUPS"], Format(b.params["WIDTH"], b.params["FRAC"])
    _, pauses = patterns.any_pattern(b.rng)
    while True:
        frame = yield from bench.next_frame()
        label = random_label(b, p * groups)
        for group in range(groups):
            while next(pauses):
                yield
            act = b.np.choice(np.array([0, fmt.one, b.rng.randint(0, fmt.one)]), p)
            neurons = group * p + np.arange(p)
            pins = {"wr_act": pack(act, fmt.width), "label": label}
            bench.trace.drive(bench.now, wr_valid=1, wr_last=int(group == groups - 1), **pins)
            for neuron, delta in zip(neurons.tolist(), output_delta(act, neurons == label, fmt).tolist(), strict=True):
                frame.words[neuron] = (bench.now + WRITE_LATENCY, delta)
            yield


@bench_test(timeout_clocks=5_000)
async def frames(b: Bench) -> None:
    """Passes that read every group for one or more clocks, with resets in between."""
    p, fmt = b.params["P"], Format(b.params["WIDTH"], b.params["FRAC"])
    trace = Trace(
        b,
        control=["wr_valid", "rd_start", "rd_en", "rd_step"],
        noise={"wr_last": 1, "wr_act": p * fmt.width, "label": 16, "rd_token": 1},
    )
    trace.watch("delta", fmt.width, signed=True, fmt=fmt)
    reset = ["wr_valid", "wr_last", "rd_start", "rd_token", "rd_step", "rd_en"]
    ring = RingTrace(b, trace, b.params["SLOTS"], b.params["GROUPS"], p, LATENCY, "delta", writer, reset)
    await ring.run(sessions=4, longest=400)
