# SPDX-License-Identifier: Apache-2.0
"""Benches of pipelines with valid/ready on all sides: every output in every clock, whatever waits.

The model of the handshake is that of `pipe_control.v`: a stage takes what is before it when it is empty or is itself
taken from. So latency, throughput, order and stability are all compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable

from tb.lib.bench import Bench
from tb.lib.patterns import Gaps
from tb.lib.ports import Source

Pins = dict[str, int]
"""Values of pins by name, packed and unsigned."""


class WordSource(Source[int]):
    """Words for one input; pins `<port>_valid`, `_ready`, `_data`. The data is random while valid is low.

    Args:
        name: of its pauses in `gaps`.
    """

    def __init__(self, b: Bench, gaps: Gaps, name: str, port: str, width: int) -> None:
        super().__init__(gaps, name)
        self.b, self.port, self.width = b, port, width

    def drive(self) -> None:
        """Set the pins of the next clock; a word once offered stays."""
        word = self.offer()
        data = word if word is not None else self.b.rng.getrandbits(self.width)
        self.b.drive({f"{self.port}_valid": word is not None, f"{self.port}_data": data})


class Pipeline:
    """Design and model of the handshake, in step.

    Args:
        gaps: has the pauses of "output".
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
        gaps: Gaps,
        sources: list[WordSource],
        stages: int,
        result: Callable[[Pins, list[int | None]], Pins],
        needs: Callable[[Pins], list[bool]] | None = None,
        takes: Callable[[Pins], list[bool]] | None = None,
    ) -> None:
        self.b, self.gaps, self.sources, self.result = b, gaps, sources, result
        self.needs = needs or (lambda _: [True] * len(sources))
        self.takes = takes or self.needs
        self.stages: list[Pins | None] = [None] * stages
        self.taken = 0

    async def reset(self, *kept: str) -> None:
        """Reset; words inside are forgotten, words offered are withdrawn and come later. `kept`: see `Bench.reset`."""
        for source in self.sources:
            source.withdraw()
            self.b.drive({f"{source.port}_valid": 0})
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
        m_ready = self.gaps.go("output")
        for source in self.sources:
            source.drive()
        b.drive(settings, m_ready=m_ready)
        await b.clocks()
        loads, needs = self._loads(m_ready), self.needs(settings)
        taking = loads[0] and all(s.offered for s, need in zip(self.sources, needs, strict=True) if need)
        takes = self.takes(settings)
        for source, take in zip(self.sources, takes, strict=True):
            b.equal(f"{source.port} taken", source.offered and b.high(f"{source.port}_ready"), taking and take)
        word = self.stages[-1]
        b.check(m_valid=word is not None)
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

    @property
    def busy(self) -> bool:
        """Words wait at the first source, or are inside."""
        return bool(self.sources[0].queue) or any(word is not None for word in self.stages)
