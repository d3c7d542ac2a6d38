# SPDX-License-Identifier: Apache-2.0
"""Bench of op_queue.v: counts that are reached early, late and one by one; every output in every clock."""

from __future__ import annotations

from models.pe_array.clocks.op_queue import QueueClocks
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import KINDS
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Source
from tb.pe_array.drivers.descriptor_port import drive_item

COUNT_MAX = (1 << 24) - 1
WAITS = (8, 32, 64)
"""First bits of the loads, computes and stores to wait for."""


class Queue:
    """The design, what is offered to it, the counts, and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.gaps = Gaps(b, "s", "d")
        self.source: Source[Item] = Source(self.gaps, "s")
        self.chance = 0.5  # of a count to move on in a clock

    async def reset(self) -> None:
        rng = self.b.rng
        self.source.clear()
        self.taken = 0
        self.counts = [rng.choice([0, rng.getrandbits(24) & ~0x3FF, COUNT_MAX - 500]) for _ in WAITS]
        self.b.drive(s_valid=0, d_ready=0)
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
        self.source.queue.append(Item(word & ~0xFF | rng.choice([*KINDS]), rng.getrandbits(24)))

    async def clock(self) -> None:
        b, gaps, model = self.b, self.gaps, self.model
        item = self.source.offer()
        d_ready = gaps.go("d")
        loads, computes, stores = self.counts
        drive_item(b, "s", item)
        b.drive(loads_done=loads, computes_done=computes, stores_done=stores, d_ready=d_ready)
        await b.clocks()
        offered = model.offered
        b.check(s_ready=model.s_ready, d_valid=offered is not None, empty=model.empty)
        b.cover("queue", "empty" if model.empty else "room" if model.s_ready else "full")
        if offered is not None:
            b.check(d_data=offered.word, d_index=offered.index)
            self.taken += d_ready
        elif not model.empty:
            b.cover("gate", "closed")
        if item is not None and model.s_ready:
            self.source.take()
        model.clock(item, self.counts, d_ready)
        for n, count in enumerate(self.counts):
            self.counts[n] = min(count + (b.rng.random() < self.chance), COUNT_MAX)

    async def drain(self) -> None:
        """Until all is through."""
        for _ in range(20_000):
            if not self.source.queue and self.model.empty:
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
            queue.gaps.any()
            count = b.rng.randint(3, 30)
            total += count
            for _ in range(count):
                queue.queue()
            queue.chance = 0.0
            for _ in range(b.rng.choice([0, 0, 30])):
                await queue.clock()
            queue.chance = b.rng.choice([1, 0.5, 0.1])
            await queue.drain()
        b.equal("taken", queue.taken, total)


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
    b.equal("taken", queue.taken, 100)
    for n, low in enumerate(WAITS):
        await queue.reset()
        queue.counts = [b.rng.randint(0, 1000) for _ in WAITS]
        queue.source.add([Item((queue.counts[n] + 1) << low | 0x20, 7)])
        for _ in range(b.rng.randint(4, 20)):
            await queue.clock()
        b.require(b.low("d_valid"), "the gate is open too early")
        queue.counts[n] += 1
        await queue.clock()
        b.equal("opens", queue.counts[n] if queue.model.offered else -1, queue.counts[n])
        await queue.drain()


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset at any moment forgets everything."""
    queue = Queue(b)
    for _ in range(10):
        await queue.reset()
        queue.gaps.any()
        queue.chance = b.rng.choice([0, 0.5])
        for _ in range(20):
            queue.queue()
        for _ in range(b.rng.choice([1, 2, 3, 30])):
            await queue.clock()
        b.cover("reset", "empty" if queue.model.empty else "offering" if queue.model.offered else "waiting")
    queue.chance = 0.5
    await queue.drain()
