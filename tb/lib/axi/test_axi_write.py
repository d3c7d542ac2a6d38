# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_write.v: bursts, the memory after it, reports of errors; exact clocks; cancel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.lib.memory_port import Error, Port, PortCommand, write_clocks
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import AlwaysOne, Commands, FixedWrite, Image, now
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

_WAIT = 20_000


class Writer(Beside):
    """Commands and beats in; requests, beats at the memory and reports out, compared as they come."""

    def __init__(self, b: Bench, faults: float, latency: int = 1) -> None:
        super().__init__(b)
        size = b.params["DATA_WIDTH"] // 8
        self.port = Port(size, b.params["FIFO_DEPTH"], b.params["OUTSTANDING"], memory_port.window(b), latency)
        self.unit = size >> int(b.params.get("HALF", 0))  # bytes of the smallest beat
        self.image = Image(b.rng, self.unit, faults)
        self.memory: dict[int, int] = {}  # what must have been written, by units
        # beats to give: address, bytes, end of a burst, refused
        self.stored: deque[tuple[int, int, bool, bool]] = deque()
        self.clocks: dict[str, list[int]] = {name: [] for name in ("beats", "requests", "written", "done")}
        self.gaps = Gaps(b, "stream", "cmd")
        self.given: Callable[[int], bool] = lambda _clock: self.gaps.go("stream")
        self._begun: list[tuple[int, int]] = []  # address and data of the present burst
        self._valid = False
        b.drive(cancel=0, s_valid=0)
        self.commands = Commands(b, self.gaps, self._taken)
        self.bready = AlwaysOne(b, "m_axi_bready")

    def _taken(self, command: PortCommand) -> None:
        size, refused = self.port.size(command), self.port.refuses(command)
        for burst in self.port.bursts(command):
            for i in range(burst.beats):
                self.stored.append((burst.addr + i * size, size, i == burst.beats - 1, refused))
        addresses = range(command.addr, command.addr + command.beats * size, self.unit) if not refused else []
        error = Error.REFUSED if refused else self.image.error(addresses)
        self.b.expect("done", error)
        self.b.cover("outcome", error.name.lower())

    def look(self) -> None:
        """A beat that was taken; a request, a beat at the memory, a report."""
        b = self.b
        self._give()
        if b.high("m_axi_awvalid") and b.high("m_axi_awready"):
            self.clocks["requests"].append(now())
            b.got("request", [b.see("m_axi_awaddr"), b.see("m_axi_awlen"), *memory_port.constants(b, "aw")])
        if b.high("m_axi_wvalid") and b.high("m_axi_wready"):
            self.clocks["written"].append(now())
            b.got("beat", [b.see("m_axi_wdata"), b.see("m_axi_wstrb"), b.see("m_axi_wlast")])
        if b.high("done"):
            self.clocks["done"].append(now())
            b.got("done", b.see("done_error"))

    def _give(self) -> None:
        """Beats of all commands, those not yet taken included: the next one waits at the port for its command."""
        if self.b.high("cancel"):
            self._begun = []
        if self._valid and self.b.high("s_ready"):
            self.clocks["beats"].append(now())
            self.b.require(self.stored, "a beat is taken of no command")
            addr, size, ends, refused = self.stored.popleft()
            self._begun.append((addr, self.b.see("s_data") & (1 << 8 * size) - 1))
            if ends and not refused:
                self._begin(self._begun, size)
            if ends:
                self._begun = []
            self._valid = False

    def drive(self) -> None:
        """The next beat."""
        if not self._valid:
            self._valid = self.given(now() + 1)
            self.b.drive(s_data=self.b.rng.getrandbits(self.b.params["DATA_WIDTH"]))
        self.b.drive(s_valid=self._valid)

    def _begin(self, burst: list[tuple[int, int]], size: int) -> None:
        """All of a burst has been taken: it must now be written; half beats stand in both halves of the bus."""
        bus = self.port.beat_bytes
        self.b.expect("request", [burst[0][0], len(burst) - 1, *memory_port.expected_constants(size)])
        for i, (addr, value) in enumerate(burst):
            whole = value if size == bus else value | value << 8 * size
            self.b.expect("beat", [whole, (1 << size) - 1 << addr % bus, int(i == len(burst) - 1)])
            for at in range(0, size, self.unit):
                self.memory[addr + at] = value >> 8 * at & (1 << 8 * self.unit) - 1

    def add(self, count: int, most: int = 100) -> None:
        """So many random commands."""
        for _ in range(count):
            name, command = memory_port.some_command(self.b, self.port, most)
            if command.beats > 200:  # a refused one, all of which must be given
                command = replace(command, beats=200)
            self.commands.queue.append(command)
            refused = self.port.refuses(command)
            beats = "one" if command.beats == 1 else "burst" if len(self.port.bursts(command)) == 1 else "bursts"
            self.b.cover("command", name if refused else beats)

    async def finish(self) -> None:
        """All commands are done, and memory is what it must be."""

        def done() -> bool:
            waiting = self.commands.queue or self.b.pending or self.stored
            return not waiting and self.b.low("cmd_valid") and self.b.high("idle")

        await self.b.wait_for(done, _WAIT, "all commands to be written")
        await self.b.clocks(3)
        self.bready.check()
        self.compare_memory()

    def compare_memory(self) -> None:
        """Every beat that was to be written, and no other."""
        for memory, tell in ((self.memory, self.b.expect), (self.image.written, self.b.got)):
            tell("beats written", len(memory))
            for addr in sorted(memory):
                tell("memory", [addr, memory[addr]])


def _stall(writer: Writer, slave: Any) -> None:
    b = writer.b
    channels = ("aw", "w", "b")
    for name, pattern in zip(channels, axi.stall(b, *(getattr(slave, f"{c}_channel") for c in channels)), strict=True):
        b.cover(name, pattern)
    writer.gaps.any()


@bench_test(timeout_clocks=100_000)
async def stalled(b: Bench) -> None:
    """Random commands with idle clocks and back-pressure everywhere, error responses among the good."""
    writer = Writer(b, faults=b.rng.choice([0.01, 0.03, 0.2]))
    slave = memory_port.write_slave(b, writer.image)
    await b.reset()
    for _ in range(4):
        _stall(writer, slave)
        writer.add(6)
        await writer.finish()


@bench_test(timeout_clocks=100_000)
async def cancelled(b: Bench) -> None:
    """Cancel at any moment: whole bursts are written, nothing of the others, and the next commands are."""
    writer = Writer(b, faults=b.rng.choice([0, 0.05]))
    slave = memory_port.write_slave(b, writer.image)
    await b.reset()
    for _ in range(8):
        _stall(writer, slave)
        writer.add(b.rng.randint(0, 8))
        if b.rng.random() < 0.3:
            writer.commands.queue.append(
                PortCommand(b.rng.getrandbits(b.params["ADDR_WIDTH"]), b.rng.randint(1, 65536))
            )
        await b.clocks(b.rng.choice([1, b.rng.randint(1, 20), b.rng.randint(20, 300)]))
        b.drive(cancel=1)
        writer.commands.queue.clear()
        await b.clocks()
        b.cover("cancel", "idle" if b.high("idle") else "busy")
        await b.settle()
        writer.stored.clear()
        b.forget("done")
        longer = b.rng.choice([0, 0, b.rng.randint(1, 60)])
        if longer:
            await b.clocks(longer)
        b.drive(cancel=0)
        b.cover("cancel", "long" if longer else "pulse")
        if b.rng.random() < 0.5:
            writer.add(b.rng.randint(1, 4))
            b.cover("cancel", "next_at_once")
        else:
            await b.wait_for(lambda: b.high("idle"), _WAIT, "idle after cancel")
        await writer.finish()


@bench_test(timeout_clocks=100_000)
async def exact_clocks(b: Bench) -> None:
    """Every handshake in the clock that the model says, before a memory of fixed latency."""
    writer = Writer(b, faults=0, latency=b.rng.choice([1, 2, b.rng.randint(3, 30), b.rng.randint(30, 80)]))
    FixedWrite(b, writer.image, writer.port.latency)
    writer.given = lambda _clock: False
    await b.reset()
    for _ in range(4):
        name, pauses = patterns.any_pattern(b.rng)
        b.cover("exact", name)
        start = offer = now() + 3
        waits = [not next(pauses) for _ in range(50_000)]
        writer.add(b.rng.randint(1, 8), most=b.rng.choice([10, 200]))
        for i, command in enumerate(writer.commands.queue):
            writer.commands.queue[i] = replace(command, offer=offer)
            offer += b.rng.choice([0, 0, b.rng.randint(0, 50)])
        left = sum(command.beats for command in writer.commands.queue)

        def given(clock: int, start: int = start, waits: list[bool] = waits) -> bool:
            return clock >= start and waits[clock - start]

        def given_if_any(clock: int, given: Callable[[int], bool] = given, left: int = left) -> bool:
            return len(writer.clocks["beats"]) < left and given(clock)

        predicted = write_clocks(writer.port, list(writer.commands.queue), given)
        writer.given = given_if_any
        writer.commands.taken.clear()
        for clocks in writer.clocks.values():
            clocks.clear()
        await writer.finish()
        b.equal("taken", writer.commands.taken, predicted.taken)
        for channel, clocks in writer.clocks.items():
            b.equal(f"{channel} clock", clocks, getattr(predicted, channel))


@bench_test(timeout_clocks=100_000)
async def full_speed(b: Bench) -> None:
    """Long commands behind each other: no gap in the data where the memory is near enough."""
    writer = Writer(b, faults=0, latency=1)
    FixedWrite(b, writer.image, 1)
    await b.reset()
    half = int(b.params.get("HALF", 0)) != 0
    size, offer = writer.port.beat_bytes >> half, now() + 5
    first = -(-writer.port.window[0] // (16 * size)) * 16 * size
    commands = [
        PortCommand(first, 160, offer, half),
        PortCommand(first + 160 * size, 16, offer, half),
        PortCommand(first, 64, offer, half),
    ]
    writer.commands.queue.extend(commands)
    await writer.finish()
    clocks = writer.clocks["written"]
    near = 16 * writer.port.outstanding >= writer.port.latency + 20
    b.cover("speed", "no_gap" if near else "starved")
    b.equal(
        "latency",
        [writer.clocks["beats"][0], writer.clocks["requests"][0], clocks[0]],
        [offer + 2, offer + 2 + 15 + 2, offer + 2 + 15 + 2],
    )
    if near:
        b.equal("gaps", clocks[-1] - clocks[0] + 1 - len(clocks), 0)
