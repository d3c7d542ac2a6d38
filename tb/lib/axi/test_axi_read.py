# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_read.v: bursts, beats, refusals and errors against the model; exact clocks; cancel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from models.lib.memory_port import Error, Port, PortCommand, read_clocks
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import AlwaysOne, Commands, Image, now
from tb.lib.bench import Bench, bench_test

_WAIT = 20_000


class Reader:
    """Commands in; requests and items out, compared as they come."""

    def __init__(self, b: Bench, faults: float, latency: int = 1) -> None:
        self.b, dut = b, b.dut
        size = b.params["DATA_WIDTH"] // 8
        self.port = Port(size, b.params["FIFO_DEPTH"], b.params["OUTSTANDING"], memory_port.window(b), latency)
        self.image = Image(b.rng, size, faults)
        self.requests: deque[list[int]] = deque()
        self.items: deque[list[int]] = deque()
        self.request_clocks: list[int] = []
        self.item_clocks: list[int] = []
        self.pauses = patterns.never()
        self.ready: Callable[[int], bool] = lambda _clock: not next(self.pauses)
        dut.cancel.value = 0
        dut.m_ready.value = 0
        self.commands = Commands(b, self._taken)
        self.rready = AlwaysOne(b, "m_axi_rready")
        b.start(self._watch_requests())
        b.start(self._take_items())

    def _taken(self, command: PortCommand) -> None:
        size = self.port.beat_bytes
        if self.port.refuses(command):
            self.items.append([0, 1, Error.REFUSED])
            return
        for burst in self.port.bursts(command):
            self.requests.append([burst.addr, burst.beats - 1, *memory_port.expected_constants(size)])
        addresses = [command.addr + i * size for i in range(command.beats)]
        error = self.image.error(addresses)
        for addr in addresses:
            last = addr == addresses[-1]
            if self.image.answer(addr) >= 2:
                break
            self.items.append([self.image.beat(addr), int(last), 0])
        if error:
            self.items.append([0, 1, error])
        self.b.cover("outcome", error.name.lower())

    async def _watch_requests(self) -> None:
        dut = self.b.dut
        while True:
            await self.b.clocks()
            if dut.rst.value == 0 and dut.m_axi_arvalid.value == 1 and dut.m_axi_arready.value == 1:
                self.request_clocks.append(now())
                seen = [dut.m_axi_araddr.value.to_unsigned(), dut.m_axi_arlen.value.to_unsigned()]
                self._compare("request", self.requests, seen + memory_port.constants(self.b, "ar"))

    async def _take_items(self) -> None:
        dut = self.b.dut
        ready = False
        while True:
            await self.b.clocks()
            if ready and dut.m_valid.value == 1:
                self.item_clocks.append(now())
                error = dut.m_error.value.to_unsigned()
                data = 0 if error else dut.m_data.value.to_unsigned()
                self._compare("item", self.items, [data, int(dut.m_last.value), error])
            ready = self.ready(now() + 1)
            dut.m_ready.value = int(ready)

    def _compare(self, channel: str, expected: deque[list[int]], got: list[int]) -> None:
        if expected:
            self.b.scoreboard.expect(channel, expected.popleft())
        self.b.scoreboard.got(channel, got)

    def add(self, kinds: int, most: int = 100) -> None:
        """So many random commands."""
        for _ in range(kinds):
            name, command = memory_port.command(self.b.rng, self.port, self.b.params["ADDR_WIDTH"], most)
            self._cover(name, command)
            self.commands.queue.append(command)

    def _cover(self, name: str, command: PortCommand) -> None:
        beats = "one" if command.beats == 1 else "burst" if len(self.port.bursts(command)) == 1 else "bursts"
        self.b.cover("command", name if self.port.refuses(command) else beats)
        if not self.port.refuses(command):
            pages = command.addr // 4096 != (command.addr + command.beats * self.port.beat_bytes - 1) // 4096
            self.b.cover("page", "crossed" if pages else "inside")

    async def finish(self) -> None:
        """All commands are done, and nothing stays behind."""

        def done() -> bool:
            waiting = self.commands.queue or self.requests or self.items
            return not waiting and self.b.dut.cmd_valid.value == 0 and self.b.dut.idle.value == 1

        await self.b.wait_for(done, _WAIT, "all commands to be read")
        await self.b.clocks(3)
        self.rready.check()


def _stall(reader: Reader, slave: Any) -> None:
    b = reader.b
    for name, pattern in zip(("ar", "r"), axi.stall(b, slave.ar_channel, slave.r_channel), strict=True):
        b.cover(name, pattern)
    name, reader.pauses = patterns.any_pattern(b.rng)
    b.cover("stream", name)
    name, reader.commands.pauses = patterns.any_pattern(b.rng)
    b.cover("cmd", name)


@bench_test(timeout_clocks=100_000)
async def stalled(b: Bench) -> None:
    """Random commands with idle clocks and back-pressure everywhere, error responses among the good."""
    reader = Reader(b, faults=b.rng.choice([0.01, 0.03, 0.2]))
    slave = memory_port.read_slave(b, reader.image)
    await b.reset()
    for _ in range(4):
        _stall(reader, slave)
        reader.add(6)
        await reader.finish()


@bench_test(timeout_clocks=100_000)
async def cancelled(b: Bench) -> None:
    """Cancel at any moment: no request after it, an empty stream at once, and the next commands come out whole."""
    reader = Reader(b, faults=b.rng.choice([0, 0.05]))
    slave = memory_port.read_slave(b, reader.image)
    await b.reset()
    for _ in range(8):
        _stall(reader, slave)
        reader.add(b.rng.randint(0, 8))
        await b.clocks(b.rng.choice([1, b.rng.randint(1, 20), b.rng.randint(20, 300)]))
        b.dut.cancel.value = 1
        reader.commands.queue.clear()
        await b.clocks()
        b.cover("cancel", "idle" if b.dut.idle.value == 1 else "busy")
        await b.settle()
        request_stands = b.dut.m_axi_arvalid.value == 1
        reader.items.clear()
        while len(reader.requests) > int(request_stands):
            reader.requests.pop()
        b.scoreboard.expect("m_valid after cancel", 0)
        b.scoreboard.got("m_valid after cancel", int(b.dut.m_valid.value))
        longer = b.rng.choice([0, 0, b.rng.randint(1, 60)])
        if longer:
            await b.clocks(longer)
        b.dut.cancel.value = 0
        b.cover("cancel", "long" if longer else "pulse")
        if b.rng.random() < 0.5:
            reader.add(b.rng.randint(1, 4))
            b.cover("cancel", "next_at_once")
        else:
            await b.wait_for(lambda: b.dut.idle.value == 1, _WAIT, "idle after cancel")
        await reader.finish()


@bench_test(timeout_clocks=100_000)
async def exact_clocks(b: Bench) -> None:
    """Every handshake in the clock that the model says, behind a memory of fixed latency."""
    reader = Reader(b, faults=0, latency=b.rng.choice([1, 2, b.rng.randint(3, 30), b.rng.randint(30, 80)]))
    b.start(memory_port.fixed_read(b, reader.image, reader.port.latency))
    await b.reset()
    for _ in range(4):
        name, pauses = patterns.any_pattern(b.rng)
        b.cover("exact", name)
        start = now() + 3
        waits = [not next(pauses) for _ in range(50_000)]

        def ready(clock: int, start: int = start, waits: list[bool] = waits) -> bool:
            return clock < start or waits[clock - start]

        reader.ready = ready
        reader.add(b.rng.randint(1, 8), most=b.rng.choice([10, 200]))
        offer = start
        for i, command in enumerate(reader.commands.queue):
            reader.commands.queue[i] = PortCommand(command.addr, command.beats, offer)
            offer += b.rng.choice([0, 0, b.rng.randint(0, 50)])
        predicted = read_clocks(reader.port, list(reader.commands.queue), reader.ready)
        reader.commands.taken, reader.request_clocks, reader.item_clocks = [], [], []
        await reader.finish()
        for channel, expected, got in (
            ("taken", predicted.taken, reader.commands.taken),
            ("request clock", predicted.requests, reader.request_clocks),
            ("item clock", predicted.items, reader.item_clocks),
        ):
            b.scoreboard.expect(channel, expected)
            b.scoreboard.got(channel, got)


@bench_test(timeout_clocks=100_000)
async def full_speed(b: Bench) -> None:
    """One long command and many short ones: no gap where the memory is near enough, and none more than must be."""
    reader = Reader(b, faults=0, latency=1)
    b.start(memory_port.fixed_read(b, reader.image, 1))
    await b.reset()
    size, offer = reader.port.beat_bytes, now() + 5
    first = -(-reader.port.window[0] // (16 * size)) * 16 * size
    commands = [
        PortCommand(first, 160, offer),
        PortCommand(first + 160 * size, 16, offer),
        PortCommand(first, 64, offer),
    ]
    reader.commands.queue.extend(commands)
    await reader.finish()
    clocks = reader.item_clocks
    gaps = clocks[-1] - clocks[0] + 1 - sum(command.beats for command in commands)
    near = min(reader.port.fifo_depth, 16 * reader.port.outstanding) >= reader.port.latency + 20
    b.cover("speed", "no_gap" if near else "starved")
    b.scoreboard.expect("latency", commands[0].offer + 3 + 1 + 2)
    b.scoreboard.got("latency", clocks[0])
    if near:
        b.scoreboard.expect("gaps", 0)
        b.scoreboard.got("gaps", gaps)
