# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/memory_unit.v: three readers and a writer at once, errors, cancel, and its latencies."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from models.lib.memory_port import PAGE_BYTES, Error, Port, PortCommand
from tb.lib.axi import bus as axi
from tb.lib.axi import memory_port
from tb.lib.axi.memory_port import Image, now
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

READERS = 3
_WAIT = 20_000


class Streams(Beside):
    """Commands and beats of all ports in every clock, in and out, compared as they come."""

    def __init__(self, b: Bench, faults: float) -> None:
        super().__init__(b)
        self.beat, self.bus = b.params["B"], b.params["BUS"] // 8
        self.unit, self.whole = min(self.bus, self.beat), max(self.bus, self.beat)  # bytes that are written at a time
        self.read_image, self.write_image = Image(b.rng, self.bus, faults), Image(b.rng, self.unit, faults)
        self.slaves = memory_port.read_slave(b, self.read_image), memory_port.write_slave(b, self.write_image)
        self.read_port, self.write_port = self._port("read"), self._port("write")
        self.queues: list[deque[PortCommand]] = [deque() for _ in range(READERS + 1)]  # the writer's is the last
        self.items: list[deque[tuple[int, int, int]]] = [deque() for _ in range(READERS)]  # data, last, error
        self.reports: deque[Error] = deque()
        self.left: deque[range | None] = deque()  # units of beats to write; None: of a refused command
        self.memory: dict[int, int] = {}
        self.counted, self.moved = [0] * (READERS + 1), [0] * (READERS + 1)  # beats, as the unit and as the bench count
        self.begun = 0  # bursts that the memory has not answered whole
        self.cancels = False  # what was taken need not come
        self.seen: dict[str, int] = {}  # last clock of a handshake
        places = [str(place) for place in range(READERS + 1)]
        self.gaps = {name: Gaps(b, *places, group=name) for name in ("commands", "rd", "wr", "both")}
        self._offered: list[PortCommand | None] = [None] * (READERS + 1)
        self._ready, self._both, self._giving, self._value_given = 0, False, False, 0
        b.drive(dict.fromkeys(("cancel", "rd_cmd_valid", "rd_ready", "rd_both", "wr_cmd_valid", "wr_valid"), 0))

    def _port(self, name: str) -> Port:
        """A random window, and the rules of what is inside."""
        base = self.b.rng.randrange(1 << 31)
        end = base + self.b.rng.randrange(8 * PAGE_BYTES, 1 << 30)
        self.b.drive({f"{name}_base": base, f"{name}_end": end})
        return Port(self.whole, 32, 1, (base, end), 1, pairs=name == "read")

    def half(self, place: int) -> bool:
        """Whether a command is of half beats: with a wide port always, or, of the store engine, at random."""
        if self.whole == self.beat:
            return False
        half = place < READERS - 1 or self.b.rng.random() < 0.5
        self.b.cover("beats", f"{'wr' if place == READERS else 'rd'}_{'half' if half else 'whole'}")
        return half

    def stall(self) -> None:
        """Random pauses everywhere."""
        read, write = self.slaves
        channels = ("ar", "r", "aw", "w", "b")
        for name, pattern in zip(channels, axi.stall(
            self.b, read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel
        ), strict=True):  # fmt: skip
            self.b.cover(name, pattern)
        for gaps in self.gaps.values():
            gaps.any()

    def add(self, place: int, count: int) -> None:
        """Random commands of a reader, or of the writer."""
        port = self.write_port if place == READERS else self.read_port
        for _ in range(count):
            half = self.half(place)
            _, command = memory_port.command(self.b.rng, replace(port, beat_bytes=port.beat_bytes >> half), 32, 40)
            if place == READERS and command.beats > 100:  # a refused one, all of which must be given
                command = replace(command, beats=100)
            self.queues[place].append(replace(command, half=half))

    def add_each(self, place: int) -> None:
        """A command that is refused, and one that fails with each error of the memory."""
        port, image = (self.write_port, self.write_image) if place == READERS else (self.read_port, self.read_image)
        first = -(-port.window[0] // self.whole) * self.whole
        half = self.whole > self.beat and place < READERS - 1
        self.queues[place].append(PortCommand(first - self.whole, 2, half=half))
        for i, error in enumerate((Error.SLVERR, Error.DECERR)):
            addr = first + (1 + 2 * place + i) * PAGE_BYTES // 2 // self.whole * self.whole
            image.fail(addr + self.whole, error)
            self.queues[place].append(PortCommand(addr, 3, half=half))

    def _parts(self, command: PortCommand, step: int) -> list[range]:
        """Places of the parts of each beat, of so many bytes; what is less has the place of the part that it is in."""
        size = self.read_port.size(command)
        addresses = range(command.addr, command.addr + command.beats * size, size)
        return [range(addr // step * step, addr + size, step) for addr in addresses]

    def _taken(self, place: int, command: PortCommand) -> None:
        if place == READERS:
            refused = self.write_port.refuses(command)
            beats = self._parts(command, self.unit)
            error = self.write_image.error([] if refused else [addr for beat in beats for addr in beat])
            self.reports.append(Error.REFUSED if refused else error)
            self.left.extend(None if refused else beat for beat in beats)
            self.b.cover("written", self.reports[-1].name.lower())
            return
        outcome = Error.REFUSED if self.read_port.refuses(command) else Error.NONE
        size = self.read_port.size(command)
        for i, parts in enumerate(self._parts(command, self.bus) if outcome is Error.NONE else []):
            outcome = self.read_image.error(parts)
            if outcome:
                break
            value = self._value(place, parts, (command.addr + i * size) % self.bus)
            self.items[place].append((value, int(i == command.beats - 1), 0))
        if outcome:
            self.items[place].append((0, 1, outcome))
        self.b.cover("read", outcome.name.lower())

    def _value(self, place: int, parts: range, byte: int) -> int:
        """rd_data; a half beat stands in the low half."""
        value: int = pack((self.read_image.beat(addr) for addr in parts), 8 * self.bus)
        if byte:
            value = value >> 8 * byte | value >> 8 * byte << 8 * byte
        return value & (1 << 8 * self._bytes(place)) - 1

    def _bytes(self, place: int) -> int:
        """Of rd_data that a reader has."""
        bytes_of: int = self.whole if place else self.beat
        return bytes_of

    def _data(self, place: int) -> int:
        """rd_data of a reader."""
        own = range(self._bytes(place) // self.beat)
        first = 1 + (place - 1) * self.whole // self.beat if place else 0
        return sum(self.b.see_lane("rd_data", first + n, 8 * self.beat) << 8 * self.beat * n for n in own)

    def look(self) -> None:
        """Commands that were taken, what the unit gives, and the beat that it took."""
        b = self.b
        inside = any([*self.items, self.left]) or len(self.reports) > b.see("wr_done")
        if self.begun or (inside and not self.cancels):
            b.check(idle=0)
        self._follow_bursts()
        accepts = b.see("rd_cmd_ready") | b.see("wr_cmd_ready") << READERS
        for place, command in enumerate(self._offered):
            if command is not None and accepts >> place & 1:
                self.seen["command"] = now()
                self._taken(place, command)
                if self.queues[place]:  # else a cancel has emptied it
                    self.queues[place].popleft()
                self._offered[place] = None
            elif not self.queues[place]:
                self._offered[place] = None
        self._see_outputs()
        if self._giving and b.high("wr_ready"):
            self.seen["given"] = now()
            for n, part in enumerate(self.left.popleft() or ()):
                self.memory[part] = self._value_given >> 8 * self.unit * n & (1 << 8 * self.unit) - 1
            self._giving = False

    def _follow_bursts(self) -> None:
        for sign, *pins in ((1, "ar"), (1, "aw"), (-1, "r", "rlast"), (-1, "b")):
            handshake = all(self.b.high(f"m_axi_{pin}") for pin in (f"{pins[0]}valid", f"{pins[0]}ready", *pins[1:]))
            self.begun += sign * handshake

    def drive(self) -> None:
        """The next commands and the next beat, and who takes beats."""
        b = self.b
        for place, queue in enumerate(self.queues):
            if self._offered[place] is None and queue and self.gaps["commands"].go(str(place)):
                self._offered[place] = queue[0]
        self._offer(self._offered)
        self._ready = sum(self.gaps["rd"].go(str(place)) << place for place in range(READERS))
        self._both = self.whole > self.beat and self.gaps["both"].go("1")
        b.drive(rd_ready=self._ready, rd_both=self._both)
        if not self._giving and self.left and self.gaps["wr"].go(str(READERS)):
            self._giving, self._value_given = True, b.rng.getrandbits(8 * self.whole)
            b.drive(wr_data=self._value_given)
        self._giving = self._giving and bool(self.left)
        b.drive(wr_valid=self._giving)

    def _offer(self, offered: list[PortCommand | None]) -> None:
        commands = [command or PortCommand(self.b.rng.getrandbits(32), 1) for command in offered]
        self.b.drive(
            rd_cmd_valid=sum((offered[place] is not None) << place for place in range(READERS)),
            rd_cmd_addr=pack((command.addr for command in commands[:READERS]), 32),
            rd_cmd_beats=pack((command.beats - 1 for command in commands[:READERS]), 16),
            rd_half=commands[READERS - 1].half,
            wr_half=commands[READERS].half,
            wr_cmd_valid=offered[READERS] is not None,
            wr_cmd_addr=commands[READERS].addr,
            wr_cmd_beats=commands[READERS].beats - 1,
        )

    def _see_outputs(self) -> None:
        """What the unit gives in this clock."""
        b = self.b
        for name in ("arvalid", "rvalid", "awvalid", "bvalid"):
            if b.high(f"m_axi_{name}"):
                self.seen[name] = now()
        for place in range(READERS):
            if b.see("rd_valid") & self._ready & 1 << place:
                self.seen["item"] = now()
                self._item(place)
            self.counted[place] += b.see("read_beats") >> place & 1
        if b.high("wr_done"):
            self.seen["done"] = now()
            if self.reports:
                b.expect("reports of the writer", self.reports.popleft())
            b.got("reports of the writer", b.see("wr_error"))
        self.counted[READERS] += b.see("written_beat")

    def _item(self, place: int) -> None:
        """An item that was taken, or two."""
        b, bits = self.b, 8 * self.beat
        cause, last = b.see_lane("rd_error", place, 2), b.see_lane("rd_last", place, 1)
        beat, pair = 0 if cause else self._data(place), place == 1 and b.high("rd_pair")
        items = [[beat, 0 if pair else last, cause]]
        if pair:
            b.cover("pair", "both" if self._both else "first")
        if pair and self._both:
            items.append([beat >> bits | beat >> bits << bits, last, 0])
        for item in items:
            if self.items[place]:
                b.expect(f"items of reader {place}", self.items[place].popleft())
            b.got(f"items of reader {place}", item)
        self.moved[place] += not cause

    def done(self) -> bool:
        """Everything that was asked for has come."""
        return not any([*self.queues, *self.items, self.reports, self.left]) and self.b.high("idle")

    async def finish(self) -> None:
        """All commands are done; memory and counts of beats are what they must be."""
        await self.b.wait_for(self.done, _WAIT, "all commands")
        await self.b.clocks(3)
        self.moved[READERS] = len(self.memory) * self.unit // self.whole
        written = self.write_image.written
        for tell, memory in ((self.b.expect, self.memory), (self.b.got, written)):
            tell("parts written", len(memory))
            tell("memory", [value for addr in sorted(memory) for value in (addr, memory[addr])])
        self.b.equal("beats read", self.counted[:READERS], self.moved[:READERS])
        # an address may have been written several times
        self.b.equal("beats written are counted", int(self.counted[READERS] >= self.moved[READERS]), 1)

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
        streams.cancels = True
        b.drive(cancel=1)
        await b.clocks(2)
        streams.forget()
        await b.wait_for(lambda: b.high("idle"), 5000, "what has begun to be completed")
        b.drive(cancel=0)
        await b.clocks(2)
        streams.forget()
        streams.cancels = False
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
        first = -(-port.window[0] // port.beat_bytes) * port.beat_bytes
        streams.queues[place].append(PortCommand(first, 1, half=streams.half(place)))
        await b.wait_for(streams.done, 1000, "a beat")
        b.expect("request, beat", [5, 2])
        seen = streams.seen
        b.got("request, beat", [seen["arvalid"] - seen["command"], seen["item"] - seen["rvalid"]])
        await b.clocks(5)
    port = streams.write_port
    streams.queues[READERS].append(PortCommand(-(-port.window[0] // port.beat_bytes) * port.beat_bytes, 1))
    await b.wait_for(streams.done, 1000, "a write")
    b.expect("request, report", [2, 1])
    seen = streams.seen
    b.got("request, report", [seen["awvalid"] - seen["given"], seen["done"] - seen["bvalid"]])
