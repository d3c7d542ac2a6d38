# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/lib/stream_fifo.v: words, clock of every word, level and both handshakes in every clock."""

from __future__ import annotations

from tb.lib.bench import Bench, bench_test
from tb.lib.patterns import Gaps


class FifoBench:
    """The FIFO beside its model: what it must show in this clock."""

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.width, self.depth = int(b.params["WIDTH"]), int(b.params["DEPTH"])
        self.gaps = Gaps(b, "write", "read")
        self.words: list[int] = []  # inside, the oldest first
        self.shown = False  # the oldest stands at the output
        self.ready = False  # in the clock after a reset

    async def start(self) -> None:
        """Reset, with quiet inputs."""
        self.b.drive(s_valid=0, s_data=0, m_ready=0)
        await self.b.reset()

    async def clock(self, rst: bool = False) -> None:
        """One clock: drive by the patterns, compare all outputs, follow with the model."""
        b, write, ready = self.b, self.gaps.go("write"), self.gaps.go("read")
        data = b.rng.choice([0, (1 << self.width) - 1, b.rng.getrandbits(self.width)])
        b.drive(s_valid=write, s_data=data, m_ready=ready, rst=rst)
        await b.clocks()
        b.check(s_ready=self.ready, m_valid=self.shown, level=len(self.words))
        if self.shown:
            b.check(m_data=self.words[0])
        b.cover("fill", "full" if len(self.words) == self.depth else "some" if self.words else "empty")
        if write and not self.ready:
            b.cover("write", "waits")
        self._follow(data if write and self.ready else None, ready, rst)

    def _follow(self, word: int | None, ready: bool, rst: bool) -> None:
        if rst:
            self.b.cover("reset", "filled" if self.words else "empty")
            self.words.clear()
            self.shown = self.ready = False
            return
        unread = len(self.words) - self.shown
        if self.shown and ready:
            del self.words[0]
        self.shown = unread > 0 or (self.shown and not ready)
        if word is not None:
            self.words.append(word)
        self.ready = len(self.words) < self.depth


@bench_test(timeout_clocks=30_000)
async def words(b: Bench) -> None:
    """Every pair of write and read patterns that the seed finds, with a reset now and then."""
    fifo = FifoBench(b)
    await fifo.start()
    for _ in range(16):
        fifo.gaps.any()
        resets = b.rng.choice([0, 0, 0.02])
        for _ in range(100):
            await fifo.clock(rst=b.rng.random() < resets)
    fifo.gaps.stop("write")
    fifo.gaps.none("read")
    while fifo.words:
        await fifo.clock()
    await fifo.clock()


@bench_test(timeout_clocks=2_000)
async def full_rate(b: Bench) -> None:
    """With a reader that always takes, from three words on nothing waits."""
    fifo = FifoBench(b)
    await fifo.start()
    await fifo.clock()  # nothing is taken in the first clock after a reset
    for _ in range(300):
        await fifo.clock()
        if fifo.depth >= 3:
            b.equal("no wait", got=b.see("s_ready"), expected=1)
