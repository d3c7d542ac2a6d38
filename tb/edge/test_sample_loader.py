# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/edge/sample_loader.v: good and bad frames, slots, resets of both kinds at any clock, full rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from tb.edge.drivers.frame_model import FrameModel
from tb.lib import patterns
from tb.lib.axi import bus as axi
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import unpack

INPUTS = ("soft_rst", "frame_take", "frame_free")


class Loader:
    """Source, engine and model of a sample_loader, in step clock by clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        p = {name: int(value) for name, value in b.params.items()}
        self.width, self.lanes, self.beats = p["WIDTH"], p["IN_LANES"], p["BEATS"]
        self.classes, self.slots = p["CLASSES"], p["SLOTS"]
        self.lane_bits = (self.width + 7) // 8 * 8
        self.model = FrameModel(self.beats, self.classes)
        self.source = axi.stream_source(b, "s_axis", self.lanes)
        b.drive(dict.fromkeys(INPUTS, 0))
        self.clock = 0
        self.used = 0  # slots of good frames accepted and not yet freed
        self.waiting = 0  # committed and not taken
        self.taken: deque[int] = deque()  # clocks at which the slots of taken frames become free
        self.takes = 0
        self.cut = False  # a hard reset has cut a frame off, and no beat has come since
        self._word: tuple[int, list[int]] = (0, [])  # expected in the next clock
        self._verdict = ("", 0)  # of the beat one clock ago, two clocks ago
        self._verdict_before = ("", 0)

    def frame(self, kind: str) -> None:
        """Queue a frame: "good", "short", "long" or "label" (bad label). Short and long ones may have any label."""
        b, beats = self.b, self.beats
        if kind == "short":
            beats = b.rng.choice([1, self.beats - 1, b.rng.randint(1, self.beats - 1)])
        elif kind == "long":
            beats = b.rng.choice([self.beats + 1, 2 * self.beats, b.rng.randint(self.beats + 1, 3 * self.beats + 1)])
        label = b.rng.choice([0, self.classes - 1, b.rng.randrange(self.classes)])
        bad_label = kind == "label" or (kind != "good" and b.rng.random() < 0.5)
        b.cover("frame", f"{kind}_bad_label" if bad_label and kind != "label" else kind)
        if bad_label:
            label = b.rng.choice([self.classes, 0xFFFF, b.rng.randint(self.classes, 0xFFFF)])
        words = [b.rng.getrandbits(self.lane_bits) for _ in range(beats * self.lanes)]
        frame = axi.frame(words, label, self.lanes)
        frame.tuser = [b.rng.getrandbits(16)] * (len(words) - self.lanes) + [label] * self.lanes
        self.source.send_nowait(frame)

    def frames(self, count: int, bad: float) -> None:
        """Queue frames of which a share is bad."""
        kinds = ["short", "long", "label"] if self.beats > 1 else ["long", "label"]
        for _ in range(count):
            self.frame(self.b.rng.choice(kinds) if self.b.rng.random() < bad else "good")

    async def step(self, take: bool, hold: int, soft: bool = False, hard: bool = False) -> None:
        """One clock: the engine takes a waiting frame if it likes, and needs it for `hold` clocks; resets."""
        b = self.b
        reset = soft or hard
        free = bool(self.taken) and self.taken[0] <= self.clock and not reset
        take = take and self.waiting > 0 and not reset
        b.drive(soft_rst=soft, rst=hard, frame_free=free, frame_take=take)
        await b.clocks()

        valid, words = self._word
        b.check(act_valid=valid)
        if valid:
            b.equal("act_data", unpack(b.see("act_data"), self.width, self.lanes), words)
        verdict, label = self._verdict_before
        b.check(act_commit=verdict == "good", act_abort=verdict not in ("", "good"))
        if verdict == "good":
            b.check(label=label)
        dropped = self._verdict[0]
        b.equal(
            "drops",
            [b.see(name) for name in ("drop_short", "drop_long", "drop_label")],
            [dropped == "short", dropped == "long", dropped == "label"],
        )
        b.check(frame_valid=self.waiting > 0)
        b.equal("tready", b.see("s_axis_tready"), not reset and (self.model.begun or self.used < self.slots))
        self._advance(take, free, hold)
        if reset:
            self._reset(hard, soft)
        self.clock += 1

    def _advance(self, take: bool, free: bool, hold: int) -> None:
        accepted = self.b.high("s_axis_tvalid") and self.b.high("s_axis_tready")
        committed = self._verdict_before[0] == "good"
        self._verdict_before, self._verdict, self._word = self._verdict, ("", 0), (0, [])
        if accepted:
            lanes = unpack(self.b.see("s_axis_tdata"), self.lane_bits, self.lanes, signed=False)
            words = [word & ((1 << self.width) - 1) for word in lanes]
            words = [word - (word >> (self.width - 1) << self.width) for word in words]
            label = self.b.see("s_axis_tuser")
            wanted = not self.model.swallowing
            self._verdict = (self.model.beat(words, self.b.high("s_axis_tlast"), label), label)
            self._word = (int(wanted), words)
            self.cut = False
        self.used += (self._verdict[0] == "good") - free
        self.waiting += committed - take
        self.takes += take
        if free:
            self.taken.popleft()
        if take:
            self.taken.append(self.clock + hold)

    def _reset(self, hard: bool, soft: bool) -> None:
        """Everything is forgotten; only the hard reset forgets that a frame has begun."""
        kind = "both" if hard and soft else "hard" if hard else "soft"
        place = "swallowing" if self.model.swallowing else "mid_frame" if self.model.begun else "between_frames"
        self.b.cover("reset", f"{kind}_{place}")
        if hard:
            self.cut = self.cut or self.model.begun
            self.model = FrameModel(self.beats, self.classes)
        else:
            if self.cut:
                self.b.cover("reset", "soft_behind_cut_frame")
            self.model.soft_reset()
        self.used = self.waiting = 0
        self.taken.clear()
        self._word, self._verdict, self._verdict_before = (0, []), ("", 0), ("", 0)

    async def run(
        self, takes: Iterator[bool], longest_hold: int, resets: float = 0.0, hard: float = 0.0, limit: int = 30_000
    ) -> None:
        """Step until all frames are through, with resets at random, a share of them hard.

        A soft reset often comes soon after a hard one: before the next frame, or in its first beats.
        """
        rng = self.b.rng
        for _ in range(limit):
            if self.source.idle() and not (self.used or self.waiting or self.taken):
                return
            pulse = [(False, False)]
            if rng.random() < resets:
                pulse = [(True, False)] * rng.randint(1, 3)
                if rng.random() < hard:
                    soon = [(False, False)] * rng.choice([0, 0, 1, 2]) + [(True, False)]
                    pulse = [(rng.random() < 0.2, True)] * rng.randint(1, 2) + rng.choice([[], soon])
            for soft_reset, hard_reset in pulse:
                await self.step(not next(takes), rng.randint(1, longest_hold), soft_reset, hard_reset)
        raise TimeoutError(f"frames were not through after {limit} clocks")


@bench_test(timeout_clocks=40_000)
async def frames(b: Bench) -> None:
    """Good and bad frames, stalls on the stream, an engine that takes and frees when it likes."""
    loader = Loader(b)
    (name,) = axi.stall(b, loader.source)
    b.cover("source", name)
    name, takes = patterns.any_pattern(b.rng)
    b.cover("engine", name)
    await b.reset()
    loader.frames(40, bad=b.rng.choice([0.0, 0.4, 0.8]))
    await loader.run(takes, b.rng.choice([1, 10, 10 * loader.beats]))
    b.equal("taken", loader.takes, len(loader.model.good))


@bench_test(timeout_clocks=40_000)
async def soft_resets(b: Bench) -> None:
    """Soft resets at any clock: frames are forgotten, the rest of a begun one is swallowed."""
    loader = Loader(b)
    (name,) = axi.stall(b, loader.source)
    b.cover("source", name)
    await b.reset()
    loader.frames(40, bad=0.3)
    await loader.run(patterns.random_pauses(b.rng, 0.5), 2 * loader.beats, resets=0.3 / loader.beats)


@bench_test(timeout_clocks=40_000)
async def hard_resets(b: Bench) -> None:
    """After a hard reset nothing is left of a begun frame, whatever soft resets there are: the next beat begins one."""
    loader = Loader(b)
    (name,) = axi.stall(b, loader.source)
    b.cover("source", name)
    await b.reset()
    loader.frames(40, bad=0.5)
    await loader.run(patterns.random_pauses(b.rng, 0.5), 2 * loader.beats, resets=0.5 / loader.beats, hard=0.6)


@bench_test(timeout_clocks=40_000)
async def full_rate(b: Bench) -> None:
    """One beat per clock without a gap, a frame taken in every pass and held for U+1 passes: nobody ever waits."""
    loader = Loader(b)
    pass_clocks = max(2, loader.beats)
    ahead = max(2, 1 + -(-12 // pass_clocks))
    hold = (loader.slots - ahead) * pass_clocks + 8
    b.require(hold > pass_clocks, "this set has too few slots for the test")
    await b.reset()
    loader.frames(60, bad=0.0)
    for clock in range(60 * pass_clocks):
        boundary = clock % pass_clocks == 0 and clock >= 3 * pass_clocks + 6
        if boundary and loader.takes < 50:
            b.equal("waiting at a pass boundary", loader.waiting > 0, True)
        await loader.step(boundary, hold)
