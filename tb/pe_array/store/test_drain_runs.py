# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/drain_runs.v: commands for memory of drains of every kind, in every clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from models.pe_array.isa.runs import Runs, large_runs
from models.pe_array.isa.widths import POOL_BEATS
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps

KINDS = ("plain", "masked", "largest", "places", "spread")
TOTAL = 4
"""Clocks from start to the number of beats."""
PENDING_MAX = 127
"""Write commands without an answer."""
Command = tuple[int, int]
"""Address, and beats less one."""


@dataclass(frozen=True)
class Pattern:
    """What stands at the ports of a kind of drain; counts as they are, strides in beats."""

    kind: str
    addr: int
    mask_addr: int
    beats: int
    runs: int
    run_stride: int
    groups: int
    group_stride: int

    def commands(self, lanes: int) -> tuple[list[Command], list[Command]]:
        """Writes and reads."""
        levels = [(self.runs, self.run_stride * lanes), (self.groups, self.group_stride * lanes)]
        others = _commands(Runs.pattern(self.mask_addr, self.beats, levels))
        if self.kind == "spread":
            return _commands(large_runs(self.addr, self.beats, levels)), others
        results = _commands(Runs.pattern(self.addr, self.beats, levels))
        if self.kind == "places":
            return [each for pair in zip(results, others, strict=True) for each in pair], []
        return results, others if self.kind == "masked" else []

    @property
    def total(self) -> int:
        """Beats of results."""
        return self.beats * self.runs * self.groups * (4 if self.kind == "spread" else 1)


def _commands(runs: Runs) -> list[Command]:
    return [(start, beats - 1) for start, beats in zip(runs.starts.tolist(), runs.beats.tolist(), strict=True)]


class RunsBench:
    """The design beside its model."""

    def __init__(self, b: Bench) -> None:
        self.b, self.lanes = b, int(b.params["B"])
        self.gaps = Gaps(b, "wr_cmd", "rd_cmd", "answer")

    async def start(self) -> None:
        """Reset."""
        self.writes: deque[Command] = deque()
        self.reads: deque[Command] = deque()
        self.pending = 0
        self.commanded = False
        self.total: tuple[int, int] | None = None  # clocks to come, beats
        self.wait = 0  # clocks until commands go out
        self.b.drive(
            start=0, windows=0, index=0, use_map=0, addr=0, mask_addr=0, beats=0, runs=0, run_stride=0, groups=0,
            group_stride=0, run=0, wr_cmd_ready=0, wr_done=0, rd_cmd_ready=0,
        )  # fmt: skip
        await self.b.reset()

    async def drain(self, pattern: Pattern, wait: int) -> None:
        """Start one; its commands go out so many clocks later."""
        kind = pattern.kind
        self.b.drive(
            windows=kind in ("largest", "places"), index=kind in ("places", "spread"), use_map=kind == "masked",
            addr=pattern.addr, mask_addr=pattern.mask_addr, beats=pattern.beats - 1, runs=pattern.runs - 1,
            run_stride=pattern.run_stride, groups=pattern.groups - 1, group_stride=pattern.group_stride,
        )  # fmt: skip
        self.wait = wait + 1
        if wait:
            self.b.cover("run", "late")
        await self.clock(start=True)
        writes, reads = pattern.commands(self.lanes)
        self.writes.extend(writes)
        self.reads.extend(reads)
        self.total = TOTAL - 1, pattern.total

    async def clock(self, start: bool = False) -> None:
        """One clock: compares all outputs."""
        b = self.b
        run = self.wait == 0
        takes_write, takes_read = self.gaps.go("wr_cmd"), self.gaps.go("rd_cmd")
        done = self.pending > 0 and self.gaps.go("answer")
        b.drive(start=start, run=run, wr_cmd_ready=takes_write, rd_cmd_ready=takes_read, wr_done=done)
        await b.clocks()
        write = bool(self.writes) and run and self.pending < PENDING_MAX
        read = bool(self.reads) and run
        total = self.total is not None and self.total[0] == 0
        b.check(
            wr_cmd_valid=write, rd_cmd_valid=read, commanded=self.commanded, answered=self.pending == 0,
            total_valid=total,
        )  # fmt: skip
        if write:
            b.check(wr_cmd_addr=self.writes[0][0], wr_cmd_beats=self.writes[0][1])
        if read:
            b.check(rd_cmd_addr=self.reads[0][0], rd_cmd_beats=self.reads[0][1])
        if self.total is not None:
            if total:
                b.check(total=self.total[1])
            self.total = None if total else (self.total[0] - 1, self.total[1])
        if run and self.writes and not write:
            b.cover("answers", "many_wait")
        command = write and takes_write
        if command and done:
            b.cover("answers", "same_clock")
        if start:
            self.commanded = False
        if command:
            self.writes.popleft()
            self.commanded = not self.writes
        if read and takes_read:
            self.reads.popleft()
        self.pending += command - done
        self.wait -= self.wait > 0

    @property
    def busy(self) -> bool:
        """Something is to come."""
        return bool(self.writes or self.reads or self.pending or self.total)

    async def finish(self) -> None:
        """Until every command is given and answered."""
        while self.busy:
            await self.clock()

    def pattern(self, kind: str, most: int) -> Pattern:
        """A random one of at most about so many runs."""
        rng = self.b.rng
        runs = rng.choice([1, rng.randint(1, most)])
        groups = rng.choice([1, rng.randint(1, max(1, most // runs))])
        self.b.cover("kind", kind)
        self.b.cover("runs", "some" if runs > 1 else "one")
        self.b.cover("groups", "some" if groups > 1 else "one")
        beats = rng.randint(1, POOL_BEATS if kind in ("places", "spread") else 1 << 16)
        run_stride, group_stride = (
            rng.choice([beats, rng.getrandbits(bits), (1 << bits) - 1])
            for bits in ((19, 18) if kind == "spread" else (20, 20))
        )
        addr, mask_addr = (rng.getrandbits(32) // self.lanes * self.lanes for _ in range(2))
        return Pattern(kind, addr, mask_addr, beats, runs, run_stride, groups, group_stride)


@bench_test(timeout_clocks=40_000)
async def all_kinds(b: Bench) -> None:
    """Patterns of all shapes, under every pattern of pauses."""
    bench = RunsBench(b)
    await bench.start()
    for _ in range(4):
        for kind in b.rng.sample(KINDS, len(KINDS)):
            bench.gaps.any()
            for _ in range(2):
                await bench.drain(bench.pattern(kind, b.rng.choice([1, 5, 20])), b.rng.choice([0, b.rng.randint(1, 8)]))
                await bench.finish()


@bench_test(timeout_clocks=10_000)
async def many_wait(b: Bench) -> None:
    """So many commands without an answer, and no more."""
    bench = RunsBench(b)
    await bench.start()
    bench.gaps.stop("answer")
    kind = KINDS[b.seed % len(KINDS)]
    await bench.drain(Pattern(kind, 0, 1 << 20, 3, 50, 3, 4, 200), 0)
    for _ in range(150):
        await bench.clock()
    b.equal("commands", bench.pending, PENDING_MAX)
    bench.gaps.none("answer")
    await bench.finish()


@bench_test(timeout_clocks=10_000)
async def resets(b: Bench) -> None:
    """A reset at any time forgets everything."""
    bench = RunsBench(b)
    await bench.start()
    for number in range(6):
        bench.gaps.any()
        await bench.drain(bench.pattern(b.rng.choice(KINDS), 1 if number else 40), 2)
        for _ in range(0 if number == 1 else b.rng.randint(0, 30)):
            await bench.clock()
        if number == 2:
            await bench.finish()
        b.cover("reset", "running" if bench.busy else "idle")
        await bench.start()
        await bench.clock()
