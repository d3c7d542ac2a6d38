# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/collect_store.v, for descriptors without errors."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array import descriptors as d
from models.pe_array.chunk_clocks import MOST_COMMANDS, Chunk, WriterClocks
from models.pe_array.gradient_clocks import PackClocks, SlotClocks
from models.pe_array.map_timing import FifoClocks
from models.pe_array.port_clocks import Beats


class CollectClocks:
    """SLOT and COLLECT.

    Attributes:
        done: pulse.

    Args:
        pes, lanes: P, B.
    """

    def __init__(self, pes: int, lanes: int) -> None:
        self._lanes = lanes
        self._slots, self._pack = SlotClocks(pes), PackClocks(pes, lanes // 4)
        self._beat, self._next_beat = [0] * pes, [0] * pes
        self._active = self._add = self._before = False
        self._base = self._commands = self._before_commands = 0
        self._issue: Chunk | None = None
        self._queue: FifoClocks[Chunk] = FifoClocks()
        self._depth = max(pes, 3)
        self._writer = WriterClocks()
        self.word = False
        self._quiet = self.done = False

    @property
    def idle(self) -> bool:
        return not self._active and not self._before and not self.done

    @property
    def _room(self) -> bool:
        return len(self._queue.words) < self._depth

    def _issues(self, rd_cmd_ready: bool) -> bool:
        return self._issue is not None and self._room and (not self._add or (not self._before and rd_cmd_ready))

    def _advance(self, rd_cmd_ready: bool) -> bool:
        return self._slots.chunk is not None and (self._issue is None or self._issues(rd_cmd_ready))

    def d_ready(self, descriptor: d.Descriptor, rd_cmd_ready: bool) -> bool:
        return not self._advance(rd_cmd_ready) if isinstance(descriptor, d.Slot) else not self._active

    @property
    def read(self) -> Beats | None:
        go = self._issue is not None and self._add and self._room and not self._before
        return self._issue.beats if go and self._issue is not None else None

    @property
    def write(self) -> Beats | None:
        return self._writer.command

    def _out_room(self, wr_ready: bool) -> bool:
        return not self.word or wr_ready

    def rd_ready(self, wr_ready: bool) -> bool:
        return self._out_room(wr_ready) and self._add and self._pack.valid

    def _grants(self, given: Sequence[bool]) -> list[int | None]:
        opened = [a and b for a, b in zip(given, self._slots.open, strict=True)]
        return self._pack.grants(opened, self._slots.flush)

    def enters(self, given: Sequence[bool]) -> list[bool]:
        """Slots whose gradients are taken."""
        granted = set(self._grants(given))
        return [slot in granted and not flush for slot, flush in enumerate(self._slots.flush)]

    def clock(
        self, took: d.Descriptor | None, rd_cmd_ready: bool, beat: bool, wr_cmd_ready: bool, wr_ready: bool,
        answer: bool, given: Sequence[bool],
    ) -> None:  # fmt: skip
        """As of ``DrainClocks``; given: slots that have a sum."""
        slots, pack, writer, queued = self._slots, self._pack, self._writer, self._queue.head
        grants, entered = self._grants(given), self.enters(given)
        issues, advance = self._issues(rd_cmd_ready), self._advance(rd_cmd_ready)
        may_write = self._commands != MOST_COMMANDS
        command = queued is not None and may_write and writer.ready(wr_cmd_ready)
        word_ready = self._out_room(wr_ready) and (not self._add or beat)
        current = writer.current
        take = current is not None and pack.take_ready(current.tag, word_ready)
        slot_taken = current.tag if take and current is not None else None
        sent = (
            self._quiet and slots.chunk is None and self._issue is None and not self._queue.words
            and current is None and not pack.valid
        )  # fmt: skip
        hand_over = self._active and sent and not self._before
        answers_before = self._before_commands != 0
        commands = self._commands + command - (answer and not answers_before)
        finish = self._before and not answers_before
        start, chunk = isinstance(took, d.Collect), slots.chunk

        quiet = slots.quiet
        name = (took.slot, took.gradients) if isinstance(took, d.Slot) else None
        flushed = [pack.flush_ready(slot) for slot in range(len(entered))]
        words = list(pack.words)
        slots.clock(name, start, entered, flushed, words, advance, slot_taken if writer.last else None)
        self.word = (pack.valid and word_ready) or (self.word and not wr_ready)
        pack.clock(grants, slot_taken, word_ready)
        self._queue.clock(self._issue if issues else None, command)
        if issues:
            self._issue = None
        if advance and chunk is not None:
            slot, count = chunk
            self._issue = Chunk(Beats(self._base + self._beat[slot], count), slot)
            self._beat[slot] += count
        writer.clock(queued if command else None, wr_cmd_ready, take)

        self._quiet = quiet and not start
        if isinstance(took, d.Slot):
            self._next_beat[took.slot] = took.beat
        self._active = start or (self._active and not hand_over)
        self._commands = 0 if hand_over else commands
        self._before_commands -= answer and answers_before
        if hand_over:
            self._before_commands = commands
        self._before = hand_over or (self._before and not finish)
        self.done = finish
        if isinstance(took, d.Collect):
            self._add, self._base = took.add, took.address // self._lanes
            self._beat, self._next_beat = list(self._next_beat), self._beat
