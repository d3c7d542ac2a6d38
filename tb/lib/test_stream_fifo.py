# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/stream_fifo.v: words, clock of every word, level and both handshakes in every clock."""

from __future__ import annotations

from collections import deque

from tb.lib import patterns
from tb.lib.bench import Bench, bench_test


class FifoBench:
    """The FIFO and what it must show in this clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.width, self.depth = int(b.params["WIDTH"]), int(b.params["DEPTH"])
        self.words: deque[int] = deque()  # inside, the oldest first
        self.shown = False  # the oldest stands at the output
        self.ready = False  # in the clock after a reset

    async def clock(self, write: bool, ready: bool, rst: bool = False) -> None:
        """One clock: drive, compare all outputs, follow."""
        b, dut, board = self.b, self.b.dut, self.b.scoreboard
        data = b.rng.choice([0, (1 << self.width) - 1, b.rng.getrandbits(self.width)])
        for name, value in (("s_valid", write), ("s_data", data), ("m_ready", ready), ("rst", rst)):
            getattr(dut, name).value = int(value)
        await b.clocks()
        board.expect("control", [self.ready, self.shown, len(self.words)])
        board.got("control", [int(dut.s_ready.value), int(dut.m_valid.value), int(dut.level.value)])
        if self.shown:
            board.expect("m_data", self.words[0])
            board.got("m_data", int(dut.m_data.value))
        b.cover("fill", "full" if len(self.words) == self.depth else "some" if self.words else "empty")
        if write and not self.ready:
            b.cover("write", "waits")
        if rst:
            b.cover("reset", "filled" if self.words else "empty")
            self.words.clear()
            self.shown = self.ready = False
            return
        unread = len(self.words) - self.shown
        if self.shown and ready:
            self.words.popleft()
        self.shown = unread > 0 or (self.shown and not ready)
        if write and self.ready:
            self.words.append(data)
        self.ready = len(self.words) < self.depth


async def _start(b: Bench) -> FifoBench:
    for name in ("s_valid", "s_data", "m_ready"):
        getattr(b.dut, name).value = 0
    await b.reset()
    return FifoBench(b)


@bench_test(timeout_clocks=30_000)
async def words(b: Bench) -> None:
    """Every pair of write and read patterns that the seed finds, with a reset now and then."""
    fifo = await _start(b)
    for _ in range(16):
        write_name, write_pauses = patterns.any_pattern(b.rng)
        read_name, read_pauses = patterns.any_pattern(b.rng)
        resets = b.rng.choice([0, 0, 0.02])
        b.cover("write", write_name)
        b.cover("read", read_name)
        for _ in range(100):
            await fifo.clock(not next(write_pauses), not next(read_pauses), b.rng.random() < resets)
    while fifo.words:
        await fifo.clock(write=False, ready=True)
    await fifo.clock(write=False, ready=True)


@bench_test(timeout_clocks=2_000)
async def full_rate(b: Bench) -> None:
    """With a reader that always takes, from three words on nothing waits."""
    fifo = await _start(b)
    await fifo.clock(write=False, ready=True)  # nothing is taken in the first clock after a reset
    for _ in range(300):
        await fifo.clock(write=True, ready=True)
        if fifo.depth >= 3:
            b.scoreboard.expect("no_wait", 1)
            b.scoreboard.got("no_wait", int(b.dut.s_ready.value))
