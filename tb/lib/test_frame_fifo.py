# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/frame_fifo.v: whole frames in order, valid and data in every clock, flush and reset at any time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps

_VISIBLE_AFTER = 2  # clocks from the last word of a frame to its first word at the output


@dataclass
class Word:
    """A word of a complete frame."""

    data: int
    last: bool
    complete: int  # clock in which the frame's last word was written


class FifoBench:
    """Writer, reader and model; one call of `clock` is one clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.width, self.depth = b.params["WIDTH"], b.params["DEPTH"]
        self.now = 0
        self.visible: deque[Word] = deque()
        self.hidden: list[int] = []
        self.to_write = 0  # words of the present frame still to come
        self.expected_done = 0

    @property
    def inside(self) -> int:
        """Words that count against DEPTH."""
        return len(self.visible) + len(self.hidden)

    async def clock(self, write: bool, ready: bool, flush: bool = False, rst: bool = False) -> None:
        """One clock: a word if there is room, the reader ready or not; compares all outputs."""
        b = self.b
        write = write and self.inside < self.depth
        data = b.rng.getrandbits(self.width)
        if write and not self.to_write:
            self.to_write = b.rng.choice([1, b.rng.randint(1, self.depth), b.rng.randint(1, min(self.depth, 8))])
            self._cover_length(self.to_write)
        last = self.to_write == 1
        b.drive(
            s_valid=write,
            s_data=data,
            s_last=last if write else b.rng.random() < 0.5,
            m_ready=ready,
            flush=flush,
            rst=rst,
        )
        await b.clocks()
        self._compare(ready)
        self._write(write, data, last, flush)
        if rst:
            b.cover("reset", "filled" if self.inside else "empty")
            self._forget(everything=True)
        b.cover("fill", "full" if self.inside == self.depth else "some" if self.inside else "empty")
        self.now += 1

    def _cover_length(self, words: int) -> None:
        self.b.cover("frame", "one_word" if words == 1 else "whole_fifo" if words == self.depth else "between")

    def _compare(self, ready: bool) -> None:
        valid = bool(self.visible) and self.visible[0].complete + _VISIBLE_AFTER <= self.now
        self.b.check(m_valid=valid)
        done = False
        if valid:
            word = self.visible[0]
            self.b.check(m_data=word.data, m_last=word.last)
            if ready:
                done = word.last
                self.visible.popleft()
        if valid or self.now > 0:  # before anything is read, m_last may be X while m_valid is 0
            self.b.check(frame_done=done)

    def _write(self, write: bool, data: int, last: bool, flush: bool) -> None:
        if flush:
            kind = "idle" if not write and not self.hidden else "mid_frame"
            self.b.cover("flush", ("with_last" if last else "with_word") if write else kind)
            self._forget(everything=False)
        elif write:
            self.hidden.append(data)
            self.to_write -= 1
            if last:
                frame, self.hidden = self.hidden, []
                self.visible.extend(Word(d, i == len(frame) - 1, self.now) for i, d in enumerate(frame))

    def _forget(self, everything: bool) -> None:
        self.hidden = []
        self.to_write = 0
        if everything:
            self.visible.clear()

    async def start(self) -> None:
        """Reset."""
        self.b.drive(dict.fromkeys(("s_valid", "s_data", "s_last", "m_ready", "flush"), 0))
        await self.b.reset()

    async def finish(self) -> None:
        """Complete the present frame and take everything out."""
        while self.to_write or self.visible:
            await self.clock(write=self.to_write > 0, ready=True)
        for _ in range(_VISIBLE_AFTER + 2):
            await self.clock(write=False, ready=True)


@bench_test(timeout_clocks=30_000)
async def frames(b: Bench) -> None:
    """Frames of all lengths under every pair of write and read patterns."""
    fifo = FifoBench(b)
    await fifo.start()
    gaps = Gaps(b, "write", "read")
    for _ in range(12):
        gaps.any()
        for _ in range(100):
            await fifo.clock(write=gaps.go("write"), ready=gaps.go("read"))
    await fifo.finish()


@bench_test(timeout_clocks=30_000)
async def flush_and_reset(b: Bench) -> None:
    """Flushes and resets at any moment; complete frames survive a flush and nothing survives a reset."""
    fifo = FifoBench(b)
    await fifo.start()
    gaps = Gaps(b, "write", "read")
    for _ in range(12):
        flushing, resetting = b.rng.choice([0.02, 0.2]), b.rng.choice([0, 0, 0.02])
        gaps.any()
        for _ in range(100):
            flush, rst = b.rng.random() < flushing, b.rng.random() < resetting
            await fifo.clock(gaps.go("write"), gaps.go("read"), flush, rst)
    await fifo.finish()
