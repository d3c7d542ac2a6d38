# SPDX-License-Identifier: Apache-2.0
"""Bench of ff_unit.v: every neuron's activation and derivative, to the clock and to the last bit."""

from __future__ import annotations

import numpy as np

from models.edge.activation import Activation
from models.edge.arithmetic import ff_sum
from models.edge.schedule import tree_latency
from models.edge.shape import JunctionShape
from models.lib.fixed_point import Format
from tb.lib import patterns, values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace


class FeedforwardTrace:
    """Neurons on their way through an ff_unit."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.fmt = fmt = Format(b.params["WIDTH"], b.params["FRAC"])
        self.activation = Activation(b.params["ACTIVATION"])
        fan_in, z = b.params["FI"], b.params["Z"]
        self.shape = JunctionShape(n_left=fan_in, n_right=1, fan_out=1, z=z, lane_base=0)
        self.latency = tree_latency(self.shape)
        self.clock = 0
        b.cover("shape", "fi_below_z" if fan_in < z else "fi_above_z" if fan_in > z else "fi_is_z")
        b.cover("tree", self.latency)
        b.cover("activation", self.activation.name.lower())
        lanes, neurons = z * fmt.width, self.shape.p * fmt.width
        self.trace = Trace(
            b, ["valid"], {"first": 1, "last": 1, "frame_last": 1, "w": lanes, "act": lanes, "bias": neurons}
        )
        self.trace.watch("out_valid", 1, default=0)
        self.trace.watch("sat", self.shape.p.bit_length(), default=0)
        self.trace.watch("out_last", 1)
        self.trace.watch("out_act", fmt.width, signed=True, fmt=fmt)
        self.trace.watch("out_deriv", fmt.frac + 1, fmt=fmt)

    def neurons(self, style: str | None, gap: int = 0, complete: bool = True) -> None:
        """P neurons in Q clocks with `gap` idle clocks before each; without their last clock if not complete."""
        b, fmt, shape = self.b, self.fmt, self.shape
        w, act = (values.signed(b, fmt.width, (shape.q, shape.z), style) for _ in range(2))
        bias = values.signed(b, fmt.width, shape.p, style)
        frame_last = b.rng.random() < 0.3
        for q in range(shape.q if complete else shape.q - 1):
            self.clock += gap
            pins = {"w": pack(w[q], fmt.width), "act": pack(act[q], fmt.width)}
            if q == 0:
                pins["bias"] = pack(bias, fmt.width)
            last = q == shape.q - 1
            if last:
                pins["frame_last"] = int(frame_last)
            self.trace.drive(self.clock, valid=1, first=int(q == 0), last=int(last), **pins)
            self.clock += 1
        if complete:
            products = (w * act).reshape(shape.q, shape.p, -1).sum(axis=(0, 2))
            self._expect(products, bias, frame_last)

    def _expect(self, products: values.IntArray, bias: values.IntArray, frame_last: bool) -> None:
        fmt, trace, end = self.fmt, self.trace, self.clock - 1 + self.latency
        s, clipped = ff_sum(products, bias, fmt)
        act, slope = self.activation(s, fmt)
        trace.expect(end + 3, "sat", [int(clipped.sum())])
        trace.expect(end + 5, "out_valid", [1])
        trace.expect(end + 5, "out_last", [int(frame_last)])
        trace.expect(end + 5, "out_act", act)
        trace.expect(end + 5, "out_deriv", slope)
        self._cover(products, s, clipped)

    def _cover(self, products: values.IntArray, s: values.IntArray, clipped: np.ndarray) -> None:
        b, fmt = self.b, self.fmt
        for number, cut in zip(s.tolist(), clipped.tolist(), strict=True):
            b.cover("sum", ("clipped_high" if number > 0 else "clipped_low") if cut else "fits")
        if clipped.size > 1 and clipped.all():
            b.cover("sum", "all_clipped")
        tie = (products & (fmt.one - 1)) == fmt.one >> 1
        for number in products[tie & ~clipped].tolist():
            b.cover("tie", "positive" if number > 0 else "negative")


@bench_test(timeout_clocks=20_000)
async def neurons(b: Bench) -> None:
    """Neurons of every kind, without gaps, with gaps between neurons and with gaps inside."""
    ff = FeedforwardTrace(b)
    for _ in range(12):
        name, pauses = patterns.any_pattern(b.rng)
        b.cover("gaps", name)
        for _ in range(max(4, 40 // ff.shape.q)):
            ff.clock += next(pauses)
            ff.neurons(b.rng.choice([None, *values.STYLES]), gap=int(name != "never" and b.rng.random() < 0.2))
    await ff.trace.run()


@bench_test(timeout_clocks=5_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset drops the neurons in flight, also a half-fed one, and what enters with it; the next are right."""
    ff = FeedforwardTrace(b)
    for _ in range(8):
        for _ in range(b.rng.randint(1, 4)):
            ff.neurons("small")
        if b.rng.random() < 0.7:
            ff.neurons("small", complete=False)
        ff.clock += b.rng.randint(0, 3)
        ff.trace.reset(ff.clock)
        entering = b.rng.random() < 0.7
        ff.trace.drive(ff.clock, valid=int(entering))
        b.cover("reset", "with_entry" if entering else "in_flight")
        ff.clock += 1
    ff.neurons("small")
    await ff.trace.run()
