# SPDX-License-Identifier: Apache-2.0
"""Bench of dispatcher.v: every opcode, known or not, full queues, counts, every output in every clock."""

from __future__ import annotations

from models.pe_array.clocks.dispatcher import DispatchClocks
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import KINDS, Engine
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Source
from tb.pe_array.drivers.descriptor_port import drive_item

QUEUES = ("load", "compute", "store")


class Dispatch:
    """The design, what is offered to it, and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.gaps = Gaps(b, "s", *QUEUES)
        self.b.drive(s_valid=0, clear=0)
        self.source: Source[Item] = Source(self.gaps, "s")
        self.doing = 0.3  # chance of an operation's end in a clock

    async def reset(self) -> None:
        self.b.drive(s_valid=0, clear=0, load_done=0, compute_done=0, store_done=0)
        self.source.clear()
        await self.b.reset()
        self.model = DispatchClocks()

    async def clock(self, clear: bool = False) -> None:
        b, gaps, model = self.b, self.gaps, self.model
        rng = b.rng
        item = self.source.offer()
        readies = [gaps.go(queue) for queue in QUEUES]
        done = [rng.random() < self.doing for _ in QUEUES]
        drive_item(b, "s", item)
        for queue, ready, ends in zip(QUEUES, readies, done, strict=True):
            b.drive({f"{queue}_ready": ready, f"{queue}_done": ends})
        b.drive(clear=clear)
        await b.clocks()
        valid = {f"{queue}_valid": model.to == place for place, queue in enumerate(QUEUES, Engine.LOAD)}
        counts = dict(zip(("loads_done", "computes_done", "stores_done"), model.counts, strict=True))
        b.check(s_ready=model.s_ready(readies), idle=model.held is None, error=model.error is not None)
        b.check(**valid, **counts)
        if model.held is not None:
            b.check(q_data=model.held.word, q_index=model.held.index)
            b.cover("to", QUEUES[(model.to or 1) - 1])
        if model.error is not None:
            b.check(error_cause=model.error.cause, error_index=model.error.index)
        if item is not None and model.s_ready(readies):
            self.source.take()
        model.clock(item, readies, done, clear)

    def queue(self, opcode: int) -> None:
        rng = self.b.rng
        self.b.cover("opcode", "known" if opcode in KINDS else "unknown")
        self.source.queue.append(Item(rng.getrandbits(248) << 8 | opcode, rng.getrandbits(24)))

    async def drain(self) -> None:
        """Until all is through."""
        for _ in range(20_000):
            if not self.source.queue and self.model.held is None and self.model.error is None:
                return
            await self.clock()
        raise TimeoutError("descriptors are still inside")


@bench_test(timeout_clocks=60_000)
async def descriptors(b: Bench) -> None:
    """Known opcodes, mostly, under all patterns; counts that are cleared now and then."""
    dispatch = Dispatch(b)
    await dispatch.reset()
    for _ in range(10):
        dispatch.gaps.any()
        dispatch.doing = b.rng.choice([0, 0.3, 1])
        for _ in range(b.rng.randint(5, 40)):
            dispatch.queue(b.rng.choice([*KINDS, *KINDS, b.rng.getrandbits(8)]))
        await dispatch.drain()
        if b.rng.random() < 0.3:
            await dispatch.clock(clear=True)
            b.cover("counts", "cleared")


@bench_test(timeout_clocks=20_000)
async def every_opcode(b: Bench) -> None:
    """All 256, one per clock where nothing waits."""
    dispatch = Dispatch(b)
    await dispatch.reset()
    for opcode in b.rng.sample(range(256), 256):
        dispatch.queue(opcode)
    for _ in range(256):
        await dispatch.clock()
    b.require(not dispatch.source.queue, "not one opcode per clock")
    await dispatch.drain()
    b.equal("counts", 1, sum(dispatch.model.counts) > 256 * 0.3)


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset forgets the descriptor inside and the counts."""
    dispatch = Dispatch(b)
    for _ in range(10):
        await dispatch.reset()
        dispatch.gaps.any()
        for _ in range(10):
            dispatch.queue(b.rng.choice([*KINDS]))
        for _ in range(b.rng.randint(1, 20)):
            await dispatch.clock()
        b.cover("reset", "idle" if dispatch.model.held is None else "holding")
    await dispatch.drain()
