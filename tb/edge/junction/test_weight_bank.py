# SPDX-License-Identifier: Apache-2.0
"""Bench of weight_bank.v: passes over all rows and random ones, updates that fit or clip, load and dump."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import saturate
from tb.edge.drivers import rows
from tb.edge.drivers.rows import RowAccess
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace
from tb.lib.values import signed


class WeightBankTrace:
    """A trace of the bank and what its rows must hold; `rows` is int64 (DEPTH, LANES)."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.lanes, self.depth = b.params["LANES"], b.params["DEPTH"]
        self.width, self.upd_width = b.params["WIDTH"], b.params["UPD_WIDTH"]
        noise = {"rd_addr": index_width(self.depth), "upd": self.lanes * self.upd_width}
        noise |= {"cfg_word": self.width, "cfg_addr": 16}
        self.trace = Trace(b, ["rd_en", "upd_valid", *rows.CONTROL], noise)
        self.trace.watch("rd_data", self.width, signed=True)
        self.trace.watch("upd_sat", 1)
        self.trace.watch("cfg_out", self.width, signed=True)
        self.access = RowAccess(b, self.trace, self.width, self.width)
        self.rows = np.zeros((self.depth, self.lanes), dtype=np.int64)
        self.now = 0

    def load(self, first: int, count: int) -> None:
        """Write random words into some rows, then dump all."""
        words = signed(self.b, self.width, (count, self.lanes))
        self.rows[first : first + count] = words
        self.now = self.access.load(self.now, words, first)
        self.now = self.access.dump(self.now, self.rows)
        self.b.cover("load", "all" if count == self.depth else "some")

    def update(self, row: int) -> None:
        """A random update in this clock to the row that was read in the clock before."""
        update = signed(self.b, self.upd_width, self.lanes)
        total = self.rows[row] + update
        self.rows[row], clipped = saturate(total, self.width)
        self.trace.drive(self.now, upd_valid=1, upd=pack(update, self.upd_width))
        self.trace.expect(self.now, "upd_sat", clipped)
        for above, below in zip((clipped & (total > 0)).tolist(), (clipped & (total < 0)).tolist(), strict=True):
            self.b.cover("update", "clipped_high" if above else "clipped_low" if below else "fits")

    def use(self, in_order: bool, rate: float, share: float) -> None:
        """200 clocks in which a row is read at a given rate, and a share of the rows read is updated."""
        rng = self.b.rng
        self.b.cover("order", "pass" if in_order else "random")
        last: int | None = None  # row read in the clock before
        shown: npt.NDArray[np.int64] | None = None  # what rd_data must show in this clock
        following = 0
        for _ in range(200):
            row = following if in_order else rng.randrange(self.depth)
            was = self.rows[row].copy()
            if shown is not None:
                self.trace.expect(self.now, "rd_data", shown)
                self.b.cover("read", "held" if last is None else "new")
            updated = last is not None and rng.random() < share
            if last is not None and updated:
                self.update(last)
            else:
                self.trace.expect(self.now, "upd_sat", [0] * self.lanes)
            # a row that is being updated must not be read: see weight_bank.v
            if rng.random() < rate and not (updated and row == last):
                self.trace.drive(self.now, rd_en=1, rd_addr=row)
                last, shown = row, was
                following = (following + 1) % self.depth
            else:
                last = None
            self.now += 1


@bench_test(timeout_clocks=50_000)
async def passes(b: Bench) -> None:
    """Reads with and without an update in the clock after, in the order of a pass or in any order."""
    bank = WeightBankTrace(b)
    bank.load(0, bank.depth)
    for _ in range(4):
        bank.use(in_order=b.rng.random() < 0.5, rate=b.rng.choice([0.3, 1.0]), share=b.rng.choice([0.5, 1.0]))
        bank.now = bank.access.dump(bank.now, bank.rows)
        first = b.rng.randrange(bank.depth)
        bank.load(first, b.rng.randint(1, bank.depth - first))
    await bank.trace.run(reset=False)
