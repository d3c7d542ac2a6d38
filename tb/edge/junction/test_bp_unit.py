# SPDX-License-Identifier: Apache-2.0
"""Bench of bp_unit.v: sums of left neurons, above all where an address comes back within a few clocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.edge.interleaver import Connectivity
from models.edge.shape import JunctionShape
from tb.lib import patterns, values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace
from tb.lib.values import IntArray


class BackpropagationTrace:
    """Rows of Z edges on their way through a bp_unit."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.depth, self.fan_out, self.p = (b.params[name] for name in ("Z", "D", "FAN_OUT", "P"))
        self.width, self.dither = b.params["WIDTH"], b.params["DITHER"]
        self.addr_bits, self.perm_bits = index_width(self.depth), index_width(self.z)
        # a neuron's edges fill Z/P lanes of one clock: any number of right neurons that gives this P will do
        n_left = self.z * self.depth
        self.shape = JunctionShape(n_left, self.depth * self.fan_out * self.p, self.fan_out, self.z, lane_base=0)
        self.now = 0
        self._busy: list[int] = []  # clocks of the rows so far
        self._rows: list[IntArray] = []  # and their addresses
        noise = {"sweep_first": 1, "sweep_last": 1, "w": self.z * self.width, "delta": self.p * self.width}
        noise |= {"addr": self.z * self.addr_bits, "perm": self.z * self.perm_bits}
        self.trace = Trace(b, ["valid"], noise)
        self.trace.watch("out_valid", 1, default=0)
        self.trace.watch("out_addr", self.addr_bits)
        self.trace.watch("out_sum", 2 * self.width + (self.fan_out - 1).bit_length(), signed=True)
        b.cover("sweep", self.depth if self.depth < 3 else "longer")
        b.cover("dither", self.dither)

    def operands(self, rows: int) -> tuple[IntArray, IntArray, IntArray]:
        """Weights (rows, Z), deltas (rows, P) and products by lane (rows, Z)."""
        style = self.b.rng.choice([None, *values.STYLES])
        w = values.signed(self.b, self.width, (rows, self.z), style)
        delta = values.signed(self.b, self.width, (rows, self.p), style)
        return w, delta, w * np.repeat(delta, self.z // self.p, axis=1)

    def row(
        self, w: IntArray, delta: IntArray, first: bool, addr: IntArray, perm: IntArray, sums: IntArray | None
    ) -> None:
        """One row in clock `now`; sums: what comes out, by memory, if it belongs to the last sweep."""
        pins = {"w": pack(w, self.width), "delta": pack(delta, self.width)}
        self.trace.drive(self.now, valid=1, sweep_first=int(first), sweep_last=int(sums is not None), **pins)
        self.trace.drive(self.now + 1, addr=pack(addr, self.addr_bits))
        if self.dither:
            self.trace.drive(self.now + 1, perm=pack(perm, self.perm_bits))
        if sums is not None:
            self.trace.expect(self.now + 3, "out_valid", [1])
            self.trace.expect(self.now + 3, "out_addr", addr)
            self.trace.expect(self.now + 3, "out_sum", sums)
            if (np.abs(sums) == self.fan_out << (2 * self.width - 2)).any():
                self.b.cover("sum", "largest")
        self._cover_hazards(first, addr)
        self._busy.append(self.now)
        self._rows.append(addr)
        self.now += 1

    def _cover_hazards(self, first: bool, addr: IntArray) -> None:
        """An address of this row was used by one of the last two rows."""
        for back in (1, 2):
            if len(self._rows) < back or not (self._rows[-back] == addr).any():
                continue
            distance = self.now - self._busy[-back]
            if distance <= 2:
                kind = "adjacent" if distance == 1 else "after_gap" if back == 1 else "one_between"
                self.b.cover("restart" if first else "hazard", kind)

    def seeds(self) -> IntArray:
        """Seed vectors of a pass; often a memory starts a sweep where it ended the one before."""
        seeds = self.b.np.integers(0, self.depth, (self.fan_out, self.z))
        again = self.b.np.random(seeds.shape) < self.b.rng.choice([0.0, 0.5, 1.0])
        for sweep in range(1, self.fan_out):
            seeds[sweep] = np.where(again[sweep], (seeds[sweep - 1] - 1) % self.depth, seeds[sweep])
        return seeds

    def junction_pass(self, pauses: Iterator[bool], rows: int | None = None) -> None:
        """A pass as a junction makes it, judged by its edges; only its first rows if their number is given."""
        shape, z = self.shape, self.z
        perms = [self.b.np.permutation(z) if self.dither else np.arange(z) for _ in range(self.fan_out)]
        connectivity = Connectivity((shape,), (self.seeds().astype(np.int32),), (np.array(perms, dtype=np.int32),))
        left = connectivity.left_neuron(0).astype(np.int64)
        w, delta, products = self.operands(shape.clocks)
        total = np.zeros(shape.n_left, dtype=np.int64)
        np.add.at(total, left, products.reshape(-1))
        for clock, neurons in enumerate(left.reshape(-1, z)[:rows]):
            while next(pauses):
                self.now += 1
            by_memory = neurons[np.argsort(neurons % z)]
            sweep = clock // self.depth
            sums = total[by_memory] if sweep == self.fan_out - 1 else None
            self.row(w[clock], delta[clock], sweep == 0, by_memory // z, neurons % z, sums)

    def any_addresses(self, pauses: Iterator[bool]) -> None:
        """One sweep, then rows with the same few addresses over and over, as no junction would use them.

        An address gets as many products as a sum has room for; every row after the first sweep puts its sum out.
        """
        most = 2 * self.fan_out - 1
        memories = np.arange(self.z)
        used = np.zeros((self.z, self.depth), dtype=np.int64)
        sums = np.zeros_like(used)
        addr = np.zeros(self.z, dtype=np.int64)
        rows = self.depth * most
        w, delta, products = self.operands(rows)
        for clock in range(rows):
            first = clock < self.depth
            if first:
                addr = np.full(self.z, clock)
            else:
                free = [np.flatnonzero(counts < most) for counts in used]
                stay = self.b.np.random(self.z) < 0.5
                addr = np.array([
                    now if keep and now in choice else self.b.rng.choice(choice.tolist())
                    for now, keep, choice in zip(addr, stay, free, strict=True)
                ])  # fmt: skip
            perm = self.b.np.permutation(self.z) if self.dither else memories
            sums[memories[perm], addr[perm]] += products[clock]
            used[memories, addr] += 1
            while next(pauses):
                self.now += 1
            self.row(w[clock], delta[clock], first, addr, perm, None if first else sums[memories, addr])
            self.b.cover("addresses", "any")


@bench_test(timeout_clocks=20_000)
async def passes(b: Bench) -> None:
    """Passes of junctions, back to back, with pauses between them and inside."""
    bp = BackpropagationTrace(b)
    for _ in range(12):
        name, pauses = patterns.any_pattern(b.rng)
        b.cover("gaps", name)
        for _ in range(1 + 40 // bp.shape.clocks):
            bp.junction_pass(pauses)
    await bp.trace.run()


@bench_test(timeout_clocks=20_000)
async def any_addresses(b: Bench) -> None:
    """Addresses that come back in the next clock, after a pause, or one row later, also inside a sweep."""
    bp = BackpropagationTrace(b)
    for _ in range(1 + 200 // (bp.depth * bp.fan_out)):
        bp.any_addresses(patterns.any_pattern(b.rng)[1])
    await bp.trace.run()


@bench_test(timeout_clocks=10_000)
async def reset_in_flight(b: Bench) -> None:
    """A reset in mid-pass drops what is in flight and what enters in its clock; the passes after it are right."""
    bp = BackpropagationTrace(b)
    for _ in range(5):
        bp.junction_pass(patterns.never(), rows=b.rng.randint(1, bp.shape.clocks))
        bp.now += b.rng.randint(1, 3)
        bp.trace.reset(bp.now)
        entering = b.rng.random() < 0.7
        bp.trace.drive(bp.now, valid=int(entering))
        b.cover("reset", "with_entry" if entering else "in_flight")
        bp.now += 1
        bp.junction_pass(patterns.never())
    await bp.trace.run()
