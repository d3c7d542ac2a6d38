# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/row_bank.v: load and dump word by word, and both ports at random between."""

from __future__ import annotations

from typing import Any

from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.trace import Trace

Row = list[int | None]  # None: nobody knows this word


class RowBankTrace:
    """A trace with a model of rows, shift register, rd_data and its words beside it; one call is one clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.lanes, self.width, self.depth = b.params["LANES"], b.params["WIDTH"], b.params["DEPTH"]
        row, address = self.lanes * self.width, max(1, (self.depth - 1).bit_length())
        noise = {"rd_addr": address, "wr_addr": address, "wr_data": row, "cfg_word": self.width, "cfg_addr": address}
        self.trace = Trace(b, ["rd_en", "wr_en", "cfg_shift", "cfg_write", "cfg_read"], noise)
        self.trace.watch("rd_data", self.width)
        self.trace.watch("cfg_out", self.width)
        self.now = 0
        self.rows: list[Row] = [[None] * self.lanes for _ in range(self.depth)]
        self.shift: Row = [None] * self.lanes
        self.row: Row = [None] * self.lanes
        self.rd_data: Row = [None] * self.lanes
        self.lane: int | None = None
        self.out: int | None = None

    def clock(
        self,
        write: tuple[int, list[int]] | None = None,
        read: int | None = None,
        word: int | None = None,
        cfg_write: int | None = None,
        cfg_read: int | None = None,
    ) -> None:
        """Drive one clock (user write and read; cfg_shift with a word, cfg_write, cfg_read) and expect its result."""
        pins: dict[str, Any] = {}
        if write is not None:
            pins |= {"wr_en": 1, "wr_addr": write[0], "wr_data": pack(write[1], self.width)}
        if read is not None:
            pins |= {"rd_en": 1, "rd_addr": read}
        if word is not None:
            pins |= {"cfg_shift": 1, "cfg_word": word}
        if cfg_write is not None:
            pins |= {"cfg_write": 1, "cfg_addr": cfg_write}
        if cfg_read is not None:
            pins |= {"cfg_read": 1, "cfg_addr": cfg_read}
        self.trace.drive(self.now, **pins)
        self._edge(write, read, word, cfg_write, cfg_read)
        self.now += 1
        if None not in self.rd_data:
            self.trace.expect(self.now, "rd_data", [int(lane or 0) for lane in self.rd_data])
        if self.out is not None:
            self.trace.expect(self.now, "cfg_out", [self.out])

    def _edge(
        self,
        write: tuple[int, list[int]] | None,
        read: int | None,
        word: int | None,
        cfg_write: int | None,
        cfg_read: int | None,
    ) -> None:
        shift = self.shift
        self.out = None if self.lane is None else self.rd_data[self.lane]
        if word is not None:
            self.shift = [*shift[1:], word]
            self.lane = None if self.lane is None else (self.lane + 1) % self.lanes
        if cfg_read is not None:
            self.lane = 0
        chosen = cfg_read if cfg_read is not None else read
        if self.b.params["OUT_REG"]:
            self.rd_data = self.row
        if chosen is not None:
            self.row = list(self.rows[chosen])
        if not self.b.params["OUT_REG"]:
            self.rd_data = self.row
        if cfg_write is not None:
            self.rows[cfg_write] = list(shift)
        elif write is not None:
            self.rows[write[0]] = list(write[1])

    def load(self, address: int, words: list[int]) -> None:
        """Shift a row in and write it, with idle clocks at random."""
        for word in words:
            self._pause()
            self.clock(word=word)
        self._pause()
        self.clock(cfg_write=address)

    def dump(self, address: int) -> None:
        """Read a row and step through its words; every one is compared on its way."""
        self.clock(cfg_read=address)
        for _ in range(self.b.params["OUT_REG"]):
            self.clock()
        for _ in range(self.lanes):
            self.clock()
            self._pause()
            self.clock(word=self.b.rng.getrandbits(self.width))

    def _pause(self) -> None:
        while self.b.rng.random() < 0.15:
            self.clock()

    def words(self) -> list[int]:
        """A random row."""
        return [self.b.rng.getrandbits(self.width) for _ in range(self.lanes)]


@bench_test(timeout_clocks=20_000)
async def load_run_dump(b: Bench) -> None:
    """Load all rows, read and write them as an engine does, dump them in another order."""
    bank = RowBankTrace(b)
    addresses = list(range(bank.depth))
    b.rng.shuffle(addresses)
    for address in addresses:
        bank.load(address, bank.words())
    b.cover("config", "load")
    busy = b.rng.choice([0.3, 0.7, 1.0])
    for _ in range(300):
        read = b.rng.randrange(bank.depth) if b.rng.random() < busy else None
        write = (b.rng.randrange(bank.depth), bank.words()) if b.rng.random() < busy else None
        if read is not None and write is not None:
            b.cover("ports", "same_row" if read == write[0] else "two_rows")
        elif read is None:
            b.cover("ports", "hold" if write is None else "hold_and_write")
        bank.clock(write=write, read=read)
    b.rng.shuffle(addresses)
    for address in addresses:
        bank.dump(address)
    b.cover("config", "dump")
    await bank.trace.run(reset=False)


@bench_test(timeout_clocks=20_000)
async def cfg_wins(b: Bench) -> None:
    """Every access at random in every clock: where cfg and user meet, cfg's address and data count."""
    bank = RowBankTrace(b)
    for address in range(bank.depth):
        bank.load(address, bank.words())
    for _ in range(600):
        some = [b.rng.random() < 0.3 for _ in range(5)]
        address = b.rng.randrange(bank.depth)  # there is one cfg_addr
        write = (b.rng.randrange(bank.depth), bank.words()) if some[0] else None
        read = b.rng.randrange(bank.depth) if some[1] else None
        word = b.rng.getrandbits(bank.width) if some[2] else None
        cfg_write = address if some[3] else None
        cfg_read = address if some[4] else None
        if cfg_write is not None and write is not None:
            b.cover("config", "wins_write")
        if cfg_read is not None and read is not None:
            b.cover("config", "wins_read")
        if cfg_write is not None and word is not None:
            b.cover("config", "write_and_shift")
        if cfg_read is not None and cfg_write is not None:
            b.cover("config", "read_and_write")
        bank.clock(write, read, word, cfg_write, cfg_read)
    await bank.trace.run(reset=False)
