# SPDX-License-Identifier: Apache-2.0
"""AXI bus models of cocotbext-axi, set up for this project's benches: quiet, in lanes, with time-outs and stalls."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, TypeAlias

from cocotb.triggers import with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.axi import axil_channels as axil

from tb.lib import patterns
from tb.lib.bench import PATIENCE, PERIOD_NS, Bench

OKAY, SLVERR = 0, 2
StreamFrame: TypeAlias = AxiStreamFrame

_WAIT_CLOCKS = 2000


def _begin(b: Bench, prefix: str) -> None:
    """It drives inputs from now on, without a log line per frame."""
    b.driven_beside = True
    logging.getLogger(f"cocotb.{b.dut._name}.{prefix}").setLevel(logging.WARNING)


def stream_source(b: Bench, prefix: str, lanes: int = 1) -> AxiStreamSource:
    """Drives the AXI4-Stream input `prefix`_t…, of `lanes` words per beat. Frames come from `frame`."""
    _begin(b, prefix)
    return AxiStreamSource(AxiStreamBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst, byte_lanes=lanes)


def stream_sink(b: Bench, prefix: str, lanes: int = 1) -> AxiStreamSink:
    """Takes the frames of the AXI4-Stream output `prefix`_t…, of `lanes` words per beat, and checks its rules.

    Take frames with `receive`.
    """
    _begin(b, prefix)
    b.start(stream_rules(b, prefix))
    return AxiStreamSink(AxiStreamBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst, byte_lanes=lanes)


def frame(words: Iterable[int], user: int = 0, lanes: int = 1) -> StreamFrame:
    """A frame of words, unsigned as on the bus; `user` is tuser of the last beat, other beats have 0."""
    data = [int(word) for word in words]
    last_beat = (len(data) - 1) // lanes * lanes
    return StreamFrame(data, tuser=[0] * last_beat + [user] * (len(data) - last_beat))


async def receive(sink: AxiStreamSink, clocks: int = _WAIT_CLOCKS) -> tuple[list[int], list[int]]:
    """The next frame: its words and, for each word, tuser of its beat."""
    received = await with_timeout(sink.recv(compact=False), clocks * PATIENCE * PERIOD_NS, "ns")
    return list(received.tdata), list(received.tuser)


async def stream_rules(b: Bench, prefix: str) -> None:
    """tvalid once high stays high until tready, with the payload unchanged (reset excepted)."""
    payload = [getattr(b.dut, f"{prefix}_{name}", None) for name in ("tdata", "tlast", "tuser")]
    signals = [signal for signal in payload if signal is not None]
    valid, ready, rst = getattr(b.dut, f"{prefix}_tvalid"), getattr(b.dut, f"{prefix}_tready"), b.dut.rst
    waiting: list[str] | None = None
    while True:
        await b.clocks()
        if rst.value == 1:
            waiting = None
            continue
        # (the payload is looked at only where it is offered and waits: most clocks of a long bench have neither)
        offered = valid.value == 1
        waits = offered and ready.value == 0
        now = [str(signal.value) for signal in signals] if waits or waiting is not None else None
        if waiting is not None:
            assert offered, f"{prefix}_tvalid fell before tready came"
            assert now == waiting, f"{prefix}: payload changed while waiting for tready, from {waiting} to {now}"
        waiting = now if waits else None


class AxiLite:
    """An AXI4-Lite master that sends addresses and strobes as they are, misaligned and illegal ones too."""

    def __init__(self, b: Bench, prefix: str = "s_axil") -> None:
        _begin(b, prefix)
        self.aw = axil.AxiLiteAWSource(axil.AxiLiteAWBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst)
        self.w = axil.AxiLiteWSource(axil.AxiLiteWBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst)
        self.b = axil.AxiLiteBSink(axil.AxiLiteBBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst)
        self.ar = axil.AxiLiteARSource(axil.AxiLiteARBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst)
        self.r = axil.AxiLiteRSink(axil.AxiLiteRBus.from_prefix(b.dut, prefix), b.clk, b.dut.rst)

    @property
    def channels(self) -> tuple[Any, ...]:
        """All five, for `stall`."""
        return self.aw, self.w, self.b, self.ar, self.r

    async def write(self, address: int, data: int, strobe: int = 0xF) -> int:
        """Write one word; the response (OKAY or SLVERR)."""
        self.write_nowait(address, data, strobe)
        return await self.response()

    def write_nowait(self, address: int, data: int, strobe: int = 0xF, prot: int = 0) -> None:
        """Begin to write one word, without its response."""
        self.aw.send_nowait(axil.AxiLiteAWTransaction(awaddr=address, awprot=prot))
        self.w.send_nowait(axil.AxiLiteWTransaction(wdata=data, wstrb=strobe))

    async def read(self, address: int) -> tuple[int, int]:
        """Read one word; (data, response)."""
        self.read_nowait(address)
        return await self.answer()

    def read_nowait(self, address: int, prot: int = 0) -> None:
        """Begin to read one word, without its answer."""
        self.ar.send_nowait(axil.AxiLiteARTransaction(araddr=address, arprot=prot))

    async def response(self) -> int:
        """The response to the next of the writes that were begun."""
        return int((await _bounded(self.b.recv())).bresp)

    async def answer(self) -> tuple[int, int]:
        """(data, response) of the next of the reads that were begun."""
        answer = await _bounded(self.r.recv())
        return int(answer.rdata), int(answer.rresp)

    async def set(self, address: int, data: int) -> None:
        """Write a register that must accept it."""
        response = await self.write(address, data)
        assert response == OKAY, f"writing {data:#x} to register {address:#05x}: response {response}"

    async def get(self, address: int) -> int:
        """Read a register that must be there."""
        data, response = await self.read(address)
        assert response == OKAY, f"reading register {address:#05x}: response {response}"
        return data


async def _bounded(coroutine: Any) -> Any:
    return await with_timeout(coroutine, _WAIT_CLOCKS * PATIENCE * PERIOD_NS, "ns")


def stall(b: Bench, *channels: Any) -> list[str]:
    """Give every channel (source, sink, AXI4-Lite channel) a random idle or back-pressure pattern; their names."""
    names = []
    for channel in channels:
        name, pattern = patterns.any_pattern(b.rng)
        channel.set_pause_generator(pattern)
        names.append(name)
    return names


def full_speed(*channels: Any) -> None:
    """No stalls of these channels from now on."""
    for channel in channels:
        channel.clear_pause_generator()
        channel.pause = False
