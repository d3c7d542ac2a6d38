# SPDX-License-Identifier: Apache-2.0
"""Bench of activation_bank.v: frames committed and aborted while two readers look anywhere in the ring."""

from __future__ import annotations

from collections.abc import Iterator

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace

READERS = ("ff", "up")


class ActivationBankTrace:
    """A trace of the bank and the words of its slots; neuron k of a slot is word k mod Z of row k div Z."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.depth, self.slots = b.params["Z"], b.params["D"], b.params["SLOTS"]
        self.width, self.lanes = b.params["WIDTH"], b.params["P_IN"]
        noise = {"wr_data": self.lanes * self.width}
        for reader in READERS:
            noise |= {f"{reader}_slot": index_width(self.slots), f"{reader}_addr": self.z * index_width(self.depth)}
        self.trace = Trace(b, ["wr_valid", "wr_commit", "wr_abort", *(f"{reader}_en" for reader in READERS)], noise)
        for reader in READERS:
            self.trace.watch(f"{reader}_data", self.width)
        self.words = [[0] * (self.z * self.depth) for _ in range(self.slots)]
        self.commits = 0  # since the reset
        self.now = 0

    def session(self, clocks: int) -> None:
        """Fill the ring once, then read and write for some clocks; a reset at the end."""
        rng = self.b.rng
        writer = self._writer()
        self.commits = 0
        while self.commits < self.slots:
            next(writer)
            self.now += 1
        rates = {reader: rng.choice([0.5, 1.0]) for reader in READERS}
        for _ in range(clocks):
            for reader in READERS:
                if rng.random() < rates[reader]:
                    self._read(reader)
            next(writer)
            self.now += 1
        self.trace.drive(self.now, wr_valid=rng.getrandbits(1), wr_commit=rng.getrandbits(1))
        self.trace.reset(self.now)
        self.now += 1

    def _read(self, reader: str) -> None:
        """Read each memory of some slot at an address of its own."""
        rng = self.b.rng
        present = self.commits % self.slots
        slot = rng.choice([present, rng.randrange(self.slots)])
        self.b.cover(reader, "being_written" if slot == present else "committed")
        rows = [rng.randrange(self.depth) for _ in range(self.z)]
        pins = {f"{reader}_en": 1, f"{reader}_slot": slot, f"{reader}_addr": pack(rows, index_width(self.depth))}
        self.trace.drive(self.now, **pins)
        words = [self.words[slot][row * self.z + memory] for memory, row in enumerate(rows)]
        self.trace.expect(self.now + 1, f"{reader}_data", words)

    def _writer(self) -> Iterator[None]:
        """Frames one after the other; the verdict comes with the first word of the next frame or before it."""
        rng = self.b.rng
        _, pauses = patterns.any_pattern(rng)
        beats = self.z * self.depth // self.lanes
        kind, closed = "", -1  # the last verdict and its clock
        while True:
            aborted = rng.random() < 0.25
            for beat in range(rng.randint(1, beats) if aborted else beats):
                while next(pauses):
                    yield
                if self.now == closed:
                    self.b.cover(kind, "with_next_word")
                slot = self.words[self.commits % self.slots]
                words = [rng.getrandbits(self.width) for _ in range(self.lanes)]
                self.trace.drive(self.now, wr_valid=1, wr_data=pack(words, self.width))
                slot[beat * self.lanes : (beat + 1) * self.lanes] = words
                yield
            while next(pauses):
                yield
            kind, closed = "aborted" if aborted else "committed", self.now
            self.trace.drive(self.now, **{"wr_abort" if aborted else "wr_commit": 1})
            self.commits += not aborted
            if rng.random() < 0.3:
                self.b.cover(kind, "alone")
                yield


@bench_test(timeout_clocks=20_000)
async def frames(b: Bench) -> None:
    """Sessions between resets, at full speed and with pauses."""
    bank = ActivationBankTrace(b)
    for _ in range(3):
        bank.session(b.rng.randint(100, 300))
    await bank.trace.run()
