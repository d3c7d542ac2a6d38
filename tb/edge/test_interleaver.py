# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/interleaver.v: left neurons of whole passes and of single clocks, load and dump of both banks."""

from __future__ import annotations

import numpy as np

from models.edge.interleaver import Connectivity
from models.edge.shape import JunctionShape
from tb.edge import rows
from tb.edge.rows import RowAccess
from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width
from tb.lib.trace import Trace

LATENCY = 2


class InterleaverTrace:
    """A trace of the module, and the connectivity of a junction of its shape."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.d, self.fan_out = b.params["Z"], b.params["D"], b.params["FAN_OUT"]
        self.dither = bool(b.params["DITHER"])
        self.seed_rows = self.fan_out if b.params["SWEEP_SEEDS"] else 1
        # the right layer does not matter here
        self.shape = JunctionShape(self.z * self.d, self.fan_out, self.fan_out, self.z, lane_base=0)
        self.trace = Trace(
            b,
            control=["en", "cfg_seeds", "cfg_perms", *rows.CONTROL],
            noise={"sweep": index_width(self.fan_out), "t": index_width(self.d), "cfg_word": 32, "cfg_addr": 16},
        )
        self.trace.watch("addr", index_width(self.d))
        self.trace.watch("perm", index_width(self.z))
        self.trace.watch("cfg_out", 32)
        self.seed_access = RowAccess(b, self.trace, index_width(self.d), 32, {"cfg_seeds": 1})
        self.perm_access = RowAccess(b, self.trace, index_width(self.z), 32, {"cfg_perms": 1})
        self.now = 0
        self.load()

    def load(self) -> None:
        """A new connectivity: any seeds, also all smallest or all largest; any permutations.

        Without DITHER there are no permutations, and what is written there must go nowhere.
        """
        kind = self.b.rng.choice(["random", "random", "all_zero", "all_last"])
        self.b.cover("seeds", kind)
        seeds = self.b.np.integers(0, self.d, (self.seed_rows, self.z), dtype=np.int32)
        if kind != "random":
            seeds[:] = 0 if kind == "all_zero" else self.d - 1
        perms = [self.b.np.permutation(self.z) if self.dither else np.arange(self.z) for _ in range(self.fan_out)]
        self.connectivity = Connectivity((self.shape,), (seeds,), (np.array(perms, dtype=np.int32),))
        self.connectivity.check()
        self.now = self.seed_access.load(self.now, seeds)
        self.now = self.perm_access.load(self.now, perms)

    def dump(self) -> None:
        """Read both banks; without DITHER all permutations read 0."""
        self.now = self.seed_access.dump(self.now, self.connectivity.seeds[0])
        self.now = self.perm_access.dump(self.now, self.connectivity.perms[0] * self.dither)

    def use(self, clocks: list[int]) -> None:
        """Ask for these clocks of a pass, with pauses in between."""
        left = self.connectivity.left_neuron(0).reshape(-1, self.z)
        _, pauses = patterns.any_pattern(self.b.rng)
        for clock in clocks:
            while next(pauses):
                self.now += 1
            self.trace.drive(self.now, en=1, sweep=clock // self.d, t=clock % self.d)
            memory, address = left[clock] % self.z, left[clock] // self.z
            self.trace.expect(self.now + LATENCY, "addr", address[np.argsort(memory)])
            if self.dither:
                self.trace.expect(self.now + LATENCY, "perm", memory)
            self.now += 1


@bench_test(timeout_clocks=50_000)
async def passes(b: Bench) -> None:
    """Whole passes, and single clocks in any order, between loads and dumps."""
    left = InterleaverTrace(b)
    for _ in range(3):
        left.dump()
        left.use(list(range(left.shape.clocks)))
        b.cover("order", "pass")
        left.use([b.rng.randrange(left.shape.clocks) for _ in range(100)])
        b.cover("order", "random")
        left.now += LATENCY
        left.dump()
        left.load()
    await left.trace.run(reset=False)
