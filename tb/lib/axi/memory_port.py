# SPDX-License-Identifier: Apache-2.0
"""What the benches of the AXI4 masters share: memory images, memories behind the port, commands and their driver."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random
from typing import Any

from cocotb.utils import get_sim_time
from cocotbext.axi import AxiReadBus, AxiSlaveRead, AxiSlaveWrite, AxiWriteBus

from models.lib.memory_port import PAGE_BYTES, Error, Port, PortCommand
from tb.lib.bench import PERIOD_NS, Bench
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside

PREFIX = "m_axi"


def now() -> int:
    """Number of the present clock edge."""
    return int(get_sim_time("ns")) // PERIOD_NS


class Image:
    """All of memory: random beats, and addresses that answer with an error; both are drawn when first needed."""

    def __init__(self, rng: Random, beat_bytes: int, faults: float = 0.0) -> None:
        self.rng, self.beat_bytes, self.faults = rng, beat_bytes, faults
        self._beats: dict[int, int] = {}
        self._responses: dict[int, int] = {}
        self.written: dict[int, int] = {}
        self.response = 0  # of the read beat, or of the write burst so far

    def beat(self, addr: int) -> int:
        """The beat at an address."""
        return self._beats.setdefault(addr, self.rng.getrandbits(8 * self.beat_bytes))

    def answer(self, addr: int) -> int:
        """The AXI response of a beat: mostly OKAY; EXOKAY, which is as good, SLVERR or DECERR at some addresses."""
        if addr not in self._responses:
            faulty = self.rng.random() < self.faults
            self._responses[addr] = self.rng.choice([1, 2, 3]) if faulty else 0
        return self._responses[addr]

    def fail(self, addr: int, error: Error) -> None:
        """The beat at this address is answered with this error."""
        self._responses[addr] = error

    def error(self, addresses: Iterable[int]) -> Error:
        """The first error among the responses of these beats."""
        return next((Error(self.answer(addr)) for addr in addresses if self.answer(addr) >= 2), Error.NONE)

    async def read(self, addr: int, length: int) -> bytes:
        """What cocotbext-axi calls for a beat."""
        self.response = self.answer(addr)
        return self.beat(addr).to_bytes(length, "little")

    async def write(self, addr: int, data: bytes) -> None:
        """What cocotbext-axi calls for the strobed bytes of a beat: of one of ours, or of several."""
        assert len(data) % self.beat_bytes == 0, f"a write of {len(data)} bytes at {addr:#x}"
        for i in range(0, len(data), self.beat_bytes):
            self.store(addr + i, int.from_bytes(data[i : i + self.beat_bytes], "little"))

    def store(self, addr: int, value: int) -> None:
        """Write one beat; its error stays until the burst is answered."""
        self.written[addr] = value
        if self.response < 2:
            self.response = self.answer(addr)

    def take_response(self) -> int:
        """The response of a write burst."""
        response, self.response = self.response, 0
        return response


def _begin(b: Bench) -> None:
    b.driven_beside = True
    for channel in ("ar", "r", "aw", "w", "b"):
        logging.getLogger(f"cocotb.{b.dut._name}.{PREFIX}_{channel}").setLevel(logging.ERROR)
    logging.getLogger(f"cocotb.{b.dut._name}.{PREFIX}").setLevel(logging.ERROR)


def read_slave(b: Bench, image: Image) -> Any:
    """A slave of cocotbext-axi (it can only give OKAY and SLVERR itself) that gives the image's beats and responses."""
    _begin(b)
    slave = AxiSlaveRead(AxiReadBus.from_prefix(b.dut, PREFIX), b.clk, b.dut.rst, target=image)
    send = slave.r_channel.send

    async def answer(beat: Any) -> None:
        beat.rresp = image.response
        await send(beat)

    slave.r_channel.send = answer
    return slave


def write_slave(b: Bench, image: Image) -> Any:
    """A slave of cocotbext-axi that writes into the image and gives its responses."""
    _begin(b)
    slave = AxiSlaveWrite(AxiWriteBus.from_prefix(b.dut, PREFIX), b.clk, b.dut.rst, target=image)
    send = slave.b_channel.send

    async def answer(response: Any) -> None:
        response.bresp = image.take_response()
        await send(response)

    slave.b_channel.send = answer
    return slave


class FixedRead(Beside):
    """The memory of `models.lib.memory_port.Port`: takes every request at once, gives a beat per clock."""

    def __init__(self, b: Bench, image: Image, latency: int) -> None:
        super().__init__(b)
        self.image, self.latency = image, latency
        self._due: deque[tuple[int, int, bool]] = deque()  # first possible clock, address, rlast
        b.drive(m_axi_arready=1, m_axi_rvalid=0)

    def look(self) -> None:
        """A request."""
        if self.b.high("m_axi_arvalid"):
            addr, beats, size = self.b.see("m_axi_araddr"), self.b.see("m_axi_arlen") + 1, self.b.see("m_axi_arsize")
            word = self.image.beat_bytes
            for i in range(beats):
                self._due.append((now() + self.latency, (addr + (i << size)) // word * word, i == beats - 1))

    def drive(self) -> None:
        """The next beat."""
        ready = bool(self._due) and self._due[0][0] <= now() + 1
        self.b.drive(m_axi_rvalid=ready)
        if ready:
            _, addr, last = self._due.popleft()
            self.b.drive(m_axi_rdata=self.image.beat(addr), m_axi_rlast=last, m_axi_rresp=0)


class FixedWrite(Beside):
    """The memory of `models.lib.memory_port.Port`: takes every address and beat at once, a response per clock."""

    def __init__(self, b: Bench, image: Image, latency: int) -> None:
        super().__init__(b)
        self.image, self.latency = image, latency
        self._bursts: deque[tuple[int, int, int, int]] = deque()  # address, beats, log2 of their bytes, clock
        self._data: deque[tuple[int, bool, int]] = deque()  # beat, wlast, clock
        self._due: deque[int] = deque()
        b.drive(m_axi_awready=1, m_axi_wready=1, m_axi_bvalid=0)

    def look(self) -> None:
        """An address, a beat, and a burst that is complete."""
        b, clock = self.b, now()
        if b.high("m_axi_awvalid"):
            self._bursts.append((b.see("m_axi_awaddr"), b.see("m_axi_awlen") + 1, b.see("m_axi_awsize"), clock))
        if b.high("m_axi_wvalid"):
            self._data.append((b.see("m_axi_wdata"), b.high("m_axi_wlast"), clock))
        if self._bursts and len(self._data) >= self._bursts[0][1]:
            addr, beats, size, clock = self._bursts.popleft()
            unit, bus = self.image.beat_bytes, int(b.params["DATA_WIDTH"]) // 8
            for i in range(beats):
                value, last, of_beat = self._data.popleft()
                b.require(last == (i == beats - 1), f"WLAST is {last} with beat {i} of {beats}")
                first = addr + (i << size)
                for at in range(first, first + (1 << size), unit):
                    self.image.store(at, value >> 8 * (at % bus) & (1 << 8 * unit) - 1)
                clock = max(clock, of_beat)
            self._due.append(clock + self.latency)

    def drive(self) -> None:
        """The next response."""
        ready = bool(self._due) and self._due[0] <= now() + 1
        self.b.drive(m_axi_bvalid=ready)
        if ready:
            self._due.popleft()
            self.b.drive(m_axi_bresp=0)


def window(b: Bench) -> tuple[int, int]:
    """Set a random window, or all of memory, and return it; its ends are often at a beat or a byte beside one."""
    rng, size = b.rng, int(b.params["DATA_WIDTH"]) // 8
    most = 1 << int(b.params["ADDR_WIDTH"])

    def place() -> int:
        addr = rng.randrange(most - 8 * PAGE_BYTES)
        return max(0, rng.choice([addr, addr // size * size + rng.choice([-1, 0, 1])]))

    base, end = sorted((place(), place()))
    end = max(end, base + 8 * PAGE_BYTES // size * size + rng.choice([-1, 0]))
    if rng.random() < 0.2:
        base, end = 0, most
    b.drive(window_base=base, window_end=end)
    return base, end


def some_command(b: Bench, port: Port, most: int = 100) -> tuple[str, PortCommand]:
    """A command as ``command`` draws it, of half beats if the module has those: now and then, or always."""
    width, half = int(b.params["DATA_WIDTH"]), int(b.params.get("HALF", 0)) != 0
    if half:
        half = int(b.params.get("M_WIDTH", width)) != width or b.rng.random() < 0.5
        b.cover("beats", "half" if half else "whole")
    name, made = command(b.rng, replace(port, beat_bytes=port.beat_bytes >> half), b.params["ADDR_WIDTH"], most)
    return name, replace(made, half=half)


def command(rng: Random, port: Port, addr_width: int, most: int = 100, offer: int = 0) -> tuple[str, PortCommand]:
    """A random command and the name of its kind; those named "inside" are legal."""
    size, (base, end) = port.beat_bytes, port.window
    beats = rng.choice([1, rng.randint(1, 16), 16, rng.randint(1, most)])
    first, behind = -(-base // size) * size, end // size * size  # the aligned part of the window
    final = behind - beats * size  # highest legal address
    if final < first:
        return "inside", PortCommand(first, 1, offer)
    page = rng.randint(first // PAGE_BYTES + 1, max(behind // PAGE_BYTES - 1, first // PAGE_BYTES + 1)) * PAGE_BYTES
    anywhere = rng.randint(first // size, final // size) * size
    places: dict[str, int] = {
        "inside": rng.choice([anywhere, min(page, final), max(first, min(page - rng.randint(1, beats) * size, final))]),
        "inside_low": first,
        "inside_high": final,
        "below": first - size,
        "above": final + size,
        "beyond": (1 << addr_width) - size,
        "misaligned": anywhere + rng.randrange(1, size),
    }
    names = ["inside"] * 7 + ["inside_low", "inside_high", rng.choice(["below", "above", "beyond", "misaligned"])]
    name = rng.choice(names)
    if name == "beyond" or not 0 <= places[name] < 1 << addr_width:
        return "beyond", PortCommand(places["beyond"], beats + 1, offer)
    if name == "above" and rng.random() < 0.5:
        beats = rng.randint(beats, 65536)
    return name, PortCommand(places[name], beats, offer)


class Commands(Beside):
    """Drives the command port; `queue` may be filled and cleared at any time.

    Args:
        on_taken: is called with every command that the design takes.

    Attributes:
        taken: clocks in which commands were taken.
        gaps: the pattern of "cmd".
    """

    def __init__(self, b: Bench, gaps: Gaps, on_taken: Callable[[PortCommand], None]) -> None:
        super().__init__(b)
        self.on_taken = on_taken
        self.queue: deque[PortCommand] = deque()
        self.taken: list[int] = []
        self.gaps = gaps
        self._offered: PortCommand | None = None
        b.drive(cmd_valid=0)

    def look(self) -> None:
        """A command that was taken, or withdrawn by a test that cleared the queue."""
        if self._offered is not None and self.b.high("cmd_ready"):
            self.taken.append(now())
            self.on_taken(self._offered)
            if self.queue and self.queue[0] is self._offered:
                self.queue.popleft()
            self._offered = None
        elif not self.queue:
            self._offered = None

    def drive(self) -> None:
        """The next command, from its clock on."""
        if self._offered is None and self.queue and self.queue[0].offer <= now() + 1 and self.gaps.go("cmd"):
            self._offered = self.queue[0]
            self.b.drive(cmd_addr=self._offered.addr, cmd_beats=self._offered.beats - 1, cmd_half=self._offered.half)
        self.b.drive(cmd_valid=self._offered is not None)


class AlwaysOne(Beside):
    """Counts clocks in which a signal is not 1, from the end of the reset on."""

    def __init__(self, b: Bench, name: str) -> None:
        super().__init__(b)
        self.name, self.faults = name, 0

    def look(self) -> None:
        """One clock."""
        self.faults += not self.b.high(self.name)

    def check(self) -> None:
        """It was always 1."""
        self.b.equal(self.name, self.faults, 0)


def constants(b: Bench, prefix: str) -> list[int]:
    """The address channel's signals that never change, as they are: size, burst, lock, cache, prot, id."""
    names = ("size", "burst", "lock", "cache", "prot", "id")
    return [b.see(f"{PREFIX}_{prefix}{name}") for name in names]


def expected_constants(beat_bytes: int) -> list[int]:
    """What they must be: whole beats, INCR, no lock, bufferable, secure data, ID 0."""
    return [beat_bytes.bit_length() - 1, 1, 0, 3, 0, 0]
