# SPDX-License-Identifier: Apache-2.0
"""Bench of interleaver.v: left neurons of whole passes and of single clocks, load and dump of both banks."""

from __future__ import annotations

import numpy as np

from models.edge.interleaver import Connectivity
from models.edge.shape import JunctionShape
from tb.edge.drivers import rows
from tb.edge.drivers.rows import RowAccess
from tb.edge.drivers.rows import together as rows_together
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
        none = {"cfg_seeds": 0, "cfg_perms": 0}
        self.seed_access = RowAccess(b, self.trace, index_width(self.d), 32, none | {"cfg_seeds": 1}, none)
        self.perm_access = RowAccess(b, self.trace, index_width(self.z), 32, none | {"cfg_perms": 1}, none)
        self.now = 0
        self.seeds = np.zeros((self.seed_rows, self.z), dtype=np.int32)
        self.perms = np.tile(np.arange(self.z, dtype=np.int32), (self.fan_out, 1))
        self.load("apart")

    def load(self, what: str) -> None:
        """New seeds, also all smallest or all largest, and new permutations.

        Without DITHER there are no permutations, and what is written there must go nowhere.

        Args:
            what: "apart": both, one behind the other in any order; "together": both, their clocks mixed;
                "seeds" or "perms": some rows of one of them, the rest stays.
        """
        rng, numpy = self.b.rng, self.b.np
        self.b.cover("load", what)
        steps = []
        if what != "perms":
            kind = rng.choice(["random", "random", "all_zero", "all_last"])
            self.b.cover("seeds", kind)
            rows = self._rows(self.seed_rows, some=what == "seeds")
            fill = {"all_zero": 0, "all_last": self.d - 1}.get(kind)
            for row in rows:
                self.seeds[row] = numpy.integers(0, self.d, self.z) if fill is None else fill
            steps.append((self.seed_access, self.seed_access.loading(self.seeds[rows], rows)))
        if what != "seeds":
            rows = self._rows(self.fan_out, some=what == "perms")
            for row in rows if self.dither else []:
                self.perms[row] = numpy.permutation(self.z)
            steps.append((self.perm_access, self.perm_access.loading(self.perms[rows], rows)))
        rng.shuffle(steps)
        for group in [steps] if what == "together" else [[step] for step in steps]:
            self.now = rows_together(self.now, group)
        self.connectivity = Connectivity((self.shape,), (self.seeds.copy(),), (self.perms.copy(),))
        self.connectivity.check()

    def _rows(self, count: int, some: bool) -> list[int]:
        """All rows, or some, in any order."""
        return self.b.rng.sample(range(count), self.b.rng.randint(1, count) if some else count)

    def dump(self) -> None:
        """Read both banks, one behind the other or their clocks mixed; without DITHER all permutations read 0."""
        steps = [
            (self.seed_access, self.seed_access.dumping(self.seeds)),
            (self.perm_access, self.perm_access.dumping(self.perms * self.dither)),
        ]
        self.b.rng.shuffle(steps)
        for group in self.b.rng.choice([[steps], [[step] for step in steps]]):
            self.now = rows_together(self.now, group)

    def use(self, clocks: list[int]) -> None:
        """Ask for these clocks of a pass, with pauses in between."""
        left = self.connectivity.left_neuron(0).reshape(-1, self.z)
        _, pauses = patterns.any_pattern(self.b.rng)
        for clock in clocks:
            while next(pauses):
                self.now += 1
            if self.b.rng.random() < 0.3:
                self.seed_access.idle(self.now)
            self.trace.drive(self.now, en=1, sweep=clock // self.d, t=clock % self.d)
            memory, address = left[clock] % self.z, left[clock] // self.z
            self.trace.expect(self.now + LATENCY, "addr", address[np.argsort(memory)])
            if self.dither:
                self.trace.expect(self.now + LATENCY, "perm", memory)
            self.now += 1


@bench_test(timeout_clocks=50_000)
async def passes(b: Bench) -> None:
    """Whole passes, and single clocks in any order, between loads and dumps of one bank or both."""
    left = InterleaverTrace(b)
    for what in b.rng.sample(["apart", "together", "seeds", "perms"], 4):
        left.dump()
        left.use(list(range(left.shape.clocks)))
        b.cover("order", "pass")
        left.use([b.rng.randrange(left.shape.clocks) for _ in range(100)])
        b.cover("order", "random")
        left.now += LATENCY
        left.dump()
        left.load(what)
    left.dump()
    left.use(list(range(left.shape.clocks)))
    await left.trace.run(reset=False)
