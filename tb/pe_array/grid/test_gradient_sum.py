# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/grid/gradient_sum.v: groups of all sizes, PEs ahead of each other, stalls at every port."""

from __future__ import annotations

from collections import deque

import numpy as np

from models.pe_array.network.weight_update import sum_gradients
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps

FIFO_LATENCY = 2


class Unit:
    """A gradient_sum, the PEs before it and whoever takes the sums.

    Attributes:
        level: log2 of the group.
        rounds: of a test; few for many PEs, which take the bench long.
        exact: nobody pauses at the output, so that the clock of every sum is known.
    """

    def __init__(self, b: Bench) -> None:
        self.b, self.pes = b, b.params["P"]
        self.depth = b.params["DEPTH"]
        self.levels = self.pes.bit_length() - 1
        self.level = 0
        self.now = 0
        self.exact = True
        self.rounds = 8 if self.pes <= 8 else 2
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        self.partial: list[deque[int]] = [deque() for _ in range(self.pes)]
        self.offered = [False] * self.pes
        self.taken_at: list[deque[int]] = [deque() for _ in range(self.pes)]
        self.sums: list[deque[int]] = [deque() for _ in range(self.pes)]
        ports = list(map(str, range(self.pes)))
        self.parts, self.takers = Gaps(self.b, *ports, group="partial"), Gaps(self.b, *ports, group="sums")
        self.m_waiting: dict[int, int] = {}

    @property
    def group(self) -> int:
        """S."""
        return 1 << self.level

    def feed(self, count: int) -> None:
        """`count` more partial gradients for every PE."""
        partial = values.signed(self.b, 32, (self.pes, count))
        total = sum_gradients(partial, self.group)
        exact = partial.reshape(-1, self.group, count).sum(axis=1)
        self.b.cover("sum", "wraps" if (total != exact).any() else "fits")
        for pe in range(self.pes):
            self.partial[pe].extend(int(x) for x in partial[pe])
        for slot in range(self.pes >> self.level):
            self.sums[slot].extend(int(x) for x in total[slot])

    async def step(self) -> None:
        """One clock."""
        b = self.b
        for pe in range(self.pes):
            if not self.offered[pe] and self.partial[pe]:
                self.offered[pe] = self.parts.go(str(pe))
        data = [self.partial[pe][0] if self.offered[pe] else b.rng.getrandbits(32) for pe in range(self.pes)]
        m_ready = [self.takers.go(str(slot)) for slot in range(self.pes)]
        b.drive(s_valid=pack(self.offered, 1), s_data=pack(data, 32), m_ready=pack(m_ready, 1))
        await b.clocks()
        s_ready = unpack(b.see("s_ready"), 1, self.pes, signed=False)
        m_valid = unpack(b.see("m_valid"), 1, self.pes, signed=False)
        self._compare_outputs(m_valid, m_ready)
        for pe in range(self.pes):
            if self.offered[pe] and s_ready[pe]:
                self.partial[pe].popleft()
                self.offered[pe] = False
                self.taken_at[pe].append(self.now)
            elif self.offered[pe]:
                b.cover("fifo", "full")
        self.now += 1

    def _members(self, slot: int) -> range:
        return range(slot << self.level, slot + 1 << self.level)

    def _compare_outputs(self, m_valid: list[int], m_ready: list[bool]) -> None:
        due = FIFO_LATENCY + self.level
        empty = []
        for slot in range(self.pes):
            active = slot < self.pes >> self.level
            times = [self.taken_at[pe] for pe in self._members(slot)] if active else []
            complete = active and all(times)
            empty.append(int(not any(times)))
            if self.exact or not active:
                self.b.equal(
                    f"m_valid[{slot}]", m_valid[slot], int(complete and max(t[0] for t in times) + due <= self.now)
                )
            if slot in self.m_waiting:
                self.b.equal("valid stays", m_valid[slot], 1)
            if m_valid[slot]:
                self._compare_sum(slot, m_ready[slot])
                if m_ready[slot]:
                    skew = max(t[0] for t in times) - min(t[0] for t in times)
                    self.b.cover("skew", "none" if skew == 0 else "small" if skew < self.depth else "large")
                    for t in times:
                        t.popleft()
        self.b.equal("slot_empty", unpack(self.b.see("slot_empty"), 1, self.pes, signed=False), empty)

    def _compare_sum(self, slot: int, taken: bool) -> None:
        # ports that are not valid may have unknown bits
        word = self.b.see_lane("m_data", slot, 32)
        self.b.equal(f"sum[{slot}]", word, self.sums[slot][0] & 0xFFFFFFFF if self.sums[slot] else -1)
        if taken:
            self.sums[slot].popleft()
            self.m_waiting.pop(slot, None)
        else:
            self.m_waiting[slot] = word

    async def reset(self) -> None:
        """Reset with a random size of the groups."""
        self.forget()
        self.b.drive(s_valid=0, m_ready=0)
        self.choose()
        await self.b.reset()

    def choose(self) -> None:
        """Another size of the groups; nothing may be inside."""
        self.level = self.b.rng.choice([0, self.levels, self.b.rng.randint(0, self.levels)])
        self.b.drive(group_log2=self.level)
        self.b.cover("group", "one" if self.level == 0 else "all" if self.level == self.levels else "some")

    def stall(self, sums: bool) -> None:
        """Other patterns of pauses: at the PEs, and perhaps at the sums."""
        for port in range(self.pes):
            self.parts.any(str(port))
            self.takers.none(str(port))
            if sums:
                self.takers.any(str(port))

    async def drain(self) -> int:
        """Until nothing is under way; the clocks it took."""
        for clock in range(20_000):
            if not any(self.partial) and not any(self.sums):
                return clock
            await self.step()
        raise TimeoutError("partial gradients are left")


@bench_test(timeout_clocks=100_000)
async def exact_clocks(b: Bench) -> None:
    """Sums that are taken at once come at an exact clock after their last part, however skewed."""
    unit = Unit(b)
    await unit.reset()
    for _ in range(unit.rounds):
        unit.choose()
        unit.stall(sums=False)
        for _ in range(3):
            unit.feed(b.rng.randint(1, 20))
            for _ in range(b.rng.randint(1, 30)):
                await unit.step()
        await unit.drain()
        await unit.step()


@bench_test(timeout_clocks=100_000)
async def stalls(b: Bench) -> None:
    """Pauses at every port; FIFOs run full; nothing is lost, doubled or added to a stranger."""
    unit = Unit(b)
    unit.exact = False
    await unit.reset()
    for _ in range(unit.rounds):
        unit.choose()
        unit.feed(40)
        for _ in range(2):
            unit.stall(sums=True)
            for _ in range(30):
                await unit.step()
        await unit.drain()
        await unit.step()


@bench_test(timeout_clocks=100_000)
async def far_ahead(b: Bench) -> None:
    """One PE of a group delivers nothing until all others have filled their FIFOs."""
    unit = Unit(b)
    await unit.reset()
    for level in range(unit.levels + 1):
        unit.level = level
        b.drive(group_log2=level)
        unit.feed(2 * unit.depth + 8)
        late = [b.rng.randrange(unit.group) + slot * unit.group for slot in range(unit.pes >> level)]
        for pe in late:
            unit.parts.set(str(pe), iter([True] * (unit.depth + 8) + [False] * 10_000))
        for _ in range(unit.depth + 4):
            await unit.step()
        if level:  # the partner of the late one waits with a full FIFO and its output register
            b.equal("partials ahead", [len(unit.taken_at[pe ^ 1]) for pe in late], [unit.depth + 1] * len(late))
        await unit.drain()
        unit.parts.none()
        await unit.step()


@bench_test(timeout_clocks=20_000)
async def full_rate(b: Bench) -> None:
    """A sum per clock and slot where nobody waits."""
    unit = Unit(b)
    await unit.reset()
    await unit.step()  # FIFOs take nothing in the first clock after a reset
    unit.feed(100)
    clocks = await unit.drain()
    b.equal("clocks", clocks, 100 + FIFO_LATENCY + unit.level)


@bench_test(timeout_clocks=50_000)
async def resets(b: Bench) -> None:
    """A reset forgets everything; the size of the groups may be another one after it."""
    unit = Unit(b)
    unit.exact = False
    for _ in range(unit.rounds):
        await unit.reset()
        unit.stall(sums=True)
        unit.feed(20)
        for _ in range(b.rng.randint(1, 40)):
            await unit.step()
        b.cover("reset", "in_flight" if any(unit.taken_at) else "empty")
    await unit.drain()
    b.equal("left", int(np.sum([len(t) for t in unit.taken_at])), 0)
