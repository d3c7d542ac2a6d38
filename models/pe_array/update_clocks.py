# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/update_store.v and delta_store.v, for descriptors without errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from models.pe_array import descriptors as d
from models.pe_array.chunk_clocks import MOST_COMMANDS, Chunk, WriterClocks
from models.pe_array.drain_clocks import PipeClocks
from models.pe_array.map_timing import FifoClocks
from models.pe_array.port_clocks import Beats

UPDATE_CHUNK = 16
"""Beats of a chunk of UPDATE."""
UPDATE_PIPE, DELTA_PIPE = 5, 2
"""Stages of weight_update and output_delta8."""


class UpdateClocks:
    """UPDATE.

    Attributes:
        done: pulse.

    Args:
        lanes: B.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._active = self._momentum = False
        self._reads: deque[Chunk] = deque()
        self._writes: deque[Chunk] = deque()
        self._coming: deque[Chunk] = deque()  # read commands given, in their order
        self._in: list[FifoClocks[bool]] = [FifoClocks() for _ in range(3)]
        self._out: list[FifoClocks[bool]] = [FifoClocks() for _ in range(3)]
        self._rooms = (2 * UPDATE_CHUNK, UPDATE_CHUNK // 2, 2 * UPDATE_CHUNK)
        self._pipe, self._part = PipeClocks(UPDATE_PIPE), 0
        self._writer, self._commands = WriterClocks(), 0
        self.done = False

    @property
    def idle(self) -> bool:
        return not self._active and not self.done

    def d_ready(self, _descriptor: d.Descriptor, _rd_cmd_ready: bool) -> bool:
        return not self._active

    @property
    def read(self) -> Beats | None:
        return self._reads[0].beats if self._reads else None

    @property
    def write(self) -> Beats | None:
        return self._writer.command

    @property
    def word(self) -> bool:
        current = self._writer.current
        return current is not None and self._out[current.tag].head is not None

    def rd_ready(self, _wr_ready: bool) -> bool:
        return bool(self._coming) and len(self._in[self._coming[0].tag].words) < 2 * UPDATE_CHUNK

    def clock(
        self, took: d.Descriptor | None, rd_cmd_ready: bool, beat: bool, wr_cmd_ready: bool, wr_ready: bool,
        answer: bool,
    ) -> None:  # fmt: skip
        """As of ``DrainClocks``."""
        writer = self._writer
        taken = self._coming[0].tag if beat and self.rd_ready(wr_ready) else None
        out_ready = all(len(fifo.words) < room for fifo, room in zip(self._out, self._rooms, strict=True))
        complete = all(self._in[n].head is not None for n in range(3 if self._momentum else 2))
        goes = complete and self._pipe.ready(out_ready)
        updated = self._pipe.valid and out_ready
        chunk = self._writes[0] if self._writes and self._commands != MOST_COMMANDS else None
        command = chunk is not None and writer.ready(wr_cmd_ready)
        current, sends = writer.current, self.word and wr_ready
        finish = self._active and not self._writes and current is None and not self._commands

        asked = self._reads.popleft() if self._reads and rd_cmd_ready else None
        if taken is not None:
            first = self._coming.popleft()
            if first.beats.beats > 1:
                self._coming.appendleft(Chunk(Beats(0, first.beats.beats - 1), first.tag))
        if asked is not None:
            self._coming.append(asked)
        for n, fifo in enumerate(self._in):
            fifo.clock(True if taken == n else None, goes and (n < 2 or self._momentum))
        self._pipe.clock(complete, out_ready)
        gives = (updated, updated and self._part == 3, updated and self._momentum)
        for n, fifo in enumerate(self._out):
            pop = wr_ready and current is not None and current.tag == n
            fifo.clock(True if gives[n] else None, pop)
        self._part = (self._part + updated) % 4
        if command:
            self._writes.popleft()
        writer.clock(chunk if command else None, wr_cmd_ready, sends)
        self._commands += command - answer
        self.done = finish
        self._active = isinstance(took, d.Update) or (self._active and not finish)
        if isinstance(took, d.Update):
            self._momentum = took.decay != 0
            arrays = [took.gradients, took.masters, took.momenta]
            self._reads.extend(self._chunks(arrays, took.beats, 4))
            self._writes.extend(self._chunks([took.masters, took.weights, took.momenta], took.beats, 1))

    def _chunks(self, arrays: Sequence[int], beats: int, second: int) -> list[Chunk]:
        """rtl/pe_array/update_chunks.v; second: beats of the second array for a beat of MAC weights."""
        sizes = (4, second, 4)
        return [
            Chunk(Beats(arrays[n] // self._lanes + first * sizes[n], min(4, beats - first) * sizes[n]), n)
            for first in range(0, beats, 4)
            for n in range(3 if self._momentum else 2)
        ]


class DeltaClocks:
    """DELTA.

    Attributes:
        done: pulse.

    Args:
        lanes: B.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._active = self._labels = self.done = False
        self._reads: deque[Beats] = deque()
        self.write: Beats | None = None
        self._left = 0
        self._pipe = PipeClocks(DELTA_PIPE)

    @property
    def idle(self) -> bool:
        return not self._active

    def d_ready(self, _descriptor: d.Descriptor, _rd_cmd_ready: bool) -> bool:
        return not self._active

    @property
    def read(self) -> Beats | None:
        return self._reads[0] if self._reads else None

    @property
    def word(self) -> bool:
        return self._pipe.valid

    def rd_ready(self, wr_ready: bool) -> bool:
        return not self._labels or self._pipe.ready(wr_ready)

    def clock(
        self, took: d.Descriptor | None, rd_cmd_ready: bool, beat: bool, wr_cmd_ready: bool, wr_ready: bool,
        answer: bool,
    ) -> None:  # fmt: skip
        """As of ``DrainClocks``."""
        logit, ready = beat and self._labels, self._pipe.ready(wr_ready)
        self._pipe.clock(logit, wr_ready)
        if not self._labels:
            self._labels = beat
        elif logit and ready:
            self._left -= 1
            self._labels = self._left > 0
        if rd_cmd_ready and self._reads:
            self._reads.popleft()
        if wr_cmd_ready:
            self.write = None
        self.done = answer
        self._active = isinstance(took, d.Delta) or (self._active and not answer)
        if isinstance(took, d.Delta):
            self._left = took.classes
            labels, logits, output = (n // self._lanes for n in (took.labels, took.logits, took.output))
            self._reads.extend((Beats(labels, 1), Beats(logits, took.classes)))
            self.write = Beats(output, took.classes)
