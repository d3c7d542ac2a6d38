# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/tile_drain.v.

What it reads is a table made ahead (``drain_words``): numbers of words, in which PE, address and the mark of a
command's final one stand. A command is a range of the table; an empty range stands for an illegal one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.clocks.parts import Array, Flag, Int
from models.pe_array.clocks.stream_fifo import F_SHOWN, NONE, fifo, fifo_clock
from models.pe_array.clocks.table import column
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.map_transfer import DrainCommand, drain_reads

DRAIN_LATENCY = 6
"""Clocks from drain_read to drain_data of a PE."""
PE_BITS = 7

T_WAITING, T_AGE, T_FIRST, T_END, T_AT, T_STOP, T_INSIDE, T_READ, T_ERROR, T_PLACE = range(10)
"""Registers: a command waits, for how many clocks, and its range; what is left of the range that is walked; words read
and not taken; the word whose read goes to the PEs, or NONE; pulse of an illegal command; place in the ring."""


class TileState(NamedTuple):
    """Registers T_…, a ring of the words on their way through PEs and multiplexer, and the FIFO at the end."""

    n: IntArray
    way: IntArray
    words: IntArray


def tile_state(pes: int, latency: int) -> TileState:
    """As after a reset; latency: clocks from drain_read to drain_data."""
    levels = ((pes - 1).bit_length() + 1) // 2
    n = np.zeros(T_PLACE + 1, dtype=np.int64)
    n[T_READ] = NONE
    return TileState(n, np.full(latency + levels, NONE, dtype=np.int64), fifo(latency + levels + 4))


def word_pe(word: Int) -> Int:
    """PE that a word is read from."""
    return word >> 1 & ((1 << PE_BITS) - 1)


def word_address(word: Int) -> Int:
    """Its address in Y."""
    return word >> (1 + PE_BITS)


def word_last(word: Int) -> bool:
    """Whether it is its command's final one."""
    return bool(word & 1)


def command_words(command: DrainCommand, pes: int, y_depth: int) -> IntArray:
    """The words of a command, none of an illegal one."""
    if not command.legal(pes):
        return np.zeros(0, dtype=np.int64)
    units, addresses = drain_reads(command, pes, y_depth)
    words = (addresses << PE_BITS | units) << 1
    words[-1] |= 1
    return words


DRAIN_FIRST = column(d.Drain, "sx_log2") + 1
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
            each.sy_log2, each.sx_log2, each.ybase, each.ystride,
        )  # fmt: skip
        if command not in ranges:
            words = command_words(command, pes, y_depth)
            made.append(words)
            ranges[command] = count, count + len(words)
            count += len(words)
        row[DRAIN_FIRST], row[DRAIN_END] = ranges[command]
    return np.concatenate(made)


@njit(cache=True)
def tile_clock(state: TileState, offered: Flag, first: Int, end: Int, ready: Flag, table: Array) -> None:
    """One clock, with a command at the port (its range) or none, and a sink that is ready or not."""
    n = state.n
    took = state.words[F_SHOWN] != 0 and ready
    place = n[T_PLACE]
    arrived = state.way[place]
    state.way[place] = n[T_READ]
    n[T_PLACE] = place + 1 if place + 1 < len(state.way) else 0
    fifo_clock(state.words, arrived, ready)
    n[T_READ] = NONE
    if n[T_AT] < n[T_STOP] and n[T_INSIDE] < len(state.way) + 4:
        n[T_READ] = table[n[T_AT]]
        n[T_AT] += 1
        n[T_INSIDE] += 1
    if took:
        n[T_INSIDE] -= 1

    n[T_ERROR] = 0
    if n[T_WAITING] == 0:
        n[T_WAITING], n[T_AGE] = (1 if offered else 0), 0
        n[T_FIRST], n[T_END] = first, end
        return
    n[T_AGE] += 1
    if n[T_AGE] < 2:
        return
    if n[T_FIRST] == n[T_END]:
        n[T_ERROR], n[T_WAITING] = 1, 0
    elif n[T_AT] == n[T_STOP]:
        n[T_AT], n[T_STOP], n[T_WAITING] = n[T_FIRST], n[T_END], 0


@njit(cache=True)
def tile_word(state: TileState) -> Flag:
    """A word stands at the output."""
    return state.words[F_SHOWN] != 0


@njit(cache=True)
def tile_idle(state: TileState) -> Flag:
    """Nothing is inside."""
    n = state.n
    return n[T_WAITING] == 0 and n[T_AT] == n[T_STOP] and n[T_INSIDE] == 0
