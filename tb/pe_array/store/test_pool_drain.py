# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/pool_drain.v: every beat and all handshakes in every clock, in all four modes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import record
from models.pe_array.clocks.pool_drain import LARGEST, PLACES, PLAIN, POOL, SPREAD, pool_clock, pool_room
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.network.drain_pooling import STOPPED, WINDOW, pooled, spread
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.lib.ports import Source

MODES = {PLAIN: "plain", LARGEST: "largest", PLACES: "places", SPREAD: "spread"}
LENGTHS = ("one", "some", "most")
STOPS = ("never", "relu", "limited")
LATENCY = 3
"""Clocks from the word that completes an entry to its first beat."""


@dataclass(frozen=True)
class Settings:
    """Pins that stay during a drain; ``run``: words of a run."""

    mode: int
    run: int
    relu: bool
    limited: bool
    high: int


class PoolBench:
    """The design beside its models: of clocks, and of what beats hold."""

    def __init__(self, b: Bench) -> None:
        self.b, self.lanes = b, int(b.params["B"])
        self.gaps = Gaps(b, "words", "places", "beats")
        self.words: Source[int] = Source(self.gaps, "words")
        self.places: Source[int] = Source(self.gaps, "places")
        self.beats: deque[int] = deque()  # to come
        self.settings = Settings(PLAIN, 1, relu=False, limited=False, high=0)

    async def start(self) -> None:
        """Reset, with quiet inputs."""
        self.words.clear()
        self.places.clear()
        self.beats.clear()
        self.state = record(POOL)
        self.now = 0
        self.b.drive(
            windows=0, index=0, relu=0, limited=0, high=0, beats=0, s_valid=0, s_data=0, place_valid=0, place_data=0,
            m_ready=0,
        )  # fmt: skip
        await self.b.reset()

    def draw(self, mode: int, length: str, stops: str) -> Settings:
        """Settings of a mode, with a length of runs (``LENGTHS``) and what stops windows (``STOPS``)."""
        rng = self.b.rng
        run = {"one": 1, "most": POOL_BEATS}.get(length) or rng.randint(2, POOL_BEATS - 1)
        self.b.cover("mode", MODES[mode])
        self.b.cover("run", length)
        if mode == PLACES:
            self.b.cover("stops", stops)
        return Settings(mode, run, stops != "never", stops == "limited", rng.choice([127, rng.randint(1, 60)]))

    def drain(self, settings: Settings, runs: int) -> None:
        """Settings for words of so many runs; all that was before must be through."""
        b, self.settings, mode = self.b, settings, settings.mode
        b.drive(
            windows=mode in (LARGEST, PLACES), index=mode in (PLACES, SPREAD), relu=settings.relu,
            limited=settings.limited, high=settings.high, beats=settings.run - 1,
        )  # fmt: skip
        count = settings.run * runs * (WINDOW if mode in (LARGEST, PLACES) else 1)
        words = np.stack([values.signed(b, 8, self.lanes) for _ in range(count)])
        if b.rng.random() < 0.5:  # several largest
            words >>= 6
        places = b.np.integers(0, 256, words.shape)  # upper bits say nothing
        self.words.add(pack(word.tolist(), 8) for word in words)
        if mode == SPREAD:
            self.places.add(pack(place.tolist(), 8) for place in places)
        self.beats.extend(pack(beat.tolist(), 8) for beat in self._beats(words, places))

    def _beats(self, words: IntArray, places: IntArray) -> IntArray:
        """What comes of the words of a drain."""
        of = self.settings
        if of.mode == PLAIN:
            return words
        if of.mode == SPREAD:
            return spread(words, places, of.run)
        largest, found = pooled(words, of.relu, of.high if of.limited else None)
        if of.mode == LARGEST:
            return largest
        self.b.cover("place", "stopped" if (found >= STOPPED).any() else "kept")
        parts = np.stack([each.reshape(-1, of.run, self.lanes) for each in (largest, found)], axis=1)
        return parts.reshape(-1, self.lanes)

    async def clock(self) -> None:
        """One clock: compares all outputs."""
        b, of, state = self.b, self.settings, self.state
        word, place, ready = self.words.offer(), self.places.offer(), self.gaps.go("beats")
        b.drive(
            s_valid=word is not None, s_data=b.rng.getrandbits(8) if word is None else word, m_ready=ready,
            place_valid=place is not None, place_data=b.rng.getrandbits(8) if place is None else place,
        )  # fmt: skip
        await b.clocks()
        spreads, free = of.mode == SPREAD, bool(pool_room(state))
        takes = ready if of.mode == PLAIN else free and (place is not None or not spreads)
        shown = word is not None if of.mode == PLAIN else bool(state.word)
        b.check(s_ready=takes, place_ready=spreads and word is not None and free, m_valid=shown)
        if shown:
            b.check(m_data=self.beats[0])
        if of.mode != PLAIN:
            b.cover("ring", "full" if state.inside == POOL_BEATS else "some" if state.inside else "empty")
            if not free and word is not None:
                b.cover("ring", "waits")
        taken = takes and word is not None
        if shown and ready:
            self.beats.popleft()
        if taken:
            self.words.take()
            if spreads:
                self.places.take()
        if of.mode != PLAIN:
            pool_clock(state, of.mode, of.run, taken, ready)
        self.now += 1

    async def finish(self) -> None:
        """Until all beats are out."""
        while self.beats:
            await self.clock()


@bench_test(timeout_clocks=40_000)
async def all_modes(b: Bench) -> None:
    """Drains of every kind behind each other, under every pattern of pauses."""
    bench = PoolBench(b)
    await bench.start()
    for length, stops in zip(b.rng.sample(LENGTHS, 3), b.rng.sample(STOPS, 3), strict=True):
        for mode in b.rng.sample(list(MODES), len(MODES)):
            bench.gaps.any()
            settings = bench.draw(mode, length, stops)
            bench.drain(settings, b.rng.choice([1, 2, 3]) if settings.run > 20 else b.rng.randint(1, 12))
            await bench.finish()
            await bench.clock()


@bench_test(timeout_clocks=20_000)
async def resets(b: Bench) -> None:
    """A reset at any time forgets everything."""
    bench = PoolBench(b)
    await bench.start()
    for number, mode in enumerate([SPREAD, *MODES, *MODES]):
        if number:
            bench.gaps.any()
        bench.drain(bench.draw(mode, b.rng.choice(LENGTHS), b.rng.choice(STOPS)), 2)
        for _ in range(b.rng.randint(0, 200) if number else LATENCY + 1):
            if bench.beats:
                await bench.clock()
        b.cover("reset", "running" if bench.state.inside else "idle")
        await bench.start()


@bench_test(timeout_clocks=10_000)
async def full_rate(b: Bench) -> None:
    """Where nobody waits pooling takes a word per clock, and spreading gives a beat per clock."""
    bench = PoolBench(b)
    for mode in (LARGEST, PLACES, SPREAD):
        await bench.start()
        bench.drain(bench.draw(mode, "most", b.rng.choice(STOPS)), 3)
        words, beats = len(bench.words.queue), len(bench.beats)
        while bench.words.queue:
            await bench.clock()
        if mode != SPREAD:
            b.equal("clocks of the words", bench.now, words)
        await bench.finish()
        if mode == SPREAD:
            b.equal("clocks of the beats", bench.now, LATENCY + beats)
