# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/tile_drain.v.

What it reads is a table made ahead (``drain_words``): numbers of words, in which PE, address and the mark of a
command's final one stand. A command is a range of the table; an empty range stands for an illegal one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.map_transfer import DrainCommand, drain_reads

DRAIN_LATENCY = 6
"""Clocks from drain_read to drain_data of a PE."""
PE_BITS = 7

REGISTERS = kind("waiting age first end at stop inside read error place")
"""A command waits, for how many clocks, and its range; what is left of the range that is walked; words read
and not taken; the word whose read goes to the PEs, or NONE; pulse of an illegal command; place in the ring."""


class TileState(NamedTuple):
    """Registers, a ring of the words on their way through PEs and multiplexer, and the FIFO at the end."""

    n: Record
    way: IntArray
    words: Fifo


def tile_state(pes: int, latency: int) -> TileState:
    """As after a reset; latency: clocks from drain_read to drain_data."""
    stages = latency + ((pes - 1).bit_length() + 1) // 2
    return TileState(record(REGISTERS, read=NONE), np.full(stages, NONE, dtype=np.int64), fifo(stages + 4))


@clocked
def word_pe(word: Int) -> Int:
    """PE that a word is read from."""
    return word >> 1 & ((1 << PE_BITS) - 1)


def command_words(command: DrainCommand, pes: int, y_depth: int) -> IntArray:
    """The words of a command, none of an illegal one."""
    if not command.legal(pes):
        return np.zeros(0, dtype=np.int64)
    units, addresses = drain_reads(command, pes, y_depth)
    words = (addresses << PE_BITS | units) << 1
    words[-1] |= 1
    return words


DRAIN_FIRST = column(d.Drain, "limited") + 1
DRAIN_END = DRAIN_FIRST + 1
"""Columns of a drain's range in the table of words, behind its fields."""


def drain_words(program: Iterable[d.Descriptor], rows: IntArray, pes: int, y_depth: int) -> IntArray:
    """The table of a program's drains; fills in their ranges in the program's ``rows``."""
    made: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    ranges: dict[DrainCommand, tuple[int, int]] = {}
    count = 0
    for row, each in zip(rows, program, strict=True):
        if not isinstance(each, d.Drain):
            continue
        command = DrainCommand(
            each.slots, each.channels, each.channels_last, each.height, each.width, each.tile_height, each.tile_width,
            each.sy_log2, each.sx_log2, each.ybase, each.ystride, each.windows,
        )  # fmt: skip
        if command not in ranges:
            words = command_words(command, pes, y_depth)
            made.append(words)
            ranges[command] = count, count + len(words)
            count += len(words)
        row[DRAIN_FIRST], row[DRAIN_END] = ranges[command]
    return np.concatenate(made)


@clocked
def tile_clock(state: TileState, offered: Flag, first: Int, end: Int, ready: Flag, table: Array) -> None:
    """One clock, with a command at the port (its range) or none, and a sink that is ready or not."""
    n = state.n
    took = state.words.n.shown != 0 and ready
    place = n.place
    arrived = state.way[place]
    state.way[place] = n.read
    n.place = place + 1 if place + 1 < len(state.way) else 0
    fifo_clock(state.words, arrived, ready)
    n.read = NONE
    if n.at < n.stop and n.inside < len(state.way) + 4:
        n.read = table[n.at]
        n.at += 1
        n.inside += 1
    if took:
        n.inside -= 1

    n.error = 0
    if n.waiting == 0:
        n.waiting, n.age = (1 if offered else 0), 0
        n.first, n.end = first, end
        return
    n.age += 1
    if n.age < 2:
        return
    if n.first == n.end:
        n.error, n.waiting = 1, 0
    elif n.at == n.stop:
        n.at, n.stop, n.waiting = n.first, n.end, 0


@clocked
def tile_word(state: TileState) -> Flag:
    """A word stands at the output."""
    return state.words.n.shown != 0


@clocked
def tile_idle(state: TileState) -> Flag:
    """Nothing is inside."""
    n = state.n
    return n.waiting == 0 and n.at == n.stop and n.inside == 0


class Read(NamedTuple):
    """One read of a drain: of which PE, at which word, and whether it is the command's final one."""

    pe: int
    addr: int
    last: bool


def _read(word: int) -> Read | None:
    return None if word == NONE else Read(word_pe(word), word >> (1 + PE_BITS), bool(word & 1))


class TileDrainClocks:
    """rtl/pe_array/store/tile_drain.v by itself: what stands at every port in every clock, from a reset on.

    Attributes:
        cmd_ready, cmd_error, idle: outputs in this clock.
        read: the read that goes to the PEs in this clock.
        word: the read whose word stands at the output in this clock.

    Args:
        pes, y_depth: PEs; words of Y.
        latency: clocks from drain_read to drain_data.
    """

    def __init__(self, pes: int, y_depth: int, latency: int = DRAIN_LATENCY) -> None:
        self._pes, self._y_depth = pes, y_depth
        self._state = tile_state(pes, latency)
        self._words = np.zeros(0, dtype=np.int64)

    @property
    def cmd_ready(self) -> bool:
        return not self._state.n.waiting

    @property
    def cmd_error(self) -> bool:
        return bool(self._state.n.error)

    @property
    def read(self) -> Read | None:
        return _read(int(self._state.n.read))

    @property
    def word(self) -> Read | None:
        return _read(int(fifo_head(self._state.words)))

    @property
    def idle(self) -> bool:
        return bool(tile_idle(self._state))

    def clock(self, command: DrainCommand | None, ready: bool) -> None:
        """One clock, with a command at the port or none, and a sink that is ready or not."""
        first = len(self._words)
        if command is not None and self.cmd_ready:
            self._words = np.append(self._words, command_words(command, self._pes, self._y_depth))
        tile_clock(self._state, command is not None, first, len(self._words), ready, self._words)
