# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/gradient_pack.v: slots of all rates, ragged ends, requests in any order, exact clocks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from models.pe_array.network.weight_update import UPDATE_WORDS, pack_gradients
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import index_width, pack, unpack
from tb.lib.patterns import Gaps

READY_AFTER = 2
"""Clocks from a word's last gradient to the first request for it."""


@dataclass
class Slot:
    """One slot: what it will give, and what of it is inside."""

    blocks: deque[list[int]] = field(default_factory=deque)  # gradients still to come, block by block
    expected: deque[int] = field(default_factory=deque)  # words of all blocks
    offered: bool = False
    flushing: bool = False
    lane: int = 0  # written next, counted from the begin of the word, or with quads of four words
    complete: deque[int] = field(default_factory=deque)  # clocks in which the words inside were completed
    taken: int = 0


class Unit:
    """A gradient_pack and its model, which knows the rotation of every lane."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.count, self.lanes, self.depth = b.params["P"], b.params["U"], b.params["DEPTH"]
        self.rounds = 8 if self.count <= 8 else 2  # many slots take the bench long
        self.now = 0
        self.group = self.lanes
        self.gaps = Gaps(b, "requests", "output")
        self.slot_gaps = Gaps(b, *map(str, range(self.count)), group="gradients")
        self.request: int | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        self.slots = [Slot() for _ in range(self.count)]
        self.slot_gaps.none()
        self.last_granted = [self.count - 1] * self.lanes
        self.output: int | None = None
        self.request = None

    def feed(self, slot: int, gradients: int) -> None:
        """A block for a slot."""
        block = [int(x) for x in values.signed(self.b, 32, gradients)]
        ragged = gradients % self.lanes
        self.b.cover("end", "whole" if ragged == 0 else "one_lane" if ragged == 1 else "ragged")
        self.slots[slot].blocks.append(block)
        words = pack_gradients(block, self.group).reshape(-1, self.lanes)
        self.slots[slot].expected.extend(pack(word, 32) for word in words)

    def _offer(self, number: int, slot: Slot) -> None:
        """A slot offers its next gradient, or the end of its block."""
        if slot.offered or slot.flushing or not slot.blocks:
            return
        if not slot.blocks[0]:
            slot.flushing = self.b.rng.random() < 0.5
        else:
            slot.offered = self.slot_gaps.go(str(number))

    def _grants(self) -> set[int]:
        """Slots that write in this clock: for each lane the first one behind the last granted."""
        granted = set()
        for lane in range(self.lanes):
            wants = [
                number
                for number, slot in enumerate(self.slots)
                if slot.lane % self.lanes == lane
                and len(slot.complete) < self.depth
                and (slot.lane > 0 if slot.flushing else slot.offered)
            ]
            if wants:
                last = self.last_granted[lane]
                chosen = min(wants, key=lambda number: (number <= last, number))
                self.last_granted[lane] = chosen
                granted.add(chosen)
                self.b.cover("lane", "free" if len(wants) == 1 else "contended")
        return granted

    async def step(self) -> None:
        """One clock."""
        b = self.b
        for number, slot in enumerate(self.slots):
            self._offer(number, slot)
        data = [s.blocks[0][0] if s.offered else b.rng.getrandbits(32) for s in self.slots]
        if self.request is None and self.gaps.go("requests"):
            self.request = b.rng.randrange(self.count)
        elif self.request is not None and b.rng.random() < 0.1:
            self.request = b.rng.randrange(self.count)  # a request need not stay
        m_ready = self.gaps.go("output")
        b.drive(
            s_valid=pack([s.offered for s in self.slots], 1),
            s_data=pack(data, 32),
            flush_valid=pack([s.flushing for s in self.slots], 1),
            take_valid=self.request is not None,
            take_slot=self.request if self.request is not None else b.rng.randrange(self.count),
            m_ready=m_ready,
        )
        await b.clocks()

        count_width = index_width(self.depth + 1)
        words = [sum(t + READY_AFTER <= self.now for t in slot.complete) for slot in self.slots]
        b.equal("words", unpack(b.see("words"), count_width, self.count, signed=False), words)
        granted = self._grants()  # a place whose word is requested in this clock is free from the next
        self._compare_output(m_ready)
        self._compare_request(words)
        self._compare_writes(granted)
        self.now += 1

    def _compare_output(self, m_ready: bool) -> None:
        self.b.check(m_valid=self.output is not None)
        if self.output is not None:
            self.b.check(m_data=self.output)
            if m_ready:
                self.output = None

    def _compare_request(self, words: list[int]) -> None:
        if self.request is None:
            return
        slot = self.slots[self.request]
        possible = words[self.request] > 0 and self.output is None
        self.b.check(take_ready=possible)
        if possible:
            slot.complete.popleft()
            slot.taken += 1
            self.output = slot.expected.popleft()
            self.request = None

    def _compare_writes(self, granted: set[int]) -> None:
        if any(len(slot.complete) == self.depth for slot in self.slots):
            self.b.cover("fifo", "full")
        self.b.equal(
            "s_ready",
            unpack(self.b.see("s_ready"), 1, self.count, signed=False),
            [int(n in granted and not s.flushing) for n, s in enumerate(self.slots)],
        )
        self.b.equal(
            "flush_ready",
            unpack(self.b.see("flush_ready"), 1, self.count, signed=False),
            [int(s.flushing and s.lane == 0) for s in self.slots],
        )
        for number, slot in enumerate(self.slots):
            if slot.flushing and slot.lane == 0:
                slot.flushing = False
                slot.blocks.popleft()
            if number in granted:
                if not slot.flushing:
                    slot.blocks[0].pop(0)
                    slot.offered = False
                slot.lane = (slot.lane + 1) % self.group
                if slot.lane % self.lanes == 0:
                    slot.complete.append(self.now)

    async def reset(self) -> None:
        """Reset; from then on words are filled up alone or by fours."""
        self.forget()
        quads = self.b.rng.random() < 0.5
        self.b.cover("padding", "quads" if quads else "words")
        self.group = self.lanes * (UPDATE_WORDS if quads else 1)
        self.b.drive(quads=quads)
        self.b.drive(dict.fromkeys(("s_valid", "s_data", "flush_valid", "take_valid", "take_slot", "m_ready"), 0))
        await self.b.reset()

    def stall(self) -> None:
        """Other patterns of pauses at all handshakes."""
        self.slot_gaps.any()
        self.gaps.any()

    @property
    def busy(self) -> bool:
        """Anything is under way."""
        return self.output is not None or any(slot.blocks or slot.expected for slot in self.slots)

    async def drain(self) -> None:
        """Until nothing is under way."""
        for _ in range(50_000):
            if not self.busy:
                return
            await self.step()
        raise TimeoutError("words are left")


@bench_test(timeout_clocks=100_000)
async def blocks(b: Bench) -> None:
    """Blocks of all lengths, empty ones among them, under every pattern of pauses."""
    unit = Unit(b)
    await unit.reset()
    for _ in range(unit.rounds):
        unit.stall()
        for _ in range(2 * unit.count + 4):
            length = b.rng.choice([0, 1, unit.lanes, b.rng.randint(0, 4 * unit.lanes)])
            unit.feed(b.rng.randrange(unit.count), length)
        for _ in range(60):
            await unit.step()
    await unit.drain()
    await unit.step()


@bench_test(timeout_clocks=20_000)
async def full_rate(b: Bench) -> None:
    """All slots start together; once sorted out, a word per clock or, with few slots, a gradient per clock and slot."""
    unit = Unit(b)
    await unit.reset()
    words = max(4, 64 // unit.count)
    for slot in range(unit.count):
        unit.feed(slot, words * unit.lanes)
    clocks = 0
    while any(slot.blocks and slot.blocks[0] for slot in unit.slots):
        # request where most words wait, so that no FIFO is full
        unit.request = max(range(unit.count), key=lambda number: len(unit.slots[number].complete))
        await unit.step()
        clocks += 1
        if clocks > 20_000:
            raise TimeoutError("gradients are left")
    least = words * max(unit.lanes, unit.count)
    b.require(clocks <= least + 2 * (unit.lanes + unit.count), f"{clocks} clocks, {least} would be possible")
    await unit.drain()


@bench_test(timeout_clocks=100_000)
async def resets(b: Bench) -> None:
    """A reset forgets everything, a word half written included."""
    unit = Unit(b)
    for _ in range(unit.rounds):
        await unit.reset()
        unit.stall()
        for _ in range(2 * unit.count):
            unit.feed(b.rng.randrange(unit.count), b.rng.randint(1, 3 * unit.lanes))
        for _ in range(b.rng.randint(1, 60)):
            await unit.step()
        b.cover("reset", "mid_word" if any(slot.lane % unit.lanes for slot in unit.slots) else "between_words")
    await unit.drain()
