# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/control/program_fetch.v: lists of all lengths, every output in every clock, errors, resets."""

from __future__ import annotations

from models.pe_array.clocks.program_fetch import FetchClocks
from models.pe_array.isa.descriptors import BYTES, Cause
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.port_memory import PortMemory

LENGTH_MAX = (1 << 24) - 1


class Fetch:
    """The design, the memory with its programs, and the model of the clocks."""

    def __init__(self, b: Bench, base: int, size: int) -> None:
        self.b, self.beat, self.chunk = b, int(b.params["B"]), int(b.params["CHUNK"])
        self.gaps = Gaps(b, "p")
        self.b.drive(start=0, addr=0, length=0, p_ready=0)
        self.memory = PortMemory(b, base, size, ["rd"])
        self.model = FetchClocks(self.beat, self.chunk)
        self.addr = 0
        self.errors: list[tuple[int, int]] = []
        self.fetched = 0

    def any_gaps(self) -> None:
        self.gaps.any()
        self.memory.any_gaps()
        self.memory.latency = min(self.memory.latency, 10)  # commands are short

    @property
    def error_comes(self) -> bool:
        """The memory gives an item with an error, not a beat."""
        return bool(self.b.high("rd_valid") and not self.b.low("rd_error"))

    async def reset(self) -> None:
        self.b.drive(start=0)
        await self.b.reset()
        self.model = FetchClocks(self.beat, self.chunk)
        self.errors.clear()

    async def clock(self, start: tuple[int, int] | None = None) -> None:
        """One clock, with a list (address, descriptors) to begin or none."""
        b, gaps, model = self.b, self.gaps, self.model
        p_ready = gaps.go("p")
        addr, length = start or (b.rng.getrandbits(32), b.rng.getrandbits(24))
        b.drive(start=start is not None, addr=addr, length=length, p_ready=p_ready)
        await b.clocks()
        b.check(
            idle=model.idle,
            error=model.error is not None,
            p_valid=model.index is not None,
            rd_cmd_valid=model.command is not None,
            rd_ready=model.rd_ready(p_ready),
        )
        if model.error is not None:
            b.check(error_cause=model.error.cause, error_index=model.error.index)
            self.errors.append((model.error.cause, model.error.index))
        if model.command is not None:
            b.check(rd_cmd_addr=model.command[0], rd_cmd_beats=model.command[1] - 1)
        if model.index is not None:
            place = self.addr + model.index * BYTES - self.memory.base
            data = self.memory.data[place : place + BYTES].tobytes()
            b.check(p_index=model.index, p_data=int.from_bytes(data, "little"))
            self.fetched += p_ready
        if start is not None and model.idle:
            self.addr = addr
        item = b.see("rd_error") if b.high("rd_valid") else None
        model.clock(start, b.high("rd_cmd_ready"), item, p_ready)

    async def run(self, addr: int, length: int, clocks: int = 20_000) -> int:
        """Fetch a list to its end or error; the clocks that it takes."""
        self.errors.clear()
        await self.clock((addr, length))
        for clock in range(clocks):
            if self.model.idle and self.model.error is None:
                return clock
            await self.clock()
        raise TimeoutError("the list is not fetched")


def _place(b: Bench, low: int, high: int) -> int:
    """A random legal address of a program, low … high - 1."""
    return b.rng.randrange(low, high, max(BYTES, int(b.params["B"])))


@bench_test(timeout_clocks=60_000)
async def lists(b: Bench) -> None:
    """Lists of 1 to some 50 descriptors anywhere, one after the other, under all patterns."""
    base, size = _place(b, 0, 1 << 31), 8192
    fetch = Fetch(b, base, size)
    await fetch.reset()
    total = 0
    for number in range(8):
        fetch.any_gaps()
        length = [1, 2, 3][number] if number < 3 else b.rng.randint(1, 50)
        b.cover("length", length if length < 4 else "more")
        commands = len(fetch.memory.reads)
        await fetch.run(_place(b, base, base + size - 60 * BYTES), length)
        b.cover("commands", "one" if len(fetch.memory.reads) == commands + 1 else "several")
        total += length
        for _ in range(b.rng.randint(0, 3)):
            await fetch.clock()
    b.equal("fetched", fetch.fetched, total)
    b.require(not fetch.memory.busy, "the memory still works on a command")


@bench_test(timeout_clocks=20_000)
async def speed(b: Bench) -> None:
    """Without pauses a list takes a clock per beat, or per descriptor where a beat has two, and its latency."""
    fetch = Fetch(b, 0, 8192)
    await fetch.reset()
    fetch.memory.fast()
    length = 64
    clocks = await fetch.run(0, length)
    b.require(clocks <= length * max(BYTES // fetch.beat, 1) + 4 + 4 * len(fetch.memory.reads), f"{clocks} clocks")
    b.cover("length", "more")


@bench_test(timeout_clocks=20_000)
async def nothing(b: Bench) -> None:
    """No descriptors at all: nothing is read. A start while a list is fetched changes nothing."""
    fetch = Fetch(b, 0, 4096)
    await fetch.reset()
    await fetch.run(_place(b, 0, 4096), 0)
    b.require(not fetch.memory.reads, "an illegal list is read")
    b.cover("length", 0)
    fetch.any_gaps()
    await fetch.clock((0, 20))
    while not fetch.model.idle:
        await fetch.clock((64, 7) if b.rng.random() < 0.1 else None)
        b.require(len(fetch.memory.reads) < 100, "more is read than the list needs")


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Lists that leave the window, that are misaligned, or in which a beat is answered with an error."""
    top = b.rng.random() < 0.5
    size = 4096
    base = (1 << 32) - size if top else _place(b, size, 1 << 31)
    fetch = Fetch(b, base, size)
    for _ in range(12):
        await fetch.reset()
        fetch.any_gaps()
        memory, beat = fetch.memory, fetch.beat
        memory.read_faults.clear()
        kind = b.rng.choice(["before", "behind", "misaligned", "slverr", "decerr"])
        b.cover("error", kind if kind != "behind" else "beyond_2_32" if top else kind)
        length, addr, cause, index = b.rng.randint(1, 40), _place(b, base, base + size - 50 * BYTES), Cause.ADDRESS, 0
        if kind == "before":
            addr = _place(b, 0, base)
        elif kind == "behind":
            length = b.rng.choice([LENGTH_MAX, b.rng.randint(size // BYTES, LENGTH_MAX)])
            if b.rng.random() < 0.3:  # the first commands end with the window
                addr = base + size - min(size, fetch.chunk * beat)
            whole = (base + size - addr) // (fetch.chunk * beat) * (fetch.chunk * beat)
            index = whole // BYTES
            b.cover("refused", "first" if index == 0 else "later")
        elif kind == "misaligned":
            addr += b.rng.randrange(1, max(BYTES, beat))
        else:
            cause = Cause.READ_SLVERR if kind == "slverr" else Cause.READ_DECERR
            place = b.rng.randrange(0, length * BYTES) // beat * beat
            memory.read_faults[addr + place] = int(cause) - Cause.ADDRESS + 1
            index = place // BYTES
        await fetch.run(addr, length)
        await fetch.clock()
        b.equal("errors", [part for error in fetch.errors for part in error], [int(cause), index])


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset at any moment, also with a beat that has an error, forgets everything; the next list is whole."""
    fetch = Fetch(b, 0, 8192)
    for number in range(10):
        await fetch.reset()
        fetch.any_gaps()
        addr = _place(b, 0, 4096)
        fetch.memory.read_faults = {addr: 2} if number % 2 else {}
        await fetch.clock((addr, b.rng.randint(1, 40)))
        if number % 2:
            while not fetch.error_comes:
                await fetch.clock()
                await b.settle()  # now the memory gives what it gives in this clock
            b.cover("reset", "with_error")
            continue
        for _ in range(b.rng.choice([0, 1, 2, 3, 5, b.rng.randint(4, 60)]) if number else 2_000):
            if number or not fetch.model.idle:  # the first list is read to its end
                await fetch.clock()
        b.cover("reset", "idle" if fetch.model.idle else "at_output" if fetch.model.index is not None else "running")
    await fetch.reset()
    fetch.memory.read_faults.clear()
    await fetch.run(0, 17)
