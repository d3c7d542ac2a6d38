# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/axi_bursts.v: bursts and refusals of the model, valid and ready in every clock, flushes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from models.lib.memory_port import PAGE_BYTES, Burst, Port, PortCommand
from tb.lib.axi import memory_port
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps


class BurstsBench:
    """Commands in, bursts out and the two registers of the model; one call of `clock` is one clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.pairs = int(b.params.get("PAIRS", 0)) != 0
        self.port = Port(b.params["DATA_WIDTH"] // 8, 0, 0, memory_port.window(b), pairs=self.pairs)
        self.mask = (1 << b.params["ADDR_WIDTH"]) - 1
        self.queue: deque[PortCommand] = deque()
        self.waiting: PortCommand | None = None
        self.cut: deque[Burst] = deque()  # of the command that is cut, those not taken
        self.refused = self.half = False

    async def start(self) -> None:
        """Reset."""
        self.b.drive(dict.fromkeys(("flush", "cmd_valid", "burst_take", "take_rest"), 0))
        await self.b.reset()

    async def clock(self, give: bool, take: bool, take_rest: bool = False, flush: bool = False) -> None:
        """One clock: a command if there is one, the first burst taken or not; compares all outputs."""
        b = self.b
        offered = self.queue[0] if give and self.queue else None
        b.drive(cmd_valid=offered is not None)
        if offered is not None:
            b.drive(cmd_addr=offered.addr, cmd_beats=offered.beats - 1, cmd_half=offered.half)
        b.drive(burst_take=take, take_rest=take_rest, flush=flush)
        await b.clocks()

        finished = bool(self.cut) and take and (take_rest or len(self.cut) == 1)
        advance = self.waiting is not None and (not self.cut or finished)
        ready = not flush and (self.waiting is None or advance)
        b.check(cmd_ready=ready, burst_valid=bool(self.cut), busy=self.waiting is not None or bool(self.cut))
        if self.cut:
            burst = self.cut[0]
            flags = [self.half, burst.last, self.refused, burst.skip]
            b.expect("burst", [burst.addr & self.mask, burst.beats - 1, *flags])
            names = ("burst_addr", "burst_len", "burst_half", "burst_last", "burst_refused", "burst_skip")
            b.got("burst", [b.see(name) for name in names])
            self._cover(burst)
        if flush:
            b.cover("flush", "cutting" if self.cut else "waiting" if self.waiting else "idle")
        self._step(finished, advance, take)
        if ready:
            self.waiting = self.queue.popleft() if offered is not None else None
        if flush:
            self.waiting = None
            self.cut.clear()

    def _step(self, finished: bool, advance: bool, take: bool) -> None:
        if finished:
            self.cut.clear()
        elif self.cut and take:
            self.cut.popleft()
        if advance:
            assert self.waiting is not None
            self.cut.extend(self.port.bursts(self.waiting))
            self.refused, self.half = self.port.refuses(self.waiting), self.waiting.half

    def _cover(self, burst: Burst) -> None:
        if not self.refused:
            last = burst.addr + burst.beats * (self.port.beat_bytes >> (self.half and not self.pairs)) - 1
            self.b.require(
                burst.addr // PAGE_BYTES == last // PAGE_BYTES,
                f"a burst of {burst.beats} beats at {burst.addr:#x} crosses a page",
            )
        self.b.cover("burst", "whole" if burst.beats == 16 else "end" if burst.last else "begin")
        if self.pairs:
            self.b.cover("skip", ("none", "low", "high", "both")[burst.skip])

    async def finish(self) -> None:
        """Take everything that is left."""
        while self.queue or self.waiting or self.cut:
            await self.clock(give=True, take=True)
        await self.clock(give=True, take=True)


@bench_test(timeout_clocks=30_000)
async def commands(b: Bench) -> None:
    """Commands of all kinds and places under every pair of patterns, flushes in between."""
    bench = BurstsBench(b)
    await bench.start()
    gaps = Gaps(b, "give", "take")
    for _ in range(10):
        gaps.any()
        flushing, resting = b.rng.choice([0, 0, 0.05]), b.rng.choice([0, 0.2])
        for _ in range(20):
            name, command = memory_port.some_command(b, bench.port)
            b.cover("command", name)
            bench.queue.append(command)
        for _ in range(100):
            rest, flush = b.rng.random() < resting, b.rng.random() < flushing
            await bench.clock(gaps.go("give"), gaps.go("take"), rest, flush)
        while len(bench.queue) > 3:
            bench.queue.pop()
        while bench.queue or bench.waiting or bench.cut:
            rest = len(bench.cut) > 20
            await bench.clock(give=True, take=True, take_rest=rest)
    await bench.finish()


@bench_test(timeout_clocks=30_000)
async def longest(b: Bench) -> None:
    """65536 beats from a place that is no multiple of 16, in the middle of a window and at its very ends."""
    bench = BurstsBench(b)
    size = bench.port.beat_bytes
    base = b.rng.randrange(0, (1 << b.params["ADDR_WIDTH"]) - 65536 * size, size)
    end = base + 65536 * size
    b.drive(window_base=base, window_end=end)
    bench.port = replace(bench.port, window=(base, end))
    await bench.start()
    bench.queue += [PortCommand(base, 65536), PortCommand(base, 65536), PortCommand(base, 1)]
    bench.queue += [PortCommand(end - size, 1), PortCommand(end - size, 2)]
    for _ in range(3):
        await bench.clock(give=True, take=False)
    await bench.clock(give=True, take=True, take_rest=True)
    await bench.finish()


@bench_test(timeout_clocks=30_000)
async def edges(b: Bench) -> None:
    """Commands whose first and last bytes are those of the window, or a byte or a beat beside them."""
    bench = BurstsBench(b)
    size = bench.port.beat_bytes
    await bench.start()
    for beats in (1, b.rng.randint(2, 40)):
        addr = b.rng.randrange(4096, (1 << b.params["ADDR_WIDTH"]) - 4096, size)
        for low in (-size, -1, 0, 1, size):
            for high in (-size, -1, 0, 1, size):
                base, end = addr + low, addr + beats * size + high
                b.drive(window_base=base, window_end=end)
                bench.port = replace(bench.port, window=(base, end))
                bench.queue.append(PortCommand(addr, beats))
                b.cover("edge", "refused" if bench.port.refuses(bench.queue[0]) else "inside")
                await bench.finish()
