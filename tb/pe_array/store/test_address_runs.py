# SPDX-License-Identifier: Apache-2.0
"""Bench of address_runs.v: all outputs in every clock; totals; resets in patterns too long to walk."""

from __future__ import annotations

from collections import deque
from dataclasses import astuple, dataclass

from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps

_WIDTHS = {"addr": 32, "beats": 16, "runs": 13, "run_stride": 20, "groups": 12, "group_stride": 20}
_TOTAL_LATENCY = 4


@dataclass(frozen=True)
class Pattern:
    """What stands at the port: counts less one, strides in beats."""

    addr: int
    beats: int
    runs: int
    run_stride: int
    groups: int
    group_stride: int

    @property
    def commands(self) -> int:
        """Number of commands."""
        return (self.runs + 1) * (self.groups + 1)

    def command(self, n: int, beat_bytes: int) -> tuple[int, int, bool]:
        """(address, beats less one, last) of command n."""
        group, run = divmod(n, self.runs + 1)
        offset = (group * self.group_stride + run * self.run_stride) * beat_bytes
        return (self.addr + offset) % (1 << 32), self.beats, n == self.commands - 1


class RunsBench:
    """Design and model in step."""

    def __init__(self, b: Bench) -> None:
        self.b, self.beat_bytes = b, int(b.params["B"])
        self.queue: deque[Pattern] = deque()
        self.gaps = Gaps(b, "s", "m")

    async def start(self) -> None:
        """Reset."""
        self.current: Pattern | None = None
        self.number = 0
        self.totals: deque[tuple[int, int]] = deque()  # clocks to come, beats
        self.b.drive(s_valid=0, m_ready=0)
        await self.b.reset()

    async def clock(self) -> None:
        """One clock; compares all outputs."""
        b = self.b
        offered = self.queue[0] if self.queue and self.gaps.go("s") else None
        values = astuple(offered) if offered else tuple(b.rng.getrandbits(width) for width in _WIDTHS.values())
        b.drive({f"s_{name}": value for name, value in zip(_WIDTHS, values, strict=True)}, s_valid=offered is not None)
        ready = self.gaps.go("m")
        b.drive(m_ready=ready)
        await b.clocks()

        command = self.current.command(self.number, self.beat_bytes) if self.current else None
        moves = command is not None and ready
        takes = command is None or (moves and command[2])
        total = self.totals[0][1] if self.totals and self.totals[0][0] == 0 else None
        b.check(s_ready=takes, m_valid=command is not None, total_valid=total is not None)
        if command is not None:
            b.equal("command", [b.see("m_addr"), b.see("m_beats"), b.see("m_last")], command)
        if total is not None:
            self.totals.popleft()
            b.check(total=total)
        self.totals = deque((clocks - 1, beats) for clocks, beats in self.totals)

        if moves and command is not None:
            self.number += 1
            if command[2]:
                self.current = None
        if takes and offered:
            b.cover("pattern", "back_to_back" if command else "alone")
            self.current, self.number = self.queue.popleft(), 0
            self.totals.append((_TOTAL_LATENCY - 1, offered.commands * (offered.beats + 1)))

    async def finish(self) -> None:
        """Until everything is out."""
        while self.queue or self.current or self.totals:
            await self.clock()
        await self.clock()

    def pattern(self, most: int) -> Pattern:
        """A random one of at most about so many commands."""
        rng = self.b.rng
        runs = rng.choice([0, rng.randrange(most)])
        groups = rng.choice([0, rng.randrange(max(1, most // (runs + 1)))])
        self.b.cover("runs", "one" if not runs else "some")
        self.b.cover("groups", "one" if not groups else "some")
        beats = rng.choice([0, rng.getrandbits(4), rng.getrandbits(16), 65535])
        strides = [rng.choice([0, beats + 1, rng.getrandbits(20), (1 << 20) - 1]) % (1 << 20) for _ in range(2)]
        addr = rng.getrandbits(32)
        if rng.random() < 0.7:
            addr -= addr % self.beat_bytes
        else:
            self.b.cover("addr", "misaligned")
        pattern = Pattern(addr, beats, runs, strides[0], groups, strides[1])
        if addr + (groups * strides[1] + runs * strides[0]) * self.beat_bytes >= 1 << 32:
            self.b.cover("addr", "wraps")
        return pattern


@bench_test(timeout_clocks=30_000)
async def all_patterns(b: Bench) -> None:
    """Patterns of all shapes under every pair of pause patterns."""
    bench = RunsBench(b)
    await bench.start()
    for _ in range(6):
        bench.gaps.any()
        bench.queue.extend(bench.pattern(b.rng.choice([1, 5, 30])) for _ in range(12))
        await bench.finish()


@bench_test(timeout_clocks=30_000)
async def longest(b: Bench) -> None:
    """Begins of patterns up to the longest one, which a reset cuts off; totals to 2^41."""
    bench = RunsBench(b)
    await bench.start()
    b.drive(s_valid=0)
    top = Pattern((1 << 32) - bench.beat_bytes, *((1 << width) - 1 for width in list(_WIDTHS.values())[1:]))
    others = [Pattern(*(b.rng.getrandbits(width) for width in _WIDTHS.values())) for _ in range(30)]
    for pattern in [top, *others]:
        bench.queue.append(pattern)
        for _ in range(b.rng.randint(5, 20)):
            await bench.clock()
        bench.queue.clear()
        b.cover("reset", "running" if bench.current else "idle")
        await bench.start()
        await bench.clock()
    await bench.start()
    b.cover("reset", "idle")
    await bench.finish()


@bench_test(timeout_clocks=30_000)
async def whole_groups(b: Bench) -> None:
    """The largest number of runs and of groups, walked to the end."""
    bench = RunsBench(b)
    await bench.start()
    stride = b.rng.getrandbits(20)
    bench.queue.append(Pattern(b.rng.getrandbits(32), 3, 0, stride, 4095, b.rng.getrandbits(20)))
    if b.seed == 1:
        bench.queue.append(Pattern(b.rng.getrandbits(32), 0, 8191, stride, 0, 5))
    await bench.finish()
