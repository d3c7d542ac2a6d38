# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/ram_sdp.v: both ports at random, meeting often, and rdata in every clock."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test
from tb.lib.trace import Trace

_CLOCKS = 1200


class RamModel:
    """The words written so far, the one that was read, and what rdata shows (None: nobody knows)."""

    def __init__(self, width: int, out: int, old: int) -> None:
        self.out = out
        self.wrong = 0 if old else (1 << width) - 1  # what simulations do to a word that is read while it is written
        self.words: dict[int, int] = {}
        self.word: int | None = None
        self.rdata: int | None = None
        self.held: int | None = None  # the address the word came from

    def clock(self, write: tuple[int, int] | None, read: int | None) -> None:
        """One clock edge: read the old word, or without OLD its complement, then write."""
        if self.out == 1 or (self.out == 2 and read is not None):
            self.rdata = self.word
        if read is not None:
            self.word = self.words.get(read)
            if self.word is not None and write is not None and write[0] == read:
                self.word ^= self.wrong
            self.held = read
        if write is not None:
            address, word = write
            self.words[address] = word
        if self.out == 0:
            self.rdata = self.word


def cover(b: Bench, model: RamModel, write: tuple[int, int] | None, read: int | None) -> None:
    """Coverage of one clock, before the edge."""
    if write is not None and read is not None:
        b.cover("ports", "same_address" if write[0] == read else "both")
    else:
        b.cover("ports", "write" if write is not None else "read" if read is not None else "idle")
    if read is None and write is not None and write[0] == model.held and model.word is not None:
        b.cover("hold", "word_overwritten")
    if read is not None and read in model.words:
        b.cover("read", "first" if read == 0 else "last" if read == b.params["DEPTH"] - 1 else "middle")


@bench_test(timeout_clocks=2 * _CLOCKS)
async def both_ports(b: Bench) -> None:
    """Random reads and writes; phases of full speed and of few accesses, of few addresses and of all."""
    width, depth = b.params["WIDTH"], b.params["DEPTH"]
    address_width = max(1, (depth - 1).bit_length())
    trace = Trace(b, ["we", "re"], {"waddr": address_width, "wdata": width, "raddr": address_width})
    trace.watch("rdata", width)
    model = RamModel(width, b.params.get("OUT", 0), b.params.get("OLD", 1))
    busy, reach = 0.5, depth
    for clock in range(_CLOCKS):
        if clock % 100 == 0:
            busy, reach = b.rng.choice([0.1, 0.5, 0.9, 1.0]), b.rng.choice([min(depth, 2), depth])
        first = b.rng.choice([0, depth - reach])
        write = (first + b.rng.randrange(reach), b.rng.getrandbits(width)) if b.rng.random() < busy else None
        read = first + b.rng.randrange(reach) if b.rng.random() < busy else None
        if write is not None:
            trace.drive(clock, we=1, waddr=write[0], wdata=write[1])
        if read is not None:
            trace.drive(clock, re=1, raddr=read)
        cover(b, model, write, read)
        model.clock(write, read)
        if model.rdata is not None:
            trace.expect(clock + 1, "rdata", [model.rdata])
    await trace.run(reset=False)
