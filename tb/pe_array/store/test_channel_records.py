# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/channel_records.v: every pin in every clock, records of both kinds from any place."""

from __future__ import annotations

from collections import deque

import numpy as np

from models.pe_array.clocks.channel_records import records_clock, records_ready, records_start, records_state
from models.pe_array.isa.channel_records import BEATS_MAX, Records, record_bytes, record_runs, unpack_records
from models.pe_array.isa.runs import ADDRESSES
from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps
from tb.lib.ports import Source


class Unit:
    """A channel_records and its models of clocks and of what the records say."""

    def __init__(self, b: Bench) -> None:
        self.b, self.beat = b, int(b.params["B"])
        self.gaps = Gaps(b, "cmd", "beats_in", "records")
        self.beats: Source[int] = Source(self.gaps, "beats_in")
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        self.state = records_state(self.beat)
        self.command: list[int] | None = None
        self.expected: deque[tuple[int, int, int]] = deque()
        self.beats.withdraw()
        self.beats.queue.clear()

    async def start(self) -> None:
        """Reset, with quiet inputs."""
        self.forget()
        self.b.drive(start=0, s_valid=0, m_ready=0, cmd_ready=0)
        await self.b.reset()

    def draw(self, channels: int) -> dict[str, int]:
        """A start: kind, address, number of channels."""
        rng = self.b.rng
        kind = rng.choice([Records.BIASES, Records.FULL])
        address = rng.randrange(0, ADDRESSES >> 1, self.beat)
        if rng.random() < 0.1:
            address = ADDRESSES - self.beat
            self.b.cover("address", "last")
        place = rng.choice([0, 0, rng.randrange(self.beat // record_bytes(kind))])
        if rng.random() < 0.2:
            address += rng.randrange(1, record_bytes(kind))
            self.b.cover("address", "misaligned")
        address += place * record_bytes(kind)
        self.b.cover("kind", kind.name.lower())
        self.b.cover("first", "inside" if place else "aligned")
        return {"full": kind is Records.FULL, "address": address, "channels": channels}

    def _begin(self, given: dict[str, int]) -> None:
        """The models take a start."""
        b, kind = self.b, Records.FULL if given["full"] else Records.BIASES
        b.cover("start", "running" if self.state.have or self.state.shown or self.expected else "idle")
        records_start(self.state, given["full"], given["address"], given["channels"])
        runs, place = record_runs(kind, given["address"], given["channels"], self.beat)
        b.equal("beats of the model of clocks", int(self.state.beats), runs.total)
        many = runs.total > BEATS_MAX
        b.cover("beats", "too_many" if many else "one" if runs.total == 1 else "several")
        self.command = [int(runs.starts[0]), runs.total - 1 & 0xFFFF, many]
        self.beats.withdraw()
        self.beats.queue.clear()
        self.expected.clear()
        if runs.total <= 100:
            data = b.np.integers(0, 256, (runs.total, self.beat), dtype=np.uint8)
            self.beats.queue.extend(int.from_bytes(beat.tobytes(), "little") for beat in data)
            first = place * record_bytes(kind)
            end = first + given["channels"] * record_bytes(kind)
            read = unpack_records(np.ascontiguousarray(data.reshape(-1)[first:end]), kind)
            parts = (read.biases, read.multipliers, read.shifts)
            self.expected.extend(zip(*(part.tolist() for part in parts), strict=True))

    async def clock(self, given: dict[str, int] | None = None) -> None:
        """One clock, with a start or none."""
        b, n, rng = self.b, self.state, self.b.rng
        cmd_ready = self.gaps.go("cmd")
        m_ready = self.gaps.go("records") and bool(self.expected)
        word = self.beats.offer()
        noise = {"full": rng.getrandbits(1), "address": rng.getrandbits(32), "channels": rng.getrandbits(19)}
        b.drive(given or noise, start=given is not None, cmd_ready=cmd_ready, m_ready=m_ready)
        b.drive(s_valid=word is not None, s_data=rng.getrandbits(8 * self.beat) if word is None else word)
        await b.clocks()
        b.check(cmd_valid=int(n.command), s_ready=bool(records_ready(n, m_ready)), m_valid=int(n.shown))
        if self.command is not None:
            b.check(too_many=self.command[2])
        if n.command and self.command is not None:
            b.check(cmd_addr=self.command[0], cmd_beats=self.command[1])
        if n.shown and self.expected:
            bias, multiplier, shift = self.expected[0]
            b.check(m_bias=bias & 0xFFFFFFFF)
            if n.full:
                b.check(m_multiplier=multiplier, m_shift=shift)
            if m_ready:
                self.expected.popleft()
        if word is not None and records_ready(n, m_ready):
            self.beats.take()
        records_clock(n, cmd_ready, word is not None, m_ready)
        if given is not None:
            self._begin(given)


@bench_test(timeout_clocks=60_000)
async def records(b: Bench) -> None:
    """Records of some channels under every pattern of pauses; now and then another start or a reset in between."""
    unit = Unit(b)
    await unit.start()
    for _ in range(30):
        unit.gaps.any()
        await unit.clock(unit.draw(b.rng.choice([1, b.rng.randint(1, 40)])))
        for _ in range(b.rng.choice([10, 400, 400])):
            if not unit.expected:
                break
            await unit.clock()
        if b.rng.random() < 0.2:
            b.cover("reset", "running" if unit.expected else "idle")
            await unit.start()


@bench_test(timeout_clocks=10_000)
async def full_rate(b: Bench) -> None:
    """Where nobody waits: a beat is taken in the clock behind the start, and from two clocks later a record moves."""
    unit = Unit(b)
    await unit.start()
    for _ in range(8):
        given = unit.draw(20)
        await unit.clock(given)
        clocks = 0
        while unit.expected:
            await unit.clock()
            clocks += 1
        b.equal("clocks", clocks, 22)
        b.cover("full_rate", "full" if given["full"] else "biases")


@bench_test(timeout_clocks=10_000)
async def commands(b: Bench) -> None:
    """Commands of many beats, up to one beat too many."""
    unit = Unit(b)
    await unit.start()
    for _ in range(10):
        await unit.clock(unit.draw(b.rng.randrange(1, 1 << 19)))
        await unit.clock()
    for more in (0, 1):
        for full in (0, 1):
            most = BEATS_MAX * unit.beat // (8 if full else 4)
            if most + more < 1 << 19:
                await unit.clock({"full": full, "address": 0, "channels": most + more})
                await unit.clock()
