# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/memory_unit.v: three readers and a writer at once, errors, cancel, and its latencies."""

from __future__ import annotations

from collections import deque
from typing import Any

from models.lib.memory_port import PAGE_BYTES, Error, Port, PortCommand
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import Image, now
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack

READERS = 3
_WAIT = 20_000


def _part(handle: Any, place: int, width: int) -> int:
    """The bits of a reader in a vector over readers; those of others may be unknown."""
    return int(handle.value[width * (place + 1) - 1 : width * place].to_unsigned())


class Streams:
    """Commands and beats of all ports in every clock, in and out, compared as they come."""

    def __init__(self, b: Bench, faults: float) -> None:
        self.b, dut = b, b.dut
        self.beat, bus = b.params["B"], b.params["BUS"] // 8
        self.read_image, self.write_image = Image(b.rng, bus, faults), Image(b.rng, bus, faults)
        self.slaves = memory_port.read_slave(b, self.read_image), memory_port.write_slave(b, self.write_image)
        self.read_port, self.write_port = self._port("read"), self._port("write")
        self.queues: list[deque[PortCommand]] = [deque() for _ in range(READERS + 1)]  # the writer's is the last
        self.items: list[deque[tuple[int, int, int]]] = [deque() for _ in range(READERS)]  # data, last, error
        self.reports: deque[Error] = deque()
        self.left: deque[int | None] = deque()  # addresses of beats to write; None: of a refused command
        self.memory: dict[int, int] = {}
        self.counted, self.moved = [0] * (READERS + 1), [0] * (READERS + 1)  # beats, as the unit and as the bench count
        self.seen: dict[str, int] = {}  # last clock of a handshake
        self.pauses = {name: [patterns.never()] * (READERS + 1) for name in ("commands", "rd", "wr")}
        for name in ("cancel", "rd_cmd_valid", "rd_ready", "wr_cmd_valid", "wr_valid"):
            getattr(dut, name).value = 0
        b.start(self._run())

    def _port(self, name: str) -> Port:
        """A random window, and the rules of what is inside."""
        base = self.b.rng.randrange(1 << 31)
        end = base + self.b.rng.randrange(8 * PAGE_BYTES, 1 << 30)
        getattr(self.b.dut, f"{name}_base").value, getattr(self.b.dut, f"{name}_end").value = base, end
        return Port(self.beat, 32, 1, (base, end), 1)

    def stall(self) -> None:
        """Random pauses everywhere."""
        read, write = self.slaves
        channels = ("ar", "r", "aw", "w", "b")
        for name, pattern in zip(channels, axi.stall(
            self.b, read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel
        ), strict=True):  # fmt: skip
            self.b.cover(name, pattern)
        for name in self.pauses:
            pattern = self.b.rng.choice(patterns.NAMES)
            self.pauses[name] = [patterns.named(pattern, self.b.rng) for _ in range(READERS + 1)]
            self.b.cover(name, pattern)

    def add(self, place: int, count: int) -> None:
        """Random commands of a reader, or of the writer."""
        port = self.write_port if place == READERS else self.read_port
        for _ in range(count):
            _, command = memory_port.command(self.b.rng, port, 32, 40)
            if place == READERS and command.beats > 100:  # a refused one, all of which must be given
                command = PortCommand(command.addr, 100)
            self.queues[place].append(command)

    def add_each(self, place: int) -> None:
        """A command that is refused, and one that fails with each error of the memory."""
        port, image = (self.write_port, self.write_image) if place == READERS else (self.read_port, self.read_image)
        first = -(-port.window[0] // self.beat) * self.beat
        self.queues[place].append(PortCommand(first - self.beat, 2))
        for i, error in enumerate((Error.SLVERR, Error.DECERR)):
            addr = first + (1 + 2 * place + i) * PAGE_BYTES // 2 // self.beat * self.beat
            image.fail(addr + self.beat, error)
            self.queues[place].append(PortCommand(addr, 3))

    def _parts(self, command: PortCommand) -> list[range]:
        """Addresses of the bus beats of each beat."""
        addresses = range(command.addr, command.addr + command.beats * self.beat, self.beat)
        return [range(addr, addr + self.beat, self.b.params["BUS"] // 8) for addr in addresses]

    def _taken(self, place: int, command: PortCommand) -> None:
        if place == READERS:
            refused = self.write_port.refuses(command)
            addresses = [] if refused else [addr for beat in self._parts(command) for addr in beat]
            self.reports.append(Error.REFUSED if refused else self.write_image.error(addresses))
            self.left.extend(None if refused else command.addr + i * self.beat for i in range(command.beats))
            self.b.cover("written", self.reports[-1].name.lower())
            return
        outcome = Error.REFUSED if self.read_port.refuses(command) else Error.NONE
        for i, parts in enumerate(self._parts(command) if outcome is Error.NONE else []):
            outcome = self.read_image.error(parts)
            if outcome:
                break
            self.items[place].append((self._value(parts), int(i == command.beats - 1), 0))
        if outcome:
            self.items[place].append((0, 1, outcome))
        self.b.cover("read", outcome.name.lower())

    def _value(self, parts: range) -> int:
        return pack((self.read_image.beat(addr) for addr in parts), self.b.params["BUS"])

    async def _run(self) -> None:
        dut, rng = self.b.dut, self.b.rng
        offered: list[PortCommand | None] = [None] * (READERS + 1)
        ready, giving, value = 0, False, 0
        while True:
            await self.b.clocks()
            if dut.rst.value == 1:
                continue
            accepts = int(dut.rd_cmd_ready.value) | int(dut.wr_cmd_ready.value) << READERS
            for place, command in enumerate(offered):
                if command is not None and accepts >> place & 1:
                    self.seen["command"] = now()
                    self._taken(place, command)
                    if self.queues[place]:  # else a cancel has emptied it
                        self.queues[place].popleft()
                    offered[place] = None
                elif not self.queues[place]:
                    offered[place] = None
            self._look(ready)
            if giving and dut.wr_ready.value == 1:
                self.seen["given"] = now()
                if (addr := self.left.popleft()) is not None:
                    for part, data in zip(self._parts(PortCommand(addr, 1))[0], self._split(value), strict=True):
                        self.memory[part] = data
                giving = False
            for place, queue in enumerate(self.queues):
                if offered[place] is None and queue and not next(self.pauses["commands"][place]):
                    offered[place] = queue[0]
            self._offer(offered)
            ready = sum((not next(self.pauses["rd"][place])) << place for place in range(READERS))
            dut.rd_ready.value = ready
            if not giving and self.left and not next(self.pauses["wr"][READERS]):
                giving, value = True, rng.getrandbits(8 * self.beat)
                dut.wr_data.value = value
            giving = giving and bool(self.left)
            dut.wr_valid.value = int(giving)

    def _split(self, value: int) -> list[int]:
        return unpack(value, self.b.params["BUS"], 8 * self.beat // self.b.params["BUS"], signed=False)

    def _offer(self, offered: list[PortCommand | None]) -> None:
        dut = self.b.dut
        commands = [command or PortCommand(self.b.rng.getrandbits(32), 1) for command in offered]
        dut.rd_cmd_valid.value = sum((offered[place] is not None) << place for place in range(READERS))
        dut.rd_cmd_addr.value = pack((command.addr for command in commands[:READERS]), 32)
        dut.rd_cmd_beats.value = pack((command.beats - 1 for command in commands[:READERS]), 16)
        dut.wr_cmd_valid.value = int(offered[READERS] is not None)
        dut.wr_cmd_addr.value, dut.wr_cmd_beats.value = commands[READERS].addr, commands[READERS].beats - 1

    def _look(self, ready: int) -> None:
        """What the unit gives in this clock."""
        dut, board = self.b.dut, self.b.scoreboard
        for name in ("arvalid", "rvalid", "awvalid", "bvalid"):
            if getattr(dut, f"m_axi_{name}").value == 1:
                self.seen[name] = now()
        for place in range(READERS):
            if int(dut.rd_valid.value) & ready & 1 << place:
                self.seen["item"] = now()
                cause = _part(dut.rd_error, place, 2)
                beat = 0 if cause else _part(dut.rd_data, place, 8 * self.beat)
                if self.items[place]:
                    board.expect(f"items of reader {place}", self.items[place].popleft())
                board.got(f"items of reader {place}", [beat, _part(dut.rd_last, place, 1), cause])
                self.moved[place] += not cause
            self.counted[place] += int(dut.read_beats.value) >> place & 1
        if dut.wr_done.value == 1:
            self.seen["done"] = now()
            if self.reports:
                board.expect("reports of the writer", self.reports.popleft())
            board.got("reports of the writer", dut.wr_error.value.to_unsigned())
        self.counted[READERS] += int(dut.written_beat.value)

    def done(self) -> bool:
        """Everything that was asked for has come."""
        return not any([*self.queues, *self.items, self.reports, self.left]) and self.b.dut.idle.value == 1

    async def finish(self) -> None:
        """All commands are done; memory and counts of beats are what they must be."""
        await self.b.wait_for(self.done, _WAIT, "all commands")
        await self.b.clocks(3)
        self.moved[READERS] = len(self.memory) * self.b.params["BUS"] // 8 // self.beat
        written = self.write_image.written
        for tell, memory in ((self.b.scoreboard.expect, self.memory), (self.b.scoreboard.got, written)):
            tell("parts written", len(memory))
            tell("memory", [value for addr in sorted(memory) for value in (addr, memory[addr])])
        self.b.scoreboard.expect("beats read", self.moved[:READERS])
        self.b.scoreboard.got("beats read", self.counted[:READERS])
        # an address may have been written several times
        self.b.scoreboard.expect("beats written are counted", 1)
        self.b.scoreboard.got("beats written are counted", int(self.counted[READERS] >= self.moved[READERS]))

    def forget(self) -> None:
        """What was dropped by a cancel is not expected any more."""
        for items in self.items:
            items.clear()
        self.reports.clear()
        self.left.clear()
        self.memory.clear()
        self.write_image.written.clear()
        self.counted, self.moved = [0] * (READERS + 1), [0] * (READERS + 1)


@bench_test(timeout_clocks=100_000)
async def stalled(b: Bench) -> None:
    """All four at work with pauses everywhere, error responses among the good."""
    streams = Streams(b, b.rng.choice([0.0, 0.01, 0.05]))
    for place in range(READERS + 1):
        streams.add_each(place)
    await b.reset()
    for _ in range(3):
        streams.stall()
        for place in range(READERS + 1):
            streams.add(place, 4)
        await streams.finish()


@bench_test(timeout_clocks=100_000)
async def cancelled(b: Bench) -> None:
    """Cancel at any moment: the unit becomes idle, and the next commands come out whole."""
    streams = Streams(b, 0.0)
    await b.reset()
    for clocks in (1, 10, 60, 200, 0):  # 0: when all is done
        streams.stall()
        for place in range(READERS + 1):
            streams.add(place, 3)
        if clocks:
            await b.clocks(b.rng.randint(1, clocks))
        else:
            await b.wait_for(streams.done, _WAIT, "all commands")
        b.cover("cancel", "idle" if streams.done() else "busy")
        for queue in streams.queues:
            queue.clear()
        await b.clocks(2)  # nothing is offered any more
        b.dut.cancel.value = 1
        await b.clocks(2)
        streams.forget()
        await b.wait_for(lambda: b.dut.idle.value == 1, 5000, "what has begun to be completed")
        b.dut.cancel.value = 0
        await b.clocks(2)
        streams.forget()
        for place in range(READERS + 1):
            streams.add(place, 1)
        await streams.finish()


@bench_test(timeout_clocks=20_000)
async def latencies(b: Bench) -> None:
    """The clocks that the header of the module names, with nobody else at work."""
    streams = Streams(b, 0.0)
    await b.reset()
    port: Any = streams.read_port
    for place in range(READERS):
        streams.queues[place].append(PortCommand(-(-port.window[0] // port.beat_bytes) * port.beat_bytes, 1))
        await b.wait_for(streams.done, 1000, "a beat")
        b.scoreboard.expect("request, beat", [5, 2])
        seen = streams.seen
        b.scoreboard.got("request, beat", [seen["arvalid"] - seen["command"], seen["item"] - seen["rvalid"]])
        await b.clocks(5)
    port = streams.write_port
    streams.queues[READERS].append(PortCommand(-(-port.window[0] // port.beat_bytes) * port.beat_bytes, 1))
    await b.wait_for(streams.done, 1000, "a write")
    b.scoreboard.expect("request, report", [2, 1])
    seen = streams.seen
    b.scoreboard.got("request, report", [seen["awvalid"] - seen["given"], seen["done"] - seen["bvalid"]])
