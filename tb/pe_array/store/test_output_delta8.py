# SPDX-License-Identifier: Apache-2.0
"""Bench of output_delta8.v: every logit, hits and misses, batches of all sizes, every kind of stall."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import round_shift, saturate
from models.pe_array.network.output_delta import output_delta8
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.lanes import pack, unpack
from tb.lib.patterns import Gaps
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.pipeline import Pins, Pipeline, WordSource

LATENCY = 2


class Unit:
    """An output_delta8 and its model; batch after batch with one number of classes."""

    def __init__(self, b: Bench) -> None:
        self.b, self.lanes, self.frac = b, b.params["B"], b.params["FRAC"]
        self.bits = widths_of(b).data
        self.gaps = Gaps(b, "logits", "labels", "output")
        self.logits = WordSource(b, self.gaps, "logits", "s", self.lanes * 8)
        self.labels = WordSource(b, self.gaps, "labels", "label", self.lanes * 8)
        self.pipe = Pipeline(b, self.gaps, [self.logits, self.labels], LATENCY, self._result, takes=self._takes)
        self.classes = 1
        self.class_ = 0
        self.shares = False  # words hold shares in place of logits

    def _takes(self, _: Pins) -> list[bool]:
        return [True, self.class_ == self.classes - 1]

    def feed(self, logits: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
        """A batch of logits (classes, B) with labels that are mostly classes of the layer."""
        self.logits.queue.extend(pack(word, 8) for word in logits)
        style = self.b.rng.choice(["any", "classes", "last"])
        low, high = {"any": (0, 256), "classes": (0, len(logits)), "last": (len(logits) - 1, len(logits))}[style]
        self.labels.queue.append(pack(self.b.np.integers(low, high, self.lanes), 8))

    def _result(self, _: Pins, words: list[int | None]) -> Pins:
        b = self.b
        logits = np.array(unpack(words[0] or 0, 8, self.lanes))
        label_word = words[1] if words[1] is not None else self.labels.queue[0]
        labels = np.array(unpack(label_word, 8, self.lanes, signed=False))
        # the model takes a whole batch: other classes do not matter
        batch = np.zeros((self.class_ + 1, self.lanes), dtype=np.int64)
        batch[self.class_] = logits
        hit = labels == self.class_
        delta = output_delta8(batch, labels, self.frac, self.bits)[self.class_]
        if self.shares:
            delta = saturate(round_shift((logits & 0xFF) - 128 * hit, 8 - self.bits), self.bits)[0]
        b.cover("words", "shares" if self.shares else "logits")
        for name, some in (("hit", hit), ("miss", ~hit), ("clipped", ~hit & (delta == (1 << self.bits - 1) - 1))):
            if some.any():
                b.cover("lane", name)
        last = self.class_ == self.classes - 1
        self.class_ = 0 if last else self.class_ + 1
        return {"m_data": pack(delta, 8), "m_last": int(last)}

    async def step(self) -> None:
        """One clock. Every word of a batch waits for its labels, which go with the last."""
        await self.pipe.step({"last_class": self.classes - 1, "shares": self.shares})

    async def start(self) -> None:
        """Reset: the next word is of class 0."""
        self.b.drive(last_class=0, shares=0)
        self.class_ = 0
        await self.pipe.reset()

    async def drain(self) -> None:
        """Until all words are through."""
        for _ in range(20_000):
            if not self.pipe.busy:
                return
            await self.step()
        raise TimeoutError("words are still inside")


@bench_test(timeout_clocks=60_000)
async def batches(b: Bench) -> None:
    """Batches with 1 … 256 classes under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for number in range(8):
        unit.classes = [256, 1, 2, 10][number] if number < 4 else b.rng.randint(1, 40)
        unit.gaps.any()
        unit.shares = number % 2 == 1
        for _ in range(b.rng.randint(1, 3)):
            shape = (unit.classes, unit.lanes)
            unit.feed(b.np.integers(0, 129, shape) if unit.shares else values.signed(b, 8, shape))
        await unit.drain()


@bench_test(timeout_clocks=20_000)
async def every_logit(b: Bench) -> None:
    """The whole table in every lane, a word per clock where nobody waits."""
    unit = Unit(b)
    await unit.start()
    unit.classes = 256
    ramp = np.arange(-128, 128)
    unit.feed(np.stack([np.roll(ramp, 17 * lane) for lane in range(unit.lanes)], axis=1))
    for _ in range(256):
        await unit.step()
    b.equal("taken", unit.pipe.taken, 256)
    await unit.drain()


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets the words inside and starts at class 0; the labels taken before are gone with their batch."""
    unit = Unit(b)
    for _ in range(8):
        unit.logits.queue.clear()
        unit.labels.queue.clear()
        await unit.start()
        unit.classes = b.rng.randint(1, 12)
        unit.gaps.any()
        for _ in range(3):
            unit.feed(values.signed(b, 8, (unit.classes, unit.lanes)))
        for _ in range(b.rng.randint(1, 20)):
            await unit.step()
        b.cover("reset", "in_flight" if any(unit.pipe.stages) else "empty")
        b.cover("reset", "mid_batch" if unit.class_ else "between_batches")
    await unit.drain()
