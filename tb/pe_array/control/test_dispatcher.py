# SPDX-License-Identifier: Apache-2.0
"""Bench of dispatcher.v: every opcode, known or not, full queues, counts, every output in every clock."""

from __future__ import annotations

from models.pe_array.clocks.dispatcher import DispatchClocks
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import KINDS, Engine
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.clockwise import Clockwise

QUEUES = ("load", "compute", "store")


class Dispatch:
    """The design, what is offered to it, and the model of the clocks."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.io = Clockwise(b, ["s", *QUEUES])
        self.io.drive(s_valid=0, clear=0)
        self.items: list[Item] = []
        self.offered = False
        self.doing = 0.3  # chance of an operation's end in a clock

    async def reset(self) -> None:
        self.io.drive(s_valid=0, clear=0, load_done=0, compute_done=0, store_done=0)
        self.offered = False
        self.items.clear()
        await self.b.reset()
        self.model = DispatchClocks()

    async def clock(self, clear: bool = False) -> None:
        b, io, model = self.b, self.io, self.model
        rng = b.rng
        if not self.offered:
            self.offered = bool(self.items) and io.go("s")
        item = self.items[0] if self.offered else None
        readies = [io.go(queue) for queue in QUEUES]
        done = [rng.random() < self.doing for _ in QUEUES]
        io.drive_item("s", item)
        for queue, ready, ends in zip(QUEUES, readies, done, strict=True):
            io.drive(**{f"{queue}_ready": ready, f"{queue}_done": ends})
        io.drive(clear=clear)
        await b.settle()
        valid = {f"{queue}_valid": model.to == place for place, queue in enumerate(QUEUES, Engine.LOAD)}
        counts = dict(zip(("loads_done", "computes_done", "stores_done"), model.counts, strict=True))
        io.check(s_ready=model.s_ready(readies), idle=model.held is None, error=model.error is not None)
        io.check(**valid, **counts)
        if model.held is not None:
            io.check(q_data=model.held.word, q_index=model.held.index)
            b.cover("to", QUEUES[(model.to or 1) - 1])
        if model.error is not None:
            io.check(error_cause=model.error.cause, error_index=model.error.index)
        if item is not None and model.s_ready(readies):
            self.items.pop(0)
            self.offered = False
        model.clock(item, readies, done, clear)
        await b.clocks()

    def queue(self, opcode: int) -> None:
        rng = self.b.rng
        self.b.cover("opcode", "known" if opcode in KINDS else "unknown")
        self.items.append(Item(rng.getrandbits(248) << 8 | opcode, rng.getrandbits(24)))

    async def drain(self) -> None:
        """Until all is through."""
        for _ in range(20_000):
            if not self.items and self.model.held is None and self.model.error is None:
                return
            await self.clock()
        raise TimeoutError("descriptors are still inside")


@bench_test(timeout_clocks=60_000)
async def descriptors(b: Bench) -> None:
    """Known opcodes, mostly, under all patterns; counts that are cleared now and then."""
    dispatch = Dispatch(b)
    await dispatch.reset()
    for _ in range(10):
        dispatch.io.any_gaps()
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
    assert not dispatch.items
    await dispatch.drain()
    b.scoreboard.expect("counts", sum(dispatch.model.counts) > 256 * 0.3)
    b.scoreboard.got("counts", 1)


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset forgets the descriptor inside and the counts."""
    dispatch = Dispatch(b)
    for _ in range(10):
        await dispatch.reset()
        dispatch.io.any_gaps()
        for _ in range(10):
            dispatch.queue(b.rng.choice([*KINDS]))
        for _ in range(b.rng.randint(1, 20)):
            await dispatch.clock()
        b.cover("reset", "idle" if dispatch.model.held is None else "holding")
    await dispatch.drain()
