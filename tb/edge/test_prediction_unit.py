# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/prediction_unit.v: classes, room for frames, back-pressure, resets of both kinds at any clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, signed_range
from tb.lib.patterns import Gaps

PIPELINE_SLACK = 3
"""Clocks from a frame's last group to its first beat: see the module's header."""


@dataclass
class Frame:
    """A prediction on its way."""

    outputs: list[int]
    label: int
    class_: int
    ready_at: int  # clock from which the engine may send it
    groups_sent: int = 0
    complete_at: int = 0  # clock in which `predicted` must come; 0: unknown yet


class Unit:
    """Engine, consumer and model of a prediction_unit, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        p = {name: int(value) for name, value in b.params.items()}
        self.width, self.lanes, self.groups = p["WIDTH"], p["LANES"], p["GROUPS"]
        self.classes, self.capacity = p["CLASSES"], p["FRAMES"]
        self.levels = (self.lanes - 1).bit_length()
        self.lane_bits = (self.width + 7) // 8 * 8
        self.sink = axi.stream_sink(b, "m_axis", self.lanes)
        b.drive(dict.fromkeys(("soft_rst", "admit", "out_valid", "out_data", "out_last", "out_label"), 0))
        self.clock = 0
        self.engine: deque[Frame] = deque()  # admitted, not all groups out
        self.closing: deque[Frame] = deque()  # all groups out, not predicted
        self.complete = 0  # predicted and not sent
        self.sent = 0

    def random_frame(self, ready_at: int) -> Frame:
        """Outputs with ties, corners and, most often, a clear maximum."""
        b, (low, high) = self.b, signed_range(self.width)
        count = self.lanes * self.groups
        style = b.rng.choice(["random", "ties", "corners", "equal"])
        b.cover("outputs", style)
        if style == "random":
            outputs = b.np.integers(low, high, count, endpoint=True)
        elif style == "ties":
            outputs = b.np.integers(-1, 2, count)
        elif style == "corners":
            outputs = b.np.choice([low, low + 1, -1, 0, high], count)
        else:
            outputs = np.full(count, b.rng.choice([low, 0, high]))
        scores = outputs[: self.classes]
        class_ = int(np.flatnonzero(scores == scores.max())[0])
        label = b.rng.choice([class_, b.rng.randrange(self.classes)])
        return Frame(outputs.tolist(), label, class_, ready_at)

    async def step(self, admit: bool, latency: int, pause: bool, soft: bool = False, hard: bool = False) -> None:
        """One clock: the engine admits a sample if it likes and may, and sends a group unless it pauses; resets.

        In a reset it may do both at any time, and what it shows without a group is anything.
        """
        b = self.b
        reset = soft or hard
        promised = len(self.engine) + len(self.closing) + self.complete
        group = None
        if self.engine and self.engine[0].ready_at <= self.clock and not pause and not reset:
            group = self.engine[0]
            first = group.groups_sent * self.lanes
            b.drive(
                out_data=pack(group.outputs[first : first + self.lanes], self.width),
                out_last=group.groups_sent == self.groups - 1,
                out_label=group.label,
            )
        else:
            b.drive({name: b.rng.getrandbits(b.width(name)) for name in ("out_data", "out_last", "out_label")})
        b.drive(out_valid=group is not None or (reset and b.rng.random() < 0.5), soft_rst=soft, rst=hard)
        room = promised < self.capacity
        b.drive(admit=admit if reset else admit and room)
        admit = admit and room and not reset
        await b.clocks()

        if not self.complete:
            b.equal("tvalid without a complete frame", b.see("m_axis_tvalid"), 0)
        b.check(out_room=room)
        due = bool(self.closing) and self.closing[0].complete_at == self.clock and not reset
        done = self.closing[0] if due else None
        b.check(predicted=done is not None, correct=done is not None and done.class_ == done.label)
        if done:
            self.closing.popleft()
            self.complete += 1
            extend = (1 << self.lane_bits) - 1
            b.expect("words", [word & extend for word in done.outputs])
            b.expect("tuser", [*[0] * (self.groups - 1), done.label << 16 | done.class_])
        if b.high("m_axis_tvalid") and b.high("m_axis_tready") and b.high("m_axis_tlast"):
            self.complete -= 1
            self.sent += 1
        if admit:
            self.engine.append(self.random_frame(self.clock + latency))
        if group:
            group.groups_sent += 1
            if group.groups_sent == self.groups:
                self.engine.popleft()
                group.complete_at = self.clock + self.levels + 1
                self.closing.append(group)
        if reset:
            self._reset(hard)
        self.clock += 1

    def _reset(self, hard: bool) -> None:
        """What is not complete is forgotten; a hard reset forgets the complete frames too."""
        kind = "hard_" if hard else ""
        self.b.cover("reset", kind + ("mid_frame" if self.engine and self.engine[0].groups_sent else "between_frames"))
        if self.complete:
            self.b.cover("reset", f"{kind}complete_waiting")
        self.engine.clear()
        self.closing.clear()
        if hard:
            self.complete = 0
            for name in ("words", "tuser"):
                self.b.forget(name)

    async def collect(self) -> None:
        """Compare what the sink receives."""
        while True:
            words, user = await axi.receive(self.sink, 10**6)
            self.b.got("words", words)
            self.b.got("tuser", user[:: self.lanes])

    async def drain(self, limit: int = 20_000) -> None:
        """Step without new samples until nothing is under way, and none is expected."""
        quiet = 0
        for _ in range(limit):
            quiet = 0 if self.engine or self.closing or self.complete else quiet + 1
            if quiet == 5:
                return
            await self.step(False, 1, False)
        raise TimeoutError(f"frames left after {limit} clocks")


def random_latency(b: Bench, unit: Unit) -> int:
    """Clocks from admission to the first group."""
    return b.rng.choice([1, b.rng.randint(1, 5), b.rng.randint(1, 4 * unit.groups)])


async def set_up(b: Bench) -> tuple[Unit, Gaps]:
    """A unit out of reset with stalls on its output; pauses of admissions and of groups."""
    unit = Unit(b)
    (name,) = axi.stall(b, unit.sink)
    b.cover("sink", name)
    gaps = Gaps(b, "admissions", "groups")
    gaps.any("admissions")
    gaps.set("groups", patterns.any_pattern(b.rng)[1])
    await b.reset()
    b.start(unit.collect())
    return unit, gaps


@bench_test(timeout_clocks=100_000)
async def frames(b: Bench) -> None:
    """Frames with gaps between and within them, stalls at the output; room is told exactly."""
    unit, gaps = await set_up(b)
    for _ in range(20 * unit.groups + 400):
        await unit.step(gaps.go("admissions"), random_latency(b, unit), not gaps.go("groups"))
    await unit.drain()
    b.require(unit.sent > 0, "no frame was sent")


@bench_test(timeout_clocks=100_000)
async def soft_resets(b: Bench) -> None:
    """Incomplete frames are forgotten, complete ones come; room counts the latter only."""
    unit, gaps = await set_up(b)
    for _ in range(20 * unit.groups + 400):
        pulse = b.rng.random() < 0.2 / unit.groups
        for _ in range(b.rng.randint(1, 3) if pulse else 1):
            await unit.step(gaps.go("admissions"), random_latency(b, unit), not gaps.go("groups"), pulse)
    await unit.drain()


@bench_test(timeout_clocks=100_000)
async def hard_resets(b: Bench) -> None:
    """After a hard reset nothing is left, not even of complete frames; soft resets come in it and soon behind it."""
    unit, gaps = await set_up(b)
    rng = b.rng
    for _ in range(10 * unit.groups + 400):
        pulse = [(False, False)]
        if rng.random() < 0.3 / unit.groups:
            soon = [(False, False)] * rng.choice([0, 0, 1, 2]) + [(True, False)]
            pulse = [(rng.random() < 0.2, True)] * rng.randint(1, 2) + rng.choice([[], soon])
            b.cover("reset", "soft_behind_hard", int(pulse[-1] == (True, False)))
        for soft, hard in pulse:
            await unit.step(gaps.go("admissions"), random_latency(b, unit), not gaps.go("groups"), soft, hard)
    await unit.drain()


@bench_test(timeout_clocks=100_000)
async def full_rate(b: Bench) -> None:
    """A frame every GROUPS clocks, and a consumer that is always ready: there is always room for the next."""
    unit = Unit(b)
    await b.reset()
    b.start(unit.collect())
    # A frame is promised from its admission to its last beat.
    latency = max(1, (unit.capacity - 1) * unit.groups - (unit.levels + unit.groups + PIPELINE_SLACK))
    period = -(-(latency + unit.levels + unit.groups + PIPELINE_SLACK) // unit.capacity)
    period = max(period, unit.groups)
    for clock in range(60 * period):
        if clock % period == 0:
            b.equal("room", len(unit.engine) + len(unit.closing) + unit.complete < unit.capacity, True)
        await unit.step(clock % period == 0, latency, False)
    await unit.drain()
    b.equal("sent", unit.sent, 60)
