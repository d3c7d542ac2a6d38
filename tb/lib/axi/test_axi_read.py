# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_read.v: bursts, beats, refusals and errors against the model; exact clocks; cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.lib.memory_port import Error, Port, PortCommand, read_clocks
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import AlwaysOne, Commands, FixedRead, Image, now
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

_WAIT = 20_000
REQUEST_ITEMS = 8
"""Numbers that the scoreboard has for a request."""


class Reader(Beside):
    """Commands in; requests and items out, compared as they come."""

    def __init__(self, b: Bench, faults: float, latency: int = 1) -> None:
        super().__init__(b)
        size = b.params["DATA_WIDTH"] // 8
        depth, outstanding, window = b.params["FIFO_DEPTH"], b.params["OUTSTANDING"], memory_port.window(b)
        self.port = Port(size, depth, outstanding, window, latency, pairs=True)
        self.two = int(b.params.get("HALF", 0)) != 0 and int(b.params.get("M_WIDTH", 8 * size)) == 8 * size
        self.image = Image(b.rng, size, faults)
        self.request_clocks: list[int] = []
        self.item_clocks: list[int] = []
        self.gaps = Gaps(b, "stream", "cmd", "both")
        self.ready: Callable[[int], bool] = lambda _clock: self.gaps.go("stream")
        self.both: Callable[[int], bool] = lambda _clock: self.gaps.go("both")
        self._ready = self._both = False
        self._second: int | None = None  # m_last of the second item of a pair, as it was said with the first
        b.drive(cancel=0, m_ready=0, m_both=0)
        self.commands = Commands(b, self.gaps, self._taken)
        self.rready = AlwaysOne(b, "m_axi_rready")

    def _taken(self, command: PortCommand) -> None:
        size, word = self.port.size(command), self.port.beat_bytes
        if self.port.refuses(command):
            self.b.expect("item", [0, 1, Error.REFUSED])
            return
        for burst in self.port.bursts(command):
            self.b.expect("request", [burst.addr, burst.beats - 1, *memory_port.expected_constants(word)])
            if command.half:
                self.b.cover("halves", ("pairs", "high_first", "low_last", "high_to_low")[burst.skip])
        addresses = [command.addr + i * size for i in range(command.beats)]
        error = self.image.error(addr // word * word for addr in addresses)
        for addr in addresses:
            last, at = addr == addresses[-1], addr // word * word
            if self.image.answer(at) >= 2:
                break
            self.b.expect("item", [self._item(self.image.beat(at), addr - at), int(last), 0])
        if error:
            self.b.expect("item", [0, 1, error])
        self.b.cover("outcome", error.name.lower())

    def _item(self, beat: int, place: int) -> int:
        """m_data for a beat of the bus: of a half beat, which begins at byte ``place``, what it has in the low half."""
        bits = 4 * self.port.beat_bytes
        low, high = (beat >> 8 * place) & (1 << bits) - 1, beat >> bits
        return (low | high << bits) & (1 << int(self.b.params.get("M_WIDTH", 2 * bits))) - 1

    def look(self) -> None:
        """A request, and an item that was taken."""
        b = self.b
        if b.high("m_axi_arvalid") and b.high("m_axi_arready"):
            self.request_clocks.append(now())
            b.got("request", [b.see("m_axi_araddr"), b.see("m_axi_arlen"), *memory_port.constants(b, "ar")])
        if self._ready and b.high("m_valid"):
            self._item_taken()

    def _item_taken(self) -> None:
        """One item, or two."""
        b, bits = self.b, 4 * self.port.beat_bytes
        self.item_clocks.append(now())
        error, pair = b.see("m_error"), b.high("m_pair")
        data = 0 if error else b.see("m_data")
        if pair:
            b.cover("pair", "both" if self._both else "first")
        b.got("item", [data, 0 if pair else b.see("m_last"), error])
        if self._second is not None:
            b.equal("m_last with m_pair", self._second, b.see("m_last"))
        self._second = b.see("m_last") if pair and not self._both else None
        if pair and self._both:
            self.item_clocks.append(now())
            b.got("item", [data >> bits | data >> bits << bits, b.see("m_last"), 0])

    def drive(self) -> None:
        """Ready for an item, or for two, or not."""
        self._ready, self._both = self.ready(now() + 1), self.two and self.both(now() + 1)
        self.b.drive(m_ready=self._ready, m_both=self._both)

    @property
    def in_pair(self) -> bool:
        """The second item of a pair is what comes next."""
        return self._second is not None

    def cancelled(self) -> None:
        """Nothing stands at the stream."""
        self._second = None

    def add(self, kinds: int, most: int = 100) -> None:
        """So many random commands."""
        for _ in range(kinds):
            name, command = memory_port.some_command(self.b, self.port, most)
            self._cover(name, command)
            self.commands.queue.append(command)

    def _cover(self, name: str, command: PortCommand) -> None:
        beats = "one" if command.beats == 1 else "burst" if len(self.port.bursts(command)) == 1 else "bursts"
        self.b.cover("command", name if self.port.refuses(command) else beats)
        if not self.port.refuses(command):
            pages = command.addr // 4096 != (command.addr + command.beats * self.port.size(command) - 1) // 4096
            self.b.cover("page", "crossed" if pages else "inside")

    async def finish(self) -> None:
        """All commands are done, and nothing stays behind."""

        def done() -> bool:
            waiting = self.commands.queue or self.b.pending
            return not waiting and self.b.low("cmd_valid") and self.b.high("idle")

        await self.b.wait_for(done, _WAIT, "all commands to be read")
        await self.b.clocks(3)
        self.rready.check()


def _stall(reader: Reader, slave: Any) -> None:
    b = reader.b
    for name, pattern in zip(("ar", "r"), axi.stall(b, slave.ar_channel, slave.r_channel), strict=True):
        b.cover(name, pattern)
    reader.gaps.any()


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
        for _ in range(300 if reader.commands.queue and b.rng.random() < 0.5 else 0):  # between the two of a pair
            if reader.in_pair:
                break
            await b.clocks()
        b.drive(cancel=1)
        reader.commands.queue.clear()
        await b.clocks()
        b.cover("cancel", "idle" if b.high("idle") else "busy")
        await b.settle()
        request_stands = b.high("m_axi_arvalid")
        b.forget("item")
        if reader.in_pair:
            b.cover("cancel", "in_pair")
        reader.cancelled()
        b.forget("request", keep=REQUEST_ITEMS * request_stands)
        b.equal("m_valid after cancel", b.see("m_valid"), 0)
        longer = b.rng.choice([0, 0, b.rng.randint(1, 60)])
        if longer:
            await b.clocks(longer)
        b.drive(cancel=0)
        b.cover("cancel", "long" if longer else "pulse")
        if b.rng.random() < 0.5:
            reader.add(b.rng.randint(1, 4))
            b.cover("cancel", "next_at_once")
        else:
            await b.wait_for(lambda: b.high("idle"), _WAIT, "idle after cancel")
        await reader.finish()


@bench_test(timeout_clocks=100_000)
async def exact_clocks(b: Bench) -> None:
    """Every handshake in the clock that the model says, behind a memory of fixed latency."""
    reader = Reader(b, faults=0, latency=b.rng.choice([1, 2, b.rng.randint(3, 30), b.rng.randint(30, 80)]))
    FixedRead(b, reader.image, reader.port.latency)
    await b.reset()
    for _ in range(4):
        (name, pauses), (_, ones) = patterns.any_pattern(b.rng), patterns.any_pattern(b.rng)
        b.cover("exact", name)
        start = now() + 3
        waits, pairs = ([not next(each) for _ in range(50_000)] for each in (pauses, ones))

        def ready(clock: int, start: int = start, waits: list[bool] = waits) -> bool:
            return clock < start or waits[clock - start]

        def both(clock: int, start: int = start, pairs: list[bool] = pairs) -> bool:
            return reader.two and (clock < start or pairs[clock - start])

        reader.ready, reader.both = ready, both
        reader.add(b.rng.randint(1, 8), most=b.rng.choice([10, 200]))
        offer = start
        for i, command in enumerate(reader.commands.queue):
            reader.commands.queue[i] = replace(command, offer=offer)
            offer += b.rng.choice([0, 0, b.rng.randint(0, 50)])
        predicted = read_clocks(reader.port, list(reader.commands.queue), reader.ready, reader.both)
        reader.commands.taken, reader.request_clocks, reader.item_clocks = [], [], []
        await reader.finish()
        for channel, expected, got in (
            ("taken", predicted.taken, reader.commands.taken),
            ("request clock", predicted.requests, reader.request_clocks),
            ("item clock", predicted.items, reader.item_clocks),
        ):
            b.equal(channel, got, expected)


@bench_test(timeout_clocks=100_000)
async def full_speed(b: Bench) -> None:
    """One long command and many short ones: no gap where the memory is near enough, and none more than must be."""
    reader = Reader(b, faults=0, latency=1)
    FixedRead(b, reader.image, 1)
    reader.both = lambda _clock: True
    await b.reset()
    half = int(b.params.get("HALF", 0)) != 0
    size, offer = reader.port.beat_bytes >> half, now() + 5
    first = -(-reader.port.window[0] // (16 * size)) * 16 * size
    commands = [
        PortCommand(first, 160, offer, half),
        PortCommand(first + 160 * size, 16, offer, half),
        PortCommand(first, 64, offer, half),
    ]
    reader.commands.queue.extend(commands)
    await reader.finish()
    clocks = reader.item_clocks
    pairs = half and reader.two
    gaps = clocks[-1] - clocks[0] + 1 - sum(command.beats for command in commands) // (2 if pairs else 1)
    near = min(reader.port.fifo_depth, 16 * reader.port.outstanding) >= reader.port.latency + 20
    b.cover("speed", "no_gap" if near else "starved")
    b.equal("latency", clocks[0], commands[0].offer + 3 + 1 + 2)
    if near:
        b.equal("gaps", gaps, 0)
