# SPDX-License-Identifier: Apache-2.0
"""What the benches of the AXI4 masters share: memory images, memories behind the port, commands and their driver."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from cocotb.utils import get_sim_time
from cocotbext.axi import AxiReadBus, AxiSlaveRead, AxiSlaveWrite, AxiWriteBus

from models.lib.memory_port import PAGE_BYTES, Error, Port, PortCommand
from tb.lib import patterns
from tb.lib.bench import PERIOD_NS, Bench

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

    def error(self, addresses: Iterator[int] | list[int]) -> Error:
        """The first error among the responses of these beats."""
        return next((Error(self.answer(addr)) for addr in addresses if self.answer(addr) >= 2), Error.NONE)

    async def read(self, addr: int, length: int) -> bytes:
        """What cocotbext-axi calls for a beat."""
        self.response = self.answer(addr)
        return self.beat(addr).to_bytes(length, "little")

    async def write(self, addr: int, data: bytes) -> None:
        """What cocotbext-axi calls for the strobed bytes of a beat."""
        assert len(data) == self.beat_bytes, f"a write of {len(data)} bytes at {addr:#x}"
        self.store(addr, int.from_bytes(data, "little"))

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


async def fixed_read(b: Bench, image: Image, latency: int) -> None:
    """The memory of `models.lib.memory_port.Port`: takes every request at once, gives a beat per clock."""
    dut = b.dut
    dut.m_axi_arready.value = 1
    due: deque[tuple[int, int, bool]] = deque()  # first possible clock, address, rlast
    while True:
        dut.m_axi_rvalid.value = int(ready := bool(due) and due[0][0] <= now() + 1)
        if ready:
            _, addr, last = due.popleft()
            dut.m_axi_rdata.value = image.beat(addr)
            dut.m_axi_rlast.value = int(last)
            dut.m_axi_rresp.value = 0
        await b.clocks()
        if dut.rst.value == 1:
            continue
        if dut.m_axi_arvalid.value == 1:
            addr, beats = dut.m_axi_araddr.value.to_unsigned(), dut.m_axi_arlen.value.to_unsigned() + 1
            for i in range(beats):
                due.append((now() + latency, addr + i * image.beat_bytes, i == beats - 1))


async def fixed_write(b: Bench, image: Image, latency: int) -> None:
    """The memory of `models.lib.memory_port.Port`: takes every address and beat at once, a response per clock."""
    dut = b.dut
    dut.m_axi_awready.value = 1
    dut.m_axi_wready.value = 1
    bursts: deque[tuple[int, int, int]] = deque()  # address, beats, clock
    data: deque[tuple[int, bool, int]] = deque()  # beat, wlast, clock
    due: deque[int] = deque()
    while True:
        dut.m_axi_bvalid.value = int(ready := bool(due) and due[0] <= now() + 1)
        if ready:
            due.popleft()
            dut.m_axi_bresp.value = 0
        await b.clocks()
        if dut.rst.value == 1:
            continue
        if dut.m_axi_awvalid.value == 1:
            bursts.append((dut.m_axi_awaddr.value.to_unsigned(), dut.m_axi_awlen.value.to_unsigned() + 1, now()))
        if dut.m_axi_wvalid.value == 1:
            data.append((dut.m_axi_wdata.value.to_unsigned(), dut.m_axi_wlast.value == 1, now()))
        if bursts and len(data) >= bursts[0][1]:
            addr, beats, clock = bursts.popleft()
            for i in range(beats):
                value, last, clock_of_beat = data.popleft()
                assert last == (i == beats - 1), f"WLAST is {last} with beat {i} of {beats}"
                image.store(addr + i * image.beat_bytes, value)
            due.append(max(clock, clock_of_beat) + latency)


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
    b.dut.window_base.value, b.dut.window_end.value = base, end
    return base, end


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


class Commands:
    """Drives the command port; `queue` may be filled and cleared at any time."""

    def __init__(self, b: Bench, on_taken: Callable[[PortCommand], None]) -> None:
        self.b, self.on_taken = b, on_taken
        self.queue: deque[PortCommand] = deque()
        self.taken: list[int] = []
        self.pauses = patterns.never()
        b.dut.cmd_valid.value = 0
        b.start(self._drive())

    async def _drive(self) -> None:
        dut = self.b.dut
        offered: PortCommand | None = None
        while True:
            await self.b.clocks()
            if offered is not None and dut.cmd_ready.value == 1:
                self.taken.append(now())
                self.on_taken(offered)
                if self.queue and self.queue[0] is offered:
                    self.queue.popleft()
                offered = None
            elif not self.queue:
                offered = None
            if offered is None and self.queue and self.queue[0].offer <= now() + 1 and not next(self.pauses):
                offered = self.queue[0]
                dut.cmd_addr.value = offered.addr
                dut.cmd_beats.value = offered.beats - 1
            dut.cmd_valid.value = int(offered is not None)


class AlwaysOne:
    """Counts clocks in which a signal is not 1, from the end of the reset on."""

    def __init__(self, b: Bench, name: str) -> None:
        self.b, self.name, self.faults = b, name, 0
        b.start(self._watch())

    async def _watch(self) -> None:
        while True:
            await self.b.clocks()
            self.faults += self.b.dut.rst.value == 0 and getattr(self.b.dut, self.name).value != 1

    def check(self) -> None:
        """It was always 1."""
        self.b.scoreboard.expect(self.name, 0)
        self.b.scoreboard.got(self.name, self.faults)


def constants(b: Bench, prefix: str) -> list[int]:
    """The address channel's signals that never change, as they are: size, burst, lock, cache, prot, id."""
    names = ("size", "burst", "lock", "cache", "prot", "id")
    return [int(getattr(b.dut, f"{PREFIX}_{prefix}{name}").value) for name in names]


def expected_constants(beat_bytes: int) -> list[int]:
    """What they must be: whole beats, INCR, no lock, bufferable, secure data, ID 0."""
    return [beat_bytes.bit_length() - 1, 1, 0, 3, 0, 0]
