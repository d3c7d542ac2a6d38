# SPDX-License-Identifier: Apache-2.0
"""Bench of op_queue.v: counts that are reached early, late and one by one; every output in every clock."""

from __future__ import annotations

from models.pe_array.clocks.op_queue import QueueClocks
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import KINDS
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.clockwise import Clockwise

COUNT_MAX = (1 << 24) - 1
WAITS = (8, 32, 64)
"""First bits of the loads, computes and stores to wait for."""


class Queue:
    """The design, what is offered to it, the counts, and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.io = Clockwise(b, ["s", "d"])
        self.items: list[Item] = []
        self.chance = 0.5  # of a count to move on in a clock

    async def reset(self) -> None:
        rng = self.b.rng
        self.items.clear()
        self.offered = False
        self.taken = 0
        self.counts = [rng.choice([0, rng.getrandbits(24) & ~0x3FF, COUNT_MAX - 500]) for _ in WAITS]
        self.io.drive(s_valid=0, d_ready=0)
        await self.b.reset()
        self.model = QueueClocks(int(self.b.params["DEPTH"]))

    def queue(self) -> None:
        """A descriptor that waits for counts near those there are now, or for nothing."""
        rng = self.b.rng
        waits = [
            min(max(rng.choice([0, count, count - 1, count + 1, count + rng.randint(2, 12)]), 0), COUNT_MAX)
            for count in self.counts
        ]
        word = rng.getrandbits(256)
        for low, wait in zip(WAITS, waits, strict=True):
            word = word & ~(COUNT_MAX << low) | wait << low
        self.items.append(Item(word & ~0xFF | rng.choice([*KINDS]), rng.getrandbits(24)))

    async def clock(self) -> None:
        b, io, model = self.b, self.io, self.model
        if not self.offered:
            self.offered = bool(self.items) and io.go("s")
        item = self.items[0] if self.offered else None
        d_ready = io.go("d")
        loads, computes, stores = self.counts
        io.drive_item("s", item)
        io.drive(loads_done=loads, computes_done=computes, stores_done=stores, d_ready=d_ready)
        await b.settle()
        offered = model.offered
        io.check(s_ready=model.s_ready, d_valid=offered is not None, empty=model.empty)
        b.cover("queue", "empty" if model.empty else "room" if model.s_ready else "full")
        if offered is not None:
            io.check(d_data=offered.word, d_index=offered.index)
            self.taken += d_ready
        elif not model.empty:
            b.cover("gate", "closed")
        if item is not None and model.s_ready:
            self.items.pop(0)
            self.offered = False
        model.clock(item, self.counts, d_ready)
        for n, count in enumerate(self.counts):
            self.counts[n] = min(count + (b.rng.random() < self.chance), COUNT_MAX)
        await b.clocks()

    async def drain(self) -> None:
        """Until all is through."""
        for _ in range(20_000):
            if not self.items and self.model.empty:
                return
            await self.clock()
        raise TimeoutError("descriptors are still inside")


@bench_test(timeout_clocks=60_000)
async def descriptors(b: Bench) -> None:
    """All patterns of offers and of the engine; counts that move fast, slowly or not at all for a while."""
    queue = Queue(b)
    for _ in range(5):
        await queue.reset()
        total = 0
        for _ in range(3):
            queue.io.any_gaps()
            count = b.rng.randint(3, 30)
            total += count
            for _ in range(count):
                queue.queue()
            queue.chance = 0.0
            for _ in range(b.rng.choice([0, 0, 30])):
                await queue.clock()
            queue.chance = b.rng.choice([1, 0.5, 0.1])
            await queue.drain()
        b.scoreboard.expect("taken", total)
        b.scoreboard.got("taken", queue.taken)


@bench_test(timeout_clocks=20_000)
async def speed(b: Bench) -> None:
    """One descriptor per clock; a gate that waits for a done opens in the clock behind its count."""
    queue = Queue(b)
    await queue.reset()
    queue.chance = 0.0
    queue.counts = [COUNT_MAX] * 3
    for _ in range(100):
        queue.queue()
    for _ in range(104):  # nothing is taken in the first clock after the reset
        await queue.clock()
    b.scoreboard.expect("taken", 100)
    b.scoreboard.got("taken", queue.taken)
    for n, low in enumerate(WAITS):
        await queue.reset()
        queue.counts = [b.rng.randint(0, 1000) for _ in WAITS]
        queue.items = [Item((queue.counts[n] + 1) << low | 0x20, 7)]
        for _ in range(b.rng.randint(4, 20)):
            await queue.clock()
        assert b.dut.d_valid.value == 0
        queue.counts[n] += 1
        await queue.clock()
        b.scoreboard.expect("opens", queue.counts[n])
        b.scoreboard.got("opens", queue.counts[n] if queue.model.offered else -1)
        await queue.drain()


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset at any moment forgets everything."""
    queue = Queue(b)
    for _ in range(10):
        await queue.reset()
        queue.io.any_gaps()
        queue.chance = b.rng.choice([0, 0.5])
        for _ in range(20):
            queue.queue()
        for _ in range(b.rng.choice([1, 2, 3, 30])):
            await queue.clock()
        b.cover("reset", "empty" if queue.model.empty else "offering" if queue.model.offered else "waiting")
    queue.chance = 0.5
    await queue.drain()
