# SPDX-License-Identifier: Apache-2.0
"""Bench of activation_bank.v: frames committed and aborted while FF looks anywhere, copies for UP, and UP's reads."""

from __future__ import annotations

from collections.abc import Iterator

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack
from tb.lib.trace import Trace

Frame = list[int | None]  # words by neuron; None: nobody knows this word


class ActivationBankTrace:
    """A trace of the bank and the words of its slots; neuron k of a slot is word k mod Z of row k div Z."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.z, self.depth, self.slots = b.params["Z"], b.params["D"], b.params["SLOTS"]
        self.width, self.lanes, self.delay = b.params["WIDTH"], b.params["P_IN"], b.params["COPY_DELAY"]
        self.beats = self.z * self.depth // self.lanes
        self.ff_slots = b.params["FF_SLOTS"]
        address = self.z * index_width(self.depth)
        noise = {"wr_data": self.lanes * self.width, "ff_slot": index_width(self.ff_slots), "ff_addr": address}
        noise |= {"up_slot": 1, "up_addr": address, "copy_token": 1}
        self.trace = Trace(b, ["wr_valid", "wr_commit", "wr_abort", "ff_en", "up_en", "copy_start"], noise)
        self.trace.watch("ff_data", self.width)
        self.trace.watch("up_data", self.width)
        self.now = 0

    def session(self, clocks: int) -> None:
        """Write, copy and read for some clocks; a reset at the end."""
        rng = self.b.rng
        self.commits = self.copies = 0  # frames closed, and frames that were copied or are being copied
        self.ring, self.ff, self.up = (self._unknown(slots) for slots in (self.slots, self.ff_slots, 2))
        self.reading: dict[int, tuple[int, int]] = {}  # by clock: frame and beat that are read to be copied
        self.fresh: dict[int, tuple[int, int, Frame]] = {}  # by clock: slot, beat and words that are written for UP
        writer, copier = self._writer(), self._copier()
        rates = {reader: rng.choice([0.5, 1.0]) for reader in ("ff", "up")}
        for _ in range(clocks):
            next(copier)
            if rng.random() < rates["ff"]:
                self._read_ff()
            if rng.random() < rates["up"]:
                self._read_up()
            if self.now in self.reading:
                frame, beat = self.reading[self.now]
                words = self.ring[frame % self.slots][beat * self.lanes : (beat + 1) * self.lanes]
                self.fresh[self.now + 1] = frame % 2, beat, words
            next(writer)
            if self.now in self.fresh:
                slot, beat, words = self.fresh[self.now]
                self.up[slot][beat * self.lanes : (beat + 1) * self.lanes] = words
            self.now += 1
        self.trace.drive(self.now, **{pin: rng.getrandbits(1) for pin in ("wr_valid", "wr_commit", "copy_start")})
        self.trace.reset(self.now)
        self.now += 1

    def _unknown(self, slots: int) -> list[Frame]:
        return [[None] * (self.z * self.depth) for _ in range(slots)]

    def _read_ff(self) -> None:
        """Read each memory of some slot at an address of its own."""
        present = self.commits % self.ff_slots
        slot = self.b.rng.choice([present, self.b.rng.randrange(self.ff_slots)])
        rows = [self.b.rng.randrange(self.depth) for _ in range(self.z)]
        if self._read("ff", self.ff[slot], slot, rows):
            self.b.cover("ff", "being_written" if slot == present else "committed")

    def _read_up(self) -> None:
        """The same for UP; now and then words that were written in the clock before."""
        rng = self.b.rng
        slot, rows = rng.randrange(2), [rng.randrange(self.depth) for _ in range(self.z)]
        new = self.fresh.get(self.now - 1)
        if new is not None and rng.random() < 0.5:
            slot = new[0]
            for neuron in range(new[1] * self.lanes, (new[1] + 1) * self.lanes):
                rows[neuron % self.z] = neuron // self.z
        if self._read("up", self.up[slot], slot, rows):
            copying = self.fresh.get(self.now)
            beside = copying is not None and copying[0] != slot
            earliest = new is not None and slot == new[0]
            self.b.cover("up", "beside_a_copy" if beside else "at_the_earliest" if earliest else "later")

    def _read(self, reader: str, frame: Frame, slot: int, rows: list[int]) -> bool:
        words = [frame[row * self.z + memory] for memory, row in enumerate(rows)]
        known = [word for word in words if word is not None]
        if len(known) < len(words):
            return False
        pins = {f"{reader}_en": 1, f"{reader}_slot": slot, f"{reader}_addr": pack(rows, index_width(self.depth))}
        self.trace.drive(self.now, **pins)
        self.trace.expect(self.now + 1, f"{reader}_data", known)
        return True

    def _copier(self) -> Iterator[None]:
        """Passes with and without a frame to copy, one behind the other or with pauses."""
        rng = self.b.rng
        while True:
            token = self.copies < self.commits and rng.random() < 0.9
            self.trace.drive(self.now, copy_start=1, copy_token=int(token))
            if token:
                first = self.now + 1 + self.delay
                self.reading |= {first + beat: (self.copies, beat) for beat in range(self.beats)}
                self.copies += 1
            pause = rng.choice([0, 0, rng.randint(1, 8)])
            self.b.cover("copy", "without_sample" if not token else "after_pause" if pause else "back_to_back")
            for _ in range(self.beats + pause):
                yield

    def _copied(self, frame: int) -> bool:
        """The last words of the frame were read from the ring, or are in this clock."""
        return frame < self.copies and all(number != frame for number, _ in self._later())

    def _later(self) -> list[tuple[int, int]]:
        return [what for clock, what in self.reading.items() if clock > self.now]

    def _writer(self) -> Iterator[None]:
        """Frames one after the other; the verdict comes with the first word of the next frame or before it."""
        rng = self.b.rng
        _, pauses = patterns.any_pattern(rng)
        kind, closed = "", -1  # the last verdict and its clock
        while True:
            while self.commits >= self.slots and not self._copied(self.commits - self.slots):
                yield
            aborted = rng.random() < 0.25
            for beat in range(rng.randint(1, self.beats) if aborted else self.beats):
                while next(pauses):
                    yield
                if self.now == closed:
                    self.b.cover(kind, "with_next_word")
                words = [rng.getrandbits(self.width) for _ in range(self.lanes)]
                self.trace.drive(self.now, wr_valid=1, wr_data=pack(words, self.width))
                for frame in (self.ring[self.commits % self.slots], self.ff[self.commits % self.ff_slots]):
                    frame[beat * self.lanes : (beat + 1) * self.lanes] = words
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
