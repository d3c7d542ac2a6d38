# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_write.v: bursts, the memory after it, reports of errors; exact clocks; cancel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from models.lib.memory_port import Error, Port, PortCommand, write_clocks
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import AlwaysOne, Commands, Image, now
from tb.lib.bench import Bench, bench_test

_WAIT = 20_000


class Writer:
    """Commands and beats in; requests, beats at the memory and reports out, compared as they come."""

    def __init__(self, b: Bench, faults: float, latency: int = 1) -> None:
        self.b, dut = b, b.dut
        size = b.params["DATA_WIDTH"] // 8
        self.port = Port(size, b.params["FIFO_DEPTH"], b.params["OUTSTANDING"], memory_port.window(b), latency)
        self.image = Image(b.rng, size, faults)
        self.memory: dict[int, int] = {}  # what must have been written
        self.requests: deque[list[int]] = deque()
        self.beats: deque[list[int]] = deque()  # at the memory: data, strobes, last
        self.reports: deque[int] = deque()
        self.stored: deque[tuple[int, bool, bool]] = deque()  # beats to give: address, end of a burst, refused
        self.clocks: dict[str, list[int]] = {name: [] for name in ("beats", "requests", "written", "done")}
        self.pauses = patterns.never()
        self.given: Callable[[int], bool] = lambda _clock: not next(self.pauses)
        dut.cancel.value = 0
        self.commands = Commands(b, self._taken)
        self.bready = AlwaysOne(b, "m_axi_bready")
        b.start(self._give())
        b.start(self._watch())

    def _taken(self, command: PortCommand) -> None:
        size, refused = self.port.beat_bytes, self.port.refuses(command)
        for burst in self.port.bursts(command):
            for i in range(burst.beats):
                self.stored.append((burst.addr + i * size, i == burst.beats - 1, refused))
        addresses = [command.addr + i * size for i in range(command.beats)] if not refused else []
        error = Error.REFUSED if refused else self.image.error(addresses)
        self.reports.append(error)
        self.b.cover("outcome", error.name.lower())

    async def _give(self) -> None:
        """Beats of all commands, those not yet taken included: the next one waits at the port for its command."""
        dut, rng, width = self.b.dut, self.b.rng, self.b.params["DATA_WIDTH"]
        begun: list[tuple[int, int]] = []  # address and data of the present burst
        valid = False
        dut.s_valid.value = 0
        while True:
            await self.b.clocks()
            if dut.cancel.value == 1:
                begun = []
            if valid and dut.s_ready.value == 1:
                self.clocks["beats"].append(now())
                self.b.scoreboard.expect("beats taken of commands taken", 1)
                self.b.scoreboard.got("beats taken of commands taken", int(bool(self.stored)))
                addr, ends, refused = self.stored.popleft()
                begun.append((addr, dut.s_data.value.to_unsigned()))
                if ends and not refused:
                    self._begin(begun)
                if ends:
                    begun = []
                valid = False
            if not valid:
                valid = self.given(now() + 1)
                dut.s_data.value = rng.getrandbits(width)
            dut.s_valid.value = int(valid)

    def _begin(self, burst: list[tuple[int, int]]) -> None:
        """All of a burst has been taken: it must now be written."""
        size = self.port.beat_bytes
        self.requests.append([burst[0][0], len(burst) - 1, *memory_port.expected_constants(size)])
        for i, (addr, value) in enumerate(burst):
            self.beats.append([value, (1 << size) - 1, int(i == len(burst) - 1)])
            self.memory[addr] = value

    async def _watch(self) -> None:
        dut = self.b.dut
        while True:
            await self.b.clocks()
            if dut.rst.value == 1:
                continue
            if dut.m_axi_awvalid.value == 1 and dut.m_axi_awready.value == 1:
                self.clocks["requests"].append(now())
                seen = [dut.m_axi_awaddr.value.to_unsigned(), dut.m_axi_awlen.value.to_unsigned()]
                self._compare("request", self.requests, seen + memory_port.constants(self.b, "aw"))
            if dut.m_axi_wvalid.value == 1 and dut.m_axi_wready.value == 1:
                self.clocks["written"].append(now())
                beat = [dut.m_axi_wdata.value.to_unsigned(), dut.m_axi_wstrb.value.to_unsigned()]
                self._compare("beat", self.beats, [*beat, int(dut.m_axi_wlast.value)])
            if dut.done.value == 1:
                self.clocks["done"].append(now())
                if self.reports:
                    self.b.scoreboard.expect("done", self.reports.popleft())
                self.b.scoreboard.got("done", dut.done_error.value.to_unsigned())

    def _compare(self, channel: str, expected: deque[list[int]], got: list[int]) -> None:
        if expected:
            self.b.scoreboard.expect(channel, expected.popleft())
        self.b.scoreboard.got(channel, got)

    def add(self, count: int, most: int = 100) -> None:
        """So many random commands."""
        for _ in range(count):
            name, command = memory_port.command(self.b.rng, self.port, self.b.params["ADDR_WIDTH"], most)
            if command.beats > 200:  # a refused one, all of which must be given
                command = PortCommand(command.addr, 200)
            self.commands.queue.append(command)
            refused = self.port.refuses(command)
            beats = "one" if command.beats == 1 else "burst" if len(self.port.bursts(command)) == 1 else "bursts"
            self.b.cover("command", name if refused else beats)

    async def finish(self) -> None:
        """All commands are done, and memory is what it must be."""
        dut = self.b.dut

        def done() -> bool:
            waiting = self.commands.queue or self.requests or self.beats or self.reports or self.stored
            return not waiting and dut.cmd_valid.value == 0 and dut.idle.value == 1

        await self.b.wait_for(done, _WAIT, "all commands to be written")
        await self.b.clocks(3)
        self.bready.check()
        self.compare_memory()

    def compare_memory(self) -> None:
        """Every beat that was to be written, and no other."""
        for memory, tell in ((self.memory, self.b.scoreboard.expect), (self.image.written, self.b.scoreboard.got)):
            tell("beats written", len(memory))
            for addr in sorted(memory):
                tell("memory", [addr, memory[addr]])


def _stall(writer: Writer, slave: Any) -> None:
    b = writer.b
    channels = ("aw", "w", "b")
    for name, pattern in zip(channels, axi.stall(b, *(getattr(slave, f"{c}_channel") for c in channels)), strict=True):
        b.cover(name, pattern)
    name, writer.pauses = patterns.any_pattern(b.rng)
    b.cover("stream", name)
    name, writer.commands.pauses = patterns.any_pattern(b.rng)
    b.cover("cmd", name)


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
        b.dut.cancel.value = 1
        writer.commands.queue.clear()
        await b.clocks()
        b.cover("cancel", "idle" if b.dut.idle.value == 1 else "busy")
        await b.settle()
        writer.stored.clear()
        writer.reports.clear()
        longer = b.rng.choice([0, 0, b.rng.randint(1, 60)])
        if longer:
            await b.clocks(longer)
        b.dut.cancel.value = 0
        b.cover("cancel", "long" if longer else "pulse")
        if b.rng.random() < 0.5:
            writer.add(b.rng.randint(1, 4))
            b.cover("cancel", "next_at_once")
        else:
            await b.wait_for(lambda: b.dut.idle.value == 1, _WAIT, "idle after cancel")
        await writer.finish()


@bench_test(timeout_clocks=100_000)
async def exact_clocks(b: Bench) -> None:
    """Every handshake in the clock that the model says, before a memory of fixed latency."""
    writer = Writer(b, faults=0, latency=b.rng.choice([1, 2, b.rng.randint(3, 30), b.rng.randint(30, 80)]))
    b.start(memory_port.fixed_write(b, writer.image, writer.port.latency))
    writer.given = lambda _clock: False
    await b.reset()
    for _ in range(4):
        name, pauses = patterns.any_pattern(b.rng)
        b.cover("exact", name)
        start = offer = now() + 3
        waits = [not next(pauses) for _ in range(50_000)]
        writer.add(b.rng.randint(1, 8), most=b.rng.choice([10, 200]))
        for i, command in enumerate(writer.commands.queue):
            writer.commands.queue[i] = PortCommand(command.addr, command.beats, offer)
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
        b.scoreboard.expect("taken", predicted.taken)
        b.scoreboard.got("taken", writer.commands.taken)
        for channel, clocks in writer.clocks.items():
            b.scoreboard.expect(f"{channel} clock", getattr(predicted, channel))
            b.scoreboard.got(f"{channel} clock", clocks)


@bench_test(timeout_clocks=100_000)
async def full_speed(b: Bench) -> None:
    """Long commands behind each other: no gap in the data where the memory is near enough."""
    writer = Writer(b, faults=0, latency=1)
    b.start(memory_port.fixed_write(b, writer.image, 1))
    await b.reset()
    size, offer = writer.port.beat_bytes, now() + 5
    first = -(-writer.port.window[0] // (16 * size)) * 16 * size
    commands = [
        PortCommand(first, 160, offer),
        PortCommand(first + 160 * size, 16, offer),
        PortCommand(first, 64, offer),
    ]
    writer.commands.queue.extend(commands)
    await writer.finish()
    clocks = writer.clocks["written"]
    near = 16 * writer.port.outstanding >= writer.port.latency + 20
    b.cover("speed", "no_gap" if near else "starved")
    b.scoreboard.expect("latency", [offer + 2, offer + 2 + 15 + 2, offer + 2 + 15 + 2])
    b.scoreboard.got("latency", [writer.clocks["beats"][0], writer.clocks["requests"][0], clocks[0]])
    if near:
        b.scoreboard.expect("gaps", 0)
        b.scoreboard.got("gaps", clocks[-1] - clocks[0] + 1 - len(clocks))
