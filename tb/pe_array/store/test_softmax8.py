# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/softmax8.v: batches of 1 … 256 classes, every share, clock and handshake."""

from __future__ import annotations

import numpy as np

from models.lib.record import record
from models.pe_array.clocks.delta_store import SHARES, softmax_clock, softmax_ready
from models.pe_array.network.output_delta import softmax8
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.pipeline import WordSource

PASSES = ("maxima", "sums", "shares")


class Unit:
    """A softmax8 beside its model; batch after batch with one number of classes."""

    def __init__(self, b: Bench) -> None:
        self.b, self.lanes, self.frac = b, int(b.params["B"]), int(b.params["FRAC"])
        self.gaps = Gaps(b, "logits", "output")
        self.logits = WordSource(b, self.gaps, "logits", "s", self.lanes * 8)
        self.classes = 1

    async def start(self) -> None:
        """Reset: the next word is of class 0 in the first pass."""
        self.logits.clear()
        self.b.drive(s_valid=0, s_data=0, m_ready=0, last_class=0)
        self.state = record(SHARES)
        self.shares: list[int] = []  # words that are still to come, the next one first
        await self.b.reset()

    def feed(self, logits: values.IntArray) -> None:
        """A batch of logits (classes, B), three times."""
        self.logits.add([pack(word, 8) for word in logits] * 3)
        shares = softmax8(logits, self.frac)
        self.shares += [pack(word, 8) for word in shares]
        for share, some in ((0, "none"), (128, "all"), (64, "half")):
            if (shares == share).any():
                self.b.cover("share", some)
        self.b.cover("classes", {1: "one", 256: "256"}.get(self.classes, "some"))

    def batch(self) -> values.IntArray:
        """Logits of all kinds: anything, or near each other in all images or in each."""
        b, shape = self.b, (self.classes, self.lanes)
        if b.rng.random() < 0.5:
            return values.signed(b, 8, shape)
        spread = b.rng.choice([1, 2, 4 << self.frac])
        around = b.np.integers(-128, 128, (1, b.rng.choice([1, self.lanes])))
        near: values.IntArray = np.clip(around + b.np.integers(-spread, spread + 1, shape), -128, 127)
        return near

    async def clock(self) -> None:
        """One clock, all outputs compared."""
        b, state, m_ready = self.b, self.state, self.gaps.go("output")
        self.logits.drive()
        b.drive(m_ready=m_ready, last_class=self.classes - 1)
        await b.clocks()
        ready = bool(softmax_ready(state, m_ready))
        b.check(s_ready=ready, m_valid=state.shown)
        if state.shown:
            b.check(m_data=self.shares[0])
            if m_ready:
                del self.shares[0]
        offered = self.logits.offered
        if offered and not ready:
            b.cover("wait", "for_the_batch_before" if state.passes == 0 else "for_the_division")
        softmax_clock(state, offered, self.classes, m_ready)
        if offered and ready:
            self.logits.take()

    async def drain(self) -> None:
        """Until all shares are out."""
        for _ in range(40_000):
            if not self.shares:
                return
            await self.clock()
        raise TimeoutError("shares are still inside")


@bench_test(timeout_clocks=200_000)
async def batches(b: Bench) -> None:
    """Batches behind each other, with 1 … 256 classes, under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for number in range(8):
        unit.classes = [1, 2, 10][number] if number < 3 else b.rng.randint(1, 40)
        unit.gaps.any()
        for _ in range(b.rng.randint(1, 3)):
            unit.feed(unit.batch())
        await unit.drain()


@bench_test(timeout_clocks=20_000)
async def most_classes(b: Bench) -> None:
    """256 classes at full rate: equal logits, whose sum is the largest; most of them equal; every difference."""
    unit = Unit(b)
    await unit.start()
    unit.classes = 256
    classes = np.arange(256)
    for logits in (np.full(256, b.rng.choice([-128, 0, 127])), np.where(classes < 170, 127, -128), classes - 128):
        unit.feed(np.repeat(logits[:, None], unit.lanes, axis=1))
        clocks = 0
        while unit.shares:
            await unit.clock()
            clocks += 1
        b.equal("clocks", clocks, 2 * 256 + 1 + 8 * 256 + 1)


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets words and place: in any pass, while a division runs, with shares at the output."""
    unit = Unit(b)
    await unit.start()
    for number in range(9):
        unit.classes = b.rng.randint(2, 12)
        unit.gaps.any()
        if number % 3 == 0:
            unit.gaps.none()
        unit.feed(unit.batch())
        unit.feed(unit.batch())
        for _ in range(b.rng.randint(1, [2, 2, 9][number % 3] * unit.classes)):
            await unit.clock()
        b.cover("reset", PASSES[int(unit.state.passes)])
        b.cover("reset", "output" if unit.state.shown else "division" if unit.state.steps else "idle")
        await unit.start()
    unit.feed(unit.batch())
    await unit.drain()
