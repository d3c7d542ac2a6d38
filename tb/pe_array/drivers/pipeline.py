# SPDX-License-Identifier: Apache-2.0
"""Benches of pipelines with valid/ready on all sides: every output in every clock, whatever waits.

The model of the handshake is that of `pipe_control.v`: a stage takes what is before it when it is empty or is itself
taken from. So latency, throughput, order and stability are all compared exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from tb.lib import patterns
from tb.lib.bench import Bench

Pins = dict[str, int]
"""Values of pins by name, packed and unsigned."""


class Source:
    """Words for one input; pins `<name>_valid`, `_ready`, `_data`. The data is random while valid is low.

    Attributes:
        queue: words still to come, the first one perhaps offered.
        offered: valid is high.
    """

    def __init__(self, b: Bench, name: str, width: int) -> None:
        self.b, self.name, self.width = b, name, width
        self.queue: deque[int] = deque()
        self.offered = False
        self.pauses: Iterator[bool] = patterns.never()

    def stall(self) -> str:
        """Pause by another pattern from now on; its name."""
        name, self.pauses = patterns.any_pattern(self.b.rng)
        return name

    def drive(self) -> None:
        """Set the pins of the next clock; a word once offered stays."""
        if not self.offered and self.queue:
            self.offered = not next(self.pauses)
        self.b.drive({f"{self.name}_valid": self.offered})
        data = self.queue[0] if self.offered else self.b.rng.getrandbits(self.width)
        self.b.drive({f"{self.name}_data": data})

    def take(self) -> int:
        """The word that the design takes."""
        self.offered = False
        return self.queue.popleft()

    @property
    def ready(self) -> bool:
        """Level of the ready pin."""
        return self.b.high(f"{self.name}_ready")


class Pipeline:
    """Design and model of the handshake, in step.

    Args:
        sources: inputs, in the order in which `result` gets their words.
        stages: clocks from input to output.
        result: outputs (pins and values) of a word, from the settings of its clock and the words of the sources
            it takes (None of the others). Called once per word, in order.
        needs: sources that a word waits for with these settings; by default all.
        takes: sources whose words go with it; by default those it waits for.
    """

    def __init__(
        self,
        b: Bench,
        sources: list[Source],
        stages: int,
        result: Callable[[Pins, list[int | None]], Pins],
        needs: Callable[[Pins], list[bool]] | None = None,
        takes: Callable[[Pins], list[bool]] | None = None,
    ) -> None:
        self.b, self.sources, self.result = b, sources, result
        self.needs = needs or (lambda _: [True] * len(sources))
        self.takes = takes or self.needs
        self.stages: list[Pins | None] = [None] * stages
        self.pauses: Iterator[bool] = patterns.never()
        self.taken = 0

    def stall(self) -> str:
        """Back-pressure by another pattern from now on; its name."""
        name, self.pauses = patterns.any_pattern(self.b.rng)
        return name

    async def reset(self, *kept: str) -> None:
        """Reset; words inside are forgotten, words offered are withdrawn and come later. `kept`: see `Bench.reset`."""
        for source in self.sources:
            source.offered = False
            self.b.drive({f"{source.name}_valid": 0})
        self.b.drive(m_ready=0)
        self.stages = [None] * len(self.stages)
        await self.b.reset(*kept)

    def _loads(self, m_ready: bool) -> list[bool]:
        loads, moves = [], m_ready
        for word in reversed(self.stages):
            moves = moves or word is None
            loads.append(moves)
        return loads[::-1]

    async def step(self, settings: Pins) -> bool:
        """One clock with these values of other inputs; True if a word was taken."""
        b = self.b
        m_ready = not next(self.pauses)
        for source in self.sources:
            source.drive()
        b.drive(settings, m_ready=m_ready)
        await b.clocks()
        loads, needs = self._loads(m_ready), self.needs(settings)
        taking = loads[0] and all(s.offered for s, need in zip(self.sources, needs, strict=True) if need)
        takes = self.takes(settings)
        for source, take in zip(self.sources, takes, strict=True):
            self._compare(f"{source.name} taken", taking and take, source.offered and source.ready)
        word = self.stages[-1]
        self._compare("m_valid", word is not None, b.high("m_valid"))
        b.check(word or {})
        new = None
        if taking:
            words = [s.take() if take else None for s, take in zip(self.sources, takes, strict=True)]
            new = self.result(settings, words)
            self.taken += 1
        for stage in reversed(range(len(self.stages))):
            if loads[stage]:
                self.stages[stage] = self.stages[stage - 1] if stage else new
        return taking

    def _compare(self, channel: str, expected: bool, got: bool) -> None:
        self.b.equal(channel, int(got), int(expected))

    @property
    def busy(self) -> bool:
        """Words wait at the first source, or are inside."""
        return bool(self.sources[0].queue) or any(word is not None for word in self.stages)
